"""Publishing to a git remote: branch and tag together, two publishers at once, clones that are behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import toy_workspace as toy

from tasks import versions
from tasks.model import Mistake, RevisionConflict
from tasks.versions import data, git

CAT_FOR_DOG = toy.FIRST | {"i2": ("0001-a", "cat"), "i1": ("0001-a", "dog")}


@pytest.fixture
def due(tmp_path: Path) -> Path:
    return toy.first_revision_is_due(tmp_path / "ws")


@pytest.fixture
def origin(tmp_path: Path, due: Path) -> Path:
    """A bare repository that `due` is published to, and one DVC remote for all clones."""
    bare = tmp_path / "origin.git"
    git.git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", str(bare))
    config = due / ".dvc" / "config"
    config.write_text(config.read_text().replace("../.assay/remote", str(tmp_path / "store")))
    git.commit(due, "a shared DVC remote", [".dvc/config"])
    git.git(due, "remote", "add", "origin", str(bare))
    return bare


def clone(origin: Path, folder: Path, workspace: Path) -> Path:
    git.git(origin.parent, "clone", "--quiet", str(origin), str(folder))
    with open(folder / ".git" / "info" / "exclude", "a") as exclude:
        exclude.write("/source/\n")
    for key, value in (("user.name", "two"), ("user.email", "two@localhost")):
        git.git(folder, "config", key, value)
    shutil.copytree(workspace / "source", folder / "source")
    data.pull(folder, "data/drops/0001-a.dvc")
    return folder


def test_branch_and_tag_reach_the_git_remote_together(due: Path, origin: Path) -> None:
    versions.publish(due)
    assert git.commit_of(origin, "main") == git.commit_of(origin, "dataset@v1.0.0") == git.commit_of(due, "HEAD")
    assert git.git(due, "status", "--porcelain") == ""


def test_a_dead_git_remote_leaves_the_revision_pending(due: Path, origin: Path) -> None:
    origin.rename(origin.with_name("away"))
    assert versions.publish(due).pending
    assert versions.log(due) == []
    origin.with_name("away").rename(origin)
    assert not versions.publish(due).pending
    assert git.commit_of(origin, "dataset@v1.0.0") == git.commit_of(due, "HEAD")


def test_of_two_publishers_one_wins_and_the_other_goes_on_from_there(due: Path, origin: Path, tmp_path: Path) -> None:
    versions.publish(due)
    other = clone(origin, tmp_path / "other", due)
    toy.decide(other, CAT_FOR_DOG)
    toy.decide(due, toy.FIRST | {"i3": ("0001-a", "dog")})
    (due / "data" / "verdicts" / "ann.jsonl").write_text("{}\n")
    toy.decide(due, toy.FIRST | {"i3": ("0001-a", "dog")})
    assert versions.publish(other).tag == "dataset@v1.0.1"
    with pytest.raises(RevisionConflict, match=r"has moved on 'origin' meanwhile \(newest revision: dataset@v1.0.1\)"):
        versions.publish(due)
    versions.prepare_run(due)  # what `assay revise` does first
    toy.decide(due, toy.FIRST | {"i3": ("0001-a", "dog")})
    published = versions.publish(due)
    assert (published.tag, published.parent) == ("dataset@v1.0.2", "dataset@v1.0.1")
    assert "answers: 1" in toy.messages(due)
    assert git.commit_of(origin, "main") == git.commit_of(due, "HEAD")
    assert versions.verify(due) == []


def test_a_clone_that_is_behind_takes_in_drops_and_answers(due: Path, origin: Path, tmp_path: Path) -> None:
    versions.publish(due)
    other = clone(origin, tmp_path / "other", due)
    toy.deliver(due, "0002-b", {"i4": "dog"})
    git.git(due, "push", "--quiet", "origin", "main")
    assert versions.update(other) == 1
    assert (other / "data" / "drops" / "0002-b" / "receipt.json").exists()
    assert versions.update(other) == 0


def test_a_clone_without_a_drop_brings_it_before_anything_is_taken_for_withdrawn(
    due: Path, origin: Path, tmp_path: Path
) -> None:
    versions.publish(due)
    toy.deliver(due, "0002-b", {"i4": "dog"})
    git.git(due, "push", "--quiet", "origin", "main")
    fresh = clone(origin, tmp_path / "fresh", due)  # a pull that broke off: the first drop alone
    (fresh / "data" / "drops" / "0001-a" / "assets-0000.parquet").unlink()  # and that one in the middle
    versions.prepare_run(fresh)
    for drop in ("0001-a", "0002-b"):
        here, there = (sorted(p.name for p in (ws / "data" / "drops" / drop).iterdir()) for ws in (due, fresh))
        assert here == there


def test_a_drop_that_cannot_be_had_stops_the_run(due: Path, origin: Path, tmp_path: Path) -> None:
    versions.publish(due)
    fresh = clone(origin, tmp_path / "fresh", due)
    shutil.rmtree(fresh / "data" / "drops" / "0001-a")
    shutil.rmtree(fresh / ".dvc" / "cache")
    (tmp_path / "store").rename(tmp_path / "away")
    with pytest.raises(Mistake, match=r"^(Drop '0001-a' is not here|DVC cannot bring back 'data/drops/0001-a)"):
        versions.prepare_run(fresh)


def test_a_shallow_clone_without_tags_finds_its_parent(due: Path, origin: Path, tmp_path: Path) -> None:
    versions.publish(due)
    shallow = tmp_path / "shallow"
    git.git(tmp_path, "clone", "--quiet", "--depth", "1", "--no-tags", f"file://{origin}", str(shallow))
    for key, value in (("user.name", "two"), ("user.email", "two@localhost")):
        git.git(shallow, "config", key, value)
    (shallow / ".git" / "info" / "exclude").write_text("/source/\n")
    data.pull(shallow, "data/drops/0001-a.dvc")
    toy.decide(shallow, CAT_FOR_DOG)
    assert versions.publish(shallow).parent == "dataset@v1.0.0"


def test_a_run_sends_its_record_and_a_silent_or_busy_remote_stops_nothing(
    due: Path, origin: Path, tmp_path: Path
) -> None:
    assert versions.push_record(due) is None
    assert git.commit_of(origin, "main") == git.commit_of(due, "HEAD")
    versions.publish(due)  # from there, as if it had not been sent
    assert git.commit_of(origin, "main") == git.commit_of(due, "dataset@v1.0.0")
    other = clone(origin, tmp_path / "other", due)
    for workspace in (due, other):
        (workspace / "data" / "verdicts" / f"{workspace.name}.jsonl").write_text("{}\n")
        git.commit(workspace, "answers: 1", [f"data/verdicts/{workspace.name}.jsonl"])
    assert versions.push_record(other) is None
    said = versions.push_record(due)
    assert said is not None and said.endswith("The next run sends it again.")
    versions.prepare_run(due)
    assert versions.push_record(due) is None
    git.git(due, "remote", "set-url", "origin", str(tmp_path / "nowhere"))
    assert "did not take branch 'main'" in str(versions.push_record(due))


def test_a_clone_without_an_identity_gets_one_before_its_first_run(
    due: Path, origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions.publish(due)
    other = clone(origin, tmp_path / "other", due)
    for key in ("user.name", "user.email"):
        git.git(other, "config", "--unset", key)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    versions.prepare_run(other)
    assert git.git(other, "config", "user.name") == "Assay"
