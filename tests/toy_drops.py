"""What receive and ingest leave behind for a drop, in a few words, and what validate made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks import answers, durable, store, validate
from tasks.modalities.image.measures import FACTS
from tasks.model import DUPLICATES, GATE, MANIFEST, PASSED, QUARANTINE, Report, Verdict, label_json
from tasks.validate import Params

GOOD = {"width": 8, "height": 8, "brightness": 0.3, "contrast": 0.2}


def deliver(
    data: Path,
    seq: int,
    name: str,
    labels: Sequence[str],
    *,
    splits: Mapping[int, str] | None = None,
    facts: Mapping[int, Mapping[str, Any]] | None = None,
    quarantined: int = 0,
    duplicates: int = 0,
    source: str = "labels.csv:{line}",
) -> str:
    """What receive and ingest leave behind for one drop; `splits` and `facts` change single rows."""
    drop = f"{seq:04d}-{name}"
    rows, measured = [], []
    for n, label in enumerate(labels):
        asset = f"{seq:032x}{n:032x}"
        row = {"item": f"{seq}-{n}", "asset": asset, "shard": f"{drop}/assets-0000.parquet", "row": n, "drop": drop}
        split = (splits or {}).get(n, "train")
        rows.append({**row, "y": label_json(label), "split": split, "source": source.format(line=n + 2)})
        plain = {"asset": asset, "format": "PNG", "mode": "L", "bytes": 90, "frames": 1}
        measured.append({**plain, **GOOD, **(facts or {}).get(n, {})})
    faults = [
        {
            "drop": drop,
            "source": f"labels.csv:{900 + n}",
            "raw": b"x",
            "code": "E_ASSET_MISSING",
            "message": "",
            "remedy": "",
        }
        for n in range(quarantined)
    ]
    known = [
        {
            "drop": drop,
            "source": f"labels.csv:{800 + n}",
            "item": f"1-{n}",
            "duplicate_of": f"0001-a/labels.csv:{n + 2}",
            "y": '"cat"',
        }
        for n in range(duplicates)
    ]
    for folder, table, content in [
        ("manifest", MANIFEST, rows),
        ("facts", FACTS, measured),
        ("quarantine", QUARANTINE, faults),
        ("duplicates", DUPLICATES, known),
    ]:
        store.write_table(data / "ingest" / folder / f"{drop}.parquet", table, store.frame(table, content))
    receipt = {
        "drop": drop,
        "seq": seq,
        "name": name,
        "content": f"{seq:064x}",
        "rows": len(rows) + quarantined + duplicates,
    }
    store.write_json(data / "drops" / drop / "receipt.json", receipt)
    return drop


def say(data: Path, action: str, subject: str, y: str | None = None) -> None:
    """One verdict of the reviewer ann."""
    path = data / "verdicts" / "ann.jsonl"
    op = f"op-{len(path.read_bytes().splitlines()) if path.exists() else 0}"
    verdict = Verdict(op=op, subject=subject, action=action, reviewer="ann", at="2024-05-01T00:00:00Z", y=y)
    durable.append(path, answers.line(verdict))


def run(data: Path, **params: Any) -> Report:
    return validate.run(data, Params(**params))


def lines(data: Path) -> list[dict[str, str]]:
    """The rows of the gate."""
    table = store.read_table(data / "validate" / "gate.parquet", GATE)
    return [{str(name): str(value) for name, value in row.items()} for row in table.to_dict("records")]


def gate(data: Path) -> dict[str, tuple[str, str]]:
    """subject -> (status, code)"""
    return {line["subject"]: (line["status"], line["code"]) for line in lines(data)}


def message(data: Path, subject: str) -> str:
    return next(line["message"] for line in lines(data) if line["subject"] == subject)


def remedy(data: Path, subject: str) -> str:
    return next(line["remedy"] for line in lines(data) if line["subject"] == subject)


def passed(data: Path) -> list[str]:
    return list(store.read_table(data / "validate" / "passed.parquet", PASSED)["item"])


def classes(data: Path) -> list[str]:
    return list(store.read_json(data / "validate" / "classes.json")["classes"])
