"""What does the workspace look like now? One self-contained page, report.html: no script, no external host.

Reads what the stages wrote; writes report.html in the workspace root. The demo adds what only it knows (what was
planted, a model's accuracy) as `story`; the accuracies stay in .assay/accuracy.json, for the dashboard.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from tasks import STAGES, durable, labels, modalities, params, sample, store, versions
from tasks.model import ANNOTATIONS, DUPLICATES, FINDINGS, GATE, MANIFEST, QUARANTINE, QUEUE, Mistake, Task

from . import charts
from .agreement_section import agreement_section
from .confusion import confusion

FINDS = 40  # items on the page
LONGEST_LABEL = 200  # characters of a label on the page
CANARY_KINDS = {  # of classes, then of pairs
    "uniform": "found: any class",
    "pair": "likeliest",
    "one class": "one class",
    "shuffled": "found: any text",
    "hard": "a near item's text",
}
ROWS = 50  # quarantined rows and held subjects shown; the rest are counted


@dataclass(frozen=True, slots=True)
class Story:
    """What the demo measured against its planted truth; every figure is computed in the run that prints it."""

    sentences: Sequence[str] = ()
    table: Sequence[tuple[str, str, str]] = ()  # name, value, what it means
    curve: Sequence[tuple[float, float]] = ()  # share of the queue reviewed -> share of planted errors found
    accuracy: Mapping[str, Sequence[float]] = field(default_factory=dict)  # "v1.0.0 cleaned" -> accuracy a seed
    doubts: Mapping[str, Any] | None = None  # of `doubts`, before the queue was answered; None: as they are now


def write_report(workspace: Path, story: Story | None = None) -> Path:
    """Write report.html from the current state of `workspace`; returns its path."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("flows", "."), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html.j2").render(**collect(workspace, story or Story()), charts=charts)
    path = workspace / "report.html"
    durable.write_text(path, page)
    if story is not None and story.accuracy:
        of = {f"dataset@{name.split()[0]}": list(seeds) for name, seeds in story.accuracy.items()}
        store.write_json(workspace / ".assay" / "accuracy.json", of)
    return path


def collect(workspace: Path, story: Story) -> dict[str, Any]:
    """Everything that the page shows, as plain values; what has not run yet is empty, not an error."""
    data = workspace / "data"
    reports = {
        stage: store.read_report(data / f"{stage}.json") for stage in STAGES if (data / f"{stage}.json").exists()
    }
    quarantine = _table(data / "ingest" / "quarantine", QUARANTINE)
    gate = _table(data / "validate" / "gate.parquet", GATE)
    audit = reports.get("audit")
    held = [row for row in gate.to_dict("records") if row["status"] == "held"]
    checks = _checks(data)
    return {
        "name": workspace.resolve().name,
        "revisions": versions.log(workspace),
        "drops": _drops(data),
        **(story.doubts or doubts(workspace)),
        "queue_size": len(_table(data / "triage" / "queue.parquet", QUEUE)),
        "noise": audit.figures.get("noise_rate") if audit else None,
        "checks": checks,
        "canary_kinds": [
            (kind, title)
            for kind, title in CANARY_KINDS.items()
            if any(kind in row.get("canaries", {}).get("kinds", {}) for row in checks)
        ],
        "used": {stage: report.used for stage, report in reports.items() if report.used},
        "quarantine": quarantine.to_dict("records")[:ROWS],
        "quarantined": len(quarantine),
        "codes": sorted(Counter(quarantine["code"]).items()) if len(quarantine) else [],
        "held": held[:ROWS],
        "held_more": max(0, len(held) - ROWS),
        "seconds": [(stage, reports[stage].seconds) for stage in STAGES if stage in reports],
        "agree": agreement_section(workspace),
        "story": story,
        "rows_shown": ROWS,
    }


def _checks(data: Path) -> list[dict[str, Any]]:
    """A row a check: what it says of the whole, and how many of the canaries it found."""
    told: dict[str, Any] = {"checks": [], "canaries": []}
    for file in (data / "audit" / "noise.json", data / "detect" / "canaries.json"):
        if file.exists():
            for name, rows in store.read_json(file).items():
                told[name] = told[name] + rows if name in ("checks", "canaries") else rows
    rows = {row["check"]: dict(row) for row in told["checks"]}
    for row in told["canaries"]:
        rows.setdefault(row["check"], {"check": row["check"]})["canaries"] = row
    return list(rows.values())


def _table(path: Path, table: Any) -> Any:
    try:
        return store.read_table(path, table)
    except Mistake:
        return store.frame(table)


def _drops(data: Path) -> list[dict[str, Any]]:
    """One row a drop: where its delivered rows ended."""
    rows = []
    for receipt_file in sorted((data / "drops").glob("*/receipt.json")):
        receipt = store.read_json(receipt_file)
        drop = receipt["drop"]

        def ended(kind: str, table: Any, drop: str = drop) -> int:
            path = data / "ingest" / kind / f"{drop}.parquet"
            part = _table(path, table)
            return int((part["source"] != "annotations").sum()) if kind == "manifest" else len(part)

        rows.append(
            {
                "drop": drop,
                "rows": receipt["rows"],
                "at": receipt["received_at"][:16].replace("T", " "),
                "accepted": ended("manifest", MANIFEST),
                "annotations": ended("annotations", ANNOTATIONS),
                "duplicates": ended("duplicates", DUPLICATES),
                "quarantined": ended("quarantine", QUARANTINE),
            }
        )
    return rows


def doubts(workspace: Path) -> dict[str, Any]:
    """What the machine doubts now: the worst finds, the confusions of the flagged labels, their severity by rank."""
    data = workspace / "data"
    task = params.section(workspace / "params.yaml", "task", Task)
    show = labels.kind(task.kind).show
    return {
        "finds": _finds(data, task, show),
        "confusion": confusion(data / "audit" / "confusions.csv"),
        "severity": _severity(data),
    }


def _finds(data: Path, task: Task, show: Any) -> list[dict[str, Any]]:
    """The worst of the queue: images as data URIs, so that the page needs no other file; texts by their beginning.

    Drawn items are no finds.
    """
    queue = _table(data / "triage" / "queue.parquet", QUEUE)
    queue = queue[queue["checks"] != sample.CHECK].head(FINDS)
    if queue.empty:
        return []
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST, columns=["item", "shard", "row"])
    where = manifest[manifest["item"].isin(set(queue["item"]))].set_index("item")
    read = store.AssetReader(data / "drops")
    preview = modalities.modality(task.modality).preview
    found = []
    for row in queue.to_dict("records"):
        place = where.loc[row["item"]]
        media, content = preview(read(place["shard"], int(place["row"])))
        is_text = media == "text/plain"
        found.append(
            {
                "item": row["item"],
                "given": _clipped(show(row["y"])),
                "suggestion": _clipped(show(row["suggestion"])) if row["suggestion"] else None,
                "p_wrong": row["p_wrong"],
                "reason": row["reason"],
                "text": content.decode() if is_text else None,
                "image": None if is_text else f"data:{media};base64,{base64.b64encode(content).decode()}",
            }
        )
    return found


def _clipped(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def _severity(data: Path) -> list[tuple[float, float]]:
    """(rank, severity) of the label noise findings, worst first."""
    findings = _table(data / "audit" / "findings.parquet", FINDINGS)
    ordered = sorted((float(value) for value in findings["severity"]), reverse=True)
    return [(float(rank), value) for rank, value in enumerate(ordered, 1)]
