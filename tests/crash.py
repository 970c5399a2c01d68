"""A harness that kills an operation at each of its numbered steps and asks whether the rest of the world can tell.

Each point: a fresh copy of the workspace, a forked child that dies (SIGKILL) or meets an OSError before its n-th
operation, a look at what it left (`at_rest`: true at every moment), the same operation again, and a look at that
(`when_done`). Power loss is judged from the trace: what was renamed but not yet synced when the next
thing relied on it.

Covered: every step that durable.py numbers. Not covered: a kill in the middle of git or DVC (test_kills samples those).
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks import durable, versions
from tasks.model import Mistake
from tasks.versions import data, git

Operation = Callable[[Path], object]
Look = Callable[[Path], list[str]]


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A temp folder in memory where there is one: thousands of fsyncs cost nothing there."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forked(work: Callable[[], object]) -> str:
    """Do `work` in a forked child: "" when it ends well, "killed", or its error in words."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        message = b""
        try:
            durable._operations = itertools.count(1)
            work()
        except BaseException as error:
            message = f"{type(error).__name__}: {error}\n{traceback.format_exc()}".encode()
        os.write(writer, message[:60_000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        message = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return "killed" if os.WTERMSIG(status) == signal.SIGKILL else f"died of signal {os.WTERMSIG(status)}"
    return message.decode()


def trace(operation: Operation, workspace: Path) -> list[str]:
    """The names of the operation's steps, in order: of a whole run in a forked child."""
    log = workspace.parent / "trace"

    def work() -> None:
        os.environ["ASSAY_TRACE_OPS"] = str(log)
        operation(workspace)

    outcome = forked(work)
    assert outcome == "", outcome
    return [line.split(" ", 2)[2] for line in log.read_text().splitlines()]


@dataclass(frozen=True)
class Fault:
    """What happens to the child before its n-th step."""

    name: str
    arm: Callable[[int], None]


def _kill_at(n: int) -> None:
    os.environ["ASSAY_KILL_AT"] = str(n)


def raise_at(code: int) -> Callable[[int], None]:
    """The n-th step meets an OSError with this errno, once."""

    def arm(n: int) -> None:
        count, original = itertools.count(1), durable.step

        def step(name: str) -> None:
            original(name)
            if next(count) == n:
                raise OSError(code, os.strerror(code), name)

        durable.step = step

    return arm


KILL = Fault("kill", _kill_at)


def go_through(
    start: Path,
    operation: Operation,
    *,
    at_rest: Look,
    when_done: Look,
    fault: Fault = KILL,
    only: Callable[[str], bool] = lambda name: True,
) -> tuple[int, list[str]]:
    """Every point of `operation` on copies of `start`: the number of points, and what went wrong, one line each."""
    with fast_folder() as folder:
        steps = trace(operation, copy(start, folder / "trace-run"))
        points = [n for n, name in enumerate(steps, 1) if only(name)]
        problems: list[str] = []
        for n in points:
            workspace = copy(start, folder / str(n))
            where = f"{fault.name} at {n} ({steps[n - 1]})"

            def broken(n: int = n, workspace: Path = workspace) -> None:
                fault.arm(n)
                operation(workspace)

            outcome = forked(broken)
            if fault is KILL and outcome != "killed":
                problems.append(f"{where}: not killed: {outcome}")
            elif "Traceback" in outcome and not outcome.startswith(Mistake.__name__):
                problems.append(f"{where}: no sentence but {outcome.splitlines()[0]}")
            problems += [f"{where}: {found}" for found in at_rest(workspace)]
            if again := forked(lambda workspace=workspace: operation(workspace)):  # type: ignore[misc]
                problems.append(f"{where}: the next call fails: {again.splitlines()[0]}")
            problems += [f"{where}: then {found}" for found in when_done(workspace)]
            shutil.rmtree(workspace.parent)
    return len(points), problems


def copy(start: Path, folder: Path) -> Path:
    """A copy of the workspace and of what lies beside it (remotes)."""
    shutil.copytree(start.parent, folder, symlinks=True)
    return folder / start.name


# --- looks -----------------------------------------------------------------------------------------------------------


def whole(workspace: Path) -> list[str]:
    """At every moment: state files are old or new, never half; every tag names a complete, provable revision."""
    problems = []
    for path in [workspace / "data" / "revision.json", *(workspace / "data" / "drops").glob("*/receipt.json")]:
        try:
            json.loads(path.read_text() if path.exists() else "{}")
        except ValueError:
            problems.append(f"{path.name} is half written")
    try:
        problems += versions.verify(workspace)
    except (Mistake, data.RemoteDown) as error:
        problems.append(str(error))
    return problems


def in_order(workspace: Path) -> list[str]:
    """After the second call: nothing uncommitted, nothing left over, DVC in agreement."""
    problems = [f"{status} {path} is not committed" for status, path in git.changed(workspace, untracked=True)]
    problems += [f"{path} is left over" for path in workspace.rglob(".*.tmp-*")]
    if reason := data.out_of_date(workspace, "revise"):
        problems.append(reason)
    return problems


def lost_by_power(steps: list[str]) -> list[str]:
    """What a power cut could undo though later steps rely on it: files renamed unsynced, names not synced.

    The model: a written file is safe after its fsync, a rename after an fsync of its folder. Whatever is not safe when
    git, DVC, an acknowledgement or the end of the operation comes is a fault.
    """
    problems, unsynced, unnamed = [], set(), []
    for name in [*steps, "end"]:
        verb, _, target = name.partition(" ")
        target = re.sub(r"^\.(.+)\.tmp-\d+$", r"\1", target)  # a temp file stands for what it becomes
        if verb in ("write", "append"):
            unsynced.add(target)
        elif verb == "fsync":
            unsynced.discard(target)
        elif verb in ("rename", "rename-folder"):
            if target in unsynced:
                problems.append(f"{target} is renamed before its bytes are on the disk")
            unnamed.append(target)
        elif verb == "fsync-folder":
            unnamed.clear()
        elif verb in ("git", "dvc", "acknowledge", "end"):
            problems += [f"the name {target} is not on the disk at '{name}'" for target in unnamed]
            problems += [f"the bytes of {target} are not on the disk at '{name}'" for target in sorted(unsynced)]
            unnamed, unsynced = [], set()
    return problems
