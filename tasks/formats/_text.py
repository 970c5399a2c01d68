"""How is a text file of rows read, so that one bad line does not lose the others?

Lines are physical lines of bytes, split at "\\n" alone, with number and byte offset, never more than LINE_BYTES of one
in memory. Decoding is left to each row, so a Latin-1 byte in row 17 is the fault of row 17.

Covered: UTF-8 with or without a BOM; UTF-16 with a BOM (read whole and carried on as UTF-8: the raw bytes of its rows
are that UTF-8). Not covered: UTF-16 without a BOM, lines that end in a carriage return alone: refused, by name.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..model import DropRejected
from . import Fault, rejected, shown
from ._columns import NEEDED, Required, lacking

LINE_BYTES = 2**20  # a longer line, or record of several lines, is a fault
FIELD_BYTES = 64 * 2**10  # a longer field is a fault
KEPT_BYTES = 64 * 2**10  # of a line that is too long, this much is kept as raw bytes

_UNWANTED = re.compile("[\x00\x1a\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Line:
    """A physical line without its end."""

    number: int  # from 1
    offset: int  # of its first byte
    content: bytes  # of a line that is too long: its beginning
    ending: bytes  # "\\n", "\\r\\n", or nothing at the end of the file
    length: int  # bytes, the end left out


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """The file as UTF-8 bytes, after its BOM, and its encoding; DropRejected for what is plainly something else."""
    with open(path, "rb") as file:
        start = file.read(4)
        if start in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
            raise rejected("E_ENCODING", f"File '{path.name}' is UTF-32. UTF-8, or UTF-16 with a BOM, is allowed.")
        if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            file.seek(0)
            try:
                text = file.read().decode("utf-16", "surrogatepass")
            except UnicodeDecodeError as error:
                raise rejected(
                    "E_ENCODING", f"File '{path.name}' is broken UTF-16 at byte {error.start:,}: {error.reason}."
                ) from None
            yield io.BytesIO(text.encode("utf-8", "surrogatepass")), "utf-16"
            return
        if b"\0" in start:
            raise rejected("E_ENCODING", f"File '{path.name}' begins with a NUL byte, as UTF-16 without a BOM does.")
        marked = start[:3] == codecs.BOM_UTF8
        file.seek(3 if marked else 0)
        yield file, "utf-8-sig" if marked else "utf-8"


def lines(file: BinaryIO, number: int = 0) -> Iterator[Line]:
    """The physical lines from where `file` stands; `number` is that of the line before."""
    while True:
        offset = file.tell()
        raw = file.readline(LINE_BYTES + 2)
        if not raw:
            return
        number += 1
        if len(raw) == LINE_BYTES + 2 and not raw.endswith(b"\n"):
            length, last = len(raw), raw[-2:]
            while not last.endswith(b"\n") and (part := file.readline(LINE_BYTES)):  # passed over, never held
                length, last = length + len(part), (last + part[-2:])[-2:]
            ending = b"\r\n" if last == b"\r\n" else last[-1:] if last.endswith(b"\n") else b""
            yield Line(number, offset, raw[:KEPT_BYTES], ending, length - len(ending))
            continue
        ending = b"\r\n" if raw.endswith(b"\r\n") else b"\n" if raw.endswith(b"\n") else b""
        content = raw[: len(raw) - len(ending)]
        if len(content) > LINE_BYTES:
            content = content[:KEPT_BYTES]
        yield Line(number, offset, content, ending, len(raw) - len(ending))


def check_length(source: str, line: Line) -> None:
    if line.length > LINE_BYTES:
        raise Fault(
            "E_TOO_LONG",
            f"Row '{source}' has a line of {line.length:,} bytes. Lines of at most 1 MiB are allowed; "
            "its first 64 KiB are kept.",
        )


def decode(source: str, raw: bytes, offset: int) -> str:
    """One row's bytes as text; Fault E_ENCODING with the byte's offset in the file, E_CHARACTER for a surrogate."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        at = error.start
        if re.match(rb"\xed[\xa0-\xbf][\x80-\xbf]", raw[at : at + 3]):
            surrogate = raw[at : at + 3].decode("utf-8", "surrogatepass")
            raise Fault("E_CHARACTER", f"Row '{source}' has the lone surrogate U+{ord(surrogate):04X}.") from None
        raise Fault(
            "E_ENCODING",
            f"Row '{source}' has byte 0x{raw[at]:02X} at offset {offset + at:,} of the file, which is not UTF-8.",
        ) from None


def check_fields(source: str, fields: Mapping[str, str]) -> None:
    """Fault for a field that is too long, or holds a NUL, a Ctrl-Z (0x1A) or a lone surrogate."""
    for name, value in fields.items():
        if len(value) * 4 > FIELD_BYTES and len(value.encode("utf-8", "surrogatepass")) > FIELD_BYTES:
            raise Fault(
                "E_TOO_LONG",
                f"Row '{source}' has a field '{shown(name)}' of {len(value):,} characters. At most 64 KiB are allowed.",
            )
        if found := _UNWANTED.search(value):
            raise Fault(
                "E_CHARACTER", f"Row '{source}' has the character U+{ord(found[0]):04X} in field '{shown(name)}'."
            )


def missing_columns(name: str, required: Required, found: Iterable[str]) -> DropRejected | None:
    """E_HEADER naming the first required column that is not found, those found and those that are understood."""
    found = list(found)
    choices = lacking(required, found)
    if choices is None:
        return None
    there = ", ".join(shown(other) for other in found) or "none"
    needed = [one if isinstance(one, str) else " or ".join(one) for one in required]
    understood = (
        f"Columns are: {', '.join(needed)}, and if you have them id, split, annotator, meta_*."
        if required == NEEDED
        else f"Required are: {', '.join(needed)}."
    )
    wanted = " or ".join(f"'{choice}'" for choice in choices)
    return DropRejected("E_HEADER", f"File '{name}' has no column {wanted}. Columns found: {there}. {understood}")


def records_of(rows: Any) -> Iterable[Mapping[str, Any]]:
    """The rows of a table, be it a DataFrame or mappings already."""
    return rows.to_dict("records") if hasattr(rows, "to_dict") else rows  # type: ignore[no-any-return]
