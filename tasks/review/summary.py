"""What has come of a session? What a person did, how they did on gold, and what is left. Pure.

Today is the day of `now`, in UTC; an answer that was taken back is none, and the latest one on an item counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..answers import OPINIONS, ItemState, item_of, undone_ops
from ..model import Verdict
from . import threads
from .gold import gold

FIXED, CONFIRMED = ("relabel", "remove", "resolve"), ("keep",)


def summary(said: Sequence[Verdict], items: Mapping[str, ItemState], person: str, now: str) -> dict[str, Any]:
    """{"today", "all": {"answers", "fixed", "confirmed", "several", "unsure", "questions"}, "gold", "open"}.

    `gold`: {"n", "right", "low", "high"} or None; `open`: {"disputes", "questions", "returned"}, of everybody.
    """
    undone = undone_ops(said)
    latest: dict[str, Verdict] = {}
    asked: list[Verdict] = []
    about: dict[str, list[Verdict]] = {}
    for verdict in said:
        item = item_of(verdict.subject)
        if item is None:
            continue
        about.setdefault(item, []).append(verdict)
        if verdict.reviewer == person and verdict.op not in undone:
            if verdict.action == "question":
                asked.append(verdict)
            elif verdict.action in OPINIONS:
                latest[item] = verdict
    own = gold(said, items).get(person)
    return {
        "today": _counted([v for v in (*latest.values(), *asked) if v.at[:10] == now[:10]]),
        "all": _counted([*latest.values(), *asked]),
        "gold": None if own is None else asdict(own),
        "open": {
            "disputes": sum(one.disputed for one in items.values()),
            "questions": sum(len(threads.open_questions(verdicts)) for verdicts in about.values()),
            "returned": sum(person in threads.returned_to(verdicts) for verdicts in about.values()),
        },
    }


def _counted(verdicts: Sequence[Verdict]) -> dict[str, int]:
    counts = Counter(verdict.action for verdict in verdicts)
    return {
        "answers": len(verdicts) - counts["question"],
        "fixed": sum(counts[action] for action in FIXED),
        "confirmed": sum(counts[action] for action in CONFIRMED),
        "several": counts["ambiguous"],
        "unsure": counts["unsure"],
        "questions": counts["question"],
    }
