"""Publishing: the order of things, the name of the tag, what happens when a remote is dead, moved or corrupt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import toy_workspace as toy

from tasks import store, versions
from tasks.model import Mistake
from tasks.versions import data, git, manifest, objects
from tasks.versions.manifest import after, bump_between, candidates, version_of

CAT_FOR_DOG = toy.FIRST | {"i2": ("0001-a", "cat"), "i1": ("0001-a", "dog")}


@pytest.fixture
def due(tmp_path: Path) -> Path:
    return toy.first_revision_is_due(tmp_path / "ws")


def dvc(folder: Path, *arguments: str) -> str:
    """The command line that our users have, to see that it agrees."""
    command = [sys.executable, "-W", "ignore", "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


# --- names (pure) ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "version"),
    [("dataset@v1.2.3", (1, 2, 3)), ("v1.2.3", (1, 2, 3)), ("1.10.0", (1, 10, 0)), ("v1.2", None), ("x@v1.2.3", None)],
)
def test_a_tag_is_read_with_and_without_its_prefix(tag: str, version: tuple[int, int, int] | None) -> None:
    assert version_of(tag) == version


def test_the_next_tag_follows_the_kind_of_change() -> None:
    assert after(None, "patch") == "dataset@v1.0.0"
    assert [after("dataset@v1.2.3", bump) for bump in manifest.BUMPS] == [
        "dataset@v2.0.0",
        "dataset@v1.3.0",
        "dataset@v1.2.4",
    ]


@pytest.mark.parametrize(
    ("classes", "drops", "bump"),
    [(["cat", "dog"], ["a"], "patch"), (["cat", "dog"], ["a", "b"], "minor"), (["cat"], ["a", "b"], "major")],
)
def test_classes_weigh_more_than_drops_and_drops_more_than_labels(
    classes: list[str], drops: list[str], bump: str
) -> None:
    assert bump_between({"classes": classes, "drops": drops}, {"classes": ["dog", "cat"], "drops": ["a"]}) == bump


def test_after_going_back_the_tag_follows_the_newest_when_its_own_successor_is_taken() -> None:
    tags = {"dataset@v1.0.0", "dataset@v1.0.1", "dataset@v1.0.9"}
    assert candidates("dataset@v1.0.0", tags, "patch") == ["dataset@v1.0.1", "dataset@v1.0.9", "dataset@v1.0.10"]
    assert candidates("dataset@v1.0.9", tags, "patch") == ["dataset@v1.0.10"]


# --- the plain way ---------------------------------------------------------------------------------------------------


def test_the_first_revision_names_every_byte_it_consists_of(due: Path) -> None:
    published = versions.publish(due)
    assert published == versions.Published("dataset@v1.0.0", None, {"items": 3, "classes": 2, "drops": 1})
    assert published.sentence == "Published 'dataset@v1.0.0': 3 items, 2 classes, 1 drop."
    content = json.loads((due / "data" / "revision.json").read_text())
    table, shard = "data/revise/dataset.parquet", "data/drops/0001-a/assets-0000.parquet"
    assert content == {
        "tag": "dataset@v1.0.0",
        "parent": None,
        "counts": {"items": 3, "classes": 2, "drops": 1},
        "classes": ["cat", "dog"],
        "drops": ["0001-a"],
        "files": {table: {"sha256": store.sha256_file(due / table), "size": (due / table).stat().st_size}},
        "shards": {shard: {"sha256": store.sha256_file(due / shard), "size": (due / shard).stat().st_size}},
        "versions": content["versions"],
        "verdicts": {},
    }
    assert toy.messages(due)[:2] == ["revision: dataset@v1.0.0", "receive: 0001-a"]
    assert git.git(due, "cat-file", "-t", "dataset@v1.0.0") == "tag"
    assert git.git(due, "tag", "--points-at", "HEAD") == "dataset@v1.0.0"
    assert git.git(due, "status", "--porcelain") == ""
    assert data.out_of_date(due, "revise") is None
    assert versions.verify(due) == []


def test_publishing_once_more_changes_nothing(due: Path) -> None:
    versions.publish(due)
    before = toy.messages(due)
    again = versions.publish(due)
    assert (again.tag, again.new) == ("dataset@v1.0.0", False)
    assert again.sentence == "Nothing has changed since 'dataset@v1.0.0'."
    assert toy.messages(due) == before


def test_labels_move_the_patch_drops_the_minor_and_classes_the_major_number(due: Path) -> None:
    tags = [versions.publish(due).tag]
    toy.decide(due, CAT_FOR_DOG)
    tags.append(versions.publish(due).tag)
    toy.deliver(due, "0002-b", {"i4": "dog"})
    toy.decide(due, CAT_FOR_DOG | {"i4": ("0002-b", "dog")})
    tags.append(versions.publish(due).tag)
    toy.decide(due, CAT_FOR_DOG | {"i4": ("0002-b", "fox")})
    last = versions.publish(due)
    tags.append(last.tag)
    assert tags == ["dataset@v1.0.0", "dataset@v1.0.1", "dataset@v1.1.0", "dataset@v2.0.0"]
    assert last.parent == "dataset@v1.1.0"
    assert last.counts == {"items": 4, "classes": 3, "drops": 2, "added": 0, "removed": 0, "relabelled": 1}


def test_a_person_may_choose_the_bump(due: Path) -> None:
    versions.publish(due)
    toy.decide(due, CAT_FOR_DOG)
    assert versions.publish(due, bump="major").tag == "dataset@v2.0.0"
    with pytest.raises(Mistake, match=r"Unknown bump 'huge'. Bumps are: major, minor, patch."):
        versions.publish(due, bump="huge")


def test_after_a_rollback_the_next_revision_names_its_true_parent_and_takes_no_tag_twice(due: Path) -> None:
    versions.publish(due)
    toy.decide(due, CAT_FOR_DOG)
    versions.publish(due)
    git.git(due, "switch", "--quiet", "-c", "back", "dataset@v1.0.0")
    toy.decide(due, toy.FIRST | {"i3": ("0001-a", "dog")})
    published = versions.publish(due)
    assert (published.tag, published.parent) == ("dataset@v1.0.2", "dataset@v1.0.0")
    assert [revision.tag for revision in versions.log(due)] == ["dataset@v1.0.2", "dataset@v1.0.1", "dataset@v1.0.0"]


def test_answers_and_a_forgotten_drop_are_committed_before_the_revision(due: Path) -> None:
    (due / "data" / "verdicts" / "ann.jsonl").write_text("{}\n")
    toy.pack(due, "0002-b", {"b" * 64: b"two"})
    versions.share_drop(due, "0002-b")
    toy.decide(due, toy.FIRST)
    versions.publish(due)
    assert toy.messages(due)[:3] == ["revision: dataset@v1.0.0", "answers: 1", "receive: 0002-b"]
    log = due / "data" / "verdicts" / "ann.jsonl"
    assert manifest.at(due, "dataset@v1.0.0")["verdicts"] == {"ann.jsonl": store.sha256_file(log)}


# --- what a person must mend -----------------------------------------------------------------------------------------


def test_without_a_dataset_there_is_nothing_to_publish(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"data/revise is not up to date .*Run: assay revise"):
        versions.publish(toy.make(tmp_path / "ws"))


def test_a_dataset_older_than_its_inputs_is_not_published(due: Path) -> None:
    (due / "data" / "verdicts" / "ann.jsonl").write_text("{}\n")
    with pytest.raises(Mistake, match=r"data/verdicts is modified.*Run: assay revise"):
        versions.publish(due)


def test_a_dirty_workspace_is_not_published(due: Path) -> None:
    (due / "params.yaml").write_text("task: {}\n")
    with pytest.raises(Mistake, match=r"uncommitted changes in params.yaml"):
        versions.publish(due)


def test_a_detached_head_is_not_published(due: Path) -> None:
    git.git(due, "checkout", "--quiet", "--detach")
    with pytest.raises(Mistake, match=r"is on no branch. Run: git switch -c NAME"):
        versions.publish(due)


def test_a_shard_that_is_not_what_was_received_is_not_published(due: Path) -> None:
    store.write_json(due / "data" / "drops" / "0001-a" / "receipt.json", {"files": {"assets-0000.parquet": "0" * 64}})
    toy.decide(due, toy.FIRST)
    with pytest.raises(Mistake, match=r"assets-0000.parquet' is not what was received"):
        versions.publish(due)
    assert versions.log(due) == []


# --- faults ----------------------------------------------------------------------------------------------------------


def test_an_empty_rwlock_does_not_stop_a_publish(due: Path) -> None:
    (due / ".dvc" / "tmp" / "rwlock").write_text("")
    assert versions.publish(due).tag == "dataset@v1.0.0"


def test_a_dead_dvc_remote_leaves_the_revision_pending_and_the_next_call_finishes_it(due: Path) -> None:
    remote, away = due / ".assay" / "remote", due / ".assay" / "away"
    remote.rename(away)
    remote.write_text("in the way")
    published = versions.publish(due)
    assert (published.tag, published.pending) == ("dataset@v1.0.0", True)
    assert "Revision 'dataset@v1.0.0' is pending, nothing is lost." in published.sentence
    assert versions.log(due) == []
    assert not (due / "data" / "revision.json").exists()  # nobody is to read a tag there that does not exist
    remote.unlink()
    away.rename(remote)
    assert (versions.publish(due).tag, versions.verify(due)) == ("dataset@v1.0.0", [])


def flip(path: Path) -> None:
    """One bit, with the file's times and mode as they were: what a failing disk does."""
    stat = path.stat()
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    path.chmod(stat.st_mode)


def object_of(workspace: Path, name: str) -> str:
    with objects.store(workspace) as here:
        return here.files(objects.outs_at(workspace, None))[name]


def test_a_corrupt_cache_object_is_mended_from_the_workspace_and_never_published(due: Path) -> None:
    oid = object_of(due, "data/revise/dataset.parquet")
    flip(due / ".dvc" / "cache" / "files" / "md5" / oid[:2] / oid[2:])
    versions.publish(due)
    assert versions.verify(due) == []


def test_a_corrupt_object_on_the_remote_is_sent_again(due: Path) -> None:
    data.push(due)
    oid = object_of(due, "data/revise/dataset.parquet")
    flip(due / ".assay" / "remote" / "files" / "md5" / oid[:2] / oid[2:])
    versions.publish(due)
    assert versions.verify(due) == []


@pytest.mark.parametrize("place", [".dvc/cache", ".assay/remote"])
def test_a_folder_listing_that_a_kill_left_empty_stops_nothing(due: Path, place: str) -> None:
    data.push(due)
    oid = objects.outs_at(due, None)["data/revise"]
    listing = due / place / "files" / "md5" / oid[:2] / oid[2:]
    listing.chmod(0o644)
    listing.write_text("")
    versions.publish(due)
    assert versions.verify(due) == []


# --- the users' own tools --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_dvc_and_gto_understand_what_was_published(due: Path, tmp_path: Path) -> None:
    versions.publish(due)
    toy.decide(due, CAT_FOR_DOG | {"i4": ("0001-a", "cat")})
    versions.publish(due)
    metrics = json.loads(dvc(due, "metrics", "diff", "--json", "dataset@v1.0.0", "dataset@v1.0.1"))
    assert metrics["data/audit.json"] == {"counts.items": {"old": 3, "new": 4, "diff": 1}}
    dvc(due, "plots", "diff", "dataset@v1.0.0", "dataset@v1.0.1", "--out", str(tmp_path / "plots"))
    assert "confusion" in (tmp_path / "plots" / "index.html").read_text()
    assert json.loads(dvc(due, "status", "--json", "revise", "audit")) == {}
    dvc(due, "artifacts", "get", str(due), "dataset", "--rev", "v1.0.0", "--out", str(tmp_path / "got"))
    wanted = manifest.at(due, "dataset@v1.0.0")["files"]["data/revise/dataset.parquet"]["sha256"]
    assert store.sha256_file(tmp_path / "got" / "dataset.parquet") == wanted
