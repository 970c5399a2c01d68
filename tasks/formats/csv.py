"""What does a table of labels in CSV or TSV say, and how is one written?

Reads   labels.csv, labels.tsv, or the only *.csv / *.tsv of a drop that has no labels file:

            path,label,id,annotator                     text,label
            images/0001.png,7,a-0001,maria              "My card, it's lost",lost_card

Writes  a dataset (images/ and labels.csv, exact) and a queue (safe to open in a spreadsheet).

Everything is text: `007`, `NA`, `1e5`, `None`, `True` and 20-digit ids stay what they are. The rules are those of
Python's csv module in strict mode ("" inside quotes is a quote, a quoted field may hold newlines), written out here,
because the module takes text and gives fields: it can tell neither the physical line a row starts on nor its raw bytes,
cannot lose one Latin-1 row and keep the next, and swallows the rest of the file after an unclosed quote.
Pandas is not used: it turns `007` into 7 and shifts every column when the rows have one field more than the header.
Source  RFC 4180; https://docs.python.org/3/library/csv.html

A blank line is no row. After a quote that is not closed (within 1 MiB) nothing can be trusted: that line and every
later one is a faulty row, the rows before stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import durable
from ..model import label_text
from . import Fault, Record, faulty, rejected, shown
from ._assets import Cell, write_items
from ._columns import NEEDED, Required
from ._csv import OpenQuote, header_names, sniff, split
from ._spreadsheet import prefixed, unprefixed
from ._text import Line, check_fields, check_length, decode, lines, missing_columns, opened, records_of

__all__ = ["dialect", "matches", "prefixed", "records", "unprefixed", "write_dataset", "write_queue"]

DATASET_COLUMNS = ("label", "id", "split", "why")  # after the path or the text
QUEUE_COLUMNS = ("item", "given", "suggestion", "p_wrong", "checks", "reason")
OTHER_LABELS = ("labels.jsonl", "labels.parquet")


# --- reading ---------------------------------------------------------------------------------------------------------


def matches(folder: Path) -> Path | None:
    """The labels file; DropRejected E_FORMAT if several could be it. `classes.csv` belongs to an image folder."""
    tables = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in (".csv", ".tsv") and not path.name.startswith(".") and path.is_file()
    ]
    labels = [path for path in tables if path.stem.lower() == "labels"]
    if not labels and not any((folder / name).exists() for name in OTHER_LABELS):
        labels = [path for path in tables if path.name != "classes.csv"]
    if len(labels) > 1:
        names = ", ".join(shown(path.name) for path in labels)
        raise rejected("E_FORMAT", f"Folder '{shown(folder.name)}' has several labels files: {names}. One is allowed.")
    return labels[0] if labels else None


def dialect(path: Path, required: Required = NEEDED) -> Mapping[str, str]:
    """{"encoding": "utf-8", "delimiter": ","}"""
    with opened(path) as (file, encoding):
        return {"encoding": encoding, "delimiter": sniff(path.name, file, required).decode()}


def records(path: Path, required: Required = NEEDED) -> Iterator[Record]:
    """Every row in order, with all its columns; DropRejected where the file as a whole cannot be read.

    What only the last row can tell (no rows at all: E_EMPTY; every row wider than the header: E_HEADER_WIDTH) is
    raised after it.
    """
    with opened(path) as (file, _):
        delimiter = sniff(path.name, file, required)
        physical = lines(file)
        names, width = _header(path.name, physical, delimiter, required)
        widths: Counter[int] = Counter()
        empty = True
        for line in physical:
            if not line.content and not line.length:
                continue
            empty = False
            source = f"{path.name}:{line.number}"
            parts = [line.content]
            try:
                check_length(source, line)
                fields = split(line, physical, delimiter, parts, source)
                raw = b"".join(parts)
                text = decode(source, raw, line.offset)
                widths[len(fields)] += 1
                if "\0" in text or "\x1a" in text:
                    found = "\0" if "\0" in text else "\x1a"
                    raise Fault("E_CHARACTER", f"Row '{source}' has the character U+{ord(found):04X}.")
                if len(fields) != width:
                    raise Fault(
                        "E_FIELDS",
                        f"Row '{source}' has {_count(len(fields), 'field')}. The header has {width}: "
                        f"{', '.join(map(shown, names))}.",
                    )
                row = dict(zip(names, (field.decode() for field in fields), strict=True))
                check_fields(source, row)
                yield Record(source, raw, row)
            except Fault as fault:
                yield faulty(source, b"".join(parts), fault)
            except OpenQuote as quote:
                file.seek(line.offset)
                yield from _untrusted(path.name, lines(file, line.number - 1), quote.line)
                return
        if empty:
            raise rejected("E_EMPTY", f"File '{path.name}' has a header and no rows.")
        if len(widths) == 1 and next(iter(widths)) > width:
            raise rejected(
                "E_HEADER_WIDTH",
                f"File '{path.name}' has {_count(width, 'column')} in its header and {next(iter(widths))} fields in "
                f"every row ({sum(widths.values()):,}).",
            )


def _untrusted(name: str, physical: Iterator[Line], opened_at: int) -> Iterator[Record]:
    """The lines from the row with the unclosed quote to the end of the file, each a faulty row with its bytes."""
    first = True
    for line in physical:
        source = f"{name}:{line.number}"
        sentence = (
            f"Row '{source}' has a quote, opened in line {opened_at}, that is not closed."
            if first
            else f"Row '{source}' stands after a quote, opened in line {opened_at}, that is not closed."
        )
        if first or line.length:
            yield faulty(source, line.content, Fault("E_QUOTE", sentence))
        first = False


def _header(name: str, physical: Iterator[Line], delimiter: bytes, required: Required) -> tuple[list[str], int]:
    line = next(line for line in physical if line.length)
    names = header_names(line, delimiter)
    assert names is not None, "sniffed with this delimiter"
    for position, column in enumerate(names, start=1):
        if column in names[: position - 1]:
            first = names.index(column) + 1
            raise rejected(
                "E_HEADER", f"File '{name}' has the column '{shown(column)}' twice: column {first} and {position}."
            )
    if lacking := missing_columns(name, required, names):
        raise lacking
    return names, len(names)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# --- writing ---------------------------------------------------------------------------------------------------------


def csv_line(cells: Iterable[str]) -> str:
    """One line of CSV; every cell comes back from `records` as it is."""
    quoted = ('"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell for cell in cells)
    return ",".join(quoted) + "\n"


def write_dataset(folder: Path, rows: Any, data: Any, cell: Cell | None = None) -> None:
    """images/<item>.<ext> and labels.csv with path, label, id, split, why: exact text, so not for a spreadsheet.

    With `cell` it is labels.csv alone, with text in place of path.
    """
    table = [csv_line(("path" if cell is None else "text", *DATASET_COLUMNS))]
    for item, label, row in write_items(folder, rows, data, cell):
        table.append(csv_line((item, label, row["item"], row["split"], row["why"])))
    durable.write_text(folder / "labels.csv", "".join(table))


def write_queue(path: Path, rows: Any) -> None:
    """The queue for a spreadsheet: text cells are prefixed (see `prefixed`), `action` and `label` wait to be filled."""
    rows = list(records_of(rows))
    columns = [*QUEUE_COLUMNS, *(name for name in ("path", "text") if any(row.get(name) for row in rows))]
    table = [csv_line((*columns, "action", "label"))]
    for row in rows:
        cells = [_cell(column, row) for column in columns]
        table.append(csv_line((*cells, "", "")))
    durable.write_bytes(path, "".join(table).encode("utf-8-sig"))  # spreadsheets take UTF-8 without a BOM for Latin-1


def _cell(column: str, row: Mapping[str, Any]) -> str:
    if column == "p_wrong":  # a number by its schema, so it needs no prefix
        return f"{float(row['p_wrong']):.4f}"
    value = row.get({"given": "y"}.get(column, column))
    if value is None:
        return ""
    return prefixed(label_text(str(value)) if column in ("given", "suggestion") else str(value))
