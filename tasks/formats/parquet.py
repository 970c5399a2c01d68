"""What do labels in a Parquet file say?

Reads   labels.parquet with the columns path or text, label and, if there are, id, split, annotator, meta_*.

Everything is text, by Arrow's own cast: text as it is, integers (with nulls too) as digits, booleans as true / false,
floats in their shortest form (1.0 is `1`: whoever means a class name delivers text), dates and timestamps (int96 too)
as `2024-05-01 12:00:00.000`, dictionary columns as their values, null as not there. A nested column (list, struct, map)
is refused. A value's bytes that are not UTF-8 are the fault of their row. A row's number counts from 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from .. import store
from . import Fault, Record, faulty, rejected, shown
from ._columns import NEEDED, Required
from ._text import check_fields, decode, missing_columns


def matches(folder: Path) -> Path | None:
    """labels.parquet, if it is there."""
    path = folder / "labels.parquet"
    return path if path.is_file() else None


def records(path: Path, required: Required = NEEDED) -> Iterator[Record]:
    """Every row in order, with all its columns; its raw bytes are its cells as JSON. DropRejected if unreadable."""
    if not path.stat().st_size:
        raise rejected("E_EMPTY", f"File '{path.name}' has 0 bytes.")
    try:
        columns = store.text_columns(path)
        for position, column in enumerate(columns):
            if column in columns[:position]:
                first, second = columns.index(column) + 1, position + 1
                raise rejected(
                    "E_HEADER",
                    f"File '{path.name}' has the column '{shown(column)}' twice: column {first} and {second}.",
                )
        if lacking := missing_columns(path.name, required, columns):
            raise lacking
        number = 0
        for number, cells in enumerate(store.iterate_text_rows(path), start=1):
            yield _record(f"{path.name}:{number}", cells)
    except store.NotText as error:
        raise rejected("E_PARQUET", f"File '{path.name}' cannot be read: {error}") from None
    if not number:
        raise rejected("E_EMPTY", f"File '{path.name}' has no rows.")


def _record(source: str, cells: dict[str, bytes]) -> Record:
    raw = json.dumps({name: cell.decode("utf-8", "backslashreplace") for name, cell in cells.items()}).encode()
    try:
        fields = {name: _text(source, name, cell) for name, cell in cells.items()}
        check_fields(source, fields)
    except Fault as fault:
        return faulty(source, raw, fault)
    return Record(source, raw, fields)


def _text(source: str, column: str, cell: bytes) -> str:
    try:
        return decode(source, cell, 0)
    except Fault as fault:
        if fault.code != "E_ENCODING":
            raise
        raise Fault("E_ENCODING", f"Row '{source}' has bytes that are not UTF-8 in column '{shown(column)}'.") from None
