"""A workspace with real git and real DVC and stages that cost nothing: what the tests of versions work on.

Its `revise` copies source/dataset.parquet, so a test says what the dataset is by writing that file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from tasks import store, versions
from tasks.model import DATASET
from tasks.versions import git

CHAIN = ("ingest", "validate", "embed", "relate", "audit", "detect", "triage", "revise")
DVC_YAML = """\
stages:
  audit:
    cmd: mkdir -p data/audit && cp source/confusion.csv data/audit/ && cp source/audit.json data/ && echo audited
    deps: [data/drops, data/verdicts, source/confusion.csv, source/audit.json]
    outs: [data/audit]
    metrics: [data/audit.json]
  revise:
    cmd: mkdir -p data/revise && cp source/dataset.parquet data/revise/ && cp source/audit.json data/revise.json
    deps: [data/drops, data/verdicts, source/dataset.parquet]
    params: [task]
    outs: [data/revise]
    metrics: [data/revise.json]
  augment:
    cmd: echo never run
    deps: [data/revise]
    outs: [data/augment]
artifacts:
  dataset: {path: data/revise, type: dataset}
plots:
  - data/audit/confusion.csv: {x: given, y: suggested, template: confusion}
"""


def make(folder: Path) -> Path:
    """A fresh toy workspace."""
    versions.init(folder)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    with open(folder / ".git" / "info" / "exclude", "a") as exclude:
        exclude.write("/source/\n")
    git.commit(folder, "toy stages", ["dvc.yaml"])
    return folder


def pack(workspace: Path, drop: str, assets: Mapping[str, bytes]) -> None:
    """A packed drop, as receive leaves it: not shared yet."""
    folder = workspace / "data" / "drops" / drop
    folder.mkdir()
    store.write_assets(folder, drop, assets.items())
    files = {path.name: store.sha256_file(path) for path in folder.iterdir()}
    store.write_json(folder / "receipt.json", {"drop": drop, "files": files})


def deliver(workspace: Path, drop: str, labels: Mapping[str, str]) -> None:
    """A shared drop with one asset an item, its bytes the item's name."""
    pack(workspace, drop, {hashlib.sha256(item.encode()).hexdigest(): item.encode() for item in labels})
    versions.share_drop(workspace, drop)


def decide(workspace: Path, labels: Mapping[str, tuple[str, str]]) -> None:
    """Say what the dataset is, item -> (drop, class), and run the stages."""
    order: dict[str, int] = {}
    rows = []
    for item, (drop, name) in labels.items():
        row = order[drop] = order.get(drop, -1) + 1
        asset = hashlib.sha256(item.encode()).hexdigest()
        shard = f"{drop}/assets-0000.parquet"
        common = {"item": item, "asset": asset, "shard": shard, "row": row, "y": json.dumps(name)}
        rows.append(common | {"split": "train", "why": f"drop {drop} labels.csv:{row + 2}"})
    source = workspace / "source"
    source.mkdir(exist_ok=True)
    store.write_table(source / "dataset.parquet", DATASET, store.frame(DATASET, rows))
    (source / "audit.json").write_text(json.dumps({"counts": {"items": len(rows)}}))
    pairs = "".join(f"{name},{name}\n" for _, name in labels.values())
    (source / "confusion.csv").write_text(f"given,suggested\n{pairs}")
    for stage in ("audit", "revise"):
        versions.reproduce(workspace, stage, lambda line: None)


def run_stages(workspace: Path) -> None:
    """Every stage up to the dataset's table, with the answers that wait: what the flows do, without Prefect."""
    versions.prepare_run(workspace)
    versions.take_answers(workspace)
    for stage in CHAIN:
        versions.reproduce(workspace, stage, lambda line: None)


FIRST = {"i1": ("0001-a", "cat"), "i2": ("0001-a", "dog"), "i3": ("0001-a", "cat")}


def first_revision_is_due(folder: Path) -> Path:
    """A workspace with one drop of three items, ready to publish dataset@v1.0.0."""
    workspace = make(folder)
    deliver(workspace, "0001-a", {item: name for item, (_, name) in FIRST.items()})
    decide(workspace, FIRST)
    return workspace


def messages(workspace: Path) -> list[str]:
    """The subjects of all commits, newest first."""
    return git.git(workspace, "log", "--format=%s").splitlines()
