"""What do the items that look like it say of an item, in closed form?

A kernel ridge regression from vectors to labels, approximated with landmarks (Nystroem), and asked about each item as
if that item, with all its copies, had not been there. No fold is fitted: leaving out is algebra.

    phi_NM       features with phi phi' ~ exp(-gamma |x - x'|^2); M landmarks drawn by seed
    A            phi'phi + lambda I;  h_n = phi_n' A^-1 phi_n;  yhat = phi A^-1 phi' y
    left out     (yhat_n - h_n s_n) / (1 - g_n h_n), g_n = number of copies of n, itself included, s_n = the sum of
                 their targets (Sherman-Morrison: copies have one phi); for g = 1 the textbook (yhat - h y)/(1 - h)

Source: Williams & Seeger 2001 (Nystroem); Golub, Heath & Wahba 1979 (leave-one-out). A single such ridge costs what one
logistic regression does and ranks wrong labels better than a tuned one (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from .subset import some

FloatArray = NDArray[np.float32]
Floats = NDArray[Any]  # float32, or float64 where that errs too much
IntArray = NDArray[np.int64]

# shapes: N items, D values of a vector, M landmarks, K classes

GAMMA = 0.5  # per squared distance of unit vectors, which lie in [0, 4]
LAMBDAS = tuple(np.geomspace(1e-3, 100, 11).tolist())
RIDGE = 1e-6  # on the landmarks' own kernel, which is near singular
JUDGED = 5_000  # rows on which lambda is chosen, at most


@dataclass(frozen=True)
class Ridge:
    """A fitted basis; targets come later, so that a second fit with other targets costs two products."""

    basis_NM: FloatArray  # phi turned so that phi'phi is diagonal
    spectrum_M: NDArray[np.float64]  # that diagonal
    copy_N: IntArray  # which group of copies each item is in, 0 .. groups-1

    def left_out(self, target_NK: FloatArray, lambdas: Iterable[float] = LAMBDAS) -> FloatArray:
        """The ridge's answer for each item without the item and its copies, (N, K), at the lambda that errs least."""
        turned_MK = self.basis_NM.T @ target_NK
        own_NK, size_N = _of_group(target_NK, self.copy_N)
        judged = some(len(target_NK), JUDGED)
        best = min(
            lambdas,
            key=lambda each: self._error(float(each), judged, turned_MK, target_NK, own_NK, size_N),
        )
        return self._answers(float(best), slice(None), turned_MK, own_NK, size_N)

    def _error(
        self,
        penalty: float,
        rows: IntArray,
        turned_MK: FloatArray,
        target_NK: FloatArray,
        own_NK: FloatArray,
        size_N: FloatArray,
    ) -> float:
        gap = self._answers(penalty, rows, turned_MK, own_NK, size_N) - target_NK[rows]
        return float(np.einsum("nk,nk->", gap, gap, dtype=np.float64))

    def _answers(
        self, penalty: float, rows: IntArray | slice, turned_MK: FloatArray, own_NK: FloatArray, size_N: FloatArray
    ) -> FloatArray:
        shrink_M = (1 / (self.spectrum_M + penalty)).astype(np.float32)
        basis = self.basis_NM[rows]
        leverage_N = np.einsum("nm,nm,m->n", basis, basis, shrink_M, optimize=True)
        answer_NK = basis @ (turned_MK * shrink_M[:, None])
        left_N = np.maximum(1 - size_N[rows] * leverage_N, 1e-4)
        return np.asarray((answer_NK - leverage_N[:, None] * own_NK[rows]) / left_N[:, None])


def ridge(x_ND: FloatArray, copy_N: IntArray, *, landmarks: int, seed: int, gamma: float = GAMMA) -> Ridge:
    """The basis for vectors of length 1 (zeros are allowed); `copy_N` numbers the groups of identical items."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(x_ND))[:landmarks])
    marks_MD = x_ND[chosen]
    near_NM = _kernel(x_ND, marks_MD, gamma)
    exact_MD = marks_MD.astype(np.float64)  # float32 errs by more than RIDGE, and near copies make it indefinite
    own_MM = _kernel(exact_MD, exact_MD, gamma)
    own_MM[np.diag_indices(len(own_MM))] += RIDGE
    spectrum_M, turn_MM = eigh((near_NM.T @ near_NM).astype(np.float64), own_MM)
    return Ridge(near_NM @ turn_MM.astype(np.float32), np.maximum(spectrum_M, 0), copy_N)


def _kernel(a_ND: Floats, b_MD: Floats, gamma: float) -> Floats:
    """exp(-gamma |a - b|^2), (N, M)."""
    near_NM = a_ND @ b_MD.T
    near_NM *= 2
    near_NM -= np.einsum("nd,nd->n", a_ND, a_ND)[:, None]
    near_NM -= np.einsum("md,md->m", b_MD, b_MD)
    near_NM *= gamma
    return np.asarray(np.exp(np.minimum(near_NM, 0, out=near_NM), out=near_NM))


def _of_group(target_NK: FloatArray, copy_N: IntArray) -> tuple[FloatArray, FloatArray]:
    """For each item the sum of its group's targets, (N, K), and the group's size, (N,)."""
    size_G = np.bincount(copy_N).astype(np.float32)
    if size_G.max(initial=0) <= 1:
        return target_NK, np.ones(len(copy_N), np.float32)
    sum_GK = np.zeros((len(size_G), target_NK.shape[1]), np.float32)
    np.add.at(sum_GK, copy_N, target_NK)
    return sum_GK[copy_N], size_G[copy_N]
