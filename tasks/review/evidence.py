"""Why is this item doubted, and where did it come from? What the side panel shows of one item.

Reads   data/ingest/manifest, data/audit/findings.parquet, data/detect/findings.parquet, data/triage/queue.parquet;
        when the first item is asked about, once for each catalogue
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from .. import sample, store
from ..model import FINDINGS, MANIFEST, QUEUE, Mistake


class Evidence:
    """The rows of the tables, by item."""

    def __init__(self, data: Path) -> None:
        self._data = data

    @cached_property
    def _manifest(self) -> pd.DataFrame:
        return store.read_table(self._data / "ingest" / "manifest", MANIFEST).set_index("item")

    @cached_property
    def _findings(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for stage in ("audit", "detect"):
            path = self._data / stage / "findings.parquet"
            if path.exists():
                for row in store.read_table(path, FINDINGS).to_dict("records"):
                    found.setdefault(str(row["item"]), []).append({str(name): cell for name, cell in row.items()})
        return found

    @cached_property
    def _queue(self) -> dict[str, tuple[str, str]]:
        """Item -> its checks and reason."""
        path = self._data / "triage" / "queue.parquet"
        queue = store.read_table(path, QUEUE) if path.exists() else store.frame(QUEUE)
        return {item: (c, r) for item, c, r in zip(queue["item"], queue["checks"], queue["reason"], strict=True)}

    def delivered(self, item: str) -> dict[str, Any]:
        """Its row of the manifest: item, drop, source, split, y and meta; Mistake for an item that is gone."""
        if item not in self._manifest.index:
            raise Mistake(f"Item '{item}' is not in the manifest any more. Run: assay run")
        row = self._manifest.loc[item]
        meta = {name: row[name] for name in self._manifest.columns if name.startswith("meta_")}
        return {
            "item": item,
            **{name: str(row[name]) for name in ("drop", "source", "split", "y")},
            "meta": {name.removeprefix("meta_"): value for name, value in meta.items() if isinstance(value, str)},
        }

    def drawn(self) -> list[dict[str, Any]]:
        """What is said of an item that is there only because it was drawn for the audit sample; the same of each."""
        reasons = (reason for checks, reason in self._queue.values() if checks == sample.CHECK)
        reason = next(reasons, "One of the items drawn to estimate how many labels are wrong.")
        return [{"check": sample.CHECK, "severity": 0.0, "reason": reason, "suggestion": None}]

    def findings(self, item: str) -> list[dict[str, Any]]:
        """What each check says of it, the most severe first: check, severity, reason and suggestion, JSON text."""
        found = sorted(self._findings.get(item, []), key=lambda row: (-row["severity"], row["check"]))
        rows = [{name: row[name] for name in ("check", "severity", "reason", "suggestion")} for row in found]
        if not rows and item in self._queue:
            checks, reason = self._queue[item]
            rows = [{"check": checks, "severity": 0.0, "reason": reason, "suggestion": None}]
        return [row | {"suggestion": row["suggestion"] if isinstance(row["suggestion"], str) else None} for row in rows]
