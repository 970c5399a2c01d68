"""What does DVC do for us?

The only place that calls DVC, through its Python API: one Repo a call (10 ms), because a CLI start costs 1.3 s. DVC's
lock is keyed by process, so calls are serial within one; its printing is silenced; its cache of what a remote holds
lives in the workspace, so that it goes where the workspace goes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import dvc.stage.run
from dvc.exceptions import CheckoutError, DvcException, InitError, OutputNotFoundError, UploadError
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.stage.exceptions import StageCmdFailedError, StageCommitError

from .. import durable, telemetry
from ..model import Mistake, StageFailed

_one_at_a_time = threading.RLock()


class RemoteDown(Exception):
    """The DVC remote does not answer: whatever was to be sent waits, nothing is lost."""


class MustRun(Exception):
    """The stage would have to run, which was not asked for: no cache has its result."""


@contextmanager
def quiet() -> Iterator[None]:
    """DVC's progress and hints ("To track the changes with git, run ...") are not for our users."""
    logger = logging.getLogger("dvc")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "_NoneStep.value will soon raise AttributeError", DeprecationWarning)
            yield
    finally:
        logger.setLevel(before)


@contextmanager
def repository(workspace: Path) -> Iterator[Any]:
    """The workspace's DVC repository, quiet, one at a time in this process; a busy one is a sentence.

    DVC looks names up in, and refuses to work outside of, the CURRENT folder, whatever root it was given (3.67).
    """
    assert workspace.is_absolute(), workspace
    settings = {"core": {"site_cache_dir": str(workspace / ".dvc" / "tmp" / "site"), "analytics": False}}
    with _one_at_a_time, quiet(), chdir(workspace):
        try:
            with Repo(str(workspace), config=settings) as repo:
                yield repo
        except LockError:
            raise Mistake(f"Another DVC command is running in '{workspace}'. Wait for it, then run again.") from None


def init(workspace: Path) -> None:
    """`dvc init` without telemetry, copies instead of hard links, and a folder of the workspace as the remote."""
    durable.step("dvc init")
    with _one_at_a_time, quiet():
        try:
            Repo.init(str(workspace), force=(workspace / ".dvc").exists()).close()
        except InitError as error:
            raise Mistake(f"DVC cannot start in '{workspace}': {error}.") from None


def configure(workspace: Path, remote: str) -> None:
    """.dvc/config: hard links would let an in-place write corrupt the cache, so copies (or reflinks) it is."""
    durable.write_text(
        workspace / ".dvc" / "config",
        "[core]\n    analytics = false\n    check_update = false\n    remote = store\n"
        f'[cache]\n    type = "reflink,copy"\n[\'remote "store"\']\n    url = {remote}\n',
    )


# --- stages ----------------------------------------------------------------------------------------------------------


def reproduce(
    workspace: Path, stage: str, on_line: Callable[[str], None], *, run: bool = True, pull: bool = False
) -> bool:
    """Run one stage if anything it follows from has changed: True if it ran, False if DVC had the result already.

    Each line that the stage prints is handed to `on_line` as it comes, in the calling thread. A failure raises
    StageFailed with the stage's own sentence. The stage finds this interpreter first in PATH, and dies with us.
    With `run=False` a stage that has changed raises MustRun instead; `pull` also looks in the remote's run cache.
    """
    error_file = workspace / ".assay" / "logs" / f"{stage}.error"
    error_file.unlink(missing_ok=True)
    environment = telemetry.OFF | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "ASSAY_PARENT": str(os.getpid()),
    }
    durable.step(f"dvc repro {stage}")
    said: list[str] = []
    with _child_lines(on_line, said, run=run), repository(workspace) as repo:
        try:
            repo.reproduce(targets=[stage], single_item=True, run_env=environment, pull=pull)
        except LockError:
            raise
        except DvcException as error:
            if said and not run:
                raise MustRun(stage) from None
            if error_file.exists():
                said_last = json.loads(error_file.read_text(encoding="utf-8"))
                raise StageFailed(said_last["message"], transient=said_last["transient"]) from None
            root = _root(error)
            if isinstance(root, FileNotFoundError) and root.filename:
                absent = Path(os.path.relpath(root.filename, workspace))
                raise StageFailed(f"Stage '{stage}' needs '{absent}', which is not there yet. Run: assay run") from None
            command_failed = isinstance(_root(error), StageCmdFailedError)
            reason = said[-1] if command_failed and len(said) > 1 else _deepest(error)
            raise StageFailed(f"Stage '{stage}' failed: {reason.rstrip('.')}. Run: dvc repro {stage}") from None
    return bool(said)


@contextmanager
def _child_lines(on_line: Callable[[str], None], said: list[str], *, run: bool) -> Iterator[None]:
    """DVC lets a stage's command inherit our output, where no task run's log would see it: read it instead.

    `said` gets the command first, so that it also tells whether one was started (DVC's run cache may restore the
    result without), then every line. `_run` is DVC's own seam for starting a command (3.67); a test watches it.
    """

    allowed, here = (
        run,
        Path.cwd(),
    )  # the stage has a folder of its own; while it runs, ours is what the caller thinks it is

    def start(executable: str | None, command: str, **options: Any) -> None:
        said.append(command)
        if not allowed:
            raise StageCmdFailedError(command, 0)
        with (
            chdir(here),
            subprocess.Popen(
                [executable or "/bin/sh", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # so that the shell and what it started can be ended together
                **options,
            ) as child,
        ):
            try:
                assert child.stdout is not None
                for line in child.stdout:
                    said.append(line.rstrip("\n"))
                    on_line(said[-1])
            except BaseException:
                os.killpg(child.pid, signal.SIGKILL)  # whoever watches has gone: leave no stage writing
                raise
        if child.returncode:
            raise StageCmdFailedError(command, child.returncode)

    original = dvc.stage.run._run
    dvc.stage.run._run = start
    try:
        yield
    finally:
        dvc.stage.run._run = original


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _deepest(error: BaseException) -> str:
    return " ".join(str(_root(error)).split())


def out_of_date(workspace: Path, stage: str) -> str | None:
    """Why the outputs of `stage` are not what dvc.lock says they follow from, or None if they are."""
    with repository(workspace) as repo:
        try:
            entries = repo.status(targets=[stage]).get(stage, [])
        except DvcException as error:
            return _deepest(error)
    reasons = [
        f"{path} is {state}" if isinstance(state, str) else f"{path} has changed"
        for entry in entries
        for part in (entry.values() if isinstance(entry, dict) else [{str(entry): "changed"}])
        for path, state in (part.items() if isinstance(part, dict) else [(str(part), "changed")])
        if state != "not in cache"  # the files are right: `commit` brings the objects back
    ]
    return "; ".join(reasons) or None


# --- data ------------------------------------------------------------------------------------------------------------


def add(workspace: Path, path: str) -> None:
    """`dvc add`: a copy of the bytes into the cache, their hash into `<path>.dvc`.

    Without relinking, which would take the files away for a moment: killed then, the next add would record a drop
    without them.
    """
    durable.step(f"dvc add {path}")
    with repository(workspace) as repo:
        repo.add(path, relink=False)


def commit(workspace: Path, target: str) -> None:
    """`dvc commit` of what has not changed: brings back what the cache has lost; Mistake if it has changed."""
    durable.step(f"dvc commit {target}")
    with repository(workspace) as repo:
        try:
            repo.commit(target, relink=False)
        except StageCommitError:
            raise Mistake(f"The files of '{target}' are not what DVC recorded. Run: dvc status {target}") from None


def push(workspace: Path, path: str | None = None, *, run_cache: bool = False) -> None:
    """Send what the remote lacks (all outs of the workspace, or of one path); RemoteDown if it does not answer.

    `run_cache`: also which result followed from which inputs, so that another clone need not run the stage.
    """
    durable.step("dvc push")
    with repository(workspace) as repo, down_means_remote_down():
        repo.push(targets=path, run_cache=run_cache)


def pull(workspace: Path, path: str, *, force: bool = False) -> None:
    """Bring back one path (never a list: DVC drops entries of a mixed one without a word).

    A folder that only holds outs needs `recursive`; with it, one that IS an out and is there already is left as it is.
    `force`: files that differ and are in no cache are replaced; without it DVC refuses.
    """
    durable.step(f"dvc pull {path}")
    with repository(workspace) as repo, down_means_remote_down():
        try:
            recursive = (workspace / path).is_dir() and not _is_out(repo, workspace / path)
            repo.pull(targets=[path], recursive=recursive, force=force)
        except CheckoutError as error:
            raise Mistake(f"DVC cannot bring back '{path}': {_deepest(error)}. Run: assay verify") from None


def deps_of(workspace: Path, stage: str) -> list[str]:
    """The paths that a stage follows from, as dvc.yaml names them."""
    with repository(workspace) as repo:
        (found,) = repo.stage.collect(stage)
        return [dep.def_path for dep in found.deps if dep.protocol == "local" and not hasattr(dep, "params")]


def _is_out(repo: Any, path: Path) -> bool:
    try:
        return bool(repo.find_outs_by_path(str(path)))
    except OutputNotFoundError:
        return False


@contextmanager
def down_means_remote_down() -> Iterator[None]:
    # The store's client is imported only where such a remote is used, so its error class is looked up, not imported.
    client = getattr(sys.modules.get("botocore.exceptions"), "BotoCoreError", UploadError)
    try:
        yield
    except (UploadError, OSError, client) as error:
        raise RemoteDown(_deepest(error)) from None
    except DvcException as error:
        if isinstance(error, LockError | CheckoutError):
            raise
        raise RemoteDown(_deepest(error)) from None


def md5_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
