"""Which label does each item have, and why?

The revision's table: what was delivered, passed the gate, and was not removed, with the labels that people decided. A
pure function of drops and verdicts: no model has a say, and the same answers give the same bytes in whatever order the
reviewers' files came.

Reads   data/ingest/manifest, data/validate/passed.parquet, data/verdicts
Writes  data/revise/dataset.parquet     one row an item, in the order of delivery, with the reason for its label
        data/revise/removed.parquet     every other item of the manifest, with the reason why it is left out
        data/revise/classes.json        the class names, sorted

    a0017  3fd1..  0001-acme/assets-0000.parquet  16  "7"  train  verdict 6f0c..                    maria corrected it
    a0018  91ab..  0001-acme/assets-0000.parquet  17  "1"  train  drop 0001-acme labels.csv:19
    a0019  c02e..  0001-acme/assets-0000.parquet  18  "4"  train  drop 0001-acme labels.csv:20 (disputed: 77ad.. 90e1..)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from . import answers, durable, store
from .answers import ItemState, State
from .labels import kind
from .model import DATASET, MANIFEST, PASSED, REMOVED, Report, Task

UNTOUCHED = ItemState()


@dataclass(frozen=True, slots=True)
class Params:
    """`revise:` in params.yaml."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    task: Task = field(default_factory=Task)
    include_splits: tuple[str, ...] = ()  # names of splits to publish; empty: all

    def __post_init__(self) -> None:
        if any(not name.strip() for name in self.include_splits):
            raise ValueError("include_splits: names of splits are allowed, none of them empty")


@dataclass(frozen=True, slots=True)
class Revision:
    """The revision's table and what it leaves out."""

    dataset: pd.DataFrame  # model.DATASET
    removed: pd.DataFrame  # model.REMOVED
    counts: Mapping[str, int]


def why(drop: str, source: str, state: ItemState) -> str:
    """The reason for an item's label: the delivered row, or the ops that decided it; and what is open about it."""
    reason = f"verdict {' '.join(state.ops)}" if state.ops else f"drop {drop} {source}"
    if state.disputed:
        return f"{reason} (disputed: {' '.join(state.open_ops)})"
    return f"{reason} (unsure: {' '.join(state.open_ops)})" if state.unsure else reason


def table(manifest: pd.DataFrame, passed: frozenset[str], state: State, splits: tuple[str, ...] = ()) -> Revision:
    """Apply the verdicts to the manifest; every item of it ends in exactly one of the two tables."""
    rows: list[dict[str, Any]] = []
    removed: list[dict[str, str]] = []
    zero = (
        "relabelled",
        "confirmed",
        "kept",
        "removed",
        "held",
        "ambiguous",
        "disputed",
        "unsure",
        "left_out_by_split",
    )
    counts = Counter(dict.fromkeys(zero, 0))
    for record in manifest.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        item = state.items.get(row["item"], UNTOUCHED)
        reason = why(row["drop"], row["source"], item)
        if item.removed or row["item"] not in passed or (splits and row["split"] not in splits):
            if item.removed:
                counts["removed"] += 1
            elif row["item"] not in passed:
                counts["held"] += 1
                reason = f"gate {row['drop']} {row['source']}"
            else:
                counts["left_out_by_split"] += 1
                reason = f"split {row['split']}"
            removed.append({"item": row["item"], "why": reason})
            continue
        decided = bool(item.ops) and not (item.disputed or item.unsure)
        changed = item.y is not None and item.y != row["y"]
        counts["relabelled" if changed else "kept"] += 1
        counts["confirmed"] += decided and not changed
        counts["disputed"] += item.disputed
        counts["unsure"] += item.unsure
        counts["ambiguous"] += bool(item.accepted)
        accepted = f"[{','.join(item.accepted)}]" if item.accepted else None
        rows.append({**row, "y": item.y if changed else row["y"], "why": reason, "accepted": accepted})
    dataset = store.frame(DATASET, [{name: row[name] for name in DATASET.columns} for row in rows])
    return Revision(dataset, store.frame(REMOVED, removed), {"items": len(rows), **counts})


def classes(dataset: pd.DataFrame, kind_: ModuleType) -> list[str]:
    """The class names in the labels of the table, sorted."""
    return sorted({name for y in dataset["y"].unique() for name in kind_.classes_of(y)})


def run(data: Path, params: Params) -> Report:
    """Write the revision's table from every drop that passed and whatever answers there are."""
    verdicts = answers.read(data / "verdicts")
    state = answers.state(verdicts)
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST)
    passed = frozenset(store.read_table(data / "validate" / "passed.parquet", PASSED)["item"])
    revision = table(manifest, passed, state, params.include_splits)
    names = classes(revision.dataset, kind(params.task.kind))
    with durable.fresh_folder(data / "revise") as folder:
        store.write_table(folder / "dataset.parquet", DATASET, revision.dataset)
        store.write_table(folder / "removed.parquet", REMOVED, revision.removed)
        store.write_json(folder / "classes.json", {"classes": names})
    orphans = len(set(state.items) - set(manifest["item"]))
    return Report(
        "revise",
        counts={**revision.counts, "classes": len(names), "answers": len(verdicts), "orphans": orphans},
        notes=notes(revision.counts, orphans),
    )


def notes(counts: Mapping[str, int], orphans: int) -> tuple[str, ...]:
    """What a person should know before they publish, one sentence each."""
    said = [
        (counts["disputed"], "Disputed items", "Each keeps the label that nobody disputed, and is in the next queue."),
        (counts["unsure"], "Items with unsure answers only", "Each keeps the label it had."),
        (counts["held"], "Items that the gate holds or rejected", "See data/validate/report.html."),
        (counts["left_out_by_split"], "Items in no split of revise.include_splits", "They are left out."),
        (orphans, "Answered items that no drop holds any more", "Their answers are kept."),
    ]
    return tuple(f"{what}: {count:,}. {rest}" for count, what, rest in said if count)
