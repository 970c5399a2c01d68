"""Is this folder a workspace, is it ours to change now, and is it in order?

One run at a time: .assay/lock (the kernel frees it when its holder dies). What a crash can leave behind is put right
at the start of every operation: DVC's rwlock at 0 bytes or naming dead processes, git's lock files, temp files.
"""

from __future__ import annotations

import errno
import fnmatch
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from dvc.lock import LockError, make_lock
from filelock import FileLock, Timeout

from .. import durable
from ..model import Mistake
from . import data, git

OWN = (  # what versions itself writes and commits
    "dvc.lock",
    "code.yaml",
    "data/revision.json",
    "data/.gitignore",
    "data/**/.gitignore",
    "data/drops/*.dvc",
    "data/model/*.dvc",
    "data/verdicts/*.jsonl",
)
_DVC_TEMPORARY = re.compile(r"^\.[A-Za-z0-9_-]{22}\.tmp$")
GIT_LOCK_SECONDS = 2.0  # a git lock file older than this, with no git process in the workspace, is a dead one's


def is_own(path: str) -> bool:
    """Whether a path (relative to the workspace) is one of those that only this package commits."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in OWN)


def open_workspace(folder: Path) -> Path:
    """The absolute path of the workspace at `folder`; otherwise one sentence with what to do."""
    if not folder.exists():
        raise Mistake(f"No folder '{folder}'. Make a workspace with: assay init {folder}")
    if not folder.is_dir():
        raise Mistake(f"'{folder}' is a file, not a workspace. Make a workspace with: assay init DIR")
    for name in ("params.yaml", "dvc.yaml", ".dvc"):
        if not (folder / name).exists():
            raise Mistake(f"Folder '{folder}' is not a workspace: it has no {name}. Run: assay init {folder}")
    root = folder.resolve()
    if git.ask(root, "rev-parse", "--is-inside-work-tree") != "true":
        raise Mistake(f"Folder '{folder}' is not in a git repository. Run: assay init {folder}")
    if git.commit_of(root, "HEAD") is None:
        raise Mistake(f"The git repository of '{folder}' has no commit. Run: assay init {folder}")
    return root


def write_note(workspace: Path, name: str, text: str) -> None:
    """A small file of the caller's own in the workspace, such as a mark of what made it."""
    durable.write_text(workspace / name, text)


# --- one run at a time -----------------------------------------------------------------------------------------------


@contextmanager
def lock(workspace: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the workspace. A second holder in another process waits, or gets a sentence that names the first.

    The same process may hold it several times over (a flow around its steps); DVC calls in it are serial anyway.
    """
    path = workspace / ".assay" / "lock"
    path.parent.mkdir(exist_ok=True)
    holder = path.with_name("lock.holder")
    file_lock = FileLock(path, is_singleton=True, thread_local=False)
    try:
        file_lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        who = holder.read_text(encoding="utf-8") if holder.exists() else "unknown"
        raise Mistake(
            f"Workspace '{workspace}' is in use by process {who}. Wait for it to end, then run again."
        ) from None
    try:
        holder.write_text(str(os.getpid()), encoding="utf-8")  # says who, decides nothing
        yield
    finally:
        file_lock.release()


@contextmanager
def ready(workspace: Path) -> Iterator[Path]:
    """The workspace (as an absolute path), held and repaired: how every operation of this package begins."""
    root = workspace.resolve()
    with lock(root):
        repair(root)
        try:
            yield root
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE):
                raise
            raise Mistake(
                f"Workspace '{workspace}' cannot be written ({error.strerror}). "
                "Nothing was half done; mend that and run the command again."
            ) from None


def reproduce(
    workspace: Path, stage: str, on_line: Callable[[str], None], *, run: bool = True, pull: bool = False
) -> bool:
    """Run one stage if anything it follows from has changed (data.reproduce), with the workspace held and repaired."""
    with ready(workspace) as workspace:
        return data.reproduce(workspace, stage, on_line, run=run, pull=pull)


# --- in order --------------------------------------------------------------------------------------------------------


def require_clean(workspace: Path) -> None:
    """Mistake naming what is changed but not committed, apart from what this package commits itself."""
    changes = git.changed(workspace, untracked=False)
    dirty = sorted(path for _, path in changes if not is_own(path))
    if dirty:
        names = ", ".join(dirty[:3]) + (f" and {len(dirty) - 3} more" if len(dirty) > 3 else "")
        raise Mistake(
            f"Workspace '{workspace}' has uncommitted changes in {names}. "
            'Commit them (git commit -a -m "...") or undo them (git restore FILE), then run again.'
        )


def repair(workspace: Path) -> list[str]:
    """Put right what a crash left; returns what was done, one sentence each. Costs a millisecond when all is well."""
    done = []
    if (sentence := _repair_rwlock(workspace)) is not None:
        done.append(sentence)
    done += _repair_git_locks(workspace)
    inside = workspace / "data"
    for folder in (inside, inside / "drops", inside / "verdicts", workspace, workspace / ".assay"):
        done += [f"Removed the leftover '{path}'." for path in durable.sweep(folder)]
    done += _sweep_dvc(workspace)
    return done


def _sweep_dvc(workspace: Path) -> list[str]:
    """DVC copies to `.<22 characters>.tmp` beside the target; one left in a drop would make the drop another one."""
    folders = (
        [f for f in (workspace / "data").iterdir() if f.name != "incoming"] if (workspace / "data").exists() else []
    )
    found = [f for f in folders if _DVC_TEMPORARY.match(f.name)]
    found += [
        f for folder in folders if folder.is_dir() for f in folder.rglob(".*.tmp") if _DVC_TEMPORARY.match(f.name)
    ]
    if not found:
        return []
    guard = make_lock(str(workspace / ".dvc" / "tmp" / "lock"), tmp_dir=str(workspace / ".dvc" / "tmp"))
    try:
        guard.lock()
    except LockError:
        return []  # a live DVC may be writing them
    try:
        for path in found:
            path.unlink(missing_ok=True)
    finally:
        guard.unlock()
    return [f"Removed the leftover '{path}'." for path in found]


def _repair_rwlock(workspace: Path) -> str | None:
    """DVC refuses every command while .dvc/tmp/rwlock is no JSON, or while a process it names seems to be alive.

    A pid counts as dead, too, when its process is younger than the file: it was given to another one since.
    """
    folder = workspace / ".dvc" / "tmp"
    path = folder / "rwlock"
    if not path.exists() or _is_in_order(path):
        return None
    guard = make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder))  # whoever writes the file holds this
    try:
        guard.lock()
    except LockError:
        return None  # a live DVC is writing it just now
    try:
        if _is_in_order(path):
            return None
        durable.step("remove rwlock")
        path.unlink()
        return f"Removed '{path}', which a killed DVC had left unusable."
    finally:
        guard.unlock()


def _is_in_order(path: Path) -> bool:
    """Whether an rwlock is readable and names only live processes, none of which is us: we have no lock yet."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        holders = [*content.get("write", {}).values(), *(r for rs in content.get("read", {}).values() for r in rs)]
        pids = {int(holder["pid"]) for holder in holders}
    except (ValueError, TypeError, AttributeError, KeyError):
        return False
    return all(_older_than(pid, path.stat().st_mtime) for pid in pids)


def _older_than(pid: int, moment: float) -> bool:
    try:
        return bool(psutil.Process(pid).create_time() <= moment + 1.0)
    except psutil.NoSuchProcess:
        return False


def _repair_git_locks(workspace: Path) -> list[str]:
    folder = git.folder(workspace)
    names = ("index.lock", "HEAD.lock", "config.lock", "packed-refs.lock")
    found = [folder / name for name in names] + list((folder / "refs").rglob("*.lock"))
    done = []
    for path in found:
        while path.exists():
            if time.time() - path.stat().st_mtime < GIT_LOCK_SECONDS:
                time.sleep(0.1)  # a git that is alive is soon done
                continue
            if _git_is_running_in(workspace):
                raise Mistake(f"Git is running in '{workspace}' and holds '{path}'. Wait for it, then run again.")
            durable.step(f"remove {path.name}")
            path.unlink()
            done.append(f"Removed '{path}', which a killed git had left.")
    return done


def _git_is_running_in(workspace: Path) -> bool:
    for process in psutil.process_iter():
        try:
            if process.name() == "git" and Path(process.cwd()).is_relative_to(workspace):
                return True
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return False
