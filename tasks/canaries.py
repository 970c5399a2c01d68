"""Would the audit have found a wrong label? It is asked about planted ones, on the user's own data.

A share of the labels that nobody doubts is turned wrong in a shadow copy, in memory, and the audit judges the copy:

    uniform    any other class
    pair       the class that the model takes it for next: what a tired person does
    one class  all of one class, into any other: a rule misread

Recall is told by kind; precision for all kinds together, because a false alarm belongs to none. The copy is never
written anywhere; what stands in files are counts.

Source: planting known errors to estimate the unknown ones ("bebugging", Weinberg 1971; Mills 1972).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .interval import wilson
from .model import CANARIES_FELL

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

KINDS = ("uniform", "pair", "one class")
FEWEST = 50  # assessed labels; with fewer, canaries would be a large part of what the audit learns from

# shapes: M assessed labels, K classes

Judge = Callable[[IntArray], Mapping[str, BoolArray]]  # labels, (M,) -> check -> which of them it flags


@dataclass(frozen=True)
class Tried:
    """How one check did on the canaries."""

    check: str
    planted: Mapping[str, int]  # kind -> labels turned wrong
    found: Mapping[str, int]  # kind -> those of them that were flagged
    alarms: int  # flags on labels that were neither turned nor flagged before

    @property
    def recall(self) -> float:
        return sum(self.found.values()) / max(1, sum(self.planted.values()))

    @property
    def by_kind(self) -> dict[str, float]:
        """Kind -> recall, [0, 1]."""
        return {kind: self.found[kind] / count for kind, count in self.planted.items() if count}

    @property
    def recall_at_most(self) -> float:
        """The upper end of the recall's 95 % interval (Wilson): few canaries prove little."""
        return wilson(sum(self.found.values()), sum(self.planted.values())).high

    @property
    def precision(self) -> float:
        hits = sum(self.found.values())
        return hits / max(1, hits + self.alarms)

    def told(self) -> dict[str, Any]:
        """As noise.json has it."""
        kinds = {kind: {"planted": self.planted[kind], "found": self.found[kind]} for kind in self.planted}
        whole = {"recall": round(self.recall, 6), "precision": round(self.precision, 6)}
        return {"check": self.check, **whole, "kinds": kinds}


def plant(
    given_M: IntArray, next_M: IntArray, doubted_M: BoolArray, classes: int, *, share: float, seed: int
) -> tuple[IntArray, NDArray[np.object_]]:
    """The shadow labels, (M,), and for each the kind of canary that it is ("" for none).

    `next_M`: the likeliest other class of each. Labels in doubt are left alone: turned, they might become right.
    """
    rng = np.random.default_rng(seed)
    shadow_M, kind_M = given_M.copy(), np.full(len(given_M), "", dtype=object)
    each = int(share * len(given_M)) // len(KINDS)
    if len(given_M) < FEWEST or each < 1:
        return shadow_M, kind_M
    calm = rng.permutation(np.flatnonzero(~doubted_M))
    biggest = int(np.bincount(given_M[calm], minlength=classes).argmax())
    of_one = calm[given_M[calm] == biggest][: min(each, np.count_nonzero(given_M == biggest) // 3)]
    rest = np.setdiff1d(calm, of_one, assume_unique=True)
    rest = rng.permutation(rest)
    for kind, rows in zip(KINDS, (rest[:each], rest[each : 2 * each], of_one), strict=True):
        away = rng.integers(1, classes, len(rows))
        shadow_M[rows] = next_M[rows] if kind == "pair" else (given_M[rows] + away) % classes
        kind_M[rows] = kind
    return shadow_M, kind_M


def tried(
    before: Mapping[str, BoolArray], shadow_M: IntArray, kind_M: NDArray[np.object_], judge: Judge
) -> tuple[Tried, ...]:
    """Let `judge` look at the shadow copy, and count; `before`: its flags on the labels as they are."""
    if not (kind_M != "").any():
        return ()
    kinds = [kind for kind in KINDS if (kind_M == kind).any()]
    results = []
    for check, flagged_M in judge(shadow_M).items():
        results.append(
            Tried(
                check,
                {kind: int((kind_M == kind).sum()) for kind in kinds},
                {kind: int(flagged_M[kind_M == kind].sum()) for kind in kinds},
                int((flagged_M & (kind_M == "") & ~before[check]).sum()),
            )
        )
    return tuple(results)


def of_findings(
    items: Sequence[str],
    names: Sequence[str | None],
    likely: Sequence[str | None],
    found: Sequence[Mapping[str, Any]],
    ask: Callable[[Sequence[str | None]], Sequence[Mapping[str, Any]]],
    *,
    checks: Sequence[str],
    share: float,
    seed: int,
) -> tuple[Tried, ...]:
    """Canaries for checks that write findings, rows with `item` and `check`.

    `names`: the class of each of the N items, None where no check can say anything; `likely`: the class that it is
    taken for next; `found`: the findings on the labels as they are; `ask`: those on other names.
    """
    rows_M = np.array([n for n, name in enumerate(names) if name is not None], dtype=np.int64)
    classes = sorted({str(names[n]) for n in rows_M})
    if len(classes) < 2:
        return ()
    column = {name: k for k, name in enumerate(classes)}
    given_M = np.array([column[str(names[n])] for n in rows_M], dtype=np.int64)
    next_M = np.array([column.get(str(likely[n]), -1) for n in rows_M], dtype=np.int64)
    next_M = np.where((next_M < 0) | (next_M == given_M), (given_M + 1) % len(classes), next_M)

    def flags(rows: Sequence[Mapping[str, Any]]) -> dict[str, BoolArray]:
        named = {check: {row["item"] for row in rows if row["check"] == check} for check in checks}
        return {check: np.array([items[n] in named[check] for n in rows_M], dtype=bool) for check in checks}

    def judge(shadow_M: IntArray) -> dict[str, BoolArray]:
        shadow = list(names)
        for m in np.flatnonzero(shadow_M != given_M).tolist():
            shadow[rows_M[m]] = classes[shadow_M[m]]
        return flags(ask(shadow))

    before = flags(found)
    doubted_M: BoolArray = np.logical_or.reduce(list(before.values()))
    shadow_M, kind_M = plant(given_M, next_M, doubted_M, len(classes), share=share, seed=seed)
    return tried(before, shadow_M, kind_M, judge)


def figures(results: Sequence[Tried], check: str) -> dict[str, float]:
    """The figures of the chosen check for the report; nothing where there were no canaries."""
    return {
        name: round(value, 6)
        for one in results
        if one.check == check
        for name, value in (("canary_recall", one.recall), ("canary_precision", one.precision))
    }


def notes(results: Sequence[Tried], check: str, least: float) -> tuple[str, ...]:
    """What a person must know: the audit surely finds less than `least` of what is wrong. Begins with CANARIES_FELL."""
    return tuple(
        f"{CANARIES_FELL} {one.check} found {sum(one.found.values())} of {sum(one.planted.values())} wrong labels that "
        f"were planted in a copy of this data; audit.least_recall asks for {least:.0%}. Do not take the queue for "
        "complete: give a better embedding (embed.model) or your own model's predictions (assay audit --predictions "
        "FILE)."
        for one in results
        if one.check == check and one.recall_at_most < least
    )
