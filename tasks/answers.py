"""What have people decided about each item, drop and class?

Reads   data/verdicts/<reviewer>.jsonl, one line an answer (`read`); everything else here is a pure function

    {"action":"relabel","at":"2024-05-02T09:14:03Z","crc":"5d0f21c9","op":"6f0c..","reviewer":"maria",
     "seen":{"revision":null,"y":"\"1\""},"subject":"item:d0042","y":"\"7\""}

The rules:
- "later" means later in a reviewer's log; across reviewers the times count, each lifted to the latest before it in its
  own log, so that a clock that was set back reorders nobody's own answers. The same op twice is one answer.
- A later answer of the same person on the same item supersedes the earlier one. `unsure` decides nothing.
- `undo` takes back an op of the same person, as if it had never been given; `return` sends anybody's op back to them.
- People whose latest decisions differ dispute the item, until they agree or a `resolve` settles it. Meanwhile, as
  while somebody is merely unsure, it keeps the label of the last moment at which nobody differed.
- A bulk change (`assay apply`) is no person's answer: as soon as anybody has answered, it does not count.
- `accept` and `reject`: the latest one about a subject counts.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from .model import ACTIONS, MACHINE, SUBJECT_KINDS, Mistake, Verdict, label_json

DECISIONS = ("keep", "relabel", "remove", "ambiguous", "resolve")
"""The actions that decide an item's label."""
OPINIONS = (*DECISIONS, "unsure")

_FIELDS = {item.name for item in fields(Verdict)}
_REQUIRED = ("op", "subject", "action", "reviewer", "at")


@dataclass(frozen=True, slots=True)
class ItemState:
    """What the answers say about one item. `y` None: the drop's label stands."""

    y: str | None = None  # the label in force, JSON text
    removed: bool = False
    disputed: bool = False
    unsure: bool = False  # people looked, and nobody decided
    answered: bool = False  # somebody's answer counts
    accepted: tuple[str, ...] = ()  # of an ambiguous item: all its labels, `y` first
    ops: tuple[str, ...] = ()  # that decided what is in force
    by: tuple[str, ...] = ()  # the reviewers of `ops` and `open_ops`, each once
    open_ops: tuple[str, ...] = ()  # that differ (disputed) or do not know (unsure)


@dataclass(frozen=True, slots=True)
class State:
    """What all answers say: items by id, and the latest accept or reject of each subject."""

    items: Mapping[str, ItemState] = field(default_factory=dict)
    subjects: Mapping[str, str] = field(default_factory=dict)  # {"class:dog": "accept"}


# --- lines -----------------------------------------------------------------------------------------------------------


def line(verdict: Verdict) -> bytes:
    """One line of a log: canonical JSON without nulls, with a checksum over itself, and a newline.

    ValueError for text that is not Unicode (a lone surrogate) or a number that is not JSON.
    """
    content = {name: value for name in _FIELDS if (value := getattr(verdict, name)) is not None}
    return _canonical({**content, "crc": _crc(content)}) + b"\n"


def _canonical(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def _crc(content: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(_canonical(content)):08x}"


def parse_line(raw: bytes) -> Verdict:
    """The verdict of one line; ValueError with the reason for anything that `line` did not write."""
    try:
        content = json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    if content.pop("crc", None) != _crc(content):
        raise ValueError("its checksum does not match")
    if unknown := sorted(set(content) - _FIELDS):
        raise ValueError(f"it has the unknown field '{unknown[0]}'")
    for name, value in content.items():
        if not isinstance(value, dict if name == "seen" else str):
            raise ValueError(f"its field '{name}' is not {'an object' if name == 'seen' else 'text'}")
    for name in _REQUIRED:
        if not content.get(name):
            raise ValueError(f"it lacks the field '{name}'")
    if content["action"] not in ACTIONS:
        raise ValueError(f"it has action '{content['action']}'; actions are: {', '.join(ACTIONS)}")
    moment(content["at"])
    verdict = Verdict(**content)
    decision_of(verdict)
    return verdict


def moment(at: str) -> datetime:
    """An ISO 8601 time, UTC where it names no zone; ValueError with the reason."""
    try:
        time = datetime.fromisoformat(at)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"its time '{at}' is not ISO 8601, as in 2024-05-02T09:14:03Z") from None


def read_log(path: Path) -> list[tuple[bytes, Verdict]]:
    """The whole lines of one log and what they say. A damaged one raises Mistake naming file and line.

    A last line without its newline was never acknowledged, and is left out.
    """
    lines = path.read_bytes().split(b"\n")[:-1]
    verdicts = []
    for number, raw in enumerate(lines, start=1):
        try:
            verdict = parse_line(raw)
            if verdict.reviewer != path.stem:
                raise ValueError(f"its reviewer is '{verdict.reviewer}', not '{path.stem}'")
        except ValueError as error:
            raise Mistake(
                f"File '{path}' has a damaged line {number}: {error}. Move that line to another file, then run again."
            ) from None
        verdicts.append((raw + b"\n", verdict))
    return verdicts


def read(folder: Path) -> list[Verdict]:
    """Every verdict in `folder`/*.jsonl, once, in the order in which they count."""
    return merge([verdict for _, verdict in read_log(path)] for path in sorted(folder.glob("*.jsonl")))


def merge(logs: Iterable[Sequence[Verdict]]) -> list[Verdict]:
    """The logs of several reviewers as one; the order of the logs does not matter."""
    placed = []
    for log in logs:
        latest = datetime.min.replace(tzinfo=UTC)
        for place, verdict in enumerate(log):
            latest = max(latest, moment(verdict.at))
            placed.append((latest, verdict.reviewer, place, verdict))
    return first_of_each_op(verdict for *_, verdict in sorted(placed, key=lambda entry: entry[:3]))


def first_of_each_op(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts without repeated ops."""
    once: dict[str, Verdict] = {}
    for verdict in verdicts:
        once.setdefault(verdict.op, verdict)
    return list(once.values())


# --- what they add up to ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person holds to be true of an item."""

    removed: bool
    labels: tuple[str | None, ...]  # the label, or those of an ambiguous item; (None,): the drop's label
    op: str
    reviewer: str

    @property
    def says(self) -> tuple[bool, frozenset[str | None]]:
        """Two decisions agree when this is equal: 4-or-9 is 9-or-4."""
        return self.removed, frozenset(self.labels)


def decision_of(verdict: Verdict) -> Decision | None:
    """What a verdict decides about its item; None if nothing. ValueError with the reason if its label is no JSON."""
    if verdict.action not in DECISIONS or item_of(verdict.subject) is None:
        return None
    removed = False
    labels: tuple[str | None, ...] = (verdict.y,)
    if verdict.action == "keep":
        seen = (verdict.seen or {}).get("y")
        labels = (seen if isinstance(seen, str) else None,)
    elif verdict.action == "remove" or (verdict.action == "resolve" and verdict.y is None):
        removed, labels = True, ()
    elif verdict.y is None:
        raise ValueError(f"it has action '{verdict.action}' and lacks the field 'y'")
    elif verdict.action == "ambiguous":
        several = _json(verdict.y)
        if not isinstance(several, list) or not several:
            raise ValueError(f"its label {verdict.y} is not a JSON list of labels")
        labels = tuple(dict.fromkeys(label_json(label) for label in several))
    for label in labels:
        if label is not None:
            _json(label)
    return Decision(removed, labels, verdict.op, verdict.reviewer)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"its label {text} is not JSON") from None


def item_of(subject: str) -> str | None:
    """The item that a subject names (`item:` may be left out); None for a drop, class or row."""
    kind, colon, name = subject.partition(":")
    if colon and kind in SUBJECT_KINDS:
        return name if kind == "item" else None
    return subject


def full_subject(subject: str) -> str:
    """`d0042` -> `item:d0042`; `class:dog` stays."""
    item = item_of(subject)
    return subject if item is None else f"item:{item}"


def state(verdicts: Iterable[Verdict]) -> State:
    """What the verdicts, in the order in which they count, add up to."""
    said = first_of_each_op(verdicts)
    undone = undone_ops(said)
    returned = {verdict.of for verdict in said if verdict.action == "return" and verdict.op not in undone}
    items: dict[str, ItemState] = {}
    opinions: dict[str, dict[str, Verdict]] = {}  # item -> reviewer -> the answer that counts
    subjects: dict[str, str] = {}
    for verdict in said:
        if verdict.op in undone:
            continue
        item = item_of(verdict.subject)
        if verdict.action in ("accept", "reject"):
            subjects[full_subject(verdict.subject)] = verdict.action
        elif item is not None and verdict.action in OPINIONS:
            others = opinions.setdefault(item, {})
            items[item] = heard(items.get(item, ItemState()), others, verdict, returned=verdict.op in returned)
    return State({item: items[item] for item in sorted(items)}, {name: subjects[name] for name in sorted(subjects)})


def heard(before: ItemState, others: dict[str, Verdict], verdict: Verdict, *, returned: bool) -> ItemState:
    """The item's state after one more opinion; `others`, reviewer -> the answer that counts, is brought up to date."""
    others.pop(verdict.reviewer, None)  # so that the latest stands last
    if verdict.action == "resolve" and not returned:
        others.clear()
    if not returned:
        others[verdict.reviewer] = verdict
    people = [answer for reviewer, answer in others.items() if reviewer != MACHINE]
    return _weigh(before, people or others.values())


def by_people(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts without bulk changes."""
    return [verdict for verdict in verdicts if verdict.reviewer != MACHINE]


def undone_ops(verdicts: Sequence[Verdict]) -> set[str]:
    """The ops that their own author took back; an undo of an undo brings the first one back."""
    author = {verdict.op: verdict.reviewer for verdict in verdicts}
    undone: set[str] = set()
    for verdict in reversed(verdicts):
        if verdict.action == "undo" and verdict.op not in undone and author.get(verdict.of or "") == verdict.reviewer:
            undone.add(verdict.of or "")
    return undone


def _weigh(before: ItemState, answers: Iterable[Verdict]) -> ItemState:
    """The item's state when these answers, one a person, count; `before` holds the label of the last agreement."""
    answers = list(answers)
    ops, by = tuple(v.op for v in answers), tuple(v.reviewer for v in answers)
    decisions = [decision for verdict in answers if (decision := decision_of(verdict)) is not None]
    if len({decision.says for decision in decisions}) == 1:
        last = decisions[-1]
        return ItemState(
            y=before.y if last.removed else last.labels[0],
            removed=last.removed,
            answered=True,
            accepted=tuple(str(label) for label in last.labels) if len(last.labels) > 1 else (),
            ops=tuple(decision.op for decision in decisions),
            by=tuple(decision.reviewer for decision in decisions),
        )
    return ItemState(
        y=before.y,
        removed=before.removed,
        disputed=bool(decisions),
        unsure=bool(answers) and not decisions,
        answered=bool(answers),
        accepted=before.accepted,
        ops=before.ops,
        by=tuple(dict.fromkeys((*before.by, *by))) if before.ops else by,
        open_ops=tuple(decision.op for decision in decisions) or ops,
    )


def current(manifest: pd.DataFrame, state: State) -> pd.DataFrame:
    """The manifest with the decided labels in place of the delivered ones, and without the removed items."""
    said = [state.items.get(item) for item in manifest["item"]]
    ys = [y if one is None or one.y is None else one.y for y, one in zip(manifest["y"], said, strict=True)]
    kept = [one is None or not one.removed for one in said]
    labelled = manifest.assign(y=pd.Series(ys, index=manifest.index, dtype=object))
    return labelled.loc[pd.Series(kept, index=manifest.index, dtype=bool)].reset_index(drop=True)
