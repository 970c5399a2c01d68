"""How is a Parquet file that a stranger delivered read, as rows of text?

Covered: a footer that is missing or damaged, nested columns, a row group that would unpack to more than the memory.
Not covered: text that is no UTF-8; the bytes are handed on, and formats/parquet.py judges each row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .files import first_line

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
            raise NotText(f"its content is damaged ({first_line(error).rstrip('.')}).") from None
        raise NotText("footer missing: file still being written?") from None
