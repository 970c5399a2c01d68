"""What do the methods of the literature say of a pair? Shown beside our own, never used by it.

    neighbours    do the neighbours of X have texts near Y, and the other way round? (after LEMoN, Zhang et al. 2024)
    concat_*      pyod on the concatenation [x, y]: what is usually proposed

On the concatenation IForest and ECOD sit at chance (a wrong text is normal in each marginal), KNN and LOF find shuffled
pairs and miss the near ones. They look at a seeded sample: KNN and LOF grow with N * N.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .outoffold import IntArray
from .pairing_margin import Sides, blocks

ScoreArray = NDArray[np.float64]

NEIGHBOURS = 10
DETECTORS = ("KNN", "LOF", "IForest", "ECOD")
FEWEST = 20  # pairs that a detector is asked about

# shapes: N pairs, D width of X, E width of Y, R rows asked about, M competitors, B rows of a block, K neighbours


def neighbours(pairs: Sides, rows_R: IntArray, among_M: IntArray) -> ScoreArray:
    """1 - mean cosine of Y with the Y of those nearest by X, and of X with the X of those nearest by Y; (R,)."""
    score_R = np.ones(len(rows_R))
    for near_ND, told_NE in ((pairs.x_ND, pairs.y_NE), (pairs.y_NE, pairs.x_ND)):
        for start, cosine_BM in blocks(near_ND, near_ND, pairs, rows_R, among_M):
            count = min(NEIGHBOURS, cosine_BM.shape[1])
            near_BK = np.argpartition(-cosine_BM, count - 1, axis=1)[:, :count]
            is_BK = np.isfinite(np.take_along_axis(cosine_BM, near_BK, axis=1))
            own_BE = told_NE[rows_R[start : start + len(cosine_BM)]]
            cosine_BK = np.einsum("be,bke->bk", own_BE, told_NE[among_M[near_BK]])
            mean_B = (cosine_BK * is_BK).sum(axis=1) / np.maximum(is_BK.sum(axis=1), 1)
            score_R[start : start + len(cosine_BM)] -= mean_B / 2
    return score_R


def concatenated(pairs: Sides, rows_R: IntArray, *, most: int, seed: int) -> dict[str, ScoreArray]:
    """concat_<detector> -> pyod's raw scores, (R,), larger = odder, of at most `most` rows; nan for the others."""
    found = {f"concat_{name.lower()}": np.full(len(rows_R), np.nan) for name in DETECTORS}
    some = np.arange(len(rows_R))
    if len(some) > most:
        some = np.sort(np.random.default_rng(seed).choice(some, most, replace=False))
    if len(some) < FEWEST:
        return found
    both = np.concatenate([pairs.x_ND[rows_R[some]], pairs.y_NE[rows_R[some]]], axis=1).astype(np.float64)
    both = both[:, np.ptp(both, axis=0) > 0]
    options: dict[str, dict[str, Any]] = {
        "KNN": {"n_neighbors": NEIGHBOURS, "method": "mean", "n_jobs": 1},
        "LOF": {"n_neighbors": min(2 * NEIGHBOURS, len(some) - 1), "n_jobs": 1},
        "IForest": {"n_jobs": 1, "random_state": seed},
        "ECOD": {"n_jobs": 1},
    }
    with threadpool_limits(limits=1), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # identical rows divide by zero in pyod; what is not finite becomes nan
        for name in DETECTORS if both.shape[1] else ():
            model = getattr(importlib.import_module(f"pyod.models.{name.lower()}"), name)(**options[name])
            score_N = np.asarray(model.fit(both).decision_scores_, dtype=np.float64)
            found[f"concat_{name.lower()}"][some] = np.where(np.isfinite(score_N), score_N, np.nan)
    return found
