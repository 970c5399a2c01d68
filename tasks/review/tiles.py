"""How does a screenful of items reach the page as one picture?

Reads   data/drops/<drop>/assets-NNNN.parquet
Writes  .assay/cache/review/tiles-<side>.pack and .index: a small JPEG of each asset, made once for its content

The pack only grows; a record of the index is written after its tile, so one that a crash has torn is made again.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType

from .. import store
from ..modalities import Unreadable
from ..model import Mistake

SIDE = 96  # pixels
COLUMNS = 10
MOST = 60  # tiles on a sheet
SHEETS = 400  # kept in memory, 30 kB each
GROUPS = 4  # row groups of 4 MiB kept while single tiles are made
RECORD = struct.Struct("<32sQI")  # sha256, offset and length in the pack

Where = tuple[str, str, int]  # sha256, shard, row


class Tiles:
    """The tiles of a workspace; safe for several threads, and for several processes on one pack."""

    def __init__(self, workspace: Path, modality: ModuleType) -> None:
        self._modality = modality
        folder = workspace / ".assay" / "cache" / "review"
        folder.mkdir(parents=True, exist_ok=True)
        self._pack, self._index = folder / f"tiles-{SIDE}.pack", folder / f"tiles-{SIDE}.index"
        self._drops = workspace / "data" / "drops"
        self._where: dict[bytes, tuple[int, int]] = {}
        self._read_to = 0
        self._lock = threading.Lock()
        self._reader = store.AssetReader(self._drops, groups=GROUPS)
        self._sheets: OrderedDict[tuple[str, ...], bytes] = OrderedDict()
        self._look()

    def sheet(self, wanted: Sequence[Where]) -> bytes:
        """At most MOST tiles in rows of COLUMNS, as one JPEG; Mistake for more. What cannot be shown stays empty."""
        if not 0 < len(wanted) <= MOST:
            raise Mistake(f"A sheet of {len(wanted)} tiles was asked for. 1 to {MOST} are allowed.")
        key = tuple(asset for asset, _, _ in wanted)
        with self._lock:
            if key in self._sheets:
                self._sheets.move_to_end(key)
                return self._sheets[key]
            self._make([one for one in wanted if bytes.fromhex(one[0]) not in self._where], self._reader)
            with open(self._pack, "rb") as pack:
                found = [self._tile(pack.fileno(), asset) for asset, _, _ in wanted]
        made: bytes = self._modality.sheet(found, SIDE, COLUMNS)
        with self._lock:
            self._sheets[key] = made
            while len(self._sheets) > SHEETS:
                self._sheets.popitem(last=False)
        return made

    def fill(self, wanted: Iterable[Where], *, stop: Callable[[], bool] = lambda: False) -> int:
        """Make the tiles that are missing, in the order in which they lie on disk; how many."""
        missing = {
            asset: (asset, shard, row) for asset, shard, row in wanted if bytes.fromhex(asset) not in self._where
        }
        reader, made = store.AssetReader(self._drops), 0
        ordered = sorted(missing.values(), key=lambda one: one[1:])
        for start in range(0, len(ordered), MOST):
            if stop():
                break
            with self._lock:
                made += self._make(ordered[start : start + MOST], reader)
        return made

    def _tile(self, pack: int, asset: str) -> bytes | None:
        where = self._where.get(bytes.fromhex(asset))
        return None if where is None or not where[1] else os.pread(pack, where[1], where[0])

    def _make(self, missing: Sequence[Where], reader: store.AssetReader) -> int:
        """Append the tiles of what is missing; one that cannot be made is remembered as empty."""
        if not missing:
            return 0
        contents: dict[bytes, bytes] = {}
        for asset, shard, row in missing:
            contents.setdefault(bytes.fromhex(asset), self._one(reader, shard, row))
        with open(self._pack, "ab") as pack, open(self._index, "ab") as index:
            fcntl.flock(index, fcntl.LOCK_EX)
            self._look()
            if index.tell() % RECORD.size:  # torn by a crash
                index.truncate(index.tell() - index.tell() % RECORD.size)
                index.seek(0, os.SEEK_END)
            offset = pack.seek(0, os.SEEK_END)
            records = []
            for digest, content in contents.items():
                if digest not in self._where:
                    pack.write(content)
                    records.append(RECORD.pack(digest, offset, len(content)))
                    offset += len(content)
            pack.flush()
            index.write(b"".join(records))
        self._look()
        return len(contents)

    def _one(self, reader: store.AssetReader, shard: str, row: int) -> bytes:
        try:
            made: bytes = self._modality.tile(reader(shard, row), SIDE)
            return made
        except (Unreadable, Mistake):  # the page shows an empty place; what is wrong with it, the side panel
            return b""

    def _look(self) -> None:
        """Read the records that the index has and we do not."""
        if not self._index.exists():
            self._pack.touch()
            self._index.touch()
        size = self._pack.stat().st_size
        with open(self._index, "rb") as index:
            index.seek(self._read_to)
            raw = index.read()
        raw = raw[: len(raw) - len(raw) % RECORD.size]
        for digest, offset, length in RECORD.iter_unpack(raw):
            if offset + length <= size:
                self._where[digest] = (offset, length)
        self._read_to += len(raw)
