"""How do several processes live and die together?

Each child is the leader of a session of its own, so that Ctrl-C reaches only us and we end them in order; its lines go
to a log file; it dies with us, even where we are killed (prctl on Linux).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 8.0  # seconds between asking a child to end and ending it
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Child:
    """A process that we have started."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def last_lines(self, count: int = 5) -> str:
        """The end of its log, for a person who asks why it ended."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


def start(name: str, command: Sequence[str], *, logs: Path, cwd: Path, environment: Mapping[str, str]) -> Child:
    """Start a child; its output is appended to `logs`/<name>.log."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    with open(log, "ab") as lines:
        process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    return Child(name, process, log)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end(children: Sequence[Child]) -> None:
    """Ask all but the first to end, then the first, upon which the others stand; end by force who does not."""
    for group in (children[1:], children[:1]):
        for child in group:
            if child.alive:
                child.process.terminate()
        deadline = time.monotonic() + PATIENCE
        for child in group:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            with suppress(ProcessLookupError, PermissionError):  # whatever it has started goes with it
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
