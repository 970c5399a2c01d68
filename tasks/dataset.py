"""What does a published revision look like to someone who trains on it?

Reads   dataset.parquet of the revision (through versions.py), data/drops/<drop>/assets-NNNN.parquet, params.yaml
Writes  nothing

    train = tasks.load("v1.0.0", split="train")
    image, k = train[0]             # float32 (3, H, W) in [0, 1]; k is the index into train.classes
    text, k = train[0]              # where the modality is text: a str
    train.items[0], train.labels[0], train.why[0]       # "3fa1..", "7", "drop 0001-acme labels.csv:17"

Images come in the size they have: where sizes differ, give the DataLoader a collate_fn or resize in a wrapper.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from . import params, store
from .labels import is_paired, kind
from .modalities import modality
from .model import Mistake, Task
from .versions import ensure_shards, read_dataset

GROUPS = 64  # row groups of 4 MiB kept in each process: 256 MiB at most, so that shuffled reading is not rereading


class RevisionDataset(torch.utils.data.Dataset[tuple[Any, Any]]):
    """A revision's items in its order, as (image float32 (3, H, W) in [0, 1], class index), or (text, class index).

    Of pairs it is (item, text): there are no classes, and `targets` are the texts.

    `classes` are those of the whole revision, sorted, whatever the split, so that train and test agree; `targets` are
    the class indices, `labels` the class names. Safe with DataLoader workers: each process opens its own files.
    """

    def __init__(self, rev: str, workspace: Path, *, split: str | None = None) -> None:
        rows = read_dataset(workspace, rev)
        task = params.section(workspace / "params.yaml", "task", Task)
        self.rev, self.split = rev, split
        if is_paired(task.kind):
            rows = rows.assign(label=[kind(task.kind).show(y) for y in rows["y"]])
            self.classes: tuple[str, ...] = ()
        else:
            classes_of = kind(task.kind).classes_of
            names = [classes_of(y) for y in rows["y"]]
            if any(len(name) != 1 for name in names):
                raise Mistake(f"Revision '{rev}' has label kind '{task.kind}'. One class an item is allowed here.")
            rows = rows.assign(label=[name for (name,) in names])
            self.classes = tuple(sorted(set(rows["label"])))
        if split is not None:
            if split not in set(rows["split"]):
                allowed = ", ".join(sorted(set(rows["split"])))
                raise Mistake(f"Revision '{rev}' has no split '{split}'. Splits are: {allowed}.")
            rows = rows[rows["split"] == split]
        index = {name: k for k, name in enumerate(self.classes)}
        self.items: tuple[str, ...] = tuple(rows["item"])
        self.labels: tuple[str, ...] = tuple(rows["label"])
        self.targets: tuple[Any, ...] = tuple(index.get(label, label) for label in self.labels)
        self.why: tuple[str, ...] = tuple(rows["why"])
        self._places = tuple(zip(rows["shard"], (int(row) for row in rows["row"]), strict=True))
        self._drops = ensure_shards(workspace.absolute(), sorted({shard for shard, _ in self._places}))
        self._example = modality(task.modality).example
        self._reader: tuple[int, store.AssetReader] | None = None  # with the process that opened it

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if self._reader is None or self._reader[0] != os.getpid():
            self._reader = os.getpid(), store.AssetReader(self._drops, groups=GROUPS)
        shard, row = self._places[index]
        return self._example(self._reader[1](shard, row)), self.targets[index]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}  # an open file does not travel to a worker
