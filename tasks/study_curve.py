"""Would more data help, and which class would gain?

A ridge regression onto the classes is fitted on the embeddings with a quarter, a half and all of the training items of
each class, and asked about the fold that it has not seen. Its disagreements D with the labels are fitted by
D(n) = a + b / n; twice as many items then bring b / 2 n, half of what the last doubling brought. Further than that
nothing is foretold.

The interval is one for a single further training, from the spread of D over random halves: models of equal size differ
in which class they favour, and a class that seems to learn may only be the favoured one. So most classes of a balanced
set get no promise of their own, and a rare one may (measured in docs/decisions.md).

Pure functions. The ridge is a cheap stand-in for the audit's model: good for signs and sizes, not for decimals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .agreement import Remedy

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEAST = 40  # items of a class: a quarter of its training items are then eight
WIDTH = 128  # leading directions of the embedding
SHARES = (0.25, 0.5, 1.0)
REPEATS = 6  # random quarters, and random halves
T = 2.57  # Student's t for 95 % with REPEATS - 1 degrees of freedom
RIDGES = (0.001, 0.01, 0.1, 1.0)  # of the mean eigenvalue; the best for each training set
LEAST_GAIN = 1.0  # items; less is not worth a remedy

# shapes: N items, D embedding and a 1, K classes, S sizes (quarter, half, all), R repeats


@dataclass(frozen=True, slots=True)
class Curve:
    """How the disagreements of some items fall with the size of the training set."""

    name: str | None  # a class; None: all items
    items: int
    disagree: tuple[float, ...]  # items, at a quarter, a half and all of the training items; mean over the repeats
    gain: float  # expected further agreements on today's items, with twice as many of every class
    low: float
    high: float


def curves(
    x_ND: NDArray[np.float32],
    given_N: IntArray,
    folds_N: IntArray,
    classes: Sequence[str],
    *,
    model_N: IntArray | None = None,
    p_wrong_N: FloatArray | None = None,
    seed: int = 0,
) -> tuple[list[Curve], dict[str, str]]:
    """The curve of all items, then those of the classes, and class -> why there is none.

    `x_ND` has its leading directions first (vectors.centred does). Where the audit's model is the better one, its
    classes `model_N` disagree less than the ridge's, and a gain shrinks in that proportion. No gain is more than the
    disagreements that are not expected to be wrong labels: further data mend none of those.
    """
    x = np.hstack([x_ND[:, :WIDTH].astype(np.float64), np.ones((len(x_ND), 1))])
    rng = np.random.default_rng(seed)
    away_SRN = [
        np.stack([_away(x, given_N, folds_N, len(classes), share, rng) for _ in range(REPEATS if share < 1 else 1)])
        for share in SHARES
    ]
    better_N = away_SRN[-1][0] if model_N is None else model_N != given_N
    wrong_N = np.zeros(len(x)) if p_wrong_N is None else p_wrong_N
    found, none = [], {}
    for k, name in [(-1, None), *enumerate(classes)]:
        own_N = np.ones(len(x), dtype=bool) if name is None else given_N == k
        if own_N.sum() < LEAST:
            none[name or "all classes"] = f"not assessable: {own_N.sum()} examples"
        elif not better_N[own_N].any():
            none[name or "all classes"] = "no disagreement"
        else:
            away_SR = [away_RN[:, own_N].sum(axis=1) for away_RN in away_SRN]
            times = min(1.0, float(better_N[own_N].sum()) / max(float(away_SR[-1][0]), 1.0))
            room = float((1 - wrong_N)[own_N & better_N].sum())
            figures = [min(times * figure, room) for figure in _doubling(away_SR)]
            means = tuple(float(away_R.mean()) for away_R in away_SR)
            found.append(Curve(name, int(own_N.sum()), means, *figures))
    return found, none


def more_data(found: Sequence[Curve]) -> tuple[list[Remedy], dict[str, str]]:
    """A remedy for the whole and for each class whose curve still falls surely, and class -> why not for the others."""
    remedies, flat = [], {}
    for curve in found:
        if curve.low <= 0 or curve.gain < LEAST_GAIN:
            flat[curve.name or "all classes"] = (
                "no gain can be claimed: its interval crosses 0"
                if curve.low <= 0
                else "twice as many would bring less than one item"
            )
            continue
        says = (
            f"Label as many items again, {curve.items:,} of all classes."
            if curve.name is None
            else f"Label as many items of {curve.name} again, {curve.items:,}, while the other classes grow alike."
        )
        says += f" With half as many, a small model disagrees with {curve.disagree[1] - curve.disagree[2]:.0f} more."
        name = curve.name or "all classes"
        remedies.append(Remedy("more data", (name,), curve.gain, curve.low, curve.high, curve.items, says))
    return remedies, flat


def _away(
    x: FloatArray, given_N: IntArray, folds_N: IntArray, classes: int, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Whether a ridge disagrees with each item's label, (N,), fitted on a random share of the other folds' items."""
    away = np.zeros((len(RIDGES), len(x)), dtype=bool)
    onehot = np.eye(classes)
    for fold in np.unique(folds_N):
        held, taught = folds_N == fold, np.flatnonzero(folds_N != fold)
        if share < 1:
            taught = np.concatenate([_some(taught[given_N[taught] == k], share, rng) for k in range(classes)])
        gram, right = x[taught].T @ x[taught], x[taught].T @ onehot[given_N[taught]]
        for n, ridge in enumerate(RIDGES):
            weights = np.linalg.solve(gram + ridge * np.trace(gram) / len(gram) * np.eye(len(gram)), right)
            away[n, held] = (x[held] @ weights).argmax(axis=1) != given_N[held]
    return np.asarray(away[int(away.sum(axis=1).argmin())])


def _some(rows: IntArray, share: float, rng: np.random.Generator) -> IntArray:
    return rng.choice(rows, size=max(1, round(share * len(rows))), replace=False) if len(rows) else rows


def _doubling(away_SR: Sequence[FloatArray]) -> tuple[float, float, float]:
    """Expected further agreements with twice as many items, and the interval for one further training."""
    times_S = np.array([1 / share for share in SHARES])  # n / size, so that D = a + (b / n) times
    slope_S = (times_S - times_S.mean()) / ((times_S - times_S.mean()) ** 2).sum()  # of a least squares line
    gain = float(slope_S @ [away_R.mean() for away_R in away_SR]) / 2
    one = float(away_SR[1].var(ddof=1))  # of one training; there is a single one with all items
    fitted = sum(
        slope**2 * (float(away_R.var(ddof=1)) / len(away_R) if len(away_R) > 1 else one)
        for slope, away_R in zip(slope_S, away_SR, strict=True)
    )
    spread = math.sqrt(one + fitted / 4)
    return gain, gain - T * spread, gain + T * spread
