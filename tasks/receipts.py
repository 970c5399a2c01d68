"""What was received, and was this content received before?

Reads   data/drops/<drop>/receipt.json
Writes  .assay/cache/receive/: which landing folder, untouched since, was received as which drop. It saves reading the
        folder again and decides nothing else: without it the folder is read, and its content is found to be known.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from . import durable, store
from .formats import shown
from .model import Mistake, counted


@dataclass(frozen=True, slots=True)
class Receipt:
    """receipt.json, and whether the content was known already."""

    drop: str  # "0002-acme"
    seq: int  # order of arrival, from 1
    name: str  # of the landing folder
    content: str  # sha256 over the delivered content
    rows: int
    faulty: int
    assets: int  # different files
    bytes: int  # of these
    format: str
    delimiter: str | None
    encoding: str | None
    received_at: str  # UTC, ISO 8601
    files: Mapping[str, str]  # name in the packed drop -> sha256
    faults: Mapping[str, int] = field(default_factory=dict)  # code -> rows
    ignored: tuple[str, ...] = ()  # columns that mean nothing to us
    unlisted: tuple[str, ...] = ()  # files that no row names, at most UNLISTED of them
    unlisted_count: int = 0
    checked: int = 0  # checksums in _SUCCESS that were found right
    known: bool = False  # the content had been received before; never stored

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, and why, in sentences."""
        said = [f"Faulty with {code}: {counted({'rows': count})}." for code, count in sorted(self.faults.items())]
        if self.ignored:
            said.append(f"Ignored columns: {', '.join(map(shown, self.ignored))}. Name a column meta_* to keep it.")
        if self.unlisted:
            said.append(f"Left out, without a row: {counted({'files': self.unlisted_count})}: {some(self.unlisted)}.")
        return tuple(said)


def some(names: Sequence[str], most: int = 20) -> str:
    """The first names of many, for a sentence."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(shown(name) for name in names[:most]) + more


def slug(name: str) -> str:
    """Lower-case ASCII letters and digits with dashes between, at most 40 characters."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or "drop"


def read(path: Path) -> Receipt:
    """One receipt.json."""
    content = store.read_json(path)
    kept: dict[str, Any] = {}
    for item in fields(Receipt):
        if item.name in content:
            value = content[item.name]
            kept[item.name] = tuple(value) if isinstance(value, list) else value
    return Receipt(**kept)


def known(drops: Path, content: str) -> Receipt | None:
    """The receipt of the drop with this content, if there is one."""
    for path in sorted(drops.glob("[0-9]*/receipt.json")):
        if (receipt := read(path)).content == content:
            return replace(receipt, known=True)
    return None


def _cache(workspace: Path, folder: Path) -> Path:
    key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
    return workspace / ".assay" / "cache" / "receive" / f"{slug(folder.name)}-{key}.json"


def remembered(workspace: Path, folder: Path, fingerprint: str) -> Receipt | None:
    """The receipt of this landing folder if nothing in it was touched since."""
    try:
        cached = json.loads(_cache(workspace, folder).read_text(encoding="utf-8"))
        if cached["fingerprint"] == fingerprint:
            receipt = read(workspace / "data" / "drops" / cached["drop"] / "receipt.json")
            return replace(receipt, known=True)
    except (OSError, ValueError, KeyError, TypeError, Mistake):
        return None  # whatever is wrong with the cache, reading the folder is right
    return None


def remember(workspace: Path, folder: Path, fingerprint: str, shape: str, drop: str) -> None:
    """Note which drop this landing folder, as it is now, became."""
    path = _cache(workspace, folder)
    durable.sweep(path.parent)
    store.write_json(path, {"fingerprint": fingerprint, "shape": shape, "drop": drop})


def shapes(workspace: Path) -> set[str]:
    """The shapes (Landing.shape) of all landing folders that were received: a copy of one has one of them."""
    found = set()
    for path in (workspace / ".assay" / "cache" / "receive").glob("*.json"):
        try:
            found.add(str(json.loads(path.read_text(encoding="utf-8"))["shape"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found
