"""How surely is a label wrong, given what a model that has not seen it says?

Pure functions on probabilities: the guard at the border, the posterior of an error, and severity as all checks have it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .model import Mistake
from .outoffold import IntArray, ProbabilityArray

PRIOR = 10  # items

# shapes: N items, K classes


def checked(
    labels: Sequence[str], probabilities: ProbabilityArray, folds: IntArray | None, classes: tuple[str, ...]
) -> ProbabilityArray:
    """The border guard: cleanlab takes NaN for "no issues" and a swapped column for a discovery, both in silence."""
    p_NK = np.asarray(probabilities, dtype=np.float64)
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise Mistake(f"Classes are {', '.join(classes) or 'none'}. Two or more different names are needed.")
    if p_NK.shape != (len(labels), len(classes)):
        raise Mistake(
            f"Probabilities have shape {p_NK.shape}. {len(labels)} labels and {len(classes)} classes need "
            f"({len(labels)}, {len(classes)})."
        )
    if unknown := sorted(set(labels) - set(classes)):
        raise Mistake(f"Label '{unknown[0]}' has no column. Columns are: {', '.join(classes)}.")
    for n in np.flatnonzero(~np.isfinite(p_NK).all(axis=1)):
        raise Mistake(f"Probabilities of row {n} are not finite. Leave the row out, or predict it again.")
    for n in np.flatnonzero((p_NK < 0).any(axis=1) | (np.abs(p_NK.sum(axis=1) - 1) > 1e-3)):
        raise Mistake(
            f"Probabilities of row {n} sum to {p_NK[n].sum():.4f}. Numbers from 0 to 1 that sum to 1 are needed."
        )
    if folds is None or len(folds) != len(labels) or len(np.unique(folds)) < 2 or np.min(folds) < 0:
        raise Mistake(
            "Probabilities come without the fold in which each item was held out. In-sample ones agree with wrong "
            "labels and are refused; give two or more fold ids, from 0 on. See tasks.audit.out_of_fold."
        )
    return np.asarray(p_NK / p_NK.sum(axis=1, keepdims=True))


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

    sample = rows_N[:: max(1, len(rows_N) * classes // 2_000_000)]  # the power is one number: a sample settles it
    powers = np.geomspace(0.25, 16, 37)
    power = min(powers, key=lambda a: round(abs(float(error(float(a), sample).mean()) - rate), 9))
    return np.clip(error(float(power), rows_N), 0.0, 1.0)
