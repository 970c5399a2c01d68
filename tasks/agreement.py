"""Where do people and the model disagree, class by class, and which of three remedies would help most?

    relabel               look at the queued items of a class: some labels are wrong, and get right
    more data             label further items: the model has not learnt the classes yet (study_curve.py)
    clearer instructions  two classes are taken for one another, both ways: people do not draw the same line

Agreement is the share of items whose out-of-fold class, by a model that has not seen them, is the given one. It is no
accuracy: both may be wrong. What a remedy is expected to bring is counted in items of today on which model and labels
would then agree; remedies overlap, so their figures do not add up.

Pure functions. p_wrong is taken at its word, so an interval here is the chance of the draw, not of the calibration;
where the model agrees with less than TRUSTED of the labels, p_wrong is a guess, and `caution` says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .interval import Share, Z, wilson
from .model import Mistake

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

SURE = 0.6  # a confusion counts as sure from this probability of the other class on
PAIR_LEAST = 3  # sure confusions in each direction, for a pair to be told
PAIR_BALANCE = 0.5  # and the rarer direction at least this share of the commoner, as rates of their classes
PAIRS = 5  # pairs told at most
EXAMPLES = 8  # items named with a remedy
TRUSTED = 0.8  # agreement below which p_wrong is a guess, and so is what it promises

# shapes: N items, K classes; given_N and said_N hold places in the list of classes


@dataclass(frozen=True)
class Audited:
    """What is known of each assessed item."""

    items: tuple[str, ...]
    classes: tuple[str, ...]
    given_N: IntArray
    p_NK: FloatArray  # out of fold; rows sum to 1
    p_wrong_N: FloatArray  # of the audit, [0, 1]
    queued_N: BoolArray  # waits for an answer
    p_said_N: FloatArray | None = None  # of the audit: the label is wrong and the truth is `said`, [0, p_wrong]

    def __post_init__(self) -> None:
        shape = len(self.items), len(self.classes)
        if self.p_NK.shape != shape:
            raise Mistake(f"Probabilities have shape {self.p_NK.shape}. Items and classes need {shape}.")
        if not np.isfinite(self.p_NK).all() or not np.isfinite(self.p_wrong_N).all():
            raise Mistake("Probabilities are not finite. Run: assay run")

    @property
    def said_N(self) -> IntArray:
        """The likeliest class of each item."""
        return np.asarray(self.p_NK.argmax(axis=1))

    @property
    def agreement(self) -> Share:
        """How many items of all the model gives the class that they have."""
        return wilson(int((self.said_N == self.given_N).sum()), len(self.items))

    @property
    def is_trusted(self) -> bool:
        return self.agreement.hits >= TRUSTED * self.agreement.of


@dataclass(frozen=True, slots=True)
class ClassAgreement:
    """One class, seen from the labels and from the model."""

    name: str
    given: Share  # of the items given this class: the model says it, too
    said: Share  # of the items that the model calls this class: they are given it
    noise: float | None  # the audit's estimate of the share of wrong labels
    other: str | None  # the class that the model names most often instead
    there: int  # items given this class and called `other`
    back: int  # items given `other` and called this class


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing to do, and what to expect of it."""

    kind: str  # "relabel", "more data" or "clearer instructions"
    classes: tuple[str, ...]
    gain: float  # expected further items on which model and labels agree
    low: float
    high: float
    cost: int  # items to look at, or to label
    says: str  # one sentence
    examples: tuple[str, ...] = ()  # items, clearest first


def by_class(
    classes: Sequence[str], given_N: IntArray, said_N: IntArray, noise: dict[str, float] | None = None
) -> list[ClassAgreement]:
    """Agreement of every class, both ways, the lowest first; `noise` is class -> estimated share of wrong labels."""
    counts_KK = np.zeros((len(classes), len(classes)), dtype=np.int64)  # given = row, said = column
    np.add.at(counts_KK, (given_N, said_N), 1)
    told = []
    for k, name in enumerate(classes):
        away_K = counts_KK[k].copy()
        away_K[k] = 0
        j = int(away_K.argmax())
        other = j if away_K[j] else None
        told.append(
            ClassAgreement(
                name,
                wilson(int(counts_KK[k, k]), int(counts_KK[k].sum())),
                wilson(int(counts_KK[k, k]), int(counts_KK[:, k].sum())),
                (noise or {}).get(name),
                None if other is None else classes[other],
                0 if other is None else int(counts_KK[k, other]),
                0 if other is None else int(counts_KK[other, k]),
            )
        )
    return sorted(told, key=lambda one: (2.0 if one.given.value is None else one.given.value, one.name))


def relabel(audited: Audited) -> list[Remedy]:
    """For each class with queued items: what answering them is expected to bring.

    A label on which the model disagrees becomes agreement if it is wrong and the truth is what the model says; a wrong
    label on which the model agrees becomes disagreement.
    """
    given_N, said_N = audited.given_N, audited.said_N
    chance_N = _corrected(audited)
    word = "about" if audited.is_trusted else "perhaps"
    remedies = []
    for k, name in enumerate(audited.classes):
        queued = np.flatnonzero(audited.queued_N & (given_N == k))
        if not len(queued):
            continue
        differs = said_N[queued] != k
        mean = np.where(differs, chance_N[queued], -audited.p_wrong_N[queued])
        size = np.abs(mean)
        wrong = float(audited.p_wrong_N[queued].sum())
        gain, low, high = _summed(mean, size)
        order = queued[np.argsort(-audited.p_wrong_N[queued], kind="stable")][:EXAMPLES]
        says = (
            f"Answer the {len(queued):,} queued items given {name}: {word} {wrong:.0f} of their labels are expected to "
            "be wrong."
        )
        remedies.append(
            Remedy("relabel", (name,), gain, low, high, len(queued), says, tuple(audited.items[n] for n in order))
        )
    return remedies


def clearer_instructions(audited: Audited) -> list[Remedy]:
    """The pairs of classes that are taken for one another in both directions, at comparable rates and surely.

    One direction alone is a habit, and a matter of relabelling; both are a line that people draw differently, or a
    difference that the model cannot see: the examples tell which, so the sentence says "likely".
    """
    given_N, said_N = audited.given_N, audited.said_N
    rows = np.arange(len(given_N))
    sure_N = (said_N != given_N) & (audited.p_NK[rows, said_N] >= SURE)
    sizes_K = np.bincount(given_N, minlength=len(audited.classes))
    chance_N = _corrected(audited)
    counts_KK = np.zeros((len(audited.classes), len(audited.classes)), dtype=np.int64)
    np.add.at(counts_KK, (given_N[sure_N], said_N[sure_N]), 1)
    remedies = []
    for a, b in zip(*np.nonzero(np.triu(np.minimum(counts_KK, counts_KK.T) >= PAIR_LEAST, 1)), strict=True):
        rates = counts_KK[a, b] / sizes_K[a], counts_KK[b, a] / sizes_K[b]
        if min(rates) < PAIR_BALANCE * max(rates):
            continue
        first, second = audited.classes[a], audited.classes[b]
        between = np.flatnonzero(((given_N == a) & (said_N == b)) | ((given_N == b) & (said_N == a)))
        gain, low, high = _summed(chance_N[between], chance_N[between])
        surest = between[np.argsort(-audited.p_NK[between, said_N[between]], kind="stable")]
        half = [surest[given_N[surest] == k][: EXAMPLES // 2] for k in (a, b)]
        says = (
            f"Say in the instructions where {first} ends and {second} begins, then look at these {len(between):,} "
            f"again: likely one line drawn in two ways ({counts_KK[a, b]} given {first} are surely {second} to the "
            f"model, {counts_KK[b, a]} the other way)."
        )
        examples = tuple(audited.items[n] for n in np.concatenate(half))
        remedies.append(Remedy("clearer instructions", (first, second), gain, low, high, len(between), says, examples))
    return ranked(remedies)[:PAIRS]


def caution(audited: Audited) -> str | None:
    """What to say before the remedies where the model is too weak to be believed; None where it is not."""
    if audited.is_trusted:
        return None
    share = audited.agreement.hits / audited.agreement.of
    return (
        f"The model agrees with {100 * share:.0f} % of the labels only, and many of the disagreements are its own. "
        "Take what relabelling and clearer instructions bring as a guess until answers are in. A better embedding "
        "comes first."
    )


def ranked(remedies: Sequence[Remedy]) -> list[Remedy]:
    """Those that are expected to bring anything, most first; of equals the cheaper one."""
    return sorted((one for one in remedies if one.gain > 0), key=lambda one: (-one.gain, one.cost, one.classes))


def _corrected(audited: Audited) -> FloatArray:
    """P(the label is wrong and the truth is what the model says), (N,).

    The audit's, else p_wrong * p(said) / (1 - p(given)), which promises too little where the probabilities are flat, as
    those learnt from wrong labels are.
    """
    if audited.p_said_N is not None:
        return audited.p_said_N
    rows = np.arange(len(audited.given_N))
    rest_N = np.maximum(1 - audited.p_NK[rows, audited.given_N], 1e-12)
    return audited.p_wrong_N * np.clip(audited.p_NK[rows, audited.said_N] / rest_N, 0.0, 1.0)


def _summed(mean_n: FloatArray, chance_n: FloatArray) -> tuple[float, float, float]:
    """An expected sum of independent outcomes with the normal interval of its Poisson binomial distribution."""
    total, spread = float(mean_n.sum()), math.sqrt(float((chance_n * (1 - chance_n)).sum()))
    return total, total - Z * spread, total + Z * spread
