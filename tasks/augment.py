"""Which further images can a model learn from, made from the revision's own?

Each item of the chosen splits is varied `variants` times by the operations of its modality, switched on one by one.

Reads   data/revise/dataset.parquet, data/drops/<drop>/assets-NNNN.parquet, code.yaml
Writes  data/augment/<drop>-assets-NNNN.parquet (model.AUGMENTED), one for each asset shard with items; nothing upstream
        reads it
        data/augment/_skipped.parquet           items without all their variants, and why
Source  one row: {"item": "3fa1..", "variant": 0, "y": '"7"', "split": "train", "seed": 1209.., "data": b"\\x89PNG.."}

A variant is a pure function of the item's bytes, its id, the variant's number and the params: the same bytes whatever
the order, the batch, the shard, the number of threads, on the CPU and on a GPU. So a shard whose rows and params are
unchanged is taken from .assay/cache/augment/.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pandas as pd
import torch
import torchvision

from . import durable, store
from .memory import Halving
from .modalities import Unreadable, modality
from .model import AUGMENTED, DATASET, SKIPPED, Mistake, Report, Task
from .shards import share

SKIPPED_FILE = "data/augment/_skipped.parquet"
PIXELS = 2**20  # in one call: 100 MB of float64 positions and values


@dataclass(frozen=True, slots=True)
class Params:
    """What is varied, how often, and how far each operation may go; 0 switches an operation off."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    task: Task = field(default_factory=Task)
    variants: int = 1  # of each item, [1, 1000]
    seed: int = 0
    splits: tuple[str, ...] = ("train",)
    noise: float = 0.02  # standard deviation, share of the full range, [0, 1]
    rotation: float = 10.0  # degrees either way, [0, 180]
    translation: float = 0.05  # share of the side either way, [0, 1]
    homothety: float = 0.1  # 0.1: scaled by a factor between 1 / 1.1 and 1.1, [0, 4]
    crop: float = 0.1  # largest share of the side cut off before scaling back, [0, 0.9]
    elastic: float = 0.02  # largest displacement, share of the shorter side, [0, 0.5]
    grid: float = 0.1  # cells stretched or shrunk by up to this share, [0, 0.9]
    batch: int = 256  # images in one call, [1, 65536]; changes no byte
    threads: int = 2  # [1, 256]; changes no byte
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: cuda if there is one; changes no byte
    format: Literal["png", "bmp"] = "png"  # of the images written; both lossless

    def __post_init__(self) -> None:
        for name, low, high in (
            ("variants", 1, 1000),
            ("noise", 0, 1),
            ("rotation", 0, 180),
            ("translation", 0, 1),
            ("homothety", 0, 4),
            ("crop", 0, 0.9),
            ("elastic", 0, 0.5),
            ("grid", 0, 0.9),
            ("batch", 1, 65536),
            ("threads", 1, 256),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} in [{low}, {high}] is allowed")
        if not self.splits:
            raise ValueError("splits with at least one name is allowed")


@dataclass(frozen=True, slots=True)
class Variant:
    """One image to be made: the row of the revision, the number of the variant, its seed."""

    item: str
    number: int
    seed: int
    y: str
    split: str


def seed_of(seed: int, item: str, variant: int) -> int:
    """The variant's own seed, in [0, 2**63): from sha256 of "<seed>:<item>:<variant>", so that no order matters."""
    digest = hashlib.sha256(f"{seed}:{item}:{variant}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # the column is a signed 64-bit integer


def augmenter(name: str) -> ModuleType:
    """The module tasks/modalities/<name>/augment.py; Mistake where the modality cannot be varied."""
    place = f"{modality(name).__name__}.augment"
    if importlib.util.find_spec(place) is None:
        raise Mistake(
            f"Modality '{name}' cannot be augmented. The revision itself is ready to train on: assay get TAG DIR"
        )
    return importlib.import_module(place)


def device_named(name: str) -> str:
    """`auto` resolved; Mistake for a cuda that is not there."""
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise Mistake("Stage 'augment' has device 'cuda', which this machine lacks. Set augment.device: auto or cpu.")
    return "cuda" if there and name != "cpu" else "cpu"


def key_of(rows: pd.DataFrame, params: Params, version: str) -> str:
    """What a shard's augmented rows follow from; batch, threads and device change no byte and are left out."""
    content = {name: value for name, value in asdict(params).items() if name not in ("batch", "threads", "device")}
    digest = hashlib.sha256(json.dumps([version, content], sort_keys=True).encode())
    for row in rows[["item", "asset", "row", "region", "y", "split"]].itertuples(index=False):
        digest.update(json.dumps(list(row)).encode() + b"\n")
    return digest.hexdigest()[:32]


def augmented(
    rows: pd.DataFrame,
    read: store.AssetReader,
    params: Params,
    device: str,
    pool: ThreadPoolExecutor,
    skipped: dict[str, str],
) -> Iterator[dict[str, Any]]:
    """The augmented rows of one shard, in the order of `rows`, then of the variants; one batch in memory.

    `skipped` is filled: item -> why it has fewer variants.
    """
    from_bytes, module = modality(params.task.modality).load, augmenter(params.task.modality)
    strengths = module.Strengths(**{name: getattr(params, name) for name in module.Strengths.__dataclass_fields__})
    plans = [
        Variant(item, number, seed_of(params.seed, item, number), y, split)
        for item, y, split in zip(rows["item"], rows["y"], rows["split"], strict=True)
        for number in range(params.variants)
    ]

    def on(place: str) -> Callable[[Sequence[tuple[Any, int]]], list[Any]]:
        return lambda some: module.augment_batch([x for x, _ in some], strengths, [s for _, s in some], device=place)

    fits: Halving[tuple[Any, int], list[Any]] = Halving(on(device), on("cpu"))
    step = max(1, params.batch // params.variants)
    for start in range(0, len(rows), step):
        part = rows.iloc[start : start + step]
        contents = [read(shard, row) for shard, row in zip(part["shard"], part["row"], strict=True)]
        try:
            images = list(pool.map(from_bytes, contents))
        except Unreadable as error:
            raise Mistake(
                f"An item of shard '{part['shard'].iloc[0]}' cannot be read: {error} Run: assay verify"
            ) from None
        batch = plans[start * params.variants : (start + step) * params.variants]
        sources = [image for image in images for _ in range(params.variants)]
        made: list[Any] = [None] * len(batch)
        for group in groups_of_one_size([source.shape for source in sources]):
            for places, results in fits([(sources[n], batch[n].seed) for n in group]):
                for n, result in zip(places, results or [None] * len(places), strict=True):
                    made[group[n]] = result
                    if result is None:
                        skipped[batch[group[n]].item] = "A variant needs more memory than this machine has."
        there = [n for n, image in enumerate(made) if image is not None]
        batch, made = [batch[n] for n in there], [made[n] for n in there]
        files = pool.map(module.encode, made, [params.format] * len(made))
        for plan, data in zip(batch, files, strict=True):
            yield {
                "item": plan.item,
                "variant": plan.number,
                "y": plan.y,
                "split": plan.split,
                "seed": plan.seed,
                "data": data,
            }


def groups_of_one_size(shapes: Sequence[tuple[int, ...]]) -> list[list[int]]:
    """Indices of equal shapes together, at most PIXELS pixels (but one image) a group."""
    groups: list[list[int]] = []
    opened: dict[tuple[int, ...], list[int]] = {}
    for n, shape in enumerate(shapes):
        group = opened.get(shape)
        if group is None or (len(group) + 1) * shape[0] * shape[1] > PIXELS:
            group = opened[shape] = []
            groups.append(group)
        group.append(n)
    return groups


def run(data: Path, params: Params) -> Report:
    """Vary the items of the revision's chosen splits into data/augment/, shard by shard."""
    rows, splits = _rows(data, params)
    device = device_named(params.device)
    shards = new = done = 0
    without: list[pd.DataFrame] = []
    with durable.fresh_folder(data / "augment") as folder, _threads(params.threads) as pool:
        read = store.AssetReader(data / "drops")
        for shard_, of_shard in rows.groupby("shard", sort=True):
            piece = _piece(data, of_shard, params)
            new += _fill(piece, str(shard_), of_shard, read, params, device, pool)
            place_piece(piece / "shard.parquet", folder / str(shard_).replace("/", "-"))
            without.append(store.read_table(piece / "skipped.parquet", SKIPPED))
            _forget_if_too_large(piece)
            shards, done = shards + 1, done + len(of_shard)
            print(f"augment: {done:,} of {len(rows):,} items")
        skipped = pd.concat(without, ignore_index=True) if without else store.frame(SKIPPED)
        store.write_table(folder / "_skipped.parquet", SKIPPED, skipped)
    notes: tuple[str, ...] = ()
    if len(skipped):
        notes = (f"Not all variants: {len(skipped):,} items, '{skipped['item'].iloc[0]}' first. See {SKIPPED_FILE}.",)
    if rows.empty:
        notes = (f"No item is in splits {', '.join(params.splits)}. Splits of the revision are: {splits or 'none'}.",)
    return Report(
        "augment",
        counts={
            "items": len(rows),
            "variants": len(rows) * params.variants,
            "shards": shards,
            "new": new,
            "skipped": len(skipped),
        },
        used={
            "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
            "resampler": f"torchvision {torchvision.__version__}, torch {torch.__version__}, float64",
        },
        notes=notes,
    )


def shard(data: Path, params: Params, number: int, of: int) -> list[str]:
    """Make the pieces of a share of the asset shards; their names."""
    rows, _ = _rows(data, params)
    groups = {str(name): of_shard for name, of_shard in rows.groupby("shard", sort=True)}
    device, names = device_named(params.device), []
    with _threads(params.threads) as pool:
        read = store.AssetReader(data / "drops")
        for name in share({name: len(of_shard) for name, of_shard in groups.items()}, number, of):
            piece = _piece(data, groups[name], params)
            _fill(piece, name, groups[name], read, params, device, pool)
            if not _forget_if_too_large(piece):  # another machine may have the memory: the last run makes it again
                names.append(piece.name)
            print(f"augment: {name}, {len(groups[name]):,} items")
    return names


def _rows(data: Path, params: Params) -> tuple[pd.DataFrame, str]:
    """The rows of the chosen splits in the order of the asset shards, and the names of the splits that there are."""
    rows = store.read_table(data / "revise" / "dataset.parquet", DATASET)
    splits = ", ".join(sorted(set(rows["split"])))
    return rows[rows["split"].isin(params.splits)].sort_values(["shard", "row", "item"], kind="stable"), splits


def _piece(data: Path, of_shard: pd.DataFrame, params: Params) -> Path:
    key = key_of(of_shard, params, store.stage_version(data.parent, "augment"))
    return data.parent / ".assay" / "cache" / "augment" / key


def _fill(
    piece: Path,
    name: str,
    of_shard: pd.DataFrame,
    read: store.AssetReader,
    params: Params,
    device: str,
    pool: ThreadPoolExecutor,
) -> int:
    """Fill `piece` if it is not there; returns the number of items that were varied now."""
    if piece.exists():
        return 0
    piece.parent.mkdir(parents=True, exist_ok=True)
    with durable.fresh_folder(piece) as fresh:
        too_large: dict[str, str] = {}
        made = augmented(of_shard, read, params, device, pool, too_large)
        store.write_rows(fresh / "shard.parquet", AUGMENTED, made)
        store.write_table(fresh / "skipped.parquet", SKIPPED, store.frame(SKIPPED, _faults(name, too_large)))
    return len(of_shard)


def _forget_if_too_large(piece: Path) -> bool:
    """Take a piece out of the cache in which variants are missing for want of memory; whether it was one.

    That follows from this machine at this moment, and not from what names the piece: who asks again may get them.
    """
    lacking = bool(len(store.read_table(piece / "skipped.parquet", SKIPPED)))
    if lacking:
        shutil.rmtree(piece)
    return lacking


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool, and torch, with `count` threads; torch gets back what it had."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with ThreadPoolExecutor(count) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def _faults(shard: str, too_large: Mapping[str, str]) -> list[dict[str, str]]:
    drop = shard.partition("/")[0]
    return [
        {"item": item, "drop": drop, "code": "E_MEMORY", "message": message}
        for item, message in sorted(too_large.items())
    ]


def place_piece(piece: Path, target: Path) -> None:
    """A cached file under its name among the outs: a link where the file system can, else a copy."""
    try:
        os.link(piece, target)
    except OSError:
        shutil.copyfile(piece, target)
