"""Does this person say what reviewers have settled? Blind gold items: which, and how many were answered rightly.

About one in thirty of what is to be looked at is an item whose label a reviewer has settled or approved, and on which
this person has said nothing. It is shown as it was delivered and as the drawn items of the audit sample are: no
suggestion, their p_wrong, their sentence. The answer is a verdict of its own kind, which touches no label:

    {"action":"gold","category":"relabel","of":"77ad..","y":"\"7\"","subject":"item:d0042", ..}

`category` is what was pressed, `y` the label that it says, `of` the op that settled the item. Right or wrong is no part
of it: whoever asks compares it with the label in force by then. Where nothing is settled there is no gold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..answers import OPINIONS, ItemState, item_of, undone_ops
from ..interval import wilson
from ..model import GOLD, Verdict

SHARE = 0.03  # of the open items of the queue
FEWEST = 10  # open items from which on there is one


@dataclass(frozen=True, slots=True)
class Gold:
    """What a person's answers to gold items come to."""

    n: int
    right: int
    low: float  # of the share that is right, in 95 of 100 cases, [0, 1] (Wilson)
    high: float


def settling(said: Sequence[Verdict], one: ItemState | None, person: str) -> str | None:
    """The op by which reviewers have settled an item, on which `person` has said nothing that counts; else None.

    `said`: the item's verdicts. Only items with one label: not those removed, ambiguous, disputed or unsure.
    """
    if one is None or not one.answered or one.disputed or one.unsure or one.removed or one.accepted or one.y is None:
        return None
    if any(v.reviewer == person and v.action in (*OPINIONS, "approve") for v in said):
        return None
    undone = undone_ops(said)
    author = {verdict.op: verdict.reviewer for verdict in said}
    approved = {
        v.of for v in said if v.action == "approve" and v.op not in undone and author.get(v.of or "") != v.reviewer
    }
    resolved = {v.op for v in said if v.action == "resolve" and v.op not in undone}
    return next((op for op in one.ops if op in approved | resolved), None)


def chosen(person: str, items: Iterable[str], most: int) -> list[str]:
    """The first `most` of the items in an order that is each person's own and stays."""
    return sorted(items, key=lambda item: hashlib.sha256(json.dumps([person, item]).encode()).digest())[:most]


def wanted(open_items: int) -> int:
    """How many gold items among so many open ones."""
    return 0 if open_items < FEWEST else max(1, round(SHARE * open_items))


def as_gold(verdict: Verdict, *, of: str, delivered: str) -> Verdict:
    """An answer to a gold item as the verdict that is kept."""
    y = delivered if verdict.action == "keep" else verdict.y
    seen = {"revision": (verdict.seen or {}).get("revision"), "y": delivered}
    return replace(verdict, action=GOLD, category=verdict.action, y=y, of=of, seen=seen)


def gold(said: Sequence[Verdict], items: Mapping[str, ItemState]) -> dict[str, Gold]:
    """Person -> their gold answers, judged by the labels in force now; `unsure`, and what is no longer settled, is out.

    `said`: every verdict in the order in which they count; `items`: answers.state of them.
    """
    undone = undone_ops(said)
    latest = {(v.reviewer, item_of(v.subject)): v for v in said if v.action == GOLD and v.op not in undone}
    tally: dict[str, list[bool]] = {}
    for (person, item), verdict in latest.items():
        one = items.get(item or "")
        if verdict.category == "unsure" or one is None or one.disputed or one.unsure or not one.answered:
            continue
        tally.setdefault(person, []).append(_right(verdict, one))
    return {person: _counted(right) for person, right in sorted(tally.items())}


def _right(verdict: Verdict, one: ItemState) -> bool:
    if one.removed or verdict.y is None:
        return one.removed and verdict.category == "remove"
    return one.y == verdict.y or (
        verdict.category == "ambiguous" and json.loads(one.y or "null") in _several(verdict.y)
    )


def _several(y: str) -> list[object]:
    found = json.loads(y)
    return found if isinstance(found, list) else [found]


def _counted(right: Sequence[bool]) -> Gold:
    share = wilson(sum(right), len(right))
    return Gold(len(right), sum(right), round(share.low, 4), round(share.high, 4))
