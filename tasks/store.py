"""How is each table and file of Assay read and written?

The one home of pyarrow. Tables are checked against their contract (model.Table) when written and when read, so that a
stage never computes on a column that is not what it thinks. Writing is atomic (durable.py) and byte-stable: the same
rows give the same file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from ruamel.yaml import YAML

from . import durable
from .model import ASSETS, Mistake, Report, Table

FloatArray = NDArray[np.float32]

SHARD_BYTES = 128 * 2**20  # an asset shard is closed when it reaches this
DELIVERED_GROUP_BYTES = 2**30  # a delivered Parquet file that unpacks to more than this a row group is refused
ROW_GROUP_BYTES = 4 * 2**20  # so that one item is read without its shard

_TYPES = {"text": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "bytes": pa.binary()}

# --- tables ----------------------------------------------------------------------------------------------------------


def schema_of(table: Table, columns: Iterable[str]) -> pa.Schema:
    """The arrow schema of `table`, with those of `columns` that its extra prefix allows."""
    fields = []
    for name, kind in table.columns.items():
        fields.append(pa.field(name, _TYPES[kind.removesuffix("?")], nullable=kind.endswith("?")))
    for name in columns:
        if name not in table.columns:
            if table.extra is None or not name.startswith(table.extra):
                raise Mistake(f"Table '{table.name}' has unknown column '{name}'. Columns are: {_names(table)}.")
            fields.append(pa.field(name, pa.string(), nullable=True))
    return pa.schema(fields)


def _names(table: Table) -> str:
    return ", ".join(table.columns) + (f", {table.extra}*" if table.extra else "")


def frame(table: Table, rows: Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """Rows as a DataFrame with the columns of `table` in order; object columns hold str or None, never NaN."""
    rows = list(rows)
    extra = sorted({name for row in rows for name in row if name not in table.columns})
    columns = [*table.columns, *extra]
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in columns})


def write_table(path: Path, table: Table, data: pd.DataFrame) -> None:
    """Write `data` as `table` to a Parquet file, atomically; raises Mistake where it breaks the contract."""
    missing = [name for name in table.columns if name not in data.columns]
    if missing:
        raise Mistake(
            f"Table '{table.name}' for '{path.name}' lacks column '{missing[0]}'. Columns are: {_names(table)}."
        )
    schema = schema_of(table, map(str, data.columns))
    arrays = []
    for column in schema:
        values = [None if value is None or value is pd.NA or value != value else value for value in data[column.name]]
        if not column.nullable and any(value is None for value in values):
            raise Mistake(
                f"Table '{table.name}' has a null in column '{column.name}', row {values.index(None)} of '{path.name}'."
            )
        try:
            arrays.append(pa.array(values, column.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise Mistake(f"Table '{table.name}' has a wrong value in column '{column.name}': {error}.") from None
    _write_arrow(path, pa.Table.from_arrays(arrays, schema=schema))


def _write_arrow(path: Path, arrow: pa.Table, *, compression: str = "zstd") -> None:
    durable.write_with(path, lambda temporary: pq.write_table(arrow, temporary, compression=compression))


def write_rows(path: Path, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as they come, atomically, one row group of ROW_GROUP_BYTES in memory: for tables that hold bytes."""
    schema = schema_of(table, ())

    def fill(temporary: Path) -> None:
        group: list[Mapping[str, Any]] = []
        size = 0
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for row in rows:
                group.append(row)
                size += sum(len(value) for value in row.values() if isinstance(value, bytes | str))
                if size >= ROW_GROUP_BYTES:
                    writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=len(group))
                    group, size = [], 0
            if group:
                writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=len(group))

    durable.write_with(path, fill)


def read_table(path: Path, table: Table, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read one Parquet file, or every `*.parquet` of a folder in name order, checked against `table`.

    Text columns come back as object columns of str or None, so `value is None` is the one null test.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if path.is_dir() and not files:
        return frame(table)
    parts = []
    for file in files:
        arrow = _read_arrow(file, columns)
        _check(file, table, arrow.schema, columns)
        parts.append(arrow)
    whole = pa.concat_tables(parts, promote_options="default")
    return pd.DataFrame({name: _to_pandas(whole[name]) for name in whole.column_names})


def _to_pandas(column: pa.ChunkedArray) -> Any:
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        return pd.Series(column.to_pylist(), dtype=object)
    if pa.types.is_integer(column.type) and column.null_count:
        return pd.Series(column.to_pylist(), dtype=object)
    if pa.types.is_fixed_size_list(column.type):
        return pd.Series(list(_matrix(column)), dtype=object)
    return column.to_pandas()


def _read_arrow(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    try:
        return pq.ParquetFile(path).read(columns=list(columns) if columns else None)
    except FileNotFoundError:
        raise Mistake(f"No file '{path}'. Run: assay run") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise Mistake(
            f"File '{path}' is not a readable Parquet file ({_first_line(error)}). Run: assay verify"
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _check(path: Path, table: Table, schema: pa.Schema, columns: Sequence[str] | None) -> None:
    for name, kind in table.columns.items():
        if columns is not None and name not in columns:
            continue
        if name not in schema.names:
            raise Mistake(f"File '{path}' lacks column '{name}' of table '{table.name}'. Columns are: {_names(table)}.")
        wanted = _TYPES[kind.removesuffix("?")]
        if schema.field(name).type != wanted:
            raise Mistake(
                f"File '{path}' has column '{name}' as {schema.field(name).type}; table '{table.name}' wants {wanted}."
            )


# --- a delivered Parquet file, as text -----------------------------------------------------------------------------


class NotText(Exception):
    """A delivered Parquet file cannot be read as rows of text; the message says why, after the file's name."""


def text_columns(path: Path) -> list[str]:
    """The column names of a delivered file; NotText if its footer is missing or a column is nested."""
    with _delivered(path) as file:
        for column in file.schema_arrow:
            if pa.types.is_nested(column.type):
                raise NotText(f"column '{column.name}' is nested ({column.type}).")
        for group in range(file.num_row_groups):
            if file.metadata.row_group(group).total_byte_size > DELIVERED_GROUP_BYTES:
                raise NotText(f"row group {group} unpacks to more than {DELIVERED_GROUP_BYTES:,} bytes.")
        return [str(name) for name in file.schema_arrow.names]


def iterate_text_rows(path: Path) -> Iterator[dict[str, bytes]]:
    """Each row as column -> the bytes of its text (Arrow's cast to string), nulls left out; a batch in memory."""
    with _delivered(path) as file:
        for batch in file.iter_batches(batch_size=4096):
            columns = {}
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                try:
                    columns[name] = _as_bytes(column).to_pylist()
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                    raise NotText(f"column '{name}' has type {column.type}, which is not text.") from None
            for row in range(batch.num_rows):
                yield {name: cells[row] for name, cells in columns.items() if cells[row] is not None}


def _as_bytes(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        column = column if pa.types.is_large_string(column.type) else column.cast(pa.string())
        column = column.cast(pa.large_binary())  # to bytes: Parquet proves no UTF-8, so decoding is left to each row
    return column


@contextmanager
def _delivered(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: names in a damaged footer
        with open(path, "rb") as raw:
            raw.seek(max(0, path.stat().st_size - 4))
            complete = raw.read() == b"PAR1"
        if complete:
            raise NotText(f"its content is damaged ({_first_line(error).rstrip('.')}).") from None
        raise NotText("footer missing: file still being written?") from None


# --- vectors: items beside fixed-size lists of float32 ---------------------------------------------------------------


def write_vectors(path: Path, items: Sequence[str], views: Mapping[str, FloatArray]) -> None:
    """Write one row an item with a column a view; each view is (N, D) float32, D may differ between views."""
    columns: dict[str, Any] = {"item": pa.array(list(items), pa.string())}
    for name, x_ND in views.items():
        assert x_ND.ndim == 2 and len(x_ND) == len(items), (name, x_ND.shape, len(items))
        flat = pa.array(np.ascontiguousarray(x_ND, dtype=np.float32).reshape(-1))
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, x_ND.shape[1])
    _write_arrow(path, pa.table(columns))


def read_vectors(path: Path) -> tuple[list[str], dict[str, FloatArray]]:
    """Read a file or folder of vectors: the items, and view -> (N, D) float32, rows in the order of the items."""
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        return [], {}
    whole = pa.concat_tables([_read_arrow(file) for file in files])
    items = [str(value) for value in whole["item"].to_pylist()]
    return items, {name: _matrix(whole[name]) for name in whole.column_names if name != "item"}


def _matrix(column: pa.ChunkedArray) -> FloatArray:
    width = column.type.list_size
    chunks = [np.asarray(chunk.flatten()).reshape(len(chunk), width) for chunk in column.chunks]
    return np.concatenate(chunks) if chunks else np.zeros((0, width), np.float32)


# --- assets: the bytes of a drop, in append-only shards --------------------------------------------------------------


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
    with pq.ParquetFile(shard) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            yield from zip(table["asset"].to_pylist(), table["data"].to_pylist(), strict=True)


class AssetReader:
    """Random access to assets by (shard, row): keeps each open shard's row-group offsets and the last `groups` read."""

    def __init__(self, drops: Path, *, groups: int = 1) -> None:
        self._drops, self._keep = drops, groups
        self._files: dict[str, tuple[pq.ParquetFile, list[int]]] = {}
        self._groups: dict[tuple[str, int], list[bytes]] = {}  # the one used last stands last

    def __call__(self, shard: str, row: int) -> bytes:
        if shard not in self._files:
            path = self._drops / shard
            if not path.exists():
                raise Mistake(f"No asset shard '{path}'. Run: dvc pull")
            file = pq.ParquetFile(path)
            sizes = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
            self._files[shard] = (file, list(np.cumsum(sizes)))
        file, ends = self._files[shard]
        group = int(np.searchsorted(ends, row, side="right"))
        contents = self._groups.pop((shard, group), None)
        if contents is None:
            contents = file.read_row_group(group, columns=["data"])["data"].to_pylist()
            while len(self._groups) >= self._keep:
                del self._groups[next(iter(self._groups))]
        self._groups[shard, group] = contents
        return contents[row - (ends[group - 1] if group else 0)]


# --- reports, hashes, JSON -------------------------------------------------------------------------------------------


def write_report(path: Path, report: Report) -> None:
    """data/<stage>.json: flat and sorted, so that `dvc metrics diff` reads it."""
    content = {key: value for key, value in asdict(report).items() if key != "status"}
    write_json(path, content)


def read_report(path: Path) -> Report:
    """The Report that a stage wrote last; raises Mistake if the stage has not run."""
    content = read_json(path)
    return Report(**{**content, "notes": tuple(content.get("notes", ()))})


def write_json(path: Path, content: Any) -> None:
    durable.write_text(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Mistake(f"No file '{path}'. Run: assay run") from None
    except ValueError as error:
        raise Mistake(f"File '{path}' is not JSON: {error}. Run: assay verify") from None


def sha256_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stage_version(workspace: Path, stage: str) -> str:
    """The stage's version in code.yaml, a flat `stage: version` mapping; "0" where there is none."""
    path = workspace / "code.yaml"
    content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) if path.exists() else None
    return str((content or {}).get(stage, "0"))
