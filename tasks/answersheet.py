"""What does each row of a filled-in file of answers say, and which rows cannot be taken?

Pure: rows and what is known in, verdicts and refusals out; exchange.py reads and writes. Columns:

    item        the item's id
    action      keep, relabel, remove, unsure, ambiguous; empty with a label: relabel, or keep if it is the given label
    label       the class; for ambiguous several: `4|9`, or a JSON list
    seen        optional: the label that was shown (also read from `given` or `y`, as an exported queue has it)
    op, note, category, reviewer    optional

A row with neither action nor label is not answered. Nothing is guessed: a row that is unclear is refused with a reason.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import ModuleType
from typing import Any

from . import answers
from .formats import Record
from .model import MACHINE, Mistake, Verdict, label_json

ANSWERS = ("keep", "relabel", "remove", "unsure", "ambiguous")
SEEN = ("seen", "given", "y")  # the columns that may hold the label that was shown, the first that is there
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "assay:answers")
REVIEWER = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
LONGEST_OP = 200  # characters


@dataclass(frozen=True, slots=True)
class Known:
    """What rows are checked against."""

    delivered: Mapping[str, str]  # item -> the drop's label, JSON text
    current: Mapping[str, str]  # item -> the label in force, where it is another
    withdrawn: Mapping[str, str]  # item -> why it takes no more answers
    classes: tuple[str, ...]
    kind: ModuleType  # of labels/
    said: tuple[Verdict, ...]  # every verdict so far, in the order in which they count
    revision: str | None = None  # the newest tag
    shown: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # item -> its p_wrong, rank and checks
    assets: Mapping[str, str] = field(default_factory=dict)  # item -> sha256 of its content


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file of answers, read."""

    verdicts: tuple[Verdict, ...]  # new, in the order of the rows
    already: int  # rows whose answer is there
    unanswered: int  # rows without action and label
    refused: tuple[tuple[Record, str], ...]  # each with the sentence that says why
    notes: tuple[str, ...] = ()  # of rows that are no answer or come too late, where there is more to say than a number


def check_reviewer(name: str) -> str:
    """The name of a reviewer, which is also the name of a file; Mistake with what is allowed."""
    if not REVIEWER.fullmatch(name):
        raise Mistake(
            f"Reviewer '{_shown(name)}' is not a name for a log. Up to 40 of a-z 0-9 . _ - are allowed, a letter or "
            "digit first, as in: --reviewer maria"
        )
    return name


def read(records: Iterable[Record], known: Known, *, reviewer: str, at: str, occasion: str) -> Sheet:
    """Every row's answer. `occasion` is the hash of the file: the same file twice gives the same ops."""
    ops = {verdict.op: verdict for verdict in known.said}
    latest = latest_answers(known.said)
    times = _latest_times(known.said)
    verdicts: list[Verdict] = []
    notes: list[str] = []
    refused: list[tuple[Record, str]] = []
    already = unanswered = 0
    for record in records:
        try:
            verdict = answer(record, known, reviewer=reviewer, at=at, occasion=occasion)
            if verdict is None:
                unanswered += 1
                if record.annotation is not None:
                    notes.append(f"Row '{record.source}' {record.annotation.left}.")
                continue
            if verdict.op in ops and _content(ops[verdict.op]) != _content(verdict):
                raise ValueError(_row(record, "op", verdict.op, "That op is another answer's; give each its own"))
            answers.line(verdict)
        except ValueError as error:
            refused.append((record, str(error)))
            continue
        place = (verdict.reviewer, verdict.subject)
        if verdict.op in ops or latest.get(place) == _content(verdict):
            already += 1
            continue
        if record.annotation is not None and place in times and answers.moment(verdict.at) < times[place]:
            already += 1
            notes.append(f"Row '{record.source}' is older than what {verdict.reviewer} has said since of that item.")
            continue
        ops[verdict.op] = verdict
        latest[place] = _content(verdict)
        verdicts.append(verdict)
    return Sheet(tuple(verdicts), already, unanswered, tuple(refused), tuple(notes))


def _latest_times(said: Iterable[Verdict]) -> dict[tuple[str, str], datetime]:
    """(reviewer, subject) -> when they last spoke of it: what a tool kept from before that is overtaken."""
    times: dict[tuple[str, str], datetime] = {}
    for verdict in said:
        place = (verdict.reviewer, answers.full_subject(verdict.subject))
        if verdict.action in (*ANSWERS, "undo"):
            times[place] = max(answers.moment(verdict.at), times.get(place, answers.moment(verdict.at)))
    return times


Content = tuple[str, str, str, str | None]


def _content(verdict: Verdict) -> Content:
    """What makes two verdicts the same answer, whenever they were given."""
    seen = (verdict.seen or {}).get("y") if verdict.action == "keep" else None
    return verdict.reviewer, answers.full_subject(verdict.subject), verdict.action, verdict.y or seen


def latest_answers(said: Iterable[Verdict]) -> dict[tuple[str, str], Content]:
    """(reviewer, subject) -> their answer in force; one that was taken back or returned is none."""
    verdicts = list(said)
    undone = answers.undone_ops(verdicts)
    back = {verdict.of for verdict in verdicts if verdict.action == "return" and verdict.op not in undone}
    return {
        (verdict.reviewer, answers.full_subject(verdict.subject)): _content(verdict)
        for verdict in verdicts
        if verdict.action in ANSWERS and verdict.op not in undone and verdict.op not in back
    }


def answer(record: Record, known: Known, *, reviewer: str, at: str, occasion: str) -> Verdict | None:
    """The verdict of one row, None if it is not answered; ValueError with the sentence for a row that is refused."""
    if record.code is not None:
        raise ValueError(record.message or f"Row '{record.source}' cannot be read ({record.code}).")
    cells = record.fields
    action, label = cells.get("action", "").strip().lower(), cells.get("label", "")
    if not action and not label.strip():
        return None
    if action and action not in ANSWERS:
        raise ValueError(_row(record, "action", action, f"Actions are: {', '.join(ANSWERS)}"))
    item = _item(record, known)
    ys = tuple(dict.fromkeys((known.current.get(item, known.delivered[item]), known.delivered[item])))
    shown = _shown_label(record, ys, known) or ys[0]
    y: str | None = None
    if action == "ambiguous":
        y = _several(record, label, known)
    elif action not in ("remove", "unsure"):
        if label.strip():
            y = next((text for text in (shown, *ys) if label == known.kind.show(text)), None)
            y = y or _one(record, label, known)
        elif action == "relabel":
            raise ValueError(_row(record, "action", action, "It needs a label"))
        if action == "keep" and y is not None and y not in (shown, *ys):
            given = known.kind.show(shown)
            rule = f"Its action is keep, its given label '{_shown(given)}'; use relabel, or leave the label empty"
            raise ValueError(_row(record, "label", label, rule))
        if not action:
            action = "keep" if y == shown else "relabel"
        if action == "keep":
            shown, y = y or shown, None
    who = cells.get("reviewer", "").strip() or reviewer
    if who == MACHINE:
        raise ValueError(_row(record, "reviewer", who, "That is the name of bulk changes; a person has another"))
    if not REVIEWER.fullmatch(who):
        raise ValueError(_row(record, "reviewer", who, "Up to 40 of a-z 0-9 . _ - are allowed"))
    verdict = Verdict(
        op=_op(record, cells, who, item, occasion),
        subject=f"item:{item}",
        action=action,
        reviewer=who,
        at=at,
        y=y,
        note=cells.get("note") or None,
        category=cells.get("category") or None,
        seen={"revision": known.revision, "y": shown, **known.shown.get(item, {})},
    )
    if (told := record.annotation) is None:
        return verdict
    seen = {**(verdict.seen or {}), "revision": told.revision or None}
    return replace(verdict, at=min(told.at, at, key=answers.moment), seen=seen)


def _item(record: Record, known: Known) -> str:
    """The item of a row, as it is or with `item:` before it."""
    text = record.fields.get("item", "")
    for name in (text, text.removeprefix("item:")):
        if name in known.withdrawn:
            raise ValueError(_row(record, "item", name, known.withdrawn[name]))
        if name in known.delivered:
            return name
    raise ValueError(_row(record, "item", text, "Items are those of the manifest; see: assay export csv FILE"))


def _shown_label(record: Record, ys: tuple[str, ...], known: Known) -> str | None:
    """The label that the person saw, if the file says so: as JSON text or in words."""
    column = next((name for name in SEEN if record.fields.get(name, "").strip()), None)
    if column is None:
        return None
    text = record.fields[column]
    if text in ys:
        return text
    show, parse = known.kind.show, known.kind.parse
    if (y := next((y for y in ys if text == show(y)), None)) is not None:
        return y
    for read_as in (lambda: show(text), lambda: text):
        try:
            y = str(parse(read_as()))
        except (ValueError, RecursionError):
            continue
        if all(name in known.classes for name in known.kind.classes_of(y)):
            return y
    raise ValueError(_row(record, column, text, f"Classes are: {_listed(known.classes)}"))


def _one(record: Record, label: str, known: Known) -> str:
    """A label in words as JSON text, if its classes are known."""
    for text in dict.fromkeys((label, label.strip())):
        try:
            y = str(known.kind.parse(text))
        except ValueError as error:
            raise ValueError(_row(record, "label", label, f"{error}".capitalize())) from None
        if all(name in known.classes for name in known.kind.classes_of(y)):
            return y
    raise ValueError(_row(record, "label", label, f"Classes are: {_listed(known.classes)}"))


def _several(record: Record, label: str, known: Known) -> str:
    """`4|9` or `["4","9"]` as the JSON list of the labels."""
    rule = "Ambiguous needs two labels or more, as in 4|9"
    parts = label.split("|")
    if label.lstrip().startswith("["):
        try:
            listed = json.loads(label)
        except (ValueError, RecursionError):
            raise ValueError(_row(record, "label", label, rule)) from None
        parts = [one if isinstance(one, str) else label_json(one) for one in listed]
    ys = list(dict.fromkeys(_one(record, part, known) for part in parts))
    if len(ys) < 2:
        raise ValueError(_row(record, "label", label, rule))
    return label_json([json.loads(y) for y in ys])


def _op(record: Record, cells: Mapping[str, str], who: str, item: str, occasion: str) -> str:
    """The row's own op, or one made of what was said, where, by whom: the same row of the same file has the same."""
    op = cells.get("op", "").strip()
    if len(op) > LONGEST_OP or not op.isprintable():
        raise ValueError(_row(record, "op", op, f"Up to {LONGEST_OP} printable characters are allowed"))
    said = [who, item, cells.get("action", ""), cells.get("label", ""), occasion, record.source]
    return op or str(uuid.uuid5(NAMESPACE, label_json(said)))


def _row(record: Record, column: str, value: str, allowed: str) -> str:
    return f"Row '{record.source}' has {column} '{_shown(value)}'. {allowed}."


def _shown(text: str) -> str:
    """A value from a file as it may stand in a sentence: printable and short."""
    printable = text if text.isprintable() else text.encode("unicode_escape", "backslashreplace").decode("ascii")
    return printable if len(printable) <= 60 else f"{printable[:59]}…"


def _listed(names: tuple[str, ...]) -> str:
    some = ", ".join(_shown(name) for name in names[:20])
    return some if len(names) <= 20 else f"{some} and {len(names) - 20:,} more"
