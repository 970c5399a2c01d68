"""Which classes does the audit confuse? Given against suggested labels of the flagged items, as a heat map.

Reads   data/audit/confusions.csv: given,suggested,count
Writes  nothing
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .charts import Heat, shade
from .links import in_grid

CLASSES = 20  # rows and columns; the rest are said to be left out


@dataclass(frozen=True, slots=True)
class Confusion:
    """The most confused classes, and how many are not among them."""

    heat: Heat
    left_out: int


def confused(path: Path) -> tuple[tuple[str, str, int], ...]:
    """(given, suggested, flagged items) of one audit, the most frequent first; none without the file."""
    if not path.exists():
        return ()
    with open(path, encoding="utf-8", newline="") as file:
        rows = [(row["given"], row["suggested"], int(row["count"])) for row in csv.DictReader(file)]
    return tuple(sorted(rows, key=lambda row: (-row[2], row[0], row[1])))


def confusion(path: Path) -> Confusion:
    """The confusions of one audit; without the file, or without flags, a map of no rows."""
    return heat_of(confused(path))


def heat_of(pairs: Sequence[tuple[str, str, int]], *, linked: bool = False) -> Confusion:
    """The map of `confused`, of the classes that are confused most; `linked`: each cell leads to its items."""
    cells = {(given, suggested): count for given, suggested, count in pairs}
    weight: Counter[str] = Counter()
    for (given, suggested), count in cells.items():
        weight[given] += count
        weight[suggested] += count
    classes = sorted(name for name, _ in weight.most_common(CLASSES))
    most = max(cells.values(), default=0)
    shown = {pair: (f"{count:,}", shade(count, most)) for pair, count in cells.items()}
    links = {(given, suggested): in_grid(given=given, suggested=suggested) for given, suggested in cells if linked}
    return Confusion(Heat(classes, classes, shown, "given", "suggested", links), len(weight) - len(classes))


def is_dense(pairs: Sequence[tuple[str, str, int]]) -> bool:
    """Whether the map shows at least half of what is flagged: among a thousand classes it shows next to nothing."""
    shown = set(heat_of(pairs).heat.rows)
    inside = sum(count for given, suggested, count in pairs if {given, suggested} <= shown)
    return bool(pairs) and 2 * inside >= sum(count for _, _, count in pairs)
