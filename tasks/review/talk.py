"""What have people said of one item, as its side panel tells one of them?

Pure, from the item's verdicts in the order in which they count. A labeler is told what others answered once they have
answered themselves; a reviewer always.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model import GOLD, Verdict
from . import signoff, threads
from .desk import voted
from .sessions import Session
from .wording import Show, sides_worded, worded


def talk(said: Sequence[Verdict], opinions: Sequence[Verdict], given: str, show: Show, to: Session) -> dict[str, Any]:
    """{"answers", "sides", "thread"}; `opinions`: those that count; `given`: the label that the page shows, JSON text.

    An answer "stands" while it counts: it can be taken back or signed. "sides": who holds which label, for a reviewer.
    """
    answered, signed, everything = threads.answered(said), threads.signed(said), to.role == "reviewer"
    told_all = everything or voted(said, to.name)
    gold = {v.reviewer: v.op for v in answered if v.action == GOLD}
    standing = {v.op for v in opinions} | set(gold.values())
    sides = signoff.sides([v for v in opinions if v in said], given) if everything else []
    return {
        "answers": [
            _answer(show, v) | {"stands": v.op in standing, "signed": signed.get(v.op)}
            for v in answered
            if told_all or v.reviewer == to.name
        ],
        "sides": sides_worded(show, sides),
        "thread": threads.thread(said),
    }


def _answer(show: Show, verdict: Verdict) -> dict[str, Any]:
    action = (verdict.category or "") if verdict.action == GOLD else verdict.action
    return {
        "who": verdict.reviewer,
        "action": action,
        "label": None if verdict.y is None or action == "keep" else worded(show, action, verdict.y),
        "at": verdict.at,
        "op": verdict.op,
        "note": verdict.note,
    }
