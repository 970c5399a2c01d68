"""What waits for a reviewer: samples of each labeler's answers, disputes, questions?

Pure, from verdicts in the order in which they count. A sample is drawn by the hash of each op, so it is the same for
everybody and nobody can choose it; an answer that was approved or returned leaves it, and the next one moves up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..answers import OPINIONS, ItemState, decision_of, item_of, undone_ops
from ..model import MACHINE, Verdict
from . import threads

SAMPLE = 20  # answers of each labeler that a reviewer is shown at a time


def signoff(said: Sequence[Verdict], items: Mapping[str, ItemState], labelers: Iterable[str]) -> dict[str, Any]:
    """{"labelers": [...], "disputes": [...], "questions": [...]}; items by id, answers as (op, item, ...)."""
    about: dict[str, list[Verdict]] = {}
    for verdict in said:
        if (item := item_of(verdict.subject)) is not None:
            about.setdefault(item, []).append(verdict)
    signed, latest = threads.signed(said), _latest(said)
    return {
        "labelers": [_labeler(name, latest.get(name, {}), signed, items) for name in labelers],
        "disputes": [
            {"item": item, "answers": [_told(verdict) for verdict in about[item] if verdict.op in one.open_ops]}
            for item, one in items.items()
            if one.disputed
        ],
        "questions": [
            {"item": item, "op": asked.op, "who": asked.reviewer, "text": asked.note or "", "at": asked.at}
            for item, verdicts in about.items()
            for asked in threads.open_questions(verdicts)
        ],
    }


def sides(dispute: Iterable[Verdict], given: str | None) -> list[tuple[str | None, list[str]]]:
    """Who holds which label (JSON text; None: the item goes); `given` is meant where a verdict names no label."""
    found: dict[str | None, list[str]] = {}
    for verdict in dispute:
        decision = decision_of(verdict)
        if decision is not None and decision.removed:
            found.setdefault(None, []).append(verdict.reviewer)
        for y in () if decision is None else decision.labels:
            if (label := given if y is None else y) not in (None, "null"):
                found.setdefault(label, []).append(verdict.reviewer)
    return list(found.items())


def _latest(said: Sequence[Verdict]) -> dict[str, dict[str, Verdict]]:
    """Person -> item -> their answer that counts."""
    undone = undone_ops(said)
    found: dict[str, dict[str, Verdict]] = {}
    for verdict in said:
        item = item_of(verdict.subject)
        if item is None or verdict.op in undone or verdict.reviewer == MACHINE:
            continue
        if verdict.action in OPINIONS:
            found.setdefault(verdict.reviewer, {})[item] = verdict
    return found


def _labeler(
    name: str, mine: Mapping[str, Verdict], signed: Mapping[str, str], items: Mapping[str, ItemState]
) -> dict[str, Any]:
    waiting = [verdict for verdict in mine.values() if verdict.op not in signed]
    drawn = sorted(waiting, key=lambda verdict: hashlib.sha256(verdict.op.encode()).digest())[:SAMPLE]
    return {
        "name": name,
        "answers": len(mine),
        "approved": sum(signed.get(verdict.op) == "approve" for verdict in mine.values()),
        "returned": sum(signed.get(verdict.op) == "return" for verdict in mine.values()),
        "reversed": sum(_reversed(items.get(item), verdict) for item, verdict in mine.items()),
        "sample": [_told(verdict) for verdict in drawn],
    }


def _reversed(one: ItemState | None, verdict: Verdict) -> bool:
    """Whether the item was decided, and not by this answer."""
    return one is not None and one.answered and not one.disputed and not one.unsure and verdict.op not in one.ops


def _told(verdict: Verdict) -> dict[str, Any]:
    return {
        "op": verdict.op,
        "item": item_of(verdict.subject),
        "who": verdict.reviewer,
        "action": verdict.action,
        "y": verdict.y,
        "seen": (verdict.seen or {}).get("y"),
        "at": verdict.at,
    }
