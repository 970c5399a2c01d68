"""Which items does a drop bring, and which of its rows are duplicates, annotations or faulty?

Every delivered row ends in exactly one of four lists; nothing is dropped, and no order of delivery makes the last one
win. Pure functions; ingest.py reads and writes.

    faulty row, unusable asset or label                    -> quarantine
    one id, two assets; or two labels without annotators   -> quarantine, all rows of that id (E_ID_CONFLICT)
    a known id with another asset                          -> quarantine, the new rows only
    a known id with its asset, whatever the label          -> duplicates (with the label: detect compares it)
    one id, one asset, several annotators                  -> annotations; their majority is the manifest's row
    the same id, asset and label again                     -> duplicates of the first
    anything else                                          -> manifest
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from .model import CODES

Row = Mapping[str, Any]

SPLIT = "train"  # where the drop names none
MERGED = "annotations"  # the source of a manifest row that several people's labels made
LONGEST_SHOWN = 200  # characters of a supplier's text in a message


@dataclass(frozen=True, slots=True)
class Known:
    """An item that an earlier drop brought."""

    asset: str
    row: str  # <drop>/<source>


@dataclass(slots=True)
class Settled:
    """Where the rows of one drop ended, each list in the order of delivery."""

    manifest: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    duplicates: list[dict[str, Any]] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Label:
    """A usable row: this item, this label."""

    at: int  # position among the delivered rows
    item: str
    y: str
    row: Row


def settle(
    drop: str,
    delivered: Sequence[Row],
    *,
    unusable: Mapping[str, tuple[str, str]],
    readable: Iterable[str],
    known: Mapping[str, Known],
    kind: ModuleType,
) -> Settled:
    """Put every row of `delivered` (model.DELIVERED) into one of four lists.

    unusable: asset -> (code, message), readable: assets that decoded; kind: a module of labels/.
    """
    usable = frozenset(readable)
    labels: dict[str, list[_Label]] = {}
    faults: list[tuple[int, str, str]] = []
    duplicates: list[tuple[_Label, str]] = []
    annotations: list[_Label] = []
    settled = Settled()

    for at, row in enumerate(delivered):
        fault = _fault(row, unusable, usable)
        y = ""
        if fault is None:
            fault, y = _parse(row, kind)
        if fault is not None:
            faults.append((at, *fault))
            continue
        item = ((row["id"] or "").strip() and row["id"]) or derived_id(row["asset"])
        labels.setdefault(item, []).append(_Label(at, item, y, row))

    for item, group in labels.items():
        reason = _conflict(item, group, known.get(item), kind)
        if reason is not None:
            faults += [(label.at, "E_ID_CONFLICT", reason) for label in group]
            continue
        if item in known:
            duplicates += [(label, known[item].row) for label in group]
            continue
        distinct, again = _distinct(group)
        first = group[0]
        merged = len(distinct) > 1
        source = MERGED if merged else first.row["source"]
        settled.manifest.append(_manifest_row(drop, first, _majority(distinct), source))
        annotations += distinct if merged else []
        duplicates += [(label, f"{drop}/{original.row['source']}") for label, original in again]

    for at, code, message in sorted(faults):
        row = delivered[at]
        remedy = CODES.get(code, "Correct the row and deliver it again.")
        fault_row = {"drop": drop, "source": row["source"], "raw": row["raw"], "code": code}
        settled.quarantine.append({**fault_row, "message": message, "remedy": remedy})
    for label, original in sorted(duplicates, key=lambda pair: pair[0].at):
        duplicate = {"drop": drop, "source": label.row["source"], "item": label.item}
        split = _split(label.row)
        settled.duplicates.append({**duplicate, "duplicate_of": original, "y": label.y, "split": split})
    for label in sorted(annotations, key=lambda label: label.at):
        annotation = {"item": label.item, "annotator": label.row["annotator"], "y": label.y, "at": None}
        settled.annotations.append({**annotation, "drop": drop, "source": label.row["source"]})
    return settled


def derived_id(asset: str, region: str | None = None) -> str:
    """The id of an item that its supplier gave none: 16 hex digits over what it shows."""
    return hashlib.sha256((asset + (region or "")).encode()).hexdigest()[:16]


def _fault(row: Row, unusable: Mapping[str, tuple[str, str]], readable: frozenset[str]) -> tuple[str, str] | None:
    if row["code"] is not None:
        return row["code"], row["message"] or f"The row has the fault {row['code']}."
    named = f"Asset '{_shown(row['path'])}'" if row["path"] else "Its text"
    if row["asset"] is None or row["shard"] is None or row["row"] is None:
        return "E_ASSET_MISSING", f"{named} is not in the drop."
    if row["asset"] in unusable:
        code, message = unusable[row["asset"]]
        return code, f"{named} cannot be used: {message}"
    if row["asset"] not in readable:
        return "E_ASSET_MISSING", f"{named} is not in the shards of the drop."
    for column in ("id", "split", "annotator"):
        if has_control_character(row[column] or ""):
            return (
                "E_CHARACTER",
                f"Column '{column}' has the value {_shown(row[column])!a}, with a control character.",
            )
    return None


def _parse(row: Row, kind: ModuleType) -> tuple[tuple[str, str] | None, str]:
    text = row["label"] or ""
    try:
        return None, kind.parse(text)
    except ValueError as error:
        if not text.strip():
            code = "E_LABEL_EMPTY"
        elif has_control_character(text.translate(dict.fromkeys(map(ord, getattr(kind, "ALLOWED", ""))))):
            code = "E_CHARACTER"
        else:
            code = "E_TOO_LONG"
        return (code, f"Label {_shown(text)!a} cannot be used: {error}."), ""


def has_control_character(text: str) -> bool:
    """Whether a control character or a lone surrogate is in `text`."""
    return any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."


def _conflict(item: str, group: Sequence[_Label], known: Known | None, kind: ModuleType) -> str | None:
    """Why no row of this item can be used; None if they can."""
    where = ", ".join(label.row["source"] for label in group[:5])
    assets = {label.row["asset"] for label in group}
    if len(assets) > 1:
        return f"Item '{_shown(item)}' has {len(assets)} different assets in {where}; one is allowed."
    ys = list(dict.fromkeys(label.y for label in group))
    if len(ys) > 1 and not all(label.row["annotator"] for label in group):
        named = ", ".join(f"'{_shown(kind.show(y))}'" for y in ys[:5])
        return f"Item '{_shown(item)}' has {len(ys)} labels, {named}, in {where}, not all with an annotator."
    if known is not None and known.asset not in assets:
        return f"Item '{_shown(item)}' has another asset here than in '{known.row}', where it came first."
    return None


def _distinct(group: Sequence[_Label]) -> tuple[list[_Label], list[tuple[_Label, _Label]]]:
    """The labels that say something of their own, and (repetition, what it repeats).

    Where everybody is named, each label of each annotator counts once; where not, there is one label, counted once.
    """
    named = all(label.row["annotator"] for label in group)
    originals: dict[tuple[str | None, str], _Label] = {}
    again = []
    for label in group:
        original = originals.setdefault((label.row["annotator"] if named else None, label.y), label)
        if original is not label:
            again.append((label, original))
    return list(originals.values()), again


def _majority(labels: Sequence[_Label]) -> str:
    """The label that most gave; of several, the one delivered first (triage then asks: it is disputed)."""
    votes = Counter(label.y for label in labels)
    return max(votes, key=lambda y: votes[y])  # a Counter keeps the order of delivery, and max the first of equals


def _manifest_row(drop: str, label: _Label, y: str, source: str) -> dict[str, Any]:
    row = label.row
    extra = {name: value for name, value in row.items() if name.startswith("meta_")}
    return {
        "item": label.item,
        "asset": row["asset"],
        "shard": row["shard"],
        "row": int(row["row"]),
        "region": None,
        "y": y,
        "split": _split(row),
        "drop": drop,
        "source": source,
        **extra,
    }


def _split(row: Row) -> str:
    return ((row["split"] or "").strip() and row["split"]) or SPLIT
