"""Did the model get better, or only the test that it is measured by?

Cleaning a dataset cleans its test split too, so the error falls even where no model has learnt anything. Both models
are therefore scored on both tests, four cells e[model, test], and the whole step from e[A, A] to e[B, B] is divided:

    whole     = e[A, A] - e[B, B]        what two papers would print
    yardstick = e[A, A] - e[A, B]        the same model, another test
    model     = e[A, B] - e[B, B]        another model, the same (the newer) test

whole = yardstick + model exactly: the yardstick is changed first, then the model. The other order, e[A, A] - e[B, A]
for the model, is reported beside it; the two agree unless the models differ on just the labels that changed. The
yardstick's part is divided again, into labels that changed and items that only one of the tests has.

A published example: 10.42 % -> 8.49 % error, 1.93 points, of which 1.58 are the test's and .35 the model's.

Pure functions. Errors and gains are shares in [0, 1]; a gain above 0 is an error that fell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .model import Mistake

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

# shapes: M models (A, B), T tests (A, A's part in both, B's part in both, B), S seeds, U items of either test, R draws

LEVEL = 0.95  # of every interval
LEAST_SEEDS = 3  # with two, simulated 95 % intervals held the truth 90 times in 100
LEAST_ITEMS = 20  # in each test
LEAST_DIFFERENT = 6  # items: with five, all in one direction, a coin does as well once in sixteen times
CHUNK = 8_000_000  # item draws in memory at once

A, A_BOTH, B_BOTH, B = range(4)  # places on the axis of the tests
CELLS = {"a on a": (0, A), "a on b": (0, B), "b on a": (1, A), "b on b": (1, B)}
STRATA = ("kept", "relabelled", "only_a", "only_b")


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with its bootstrap interval."""

    value: float
    low: float
    high: float

    @property
    def is_gain(self) -> bool:
        return self.low > 0

    @property
    def is_loss(self) -> bool:
        return self.high < 0


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the test items, and the error of each model on it, mean over the seeds."""

    items: int
    error_a: float | None  # of model A; None without items
    error_b: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the four cells say."""

    cells: Mapping[str, Measured]  # "a on b" -> error of model A on B's test
    by_seed: Mapping[str, tuple[float, ...]]  # the same, a figure a seed
    gains: Mapping[str, Measured | None]  # whole, model, yardstick, relabelled, membership, model_on_a, yardstick_on_b
    strata: Mapping[str, Mapping[str, Stratum]]  # test "a" or "b" -> "kept", ... -> its items
    different: float  # items of B's test on which one model is right and the other wrong, mean over the seeds

    @property
    def claim(self) -> str:
        """What may be said of the model: "gain", "loss" or "none"."""
        model = self.gains["model"]
        if model is None or self.different < LEAST_DIFFERENT:
            return "none"
        return "gain" if model.is_gain else "loss" if model.is_loss else "none"


def pooled(parts: Iterable[tuple[float, int]]) -> float:
    """The error of a whole from (error, items) of its parts.

    >>> round(pooled([(0.08841, 1467), (0.61778, 45)]), 5)
    0.10417
    """
    rates = [(error, items) for error, items in parts if items]
    total = sum(items for _, items in rates)
    if not total:
        raise Mistake("A pooled error of 0 items was asked for. At least one part must have items.")
    return sum(error * items for error, items in rates) / total


def compare(
    wrong_MTSU: BoolArray,
    member_TU: BoolArray,
    relabelled_U: BoolArray,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Cells, gains and their intervals from the errors of two models on two tests.

    `wrong_MTSU` (2, 2, S, U): model x test, A before B; what lies outside `member_TU` (2, U) does not count.
    `relabelled_U`: the items of both tests whose label differs between them. Raises Mistake for fewer than
    LEAST_SEEDS seeds and for a test of fewer than LEAST_ITEMS items.

    Intervals: percentile bootstrap over items and seeds; each draw takes the same items and the same seeds for both
    models and both tests (crossed, as Owen 2007 does it). Of S seeds S - 1 are drawn, so that the few seeds vary in a
    draw as the mean of S does (Rao and Wu 1988). What chance there was in the training data is not in it.
    """
    if wrong_MTSU.shape[2] < LEAST_SEEDS:
        raise Mistake(f"Seeds are {wrong_MTSU.shape[2]}. {LEAST_SEEDS} or more are needed to know their spread.")
    for name, member_U in zip("AB", member_TU, strict=True):
        if member_U.sum() < LEAST_ITEMS:
            raise Mistake(
                f"Test of {name} has {int(member_U.sum())} items. {LEAST_ITEMS} or more are needed. Name another "
                "--split, or hold out a larger share with --hold-out."
            )
    both_U = member_TU[0] & member_TU[1]
    inside_TU = np.stack([member_TU[0], both_U, both_U, member_TU[1]])
    errors_MTSU = wrong_MTSU[:, [0, 0, 1, 1]] & inside_TU[None, :, None, :]
    seeds, items = errors_MTSU.shape[2:]
    even = np.ones((1, items)), np.full((1, seeds), 1 / seeds)
    point = _error(errors_MTSU, inside_TU, *even)
    drawn = _draw(errors_MTSU, inside_TU, draws, np.random.default_rng(seed))
    gains, drawn_gains = _gains(point), _gains(drawn)
    return Comparison(
        cells={name: _measured(point[0][at], drawn[:, *at]) for name, at in CELLS.items()},
        by_seed={
            name: tuple((errors_MTSU[at].sum(axis=1) / inside_TU[at[1]].sum()).tolist()) for name, at in CELLS.items()
        },
        gains={
            name: _measured(value[0], drawn_gains[name]) if np.isfinite(value[0]) else None
            for name, value in gains.items()
        },
        strata={test: _strata(wrong_MTSU[:, t], member_TU, relabelled_U, own=t) for t, test in enumerate(("a", "b"))},
        different=float((errors_MTSU[0, B] != errors_MTSU[1, B]).sum(axis=1).mean()),
    )


def _draw(errors_MTSU: BoolArray, inside_TU: BoolArray, draws: int, rng: np.random.Generator) -> FloatArray:
    seeds, items = errors_MTSU.shape[2:]
    drawn = []
    for start in range(0, draws, step := max(1, CHUNK // items)):
        some = min(step, draws - start)
        times_RU = np.stack([np.bincount(rng.integers(items, size=items), minlength=items) for _ in range(some)])
        times_RS = np.stack([np.bincount(rng.integers(seeds, size=seeds - 1), minlength=seeds) for _ in range(some)])
        drawn.append(_error(errors_MTSU, inside_TU, times_RU.astype(np.float64), times_RS / (seeds - 1)))
    return np.concatenate(drawn)


def _error(errors_MTSU: BoolArray, inside_TU: BoolArray, times_RU: FloatArray, share_RS: FloatArray) -> FloatArray:
    """Error of each model on each test where item u counts `times` and seed s has that share: (R, M, T)."""
    count_RMTS = np.einsum("ru,mtsu->rmts", times_RU, errors_MTSU.astype(np.float64), optimize=True)
    of_RT = times_RU @ inside_TU.T.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):  # a test that a draw has missed, or no item in both
        return np.asarray(np.einsum("rmts,rs->rmt", count_RMTS, share_RS) / of_RT[:, None, :])


def _gains(error_RMT: FloatArray) -> dict[str, FloatArray]:
    a, b = error_RMT[:, 0], error_RMT[:, 1]
    yardstick, relabelled = a[:, A] - a[:, B], a[:, A_BOTH] - a[:, B_BOTH]
    return {
        "whole": a[:, A] - b[:, B],
        "model": a[:, B] - b[:, B],
        "yardstick": yardstick,
        "relabelled": relabelled,
        "membership": yardstick - relabelled,
        "model_on_a": a[:, A] - b[:, A],
        "yardstick_on_b": b[:, A] - b[:, B],
    }


def _measured(value: float, drawn_R: FloatArray) -> Measured:
    low, high = np.nanquantile(drawn_R, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Measured(float(value), float(low), float(high))


def _strata(wrong_MSU: BoolArray, member_TU: BoolArray, relabelled_U: BoolArray, *, own: int) -> dict[str, Stratum]:
    """One test, by what became of its items in the other one."""
    both_U = member_TU[0] & member_TU[1]
    parts = {"kept": both_U & ~relabelled_U, "relabelled": both_U & relabelled_U}
    parts |= {("only_a", "only_b")[own]: member_TU[own] & ~both_U}

    def error(model: int, part_U: BoolArray) -> float | None:
        return float(wrong_MSU[model][:, part_U].mean()) if part_U.any() else None

    return {name: Stratum(int(part_U.sum()), error(0, part_U), error(1, part_U)) for name, part_U in parts.items()}


def points(value: float, *, signed: bool = False) -> str:
    """A share as points: 0.0035 -> 0.35, and no minus before a nought."""
    text = f"{100 * value:{'+' if signed else ''}.2f}"
    return text.lstrip("-+") if float(text) == 0 else text


def sentences(found: Comparison, a: str, b: str) -> list[str]:
    """What may be said of it, most important first; `a` and `b` are the names of the revisions.

    No gain is claimed where its interval crosses 0, or where the models differ on too few items to tell.
    """
    model, whole, yardstick = found.gains["model"], found.gains["whole"], found.gains["yardstick"]
    assert model is not None and whole is not None and yardstick is not None  # compare() refuses an empty test
    between = f"{LEVEL:.0%} interval {points(model.low)} to {points(model.high)}".replace("%", " %")
    if found.claim == "gain":
        told = [f"The model trained on {b} is better by {points(model.value)} points ({between}) on the test of {b}."]
    elif found.claim == "loss":
        told = [f"The model trained on {b} is worse by {points(-model.value)} points ({between}) on the test of {b}."]
    else:
        told = [
            f"No gain can be claimed: on the test of {b} the model trained on {b} makes {points(abs(model.value))} "
            f"points {'fewer' if model.value >= 0 else 'more'} errors ({between})."
        ]
        if model.is_gain or model.is_loss:
            told.append(
                f"The two models differ on {found.different:.1f} test items, too few to tell: "
                f"{LEAST_DIFFERENT} or more are needed."
            )
    printed = [points(found.cells[name].value) for name in ("a on a", "b on b")]
    told.append(
        f"Printed side by side, {printed[0]} % and {printed[1]} % error are {points(whole.value)} points apart: "
        f"{points(yardstick.value)} are the test's, {points(model.value)} the model's."
    )
    return told
