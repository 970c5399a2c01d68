"""What does a landing folder hold: its rows, each with its file?

Reads   one landing folder through landing.py: labels.csv / .tsv / .jsonl / .parquet and files, or class folders

A row's file is hashed and handed on as bytes, never decoded; what is wrong with a row is noted with the row. A row may
hold its item itself, in the column `text`: then its bytes are the UTF-8 of that text, as if a file had held them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from . import receipts
from .formats import Fault, Record, format_named, formats_with, rejected, shown, standard
from .landing import SUCCESS, Landing, parts_of, plain_parts
from .model import DELIVERED

OPTIONAL = ("id", "split", "annotator")
PROGRESS = 1000  # rows between two calls of `progress`


def detect(folder: Path) -> tuple[str, ModuleType, Path]:
    """(format, its module, labels file or folder): the one labels file; without any, the class folders."""
    found = {}
    for name in formats_with("matches"):
        module = format_named(name, "matches")
        if labels := module.matches(folder):
            found[name] = (name, module, labels)
    files = [match for match in found.values() if match[2] != folder]
    if len(files) > 1:
        names = ", ".join(shown(path.name) for _, _, path in files)
        raise rejected("E_FORMAT", f"It has several labels files: {names}. One is allowed.")
    if not found:
        raise rejected("E_FORMAT", "It has no labels file and no class folders with files.")
    match = files[0] if files else next(iter(found.values()))
    if match[2].is_symlink():
        raise rejected("E_SYMLINK", f"Its labels file '{shown(match[2].name)}' is a link.")
    return match


class Rows:
    """The rows of a drop as columns, filled while its files pass by on their way into the shards."""

    def __init__(self, landing: Landing, records: Iterator[Record], progress: Callable[[int], None] | None) -> None:
        self._landing, self._records, self._progress = landing, records, progress
        self.columns: dict[str, list[Any]] = {name: [] for name in DELIVERED.columns}
        self.metas: dict[str, dict[int, str]] = {}  # meta column -> row number -> value
        self.named: set[str] = set()  # relative paths that rows name
        self.hashes: dict[str, str] = {}  # relative path -> sha256 of each file that was read
        self.ignored: dict[str, None] = {}
        self.faults: Counter[str] = Counter()
        self.content = hashlib.sha256()
        self.size = 0

    def assets(self) -> Iterator[tuple[str, bytes]]:
        """(sha256, bytes) of each item, a file or a text, once each; every row is noted on the way."""
        packed: set[str] = set()
        number = 0
        for number, record in enumerate(self._records, start=1):
            asset, code, message = None, record.code, record.message
            fields = standard(record.fields)
            if code is None:
                try:
                    asset, data = self._item(fields)
                    if data is not None and asset not in packed:
                        packed.add(asset)
                        self.size += len(data)
                        yield asset, data
                except Fault as fault:
                    code, message = fault.code, f"Row '{shown(record.source)}': {fault}"
            self._note(record, fields, asset, code, message)
            if self._progress and not number % PROGRESS:
                self._progress(number)
        if self._progress:
            self._progress(number)

    def _item(self, fields: Mapping[str, str]) -> tuple[str, bytes | None]:
        """(sha256, bytes) of what the row shows: its text, or the file that it names; None for a file read before."""
        if not fields.get("path") and "text" in fields:
            data = fields["text"].encode()
            if not data:
                raise Fault("E_ASSET_EMPTY", "Its text is empty.")
            return hashlib.sha256(data).hexdigest(), data
        path = "/".join(parts := parts_of(fields.get("path", "")))
        self.named.add(path)
        if path in self.hashes:
            return self.hashes[path], None
        data = self._landing.read(parts)
        self.hashes[path] = hashlib.sha256(data).hexdigest()
        return self.hashes[path], data

    def _note(
        self, record: Record, fields: Mapping[str, str], asset: str | None, code: str | None, message: str | None
    ) -> None:
        values: dict[str, Any] = {"source": record.source, "raw": record.raw, "asset": asset}
        for name, value in fields.items():
            if name == "text" and not fields.get("path"):
                continue  # it is the asset
            if name in ("path", "label"):
                values[name] = value
            elif name in OPTIONAL:
                values[name] = value or None  # a blank cell names nothing
            elif name.startswith("meta_"):
                self.metas.setdefault(name, {})[len(self.columns["source"])] = value
            else:
                self.ignored[name] = None
        for name, column in self.columns.items():
            column.append({"code": code, "message": message}.get(name, values.get(name)))
        if code is not None:
            self.faults[code] += 1
        row = json.dumps([sorted(record.fields.items()), code, asset]).encode()
        self.content.update(b"%d %d\n" % (len(record.raw), len(row)) + record.raw + row)

    def table(self, where: Mapping[str, tuple[str, int]]) -> pd.DataFrame:
        """The rows as model.DELIVERED, each asset with its place in the shards."""
        places = [where[asset] if asset else (None, None) for asset in self.columns["asset"]]
        count = len(places)
        columns = {**self.columns, "shard": [shard for shard, _ in places], "row": [row for _, row in places]}
        for name in sorted(self.metas):
            columns[name] = [self.metas[name].get(number) for number in range(count)]
        return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


# --- what the folder holds beside its rows ---------------------------------------------------------------------------


def unlisted(landing: Landing, labels: Path, named: set[str]) -> list[str]:
    """The files that no row names, in the order of their names; `_SUCCESS` and the labels file are known."""
    known = {SUCCESS, labels.name if labels != landing.folder else SUCCESS}
    return sorted(utf8(path) for path, _ in landing.walk() if path not in named and path not in known)


def check_manifest(landing: Landing, listed: Mapping[str, str], read: Mapping[str, str]) -> None:
    """DropRejected E_MANIFEST with every file of _SUCCESS that is absent or has another sha256."""
    wrong = []
    for path, wanted in sorted(listed.items()):
        found = read.get(path)
        if found is None:
            try:
                found = landing.sha256(plain_parts(path))
            except Fault as fault:
                wrong.append(f"{shown(path)} (cannot be read: {fault.code})")
                continue
        if found != wanted:
            wrong.append(f"{shown(path)} (sha256 {found[:8]}.., listed {wanted[:8]}..)")
    if wrong:
        raise rejected(
            "E_MANIFEST", f"{len(wrong):,} of {len(listed):,} files in {SUCCESS} disagree: {receipts.some(wrong)}."
        )


def utf8(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")
