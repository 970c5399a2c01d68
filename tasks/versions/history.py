"""What was published, what changed between two revisions, and are their bytes still right?

Reads tags, data/revision.json at each of them, and the objects they name from the cache or the remote; the work tree
is left alone. Nothing read here is believed before its sha256 is that of the revision's own manifest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from .. import store as tables
from ..model import DATASET, REMOVED, Mistake, Table, label_text
from . import data, git, manifest
from .manifest import PREFIX
from .objects import Store, outs_at, store

TABLE = "data/revise/dataset.parquet"
LEFT_OUT = "data/revise/removed.parquet"


@dataclass(frozen=True, slots=True)
class Revision:
    """One published revision."""

    tag: str
    at: str  # when it was tagged, UTC, ISO 8601
    parent: str | None
    counts: Mapping[str, int]
    commit: str


@dataclass(frozen=True, slots=True)
class Diff:
    """What lies between two revisions, as item names in the order of the tables."""

    a: str
    b: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    relabelled: Mapping[str, tuple[str, str]]  # item -> (its label in a, its label in b) as JSON text

    def pairs(self) -> list[tuple[tuple[str, str], int]]:
        """((old class, new class), number of items), the most frequent first."""
        counts = Counter((label_text(old), label_text(new)) for old, new in self.relabelled.values())
        return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))

    def lines(self) -> list[str]:
        """One line an item."""
        changed = [f"{item}: {label_text(old)} -> {label_text(new)}" for item, (old, new) in self.relabelled.items()]
        return [*(f"{item}: added" for item in self.added), *(f"{item}: removed" for item in self.removed), *changed]


def identity(workspace: Path) -> str:
    """The same name in every clone of a workspace: the commit of its first drop, before it has one its first commit."""
    if git.git(workspace, "rev-parse", "--is-shallow-repository") == "true":
        raise Mistake(f"Workspace '{workspace}' is a shallow clone. Run: git fetch --unshallow --tags")
    drops = git.git(workspace, "log", "--reverse", "--diff-filter=A", "--format=%H", "--", "data/drops/*.dvc")
    return (drops or git.git(workspace, "rev-list", "--max-parents=0", "HEAD")).split()[0]


def log(workspace: Path) -> list[Revision]:
    """Every revision, newest first."""
    form = "--format=%(refname:short)%00%(creatordate:unix)%00%(*objectname)"
    told = [
        line.split("\0") for line in git.git(workspace, "for-each-ref", form, "refs/tags/" + PREFIX + "*").splitlines()
    ]
    facts = {tag: (when, commit) for tag, when, commit in told}
    revisions = []
    for tag in manifest.all_tags(workspace):
        content, (when, commit) = manifest.at(workspace, tag), facts[tag]
        at = datetime.fromtimestamp(int(when), UTC).isoformat()
        revisions.append(Revision(tag, at, content["parent"], content["counts"], commit))
    return revisions


def read_dataset(workspace: Path, revision: str) -> pd.DataFrame:
    """The table of a revision (model.DATASET), proved against its manifest."""
    return _read(workspace, revision, TABLE, DATASET)


def read_removed(workspace: Path, revision: str) -> pd.DataFrame:
    """What a revision leaves out of its drops, and why (model.REMOVED); empty for one that did not say."""
    workspace = workspace.resolve()
    if LEFT_OUT not in manifest.at(workspace, manifest.resolve(workspace, revision))["files"]:
        return tables.frame(REMOVED)
    return _read(workspace, revision, LEFT_OUT, REMOVED)


def _read(workspace: Path, revision: str, name: str, table: Table) -> pd.DataFrame:
    workspace = workspace.resolve()
    tag = manifest.resolve(workspace, revision)
    with store(workspace) as objects:
        path = _proved(workspace, objects, tag, name)
    return tables.read_table(path, table)


def read_past(workspace: Path, revision: str, names: Sequence[str]) -> dict[str, Any]:
    """Small JSON files that the stages left at a revision (`data/audit/noise.json`), those that this cache holds.

    Never asks the remote, so that a page waits for no network; bytes that are not what their name says are left out.
    """
    workspace = workspace.resolve()
    tag = manifest.resolve(workspace, revision)
    found = {}
    with store(workspace) as objects:
        for path, oid in outs_at(workspace, tag).items():
            wanted = [name for name in names if name == path or name.startswith(f"{path}/")]
            if wanted and objects.is_right_in_cache(oid):
                here = objects.files({path: oid})
                for name in wanted:
                    if name in here and objects.is_right_in_cache(here[name]):
                        found[name] = tables.read_json(objects.cached(here[name]))
    return found


def _proved(workspace: Path, objects: Store, tag: str, name: str) -> Path:
    """The cache's copy of a file of a revision; fetched again where it is absent or wrong."""
    wanted = manifest.at(workspace, tag)["files"][name]["sha256"]
    oid = _oids(workspace, objects, tag, ("data/revise",))[name]
    path = objects.cached(oid)
    if path.exists() and tables.sha256_file(path) == wanted:
        return path
    objects.forget(oid)
    try:
        path = objects.fetch(oid)
    except data.RemoteDown as down:
        raise Mistake(f"'{name}' of '{tag}' is not here, and the DVC remote does not answer ({down}).") from None
    if tables.sha256_file(path) != wanted:
        raise Mistake(f"'{name}' of '{tag}' is not what was published. Run: assay verify {tag}")
    return path


def _oids(workspace: Path, objects: Store, tag: str, folders: tuple[str, ...]) -> dict[str, str]:
    outs = {path: oid for path, oid in outs_at(workspace, tag).items() if path.startswith(folders)}
    return objects.files(outs)


def compare(a: str, before: pd.DataFrame, b: str, after: pd.DataFrame) -> Diff:
    """What lies between two tables of model.DATASET, called `a` and `b`."""
    old = dict(zip(before["item"], before["y"], strict=True))
    new = dict(zip(after["item"], after["y"], strict=True))
    added = tuple(item for item in new if item not in old)
    removed = tuple(item for item in old if item not in new)
    return Diff(a, b, added, removed, {item: (old[item], y) for item, y in new.items() if old.get(item, y) != y})


def diff(workspace: Path, a: str, b: str) -> Diff:
    """What changed from revision `a` to revision `b`."""
    tag_a, tag_b = manifest.resolve(workspace, a), manifest.resolve(workspace, b)
    return compare(tag_a, read_dataset(workspace, tag_a), tag_b, read_dataset(workspace, tag_b))


def ensure_shards(workspace: Path, shards: list[str]) -> Path:
    """data/drops with these shards (`<drop>/assets-0000.parquet`) in it, pulled where they are missing."""
    workspace = workspace.resolve()
    drops = workspace / "data" / "drops"
    for drop in sorted({shard.partition("/")[0] for shard in shards if not (drops / shard).exists()}):
        try:
            data.pull(workspace, f"data/drops/{drop}.dvc")
        except data.RemoteDown as down:
            raise Mistake(f"Drop '{drop}' is not here, and the DVC remote does not answer ({down}).") from None
    return drops


# --- verify ----------------------------------------------------------------------------------------------------------


def verify(workspace: Path, revision: str | None = None, *, remote: bool = True) -> list[str]:
    """Re-read every byte that a revision names (None: all revisions); returns what is wrong, one sentence each.

    Each file is read in the cache, on the remote, and, if it is what data/ should hold now, in data/. A copy that is
    merely absent here is no problem as long as the remote has it.
    """
    workspace = workspace.resolve()
    chosen = [manifest.resolve(workspace, revision)] if revision else manifest.all_tags(workspace)
    problems: dict[str, None] = {}  # in order, each once: revisions share most of their files
    hashes: dict[tuple[str, str], str | None] = {}
    present = outs_at(workspace, None)
    with store(workspace) as objects:
        for tag in chosen:
            content = manifest.at(workspace, tag)
            wanted: dict[str, Any] = content["files"] | content["shards"]
            try:
                oids = _oids(workspace, objects, tag, ("data/revise", "data/drops"))
            except (Mistake, data.RemoteDown) as error:
                problems[f"{tag}: {error}"] = None
                continue
            current = {p for p, oid in outs_at(workspace, tag).items() if present.get(p) == oid}
            for name, entry in wanted.items():
                in_data = any(name == out or name.startswith(out + "/") for out in current)
                for sentence in _file_problems(
                    workspace, objects, name, oids.get(name), entry["sha256"], hashes, in_data, remote
                ):
                    problems[sentence] = None
    return list(problems)


def _file_problems(
    workspace: Path,
    objects: Store,
    name: str,
    oid: str | None,
    sha256: str,
    hashes: dict[tuple[str, str], str | None],
    in_data: bool,
    remote: bool,
) -> list[str]:
    if oid is None:
        return [f"'{name}' is in the revision's manifest but in none of its DVC outs."]

    def digest(place: str) -> str | None:
        key = place, name if place == "data" else oid  # one object may be several files of the workspace
        if key not in hashes:
            path = {"cache": objects.cached(oid), "data": workspace / name}.get(place)
            if path is None:
                hashes[key] = objects.remote_hash(oid, "sha256")
            else:
                hashes[key] = tables.sha256_file(path) if path.exists() else None
        return hashes[key]

    problems = []
    if in_data and digest("data") not in (None, sha256):
        problems.append(f"'{name}' in the workspace has wrong bytes. Run: dvc checkout --force {name}")
    if digest("cache") not in (None, sha256):
        problems.append(
            f"'{name}' has wrong bytes in the cache ({objects.cached(oid)}). Delete that file, run: dvc pull"
        )
    if not remote:
        return problems if digest("cache") or digest("data") else [*problems, f"'{name}' is missing here."]
    try:
        found = digest("remote")
    except data.RemoteDown as down:
        return [*problems, f"The DVC remote does not answer ({down})."]
    if found is None:
        problems.append(f"'{name}' is missing on the DVC remote (object {oid}). Run: dvc push")
    elif found != sha256:
        problems.append(f"'{name}' has wrong bytes on the DVC remote (object {oid}). Delete it there, run: dvc push")
    return problems
