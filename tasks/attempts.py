"""How often was this work tried, and what came of it?

Reads and writes  .assay/attempts.json: flow -> the key of the work, the attempts at it, and the last sentence

An attempt is counted before the risky work begins, so that a run that takes its machine down with it counts too. The
sweeper gives up after `watch.attempts` and says so; a run by hand that ends well settles the work, too. What can pass
by waiting (a remote that does not answer) is no failure: it is pending, and tried again without end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from . import durable, store
from .model import AssayError, Mistake, StageFailed

FILE = ".assay/attempts.json"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known of the work that a flow has before it."""

    key: str  # a hash over the work: other work has another
    count: int  # attempts begun
    at: str  # UTC, ISO 8601: when the last one began, or when it was found pending
    said: str = ""  # the sentence it ended with
    pending: bool = False  # it only waits for a remote that does not answer
    done: bool = False  # it ended well


def of(workspace: Path, flow: str) -> Attempt | None:
    """The attempts at what `flow` has before it; None if there were none."""
    return _read(workspace).get(flow)


def begin(workspace: Path, flow: str, key: str, *, now: str) -> int:
    """Count an attempt; returns which one it is, from 1."""
    with _alone(workspace):
        before = of(workspace, flow)
        same = before is not None and before.key == key
        count, said = (before.count + 1, before.said) if before is not None and same else (1, "")
        _write(workspace, _read(workspace) | {flow: Attempt(key, count, now, said)})
        return count


def take_back(workspace: Path, flow: str) -> None:
    """The attempt that was counted last could not begin: it does not count."""
    with _alone(workspace):
        if (entry := of(workspace, flow)) is not None and entry.count:
            _write(workspace, _read(workspace) | {flow: replace(entry, count=entry.count - 1)})


@dataclass(slots=True)
class Outcome:
    """What a flow that ends well says of its work."""

    pending: str = ""  # a sentence: it is done as far as it can be, and waits for a remote


@contextmanager
def noted(workspace: Path, flow: str, clock: Callable[[], str]) -> Iterator[Outcome]:
    """Around a flow: a sentence that it ends with is kept, a good end settles what was begun before it began.

    Good or pending is one write, so that no kill between two makes pending work look settled.
    """
    before, outcome = of(workspace, flow), Outcome()
    try:
        yield outcome
    except AssayError as error:
        if isinstance(error, StageFailed) and error.transient:
            pend(workspace, flow, str(error), now=clock())
        else:
            _update(workspace, flow, before, said=str(error))
        raise
    if outcome.pending:
        pend(workspace, flow, outcome.pending, now=clock())
    else:
        _update(workspace, flow, before, said="", done=True)


def _update(workspace: Path, flow: str, before: Attempt | None, **changes: Any) -> None:
    """Change the entry, unless the sweeper has begun other work meanwhile."""
    with _alone(workspace):
        entry = of(workspace, flow)
        if before is not None and entry is not None and entry.key == before.key:
            _write(workspace, _read(workspace) | {flow: replace(entry, pending=False, **changes)})


def pend(workspace: Path, flow: str, sentence: str, *, now: str) -> None:
    """The work waits for something that passes, and is finished by a later call."""
    with _alone(workspace):
        _write(workspace, _read(workspace) | {flow: Attempt("", 0, now, sentence, pending=True)})


def _alone(workspace: Path) -> FileLock:
    """The sweeper and a run by hand write the same file."""
    path = workspace / ".assay" / "attempts.lock"
    path.parent.mkdir(exist_ok=True)
    return FileLock(path)


def _read(workspace: Path) -> dict[str, Attempt]:
    try:
        return {flow: Attempt(**entry) for flow, entry in store.read_json(workspace / FILE).items()}
    except (Mistake, TypeError, AttributeError):  # absent, or of another version: counting begins again
        return {}


def _write(workspace: Path, entries: dict[str, Attempt]) -> None:
    path = workspace / FILE
    path.parent.mkdir(exist_ok=True)
    durable.sweep(path.parent)
    store.write_json(path, {flow: asdict(entry) for flow, entry in entries.items()})
