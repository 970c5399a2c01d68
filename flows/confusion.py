"""Which classes does the audit confuse? Given against suggested labels of the flagged items, as a heat map.

Reads   data/audit/confusions.csv: given,suggested,count
Writes  nothing
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .charts import Heat, shade

CLASSES = 20  # rows and columns; the rest are said to be left out


@dataclass(frozen=True, slots=True)
class Confusion:
    """The most confused classes, and how many are not among them."""

    heat: Heat
    left_out: int


def confusion(path: Path) -> Confusion:
    """The confusions of one audit; without the file, or without flags, a map of no rows."""
    cells: dict[tuple[str, str], int] = {}
    if path.exists():
        with open(path, encoding="utf-8", newline="") as file:
            cells = {(row["given"], row["suggested"]): int(row["count"]) for row in csv.DictReader(file)}
    weight: Counter[str] = Counter()
    for (given, suggested), count in cells.items():
        weight[given] += count
        weight[suggested] += count
    classes = sorted(name for name, _ in weight.most_common(CLASSES))
    most = max(cells.values(), default=0)
    shown = {pair: (f"{count:,}", shade(count, most)) for pair, count in cells.items()}
    return Confusion(Heat(classes, classes, shown, "given", "suggested"), len(weight) - len(classes))
