"""What do labels in JSON lines say, and how are they written?

Reads   labels.jsonl, one object a line:

            {"path": "images/0001.png", "label": "7", "id": "a-0001", "annotator": "maria"}
            {"text": "My card is lost", "label": "lost_card"}

Writes  a dataset (images/ and labels.jsonl) and a queue, both exact: what is read back is what was written.

Everything is text. A string is its text; any other value keeps its literal text as delivered (`1e5` stays `1e5`, `true`
stays `true`, a list stays its JSON); null is left out, as if the key were not there. JSON's own readers do worse:
pandas makes 7.0 of "007", Python's json takes NaN, lets the last of two equal keys win and dies on 100,000 brackets.
Source  RFC 8259; https://jsonlines.org

A blank line is no row. Encodings are those of _text.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import durable
from . import Fault, Record, faulty, rejected, shown
from ._assets import Cell, write_items
from ._columns import NEEDED, Required
from ._json import DECODER, DEPTH, no_constant, too_deep
from ._text import check_fields, check_length, decode, lines, missing_columns, opened, records_of

_SPACE = re.compile(r"[ \t\n\r]*")


# --- reading ---------------------------------------------------------------------------------------------------------


def matches(folder: Path) -> Path | None:
    """labels.jsonl, if it is there."""
    path = folder / "labels.jsonl"
    return path if path.is_file() else None


def dialect(path: Path) -> Mapping[str, str]:
    """{"encoding": "utf-8"}"""
    with opened(path) as (_, encoding):
        return {"encoding": encoding}


def records(path: Path, required: Required = NEEDED) -> Iterator[Record]:
    """Every line in order, with all its keys; DropRejected, after the last one, if none has a required key."""
    seen: dict[str, None] = {}  # every key in the order of first sight
    empty, good = True, False
    with opened(path) as (file, _):
        for line in lines(file):
            if not line.content.strip() and line.length <= len(line.content):
                continue
            empty = False
            source = f"{path.name}:{line.number}"
            try:
                check_length(source, line)
                fields = _object(source, decode(source, line.content, line.offset))
                check_fields(source, fields)
            except Fault as fault:
                yield faulty(source, line.content, fault)
                continue
            good = True
            seen.update(dict.fromkeys(fields))
            yield Record(source, line.content, fields)
    if empty:
        raise rejected("E_EMPTY", f"File '{path.name}' is empty.")
    if good and (lacking := missing_columns(path.name, required, seen)):
        raise lacking


def _object(source: str, text: str) -> dict[str, str]:
    if too_deep(text):
        raise Fault("E_JSON", f"Row '{source}' has more than {DEPTH} levels of brackets.")
    try:
        return _pairs(text)
    except json.JSONDecodeError as error:
        raise Fault("E_JSON", f"Row '{source}' is not JSON: {error.msg} at character {error.pos + 1}.") from None
    except ValueError as error:
        raise Fault("E_JSON", f"Row '{source}' {error}.") from None


def _pairs(text: str) -> dict[str, str]:
    """The object's members as text. The decoder says where a value ends, so that its literal can be taken as it is."""
    fields: dict[str, str] = {}
    keys: set[str] = set()
    at = _after_space(text, 0)
    if text[at : at + 1] != "{":
        json.loads(text, parse_int=str, parse_constant=no_constant)  # what is no JSON at all is said to be that
        raise ValueError("is not a JSON object")
    at = _after_space(text, at + 1)
    if text[at : at + 1] != "}":
        while True:
            if text[at : at + 1] != '"':
                raise json.JSONDecodeError("Expecting a key in double quotes", text, at)
            key, at = DECODER.raw_decode(text, at)
            if key in keys:
                raise ValueError(f"has the key '{shown(key)}' twice")
            keys.add(key)
            at = _after_space(text, at)
            if text[at : at + 1] != ":":
                raise json.JSONDecodeError("Expecting ':'", text, at)
            start = _after_space(text, at + 1)
            value, at = DECODER.raw_decode(text, start)
            if value is not None:
                fields[key] = value if text[start] == '"' else text[start:at]
            at = _after_space(text, at)
            if text[at : at + 1] != ",":
                break
            at = _after_space(text, at + 1)
        if text[at : at + 1] != "}":
            raise json.JSONDecodeError("Expecting ',' or '}'", text, at)
    at = _after_space(text, at + 1)
    if at != len(text):
        raise json.JSONDecodeError("Something stands after the object", text, at)
    return fields


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None, "zero spaces match"
    return found.end()


# --- writing ---------------------------------------------------------------------------------------------------------


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(", ", ": ")) + "\n"


def write_dataset(folder: Path, rows: Any, data: Any, cell: Cell | None = None) -> None:
    """images/<item>.<ext> and labels.jsonl with path, label, id, split, why; the label as the JSON value it is.

    With `cell` it is labels.jsonl alone, with text in place of path.
    """
    table = [
        _line(
            {
                "path" if cell is None else "text": item,
                "label": json.loads(row["y"]),
                "id": row["item"],
                "split": row["split"],
                "why": row["why"],
            }
        )
        for item, _, row in write_items(folder, rows, data, cell)
    ]
    durable.write_text(folder / "labels.jsonl", "".join(table))


def write_queue(path: Path, rows: Any) -> None:
    """The queue, one object a line, every column as it is."""
    durable.write_text(path, "".join(_line(row) for row in records_of(rows)))
