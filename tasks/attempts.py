"""How often was this work tried, and what came of it?

Reads and writes  .assay/attempts.json: flow -> the key of the work, the attempts at it, and the last sentence

An attempt is counted before the risky work begins, so that a run that takes its machine down with it counts too. The
sweeper gives up after `watch.attempts` and says so; a run by hand that ends well settles the work, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from . import durable, store
from .model import AssayError, Mistake

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
    before = of(workspace, flow)
    same = before is not None and before.key == key
    count, said = (before.count + 1, before.said) if before is not None and same else (1, "")
    _write(workspace, _read(workspace) | {flow: Attempt(key, count, now, said)})
    return count


def withdraw(workspace: Path, flow: str) -> None:
    """The attempt that was just counted did not begin: nobody could be found to run it."""
    if (entry := of(workspace, flow)) is not None:
        _write(workspace, _read(workspace) | {flow: replace(entry, count=entry.count - 1)})


@contextmanager
def noted(workspace: Path, flow: str) -> Iterator[None]:
    """Around a flow: a sentence that it ends with is kept, a good end settles what was begun before it began.

    Whoever leaves the work pending calls `pend` after this.
    """
    before = of(workspace, flow)
    try:
        yield
    except AssayError as error:
        _update(workspace, flow, before, said=str(error))
        raise
    _update(workspace, flow, before, said="", done=True)


def _update(workspace: Path, flow: str, before: Attempt | None, **changes: Any) -> None:
    """Change the entry, unless the sweeper has begun other work meanwhile."""
    entry = of(workspace, flow)
    if before is not None and entry is not None and entry.key == before.key:
        _write(workspace, _read(workspace) | {flow: replace(entry, pending=False, **changes)})


def pend(workspace: Path, flow: str, sentence: str, *, now: str) -> None:
    """The work is done as far as it can be: it waits for a remote, and is finished by a later call."""
    _write(workspace, _read(workspace) | {flow: Attempt("", 0, now, sentence, pending=True)})


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
