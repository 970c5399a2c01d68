"""A workspace of four items, and people who answer about them: what the tests of the journal work on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from toy_drops import deliver

from tasks import exchange, journal, store
from tasks.formats.csv import csv_line
from tasks.model import GATE, Verdict

AT = "2024-05-01T10:00:00Z"
CAT, DOG, FOX = '"cat"', '"dog"', '"fox"'

ROWS = [
    {"item": "1-0", "action": "relabel", "label": "dog"},
    {"item": "1-1", "action": "keep", "label": ""},
    {"item": "1-2", "action": "ambiguous", "label": "cat|fox"},
    {"item": "1-3", "action": "remove", "label": ""},
]
SAID = [
    ("ann", "item:1-0", "relabel", DOG),
    ("ann", "item:1-1", "keep", None),
    ("ann", "item:1-2", "ambiguous", '["cat","fox"]'),
    ("ann", "item:1-3", "remove", None),
]


def make(folder: Path) -> Path:
    """Items 1-0 cat, 1-1 dog, 1-2 cat, 1-3 fox of one drop, and a held class `dgo`."""
    data = folder / "data"
    deliver(data, 1, "acme", ["cat", "dog", "cat", "fox"])
    (folder / "params.yaml").write_text("task: {modality: image, kind: single}\n")
    (data / "verdicts").mkdir()
    gate = [
        {"subject": "drop:0001-acme", "status": "passed", "code": "", "message": "", "remedy": ""},
        {"subject": "class:dgo", "status": "held", "code": "E_CLASS_NEW", "message": "m", "remedy": "r"},
    ]
    store.write_table(data / "validate" / "gate.parquet", GATE, store.frame(GATE, gate))
    store.write_json(data / "validate" / "classes.json", {"version": "1", "classes": ["cat", "dog", "fox"]})
    return folder


def sheet(workspace: Path, rows: Sequence[Mapping[str, object]], name: str = "answers.jsonl") -> Path:
    path = workspace.parent / name
    if name.endswith(".csv"):
        columns = list(rows[0])
        lines = [csv_line(columns), *(csv_line([str(row[column]) for column in columns]) for row in rows)]
        path.write_text("".join(lines), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def answer(workspace: Path, rows: Sequence[Mapping[str, object]], name: str = "answers.jsonl") -> exchange.Outcome:
    return exchange.answer_file(workspace, sheet(workspace, rows, name), reviewer="ann", at=AT)


def said(workspace: Path) -> list[tuple[str, str, str, str | None]]:
    """(reviewer, subject, action, label) of every verdict in the record."""
    return [(verdict.reviewer, verdict.subject, verdict.action, verdict.y) for verdict in journal.everything(workspace)]


def keep(op: str, reviewer: str = "ann") -> Verdict:
    return Verdict(op, "item:1-0", "keep", reviewer, AT, seen={"revision": None, "y": CAT})
