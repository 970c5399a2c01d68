"""What does one file of a workspace say, in the words of state.py?

Pure functions of paths, each of which reads what it is given and nothing else; they raise whatever an absent or torn
file makes them raise (kept.py knows which). sight.py says which files make a part, and when it is asked for again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks import answers, store
from tasks.formats import shown
from tasks.model import ANNOTATIONS, DUPLICATES, FINDINGS, GATE, MANIFEST, QUARANTINE, Table

from .state import Arrival, Drop, Stage, Study

KINDS: Mapping[str, tuple[Table, str]] = {
    "manifest": (MANIFEST, "source"),
    "annotations": (ANNOTATIONS, "item"),
    "duplicates": (DUPLICATES, "item"),
    "quarantine": (QUARANTINE, "code"),
}


def stage(report: Path) -> Stage:
    """data/<stage>.json: what the stage did last."""
    ended, told = report.stat().st_mtime, store.read_report(report)
    return Stage(report.stem, float(told.seconds), ended, dict(told.figures), dict(told.counts))


def drop(receipt: Path, ended_in: Sequence[Path]) -> Drop:
    """A drop's receipt, and where its rows ended: a file for each of KINDS, in this order."""
    told = store.read_json(receipt)
    columns = [column(path, *KINDS[kind]) if path.exists() else () for kind, path in zip(KINDS, ended_in, strict=True)]
    accepted = sum(source != "annotations" for source in columns[0])
    annotations, duplicates, quarantined = map(len, columns[1:])
    rows, at = int(told.get("rows", 0)), str(told.get("received_at", ""))
    return Drop(str(told["drop"]), rows, at, accepted, annotations, duplicates, quarantined)


def arrivals(path: Path) -> tuple[float | None, tuple[Arrival, ...]]:
    """.assay/arrivals.json: when somebody looked last, and what had not been received by then."""
    content = store.read_json(path)
    return moment(content["at"]), tuple(
        Arrival(shown(str(one["name"]), 255), str(one["state"]), str(one.get("why") or ""), moment(one.get("since")))
        for one in content["arrivals"]
    )


def held(gate: Path) -> tuple[Mapping[str, str], ...]:
    """The rows of gate.parquet that wait for somebody."""
    table = store.read_table(gate, GATE)
    rows = table[table["status"] == "held"].to_dict("records")
    return tuple({str(name): str(value) for name, value in row.items()} for row in rows)


def quarantined(files: Iterable[Path]) -> Mapping[str, int]:
    """Code -> rows, of data/ingest/quarantine."""
    return Counter(code for path in files for code in column(path, QUARANTINE, "code"))


def first_with(items: frozenset[str], drops: Iterable[tuple[str, Path]]) -> float | None:
    """When the first of (received, its manifest) was received that has one of `items`; None: none has."""
    for at, path in drops:
        if items and path.exists() and not items.isdisjoint(column(path, MANIFEST, "item")):
            return moment(at)
    return None


def found_by(findings: Iterable[Path]) -> dict[str, set[str]]:
    """Check -> the items that it finds today, of the files that are there."""
    found: dict[str, set[str]] = {}
    for path in findings:
        if path.exists():
            table = store.read_table(path, FINDINGS, columns=["item", "check"])
            for item, check in zip(table["item"], table["check"], strict=True):
                found.setdefault(check, set()).add(item)
    return found


def delivered(manifest: Iterable[Path]) -> dict[str, str]:
    """Item -> its label as it was delivered."""
    labels: dict[str, str] = {}
    for path in manifest:
        table = store.read_table(path, MANIFEST, columns=["item", "y"])
        labels |= dict(zip(table["item"], table["y"], strict=True))
    return labels


def answered(logs: Iterable[Path], revised: Path) -> tuple[int, int]:
    """The answers in all logs, and how many of them no revision has applied yet."""
    # `take_answers` copies whole lines, so a line in both places is one answer
    given = len({line for path in logs for line in path.read_bytes().split(b"\n")[:-1]})
    applied = store.read_report(revised).counts.get("answers", 0) if revised.exists() else 0
    return given, max(0, given - applied)


def study(path: Path) -> tuple[float, Study]:
    """.assay/studies/before-after-*.json: when it was written, and what it says."""
    told = store.read_json(path)
    words = " ".join(map(str, told["sentences"]))
    one = Study(str(told["a"]), str(told["b"]), str(told["claim"]), words, f"{path.stem}.html")
    return path.stat().st_mtime, one


def accuracy(path: Path) -> Mapping[str, tuple[float, ...]]:
    """.assay/accuracy.json: tag -> the accuracy of each seed."""
    return {str(tag): tuple(map(float, seeds)) for tag, seeds in store.read_json(path).items() if seeds}


def column(path: Path, table: Table, name: str) -> tuple[str, ...]:
    """One column of one table."""
    return tuple(store.read_table(path, table, columns=[name])[name])


def moment(at: Any) -> float | None:
    """An ISO 8601 time (UTC where it names no zone) in seconds since 1970; None for what is none."""
    try:
        return answers.moment(at).timestamp() if isinstance(at, str) else None
    except ValueError:
        return None
