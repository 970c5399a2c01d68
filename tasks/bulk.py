"""What would a change of many labels at once do, and may it be done?

The damage meter of `assay apply`: for each flagged item that nobody has answered the expected outcome is added up,

    relabel to the suggestion   wrong -> right  P(the suggestion is right)
                                right -> wrong  1 - p_wrong
                                wrong -> other wrong  the rest
    remove                      a wrong label goes  p_wrong;  a right one is lost  1 - p_wrong

and what costs as many labels as it mends, or more, is refused. p_wrong is first corrected by what people found in the
rows they answered (calibration.py): on CIFAR-10 the model's own labels made 16 right and 191 wrong, and its own p_wrong
would not have said so. Without ENOUGH answers nothing is applied unless the model is trusted in so many words.

Reads   data/audit/scores.parquet, and what estimate.py reads
Writes  verdicts of the reviewer `assay-apply`, through the journal: they give way to any person's answer, count in no
        estimate, and `undo` takes them back

Items of the audit sample that nobody has answered are never touched: their answers must speak of the delivered labels.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import answers, estimate, journal, params, store
from . import labels as label_kinds
from .answersheet import NAMESPACE
from .calibration import FloatArray
from .estimate import ENOUGH, Interval
from .model import MACHINE, SCORES, Mistake, Task, Verdict, label_json

ACTIONS = ("relabel", "remove")
DRAWS = 400  # of each chance: a table of draws by items must fit into memory


@dataclass(frozen=True, slots=True)
class Change:
    """One item that would be changed, and how surely."""

    item: str
    y: str  # the label in force
    suggestion: str | None
    p_wrong: float  # of the label in force, by the answers if there are enough of them
    p_right: float  # that the suggestion is right, at most p_wrong


@dataclass(frozen=True, slots=True)
class Damage:
    """What is expected of a bulk change, in labels."""

    action: str  # relabel or remove
    changes: tuple[Change, ...]  # the surest first
    mended: float  # wrong -> right; of a removal: wrong labels that go
    broken: float  # right -> wrong; of a removal: right labels that are lost
    moved: float  # wrong -> other wrong
    balance: Interval  # mended - broken
    answers: int  # to doubted rows, that p_wrong was held against
    bounded: bool  # no probability of the suggestion is known: `mended` is an upper bound
    kept_out: int  # flagged items of the audit sample, which are not touched

    @property
    def checked(self) -> bool:
        """Are there enough answers to believe it?"""
        return self.answers >= ENOUGH


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the flagged items."""

    action: str = "relabel"
    above: float = 0.0  # p_wrong, corrected, at least this
    name: str | None = None  # the class of the label in force
    limit: int | None = None  # the surest so many

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise Mistake(f"Action '{self.action}' is no bulk change. Actions are: {', '.join(ACTIONS)}.")
        if not 0 <= self.above <= 1:
            raise Mistake(f"Option --above is {self.above:g}. A probability from 0 to 1 is allowed.")
        if self.limit is not None and self.limit < 1:
            raise Mistake(f"Option --limit is {self.limit}. 1 or more is allowed.")


def damage(
    items: Sequence[tuple[str, str, str | None]],
    p_N: FloatArray,
    p_suggestion_N: FloatArray,
    chance_SN: FloatArray,
    choice: Choice,
    *,
    answers: int = 0,
    kept_out: int = 0,
) -> Damage:
    """The damage of `choice` among `items` (item, label, suggestion) of p_wrong `p_N`, by the answers `chance_SN`.

    `p_suggestion_N`: P(the suggestion is right), NaN where unknown: then p_wrong stands in as the upper bound. The
    answers change it by the factor by which they change p_wrong. The interval holds the outcome, not only its mean.
    """
    share_N = np.where(np.isnan(p_suggestion_N), 1.0, np.minimum(1.0, p_suggestion_N / np.maximum(p_N, 1e-12)))
    mean_N = chance_SN.mean(axis=0)
    order = np.lexsort((np.arange(len(items)), -mean_N * (share_N if choice.action == "relabel" else 1)))
    kept = np.array([n for n in order if mean_N[n] >= choice.above], dtype=np.int64)[: choice.limit]
    right_M = mean_N[kept] * (share_N[kept] if choice.action == "relabel" else 1.0)
    rng = np.random.default_rng(0)
    wrong_SM = rng.random((len(chance_SN), len(kept))) < chance_SN[:, kept]
    mended_SM = wrong_SM & (rng.random(wrong_SM.shape) * mean_N[kept] < right_M)
    outcome_S = mended_SM.sum(axis=1) - (~wrong_SM).sum(axis=1)
    low, high = np.quantile(outcome_S, (0.025, 0.975), method="inverted_cdf")
    mended, broken = float(right_M.sum()), float((1 - mean_N[kept]).sum())
    changes = [
        Change(item, y, suggestion, float(p), float(right))
        for (item, y, suggestion), p, right in zip((items[n] for n in kept), mean_N[kept], right_M, strict=True)
    ]
    return Damage(
        choice.action,
        tuple(changes),
        mended,
        broken,
        float(mean_N[kept].sum()) - mended,
        Interval(mended - broken, float(low), float(high)),
        answers,
        choice.action == "relabel" and bool(np.isnan(p_suggestion_N[kept]).any()),
        kept_out,
    )


def refusal(found: Damage, *, trusted: bool = False) -> str | None:
    """Why `found` may not be applied, in one sentence; None if it may. `trusted`: the model's word is enough."""
    gains, losses = ("mend", "break") if found.action == "relabel" else ("remove", "lose")
    if found.changes and found.balance.value <= 0:
        what = "wrong labels" if found.action == "remove" else "labels"
        other = "right ones" if found.action == "remove" else "others"
        return (
            f"This is expected to {gains} {found.mended:,.1f} {what} and to {losses} {found.broken:,.1f} {other}: it "
            "is refused. Name surer items with --above or --limit, or let people answer: assay export csv queue.csv"
        )
    if not found.checked and not trusted:
        return (
            f"Only {found.answers:,} answers to doubted rows say how far p_wrong can be believed; {ENOUGH} are needed. "
            "Answer some: assay export csv queue.csv. Or go by the model alone: --trust-model"
        )
    return None


# --- a workspace -----------------------------------------------------------------------------------------------------


def meter(workspace: Path, choice: Choice) -> Damage:
    """The damage of `choice` in `workspace` as it is now."""
    given = estimate.read(workspace)
    kind = label_kinds.kind(params.section(workspace / "params.yaml", "task", Task).kind)
    settled = answers.state(given.said).items
    asked = {row.item for row in given.drawn if row.place and not _answered(given.people.get(row.item))}
    classes = {name for y in given.delivered.values() for name in kind.classes_of(y)}
    if choice.name is not None and choice.name not in classes:
        few = ", ".join(sorted(classes)[:20]) or "none: the labels are texts"
        raise Mistake(f"Unknown class '{choice.name}'. Classes are: {few}.")
    scores = store.read_table(workspace / "data" / "audit" / "scores.parquet", SCORES)
    items, p, p_suggestion, kept_out = [], [], [], 0
    for row in scores[scores["flagged"].astype(bool)].to_dict("records"):
        item, y = row["item"], given.delivered.get(row["item"])
        if y is None or _answered(settled.get(item)):
            continue
        if row["suggestion"] is None and choice.action == "relabel":  # the text of a pair has no likeliest other
            continue
        if choice.name is not None and choice.name not in kind.classes_of(y):
            continue
        if item in asked:
            kept_out += 1
            continue
        items.append((item, y, row["suggestion"]))
        p.append(given.p_queue.get(item, float(row["p_wrong"])))
        p_suggestion.append(p[-1] * _or_nan(row["p_suggestion"]) / max(float(row["p_wrong"]), 1e-12))
    p_N, (seen_N, wrong_N) = np.array(p, dtype=np.float64), given.doubted
    chance_SN = estimate.chances(seen_N, wrong_N, p_N, draws=DRAWS)
    return damage(
        items, p_N, np.array(p_suggestion, dtype=np.float64), chance_SN, choice, answers=len(seen_N), kept_out=kept_out
    )


def _answered(one: answers.ItemState | None) -> bool:
    return one is not None and one.answered


def _or_nan(value: Any) -> float:
    return float("nan") if value is None else float(value)


def apply(workspace: Path, found: Damage, *, at: str) -> int:
    """Write the verdicts of `found`, one an item; the number of them. The same call twice writes them once."""
    revision = workspace / "data" / "revision.json"
    tag = store.read_json(revision).get("tag") if revision.exists() else None
    verdicts = [
        Verdict(
            op=str(uuid.uuid5(NAMESPACE, label_json([MACHINE, found.action, one.item, one.suggestion, at]))),
            subject=f"item:{one.item}",
            action=found.action,
            reviewer=MACHINE,
            at=at,
            y=one.suggestion if found.action == "relabel" else None,
            note=f"in bulk: p_wrong {one.p_wrong:.3f}, suggestion {one.p_right:.3f}",
            seen={"revision": tag, "y": one.y},
        )
        for one in found.changes
    ]
    return journal.append(workspace, verdicts)


def undo(workspace: Path, *, at: str) -> int:
    """Take back every bulk change that is in force; the number of them."""
    said = journal.everything(workspace)
    gone = answers.undone_ops(said)
    live = [verdict for verdict in said if verdict.reviewer == MACHINE and verdict.action in ACTIONS]
    verdicts = [
        Verdict(
            str(uuid.uuid5(NAMESPACE, label_json([verdict.op, at]))),
            verdict.subject,
            "undo",
            MACHINE,
            at,
            of=verdict.op,
        )
        for verdict in live
        if verdict.op not in gone
    ]
    return journal.append(workspace, verdicts)
