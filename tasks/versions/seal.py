"""What exactly is about to be published?

Reads data/revise, the shards it names, the verdict logs and code.yaml; writes data/revision.json, the revision's own
sha256 manifest, and reads it back. The same dataset upon the same parent gives the same manifest, byte for byte, which
is how a call that follows a crash recognises its own half-finished work.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import labels, params, store
from ..model import DATASET, Mistake
from . import history
from .manifest import MANIFEST
from .objects import mapping


def build(workspace: Path, parent: str | None, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The manifest of data/revise as it lies there, without its tag."""
    folder = workspace / "data" / "revise"
    if not (folder / "dataset.parquet").exists():
        raise Mistake("No dataset in data/revise. Run: assay revise")
    table = store.read_table(folder / "dataset.parquet", DATASET)
    shards = sorted(set(table["shard"]))
    drops = sorted({shard.partition("/")[0] for shard in shards})
    task = params.read(workspace / "params.yaml").get("task") or {}
    classes_of = labels.kind(str(task.get("kind", "single"))).classes_of
    classes = sorted({name for y in set(table["y"]) for name in classes_of(y)})
    counts = {"items": len(table), "classes": len(classes), "drops": len(drops)}
    if parent is not None:
        since = history.compare(parent, history.read_dataset(workspace, parent), "now", table)
        changes = {"added": since.added, "removed": since.removed, "relabelled": since.relabelled}
        counts |= {name: len(items) for name, items in changes.items()}
    code = workspace / "code.yaml"
    logs = sorted((workspace / "data" / "verdicts").glob("*.jsonl"))
    return {
        "parent": parent,
        "counts": counts,
        "classes": classes,
        "drops": drops,
        "files": {_name(workspace, path): _entry(path) for path in sorted(folder.rglob("*")) if path.is_file()},
        "shards": _shards(workspace, shards, (before or {}).get("shards", {})),
        "versions": mapping("code.yaml", code.read_text(encoding="utf-8")) if code.exists() else {},
        "verdicts": {path.name: store.sha256_file(path) for path in logs},
    }


def _name(workspace: Path, path: Path) -> str:
    return path.relative_to(workspace).as_posix()


def _entry(path: Path) -> dict[str, Any]:
    return {"sha256": store.sha256_file(path), "size": path.stat().st_size}


def _shards(workspace: Path, shards: list[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Shards are never rewritten, so those of the parent are taken over; a new one must be what its receipt says."""
    entries: dict[str, Any] = {}
    for shard in shards:
        name = f"data/drops/{shard}"
        if name in known:
            entries[name] = known[name]
            continue
        drop, _, file = shard.partition("/")
        path = history.ensure_shards(workspace, [shard]) / shard
        entries[name] = _entry(path)
        receipt = store.read_json(path.parent / "receipt.json")
        if receipt.get("files", {}).get(file) != entries[name]["sha256"]:
            raise Mistake(f"Shard '{name}' is not what was received. Run: dvc checkout --force data/drops/{drop}.dvc")
    return entries


def write(workspace: Path, content: Mapping[str, Any]) -> None:
    """Write data/revision.json, then read it and the files it names back from disk."""
    path = workspace / MANIFEST
    store.write_json(path, content)
    read = store.read_json(path)
    if read != content:
        raise Mistake(f"File '{path}' reads back differently from what was written: the disk is at fault.")
    for name, entry in read["files"].items():
        if _entry(workspace / name) != entry:
            raise Mistake(f"'{name}' changed while it was being published. Nothing was published; run: assay revise")
