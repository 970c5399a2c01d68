"""What do all acknowledged verdicts say about each item, a moment after one was added?

Pure: no file is read here. `answers.state` over N verdicts costs O(N); a Record weighs again only what a verdict
touches: its own subject, and those of the ops that its `of` leads to. Equal to `answers.state` over
`answers.merge` at every moment, whatever the order of arrival (a property in tests/test_review_record.py).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from .. import answers
from ..model import Verdict

START = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A verdict and its place in the order in which verdicts count (answers.merge)."""

    place: tuple[datetime, str, int]  # time, lifted to the latest before it in its log; reviewer; place in that log
    verdict: Verdict


def _place(entry: _Entry) -> tuple[datetime, str, int]:
    return entry.place


class Record:
    """The verdicts of several logs, and what they add up to. Not safe for threads: the writer holds a lock."""

    def __init__(self, logs: Mapping[str, Sequence[Verdict]]) -> None:
        """`logs`: reviewer -> their verdicts in order."""
        self._entries: dict[str, _Entry] = {}  # op -> entry
        self._order: list[_Entry] = []
        self._about: dict[str, list[_Entry]] = {}  # full subject -> its entries
        self._pointing: dict[str, list[_Entry]] = {}  # op -> entries whose `of` it is
        self._lengths: dict[str, int] = {}  # reviewer -> lines in their log
        self._latest: dict[str, datetime] = {}  # reviewer -> their latest time
        placed = [self._placed(verdict) for log in logs.values() for verdict in log]
        for entry in sorted(placed, key=_place):
            if entry.verdict.op not in self._entries:
                self._index(entry)
        self._opinions: dict[str, dict[str, Verdict]] = {}  # item -> reviewer -> the answer that counts
        self._items: dict[str, answers.ItemState] = {}
        self._subjects: dict[str, str] = {}
        for subject in self._about:
            self._weigh(subject)

    def __len__(self) -> int:
        return len(self._order)

    def get(self, op: str) -> Verdict | None:
        """The verdict with this op."""
        entry = self._entries.get(op)
        return None if entry is None else entry.verdict

    def add(self, verdict: Verdict) -> tuple[str, ...]:
        """Add the next verdict of its reviewer's log, whose op must be new; the full subjects that it touches."""
        assert verdict.op not in self._entries, "each op once"
        entry = self._placed(verdict)
        subject, item = answers.full_subject(verdict.subject), answers.item_of(verdict.subject)
        before = self._about.get(subject)
        last = before is None or before[-1].place < entry.place
        self._index(entry)
        touched = self._touched(verdict)
        if last and item is not None and verdict.action in answers.OPINIONS and verdict.op not in self._pointing:
            self._hear(item, verdict, returned=False)  # what nearly all are: nothing has to be weighed again
        else:
            for one in touched:
                self._weigh(one)
        return touched

    def said(self) -> tuple[Verdict, ...]:
        """Every verdict, in the order in which they count; O(N)."""
        return tuple(entry.verdict for entry in self._order)

    def state(self) -> answers.State:
        """All items and subjects, by name; O(N log N). Of one item: `item`."""
        items, subjects = self._items, self._subjects
        return answers.State({name: items[name] for name in sorted(items)}, dict(sorted(subjects.items())))

    def item(self, item: str) -> answers.ItemState | None:
        """What the answers say about one item; None if nothing."""
        return self._items.get(item)

    def opinions(self, item: str) -> tuple[Verdict, ...]:
        """The answers that count, at most one a person: neither superseded, settled, sent back nor taken back."""
        counting = self._opinions.get(item, {}).values()
        return tuple(answers.by_people(counting) or counting)

    def about(self, item: str) -> tuple[Verdict, ...]:
        """The verdicts whose subject is this item, in the order in which they count; those taken back are there too."""
        return tuple(entry.verdict for entry in self._about.get(f"item:{item}", ()))

    def _placed(self, verdict: Verdict) -> _Entry:
        who = verdict.reviewer
        latest = self._latest[who] = max(self._latest.get(who, START), answers.moment(verdict.at))
        place = self._lengths.get(who, 0)
        self._lengths[who] = place + 1
        return _Entry((latest, who, place), verdict)

    def _index(self, entry: _Entry) -> None:
        verdict = entry.verdict
        self._entries[verdict.op] = entry
        if self._order and entry.place < self._order[-1].place:
            insort(self._order, entry, key=_place)
        else:
            self._order.append(entry)
        insort(self._about.setdefault(answers.full_subject(verdict.subject), []), entry, key=_place)
        if verdict.of is not None:
            self._pointing.setdefault(verdict.of, []).append(entry)

    def _touched(self, verdict: Verdict) -> tuple[str, ...]:
        """The subjects on the way from a verdict along `of`: an undo of a return of an answer touches the answer's."""
        subjects: dict[str, None] = {}
        seen: set[str] = set()
        entry: _Entry | None = self._entries[verdict.op]
        while entry is not None and entry.verdict.op not in seen:
            seen.add(entry.verdict.op)
            subjects[answers.full_subject(entry.verdict.subject)] = None
            entry = self._entries.get(entry.verdict.of or "")
        return tuple(subjects)

    def _hear(self, item: str, verdict: Verdict, *, returned: bool) -> None:
        before = self._items.get(item, answers.ItemState())
        self._items[item] = answers.heard(before, self._opinions.setdefault(item, {}), verdict, returned=returned)

    def _weigh(self, subject: str) -> None:
        """Weigh one subject anew: its verdicts, less what others take back or bring back."""
        found: dict[str, _Entry] = {}
        todo = list(self._about.get(subject, ()))
        while todo:
            entry = todo.pop()
            if entry.verdict.op not in found:
                found[entry.verdict.op] = entry
                todo.extend(self._pointing.get(entry.verdict.op, ()))
        said = [entry.verdict for entry in sorted(found.values(), key=_place)]
        undone = answers.undone_ops(said)
        returned = {verdict.of for verdict in said if verdict.action == "return" and verdict.op not in undone}
        item = answers.item_of(subject)
        self._subjects.pop(subject, None)
        if item is not None:
            self._items.pop(item, None)
            self._opinions.pop(item, None)
        for verdict in said:
            if verdict.op in undone or answers.full_subject(verdict.subject) != subject:
                continue
            if verdict.action in ("accept", "reject"):
                self._subjects[subject] = verdict.action
            elif item is not None and verdict.action in answers.OPINIONS:
                self._hear(item, verdict, returned=verdict.op in returned)
