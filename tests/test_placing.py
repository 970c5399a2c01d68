"""Does a stage run in another clone exactly as it would here, and never upon anything absent, stale or wrong?"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import crash
import pytest

from flows.digits import Digits, write_drop
from tasks import receive, shards, store, versions
from tasks.model import Mistake, StageFailed
from tasks.versions import data, git, pieces, placing

pytestmark = [pytest.mark.slow]


def quiet(line: str) -> None:
    return None


def deliver(workspace: Path, digits: Digits, drop: str, until: str = "ingest") -> None:
    """Receive a drop of real digits and run the stages up to `until` here."""
    landing = workspace / "data" / "incoming" / drop
    write_drop(digits, drop, landing, noise=0.05, seed=0)
    with versions.lock(workspace):
        versions.prepare_run(workspace)
        receipt = receive.receive(landing, workspace, received_at="2026-05-01T12:00:00Z")
        versions.share_drop(workspace, receipt.drop)
        for stage in ("ingest", "validate", "revise"):
            versions.reproduce(workspace, stage, quiet)
            if stage == until:
                break
        versions.commit_run(workspace, f"curate: {receipt.drop}")


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, toy_digits: Digits) -> Path:
    workspace = tmp_path_factory.mktemp("placing") / "ws"
    versions.init(workspace)
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("model: patches", "model: patches\n  fit_min: 100"))
    git.commit(workspace, "learn from the first drop", ["params.yaml"])
    deliver(workspace, toy_digits, "toy")
    return workspace


@pytest.fixture
def workspace(start: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(start, tmp_path / "ws", symlinks=True))


def on_worker(workspace: Path, clone: Path, stage: str) -> bool:
    """What flows/work.py and tasks/pools.py do, without a server between; whether the worker had to run it."""
    branch = placing.hand_out(workspace, stage)
    placing.take(clone, str(workspace), branch, stage)
    ran = versions.reproduce(clone, stage, quiet)
    placing.give_back(clone, stage)
    with pytest.raises(versions.MustRun):
        versions.reproduce(workspace, stage, quiet, run=False)
    placing.take_back(workspace, stage, quiet)
    placing.close(workspace, branch)
    return ran


def test_a_stage_runs_in_a_clone_and_its_result_is_that_of_a_run_here(
    workspace: Path, tmp_path: Path, toy_digits: Digits
) -> None:
    here = Path(shutil.copytree(workspace, tmp_path / "here", symlinks=True))
    versions.reproduce(here, "embed", quiet)
    clone = tmp_path / "clone"
    assert on_worker(workspace, clone, "embed")
    assert bytes_of(workspace / "data" / "embed") == bytes_of(here / "data" / "embed")
    assert not (workspace / ".assay" / "cache" / "embed").exists()  # it did not run here
    assert (clone / ".assay" / "cache" / "embed").exists()
    assert versions.reproduce(workspace, "embed", quiet, run=False) is False
    assert "run/" not in git.git(workspace, "branch", "--list", "--all")

    deliver(workspace, toy_digits, "more")  # the clone is used again, and has what it had
    on_worker(workspace, clone, "embed")
    deliver(here, toy_digits, "more")
    versions.reproduce(here, "embed", quiet)
    assert bytes_of(workspace / "data" / "embed") == bytes_of(here / "data" / "embed")
    assert store.read_report(workspace / "data" / "embed.json").counts["embedded"] == 40  # only the new drop's


def test_a_stale_clone_with_absent_inputs_is_never_green(workspace: Path, tmp_path: Path, toy_digits: Digits) -> None:
    clone = tmp_path / "clone"
    on_worker(workspace, clone, "embed")
    deliver(workspace, toy_digits, "more")
    branch = placing.hand_out(workspace, "embed")
    oid = data_oid(workspace, "data/ingest")
    lost = workspace / ".assay" / "remote" / "files" / "md5" / oid[:2] / oid[2:]
    kept = lost.read_bytes()
    lost.unlink()
    shutil.rmtree(clone / "data" / "ingest")  # DVC would skip the stage where its deps are absent
    with pytest.raises((StageFailed, Mistake, versions.RemoteDown)):
        placing.take(clone, str(workspace), branch, "embed")
    lost.write_bytes(kept)
    placing.take(clone, str(workspace), branch, "embed")
    assert versions.reproduce(clone, "embed", quiet)  # and not: nothing new
    assert len(list((clone / "data" / "embed" / "vectors").iterdir())) == 2


def data_oid(workspace: Path, path: str) -> str:
    from tasks.versions.objects import outs_at

    return outs_at(workspace, None)[path]


def test_an_input_with_wrong_bytes_on_the_remote_is_refused(workspace: Path, tmp_path: Path) -> None:
    branch = placing.hand_out(workspace, "embed")
    manifest = workspace / "data" / "ingest" / "manifest" / "0001-toy.parquet"
    oid = data.md5_file(manifest)
    sent = workspace / ".assay" / "remote" / "files" / "md5" / oid[:2] / oid[2:]
    content = bytearray(sent.read_bytes())
    content[len(content) // 2] ^= 1
    sent.chmod(0o644)
    sent.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StageFailed, match=r"^Input 'data/ingest/manifest/0001-toy.parquet' .* wrong bytes"):
            placing.take(tmp_path / "clone", str(workspace), branch, "embed")
    shutil.copyfile(manifest, sent)
    placing.take(tmp_path / "clone", str(workspace), branch, "embed")


def test_a_clone_recovers_from_whatever_a_killed_worker_left(workspace: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    branch = placing.hand_out(workspace, "embed")
    placing.take(clone, str(workspace), branch, "embed")
    lock = clone / ".git" / "index.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    manifest = clone / "data" / "ingest" / "manifest"
    (manifest / "0001-toy.parquet").write_bytes(b"a stage was killed before DVC had its result")
    (manifest / "0009-x.parquet").write_bytes(b"and so was this one")
    placing.take(clone, str(workspace), branch, "embed")
    assert not lock.exists()
    assert bytes_of(clone / "data" / "ingest") == bytes_of(workspace / "data" / "ingest")


def test_a_drop_that_the_workspace_has_no_longer_is_no_input_of_a_clone(workspace: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    placing.take(clone, str(workspace), placing.hand_out(workspace, "embed"), "embed")
    shutil.copytree(clone / "data/drops/0001-toy", clone / "data/drops/0002-gone")
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("ingest: {}", "ingest: {cores: 1}"))
    git.commit(workspace, "ingest runs again", ["params.yaml"])
    before = bytes_of(workspace / "data" / "ingest")
    placing.take(clone, str(workspace), placing.hand_out(workspace, "ingest"), "ingest")
    assert sorted(path.name for path in (clone / "data/drops").iterdir() if path.is_dir()) == ["0001-toy"]
    versions.reproduce(clone, "ingest", quiet)
    assert bytes_of(clone / "data" / "ingest") == before


@pytest.mark.parametrize("broken", ["empty", "no HEAD"])
def test_a_clone_with_half_a_git_never_works_on_the_workspace_around_it(workspace: Path, broken: str) -> None:
    clone = workspace / ".assay" / "workers" / "gpu"
    (clone / ".git" / "refs").mkdir(parents=True)
    if broken == "empty":
        (clone / ".git" / "refs").rmdir()
    branch = placing.hand_out(workspace, "embed")
    params = workspace / "params.yaml"
    edited = params.read_text() + "# a person's edit\n"
    params.write_text(edited)
    placing.take(clone, str(workspace), branch, "embed")
    assert params.read_text() == edited
    assert git.branch(workspace) == "main"
    assert "# a person's edit" not in (clone / "params.yaml").read_text()


def test_a_worker_that_is_killed_at_any_step_of_taking_a_stage_can_take_it_again(
    workspace: Path, tmp_path: Path
) -> None:
    branch = placing.hand_out(workspace, "embed")

    def take(clone: Path) -> None:
        placing.take(clone, str(workspace), branch, "embed")
        placing.give_back(clone, "ingest")

    steps = crash.trace(take, tmp_path / "traced")
    assert len(steps) > 8
    for n in range(1, len(steps) + 1):
        clone = tmp_path / f"killed-{n}"

        def killed(n: int = n, clone: Path = clone) -> None:
            os.environ["ASSAY_KILL_AT"] = str(n)
            take(clone)

        assert crash.forked(killed) == "killed", steps[n - 1]
        assert crash.forked(lambda clone=clone: take(clone)) == "", steps[n - 1]  # type: ignore[misc]
        assert bytes_of(clone / "data" / "ingest") == bytes_of(workspace / "data" / "ingest")


def test_run_branches_do_not_pile_up(workspace: Path, tmp_path: Path, toy_digits: Digits) -> None:
    origin = tmp_path / "origin.git"
    git.git(tmp_path, "init", "--quiet", "--bare", str(origin))
    git.git(workspace, "remote", "add", "origin", str(origin))
    left = placing.hand_out(workspace, "embed")  # by a run that is killed now
    deliver(workspace, toy_digits, "more")
    branch = placing.hand_out(workspace, "embed")
    assert branch != left
    for place in (workspace, origin):
        assert git.git(place, "for-each-ref", "--format=%(refname)", "refs/heads/run/") == f"refs/heads/{branch}"
    moved = origin.rename(tmp_path / "away.git")
    placing.close(workspace, branch)
    moved.rename(origin)
    placing.hand_out(workspace, "relate")
    assert branch not in git.git(origin, "for-each-ref", "--format=%(refname)")


def test_a_shard_that_a_clone_has_lost_is_pulled_again(workspace: Path, tmp_path: Path) -> None:
    branch, clone = placing.hand_out(workspace, "embed"), tmp_path / "clone"
    placing.take(clone, str(workspace), branch, "embed")
    shard = clone / "data" / "drops" / "0001-toy" / "assets-0000.parquet"
    shard.unlink()
    placing.take(clone, str(workspace), branch, "embed")
    assert shard.exists()


def test_a_worker_with_other_code_is_refused(workspace: Path, tmp_path: Path) -> None:
    path = workspace / "code.yaml"
    wanted = "0123456789ab"
    text = path.read_text()
    line = next(line for line in text.splitlines() if line.startswith("embed:"))
    path.write_text(text.replace(line, f'embed: "{wanted}"'))
    branch = placing.hand_out(workspace, "embed")
    with pytest.raises(StageFailed, match=rf"the workspace has {wanted}\. Install the same Assay"):
        placing.take(tmp_path / "clone", str(workspace), branch, "embed")


def test_a_result_that_was_not_given_back_is_asked_for_again_and_not_made_up(workspace: Path, tmp_path: Path) -> None:
    branch = placing.hand_out(workspace, "embed")
    placing.take(tmp_path / "clone", str(workspace), branch, "embed")
    versions.reproduce(tmp_path / "clone", "embed", quiet)
    with pytest.raises(StageFailed, match="is not on the DVC remote") as caught:
        placing.take_back(workspace, "embed", quiet)
    assert caught.value.transient
    assert placing.hand_out(workspace, "embed") == branch  # the same state, the same branch


def test_a_run_branch_that_is_gone_is_a_sentence(workspace: Path, tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match="Run branch 'run/embed-x' cannot be fetched"):
        placing.take(tmp_path / "clone", str(workspace), "run/embed-x", "embed")


def test_a_password_of_an_origin_is_in_no_sentence(tmp_path: Path) -> None:
    origin = "https://maria:s3cret@127.0.0.1:1/team/cats.git"
    with pytest.raises(StageFailed, match=r"from 'https://127\.0\.0\.1:1/team/cats\.git'") as caught:
        placing.take(tmp_path / "clone", origin, "run/embed-x", "embed")
    assert "s3cret" not in str(caught.value) and "maria" not in str(caught.value)


@pytest.mark.parametrize("stage", ["embed", "augment"])
def test_shards_on_two_clones_give_the_bytes_of_one_machine(
    workspace: Path, tmp_path: Path, toy_digits: Digits, stage: str
) -> None:
    deliver(workspace, toy_digits, "more", until="revise")
    here = Path(shutil.copytree(workspace, tmp_path / "here", symlinks=True))
    versions.reproduce(here, stage, quiet)
    branch = placing.hand_out(workspace, stage)
    for number, name in enumerate(("one", "two")):
        clone = tmp_path / name
        placing.take(clone, str(workspace), branch, stage)
        made = shards.start(clone, stage, number, 2, quiet)
        pieces.send(clone, stage, made, branch=branch, number=number)
        assert 0 < len(list((clone / ".assay" / "cache" / stage).iterdir())) == len(made)
    last = tmp_path / "one"
    assert pieces.fetch(last, stage, branch=branch, shards=2) == 1  # what the other one has made
    versions.reproduce(last, stage, quiet)
    report = store.read_report(last / "data" / f"{stage}.json")
    assert report.counts["embedded" if stage == "embed" else "new"] == 0
    assert bytes_of(last / "data" / stage) == bytes_of(here / "data" / stage)


def test_a_piece_with_wrong_bytes_on_the_remote_is_made_again(
    workspace: Path, tmp_path: Path, toy_digits: Digits
) -> None:
    branch = placing.hand_out(workspace, "embed")
    clone, other = tmp_path / "clone", tmp_path / "other"
    placing.take(clone, str(workspace), branch, "embed")
    pieces.send(clone, "embed", shards.start(clone, "embed", 0, 1, quiet), branch=branch, number=0)
    (sent,) = (workspace / ".assay" / "remote" / "pieces" / "embed").rglob("vectors.parquet")
    sent.write_bytes(sent.read_bytes()[:-1] + b"x")
    placing.take(other, str(workspace), branch, "embed")
    assert pieces.fetch(other, "embed", branch=branch, shards=1) == 1  # what was learnt; not the wrong one
    versions.reproduce(other, "embed", quiet)
    assert store.read_report(other / "data" / "embed.json").counts["embedded"] > 0


def test_half_a_list_of_a_piece_is_no_piece_and_is_sent_again(workspace: Path, tmp_path: Path) -> None:
    branch = placing.hand_out(workspace, "embed")
    clone, other = tmp_path / "clone", tmp_path / "other"
    placing.take(clone, str(workspace), branch, "embed")
    names = shards.start(clone, "embed", 0, 1, quiet)
    pieces.send(clone, "embed", names, branch=branch, number=0)
    lists = list((workspace / ".assay" / "remote" / "pieces" / "embed").rglob(pieces.LIST))
    for path in lists:
        path.write_bytes(path.read_bytes()[:9])  # a kill, or a full disk, on a remote that is a folder
    placing.take(other, str(workspace), branch, "embed")
    assert pieces.fetch(other, "embed", branch=branch, shards=1) == 0
    pieces.send(clone, "embed", names, branch=branch, number=0)
    assert pieces.fetch(other, "embed", branch=branch, shards=1) == len(names) == len(lists)


def test_a_shard_that_fails_says_why(workspace: Path, tmp_path: Path) -> None:
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("model: patches", "model: resnet18\n  weights: nowhere.pt"))
    with pytest.raises(StageFailed, match=r"^Shard 0 of 2 of stage 'embed' failed: Weights '.*nowhere.pt'"):
        shards.start(workspace, "embed", 0, 2, quiet)


def test_shares_are_disjoint_whole_and_even() -> None:
    sizes = {f"d{n}": n for n in range(1, 30)}
    shared = [shards.share(sizes, number, 4) for number in range(4)]
    assert sorted(name for share in shared for name in share) == sorted(sizes)
    loads = [sum(sizes[name] for name in share) for share in shared]
    assert max(loads) - min(loads) <= 2
    assert shards.share({}, 0, 2) == []


def test_sharded_stages_are_those_that_can_be_shared() -> None:
    import tasks

    assert [s for s in tasks.STAGES if hasattr(tasks.stage_module(s), "shard")] == list(shards.SHARDED)


def test_the_deps_of_a_stage_are_those_of_dvc_yaml(workspace: Path) -> None:
    assert data.deps_of(workspace, "audit") == [
        "data/ingest",
        "data/validate",
        "data/embed",
        "data/relate",
        "data/model",
        "data/verdicts",
    ]
    assert json.loads((workspace / "data" / "ingest.json").read_text())["stage"] == "ingest"
