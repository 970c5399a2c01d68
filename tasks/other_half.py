"""How does the other half of each pair, a text, become vectors?

Reads   data/ingest/manifest (y as it was delivered), data/drops (the texts of the items themselves)
Writes  data/embed/targets/<drop>.parquet    item + one column a view, as data/embed/vectors; an item is absent whose
                                             text has no direction
        data/embed/targets.npz               what the embedder learnt of the targets, if it learns
        data/embed/texts/<drop>.parquet      model.TEXTS: what each item says, where the items are texts
Cache   .assay/cache/embed, one piece a drop

The embedder is of the same name as that of the items, fitted anew on the targets of the same first items: two halves in
two languages share no word. Where the items are no texts, their targets get the offline embedder of texts.
"""

# N items, D values of a view

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import durable, store
from .embed_rows import RESULT_FREE, State, made
from .labels import kind
from .modalities import modality
from .model import MANIFEST, TEXTS
from .store import FloatArray
from .unit_vectors import unit_views

if TYPE_CHECKING:
    from .embed import Params


def write(data: Path, folder: Path, params: Params, fitted: Iterable[str]) -> dict[str, Any]:
    """Write targets and texts under `folder`; returns what embedder.json says of the targets.

    `fitted`: the items whose targets are learnt from.
    """
    drops = {
        file.stem: store.read_table(file, MANIFEST, columns=("item", "y", "shard", "row"))
        for file in sorted((data / "ingest" / "manifest").glob("*.parquet"))
    }
    show = kind(params.task.kind).show
    text = modality("text")
    name = params.model if params.task.modality == "text" else text.OFFLINE
    embedder = made(text.EMBEDDERS[name], data.parent, params)
    learnt_from = set(fitted)
    ys = [y for rows in drops.values() for item, y in zip(rows["item"], rows["y"], strict=True) if item in learnt_from]
    state: State = _learnt(data, params, embedder, [show(y) for y in ys]) if embedder.learns else {}
    if state:
        store.write_arrays(folder / "targets.npz", state)
    fingerprint = embedder.fingerprint(state)
    cell = modality(params.task.modality).cell
    read = store.AssetReader(data / "drops")
    for drop, rows in drops.items():
        piece = _piece(data, params, fingerprint, zip(rows["item"], rows["y"], strict=True))
        if not piece.exists():
            with durable.fresh_folder(piece) as fresh:
                items, views = _vectors(rows, embedder, state, show, params.batch)
                store.write_vectors(fresh / "targets.parquet", items, views)
                if cell is not None:
                    store.write_table(fresh / "texts.parquet", TEXTS, _texts(rows, cell, read))
        for name in ("targets", "texts"):
            if (piece / f"{name}.parquet").exists():
                (folder / name).mkdir(exist_ok=True)
                copyfile(piece / f"{name}.parquet", folder / name / f"{drop}.parquet")
        print(f"embed: {len(rows):,} targets of {drop}")
    return {
        "name": embedder.name,
        "fingerprint": fingerprint,
        "views": embedder.views(state),
        "fitted_on": len(ys) if embedder.learns else 0,
    }


def _learnt(data: Path, params: Params, embedder: Any, texts: Sequence[str]) -> State:
    """What the embedder learns of these texts: from the cache, or now."""
    piece = _piece(data, params, "state", enumerate(texts))
    if not piece.exists():
        print(f"embed: learning from {len(texts):,} targets")
        state: State = embedder.fit(texts)
        with durable.fresh_folder(piece) as fresh:
            store.write_arrays(fresh / "state.npz", state)
    return store.read_arrays(piece / "state.npz")


def _vectors(
    rows: pd.DataFrame, embedder: Any, state: State, show: Callable[[str], str], batch: int
) -> tuple[list[str], dict[str, FloatArray]]:
    """The items whose target has a direction, and view -> its unit vectors, (N, D)."""
    items: list[str] = []
    parts: list[dict[str, FloatArray]] = []
    for start in range(0, len(rows), batch):
        part = rows.iloc[start : start + batch]
        unit, reasons = unit_views(embedder.transform([show(y) for y in part["y"]], state))
        kept = [n for n, reason in enumerate(reasons) if reason is None]
        items += [item for item, reason in zip(part["item"], reasons, strict=True) if reason is None]
        parts.append({name: x_ND[kept] for name, x_ND in unit.items()})
    nothing = {name: np.zeros((0, width), np.float32) for name, width in embedder.views(state).items()}
    return items, {name: np.concatenate([empty, *(part[name] for part in parts)]) for name, empty in nothing.items()}


def _texts(rows: pd.DataFrame, cell: Callable[[bytes], str], read: store.AssetReader) -> pd.DataFrame:
    said = [cell(read(shard, int(row))) for shard, row in zip(rows["shard"], rows["row"], strict=True)]
    return pd.DataFrame({"item": rows["item"], "text": pd.Series(said, dtype=object)})


def _piece(data: Path, params: Params, what: str, content: Iterable[tuple[object, str]]) -> Path:
    """The cache folder of this content: its name is a hash over everything that decides it."""
    kept = {name: value for name, value in asdict(params).items() if name not in RESULT_FREE}
    digest = hashlib.sha256(json.dumps(["targets", kept, store.stage_version(data.parent, "embed"), what]).encode())
    for name, text in content:
        digest.update(json.dumps([name, text]).encode() + b"\n")
    return data.parent / ".assay" / "cache" / "embed" / digest.hexdigest()
