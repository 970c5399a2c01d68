"""How surely is a label wrong, by confident learning alone? The check label_noise_v1, and what all rankings share.

Confident learning (Northcutt et al. 2021) through cleanlab's functions, not its Datalab, which reads label columns row
by row and grows quadratically. Pure functions on probabilities that ranking_inputs.py has checked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from cleanlab.count import compute_confident_joint, estimate_joint
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray

from .interval import ends
from .outoffold import IntArray, ProbabilityArray
from .subset import some

BoolArray = NDArray[np.bool_]

CHECK = "label_noise_v1"
FLAG_RULES = ("p_wrong", "prune_by_noise_rate", "prune_by_class", "both", "confident_learning")
PRIOR = 10  # items

# shapes: N items, K classes


@dataclass(frozen=True)
class Judged:
    """What one check says of each label; arrays in the order of the labels given."""

    check: str
    severity_N: ProbabilityArray  # [0, 1], 1 = surely wrong
    p_wrong_N: ProbabilityArray  # [0, 1]
    suggestion_N: IntArray  # place in the classes of the likeliest other class
    p_suggestion_N: ProbabilityArray  # P(that class is the right one), at most p_wrong
    flagged_N: BoolArray
    noise_rate: float  # the estimated share of wrong labels
    interval: tuple[float, float]  # of the noise rate, 95 %, as far as the model itself can tell
    noise_by_class_K: ProbabilityArray  # among those given as class k; 0 for a class without items


def confident_learning(p_NK: ProbabilityArray, given_N: IntArray, flag_by: str = "p_wrong") -> Judged:
    """The judgement of cleanlab on out-of-fold probabilities, (N, K), each row summing to 1."""
    counts_KK = compute_confident_joint(given_N, p_NK, thresholds=thresholds(p_NK, given_N))
    joint_KK = np.nan_to_num(np.asarray(estimate_joint(given_N, p_NK, confident_joint=counts_KK), dtype=np.float64))
    p_wrong_N = posterior_of_error(p_NK, given_N, joint_KK)
    quality_N = get_label_quality_scores(given_N, p_NK, method="self_confidence")
    if flag_by == "p_wrong":
        flagged_N = p_wrong_N > 0.5
    else:
        flagged_N = np.asarray(
            find_label_issues(given_N, p_NK, confident_joint=counts_KK, filter_by=flag_by, n_jobs=1), dtype=bool
        )
    given_K = joint_KK.sum(axis=1)
    by_class_K = np.where(given_K > 0, 1.0 - np.diag(joint_KK) / np.where(given_K > 0, given_K, 1.0), 0.0)
    rate = float(max(0.0, 1.0 - np.trace(joint_KK)))
    suggestion_N, of_others_N = likeliest_other(p_NK, given_N)
    return Judged(
        CHECK,
        severity(quality_N, p_wrong_N),
        p_wrong_N,
        suggestion_N,
        p_wrong_N * of_others_N,
        flagged_N,
        rate,
        chance(rate, rate, len(given_N)),
        by_class_K,
    )


def likeliest_other(p_NK: ProbabilityArray, given_N: IntArray) -> tuple[IntArray, ProbabilityArray]:
    """The likeliest class but the given one, and its share of what is not the given one's, (N,) each."""
    others_NK = p_NK.copy()
    others_NK[np.arange(len(given_N)), given_N] = -1.0
    best_N = others_NK.argmax(axis=1)
    top_N = others_NK[np.arange(len(given_N)), best_N]
    return best_N, np.clip(top_N / np.maximum(others_NK.sum(axis=1) + 1.0, 1e-12), 0.0, 1.0)


def chance(low: float, high: float, items: int) -> tuple[float, float]:
    """`low` and `high`, shares of `items` things, each widened to its end of Wilson's 95 % interval."""
    return ends(low, items)[0], ends(high, items)[1]


def severity(quality_N: ProbabilityArray, p_wrong_N: ProbabilityArray) -> ProbabilityArray:
    """cleanlab's label quality, (N,) with 1 = clean, and p_wrong as severity, (N,) in [0, 1] with 1 = surely wrong.

    The mean of the log-odds of 1 - quality and of p_wrong. The first ranks best where errors are spread evenly or items
    few, the second where one class is taken for another; the mean is within .01 of the better one everywhere measured.
    """

    def log_odds(p_N: ProbabilityArray) -> ProbabilityArray:
        inside_N = np.clip(p_N, 1e-12, 1 - 1e-12)
        return np.asarray(np.log(inside_N) - np.log1p(-inside_N))

    return np.asarray(1 / (1 + np.exp(-(log_odds(1 - quality_N) + log_odds(p_wrong_N)) / 2)))


def thresholds(p_NK: ProbabilityArray, given_N: IntArray) -> ProbabilityArray:
    """The probability from which an item counts as confidently k, (K,): the mean P(k) of those given k.

    Confident learning's threshold, drawn towards the mean of all classes as if by PRIOR items, and never below chance.
    Plain, it lets a class of two wrong labels (mean .0015) claim every item of which the model is not sure: on 717
    images with 58 flags two more images left 2 flags.
    """
    classes = p_NK.shape[1]
    counts_K = np.bincount(given_N, minlength=classes)
    own_N = p_NK[np.arange(len(given_N)), given_N]
    sums_K = np.bincount(given_N, weights=own_N, minlength=classes)
    return np.asarray(np.maximum((sums_K + PRIOR * own_N.mean()) / (counts_K + PRIOR), 1 / classes))


def posterior_of_error(p_NK: ProbabilityArray, given_N: IntArray, joint_KK: ProbabilityArray) -> ProbabilityArray:
    """P(the given label g is wrong | x), (N,): 1 - q_g T_gg / sum_k q_k T_gk.

    T_gk = P(given g | true k), from cleanlab's joint. A pair of classes seen in no confident error is not impossible:
    the errors are shrunk towards an even spread by K(K-1) / (K(K-1) + number of errors). q is P(true | x): P itself
    was learnt from the given labels, so it is a flatter q; q = P^a / sum, with the one power a for which the mean of
    the result equals the estimated noise rate (so that a sum of p_wrong is an expected number of errors).
    """
    rows_N, classes = np.arange(len(given_N)), joint_KK.shape[0]
    rate = max(0.0, 1.0 - float(np.trace(joint_KK)))
    right_KK = np.diag(np.diag(joint_KK))
    even_KK = np.outer(joint_KK.sum(axis=1), joint_KK.sum(axis=0))
    np.fill_diagonal(even_KK, 0.0)
    even_KK *= rate / max(even_KK.sum(), 1e-12)
    cells = classes * (classes - 1)
    shrink = cells / (cells + rate * len(given_N))
    shrunk_KK = right_KK + (1 - shrink) * (joint_KK - right_KK) + shrink * even_KK
    true_K = shrunk_KK.sum(axis=0)
    t_KK = np.where(true_K > 0, shrunk_KK / np.where(true_K > 0, true_K, 1.0), np.eye(classes))
    log_NK = np.log(np.clip(p_NK, 1e-12, 1.0))

    def error(power: float, chosen_N: IntArray) -> ProbabilityArray:
        log_q = power * log_NK[chosen_N]
        q_NK = np.exp(log_q - log_q.max(axis=1, keepdims=True)) * t_KK[given_N[chosen_N]]
        right_N = q_NK[np.arange(len(chosen_N)), given_N[chosen_N]]
        return np.asarray(1 - right_N / np.maximum(q_NK.sum(axis=1), 1e-300))

    sample = rows_N[some(len(rows_N), 2_000_000 // classes)]  # the power is one number: a sample settles it
    powers = np.geomspace(0.25, 16, 37)
    power = min(powers, key=lambda a: round(abs(float(error(float(a), sample).mean()) - rate), 9))
    return np.clip(error(float(power), rows_N), 0.0, 1.0)
