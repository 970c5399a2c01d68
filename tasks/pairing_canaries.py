"""Would the audit find a wrong pair, and what does a wrong pair look like here?

Canaries: in a shadow copy of the pairs some items get another pair's text, half of them any text (shuffled), half the
text of one of the nearest items (hard). The pair that lent its text is left out of the copy, so that no text stands in
it twice, which no real mistake would show. Nothing of the copy is written.

- From a first set of shadow copies comes how much each evidence weighs: a logistic regression, planted against the
  rest, with weights that may not be negative (evidence never counts backwards) on evidence that is bounded, but for the
  margins (one strange punctuation never outweighs a fitting text).
- The same scores give p_wrong: the pairs are a mixture of genuine ones, whose scores are normal (mean and spread
  unknown), of shuffled and of hard ones, whose densities are those of the canaries (shares unknown); EM from two
  starts, the likelier end. Where over a third is wrong the bulk is no longer genuine, and p_wrong is too low.
- A second set, drawn anew, says what share is found: recall by kind, precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from .canaries import Tried
from .outoffold import IntArray
from .store import FloatArray

ScoreArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

KINDS = ("shuffled", "hard")
SHARE = 0.025  # of the pairs become canaries of each kind, at most MOST
MOST = 500
NEAREST = 5  # a hard canary's text is that of one of so many nearest items
PENALTY = 1e-3  # on the squared weights; the loss is a mean
GRID = 512  # points of a density
STARTS = (0.02, 0.2)  # of each kind's share, for EM

# shapes: N pairs, F evidences, R pairs that were asked about, P canaries


@dataclass(frozen=True)
class Planted:
    """A shadow copy: whose text each of the N pairs has, what it is a canary of (0: of nothing), who is in the copy."""

    source_N: IntArray
    kind_N: IntArray  # place in KINDS + 1
    kept_N: IntArray  # places, in order


def plant(x_ND: FloatArray, y_text_N: IntArray, rng: np.random.Generator) -> Planted:
    """A shadow copy of N >= 8 pairs. No pair gets a text that is its own or equal to its own."""
    count = len(x_ND)
    each = int(min(MOST, max(1, round(SHARE * count))))
    order = rng.permutation(count)
    wanted = order[: 2 * each]
    near_PK = _nearest(x_ND, wanted[each:], NEAREST + 2 * each + 20)  # most others may have lent already
    source_N, kind_N = np.arange(count), np.zeros(count, dtype=np.int64)
    free_N = np.ones(count, dtype=bool)
    free_N[wanted] = False
    for place, n in enumerate(wanted.tolist()):
        others = order if place < each else near_PK[place - each]
        able = others[free_N[others] & (y_text_N[others] != y_text_N[n])]
        if not len(able):
            continue  # all the others' texts are its own
        lender = int(rng.choice(able if place < each else able[:NEAREST]))
        source_N[n], kind_N[n] = lender, 1 if place < each else 2
        free_N[lender] = False
    lent = np.zeros(count, dtype=bool)
    lent[source_N[kind_N > 0]] = True
    return Planted(source_N, kind_N, np.flatnonzero(~lent))


def _nearest(x_ND: FloatArray, rows_P: IntArray, most: int) -> IntArray:
    """The places of the `most` nearest items of each row, (P, K), nearest first, itself among them."""
    found = []
    for start in range(0, len(rows_P), 128):
        away_BN = -(x_ND[rows_P[start : start + 128]] @ x_ND.T)
        count = min(most, away_BN.shape[1])
        near_BK = np.argpartition(away_BN, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(away_BN, near_BK, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(near_BK, order, axis=1))
    return np.concatenate(found) if found else np.zeros((0, 0), dtype=np.int64)


def rounds(count: int, least: int = 60, most: int = 20) -> int:
    """How many shadow copies of `count` pairs hold `least` canaries of each kind, at most `most`."""
    return int(min(most, max(1, np.ceil(least / min(MOST, max(1, round(SHARE * count)))))))


@dataclass(frozen=True)
class Weights:
    """How much each evidence says: score = sum of weight * bounded((evidence - usual) / spread), minus `bias`."""

    usual_F: ScoreArray
    spread_F: ScoreArray
    bounded_F: BoolArray
    weight_F: ScoreArray  # >= 0
    bias: float

    def score(self, evidence_RF: ScoreArray) -> ScoreArray:
        """Log odds of a canary against the rest at equal shares, (R,); larger = odder."""
        return np.asarray(self.scaled(evidence_RF) @ self.weight_F + self.bias)

    def scaled(self, evidence_RF: ScoreArray) -> ScoreArray:
        """Evidence in spreads above the usual, (R, F); where bounded, tanh of half of it."""
        z_RF = (evidence_RF - self.usual_F) / self.spread_F
        return np.where(self.bounded_F, np.tanh(z_RF / 2), z_RF)


def learnt(evidence_NF: ScoreArray, planted_RF: ScoreArray, kind_R: IntArray, bounded: Sequence[bool]) -> Weights:
    """Weights from shadow copies, `planted_RF` with the canaries `kind_R` > 0, in units of the real `evidence_NF`."""
    spread_F = evidence_NF.std(axis=0)
    flat = spread_F < 1e-9
    start = Weights(
        np.median(evidence_NF, axis=0),
        np.where(flat, 1.0, spread_F),
        np.array(bounded, dtype=bool),
        np.zeros(evidence_NF.shape[1]),
        0.0,
    )
    z_RF = start.scaled(planted_RF) * ~flat  # what is the same for all pairs says nothing
    wrong_R = kind_R > 0
    sign_R = np.where(wrong_R, 1.0, -1.0)
    share_R = np.where(wrong_R, 0.5 / max(1, wrong_R.sum()), 0.5 / max(1, (~wrong_R).sum()))

    def loss(theta: ScoreArray) -> tuple[float, ScoreArray]:
        agrees_R = sign_R * (z_RF @ theta[:-1] + theta[-1])
        slope_R = -share_R * sign_R / (1 + np.exp(np.clip(agrees_R, -500, 500)))
        value = float((share_R * np.logaddexp(0, -agrees_R)).sum() + PENALTY * (theta[:-1] ** 2).sum() / 2)
        return value, np.append(z_RF.T @ slope_R + PENALTY * theta[:-1], slope_R.sum())

    width = z_RF.shape[1]
    bounds = [(0.0, None)] * width + [(None, None)]
    theta = minimize(loss, np.zeros(width + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    return Weights(start.usual_F, start.spread_F, start.bounded_F, theta[:-1], float(theta[-1]))


def p_wrong(score_N: ScoreArray, canaries: Sequence[ScoreArray]) -> ScoreArray:
    """The probability that each pair is wrong, (N,) in [0, 1], never falling with the score; see the module's head.

    `canaries` are the scores of the canaries, an array a kind.
    """
    if not len(score_N):
        return np.zeros(0)
    every = np.concatenate([score_N, *canaries])
    grid = np.linspace(every.min() - 1, every.max() + 1, GRID)
    f_KN = np.array([np.interp(score_N, grid, density(grid, values)) for values in canaries])
    ends = [_mixture(score_N, f_KN, start) for start in STARTS]
    p_N = max(ends, key=lambda end: end[0])[1]
    order = np.argsort(score_N, kind="stable")
    rising = IsotonicRegression(y_min=0, y_max=1).fit_transform(np.arange(len(p_N)), p_N[order])
    found_N = np.empty(len(p_N))
    found_N[order] = rising
    return found_N


def density(grid: ScoreArray, values: ScoreArray) -> ScoreArray:
    """A Gaussian kernel density on `grid` with Silverman's width."""
    width = 1.06 * max(float(values.std()), 1e-3) * len(values) ** -0.2
    away = (grid[:, None] - values[None]) / width
    return np.asarray(np.exp(-0.5 * away**2).sum(axis=1) / (len(values) * width * np.sqrt(2 * np.pi)))


def _mixture(score_N: ScoreArray, f_KN: ScoreArray, start: float, steps: int = 500) -> tuple[float, ScoreArray]:
    """EM of a normal and K known densities: (log likelihood, probability that each is of one of the known ones)."""
    mean = float(np.median(score_N))
    spread = max(mean - float(np.quantile(score_N, 0.16)), 1e-3)
    share_K = np.full(len(f_KN), start)
    before = -np.inf
    wrong_N = np.zeros(len(score_N))
    for _ in range(steps):
        genuine_N = np.exp(-0.5 * ((score_N - mean) / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
        parts = np.concatenate([share_K[:, None] * f_KN, (1 - share_K.sum()) * genuine_N[None]])
        total_N = np.maximum(parts.sum(axis=0), 1e-300)
        share = parts / total_N
        wrong_N, right_N = share[:-1].sum(axis=0), share[-1]
        # far below the genuine ones' mean nothing is wrong, though a normal density falls faster than any other there
        low = (score_N < mean) & (wrong_N > 0.5)
        wrong_N, right_N = np.where(low, 0.0, wrong_N), np.where(low, 1.0, right_N)
        likelihood = float(np.log(total_N).sum())
        if likelihood - before < 1e-7 * abs(likelihood):
            break
        before = likelihood
        share_K = np.where(low, 0.0, share[:-1]).mean(axis=1)
        weight = max(float(right_N.sum()), 1e-9)
        mean = float((right_N * score_N).sum() / weight)
        spread = max(float(np.sqrt((right_N * (score_N - mean) ** 2).sum() / weight)), 1e-3)
    return before, wrong_N


def found_of(score_R: ScoreArray, kind_R: IntArray) -> dict[str, float]:
    """The share of each kind's canaries among as many of the oddest pairs as there are canaries.

    nan scores are never among the oddest; equal scores share the places that are left.
    """
    wrong_R = kind_R > 0
    depth = int(wrong_R.sum())
    score_R = np.where(np.isfinite(score_R), score_R, -np.inf)
    if not depth:
        return {}
    edge = np.sort(score_R)[-depth]
    above_R, at_R = score_R > edge, score_R == edge
    chance = (depth - above_R.sum()) / max(1, at_R.sum())
    in_R = above_R + at_R * chance
    return {name: float(in_R[kind_R == kind].mean()) for kind, name in enumerate(KINDS, 1) if (kind_R == kind).any()}


def tried(check: str, flagged_R: BoolArray, kind_R: IntArray) -> Tried:
    """Count the flags on the canaries `kind_R` > 0, that nothing was learnt from, and on the others."""
    places = dict(enumerate(KINDS, 1))
    return Tried(
        check,
        {kind: int((kind_R == place).sum()) for place, kind in places.items()},
        {kind: int(flagged_R[kind_R == place].sum()) for place, kind in places.items()},
        int(flagged_R[kind_R == 0].sum()),
    )
