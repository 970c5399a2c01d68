"""Where does a CSV record end, where do its fields, and which of four delimiters parts them?

Python's csv rules in strict mode, on bytes (csv.py says why they are written out here).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from . import Fault, rejected, shown
from ._columns import Required, lacking
from ._text import LINE_BYTES, Line, decode, lines

DELIMITERS = {b",": "comma", b";": "semicolon", b"\t": "tab", b"|": "pipe"}
SAMPLE = 100  # rows that vote on the delimiter


class OpenQuote(Exception):
    """A quote that was opened in this line is not closed by the end of the file, or within 1 MiB."""

    def __init__(self, line: int) -> None:
        self.line = line


def split(line: Line, following: Iterator[Line], delimiter: bytes, parts: list[bytes], source: str) -> list[bytes]:
    """The fields of the record that starts at `line`, with as many more lines as a quoted field needs.

    `parts` gets the raw bytes. OpenQuote with its line if a quote is not closed; Fault E_QUOTE for text after a
    closed one. Each byte is looked at once, so a hostile file costs no more than its length.
    """
    content, at, size = line.content, 0, line.length
    if b'"' not in content:
        return content.split(delimiter)
    fields: list[bytes] = []
    while True:
        if content[at : at + 1] != b'"':
            end = content.find(delimiter, at)
            if end < 0:
                return [*fields, content[at:]]
            fields.append(content[at:end])
            at = end + 1
            continue
        pieces, at, opened_at = [], at + 1, line.number
        while True:
            end = content.find(b'"', at)
            if end < 0:
                ending, more = line.ending, next(following, None)
                size += len(ending) + (more.length if more else 0)
                if more is None or size > LINE_BYTES:
                    raise OpenQuote(opened_at)
                pieces += [content[at:], ending]
                parts += [ending, more.content]
                line, content, at = more, more.content, 0
                continue
            pieces.append(content[at:end])
            at = end + 1
            if content[at : at + 1] != b'"':
                break
            pieces.append(b'"')
            at += 1
        fields.append(b"".join(pieces))
        if at == len(content):
            return fields
        if content[at : at + 1] != delimiter:
            raise Fault("E_QUOTE", f"Row '{source}' has text after the closing quote of field {len(fields)}.")
        at += 1


def header_names(line: Line, delimiter: bytes) -> list[str] | None:
    """The header's names, spaces around them left out; None if the header cannot be split in this way."""
    try:
        fields = split(line, iter(()), delimiter, [], "header")
    except (Fault, OpenQuote):
        return None
    names = [field.decode("utf-8", "replace").strip() for field in fields]
    return [column or f"unnamed column {position}" for position, column in enumerate(names, start=1)]


def sniff(name: str, file: BinaryIO, required: Required) -> bytes:
    """The one of four delimiters that finds the required columns and agrees with the rows; `file` stays where it is.

    Without the required columns it is the one whose header agrees with most rows (the header is then refused by name).
    """
    start = file.tell()
    sample: list[Line] = []
    for line in lines(file):
        if line.length:
            sample.append(line)
        if len(sample) > SAMPLE:
            break
    file.seek(start)
    if not sample:
        raise rejected("E_EMPTY", f"File '{name}' is empty.")
    head = sample[0]
    if head.length > LINE_BYTES:
        raise rejected("E_TOO_LONG", f"File '{name}' has a first line of {head.length:,} bytes.")
    if b"\r" in head.content and not head.ending:
        raise rejected(
            "E_FORMAT", f"File '{name}' ends its lines with a carriage return alone. End them with a newline."
        )
    if b"\0" in head.content:
        raise rejected("E_ENCODING", f"File '{name}' has a NUL byte in its header, as UTF-16 without a BOM has.")
    try:
        decode(f"{name}:{head.number}", head.content, head.offset)
    except Fault as fault:
        raise rejected(fault.code, str(fault)) from None

    agreeing: dict[bytes, tuple[bool, int, int]] = {}  # required columns there, rows that agree, columns
    for delimiter in DELIMITERS:
        names = header_names(head, delimiter)
        if names is not None and (len(names) > 1 or not lacking(required, names)):
            rows = sum(_width(line, delimiter) == len(names) for line in sample[1:])
            agreeing[delimiter] = (not lacking(required, names), rows, len(names))
    rows = len(sample) - 1
    if not agreeing:
        if (names := header_names(head, b",")) and not all(lacking([one], names) for one in required):
            return b","  # one column only: the header will be refused by name
        if all(header_names(head, delimiter) is None for delimiter in DELIMITERS):
            raise rejected("E_QUOTE", f"File '{name}' has a quote in its header that is not closed in that line.")
        raise rejected(
            "E_DELIMITER", f"File '{name}' has a header that no delimiter splits: '{shown(head.content.decode())}'."
        )
    best = max(agreeing, key=lambda delimiter: agreeing[delimiter])
    width = agreeing[best][2]
    if rows and not agreeing[best][1]:
        for other in DELIMITERS:
            if other != best and all(_width(line, other) == width for line in sample[1:]):
                raise rejected(
                    "E_DELIMITER",
                    f"File '{name}' has a header split by {DELIMITERS[best]} and rows split by {DELIMITERS[other]}.",
                )
    return best


def _width(line: Line, delimiter: bytes) -> int:
    try:
        return len(split(line, iter(()), delimiter, [], ""))
    except (Fault, OpenQuote):
        return 0
