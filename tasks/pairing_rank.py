"""How odd is each pair, and how sure is that?

Pure functions from vectors and texts to scores: the evidence of margins and characters, weighed by what tells the pairs
of a shadow copy that were made wrong on purpose from the rest (pairing_canaries.py), beside every other method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import pairing_baselines, pairing_canaries, pairing_texts
from .canaries import Tried
from .outoffold import IntArray
from .pairing_canaries import Weights
from .pairing_margin import Sides, competitors, margins

ScoreArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

CHECK = "pair_mismatch_v1"
OTHERS = 4_000  # pairs of a shadow copy that are no canaries and are asked about all the same
MARGINS = ("forward_x_to_y", "forward_y_to_x", "backward_x_to_y", "backward_y_to_x")
CHARACTERS = ("length", "numbers", "punctuation", "shared", "compression")  # evidence beside the margins

# shapes: N pairs, R rows asked about, M competitors, F evidences


@dataclass(frozen=True)
class PairParams:
    """`audit.pairs` in params.yaml."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    ridge: float = 3.0  # > 0; the penalty of both regressions, on vectors of length 1
    candidates: int = 10_000  # pairs, >= 100; with more, a seeded sample of so many competes
    baseline_items: int = 5_000  # pairs, >= 100; the concatenation baselines look at a seeded sample of so many

    def __post_init__(self) -> None:
        if self.ridge <= 0:
            raise ValueError("ridge: above 0 is allowed")
        if min(self.candidates, self.baseline_items) < 100:
            raise ValueError("candidates and baseline_items of 100 or more is allowed")


@dataclass(frozen=True)
class Pairs:
    """The pairs that can be assessed: both sides' vectors, and their texts (X without text: None)."""

    sides: Sides
    x_texts: Sequence[str] | None
    y_texts: Sequence[str]

    def changed(self, source_N: IntArray, kept_N: IntArray) -> Pairs:
        """The pairs `kept_N`, the text of pair n being that of pair source_N[n]."""
        texts = None if self.x_texts is None else [self.x_texts[n] for n in kept_N]
        return Pairs(self.sides.changed(source_N, kept_N), texts, [self.y_texts[n] for n in source_N[kept_N]])


@dataclass(frozen=True)
class Look:
    """What all evidence says of R pairs; `methods` are the columns of model.METHODS that need no learning."""

    evidence_RF: ScoreArray
    methods: Mapping[str, ScoreArray]


def looked(
    pairs: Pairs, rows_R: IntArray, params: PairParams, seed: int, usual: Mapping[str, float] | None, *, baselines: bool
) -> tuple[Look, dict[str, float]]:
    """The evidence on the pairs `rows_R`, and what is usual of each statistic (`usual`, or else these rows' own)."""
    among_M = competitors(len(pairs.y_texts), params.candidates, seed)
    told = margins(pairs.sides, rows_R, among_M, params.ridge)
    found: dict[str, ScoreArray] = {"residual": told.residual_R, "csls_margin": told.csls_R}
    columns = [told.forward_R2, told.backward_R2]
    usual = dict(usual or {})
    if pairs.x_texts is not None:
        said = pairing_texts.statistics([pairs.x_texts[n] for n in rows_R], [pairs.y_texts[n] for n in rows_R])
        usual = usual or pairing_texts.medians(said)
        odd = pairing_texts.oddness(said, usual)
        found |= odd
        columns += [odd[name][:, None] for name in CHARACTERS]
    if baselines:
        found["neighbours"] = pairing_baselines.neighbours(pairs.sides, rows_R, among_M)
        found |= pairing_baselines.concatenated(pairs.sides, rows_R, most=params.baseline_items, seed=seed)
    return Look(np.concatenate(columns, axis=1), found), usual


@dataclass(frozen=True)
class Shadow:
    """What was seen of canaries and others, from one or more shadow copies."""

    evidence_RF: ScoreArray
    methods: Mapping[str, ScoreArray]
    kind_R: IntArray  # 0: no canary


def shadow(
    pairs: Pairs,
    params: PairParams,
    seed: tuple[int, int],
    usual: Mapping[str, float],
    left_out_N: BoolArray,
    *,
    baselines: bool,
) -> Shadow:
    """Plant canaries and look; `left_out_N` are places of the real pairs that are not to be counted with the others."""
    count = len(pairs.y_texts)
    rng = np.random.default_rng(seed)
    looks, kinds = [], []
    for _ in range(pairing_canaries.rounds(count)):
        planted = pairing_canaries.plant(pairs.sides.x_ND, pairs.sides.y_text_N, rng)
        kind_M = planted.kind_N[planted.kept_N]
        others = np.flatnonzero((kind_M == 0) & ~left_out_N[planted.kept_N])
        if len(others) > OTHERS:
            others = rng.choice(others, OTHERS, replace=False)
        rows_R = np.sort(np.concatenate([np.flatnonzero(kind_M), others]))
        copy = pairs.changed(planted.source_N, planted.kept_N)
        looks.append(looked(copy, rows_R, params, seed[0], usual, baselines=baselines)[0])
        kinds.append(kind_M[rows_R])
    names = looks[0].methods
    return Shadow(
        np.concatenate([look.evidence_RF for look in looks]),
        {name: np.concatenate([look.methods[name] for look in looks]) for name in names},
        np.concatenate(kinds),
    )


@dataclass(frozen=True)
class Ranked:
    """What is thought of N pairs, and how well that thinking finds canaries."""

    score_N: ScoreArray  # log odds of a canary at equal shares, larger = odder
    p_wrong_N: ScoreArray  # [0, 1]
    methods: Mapping[str, ScoreArray]  # column of model.METHODS -> (N,), larger = odder
    weights: Mapping[str, float]  # evidence -> how much it says
    tried: Tried
    found_by_method: Mapping[str, Mapping[str, float]]  # method -> kind of canary -> share found at the depth planted
    above_chance: float  # standard errors of the shuffled canaries' mean rank


def ranked(pairs: Pairs, params: PairParams, seed: int) -> Ranked:
    """Look at all pairs, learn from one set of shadow copies, and be tried on another.

    Pairs that the audit flags anyway do not count in the trial, since they may well be wrong.
    """
    everyone = np.arange(len(pairs.y_texts))
    look, usual = looked(pairs, everyone, params, seed, None, baselines=True)
    nobody = np.zeros(len(everyone), dtype=bool)
    lesson = shadow(pairs, params, (seed, 0), usual, nobody, baselines=False)
    bounded = [n >= len(MARGINS) for n in range(look.evidence_RF.shape[1])]
    weights = pairing_canaries.learnt(look.evidence_RF, lesson.evidence_RF, lesson.kind_R, bounded)
    score_N = weights.score(look.evidence_RF)
    learnt_R = weights.score(lesson.evidence_RF)
    p_N = pairing_canaries.p_wrong(score_N, [learnt_R[lesson.kind_R == kind] for kind in (1, 2)])

    test = shadow(pairs, params, (seed, 1), usual, p_N > 0.5, baselines=True)
    score_R = weights.score(test.evidence_RF)
    flagged_R = pairing_canaries.p_wrong(score_R, [learnt_R[lesson.kind_R == kind] for kind in (1, 2)]) > 0.5
    by_method = {
        name: {kind: round(share, 4) for kind, share in pairing_canaries.found_of(value_R, test.kind_R).items()}
        for name, value_R in {"pair_mismatch": score_R, **test.methods}.items()
    }
    return Ranked(
        score_N,
        p_N,
        {"pair_mismatch": score_N, **look.methods},
        _named(weights),
        pairing_canaries.tried(CHECK, flagged_R, test.kind_R),
        by_method,
        round(_above(score_R, test.kind_R), 4),
    )


def _named(weights: Weights) -> dict[str, float]:
    """Evidence -> its weight; the characters only where both sides are texts."""
    return {
        name: round(float(weight), 4)
        for name, weight in zip((*MARGINS, *CHARACTERS)[: len(weights.weight_F)], weights.weight_F, strict=True)
    }


def _above(score_R: ScoreArray, kind_R: IntArray) -> float:
    """How many standard errors the mean rank of the shuffled canaries lies above chance (Mann and Whitney)."""
    one, other = score_R[kind_R == 1], score_R[kind_R == 0]
    if not len(one) or not len(other):
        return 0.0
    ordered = np.sort(other)
    below = (np.searchsorted(ordered, one, "left") + np.searchsorted(ordered, one, "right")) / 2
    area = float(below.mean() / len(other))
    error = np.sqrt((len(one) + len(other) + 1) / (12 * len(one) * len(other)))
    return (area - 0.5) / float(error)
