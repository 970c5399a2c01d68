"""What do a ridge by sums and the neighbours' vote say of the labels? The model behind label_noise_quick_v1.

For data that grow by many small drops: after one of 1 %, all labels are judged anew at the price of what came.

    1  a linear ridge out of fold on the joint vectors, as they are, from sums that a drop adds to (sums.py); its
       penalty is the one that errs least on the labels held out
    2  the vote of the nearest items, from a graph to which a drop adds its rows (vote.py, refresh.py)
    3  each becomes probabilities through one temperature; their average in log space

It ranks better than a tuned logistic regression and a little worse than combined.py, which looks at every label in
several views and is fitted anew each time: both are in docs/benchmarks.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import sums
from .combined import Combined, log_mean, tempered
from .outoffold import FloatArray, IntArray, ProbabilityArray
from .subset import some
from .vote import Voters

# shapes: N items, D values of a vector, K classes, F folds

PENALTIES = (0.03, 0.3, 1.0, 3.0, 30.0)
JUDGED = 3_000  # rows on which the penalty is chosen, at most


@dataclass(frozen=True)
class Looks:
    """What can be prepared without a look at the labels, and so serves any number of sets of labels."""

    joint_ND: FloatArray  # rows of length 1 or 0, frozen: the same whatever else arrives
    folds_N: IntArray  # 0 .. F-1; copies share one
    voters: Voters
    xx_FEE: sums.DoubleArray


def look(joint_ND: FloatArray, folds_N: IntArray, voters: Voters, *, cache: Path | None = None) -> Looks:
    """`cache`: the folder that keeps the sums for the next drop; None: nothing is kept."""
    known, _ = sums.known(joint_ND, folds_N, int(folds_N.max()) + 1, cache=cache)
    return Looks(joint_ND, folds_N, voters, known.xx_FEE)


def combine(looks: Looks, given_N: IntArray, *, classes: int, own_NK: ProbabilityArray | None = None) -> Combined:
    """Steps 1 to 3; with the user's own out-of-fold probabilities half and half with them, in log space."""
    onehot_NK = np.eye(classes, dtype=np.float32)[given_N]
    ridge_NK = tempered(_ridge(looks, given_N, onehot_NK), given_N)
    vote_NK = tempered(looks.voters.vote(onehot_NK), given_N)
    both_NK = log_mean([ridge_NK, vote_NK])
    if own_NK is None:
        return Combined(both_NK, vote_NK, ridge_NK, ridge_NK, refitted=False)
    return Combined(log_mean([both_NK, own_NK]), both_NK, own_NK, own_NK, refitted=False)


def _ridge(looks: Looks, given_N: IntArray, onehot_NK: FloatArray) -> FloatArray:
    """Its out-of-fold scores, (N, K), at the penalty that errs least on the labels held out."""
    folds, classes = range(len(looks.xx_FEE)), onehot_NK.shape[1]
    xy_FEK = sums.class_sums(looks.joint_ND, given_N, looks.folds_N, classes=classes, folds=len(folds))
    judging = folds[:1] if (looks.folds_N == 0).sum() >= JUDGED else folds  # of many items one fold says enough
    rows = np.flatnonzero(looks.folds_N < len(judging))
    rows = rows[some(len(rows), JUDGED)]

    def error(penalty: float) -> float:
        models_FEK = sums.weights(looks.xx_FEE, xy_FEK, penalty, judging)
        gap_NK = sums.out_of_fold(looks.joint_ND[rows], looks.folds_N[rows], models_FEK) - onehot_NK[rows]
        return float(np.einsum("nk,nk->", gap_NK, gap_NK, dtype=np.float64))

    best = min(PENALTIES, key=error)
    return sums.out_of_fold(looks.joint_ND, looks.folds_N, sums.weights(looks.xx_FEE, xy_FEK, best, folds))
