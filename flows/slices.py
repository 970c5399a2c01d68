"""Which classes, drops, splits and other slices keep what was promised of the labels, and which do not?

Reads   data/audit/scores.parquet, thin columns of data/ingest/manifest
Writes  nothing

The expected share of wrong labels of a slice is the mean p_wrong of its assessed items (for a class the very figure of
noise.json), its interval that of so many independent draws: the chance of the draw, not of the calibration. A slice
passes when the whole interval keeps the promise, fails when none of it does, and is unclear in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tasks import labels, store
from tasks.interval import Z
from tasks.model import MANIFEST, SCORES

from .links import in_grid

FEWEST = 5  # items that can keep or break a promise
MOST = 200  # different values of a column that is a slice
PASS, FAIL, OPEN = "pass", "fail", "unclear"


@dataclass(frozen=True, slots=True)
class Slice:
    """One class or one value of a column, at the last audit."""

    kind: str  # given, drop, split, meta_*
    name: str
    items: int  # assessed
    share: float  # of wrong labels, expected, [0, 1]
    low: float
    high: float

    def verdict(self, most: float) -> str:
        """Does it keep the promise of at most this share? A few items cannot say."""
        if self.items < FEWEST:
            return OPEN
        return PASS if self.high <= most else FAIL if self.low > most else OPEN

    @property
    def address(self) -> str:
        """Where its items are in the review."""
        return in_grid(**{self.kind: self.name})


def read(data: Path, kind: str) -> tuple[Slice, ...]:
    """Every slice at the last audit, of a task of this kind of labels; the classes first. None before an audit."""
    if not (data / "audit" / "scores.parquet").exists():
        return ()
    scores = store.read_table(data / "audit" / "scores.parquet", SCORES, columns=["item", "p_wrong", "fold"])
    scores = scores[scores["fold"] >= 0]
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST)
    rows = scores.merge(manifest, on="item", how="inner")
    columns: dict[str, Sequence[str]] = {}
    if not labels.is_paired(kind):
        target = labels.kind(kind).target
        names = {y: target(y) for y in rows["y"].unique()}
        columns["given"] = [names[y] or "" for y in rows["y"]]
    for name in ("drop", "split", *(name for name in manifest.columns if name.startswith("meta_"))):
        columns[name] = [value if isinstance(value, str) else "" for value in rows[name]]
    return tuple(one for name, values in columns.items() for one in _of(name, values, rows["p_wrong"]))


def _of(kind: str, values: Sequence[str], p_wrong: pd.Series[float]) -> Iterator[Slice]:
    p_N = p_wrong.to_numpy(dtype=np.float64)
    frame = pd.DataFrame({"value": list(values), "p": p_N, "v": p_N * (1 - p_N)})
    told = frame.groupby("value").agg(items=("p", "size"), p=("p", "sum"), v=("v", "sum"))
    if kind != "given" and not 1 < len(told) <= MOST:
        return
    for name, row in told.iterrows():
        items, share = int(row["items"]), float(row["p"]) / int(row["items"])
        half = Z * float(np.sqrt(row["v"])) / items
        if name and (kind == "given" or items >= FEWEST):
            yield Slice(kind, str(name), items, share, max(0.0, share - half), min(1.0, share + half))


def counted(slices: Sequence[Slice], most: float) -> Mapping[str, int]:
    """Verdict -> slices."""
    found = {PASS: 0, OPEN: 0, FAIL: 0}
    for one in slices:
        found[one.verdict(most)] += 1
    return found
