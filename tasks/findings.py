"""What does each check say about each item, in the findings that audit and detect have written?

Reads   data/audit/findings.parquet, data/detect/findings.parquet

A check's name says what kind it is: the audit's carry a p_wrong (scores.parquet), some others speak of the label too,
and the rest, such as an outlier or a duplicate, are a reason to look.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import store
from .model import FINDINGS

AUDIT = "label_noise_"  # findings of checks that begin so carry the p_wrong of the scores
AUDITS = (AUDIT, "pair_mismatch_")  # and so do those of pairs
OF_THE_LABEL = ("label_", "xy_")  # names of checks that speak of the label begin so; so does any that suggests another


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says about one item."""

    check: str
    severity: float
    reason: str
    suggestion: str | None

    def speaks_of_the_label(self, y: str) -> bool:
        return self.check.startswith(OF_THE_LABEL) or self.suggestion not in (None, y)


def read(paths: Iterable[Path]) -> dict[str, list[Finding]]:
    """item -> its findings, of every file."""
    found: dict[str, list[Finding]] = {}
    for path in paths:
        table = store.read_table(path, FINDINGS)
        columns = (table[name] for name in ("item", "check", "severity", "reason", "suggestion"))
        for item, check, severity, reason, suggestion in zip(*columns, strict=True):
            found.setdefault(item, []).append(Finding(check, float(severity), reason, suggestion))
    return found
