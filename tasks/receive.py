"""How does a landing folder become an immutable drop?

Reads   one landing folder, as its supplier left it: labels.csv / .tsv / .jsonl / .parquet and files, or class folders
Writes  data/drops/<drop>/: assets-0000.parquet.., labels.parquet, and receipt.json, written last. The folder is filled
        elsewhere and takes its name by one rename: the name means complete.

Every row stands in labels.parquet, a faulty one with its code and sentence; `ingest` moves it to quarantine. Only a
drop that cannot be read as a whole raises DropRejected, and stays where it is. Files are hashed and packed as bytes in
one pass, never decoded. The landing folder is its supplier's: it is read and left alone.

The same content is one drop, whatever its folder is called: `content` is a hash over the rows as delivered, in order,
and the sha256 of each row's file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from . import durable, receipts, store
from .formats import Fault, Record, format_named, formats_with, rejected, shown
from .landing import SUCCESS, Landing, parts_of, plain_parts
from .model import DELIVERED, DropRejected, Mistake
from .receipts import Receipt

__all__ = ["Receipt", "incomplete", "receive", "waiting"]

OPTIONAL = ("id", "split", "annotator")
UNLISTED = 1000  # names of files without a row that a receipt holds; all are counted
PROGRESS = 1000  # rows between two calls of `progress`

_NUMBERED = re.compile(r"(\d{4,})-")


class _Known(Exception):
    """While packing, the content turned out to be that of an earlier drop: nothing is to be written."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt


# --- which drops wait ------------------------------------------------------------------------------------------------


def waiting(workspace: Path) -> list[Path]:
    """The landing folders in data/incoming that are complete (_SUCCESS is there), in the order of completion."""
    complete = [folder for folder in _landings(workspace) if (folder / SUCCESS).is_file()]
    return sorted(complete, key=lambda folder: ((folder / SUCCESS).stat().st_mtime_ns, folder.name))


def incomplete(workspace: Path) -> list[Path]:
    """The landing folders in data/incoming without _SUCCESS: still being delivered."""
    return sorted(folder for folder in _landings(workspace) if not (folder / SUCCESS).is_file())


def _landings(workspace: Path) -> list[Path]:
    incoming = workspace / "data" / "incoming"
    if not incoming.is_dir():
        return []
    return [p for p in incoming.iterdir() if not p.name.startswith(".") and p.is_dir() and not p.is_symlink()]


# --- receiving one ---------------------------------------------------------------------------------------------------


def receive(
    folder: Path, workspace: Path, *, received_at: str, progress: Callable[[int], None] | None = None
) -> Receipt:
    """Pack `folder` as the next drop; the receipt of the earlier one (known=True) if its content was received before.

    Raises DropRejected where it cannot be read as a whole; then nothing was written. `progress` gets the rows read.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise Mistake(f"No folder '{folder}'. Name a landing folder: assay receive FOLDER")
    staging = _staging(workspace)
    durable.sweep(staging)
    try:
        with Landing(folder) as landing:
            before = landing.fingerprint()
            if known := receipts.remembered(workspace, folder, before):
                return known
            try:
                receipt = _pack(landing, workspace, staging, before, received_at, progress)
            except _Known as error:
                receipt = error.receipt
    except DropRejected as error:
        raise DropRejected(error.code, f"Drop '{shown(folder.name)}' cannot be received. {error}") from None
    except PermissionError as error:
        raise DropRejected(
            "E_ASSET_MISSING", f"Drop '{shown(folder.name)}' has something that may not be read: '{error.filename}'."
        ) from None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DropRejected(
            "E_MANIFEST", f"Drop '{shown(folder.name)}' changed while it was read: '{error.filename}' has gone."
        ) from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise DropRejected(
            "E_ASSET_PATH",
            f"Drop '{shown(folder.name)}' has folders too deep for a path: {shown(str(error.filename))}.",
        ) from None
    receipts.remember(workspace, folder, before, receipt.drop)
    return receipt


def _pack(
    landing: Landing,
    workspace: Path,
    staging: Path,
    before: str,
    received_at: str,
    progress: Callable[[int], None] | None,
) -> Receipt:
    drops = workspace / "data" / "drops"
    name, module, labels = _detect(landing.folder)
    listed = landing.checksums()
    # the .dvc files count too: a drop that was not pulled has its number
    numbers = [int(found[1]) for path in drops.iterdir() if (found := _NUMBERED.match(path.name))]
    seq = 1 + max(numbers, default=0)
    drop = f"{seq:04d}-{receipts.slug(landing.folder.name)}"
    with durable.fresh_folder(drops / drop, staging=staging) as staged:
        rows = _Rows(landing, module.records(labels), progress)
        where = store.write_assets(staged, drop, rows.assets())
        unlisted = _unlisted(landing, labels, rows.named)
        _check_manifest(landing, listed, rows.hashes)
        if landing.fingerprint() != before:
            raise rejected("E_MANIFEST", "Its files changed while they were read; wait until it is complete.")
        if known := receipts.known(drops, rows.content.hexdigest()):
            raise _Known(known)
        store.write_table(staged / "labels.parquet", DELIVERED, rows.table(where))
        dialect = module.dialect(labels) if hasattr(module, "dialect") else {}
        receipt = Receipt(
            drop=drop,
            seq=seq,
            name=_utf8(landing.folder.name),
            content=rows.content.hexdigest(),
            rows=len(rows.columns["source"]),
            faulty=sum(rows.faults.values()),
            assets=len(where),
            bytes=rows.size,
            format=name,
            delimiter=dialect.get("delimiter"),
            encoding=dialect.get("encoding"),
            received_at=received_at,
            files={path.name: store.sha256_file(path) for path in sorted(staged.iterdir())},
            faults=dict(sorted(rows.faults.items())),
            ignored=tuple(rows.ignored),
            unlisted=tuple(unlisted[:UNLISTED]),
            unlisted_count=len(unlisted),
            checked=len(listed),
        )
        stored = {key: value for key, value in asdict(receipt).items() if key != "known"}
        store.write_json(staged / "receipt.json", stored)
        if (drops / drop).exists():
            raise Mistake(f"Drop '{drop}' was received by another process meanwhile. Run it again: assay run")
    return receipt


def _detect(folder: Path) -> tuple[str, ModuleType, Path]:
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


class _Rows:
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
        """(sha256, bytes) of each file that a row names, once a file; every row is noted on the way."""
        packed: set[str] = set()
        number = 0
        for number, record in enumerate(self._records, start=1):
            asset, code, message = None, record.code, record.message
            if code is None:
                try:
                    path = "/".join(parts := parts_of(record.fields.get("path", "")))
                    self.named.add(path)
                    asset = self.hashes.get(path)
                    if asset is None:
                        data = self._landing.read(parts)
                        asset = self.hashes[path] = hashlib.sha256(data).hexdigest()
                        if asset not in packed:
                            packed.add(asset)
                            self.size += len(data)
                            yield asset, data
                except Fault as fault:
                    code, message = fault.code, f"Row '{shown(record.source)}': {fault}"
            self._note(record, asset, code, message)
            if self._progress and not number % PROGRESS:
                self._progress(number)
        if self._progress:
            self._progress(number)

    def _note(self, record: Record, asset: str | None, code: str | None, message: str | None) -> None:
        values: dict[str, Any] = {"source": record.source, "raw": record.raw, "asset": asset}
        for name, value in record.fields.items():
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


def _staging(workspace: Path) -> Path:
    """Where a drop is filled: out of sight of whoever lists data/drops, but on its disk, so that a rename will do."""
    drops, hidden = workspace / "data" / "drops", workspace / ".assay" / "staging"
    drops.mkdir(parents=True, exist_ok=True)
    hidden.mkdir(parents=True, exist_ok=True)
    return hidden if hidden.stat().st_dev == drops.stat().st_dev else drops


# --- what the folder holds beside its rows ---------------------------------------------------------------------------


def _unlisted(landing: Landing, labels: Path, named: set[str]) -> list[str]:
    """The files that no row names, in the order of their names; `_SUCCESS` and the labels file are known."""
    known = {SUCCESS, labels.name if labels != landing.folder else SUCCESS}
    return sorted(_utf8(path) for path, _ in landing.walk() if path not in named and path not in known)


def _check_manifest(landing: Landing, listed: Mapping[str, str], read: Mapping[str, str]) -> None:
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


def _utf8(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")
