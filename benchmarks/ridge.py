"""What does a ridge regression say out of fold, and what does it cost to ask again after a further drop?

Regression of one-hot labels on the vectors, the intercept free. All that a model needs of its items are sums, X'X and
X'Y. So the model without a fold is the sums without that fold's, and a further drop adds its own: its refresh costs the
new drop and five solutions (outoffold.py). No stage uses it: docs/decisions.md says why.

Products and sums are float64 and added drop by drop in order of arrival, so a refreshed model is the whole one to 1e-6
(products in float32 miss that). The vectors must be frozen: with directions or a mean that move with every item, each
old sum would be one of other vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.model import Mistake
from tasks.store import FloatArray

DoubleArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# shapes: N items, D width, E = D + 1 with the intercept, K classes, F folds


@dataclass(frozen=True)
class Sums:
    """X'X and X'Y of the items of each fold, the intercept's column of ones last."""

    xx_FEE: DoubleArray
    xy_FEK: DoubleArray

    @property
    def classes(self) -> int:
        return int(self.xy_FEK.shape[2])

    def __add__(self, other: Sums) -> Sums:
        """The sums of both; classes that one of them does not know come last and were 0 in it."""
        if self.xx_FEE.shape != other.xx_FEE.shape:
            raise Mistake(
                f"Sums have shape {self.xx_FEE.shape}, those to be added {other.xx_FEE.shape}. "
                "Drops need the same folds and vectors of the same width."
            )
        classes = max(self.classes, other.classes)
        return Sums(self.xx_FEE + other.xx_FEE, _wider(self.xy_FEK, classes) + _wider(other.xy_FEK, classes))


def _wider(xy_FEK: DoubleArray, classes: int) -> DoubleArray:
    return np.pad(xy_FEK, ((0, 0), (0, 0), (0, classes - xy_FEK.shape[2])))


def sums(x_ND: FloatArray, labels_N: IntArray, folds_N: IntArray, *, classes: int, folds: int) -> Sums:
    """The sums of some items; labels and folds count from 0."""
    width = x_ND.shape[1] + 1
    xx_FEE, xy_FEK = np.zeros((folds, width, width)), np.zeros((folds, width, classes))
    for fold in range(folds):
        rows = np.flatnonzero(folds_N == fold)
        x_NE = np.concatenate([x_ND[rows].astype(np.float64), np.ones((len(rows), 1))], axis=1)
        xx_FEE[fold] = x_NE.T @ x_NE
        y_NK = np.zeros((len(rows), classes))
        y_NK[np.arange(len(rows)), labels_N[rows]] = 1
        xy_FEK[fold] = x_NE.T @ y_NK
    return Sums(xx_FEE, xy_FEK)


def weights(of: Sums, penalty: float) -> DoubleArray:
    """The model without each fold, (F, E, K), the intercept last; `penalty` > 0 on the squared length of the others."""
    if penalty <= 0:
        raise Mistake(f"Ridge has penalty {penalty}. A number above 0 is needed.")
    bend_EE = np.diag([*[float(penalty)] * (of.xx_FEE.shape[1] - 1), 1e-9])
    xx_EE, xy_EK = of.xx_FEE.sum(axis=0), of.xy_FEK.sum(axis=0)
    return np.stack(
        [
            np.linalg.solve(xx_EE - held_EE + bend_EE, xy_EK - held_EK)
            for held_EE, held_EK in zip(of.xx_FEE, of.xy_FEK, strict=True)
        ]
    )


def out_of_fold(x_ND: FloatArray, folds_N: IntArray, weights_FEK: DoubleArray) -> DoubleArray:
    """Each row's scores by the model without its fold, (N, K): about 1 for the label that its model expects."""
    score_NK = np.empty((len(x_ND), weights_FEK.shape[2]))
    for fold, model_EK in enumerate(weights_FEK):
        rows = np.flatnonzero(folds_N == fold)
        score_NK[rows] = x_ND[rows] @ model_EK[:-1].astype(np.float32) + model_EK[-1]
    return score_NK
