"""Which items look alike to a machine: what vectors does each item have?

Reads   data/ingest/manifest/<drop>.parquet, data/drops/<drop>/assets-NNNN.parquet, code.yaml
Writes  data/embed/vectors/<drop>.parquet    item + one column a view, each row of a view of length 1
        data/embed/skipped.parquet           items without a vector, and why
        data/embed/state.npz                 what the embedder learnt, if it learns
        data/embed/embedder.json             {"name", "fingerprint", "views": {view: width}, "fitted_on": items}
        of pairs also data/embed/{targets,texts} and targets.npz: see other_half.py

Its cost grows with the change: the piece of an unchanged drop, and the learnt state, come from .assay/cache/embed/.
The embedder is fitted on the first `fit_items` items of the smallest run of first drops that holds `fit_min` of them,
so that a later drop never changes the vectors of an earlier one. How a row becomes a vector: embed_rows.py.
"""

# N items, D values of a view

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from . import durable, store
from .embed_rows import RESULT_FREE, TOO_LARGE, State, batches, embed_rows, made
from .labels import is_paired
from .modalities import modality
from .model import MANIFEST, SKIPPED, Mistake, Report, StageFailed, Task
from .shards import share


@dataclass(frozen=True, slots=True)
class Params:
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    task: Task = field(default_factory=Task)
    model: str = "patches"  # an embedder of the modality; `assay init` chooses one, and it stays
    weights: str | None = None  # a state_dict file or a model's folder, in the workspace; null: the published weights
    device: str = "auto"  # auto, cpu or cuda
    fit_items: int = 2000  # items that an embedder learns from, at most; 1 or more
    fit_min: int = 200  # items; the first drops that hold this many are learnt from; 1 or more
    batch: int = 256  # items, 1 or more
    threads: int = 2  # 1 or more; changes no vector of patches
    seed: int = 0  # 0 or more

    def __post_init__(self) -> None:
        if self.model == "auto":
            raise ValueError(
                "model 'auto' is resolved once, by `assay init`; a concrete name such as 'patches' is allowed"
            )
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device '{self.device}' is none of the allowed: auto, cpu, cuda")
        for name, least in (("fit_items", 1), ("fit_min", 1), ("batch", 1), ("threads", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} {getattr(self, name)} is too small; {least} or more is allowed")


def fit_rows(drops: Mapping[str, pd.DataFrame], *, fit_min: int, fit_items: int) -> pd.DataFrame:
    """The manifest rows that the embedder learns from; `drops` in order of arrival.

    The first `fit_items` rows of the fewest first drops that together hold `fit_min`; all rows while there are fewer.
    """
    taken: list[pd.DataFrame] = []
    for rows in drops.values():
        taken.append(rows)
        if sum(map(len, taken)) >= fit_min:
            break
    return pd.concat(taken, ignore_index=True).iloc[:fit_items]


def run(data: Path, params: Params) -> Report:
    """Give every item of the manifest a vector, computing only those of new drops."""
    drops = _drops(data)
    total, done, new = sum(map(len, drops.values())), 0, 0
    about: dict[str, Any] = {"name": params.model, "fingerprint": "", "views": {}, "fitted_on": 0}
    skipped: list[pd.DataFrame] = []
    module = _module(params)
    with threadpool_limits(1), durable.fresh_folder(data / "embed") as folder:
        (folder / "vectors").mkdir()
        if total:
            embedder = made(module.EMBEDDERS[params.model], data.parent, params)
            state, about["fitted_on"] = learnt(data, params, embedder, module, drops)
            about["fingerprint"], about["views"] = embedder.fingerprint(state), embedder.views(state)
            if state:
                store.write_arrays(folder / "state.npz", state)
            print(f"embed: {described(about)}")
            for drop, rows in drops.items():
                piece = _piece(data, params, about["fingerprint"], rows)
                new += _fill(piece, drop, rows, embedder, state, module, data, params)
                shutil.copyfile(piece / "vectors.parquet", folder / "vectors" / f"{drop}.parquet")
                skipped.append(store.read_table(piece / "skipped.parquet", SKIPPED))
                _forget_if_too_large(piece)
                done += len(rows)
                print(f"embed: {done:,} of {total:,} items")
            if is_paired(params.task.kind):
                from . import other_half  # only pairs have one

                about["targets"] = other_half.write(data, folder, params, _fit_rows(drops, params)["item"])
        without = pd.concat(skipped, ignore_index=True) if skipped else store.frame(SKIPPED)
        store.write_table(folder / "skipped.parquet", SKIPPED, without)
        store.write_json(folder / "embedder.json", about)
    notes = tuple(
        f"Without a vector: {len(rows):,}, '{rows['item'].iloc[0]}' first. {message} See data/embed/skipped.parquet."
        for message, rows in without.groupby("message", sort=True)
    )
    return Report(
        "embed",
        counts={"items": total, "embedded": new, "skipped": len(without)},
        used={"embedder": described(about)} if total else {},
        notes=notes[:10],
    )


def shard(data: Path, params: Params, number: int, of: int) -> list[str]:
    """Make the pieces of a share of the drops; their names, and that of what was learnt, which each share learns."""
    drops = _drops(data)
    if not drops:
        return []
    module, names = _module(params), []
    with threadpool_limits(1):
        embedder = made(module.EMBEDDERS[params.model], data.parent, params)
        state, fitted = learnt(data, params, embedder, module, drops)
        if fitted:
            names.append(_piece(data, params, "state", _fit_rows(drops, params)).name)
        fingerprint = embedder.fingerprint(state)
        for drop in share({drop: len(rows) for drop, rows in drops.items()}, number, of):
            piece = _piece(data, params, fingerprint, drops[drop])
            _fill(piece, drop, drops[drop], embedder, state, module, data, params)
            if not _forget_if_too_large(piece):  # another machine may have the memory: the last run makes it again
                names.append(piece.name)
            print(f"embed: {drop}, {len(drops[drop]):,} items")
    return names


def _drops(data: Path) -> dict[str, pd.DataFrame]:
    """The rows of each drop that is to be embedded, in order of arrival."""
    return {
        file.stem: store.read_table(file, MANIFEST, columns=("item", "asset", "shard", "row"))
        for file in sorted((data / "ingest" / "manifest").glob("*.parquet"))
    }


def _module(params: Params) -> ModuleType:
    module = modality(params.task.modality)
    if params.model not in module.EMBEDDERS:
        allowed = ", ".join(module.EMBEDDERS)
        raise Mistake(f"Unknown embed.model '{params.model}' in params.yaml. Models are: {allowed}.")
    return module


def _fit_rows(drops: Mapping[str, pd.DataFrame], params: Params) -> pd.DataFrame:
    return fit_rows(drops, fit_min=params.fit_min, fit_items=params.fit_items)


def described(about: Mapping[str, Any]) -> str:
    """One line for a report: which embedder ran, and what it learnt from."""
    fitted = f" fitted on {about['fitted_on']:,} items" if about["fitted_on"] else ""
    return f"{about['name']}{fitted} ({about['fingerprint'][:12]})"


def learnt(
    data: Path, params: Params, embedder: Any, module: ModuleType, drops: Mapping[str, pd.DataFrame]
) -> tuple[State, int]:
    """What the embedder has learnt from the fit set, and from how many items: from the cache, or now."""
    if not embedder.learns:
        return {}, 0
    rows = _fit_rows(drops, params)
    cached = _piece(data, params, "state", rows)
    if not cached.exists():
        print(f"embed: learning from {len(rows):,} items")
        cached.parent.mkdir(parents=True, exist_ok=True)
        loaded = batches(rows, module.load, data / "drops", size=module.size, batch=1)
        decoded = (one for _, some, _ in loaded for one in some)
        first = next(decoded, None)
        if first is None:
            raise StageFailed(
                f"None of the first {len(rows)} items can be decoded, so embedder '{embedder.name}' has nothing "
                "to learn from. Look at them, or raise embed.fit_min in params.yaml."
            )
        state: State = embedder.fit(chain([first], decoded))
        with durable.fresh_folder(cached) as fresh:
            store.write_arrays(fresh / "state.npz", state)
    return store.read_arrays(cached / "state.npz"), len(rows)


def _piece(data: Path, params: Params, fingerprint: str, rows: pd.DataFrame) -> Path:
    """The cache folder of these rows: its name is a hash over everything that decides its content."""
    kept = {name: value for name, value in asdict(params).items() if name not in RESULT_FREE}
    head = [kept, store.stage_version(data.parent, "embed"), fingerprint]
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for item, asset in zip(rows["item"], rows["asset"], strict=True):
        digest.update(f"\n{item}\t{asset}".encode())
    return data.parent / ".assay" / "cache" / "embed" / digest.hexdigest()


def _fill(
    piece: Path,
    drop: str,
    rows: pd.DataFrame,
    embedder: Any,
    state: State,
    module: ModuleType,
    data: Path,
    params: Params,
) -> int:
    """Fill `piece` if it is not there; returns the number of items that got a vector now."""
    if piece.exists():
        return 0
    piece.parent.mkdir(parents=True, exist_ok=True)
    x, without = embed_rows(rows, embedder, state, module.load, data / "drops", size=module.size, batch=params.batch)
    kept = [place for place in range(len(rows)) if place not in without]
    items = list(rows["item"])
    with durable.fresh_folder(piece) as fresh:
        views = {name: x_ND[kept] for name, x_ND in x.items()}
        store.write_vectors(fresh / "vectors.parquet", [items[place] for place in kept], views)
        faults = [
            {"item": items[place], "drop": drop, "code": "E_EMBED", "message": without[place]}
            for place in sorted(without)
        ]
        store.write_table(fresh / "skipped.parquet", SKIPPED, store.frame(SKIPPED, faults))
    return len(kept)


def _forget_if_too_large(piece: Path) -> bool:
    """Take a piece out of the cache in which an item lacks a vector for want of memory; whether it was one.

    That follows from this machine at this moment, and not from what names the piece: who asks again may get it.
    """
    lacking = bool((store.read_table(piece / "skipped.parquet", SKIPPED)["message"] == TOO_LARGE).any())
    if lacking:
        shutil.rmtree(piece)
    return lacking
