"""How does a stage run in another clone, on another machine?

The workspace hands the work out: the objects that the stage follows from go to the DVC remote, the record (dvc.lock,
code.yaml, params.yaml, the verdicts) to a run branch. A worker takes it into its own long-lived clone, runs the stage,
and gives the result back through the remote's run cache; it commits nothing. The workspace then finds the result there,
as if it had run the stage itself.

Covered: inputs that the remote does not have, or has wrong (each is pulled by its own name, then hashed: a stage
never runs upon, nor is skipped because of, something absent), a worker with other code (refused), a clone whose worker
was killed anywhere (its git, and what lies among the inputs, are put right first). Not covered: two workers on one
clone.
"""

from __future__ import annotations

import configparser
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from .. import durable
from ..model import Mistake, StageFailed
from ..store import read_json, write_json
from . import data, git
from .code import code_versions
from .objects import mapping, outs_at, store
from .sharing import own_changes
from .workspace import ready

BRANCHES = "run/"
PULLED = ".assay/cache/pulled.json"
NOT_THERE = 2  # what `git ls-remote --exit-code` says of a branch that the remote does not have
_ASSETS = re.compile(r"^data/drops/[^/]+/assets-\d+\.parquet$")


# --- the workspace ---------------------------------------------------------------------------------------------------


def hand_out(workspace: Path, stage: str) -> str:
    """Send what `stage` follows from; returns the run branch, the same one for the same state. RemoteDown may come."""
    with ready(workspace) as workspace:
        for path in _inputs(workspace, stage):
            data.push(workspace, path)
        git.stage(workspace, own_changes(workspace))
        tree = git.git(workspace, "write-tree")
        branch = f"{BRANCHES}{stage}-{tree[:16]}"
        commit = git.change(workspace, "commit-tree", tree, "-p", "HEAD", "-m", f"run: {stage}")
        git.change(workspace, "update-ref", f"refs/heads/{branch}", commit)
        _close_others(workspace, branch)
        if remote := git.remote(workspace):
            try:
                git.change(workspace, "push", "--quiet", "--force", remote, f"{commit}:refs/heads/{branch}")
            except git.GitFailed as failure:
                raise data.RemoteDown(f"git push {remote}: {failure.output.splitlines()[0]}") from None
        return branch


def take_back(workspace: Path, stage: str, on_line: Callable[[str], None]) -> None:
    """Bring the worker's result here; StageFailed (it may be tried again) where the remote does not have it."""
    with ready(workspace) as workspace:
        try:
            data.reproduce(workspace, stage, on_line, run=False, pull=True)
        except data.MustRun:
            raise StageFailed(
                f"The worker's result of stage '{stage}' is not on the DVC remote. Run it again: assay run",
                transient=True,
            ) from None


def close(workspace: Path, branch: str) -> None:
    """The run branch has done its service; one that cannot be removed now is removed by a later run."""
    remote = git.remote(workspace)
    if remote is not None and git.call(workspace, "push", "--quiet", remote, f":refs/heads/{branch}").returncode:
        there = git.call(workspace, "ls-remote", "--exit-code", remote, f"refs/heads/{branch}").returncode
        if there != NOT_THERE:
            return  # ours stays, so that it is not forgotten
    git.call(workspace, "update-ref", "-d", f"refs/heads/{branch}")


def _close_others(workspace: Path, branch: str) -> None:
    """Run branches that a killed run has left: runs in a workspace are serial, so nobody needs them any more."""
    for other in git.git(workspace, "for-each-ref", "--format=%(refname:lstrip=2)", f"refs/heads/{BRANCHES}").split():
        if other != branch:
            close(workspace, other)


# --- the worker ------------------------------------------------------------------------------------------------------


def take(clone: Path, origin: str, branch: str, stage: str) -> None:
    """Make `clone` what the run branch says, with the stage's inputs; Mistake or StageFailed says what is missing."""
    clone.mkdir(parents=True, exist_ok=True)
    if not _has_git_of_its_own(clone):
        _renew_git(clone)
    with ready(clone) as clone:  # repaired before git is asked for anything: a killed one may have left its lock
        _fetch(clone, origin, branch)
        _follow_the_remote(clone, origin)
        _compare_code(clone, stage)
        _bring_inputs(clone, stage)


def _bring_inputs(clone: Path, stage: str) -> None:
    outs = outs_at(clone, None)
    inputs = _inputs(clone, stage)
    wrong: list[str] = []
    for had in (_pulled(clone), {}):  # what is wrong although it was proved once is pulled again, all of it
        for path in inputs:
            if had.get(path) != outs[path] or not (clone / path).exists():
                data.pull(clone, path, force=True)
        _remove_strangers(clone, stage)
        if not (wrong := _wrong_inputs(clone, stage)):
            _note_pulled(clone, had | {path: outs[path] for path in inputs if path.startswith("data/drops/")})
            return
    _note_pulled(clone, {})
    raise StageFailed(
        f"Input '{wrong[0]}' of stage '{stage}' came from the DVC remote with wrong bytes. Run: assay verify"
    )


def without_password(text: str) -> str:
    """`text` with no user and password in an address: it goes to logs, and to the server."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


def _has_git_of_its_own(clone: Path) -> bool:
    """Whether git works here. Where `git init` was killed it takes the folder above, which may be the workspace."""
    return (clone / ".git").exists() and git.ask(clone, "rev-parse", "--show-prefix") == ""


def _renew_git(clone: Path) -> None:
    """An empty repository in place of a broken one, or of none: all that it holds can be fetched again."""
    shutil.rmtree(clone / ".git", ignore_errors=True)
    git.change(clone, "init", "--quiet", "--initial-branch", "main")


def _fetch(clone: Path, origin: str, branch: str) -> None:
    durable.write_text(clone / ".git" / "info" / "exclude", "/.prefect/\n")
    try:
        git.change(clone, "fetch", "--quiet", "--force", origin, f"refs/heads/{branch}:refs/assay/run")
    except git.GitFailed as failure:
        raise StageFailed(
            without_password(
                f"Run branch '{branch}' cannot be fetched from '{origin}': {failure.output.splitlines()[0]}"
            ),
            transient=True,
        ) from None
    git.change(clone, "checkout", "--quiet", "--force", "--detach", "refs/assay/run")


def _remove_strangers(clone: Path, stage: str) -> None:
    """Remove what lies in an input folder and is in no record, such as a drop that the workspace has no longer.

    The stage would take it for an input; the clone holds nothing of its own.
    """
    outs = outs_at(clone, None)
    tracked = git.lines(clone, "ls-files", "-z")
    for dep in data.deps_of(clone, stage):
        if dep in outs or not (clone / dep).is_dir():
            continue  # DVC has brought a whole out to its recorded state
        known = {path.removeprefix(f"{dep}/").partition("/")[0] for path in [*outs, *tracked]}
        for path in (clone / dep).iterdir():
            if path.name not in known:
                durable.step(f"remove stranger {path.name}")
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def give_back(clone: Path, stage: str) -> None:
    """Send the stage's result, and what it followed from, to the DVC remote."""
    with ready(clone) as clone:
        for path in (f"data/{stage}", f"data/{stage}.json"):
            data.push(clone, path, run_cache=True)


def _inputs(workspace: Path, stage: str) -> list[str]:
    """Every out that the stage follows from, by its own name: one list for all of them loses some without a word."""
    outs = outs_at(workspace, None)
    return [
        path
        for dep in data.deps_of(workspace, stage)
        for path in sorted(outs)
        if path == dep or path.startswith(f"{dep}/")
    ]


def _pulled(clone: Path) -> dict[str, str]:
    """The drops that were pulled and proved here: they never change, so they need not be asked for again."""
    try:
        return dict(read_json(clone / PULLED))
    except (Mistake, TypeError, ValueError):
        return {}


def _note_pulled(clone: Path, drops: dict[str, str]) -> None:
    (clone / PULLED).parent.mkdir(parents=True, exist_ok=True)
    write_json(clone / PULLED, drops)


def _wrong_inputs(clone: Path, stage: str) -> list[str]:
    """The files among the inputs that are absent or have other bytes than their record says.

    DVC believes what it has checked out (3.67), so they are hashed here; but not the assets, which are hashed whenever
    they are read. The wrong objects are forgotten, so that the next pull brings them anew.
    """
    outs = outs_at(clone, None)
    wrong = []
    with store(clone) as objects:
        for path, oid in objects.files({path: outs[path] for path in _inputs(clone, stage)}).items():
            if path.endswith("/"):  # a folder's listing is only in the cache
                right = objects.is_right_in_cache(oid)
            else:
                right = (clone / path).is_file() if _ASSETS.search(path) else _has(clone / path, oid)
            if not right:
                wrong.append(path)
                objects.forget(oid)
                if not path.endswith("/"):
                    (clone / path).unlink(missing_ok=True)
    return wrong


def _has(path: Path, oid: str) -> bool:
    return path.is_file() and data.md5_file(path) == oid


def _compare_code(clone: Path, stage: str) -> None:
    wanted = mapping("code.yaml", (clone / "code.yaml").read_text(encoding="utf-8")).get(stage)
    found = code_versions(clone)[stage]
    if wanted != found:
        raise StageFailed(
            f"This worker has version {found} of stage '{stage}', the workspace has {wanted}. "
            "Install the same Assay and requirements.lock on both."
        )


def _follow_the_remote(clone: Path, origin: str) -> None:
    """A DVC remote that is a folder relative to the workspace means the workspace's folder, not the clone's."""
    config = configparser.ConfigParser()
    config.read(clone / ".dvc" / "config", encoding="utf-8")
    name = config.get("core", "remote", fallback="")
    section = f"'remote \"{name}\"'"
    url = config.get(section, "url", fallback="")
    if not url:
        raise Mistake("The workspace has no DVC remote. Run there: dvc remote add --default NAME URL")
    home = Path(origin)
    if "://" in url or Path(url).is_absolute() or not home.is_dir():
        return
    local = configparser.ConfigParser()
    local[section] = {"url": str((home / ".dvc" / url).resolve())}
    text = io.StringIO()
    local.write(text)
    durable.write_text(clone / ".dvc" / "config.local", text.getvalue())
