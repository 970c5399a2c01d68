"""How are the bytes of a drop packed into append-only shards, and read back one by one?

    0001-acme/assets-0000.parquet   row 16   3fd1..   b"\\x89PNG.."

Uncompressed, because images are; in row groups, so that one item is read without its shard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..model import ASSETS, Mistake
from .files import sentences
from .tables import ROW_GROUP_BYTES, schema_of

SHARD_BYTES = 128 * 2**20  # an asset shard is closed when it reaches this
ABSENT = "No asset shard '{}'. Run: dvc pull"


def write_assets(folder: Path, drop: str, assets: Iterable[tuple[str, bytes]]) -> dict[str, tuple[str, int]]:
    """Pack (sha256, bytes) into `folder`/assets-NNNN.parquet, uncompressed; returns sha256 -> (shard, row).

    `shard` is "<drop>/assets-NNNN.parquet". Memory: one row group. An asset given twice is stored once.
    """
    where: dict[str, tuple[str, int]] = {}
    schema = schema_of(ASSETS, ())
    pending: list[tuple[str, bytes]] = []
    writer: pq.ParquetWriter | None = None
    shard, row, size, waiting = 0, 0, 0, 0

    def flush() -> None:
        nonlocal writer, waiting
        if not pending:
            return
        if writer is None:
            writer = pq.ParquetWriter(folder / f"assets-{shard:04d}.parquet", schema, compression="none")
        arrays = [pa.array([a for a, _ in pending], pa.string()), pa.array([d for _, d in pending], pa.binary())]
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=len(pending))
        pending.clear()
        waiting = 0

    for asset, content in assets:
        if asset in where:
            continue
        if waiting and waiting + len(content) > ROW_GROUP_BYTES:
            flush()
        if size and size + len(content) > SHARD_BYTES:
            flush()
            if writer is not None:
                writer.close()
            writer, shard, row, size = None, shard + 1, 0, 0
        pending.append((asset, content))
        where[asset] = (f"{drop}/assets-{shard:04d}.parquet", row)
        row, size, waiting = row + 1, size + len(content), waiting + len(content)
    flush()
    if writer is not None:
        writer.close()
    return where


def iterate_assets(shard: Path) -> Iterator[tuple[str, bytes]]:
    """Every (sha256, bytes) of one shard in row order, one row group in memory at a time."""
    with sentences(shard, ABSENT), pq.ParquetFile(shard) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            yield from zip(table["asset"].to_pylist(), table["data"].to_pylist(), strict=True)


class AssetReader:
    """Random access to assets by (shard, row): keeps each open shard's row-group offsets and the last `groups` read.

    Each asset is hashed again as it is handed out: bytes that are not those of its sha256 are a Mistake, never data.
    """

    def __init__(self, drops: Path, *, groups: int = 1) -> None:
        self._drops, self._keep = drops, groups
        self._files: dict[str, tuple[pq.ParquetFile, list[int]]] = {}
        self._groups: dict[tuple[str, int], list[tuple[str, bytes]]] = {}  # the one used last stands last

    def __call__(self, shard: str, row: int) -> bytes:
        file, ends = self._open(shard)
        if not ends or not 0 <= row < ends[-1]:
            raise Mistake(f"Asset shard '{self._drops / shard}' has no row {row}. Run: assay verify")
        group = int(np.searchsorted(ends, row, side="right"))
        contents = self._groups.pop((shard, group), None)
        if contents is None:
            with sentences(self._drops / shard, ABSENT):
                table = file.read_row_group(group)
                contents = list(zip(table["asset"].to_pylist(), table["data"].to_pylist(), strict=True))
            while len(self._groups) >= self._keep:
                del self._groups[next(iter(self._groups))]
        self._groups[shard, group] = contents
        asset, content = contents[row - (ends[group - 1] if group else 0)]
        if hashlib.sha256(content).hexdigest() != asset:
            raise Mistake(f"Asset shard '{self._drops / shard}' has wrong bytes in row {row}. Run: assay verify")
        return content

    def _open(self, shard: str) -> tuple[pq.ParquetFile, list[int]]:
        if shard not in self._files:
            with sentences(self._drops / shard, ABSENT):
                file = pq.ParquetFile(self._drops / shard)
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            self._files[shard] = (file, list(np.cumsum(sizes)))
        return self._files[shard]
