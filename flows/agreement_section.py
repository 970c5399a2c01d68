"""What does report.html say of human-model agreement?

Reads   .assay/studies/agreement.json, if it followed from the audit as it is now; else, without curves, what
        tasks/study_agreement.py makes of the audit's stored probabilities; data/ingest/manifest, data/drops
Writes  nothing
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks import labels, modalities, params, store
from tasks.model import MANIFEST, Mistake, Task
from tasks.study_agreement import agreement_now, fingerprint

STUDY = ".assay/studies/agreement.json"
CLASSES = 20  # the lowest agreement; the rest are counted
REMEDIES = 6
PICTURED = 3  # pairs of classes with their examples shown
SIZE = 96  # pixels


def agreement_section(workspace: Path) -> dict[str, Any] | None:
    """What the section shows; None where there is no audit yet, or nothing that it assessed."""
    document = _document(workspace)
    if document is None:
        return None
    remedies = document["remedies"][:REMEDIES]
    pairs = [one for one in remedies if one["kind"] == "clearer instructions"][:PICTURED]
    images = _thumbnails(workspace, [item for one in pairs for item in one["examples"]])
    return {
        "whole": document["agreement"],
        "items": document["items"],
        "caution": document["caution"],
        "classes": document["classes"][:CLASSES],
        "classes_more": max(0, len(document["classes"]) - CLASSES),
        "remedies": [
            dict(one)
            | {"pictures": [(item, *images[item]) for item in one["examples"] if one in pairs and item in images]}
            for one in remedies
        ],
        "remedies_more": len(document["remedies"]) - len(remedies),
        "curves": document["curves"],
    }


def _document(workspace: Path) -> Mapping[str, Any] | None:
    try:
        path = workspace / STUDY
        if path.exists():
            kept: dict[str, Any] = store.read_json(path)
            if kept.get("audit") == fingerprint(workspace):
                return kept
        if not (workspace / "data" / "audit" / "probabilities.parquet").exists():
            return None
        return agreement_now(workspace, curves=False)
    except (Mistake, FileNotFoundError):  # no audit yet, or none that could assess
        return None


def _thumbnails(workspace: Path, items: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Item -> the class it was given, its picture as a data URI; none for a modality without pictures."""
    task = params.section(workspace / "params.yaml", "task", Task)
    if not items or task.modality != "image":
        return {}
    columns = ["item", "shard", "row", "y"]
    manifest = store.read_table(workspace / "data/ingest/manifest", MANIFEST, columns=columns)
    wanted = manifest[manifest["item"].isin(set(items))]
    show, thumbnail = labels.kind(task.kind).show, modalities.modality(task.modality).thumbnail
    read = store.AssetReader(workspace / "data" / "drops")
    return {
        item: (show(y), f"data:image/png;base64,{base64.b64encode(thumbnail(read(shard, int(row)), SIZE)).decode()}")
        for item, shard, row, y in wanted[columns].itertuples(index=False)
    }
