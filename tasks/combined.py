"""What do several views of the items, asked in several ways, say of the labels? The model behind label_noise_v2.

    1  each view, and all side by side: a kernel ridge that leaves each item out (kernel.py); the vote of the nearest
       items. Each becomes probabilities through one temperature, the one under which the given labels are likeliest;
       their average in log space is P.
    2  once more with softened labels, w onehot + (1 - w) P, w = P_given / P_max: doubtful labels teach less. Kept only
       if the answers then agree with more of the labels as they were given; without that gate it hurts weak features.
    3  averaged, half and half in log space, with a logistic regression fitted without each fold, its items weighted by
       w if step 2 was kept; or with the user's own out-of-fold probabilities.

Measured on digits, BANKING77 and CIFAR-10N against a default and a tuned logistic regression: docs/benchmarks.md.
Never a choice by likelihood on noisy labels: it prefers the worse detector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from threadpoolctl import threadpool_limits

from . import kernel, outoffold, vectors, vote
from .outoffold import FloatArray, IntArray, ProbabilityArray
from .subset import some

# shapes: N items, D values of a vector, K classes

LANDMARKS, MANY_LANDMARKS, MANY = 600, 1200, 8_000  # up to the second above so many items
BASIS = 40_000_000  # values of a basis above which landmarks are fewer again: four of them are in memory at once
LARGE = 20_000  # items from which on BLAS gains by several threads
TEMPERED = 5_000  # items on which a temperature is chosen, at most
FLOOR = 1e-6  # the least probability that a part may give a class


@dataclass(frozen=True)
class Combined:
    """Probabilities of the given label, each item by models that have not seen it; (N, K), rows sum to 1."""

    p_NK: ProbabilityArray  # the average of the two halves
    near_NK: ProbabilityArray  # ridges and votes
    fitted_NK: ProbabilityArray  # the fitted model, items weighted if refitted; or the user's model
    plain_NK: ProbabilityArray  # the same, every item with the same weight
    refitted: bool  # whether step 2 was kept


@dataclass(frozen=True)
class Looks:
    """What can be prepared without a look at the labels, and so serves any number of sets of labels."""

    joint_ND: FloatArray
    ridges: tuple[kernel.Ridge, ...]  # one a view, and one of all
    voters: vote.Voters


@dataclass(frozen=True)
class Logistic:
    """How the logistic regression is fitted."""

    scale: float = 1.5  # length of the unit vectors: a larger one regularises less; 0 where the user's model stands in
    max_iter: int = 200
    threads: int = 1


def look(
    views: Mapping[str, FloatArray],
    copy_N: IntArray,
    near: vectors.Neighbours,
    *,
    width: int = 300,
    threads: int = 1,
    seed: int = 0,
) -> Looks:
    """Bases and voters. `views`: rows of length 1 or 0; `near`: neighbours among these items (copies do not vote)."""
    with threadpool_limits(_blas(len(copy_N), threads)):
        joint_ND = vectors.centred(joint(views), width)
        alone = (vectors.centred(x_ND, width) for x_ND in (views.values() if len(views) > 1 else ()))
        ridges = [
            kernel.ridge(x_ND, copy_N, landmarks=landmarks(len(copy_N)), seed=seed) for x_ND in (*alone, joint_ND)
        ]
    return Looks(joint_ND, tuple(ridges), vote.voters(near, copy_N))


def combine(
    looks: Looks,
    given_N: IntArray,
    folds_N: IntArray,
    *,
    classes: int,
    logistic: Logistic,
    own_NK: ProbabilityArray | None = None,
) -> Combined:
    """Steps 1 to 3. `own_NK`: the user's probabilities, each item by a model that did not train on it, for step 3.

    Raises what outoffold.out_of_fold raises.
    """
    onehot_NK = np.eye(classes, dtype=np.float32)[given_N]
    with threadpool_limits(_blas(len(given_N), logistic.threads)):
        first_NK = _asked(looks, onehot_NK, given_N)
        weight_N = first_NK[np.arange(len(given_N)), given_N] / first_NK.max(axis=1)
        soft_NK = weight_N[:, None] * onehot_NK + (1 - weight_N[:, None]) * first_NK
        second_NK = _asked(looks, soft_NK.astype(np.float32), given_N)
    refitted = outoffold.agreement(second_NK, given_N) > outoffold.agreement(first_NK, given_N)
    near_NK = second_NK if refitted else first_NK

    def fitted(weights_N: ProbabilityArray | None) -> ProbabilityArray:
        return outoffold.out_of_fold(
            looks.joint_ND,
            given_N,
            folds_N,
            classes=classes,
            scale=logistic.scale,
            max_iter=logistic.max_iter,
            threads=logistic.threads,
            weights_N=weights_N,
        )

    plain_NK = fitted(None) if own_NK is None else own_NK
    fitted_NK = fitted(weight_N) if refitted and own_NK is None else plain_NK
    return Combined(log_mean([near_NK, fitted_NK]), near_NK, fitted_NK, plain_NK, refitted)


def landmarks(items: int) -> int:
    """How many landmarks so many items get: 600 for few, 1,200 for many, fewer again where memory counts."""
    return LANDMARKS if items <= MANY else max(LANDMARKS, min(MANY_LANDMARKS, BASIS // items))


def _blas(items: int, threads: int) -> int:
    """How many threads BLAS may have: on small matrices two take three to ten times as long as one."""
    return threads if items >= LARGE else 1


def joint(views: Mapping[str, FloatArray]) -> FloatArray:
    """All views side by side, rows of length 1 or less."""
    return np.asarray(np.concatenate(list(views.values()), axis=1) / np.sqrt(len(views)), dtype=np.float32)


def _asked(looks: Looks, target_NK: FloatArray, given_N: IntArray) -> ProbabilityArray:
    """Every ridge and the vote, each tempered, averaged in log space; (N, K)."""
    answers = (*(one.left_out(target_NK) for one in looks.ridges), looks.voters.vote(target_NK))
    sum_NK = np.zeros(target_NK.shape)
    for answer_NK in answers:
        sum_NK += np.log(np.maximum(tempered(answer_NK, given_N), FLOOR))
    return softmax(sum_NK / len(answers))


def softmax(score_NK: NDArray[np.floating]) -> ProbabilityArray:
    """exp(score) / sum, (N, K) float64."""
    away_NK = np.asarray(score_NK, dtype=np.float64) - score_NK.max(axis=1, keepdims=True)
    np.exp(away_NK, out=away_NK)
    away_NK /= away_NK.sum(axis=1, keepdims=True)
    return np.asarray(away_NK)


def tempered(score_NK: FloatArray, given_N: IntArray) -> ProbabilityArray:
    """softmax(score / T), with the one T in [.02, 2] under which the labels given are likeliest."""
    rows = some(len(given_N), TEMPERED)
    some_NK, labels_N = score_NK[rows].astype(np.float64), given_N[rows]
    some_NK -= some_NK.max(axis=1, keepdims=True)
    own_N = some_NK[np.arange(len(rows)), labels_N]

    def unlikely(log_t: float) -> float:
        t = np.exp(log_t)
        return float((np.log(np.exp(some_NK / t).sum(axis=1)) - own_N / t).mean())

    best = minimize_scalar(unlikely, bounds=(np.log(0.02), np.log(2.0)), method="bounded", options={"xatol": 0.02})
    return softmax(score_NK / np.float32(np.exp(best.x)))


def log_mean(parts: Sequence[ProbabilityArray]) -> ProbabilityArray:
    """The average of probabilities in log space, none below FLOOR, normalised again."""
    return softmax(np.mean([np.log(np.maximum(p_NK, FLOOR)) for p_NK in parts], axis=0))
