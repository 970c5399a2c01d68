"""What need a ridge regression know of its items? Two sums, which a further drop adds to.

Regression of one-hot labels on frozen vectors, out of fold: the model without a fold is the sums without that fold's.

    X'X  a fold   kept in the cache with the sha256 of its vectors. New rows are added, a row that came into another
                  fold is moved; only where an item went, or another embedder came, is the sum made again
    X'Y  a fold   made anew each time: it costs N D, so a corrected label costs nothing

Products and sums are float64: a refreshed model is the whole one to 1e-6 (products in float32 miss that). The vectors
must be frozen: with a mean or directions that move with every item, each old sum would be one of other vectors.

Cache   .assay/cache/audit/sums-<version>/ (piece.py): xx.npy, folds.npy
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array

from . import piece
from .store import FloatArray

DoubleArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FAMILY = "sums"
CHUNK = 16_384  # rows in memory as float64 at once
FEW = 2_048  # rows whose sums may be float32: they are never added to
FREE = 1e-9  # the penalty on the intercept: none, but for a fold without items

# shapes: N items, M of them known, D width, E = D + 1 with the intercept, K classes, F folds


@dataclass(frozen=True)
class Known:
    """X'X of the items of each fold, the intercept's column of ones last, and which fold each item is in."""

    xx_FEE: DoubleArray
    folds_N: IntArray


def known(x_ND: FloatArray, folds_N: IntArray, folds: int, *, cache: Path | None = None) -> tuple[Known, int]:
    """X'X of these rows and how many of them were summed before; `cache` is the folder in which what is known stays."""
    nothing = Known(np.zeros((folds, x_ND.shape[1] + 1, x_ND.shape[1] + 1)), np.zeros(0, dtype=np.int64))
    before, digest = _read(cache, x_ND, nothing) if cache is not None else (nothing, "")
    count = len(before.folds_N)
    moved_N = folds_N[:count] != before.folds_N
    xx_FEE = before.xx_FEE.copy()
    for fold in range(folds):
        xx_FEE[fold] += _xx(x_ND, count + np.flatnonzero(folds_N[count:] == fold))
        xx_FEE[fold] += _xx(x_ND, np.flatnonzero(moved_N & (folds_N[:count] == fold)))
        xx_FEE[fold] -= _xx(x_ND, np.flatnonzero(moved_N & (before.folds_N == fold)))
    if cache is not None and (count < len(x_ND) or moved_N.any()):
        arrays: piece.Arrays = {"xx": xx_FEE, "folds": folds_N.astype(np.int8)}
        piece.keep(cache, arrays, {"vectors": digest}, family=FAMILY)
    return Known(xx_FEE, folds_N), count


def class_sums(x_ND: FloatArray, target_N: IntArray, folds_N: IntArray, *, classes: int, folds: int) -> DoubleArray:
    """X'Y, (F, E, K), for one-hot labels: in each fold the sum of the rows of each class, and their number."""
    sums = np.zeros((folds * classes, x_ND.shape[1] + 1))
    place_N = folds_N * classes + target_N
    for start in range(0, len(x_ND), FEW):
        here = place_N[start : start + FEW]
        one = np.ones(len(here), np.float32)
        of = csr_array((one, (here, np.arange(len(here)))), shape=(folds * classes, len(here)))
        sums[:, :-1] += of @ x_ND[start : start + FEW]
    sums[:, -1] = np.bincount(place_N, minlength=folds * classes)
    return np.ascontiguousarray(sums.reshape(folds, classes, -1).transpose(0, 2, 1))


def weights(xx_FEE: DoubleArray, xy_FEK: DoubleArray, penalty: float, folds: Sequence[int]) -> DoubleArray:
    """The models without each of `folds`, (len(folds), E, K); `penalty` > 0 on all but the intercept."""
    xx_EE, xy_EK = xx_FEE.sum(axis=0), xy_FEK.sum(axis=0)
    xx_EE[np.diag_indices(len(xx_EE))] += [*[penalty] * (len(xx_EE) - 1), FREE]
    return np.stack([cho_solve(cho_factor(xx_EE - xx_FEE[fold], lower=True), xy_EK - xy_FEK[fold]) for fold in folds])


def out_of_fold(x_ND: FloatArray, folds_N: IntArray, weights_FEK: DoubleArray) -> FloatArray:
    """Each row's scores by the model of its place in `folds_N`, (N, K): about 1 for the label that it expects."""
    score_NK = np.empty((len(x_ND), weights_FEK.shape[2]), np.float32)
    for fold, model_EK in enumerate(weights_FEK.astype(np.float32)):
        rows = np.flatnonzero(folds_N == fold)
        score_NK[rows] = x_ND[rows] @ model_EK[:-1] + model_EK[-1]
    return score_NK


def _xx(x_ND: FloatArray, rows: IntArray) -> DoubleArray:
    """X'X of some rows, with the intercept."""
    xx_EE = np.zeros((x_ND.shape[1] + 1, x_ND.shape[1] + 1))
    for start in range(0, len(rows), CHUNK):
        chosen = rows[start : start + CHUNK]
        x_CE = np.concatenate([x_ND[chosen].astype(np.float64), np.ones((len(chosen), 1))], axis=1)
        xx_EE += x_CE.T @ x_CE
    return xx_EE


def _read(cache: Path, x_ND: FloatArray, nothing: Known) -> tuple[Known, str]:
    """What the piece knows of the first of these rows, `nothing` if it does not fit; and the digest of all."""
    found = piece.read(cache, ("xx", "folds"))
    count = len(found[0]["folds"]) if found else 0
    first, whole = piece.digests(x_ND, min(count, len(x_ND)), len(x_ND))
    if found is None or count > len(x_ND) or found[1].get("vectors") != first:
        return nothing, whole
    if found[0]["xx"].shape != nothing.xx_FEE.shape:
        return nothing, whole
    return Known(found[0]["xx"].astype(np.float64), found[0]["folds"].astype(np.int64)), whole
