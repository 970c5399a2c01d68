"""How is a Parquet file that a stranger delivered read, as rows of text?

Covered: a footer that is missing or damaged, nested columns, a row group that would unpack to more than the memory, a
long value that a few bytes repeat (a file of 460 bytes asked for 2.5 GB).
Not covered: text that is no UTF-8; the bytes are handed on, and formats/parquet.py judges each row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .files import first_line

BATCH = 64  # rows in memory at once
LONGEST = 2**20  # bytes of a value that the file stores once and names often; formats/ refuses it anyway
DELIVERED_GROUP_BYTES = 2**30  # a row group that unpacks to more than this is refused


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
        for batch in file.iter_batches(batch_size=BATCH):
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
        values = column.dictionary
        if pa.types.is_string(values.type) or pa.types.is_binary(values.type):  # clipped before they are multiplied
            values = pc.binary_slice(values.cast(pa.large_binary()), 0, LONGEST + 1)
        column = values.take(column.indices)
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        column = column if pa.types.is_large_string(column.type) else column.cast(pa.string())
        column = column.cast(pa.large_binary())  # to bytes: Parquet proves no UTF-8, so decoding is left to each row
    return column


@contextmanager
def _delivered(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            columns = [file.schema.column(place) for place in range(len(file.schema))]
        repeated = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
        with pq.ParquetFile(path, read_dictionary=repeated) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: names in a damaged footer
        with open(path, "rb") as raw:
            raw.seek(max(0, path.stat().st_size - 4))
            complete = raw.read() == b"PAR1"
        if complete:
            raise NotText(f"its content is damaged ({first_line(error).rstrip('.')}).") from None
        raise NotText("footer missing: file still being written?") from None
