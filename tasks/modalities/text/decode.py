"""What does this text say, and what is wrong with its bytes?

A text is UTF-8; a byte order mark at its beginning is left out, everything else stays as it was delivered: no
normalisation, no trimming, no change of line ends. Refused, each with a code and a sentence:

    nothing in it        0 bytes, or white space only
    not UTF-8            with the byte and its offset; UTF-16 and UTF-32 by their mark
    control characters   all of Cc but tab, line feed, carriage return and form feed: a sign of another encoding (U+0092
                         for an apostrophe) or of a binary file

Bidirectional controls (U+202E and its like) are text, as right-to-left languages need them; the note says so, and a
preview writes them out, because they can make a page show another text than there is.

Covered: texts of any length up to max_bytes, in time and memory that grow with it (50 MB: a few seconds, half a GiB).
Not covered: whether it is a language at all.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from .. import Unreadable

PREVIEW = 400  # characters
SAMPLE = 100_000  # characters that the shares are measured on

_MARKS = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16"}
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s+")


def facts(data: bytes, limits: Mapping[str, int]) -> dict[str, Any]:
    """Read fully; the columns of FACTS but `asset`. Limit: `max_bytes`. Unreadable if it cannot be used."""
    if len(data) > limits["max_bytes"]:
        raise Unreadable("E_ASSET_TOO_LARGE", f"The text has {len(data):,} bytes; {limits['max_bytes']:,} are allowed.")
    text = load(data)
    sample = text[:SAMPLE]
    solid = _SPACE.sub("", sample)
    some = _WORD.findall(sample.casefold())
    return {
        "bytes": len(data),
        "characters": len(text),
        "words": _WORD.subn("", text)[1],
        "lines": len(text.splitlines()),
        "letters": sum(map(str.isalpha, solid)) / max(1, len(solid)),
        "distinct": len(set(some)) / max(1, len(some)),
        "note": "; ".join(_notes(data, text)) or None,
    }


def _notes(data: bytes, text: str) -> list[str]:
    noted = {
        "byte order mark left out": data.startswith(codecs.BOM_UTF8),
        "has bidirectional controls": _BIDI.search(text) is not None,
        "is not composed (NFC)": not unicodedata.is_normalized("NFC", text[:SAMPLE]),
    }
    return [note for note, applies in noted.items() if applies]


def load(data: bytes) -> str:
    """The text as it was delivered, a byte order mark left out; Unreadable if it cannot be used."""
    if not data:
        raise Unreadable("E_ASSET_EMPTY", "The text has 0 bytes.")
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise Unreadable("E_ENCODING", _not_utf8(data, error)) from None
    if found := _CONTROL.search(text):
        raise Unreadable(
            "E_CHARACTER", f"The text has the control character U+{ord(found[0]):04X} at character {found.start():,}."
        )
    if not text.strip():
        raise Unreadable("E_ASSET_EMPTY", "The text is white space only.")
    return text


def _not_utf8(data: bytes, error: UnicodeDecodeError) -> str:
    marked = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    if marked is None and data.startswith(codecs.BOM_UTF16_BE):
        marked = "UTF-16"
    if marked:
        return f"The text is {marked} by its mark; UTF-8 is allowed."
    offset = error.start + (len(data) - len(data.removeprefix(codecs.BOM_UTF8)))
    return f"The text has byte 0x{data[offset]:02X} at offset {offset:,}, which is not UTF-8."


def size(text: str) -> int:
    """Its bytes in memory, at most."""
    return 4 * len(text)


def cell(data: bytes) -> str:
    """The text as it stands in a column of a table."""
    return load(data)


def example(data: bytes) -> str:
    """What a model is trained on: the text itself."""
    return load(data)


def preview(data: bytes) -> tuple[str, bytes]:
    """("text/plain", its beginning on one line), bidirectional controls written out."""
    text = data[: 8 * PREVIEW].decode("utf-8-sig", "ignore")
    line = _SPACE.sub(" ", text).strip()
    clipped = line if len(line) <= PREVIEW and len(data) <= 8 * PREVIEW else line[:PREVIEW] + "…"
    written = _BIDI.sub(lambda found: f"\\u{ord(found[0]):04x}", clipped)
    return "text/plain", written.encode()
