"""kill -9, a full disk, a power cut: before every numbered step of publishing and sharing; then the same call again.

The harness must find planted faults, or its zero proves nothing: the last tests break the code and expect to be told.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import crash
import numpy as np
import pytest
import toy_workspace as toy

from tasks import durable, store, versions
from tasks.versions import data, git, publishing

pytestmark = [
    pytest.mark.kills,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
]

SEED, POINTS = 7, 18
REVISION = ["revision: dataset@v1.0.0"]


@pytest.fixture(scope="module")
def due() -> Iterator[Path]:
    """One drop, three items, a revision to publish; copied for every kill."""
    with crash.fast_folder() as folder:
        (folder / "beside").mkdir()
        yield toy.first_revision_is_due(folder / "beside" / "ws")


@pytest.fixture(scope="module")
def due_with_origin(due: Path) -> Iterator[Path]:
    """The same, published to a git remote beside the workspace."""
    with crash.fast_folder() as folder:
        workspace = crash.copy(due, folder / "beside")
        git.git(folder / "beside", "init", "--quiet", "--bare", "--initial-branch", "main", "origin.git")
        git.git(workspace, "remote", "add", "origin", "../origin.git")
        yield workspace


@pytest.fixture(scope="module")
def packed() -> Iterator[Path]:
    """A drop that is received but not shared, and an earlier revision."""
    with crash.fast_folder() as folder:
        (folder / "beside").mkdir()
        workspace = toy.first_revision_is_due(folder / "beside" / "ws")
        versions.publish(workspace)
        toy.pack(workspace, "0002-b", {"b" * 64: b"two"})
        yield workspace


def published_once(workspace: Path) -> list[str]:
    problems = crash.whole(workspace) + crash.in_order(workspace)
    if [revision.tag for revision in versions.log(workspace)] != ["dataset@v1.0.0"]:
        problems.append(f"the revisions are {versions.log(workspace)}")
    if toy.messages(workspace)[:2] != [*REVISION, "receive: 0001-a"]:
        problems.append(f"the commits are {toy.messages(workspace)}")
    origin = workspace.parent / "origin.git"
    for name in ("main", "dataset@v1.0.0") if origin.exists() else ():
        if git.commit_of(origin, name) != git.commit_of(workspace, "HEAD"):
            problems.append(f"{name} on the git remote is not ours")
    return problems


def shared_once(workspace: Path) -> list[str]:
    problems = crash.whole(workspace)
    if versions.unshared_drops(workspace):
        problems.append("the drop is not shared")
    drop = workspace / "data" / "drops" / "0002-b"
    for name, sha256 in store.read_json(drop / "receipt.json")["files"].items():
        if not (drop / name).exists() or store.sha256_file(drop / name) != sha256:
            problems.append(f"{name} of the drop is lost")
    data.pull(workspace, "data/drops/0002-b.dvc")  # what the .dvc file names is all there
    if toy.messages(workspace)[:2] != ["receive: 0002-b", *REVISION]:
        problems.append(f"the commits are {toy.messages(workspace)}")
    problems += [f"{path} is not committed" for _, path in git.changed(workspace, untracked=True)]
    return problems


def share(workspace: Path) -> object:
    return versions.share_drop(workspace, "0002-b")


def test_publish_survives_a_kill_before_each_of_its_steps(due: Path) -> None:
    points, problems = crash.go_through(due, versions.publish, at_rest=crash.whole, when_done=published_once)
    assert (problems, points >= 11) == ([], True)


def test_publish_to_a_git_remote_survives_a_kill_around_each_git_step(due_with_origin: Path) -> None:
    points, problems = crash.go_through(
        due_with_origin,
        versions.publish,
        at_rest=crash.whole,
        when_done=published_once,
        only=lambda name: name.startswith("git "),
    )
    assert (problems, points >= 5) == ([], True)


def test_sharing_survives_a_kill_before_each_of_its_steps(packed: Path) -> None:
    points, problems = crash.go_through(packed, share, at_rest=crash.whole, when_done=shared_once)
    assert (problems, points >= 4) == ([], True)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_or_failing_disk_at_any_step_of_publish_is_a_sentence_and_the_next_call_finishes(
    due: Path, code: int
) -> None:
    fault = crash.Fault(os.strerror(code), crash.raise_at(code))
    points, problems = crash.go_through(
        due, versions.publish, at_rest=crash.whole, when_done=published_once, fault=fault
    )
    assert (problems, points >= 11) == ([], True)


def dies_inside(operation: crash.Operation, workspace: Path, n: int) -> None:
    """Run `operation` and be killed at the n-th thing that Python, DVC's code included, does to the files."""
    watched = ("os.rename", "os.remove", "os.mkdir", "open", "subprocess.Popen", "os.link", "os.chmod")
    count = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in watched and str(workspace) in str(arguments[:3]):
            count += 1
            if count == n:
                os.kill(os.getpid(), 9)

    sys.addaudithook(watch)
    operation(workspace)


@pytest.mark.parametrize("what", ["publish", "share"])
def test_a_kill_in_the_middle_of_dvc_loses_nothing(what: str, due: Path, packed: Path) -> None:
    start, operation, look = {
        "publish": (due, versions.publish, published_once),
        "share": (packed, share, shared_once),
    }[what]
    problems, killed = [], 0
    with crash.fast_folder() as folder:
        for n in sorted(np.random.default_rng(SEED).choice(np.arange(1, 300), size=POINTS, replace=False).tolist()):
            workspace = crash.copy(start, folder / str(n))
            outcome = crash.forked(lambda n=n, workspace=workspace: dies_inside(operation, workspace, n))  # type: ignore[misc]
            killed += outcome == "killed"
            problems += [f"at event {n}: {found}" for found in [outcome] if found not in ("", "killed")]
            problems += [f"at event {n}: {found}" for found in crash.whole(workspace)]
            again = crash.forked(lambda workspace=workspace: operation(workspace))  # type: ignore[misc]
            problems += [f"at event {n}: the next call fails: {again.splitlines()[0]}"] if again else []
            problems += [f"at event {n}: then {found}" for found in look(workspace)]
            shutil.rmtree(workspace.parent)
    assert (problems, killed >= POINTS // 3) == ([], True)


def test_a_power_cut_takes_back_nothing_that_a_later_step_relies_on(due: Path, packed: Path) -> None:
    with crash.fast_folder() as folder:
        steps = crash.trace(versions.publish, crash.copy(due, folder / "publish"))
        shared = crash.trace(share, crash.copy(packed, folder / "share"))
    assert crash.lost_by_power(steps) == crash.lost_by_power(shared) == []
    assert steps.index("fsync remote objects") < steps.index("git commit-tree")


# --- the harness finds what is planted -------------------------------------------------------------------------------


def _in_place(path: Path, writer: Callable[[Path], None]) -> None:
    durable.step(f"write {path.name}")
    writer(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    durable.step(f"go on writing {path.name}")
    path.write_bytes(content)


def test_planted_writing_in_place_is_found(due: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "write_with", _in_place)
    _, problems = crash.go_through(
        due, versions.publish, at_rest=crash.whole, when_done=published_once, only=lambda name: "revision.json" in name
    )
    assert any(problem.endswith("revision.json is half written") for problem in problems), problems


def test_planted_forgetting_to_sync_the_folder_is_found(due: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "sync_folder", lambda folder: None)
    with crash.fast_folder() as folder:
        steps = crash.trace(versions.publish, crash.copy(due, folder / "publish"))
    assert "the name revision.json is not on the disk at 'git add'" in crash.lost_by_power(steps)


def test_planted_tagging_before_the_push_is_found(due: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send, move = publishing._send, publishing._move

    def move_then_send(workspace: Path, *arguments: str | None) -> None:
        move(workspace, *arguments)  # type: ignore[arg-type]
        send(workspace, None)

    monkeypatch.setattr(publishing, "_send", lambda workspace, parent: None)
    monkeypatch.setattr(publishing, "_move", move_then_send)
    _, problems = crash.go_through(
        due,
        versions.publish,
        at_rest=crash.whole,
        when_done=published_once,
        only=lambda name: name.startswith("dvc push"),
    )
    assert any("'data/revise/dataset.parquet' is missing on the DVC remote" in problem for problem in problems), (
        problems
    )


def test_the_remote_being_down_is_no_crash(due: Path) -> None:
    """The look itself must not hide an error: a tag that cannot be proved is reported."""
    with crash.fast_folder() as folder:
        workspace = crash.copy(due, folder / "down")
        versions.publish(workspace)
        (workspace / ".assay" / "remote").rename(workspace / ".assay" / "away")
        assert crash.whole(workspace) != []
        assert data.out_of_date(workspace, "revise") is None
