"""What was answered and asked about an item, and what was sent back? Pure functions of its verdicts, oldest first.

question  parks the item until somebody who may gives an `answer` of it
return    sends an op back to its author, with a reason, until they have decided again
approve   says that an op is right; it changes no label
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..answers import OPINIONS, item_of, undone_ops
from ..model import GOLD, Verdict

BATCHES = 50
ANSWERS = (*OPINIONS, GOLD)
TAKEN_BACK = (*ANSWERS, "question", "issue")
SPOKEN = ("question", "answer", "issue", "return", "approve")


def _counting(said: Sequence[Verdict]) -> list[Verdict]:
    undone = undone_ops(said)
    return [verdict for verdict in said if verdict.op not in undone and verdict.action != "undo"]


def open_questions(said: Sequence[Verdict]) -> list[Verdict]:
    """Questions without an answer."""
    counting = _counting(said)
    answered = {verdict.of for verdict in counting if verdict.action == "answer"}
    return [verdict for verdict in counting if verdict.action == "question" and verdict.op not in answered]


def returned(said: Sequence[Verdict]) -> list[Verdict]:
    """The `return`s whose op's author has not decided again."""
    return list(returned_to(said).values())


def returned_to(said: Sequence[Verdict]) -> dict[str, Verdict]:
    """Author -> the `return` of their answer, until they have decided again."""
    counting, author = _counting(said), {verdict.op: verdict.reviewer for verdict in said}
    back: dict[str, Verdict] = {}  # author -> the latest return
    for verdict in counting:
        if verdict.action == "return" and verdict.of in author:
            back[author[verdict.of]] = verdict
        elif verdict.action in OPINIONS:
            back.pop(verdict.reviewer, None)
    return back


def answered(said: Sequence[Verdict]) -> list[Verdict]:
    """What people answered and did not take back."""
    return [verdict for verdict in _counting(said) if verdict.action in ANSWERS]


def signed(said: Sequence[Verdict]) -> dict[str, str]:
    """Op -> `approve` or `return` of it; a return that was not taken back outweighs any approval."""
    found: dict[str, str] = {}
    for verdict in _counting(said):
        if verdict.of and (verdict.action == "return" or (verdict.action == "approve" and verdict.of not in found)):
            found[verdict.of] = verdict.action
    return found


def recent(said: Sequence[Verdict], person: str, place: Mapping[str, int]) -> list[list[tuple[str, int]]]:
    """What this person can take back: their last BATCHES, oldest first, each as (op, place of the item) in order.

    The ops of one batch are a name and `#` and a number; `place` tells which items there are today.
    """
    undone = undone_ops(said)
    batches: dict[str, list[tuple[str, int]]] = {}
    for verdict in said:
        n = place.get(item_of(verdict.subject) or "")
        if verdict.reviewer == person and n is not None and verdict.op not in undone and verdict.action in TAKEN_BACK:
            batches.setdefault(verdict.op.partition("#")[0], []).append((verdict.op, n))
    return list(batches.values())[-BATCHES:]


def thread(said: Sequence[Verdict]) -> list[dict[str, Any]]:
    """What people wrote about the item, oldest first: {"who", "kind", "text", "at", "op", "of", "open"}.

    "open": it is a question, and nobody has answered it.
    """
    waiting = {asked.op for asked in open_questions(said)}
    return [
        {
            "who": verdict.reviewer,
            "kind": verdict.action,
            "text": verdict.note or "",
            "at": verdict.at,
            "op": verdict.op,
            "of": verdict.of or "",
            "open": verdict.op in waiting,
        }
        for verdict in _counting(said)
        if verdict.action in SPOKEN
    ]
