"""Reading what was published: proved bytes, differences, and every corrupt copy named."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import toy_workspace as toy

from tasks import versions
from tasks.model import Mistake
from tasks.versions import git, objects
from tasks.versions.history import Diff

TABLE = "data/revise/dataset.parquet"
SHARD = "data/drops/0001-a/assets-0000.parquet"
SECOND = {"i1": ("0001-a", "dog"), "i2": ("0001-a", "cat"), "i4": ("0001-a", "dog")}


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A workspace with dataset@v1.0.0 (FIRST) and dataset@v1.0.1 (SECOND)."""
    workspace = toy.first_revision_is_due(tmp_path / "ws")
    versions.publish(workspace)
    toy.decide(workspace, SECOND)
    versions.publish(workspace)
    return workspace


def object_path(workspace: Path, place: str, name: str, revision: str | None = None) -> Path:
    with objects.store(workspace) as here:
        oid = here.files(objects.outs_at(workspace, revision))[name]
    return workspace / place / "files" / "md5" / oid[:2] / oid[2:]


def spoil(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"X" + path.read_bytes()[1:])


def test_the_log_is_newest_first_with_counts_and_parents(two: Path) -> None:
    second, first = versions.log(two)
    assert (first.tag, first.parent, first.counts) == ("dataset@v1.0.0", None, {"items": 3, "classes": 2, "drops": 1})
    assert (second.tag, second.parent) == ("dataset@v1.0.1", "dataset@v1.0.0")
    assert second.counts == {"items": 3, "classes": 2, "drops": 1, "added": 1, "removed": 1, "relabelled": 2}
    assert second.commit == git.commit_of(two, "HEAD")
    assert second.at.endswith("+00:00")


def test_a_report_of_an_older_revision_is_read_from_the_cache_alone_and_only_with_right_bytes(two: Path) -> None:
    names = ["data/audit.json", "data/audit/noise.json"]  # the toy audit writes no noise.json
    shutil.rmtree(two / ".assay" / "remote", ignore_errors=True)
    assert versions.read_past(two, "v1.0.0", names) == {"data/audit.json": {"counts": {"items": 3}}}
    spoil(object_path(two, ".dvc/cache", "data/audit.json", "dataset@v1.0.0"))
    assert versions.read_past(two, "v1.0.0", names) == {}


@pytest.mark.parametrize("name", ["v1.0.0", "dataset@v1.0.0", "1.0.0"])
def test_an_older_revision_is_read_without_touching_the_workspace(two: Path, name: str) -> None:
    before = (two / TABLE).read_bytes()
    rows = versions.read_dataset(two, name)
    assert dict(zip(rows["item"], rows["y"], strict=True)) == {"i1": '"cat"', "i2": '"dog"', "i3": '"cat"'}
    assert (two / TABLE).read_bytes() == before
    assert git.git(two, "status", "--porcelain") == ""


def test_an_unknown_revision_is_answered_with_those_there_are(two: Path) -> None:
    with pytest.raises(
        Mistake, match=r"Unknown revision 'v9.0.0'. The newest are: dataset@v1.0.1, dataset@v1.0.0. Run: assay log"
    ):
        versions.read_dataset(two, "v9.0.0")


def test_before_the_first_revision_the_next_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"There is no revision yet. Run: assay revise"):
        versions.read_dataset(toy.make(tmp_path / "ws"), "v1.0.0")


def test_the_difference_of_two_revisions_by_item_and_by_class_pair(two: Path) -> None:
    found = versions.diff(two, "v1.0.0", "v1.0.1")
    relabelled = {"i1": ('"cat"', '"dog"'), "i2": ('"dog"', '"cat"')}
    assert found == Diff("dataset@v1.0.0", "dataset@v1.0.1", ("i4",), ("i3",), relabelled)
    assert found.pairs() == [(("cat", "dog"), 1), (("dog", "cat"), 1)]
    assert found.lines() == ["i4: added", "i3: removed", "i1: cat -> dog", "i2: dog -> cat"]


def test_a_table_that_the_cache_has_lost_or_spoiled_comes_from_the_remote(two: Path) -> None:
    cached = object_path(two, ".dvc/cache", TABLE, "dataset@v1.0.0")
    spoil(cached)
    assert len(versions.read_dataset(two, "v1.0.0")) == 3
    cached.unlink()
    assert len(versions.read_dataset(two, "v1.0.0")) == 3


def test_a_table_that_is_wrong_everywhere_is_never_returned(two: Path) -> None:
    spoil(object_path(two, ".dvc/cache", TABLE, "dataset@v1.0.0"))
    spoil(object_path(two, ".assay/remote", TABLE, "dataset@v1.0.0"))
    with pytest.raises(Mistake, match="on the DVC remote has wrong bytes"):
        versions.read_dataset(two, "v1.0.0")


def test_shards_that_are_not_here_are_brought_back(two: Path) -> None:
    shutil.rmtree(two / "data" / "drops" / "0001-a")
    folder = versions.ensure_shards(two, ["0001-a/assets-0000.parquet"])
    assert (folder / "0001-a" / "assets-0000.parquet").exists()


def test_an_intact_workspace_has_no_problems(two: Path) -> None:
    assert versions.verify(two) == []
    assert versions.verify(two, "v1.0.0") == []


def test_two_shards_of_equal_bytes_are_read_each_by_itself(tmp_path: Path) -> None:
    workspace = toy.make(tmp_path / "ws")
    asset = {hashlib.sha256(b"i1").hexdigest(): b"i1"}
    for drop in ("0001-a", "0002-twin"):
        toy.pack(workspace, drop, asset)
        versions.share_drop(workspace, drop)
    toy.decide(workspace, {"i1": ("0001-a", "cat"), "i2": ("0002-twin", "cat")})
    versions.publish(workspace)
    assert versions.verify(workspace) == []
    twin = "data/drops/0002-twin/assets-0000.parquet"
    spoil(workspace / twin)
    assert versions.verify(workspace) == [
        f"'{twin}' in the workspace has wrong bytes. Run: dvc checkout --force {twin}"
    ]


@pytest.mark.parametrize(
    ("place", "sentence"),
    [(".dvc/cache", "has wrong bytes in the cache"), (".assay/remote", "has wrong bytes on the DVC remote")],
)
@pytest.mark.parametrize("name", [TABLE, SHARD])
def test_verify_names_the_spoiled_object_and_where_it_is(two: Path, place: str, sentence: str, name: str) -> None:
    spoil(object_path(two, place, name))
    (problem,) = versions.verify(two)
    assert problem.startswith(f"'{name}' {sentence}")


def test_verify_names_a_spoiled_file_of_the_workspace(two: Path) -> None:
    spoil(two / SHARD)
    (problem,) = versions.verify(two, "v1.0.0")
    assert problem.startswith(f"'{SHARD}' in the workspace has wrong bytes. Run: dvc checkout --force")


def test_verify_names_an_object_that_the_remote_has_lost(two: Path) -> None:
    object_path(two, ".assay/remote", TABLE, "dataset@v1.0.0").unlink()
    (problem,) = versions.verify(two, "v1.0.0")
    assert problem.startswith(f"'{TABLE}' is missing on the DVC remote")
    assert versions.verify(two, "v1.0.1") == []


def test_verify_reads_older_revisions_too(two: Path) -> None:
    spoil(object_path(two, ".dvc/cache", TABLE, "dataset@v1.0.0"))
    assert len(versions.verify(two)) == 1
    assert versions.verify(two, "v1.0.1") == []
