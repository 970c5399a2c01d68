"""How does a click become a stored answer, thousands a second, before its tick is shown?

Writes  .assay/journal/<reviewer>.jsonl     append + fsync, one of each a reviewer and pass

One thread. It takes everything that waits, of all reviewers, and commits it in one pass: the journal's lock, a look at
what others have written (`assay answer`, `versions.take_answers`), one append and fsync a file, the lock given back,
and only then the futures. Under load a pass carries more, so that the disk sets the delay and not the rate. What is
there already is known without a look at the disk (logs.py).

Covered: kill -9 at any moment, a torn last line (cut when the journal is opened: it was never acknowledged), the same
op sent twice or after a restart, a full disk (these futures fail, nothing is half there), another process that writes.
An op that a killed process wrote but did not sync is synced before it counts as saved. Not covered: a disk that lies.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .. import answers, durable, journal
from ..model import Mistake, Verdict
from .logs import Logs

A_PASS = 4_000  # verdicts, about: a pass takes no further submit then, so that nobody waits for everybody
AT_ONCE = 8  # files that are synced at the same time: the file system joins what they wait for


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of the verdicts of one submit, by op: each is in exactly one of the three."""

    new: tuple[str, ...]  # on the disk now
    already: tuple[str, ...]  # were on the disk
    refused: tuple[tuple[str, str], ...]  # each with the sentence that says why


@dataclass(frozen=True, slots=True)
class _Asked:
    verdicts: tuple[Verdict, ...]
    future: Future[Saved]


@dataclass(slots=True)
class _Pass:
    """What one commit is to write, and what it is to answer."""

    lines: dict[str, list[bytes]] = field(default_factory=dict)  # reviewer -> new lines
    fresh: dict[str, Verdict] = field(default_factory=dict)  # op -> verdict, in order
    saved: list[Saved] = field(default_factory=list)  # one a submit


class Writer:
    """The one writer of a process. Raises Mistake where a log has a damaged line, naming file and line."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._folder = journal.folder(workspace)
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._gate = threading.Lock()  # nothing is submitted behind the end
        self._closed = False
        self.logs = Logs(workspace)  # what is durable; anybody may ask
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sync")
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    # --- for everybody -----------------------------------------------------------------------------------------------

    def submit(self, verdicts: Sequence[Verdict]) -> Future[Saved]:
        """Ask for verdicts to be kept; the future is done when they are on the disk. Costs microseconds.

        The future raises Mistake when the disk is full or fails: nothing of its new verdicts counts then; send again.
        """
        asked = _Asked(tuple(verdicts), Future())
        asked.future.set_running_or_notify_cancel()  # a browser that goes away cancels no answer
        with self._gate:
            if self._closed:
                raise Mistake("The review is ending and takes no more answers. Start it again: assay review")
            self._asked.put(asked)
        return asked.future

    def look(self) -> None:
        """See what other processes have written; a page that only reads calls it now and then. Waits for the commit."""
        self.submit(()).result()

    def close(self) -> None:
        """Commit what waits, then end. Twice is once."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._asked.put(None)
        self._thread.join()
        self._pool.shutdown()

    # --- the thread --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            first = self._asked.get()
            waiting, ends = self._gather(first)
            if waiting:
                self._commit(waiting)
            if ends:
                return

    def _gather(self, first: _Asked | None) -> tuple[list[_Asked], bool]:
        """Everything that waits, up to a pass's worth; and whether the end was among it."""
        waiting: list[_Asked] = []
        count, asked = 0, first
        while asked is not None:
            waiting.append(asked)
            count += len(asked.verdicts)
            if count >= A_PASS:
                return waiting, False
            try:
                asked = self._asked.get_nowait()
            except queue.Empty:
                return waiting, False
        return waiting, True

    def _commit(self, waiting: Sequence[_Asked]) -> None:
        """One pass: the futures are told after the lines are on the disk, and whatever happens they are told."""
        try:
            with journal.held(self._workspace):
                self.logs.follow()
                plan = self._plan(waiting)
                failed = self._write(plan)
            self._remember(plan, failed)
        except BaseException as error:  # a thread that died here would leave everybody waiting
            self.logs.doubt()
            told = error
            if isinstance(error, OSError):  # such as a log that git was exchanging at that moment
                told = Mistake(f"The journal in '{self._folder}' failed ({error.strerror}). Send the answers again.")
            for asked in waiting:
                asked.future.set_exception(told)
            return
        for asked, saved in zip(waiting, plan.saved, strict=True):
            trouble = next((failed[v.reviewer] for v in asked.verdicts if v.reviewer in failed), None)
            if trouble is None:
                asked.future.set_result(saved)
            else:
                asked.future.set_exception(trouble)

    def _plan(self, waiting: Sequence[_Asked]) -> _Pass:
        plan = _Pass()
        for asked in waiting:
            new: list[str] = []
            already: list[str] = []
            refused: list[tuple[str, str]] = []
            for verdict in asked.verdicts:
                op = verdict.op
                there = self.logs.get(op) or plan.fresh.get(op)
                try:
                    if there is not None:
                        _check_same(there, verdict)
                        already.append(op)
                        continue
                    raw = journal.line_of(verdict)
                except Mistake as error:
                    refused.append((op, str(error)))
                    continue
                plan.fresh[op] = verdict
                plan.lines.setdefault(verdict.reviewer, []).append(raw)
                new.append(op)
            plan.saved.append(Saved(tuple(new), tuple(already), tuple(refused)))
        return plan

    def _write(self, plan: _Pass) -> dict[str, Mistake]:
        """Append and fsync, a file a reviewer; reviewer -> why theirs could not be written."""
        if len(plan.lines) < 2:
            tried = [self._append(*one) for one in plan.lines.items()]
        else:
            tried = list(self._pool.map(lambda one: self._append(*one), plan.lines.items()))
        failed = {who: error for who, error in zip(plan.lines, tried, strict=True) if error is not None}
        if failed:
            self.logs.doubt()
        return failed

    def _append(self, reviewer: str, lines: Sequence[bytes]) -> Mistake | None:
        path = self._folder / f"{reviewer}.jsonl"
        content = b"".join(lines)
        try:
            durable.append(path, content)
        except Mistake as error:
            return error
        except OSError as error:
            return Mistake(f"File '{path}' cannot be written ({error.strerror}). Mend that; the answer was not kept.")
        self.logs.written(path, len(content))
        return None

    def _remember(self, plan: _Pass, failed: Iterable[str]) -> None:
        self.logs.add(verdict for verdict in plan.fresh.values() if verdict.reviewer not in failed)


def _check_same(there: Verdict, verdict: Verdict) -> None:
    """Mistake where the op is another answer's: to say "saved" would lose this one."""
    if there.reviewer != verdict.reviewer:
        raise Mistake(f"Answer '{verdict.op}' has an op that is another reviewer's. Give each answer its own op.")
    if _content(there) != _content(verdict):
        raise Mistake(f"Answer '{verdict.op}' has an op that is another answer's. Give each answer its own op.")


def _content(verdict: Verdict) -> tuple[str | None, ...]:
    """What the person said; `at` and the rest of `seen` may differ when it is sent again."""
    shown = (verdict.seen or {}).get("y")
    subject = answers.full_subject(verdict.subject)
    return subject, verdict.action, verdict.y, verdict.of, verdict.note, shown
