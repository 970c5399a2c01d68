"""How does a published revision become files that any training code reads?

Reads   dataset.parquet of the revision (through versions.py), data/drops/<drop>/assets-NNNN.parquet
Writes  the folder that the user names, in a format of tasks/formats; no torch is needed for it
"""

from __future__ import annotations

from pathlib import Path

from . import store
from .formats import format_named
from .model import Mistake
from .versions import ensure_shards, read_dataset

GROUPS = 16  # row groups of 4 MiB kept: a revision's order goes drop by drop, so few are open at once


def get(workspace: Path, rev: str, folder: Path, form: str) -> int:
    """Write revision `rev` as `form` (imagefolder, csv, jsonl) into the new or empty `folder`; returns the items."""
    module = format_named(form, "write_dataset")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Mistake(f"Folder '{folder}' has something in it already. A new or an empty folder is allowed.")
    rows = read_dataset(workspace, rev)
    drops = ensure_shards(workspace, sorted(set(rows["shard"])))
    folder.mkdir(parents=True, exist_ok=True)
    module.write_dataset(folder, rows, store.AssetReader(drops, groups=GROUPS))
    return len(rows)
