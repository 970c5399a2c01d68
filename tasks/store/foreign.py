"""How is a table of names and numbers read that somebody else's model wrote: Parquet, CSV or TSV?

    item,cat,dog,fold
    007,.93,.07,2          -> texts {"item": ["007"], "fold": ["2"]}, columns ("cat", "dog"), x_ND [[.93, .07]]

Names stay the text they were; numbers come a batch at a time into one array. A cell that is no number ends in
NotNumbers with its row; NaN and infinity are numbers here, and whoever asked judges them.

Covered: a torn file, another encoding, ragged rows, a column named twice, empty cells, lists of different lengths.
Not covered: decimal commas; numbers with thousands separators.

Shapes: N rows, D columns of numbers
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .files import first_line

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
BLOCK = 16 * 2**20  # bytes of text at once; a row may not be longer
BATCH = 65_536  # rows of a Parquet file at once
INDEX = "__index_level_"  # pandas' own columns


Part = tuple[dict[str, list[str | None]], NDArray[Any]]  # of a batch: its texts, its numbers


class NotNumbers(Exception):
    """A file cannot be read as names and numbers; the message says why, after the file's name."""


@dataclass(frozen=True)
class Foreign:
    """A stranger's table, row n of each part belonging together."""

    texts: Mapping[str, list[str | None]]  # of the text columns asked for, those that the file has
    columns: tuple[str, ...]  # the others, D names in the file's order; () where they came as lists
    x_ND: NDArray[Any]
    others: tuple[str, ...]  # columns that hold neither text that was asked for nor numbers


def read_foreign(
    path: Path, *, text: Collection[str], keys: Sequence[str], dtype: type[np.floating], lists: str | None = None
) -> Foreign:
    """The columns `text` as text, one of `keys` among them; all others as numbers of `dtype`.

    `lists` names a Parquet column that holds all the numbers of a row.

    Raises NotNumbers; MemoryError where the numbers do not fit.
    """
    try:
        parquet = path.suffix.lower() in (".parquet", ".pq")
        return _parquet(path, text, keys, dtype, lists) if parquet else _csv(path, text, keys, dtype)
    except (pa.ArrowException, OSError) as error:
        raise NotNumbers(f"cannot be read ({first_line(error).rstrip('.')}).") from None


def line_of(path: Path, row: int) -> int:
    """The physical line of a text file at which row `row` (from 0, blank lines and the header left out) stands."""
    delimiter, _ = _header(path)
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        rows = (reader.line_num for cells in reader if cells)
        return next((line for n, line in enumerate(rows) if n == row + 1), row + 2)


# --- text ------------------------------------------------------------------------------------------------------------


def _header(path: Path) -> tuple[str, list[str]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = next((line for line in iter(lambda: file.readline(BLOCK), "") if line.strip()), "")
    except UnicodeDecodeError:
        raise NotNumbers("is not UTF-8 text. Save it as UTF-8.") from None
    if not first:
        raise NotNumbers("is empty. One row an item is needed, below a header.")
    delimiter = max(DELIMITERS, key=first.count)
    return delimiter, next(csv.reader([first], delimiter=delimiter))


def _csv(path: Path, text: Collection[str], keys: Sequence[str], dtype: type[np.floating]) -> Foreign:
    delimiter, names = _header(path)
    _check_names(names, keys)
    numbers = [name for name in names if name not in text]
    types = {name: pa.string() if name in text else pa.from_numpy_dtype(dtype) for name in names}
    options = {
        "read_options": pv.ReadOptions(block_size=BLOCK),
        "parse_options": pv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        "convert_options": pv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=False),
    }
    try:
        with pv.open_csv(path, **options) as batches:
            found = list(_parts(batches, [name for name in names if name in text], numbers, dtype))
    except pa.ArrowInvalid as error:
        raise NotNumbers(_first_fault(path, delimiter, names, text) or f"{first_line(error).rstrip('.')}.") from None
    return _together(found, [name for name in names if name in text], tuple(numbers), dtype, ())


def _first_fault(path: Path, delimiter: str, names: list[str], text: Collection[str]) -> str | None:
    """What is wrong with the first row that is not as long as the header or has a cell that is no number."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter)
            next(cells for cells in reader if cells)
            for cells in reader:
                where = f"line {reader.line_num}"
                if cells and len(cells) != len(names):
                    return f"has {len(cells)} fields in {where}. The header has {len(names)}."
                for name, cell in zip(names, cells, strict=False):
                    if name not in text and not _is_number(cell):
                        return f"has '{cell[:60]}' in {where}, column '{name}'. A number is needed."
    except UnicodeDecodeError:
        return "is not UTF-8 text. Save it as UTF-8."
    except (csv.Error, StopIteration):
        return None
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")  # an empty cell is found by its row, as NaN is
    except ValueError:
        return False
    return "_" not in cell


# --- Parquet ---------------------------------------------------------------------------------------------------------


def _parquet(
    path: Path, text: Collection[str], keys: Sequence[str], dtype: type[np.floating], lists: str | None
) -> Foreign:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        names = [name for name in schema.names if not name.startswith(INDEX)]
        _check_names(names, keys)
        texts = [name for name in names if name in text]
        if lists in names:
            numbers = [str(lists)]
        else:
            numbers = [name for name in names if name not in text and _holds_numbers(schema.field(name).type)]
        batches = file.iter_batches(batch_size=BATCH, columns=[*texts, *numbers])
        found = list(_parts(batches, texts, numbers, dtype, whole=lists in names))
    others = tuple(name for name in names if name not in (*texts, *numbers))
    return _together(found, texts, () if lists in names else tuple(numbers), dtype, others)


def _holds_numbers(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


# --- both ------------------------------------------------------------------------------------------------------------


def _check_names(names: Sequence[str], keys: Sequence[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise NotNumbers(f"names column '{twice[0]}' twice. Name each column once.")
    if not set(keys) & set(names):
        told = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
        wanted = " or ".join(f"'{key}'" for key in keys)
        raise NotNumbers(f"has no column {wanted} (it has: {told}). One of them is needed.")


def _parts(
    batches: Any, texts: list[str], numbers: list[str], dtype: type[np.floating], *, whole: bool = False
) -> Iterator[Part]:
    """Each batch as its texts and its numbers; an empty cell becomes NaN."""
    row = 0
    for batch in batches:
        kept = {name: _as_text(name, batch.column(name)) for name in texts}
        if whole:
            x_ND = _lists(numbers[0], batch.column(numbers[0]), row, dtype)
        else:
            x_ND = np.empty((batch.num_rows, len(numbers)), dtype=dtype)
            for d, name in enumerate(numbers):
                cells = batch.column(name).cast(pa.from_numpy_dtype(dtype), safe=False)
                x_ND[:, d] = cells.to_numpy(zero_copy_only=False)
        row += batch.num_rows
        yield kept, x_ND


def _as_text(name: str, column: pa.Array) -> list[str | None]:
    """Names as they are written; a whole number as float, as pandas makes of integers with a gap, as the integer."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        whole = pc.all(pc.equal(pc.floor(column), column)).as_py()
        column = column.cast(pa.int64()) if whole in (True, None) else column
    if pa.types.is_nested(column.type):
        raise NotNumbers(f"has column '{name}' as {column.type}. Text is needed.")
    return list(column.cast(pa.string()).to_pylist())


def _lists(name: str, column: Any, row: int, dtype: type[np.floating]) -> NDArray[Any]:
    kind = column.type
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not listed or not _holds_numbers(kind.value_type):
        raise NotNumbers(f"has column '{name}' as {kind}. Lists of numbers are needed.")
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    for n in np.flatnonzero(~np.isfinite(lengths.astype(np.float64)))[:1]:
        raise NotNumbers(f"has no '{name}' in row {row + n} (the first is 0). A list of numbers is needed.")
    usual = int(Counter(lengths.tolist()).most_common(1)[0][0]) if len(lengths) else 0
    for n in np.flatnonzero(lengths != usual)[:1]:
        raise NotNumbers(f"has {lengths[n]} numbers in row {row + n} (the first is 0), {usual} in others.")
    flat = column.flatten().cast(pa.from_numpy_dtype(dtype), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(flat.reshape(len(column), usual))


def _together(
    found: list[Part], texts: list[str], columns: tuple[str, ...], dtype: type[np.floating], others: tuple[str, ...]
) -> Foreign:
    names = {name: [cell for part, _ in found for cell in part[name]] for name in texts}
    parts = [x_ND for _, x_ND in found]
    widths = {x_ND.shape[1] for x_ND in parts if len(x_ND)}
    if len(widths) > 1:
        raise NotNumbers(f"has lists of {' and of '.join(map(str, sorted(widths)))} numbers. One length is needed.")
    x_ND = np.concatenate(parts) if parts else np.zeros((0, len(columns)), dtype=dtype)
    return Foreign(names, columns, x_ND, others)
