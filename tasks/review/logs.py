"""What do all logs say together, at every moment, though others write them too? The writer's memory.

Reads   .assay/journal/<reviewer>.jsonl, data/verdicts/<reviewer>.jsonl
Writes  nothing but what a killed process left undone: a torn last line is cut, an unsynced one synced

Everything is read once. From then on a look at the folders shows which files have grown, and only their tails are read;
where a file is not merely longer (another inode, shorter, another order than the journal's) everything is read anew.
What the answers add up to is kept in memory (record.py) and weighed again only where a verdict touches it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from .. import answers, durable, journal
from ..model import Verdict
from .record import Record

A_LIFE = 1_000_000  # by which seq jumps when everything was read anew: no number of before means anything then


class Logs:
    """Every durable verdict. Any thread may ask; one writes. Raises Mistake where a line is damaged, naming it."""

    def __init__(self, workspace: Path) -> None:
        self._folder = journal.folder(workspace)
        self._taken = workspace / "data" / "verdicts"
        self._memory = threading.Lock()
        self._stale = False  # something went wrong: the files are read anew
        self._base = -1  # the seq after the last reading of everything
        self._trail: list[tuple[str, ...]] = []  # the subjects that each verdict since then touched
        with journal.held(workspace):
            self._reload()

    # --- for everybody -----------------------------------------------------------------------------------------------

    @property
    def seq(self) -> int:
        """Grows with every durable verdict."""
        return self._base + len(self._trail)

    def state(self) -> answers.State:
        """What all durable verdicts add up to, others' included; O(N log N), so for one item ask `item`."""
        with self._memory:
            return self._record.state()

    def said(self) -> Sequence[Verdict]:
        """Every durable verdict, in the order in which they count; O(N)."""
        with self._memory:
            return self._record.said()

    def item(self, item: str) -> answers.ItemState | None:
        """What the answers say about one item; None if nothing."""
        with self._memory:
            return self._record.item(item)

    def opinions(self, item: str) -> tuple[Verdict, ...]:
        """The answers about one item that count, at most one a person."""
        with self._memory:
            return self._record.opinions(item)

    def about(self, item: str) -> tuple[Verdict, ...]:
        """The verdicts about one item, in the order in which they count."""
        with self._memory:
            return self._record.about(item)

    def verdict(self, op: str) -> Verdict | None:
        """The durable verdict with this op."""
        with self._memory:
            return self._record.get(op)

    def changes(self, since: int) -> tuple[int, tuple[str, ...]] | None:
        """(seq, the full subjects touched after `since`, each once); None when `since` is of another life: ask all."""
        with self._memory:
            if not self._base <= since <= self.seq:
                return None
            touched = dict.fromkeys(name for names in self._trail[since - self._base :] for name in names)
            return self.seq, tuple(touched)

    # --- for the writer ----------------------------------------------------------------------------------------------

    def get(self, op: str) -> Verdict | None:
        """`verdict`, without waiting for who reads: nobody else changes anything."""
        return self._record.get(op)

    def doubt(self) -> None:
        """Something went wrong with a file: the next look reads everything anew."""
        self._stale = True

    def written(self, path: Path, size: int) -> None:
        """So many bytes were appended to a journal by us, and are no news."""
        known = self._read[self._folder]
        inode, read = known.get(path.name) or (path.stat().st_ino, 0)
        known[path.name] = (inode, read + size)

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Verdicts that are on the disk now."""
        with self._memory:
            for verdict in verdicts:
                self._add(verdict)

    # --- the files ---------------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Take in what others have appended since; read everything again where a file is not merely longer.

        Like all below for the one thread that writes, while it holds the journal.
        """
        if self._stale or not (self._see(self._folder, taken=False) and self._see(self._taken, taken=True)):
            self._reload()

    def _see(self, folder: Path, *, taken: bool) -> bool:
        """Whether what is new in the folder could be added to what is known."""
        known, there = self._read[folder], set()
        for entry in _logs_in(folder):
            there.add(entry.name)
            status = entry.stat()
            inode, read = known.get(entry.name, (status.st_ino, 0))
            if inode != status.st_ino or status.st_size < read:
                return False
            if status.st_size > read:
                with open(entry.path, "rb") as log:
                    log.seek(read)
                    tail = log.read()
                whole = tail[: tail.rfind(b"\n") + 1]
                if not taken:
                    durable.sync_file(Path(entry.path))  # its writer may have been killed between write and sync
                if not self._take_in(entry.name.removesuffix(".jsonl"), whole, taken=taken):
                    return False
                known[entry.name] = (inode, read + len(whole))
        return there >= known.keys()

    def _take_in(self, reviewer: str, lines: bytes, *, taken: bool) -> bool:
        """Add the lines of a log's tail; False where they are damaged, or do not merely continue what is known."""
        try:
            found = [answers.parse_line(raw) for raw in lines.split(b"\n")[:-1]]
        except ValueError:
            return False
        log = self._logs.setdefault(reviewer, [])
        for verdict in found:
            there = self._record.get(verdict.op)
            if verdict.reviewer != reviewer or (there is not None and there.reviewer != reviewer):
                return False
            place = self._counts.get(reviewer, 0)
            expected = log[place] if place < len(log) else None
            if taken and expected != (None if there is None else verdict.op):
                return False  # another order than the journal's, as after a merge
            if there is None:
                with self._memory:
                    self._add(verdict)
            if taken:
                self._counts[reviewer] = place + 1
        return True

    def _add(self, verdict: Verdict) -> None:
        self._logs.setdefault(verdict.reviewer, []).append(verdict.op)
        self._trail.append(self._record.add(verdict))

    def _reload(self) -> None:
        """Read every log anew, with the journal held: torn tails are cut, and what is seen is on the disk."""
        files: dict[Path, dict[str, tuple[int, int]]] = {self._taken: {}, self._folder: {}}
        logs: dict[str, list[Verdict]] = {}
        counts: dict[str, int] = {}
        for path in sorted(self._folder.glob("*.jsonl")):
            with open(path, "rb+") as log:
                durable.mend_torn_tail(log.fileno())
            durable.sync_file(path)
        durable.sync_folder(self._folder)
        for folder in (self._taken, self._folder):  # in this order: what is taken comes first
            for path in sorted(folder.glob("*.jsonl")):
                status = path.stat()
                read = answers.read_log(path)
                files[folder][path.name] = (status.st_ino, sum(len(raw) for raw, _ in read))
                said = [*logs.get(path.stem, ()), *(verdict for _, verdict in read)]
                logs[path.stem] = answers.first_of_each_op(said)
                if folder == self._taken:
                    counts[path.stem] = len(logs[path.stem])
        record = Record(logs)  # outside the lock: seconds for a million
        with self._memory:
            base = len(record) if self._base < 0 else self.seq + A_LIFE
            self._record, self._read, self._counts = record, files, counts
            self._logs = {who: [verdict.op for verdict in log] for who, log in logs.items()}
            self._base, self._trail = base, []  # what was before is not told apart: `changes` says so
        self._stale = False


def _logs_in(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name.endswith(".jsonl")]
    except FileNotFoundError:
        return []
