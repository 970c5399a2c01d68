"""How are the tables between stages written and read?

Each is checked against its contract (model.Table) when written and when read, so that a stage never computes on a
column that is not what it thinks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .. import durable
from ..model import Mistake, Table
from .files import read_arrow, write_arrow
from .matrices import matrix

ROW_GROUP_BYTES = 4 * 2**20  # so that one item is read without its shard

_TYPES = {"text": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "bytes": pa.binary()}


def schema_of(table: Table, columns: Iterable[str]) -> pa.Schema:
    """The arrow schema of `table`, with those of `columns` that its extra prefix allows."""
    fields = []
    for name, kind in table.columns.items():
        fields.append(pa.field(name, _TYPES[kind.removesuffix("?")], nullable=kind.endswith("?")))
    for name in columns:
        if name not in table.columns:
            if table.extra is None or not name.startswith(table.extra):
                raise _unknown(table, name)
            fields.append(pa.field(name, pa.string(), nullable=True))
    return pa.schema(fields)


def _unknown(table: Table, name: str) -> Mistake:
    return Mistake(f"Table '{table.name}' has unknown column '{name}'. Columns are: {_names(table)}.")


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
    write_arrow(path, _arrow(path, table, schema, {name: list(data[name]) for name in schema.names}))


def write_rows(path: Path, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as they come, atomically, one row group of ROW_GROUP_BYTES in memory: for tables that hold bytes."""
    schema = schema_of(table, ())

    def fill(temporary: Path) -> None:
        group: list[Mapping[str, Any]] = []
        size = written = 0
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:

            def flush() -> None:
                nonlocal size, written
                columns = {name: [row.get(name) for row in group] for name in schema.names}
                arrow = _arrow(path, table, schema, columns, first=written)
                writer.write_table(arrow, row_group_size=len(group))
                written += len(group)
                group.clear()
                size = 0

            for row in rows:
                if unknown := row.keys() - table.columns.keys():
                    raise _unknown(table, min(unknown))
                group.append(row)
                size += sum(len(value) for value in row.values() if isinstance(value, bytes | str))
                if size >= ROW_GROUP_BYTES:
                    flush()
            if group:
                flush()

    durable.write_with(path, fill)


def _arrow(
    path: Path, table: Table, schema: pa.Schema, columns: Mapping[str, Sequence[Any]], *, first: int = 0
) -> pa.Table:
    """`columns` as an arrow table; Mistake with table, column and row, the first of which is number `first`."""
    arrays = []
    for column in schema:
        values = [None if _is_null(value) else value for value in columns[column.name]]
        if not column.nullable and None in values:
            row = first + values.index(None)
            raise Mistake(f"Table '{table.name}' has a null in column '{column.name}', row {row} of '{path.name}'.")
        array = _array(values, column.type)
        if array is None:
            row = next(n for n, value in enumerate(values) if _array([value], column.type) is None)
            raise Mistake(
                f"Table '{table.name}' has the value {values[row]!r:.60} in column '{column.name}', row {first + row} "
                f"of '{path.name}'. The type of the column is {column.type}."
            )
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=schema)


def _is_null(value: Any) -> bool:
    return bool(value is None or value is pd.NA or value != value)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array | None:
    """`values` as `kind`, or None where one does not fit: a lone surrogate is no text, 1.5 is no int."""
    try:
        array = pa.array(values, kind)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return None
    if pa.types.is_integer(kind) and array.to_pylist() != values:  # arrow cuts 1.5 to 1 without a word
        return None
    return array


def read_table(path: Path, table: Table, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read one Parquet file, or every `*.parquet` of a folder in name order, checked against `table`.

    A file whose name begins with `_` is about the folder, not of it, as for Hive, Spark and pyarrow.
    Text columns come back as object columns of str or None, so `value is None` is the one null test.
    """
    files = sorted(path.glob("[!_]*.parquet")) if path.is_dir() else [path]
    if path.is_dir() and not files:
        return frame(table)
    parts = []
    for file in files:
        arrow = read_arrow(file, columns)
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
        return pd.Series(list(matrix(column)), dtype=object)
    return column.to_pandas()


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
