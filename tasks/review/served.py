"""Is the review of this workspace served already, and where?

Writes  .assay/page.lock     held by the server for as long as it lives: the kernel frees it, after kill -9 too
        .assay/page.json     {"url": "http://127.0.0.1:8710", "pid": 4711}: where; true only while the lock is held

One server a workspace: it holds what people have on screen, and everybody's answers in memory.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .. import durable
from ..model import Mistake

LOCK = ".assay/page.lock"
FILE = ".assay/page.json"
LOOK = 0.5  # seconds between two looks of a server that waits for its turn
GLANCE, GLANCES = 0.05, 6  # and of one that does not: `find` has the lock for a moment, which is nobody's server


@dataclass(frozen=True, slots=True)
class Served:
    """Where the server of a workspace is."""

    url: str  # without a path
    pid: int


class Taken(Mistake):
    """Another process serves this workspace."""

    def __init__(self, there: Served | None) -> None:
        where = f" at {there.url} (process {there.pid})" if there else " by a process that is just starting"
        super().__init__(f"The pages of this workspace are served already{where}. End that with Ctrl-C first.")


def find(workspace: Path) -> Served | None:
    """The server that is alive now."""
    try:
        with open(workspace / LOCK, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _told(workspace)
    except OSError:
        return None
    return None


def _told(workspace: Path) -> Served | None:
    try:
        content = json.loads((workspace / FILE).read_bytes())
        return Served(str(content["url"]), int(content["pid"]))
    except (OSError, ValueError, TypeError, KeyError):  # it has the lock, and has not said where yet
        return None


def _taken(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def alone(workspace: Path, url: str, *, wait: Callable[[Served | None], None] | None = None) -> Iterator[None]:
    """Be the workspace's one server, at `url`. Who is not, raises Taken, or with `wait` is told once, and waits."""
    (workspace / ".assay").mkdir(exist_ok=True)
    with open(workspace / LOCK, "a+b") as lock:
        turn = 0
        while not _taken(lock):
            turn += 1
            if turn == GLANCES and wait is None:
                raise Taken(_told(workspace))
            if turn == GLANCES and wait is not None:
                wait(_told(workspace))
            time.sleep(GLANCE if turn < GLANCES else LOOK)
        durable.write_text(workspace / FILE, json.dumps({"url": url, "pid": os.getpid()}) + "\n")
        try:
            yield
        finally:
            (workspace / FILE).unlink(missing_ok=True)
