"""How are the logistic regressions of all folds and all scales fitted in one go?

Multinomial logistic regression as scikit-learn's LogisticRegression(C=1) states it: the sum of the items' losses plus
half the squared length of the weights, the intercept free. Fold models share four fifths of their rows, and scaling
the vectors by s only changes the penalty to 1 / s^2. So all problems go together: one product with the vectors gives
all their logits, another all their slopes, and one Gram matrix X'X tells them all how the ground is curved.

Why not scikit-learn: it walks fold by fold, down the raw slope. Here L-BFGS walks in coordinates in which the
curvature at the start, (1/K) X'X + penalty, is the same in every direction (Bohning 1992 bounds it by (1/2) X'X), and
needs some twenty passes where a hundred did not do. benchmarks/outoffold.py has the figures.

Covered: a class that a model has not seen has probability 0; models of one class say 1; of two classes, scikit-learn's
binary model, in which one vector does the work of two (hence the penalty 2). Not covered: vectors that are not of
length about 1 are fitted, but rounding in float32 grows with their length.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .lbfgs import minimise
from .model import Mistake

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BLOCK_BYTES = {"cpu": 2**20}  # of logits at once: what stays in the cache between two products
DEVICE_BLOCK_BYTES = 2**28  # the same where memory is wide
TOGETHER = 2**22  # numbers in the weights of the problems fitted at once, so that 1,000 classes fit into memory
NEVER = -1e4  # the logit of a class that is not seen: its exponential is 0, and a weight of 0 times it is 0 too
GRAM_ROWS = 8192  # a sample of so many tells the curvature well enough

# shapes: N items, D embedding, K classes, F folds, S scales, B = S * F problems


@dataclass(frozen=True)
class Rows:
    """The items in order of their folds, vectors about their mean (the free intercept takes the difference)."""

    x_ND: FloatArray
    labels_N: IntArray
    weights_N: FloatArray | None
    order_N: IntArray  # place in what was given
    folds: tuple[slice, ...]  # rows of each fold


@dataclass(frozen=True)
class Problems:
    """One model for each scale and fold, scale by scale: what it may not see, and how it is penalised."""

    fold_B: IntArray  # its held-out fold, 0 .. F-1
    seen_BK: NDArray[np.bool_]  # classes among its rows
    size_B: DoubleArray  # its rows, or the sum of their weights
    penalty_B: DoubleArray  # half of this times the squared length of the weights is added to the loss


def out_of_fold(
    x_ND: FloatArray,
    labels_N: IntArray,
    folds_N: IntArray,
    classes: int,
    *,
    scale: float = 1.0,
    weights_N: NDArray[np.floating[Any]] | None = None,
    max_iter: int = 100,
    tolerance: float = 1e-6,
    threads: int = 1,
    device: str = "cpu",
) -> DoubleArray:
    """P(label = k | x), (N, K), each row by the model fitted without that row's fold; each_scale for one scale."""
    (p_NK,) = each_scale(
        x_ND,
        labels_N,
        folds_N,
        classes,
        scales=(scale,),
        weights_N=weights_N,
        max_iter=max_iter,
        tolerance=tolerance,
        threads=threads,
        device=device,
    )
    return p_NK


def each_scale(
    x_ND: FloatArray,
    labels_N: IntArray,
    folds_N: IntArray,
    classes: int,
    *,
    scales: Sequence[float],
    weights_N: NDArray[np.floating[Any]] | None = None,
    max_iter: int = 100,
    tolerance: float = 1e-6,
    threads: int = 1,
    device: str = "cpu",
) -> list[DoubleArray]:
    """For each scale by which the vectors are multiplied, P(label = k | x), (N, K), out of fold.

    `labels_N` and `folds_N` count from 0. `weights_N`, >= 0, multiply the items' losses. A fit ends when the loss an
    item that is left to gain is estimated below `tolerance`, or after `max_iter` passes: 1e-6 leaves probabilities
    within about .005 of the end (scikit-learn's defaults: .08), 1e-9 within .0005. `threads` folds are worked on at
    once, each on one BLAS thread; the bits do not depend on it. `device` other than "cpu" is torch's name of one.
    Raises Mistake for values that are not finite, for fewer than two folds, and for weights that are negative or all 0
    outside a fold.
    """
    rows = _sorted(x_ND, labels_N, folds_N, weights_N)
    problems = _problems(rows, classes, scales)
    folds, width = len(rows.folds), x_ND.shape[1]
    with threadpool_limits(limits=1), ThreadPoolExecutor(threads) as pool:
        loss = _Loss(rows, classes, pool, device)
        curvature = _curvature(rows)
        found: list[DoubleArray] = []
        step = max(1, TOGETHER // (folds * classes * (width + 1)))  # scales at once
        for first in range(0, len(scales), step):
            few = slice(first * folds, (first + step) * folds)
            w_BKD, b_BK = _fit(loss, _some(problems, few), curvature, max_iter=max_iter, tolerance=tolerance)
            found += [
                loss.probabilities(w_BKD[start : start + folds], b_BK[start : start + folds])
                for start in range(0, len(w_BKD), folds)
            ]
    return found


def _sorted(
    x_ND: FloatArray, labels_N: IntArray, folds_N: IntArray, weights_N: NDArray[np.floating[Any]] | None
) -> Rows:
    finite_N = np.isfinite(x_ND).all(axis=1)
    if not finite_N.all():
        raise Mistake(
            f"Embedding has a value that is not finite in row {int(np.flatnonzero(~finite_N)[0])}. "
            "Leave such rows out, or embed them again."
        )
    distinct = np.unique(folds_N)
    if len(distinct) < 2 or distinct[0] < 0:
        raise Mistake(f"Folds hold the values {distinct.tolist()}. At least two folds, numbered from 0, are needed.")
    if weights_N is not None and not (np.isfinite(weights_N).all() and (weights_N >= 0).all()):
        bad = int(np.flatnonzero(~(np.isfinite(weights_N) & (weights_N >= 0)))[0])
        raise Mistake(f"Weight of row {bad} is {weights_N[bad]}. Finite numbers of 0 or more are needed.")
    order_N = np.argsort(folds_N, kind="stable")
    bounds = [np.searchsorted(folds_N[order_N], [fold, fold + 1]) for fold in distinct]
    mean_D = x_ND.mean(axis=0, dtype=np.float64).astype(np.float32)
    sorted_ND = np.asarray(x_ND[order_N], dtype=np.float32)
    sorted_ND -= mean_D
    return Rows(
        sorted_ND,
        labels_N[order_N],
        None if weights_N is None else np.asarray(weights_N, dtype=np.float32)[order_N],
        order_N,
        tuple(slice(int(first), int(last)) for first, last in bounds),
    )


def _problems(rows: Rows, classes: int, scales: Sequence[float]) -> Problems:
    weights_N = np.ones(len(rows.labels_N)) if rows.weights_N is None else rows.weights_N
    held_FK = np.stack([np.bincount(rows.labels_N[f], weights_N[f], minlength=classes) for f in rows.folds])
    positive_N = (weights_N > 0).astype(np.float64)
    used_FK = np.stack([np.bincount(rows.labels_N[f], positive_N[f], minlength=classes) for f in rows.folds])
    seen_FK = used_FK.sum(axis=0) - used_FK > 0  # of counts, because a difference of weights is seldom exactly 0
    if not seen_FK.any(axis=1).all():
        empty = int(np.flatnonzero(~seen_FK.any(axis=1))[0])
        raise Mistake(f"All weights outside fold {empty} are 0. A model without items says nothing; give some weight.")
    fold_B = np.tile(np.arange(len(rows.folds)), len(scales))
    scale_B = np.repeat(np.asarray(scales, dtype=np.float64), len(rows.folds))
    vectors_B = np.where(seen_FK.sum(axis=1) == 2, 2.0, 1.0)[fold_B]
    size_F = held_FK.sum() - held_FK.sum(axis=1)
    return Problems(fold_B, seen_FK[fold_B], size_F[fold_B], vectors_B / scale_B**2)


def _some(problems: Problems, few: slice) -> Problems:
    return Problems(problems.fold_B[few], problems.seen_BK[few], problems.size_B[few], problems.penalty_B[few])


def _curvature(rows: Rows) -> tuple[DoubleArray, DoubleArray]:
    """The mean of (weight) x x', as its values, (D,), and its directions, (D, D), a column each."""
    x_ND = rows.x_ND
    weights_N = rows.weights_N
    if len(x_ND) > GRAM_ROWS:
        few = np.random.default_rng(0).choice(len(x_ND), GRAM_ROWS, replace=False)
        x_ND, weights_N = x_ND[few], None if weights_N is None else weights_N[few]
    if weights_N is not None:
        x_ND = x_ND * np.sqrt(weights_N / max(float(weights_N.mean()), 1e-30))[:, None]
    values_D, directions_DD = np.linalg.eigh((x_ND.T @ x_ND).astype(np.float64) / len(x_ND))
    return np.maximum(values_D, 0), directions_DD


def _fit(
    loss: _Loss, problems: Problems, curvature: tuple[DoubleArray, DoubleArray], *, max_iter: int, tolerance: float
) -> tuple[FloatArray, DoubleArray]:
    """Weights, (B, K, D), and intercepts, (B, K), NEVER for a class that is not seen."""
    values_D, directions_DD = curvature
    turn_DD = directions_DD.T.astype(np.float32)
    count, classes = problems.seen_BK.shape
    width = len(values_D)
    never_BK = np.where(problems.seen_BK, 0, NEVER)
    even = 1 / classes  # the mean of p (1 - p) where nothing is known yet is (1/K) (1 - 1/K)
    unit_BD = 1 / np.sqrt(even * problems.size_B[:, None] * values_D + problems.penalty_B[:, None])
    unit_B = 1 / np.sqrt(even * problems.size_B)

    def turned(at_BP: DoubleArray, chosen: IntArray) -> tuple[DoubleArray, FloatArray, DoubleArray]:
        """The weights along the directions, the weights themselves, and the intercepts, of the point where we are."""
        at_BKP = at_BP.reshape(len(chosen), classes, width + 1)
        u_BKD = at_BKP[..., :width] * unit_BD[chosen][:, None]
        w_BKD = (u_BKD.astype(np.float32).reshape(-1, width) @ turn_DD).reshape(u_BKD.shape)
        return u_BKD, w_BKD, at_BKP[..., width] * unit_B[chosen][:, None] + never_BK[chosen]

    def slope(at_BP: DoubleArray, chosen: IntArray) -> tuple[DoubleArray, DoubleArray]:
        u_BKD, w_BKD, b_BK = turned(at_BP, chosen)
        loss_B, g_BKD, g_BK = loss(w_BKD, b_BK, problems.fold_B[chosen])
        penalty_B = problems.penalty_B[chosen]
        along_BKD = (g_BKD.reshape(-1, width) @ turn_DD.T).reshape(u_BKD.shape)
        along_BKD = (along_BKD + penalty_B[:, None, None] * u_BKD) * unit_BD[chosen][:, None]
        loss_B = loss_B + penalty_B / 2 * np.einsum("bkd,bkd->b", u_BKD, u_BKD)
        whole_BKP = np.concatenate([along_BKD, (g_BK * unit_B[chosen][:, None])[..., None]], axis=2)
        return loss_B, whole_BKP.reshape(len(chosen), -1)

    start_BP = np.zeros((count, classes * (width + 1)))
    end_BP = minimise(slope, start_BP, enough_B=tolerance * problems.size_B, most=max_iter)
    _, w_BKD, b_BK = turned(end_BP, np.arange(count))
    return w_BKD, b_BK


class _Loss:
    """The loss of every problem and its slope, in one pass over the vectors, on the CPU or on torch's device.

    Items lie fold by fold, and those of a fold go through the models of all other folds: nothing is masked.
    """

    def __init__(self, rows: Rows, classes: int, pool: ThreadPoolExecutor, device: str) -> None:
        self._rows, self._classes, self._device = rows, classes, device
        self._map = pool.map if device == "cpu" else map
        # numpy and torch share the names below; torch takes seconds to import, so only who asks for a device pays
        self._np: Any = np if device == "cpu" else importlib.import_module("torch")
        self._x_ND = self._there(rows.x_ND)
        self._labels_N = self._there(rows.labels_N)
        self._weights_N = None if rows.weights_N is None else self._there(rows.weights_N)

    def _there(self, array: Any) -> Any:
        return self._np.asarray(array, device=self._device)

    def _here(self, array: Any) -> Any:
        return array if isinstance(array, np.ndarray) else array.cpu().numpy()

    def __call__(
        self, w_BKD: FloatArray, b_BK: DoubleArray, fold_B: IntArray
    ) -> tuple[DoubleArray, FloatArray, DoubleArray]:
        """Loss, (B,), and its slope in weights, (B, K, D), and intercepts, (B, K)."""
        loss_B, g_BKD, g_BK = np.zeros(len(fold_B)), np.zeros_like(w_BKD), np.zeros_like(b_BK)
        uses = [np.flatnonzero(fold_B != fold) for fold in range(len(self._rows.folds))]

        def one(fold: int) -> tuple[Any, Any, Any]:
            return self._of_fold(fold, w_BKD[uses[fold]], b_BK[uses[fold]].astype(np.float32))

        for use, (l_B, gw_BKD, gb_BK) in zip(uses, self._map(one, range(len(uses))), strict=True):
            loss_B[use] += l_B  # always in the order of the folds, so the bits do not depend on the threads
            g_BKD[use] += gw_BKD
            g_BK[use] += gb_BK
        return loss_B, g_BKD, g_BK

    def _of_fold(self, fold: int, w_BKD: FloatArray, b_BK: FloatArray) -> tuple[Any, Any, Any]:
        np_ = self._np
        count, classes, width = w_BKD.shape
        w_CD, b_C = self._there(w_BKD.reshape(-1, width)), self._there(b_BK.reshape(-1, 1))  # C = B * K
        loss_B, g_CD, g_C = 0.0, 0.0, 0.0
        rows = self._rows.folds[fold]
        step = max(64, BLOCK_BYTES.get(self._device, DEVICE_BLOCK_BYTES) // (4 * len(w_BKD) * classes + 4))
        for first in range(rows.start, rows.stop, step):
            block = slice(first, min(first + step, rows.stop))
            x_ND, given_N = self._x_ND[block], self._labels_N[block]
            size = len(given_N)
            place_N = np_.arange(size, device=self._device)
            z_CN = w_CD @ x_ND.T
            z_CN += b_C
            z_BKN = z_CN.reshape(count, classes, size)
            z_BKN -= np_.amax(z_BKN, axis=1, keepdims=True)
            own_BN = z_BKN[:, given_N, place_N]
            np_.exp(z_BKN, out=z_BKN)
            sum_BN = z_BKN.sum(axis=1)
            z_BKN /= sum_BN[:, None]
            z_BKN[:, given_N, place_N] -= 1
            loss_BN = np_.log(sum_BN) - own_BN
            if self._weights_N is not None:
                loss_BN *= self._weights_N[block]
                z_BKN *= self._weights_N[block]
            loss_B = loss_BN.sum(axis=1, dtype=np_.float64) + loss_B
            g_CD = z_CN @ x_ND + g_CD
            g_C = z_CN.sum(axis=1, dtype=np_.float64) + g_C
        return self._here(loss_B), self._here(g_CD).reshape(w_BKD.shape), self._here(g_C).reshape(b_BK.shape)

    def probabilities(self, w_FKD: FloatArray, b_FK: DoubleArray) -> DoubleArray:
        """Each row by the model of its fold, (N, K), in the order in which the rows were given."""
        p_NK = np.empty((len(self._rows.labels_N), self._classes))
        for fold, rows in enumerate(self._rows.folds):
            z_NK = self._here(self._x_ND[rows] @ self._there(w_FKD[fold]).T).astype(np.float64) + b_FK[fold]
            z_NK -= z_NK.max(axis=1, keepdims=True)
            np.exp(z_NK, out=z_NK)
            z_NK /= z_NK.sum(axis=1, keepdims=True)
            p_NK[self._rows.order_N[rows]] = z_NK
        return p_NK
