"""How does a published revision become files that any training code reads?

Reads   dataset.parquet of the revision (through versions.py), data/drops/<drop>/assets-NNNN.parquet
Writes  the folder that the user names, in a format of tasks/formats; no torch is needed for it
"""

from __future__ import annotations

from pathlib import Path

from . import params, store
from .formats import format_named
from .labels import is_paired
from .modalities import modality
from .model import Mistake, Task
from .versions import ensure_shards, read_dataset

GROUPS = 16  # row groups of 4 MiB kept: a revision's order goes drop by drop, so few are open at once


def usual_format(workspace: Path) -> str:
    """One folder a class, or CSV where the label is no class."""
    kind = params.section(workspace / "params.yaml", "task", Task).kind
    return "csv" if is_paired(kind) else "imagefolder"


def get(workspace: Path, rev: str, folder: Path, form: str | None = None) -> int:
    """Write revision `rev` as `form` (default: the usual one) into the new or empty `folder`; returns the items."""
    form = form or usual_format(workspace)
    module = format_named(form, "write_dataset")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Mistake(f"Folder '{folder}' has something in it already. A new or an empty folder is allowed.")
    task = params.section(workspace / "params.yaml", "task", Task)
    if is_paired(task.kind) and form == "imagefolder":
        raise Mistake(f"Label kind '{task.kind}' has no classes for folders. Write it as: --format csv or jsonl")
    rows = read_dataset(workspace, rev)
    drops = ensure_shards(workspace, sorted(set(rows["shard"])))
    folder.mkdir(parents=True, exist_ok=True)
    cell = modality(task.modality).cell
    module.write_dataset(folder, rows, store.AssetReader(drops, groups=GROUPS), cell)
    return len(rows)
