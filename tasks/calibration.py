"""What do people's answers say about the probabilities that the audit gave?

Two posteriors, each computed on a grid and returned as draws, so that every figure comes with an interval:

    recalibrated   logit q = c + shift + slope * (logit p - c), c the mean logit of the answered; prior: q is p
    totals         the wrong labels of all items that a stratified sample was drawn from: the rate of each stratum is
                   Beta(s q, s (1 - q)) with q on such a line of its mean p_wrong and s unknown, so that the strata
                   lend each other what they have in common, and nothing where they differ

Pure. Source: Platt 1999; the beta-binomial model of small-area estimation. The priors were chosen on simulated audits,
useless p_wrong included; benchmarks/calibration.py says what they cover.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

DRAWS = 4000
TAILS = (0.015, 0.985)  # of a stratified total: 95 % of the posterior covered less where errors are rare
EDGE = 1e-3  # probabilities nearer to 0 or 1 say no more than this

# shapes: N items, M items asked about, H strata, S draws; on the grids A levels, B slopes, C strengths


def logit(p: FloatArray) -> FloatArray:
    """Log-odds, of p within [EDGE, 1 - EDGE]."""
    inside = np.clip(p, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def expit(x: FloatArray) -> FloatArray:
    """The probability of log-odds."""
    return np.asarray(1 / (1 + np.exp(-x)))


def _drawn(log_posterior: FloatArray, draws: int, rng: np.random.Generator) -> tuple[IntArray, ...]:
    """Cells of a grid by their posterior: an index array, (S,), a dimension."""
    weight = np.exp(log_posterior - log_posterior.max()).ravel()
    cells = rng.choice(weight.size, draws, p=weight / weight.sum())
    return tuple(np.asarray(axis, dtype=np.int64) for axis in np.unravel_index(cells, log_posterior.shape))


CHUNK = 2_000  # answers at a time
SHIFT_A = np.linspace(-6, 6, 49)
SLOPE_B = np.linspace(0, 2, 21)


def recalibrated(
    p_N: FloatArray, wrong_N: IntArray, *, draws: int = DRAWS, seed: int = 0
) -> Callable[[FloatArray], FloatArray]:
    """From probabilities and whether each was wrong (1) or right (0): p, (M,) -> draws of the chance, (S, M).

    Prior: shift ~ N(0, 1.5), slope ~ N(1, .5) from 0 on, so that with few answers q stays near p.
    """
    rng = np.random.default_rng(seed)
    x_N = logit(p_N)
    centre = float(x_N.mean()) if len(x_N) else 0.0
    likelihood_AB = np.zeros((len(SHIFT_A), len(SLOPE_B)))
    for start in range(0, len(x_N), CHUNK):
        away_N, found_N = x_N[start : start + CHUNK] - centre, wrong_N[start : start + CHUNK]
        line_ABN = centre + SHIFT_A[:, None, None] + SLOPE_B[None, :, None] * away_N
        likelihood_AB -= np.logaddexp(0, np.where(found_N == 1, -line_ABN, line_ABN)).sum(axis=-1)
    prior_AB = -0.5 * (SHIFT_A[:, None] / 1.5) ** 2 - 0.5 * ((SLOPE_B[None, :] - 1) / 0.5) ** 2
    a_S, b_S = _drawn(likelihood_AB + prior_AB, draws, rng)

    def chance(p_M: FloatArray) -> FloatArray:
        return expit(centre + SHIFT_A[a_S][:, None] + SLOPE_B[b_S][:, None] * (logit(p_M) - centre))

    return chance


LEVEL_A = logit(np.geomspace(3e-4, 0.9, 36))
LINE_B = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5])
STRENGTH_C = np.array([1.0, 3.0, 10.0, 30.0])
USELESS = 4.0  # how much likelier than any other slope it is, beforehand, that p_wrong says nothing at all


def totals(
    items_H: IntArray,
    asked_H: IntArray,
    wrong_H: IntArray,
    p_H: FloatArray,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> IntArray:
    """Draws, (S,), of how many of all items are wrong, when `wrong_H` of `asked_H` of each stratum's `items_H` were.

    `p_H`: the mean p_wrong of each stratum; `asked_H` may be 0.
    """
    rng = np.random.default_rng(seed)
    x_H = logit(p_H)
    away_H = x_H - np.average(x_H, weights=items_H)
    level_A = LEVEL_A[:, None, None, None]
    q = np.clip(expit(level_A + LINE_B[None, :, None, None] * away_H), 1e-6, 1 - 1e-6)  # (A, B, 1, H)
    alpha, beta = STRENGTH_C[:, None] * q, STRENGTH_C[:, None] * (1 - q)  # (A, B, C, H)
    likelihood = (betaln(alpha + wrong_H, beta + asked_H - wrong_H) - betaln(alpha, beta)).sum(axis=-1)
    at = expit(LEVEL_A)
    prior = 0.5 * (np.log(at) + np.log1p(-at))[:, None, None] + np.log(np.where(LINE_B == 0, USELESS, 1))[:, None]
    a_S, b_S, c_S = _drawn(likelihood + prior, draws, rng)
    chosen_SH = alpha[a_S, b_S, c_S] + wrong_H, beta[a_S, b_S, c_S] + asked_H - wrong_H
    rate_SH = rng.beta(*chosen_SH)
    return np.asarray((wrong_H + rng.binomial(items_H - asked_H, rate_SH)).sum(axis=1), dtype=np.int64)
