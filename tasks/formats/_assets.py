"""How do the assets of a revision become files with safe names?

An item or class may be called anything (`-rf`, `CON`, `../x`, 300 characters): its file name keeps [A-Za-z0-9._-] and
percent-encodes the rest, so that it is a plain name on every system. The true name stands in the labels file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..model import label_text
from ._text import records_of

LONGEST = 100  # bytes of a file name, before its extension

Cell = Callable[[bytes], str]  # the bytes of an item -> the item as it stands in a table

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tif"),
    (b"MM\0*", "tif"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
)


def extension(data: bytes) -> str:
    """What the bytes are, by their beginning: png, jpg, ...; `bin` if unknown."""
    if data[:4] == b"RIFF":
        return {b"WEBP": "webp", b"WAVE": "wav"}.get(data[8:12], "bin")
    return next((name for magic, name in _MAGIC if data.startswith(magic)), "bin")


def safe_name(name: str) -> str:
    """A file name that no system trips over; different names stay different (a long one ends in a hash)."""
    safe = _UNSAFE.sub(lambda found: _encoded(found[0]), name)
    if safe[:1] in (".", "-") or _RESERVED.match(safe):
        safe = _encoded(safe[0]) + safe[1:]
    if safe.endswith("."):
        safe = safe[:-1] + "%2E"
    if len(safe) > LONGEST:
        safe = safe[: LONGEST - 17] + "~" + _digest(name)
    return safe or "%"


def _encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Names:
    """Gives each name one file name; two that differ in case alone get different ones, for systems that ignore case."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        self._taken: set[str] = set()

    def __call__(self, name: str) -> str:
        if name not in self._given:
            safe = safe_name(name)
            if safe.lower() in self._taken:
                safe = f"{safe[: LONGEST - 17]}~{_digest(name)}"
            self._taken.add(safe.lower())
            self._given[name] = safe
        return self._given[name]


def write_items(
    folder: Path, rows: Any, data: Callable[[str, int], bytes], cell: Cell | None
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(relative path of images/<item>.<ext>, which is written; label as text; row) in the rows' order.

    With `cell` nothing is written, and the item itself stands in place of the path.
    """
    if cell is None:
        (folder / "images").mkdir(parents=True, exist_ok=True)
    names = Names()
    for row in records_of(rows):
        content = data(row["shard"], int(row["row"]))
        if cell is not None:
            yield cell(content), label_text(row["y"]), row
            continue
        path = f"images/{names(row['item'])}.{extension(content)}"
        (folder / path).write_bytes(content)
        yield path, label_text(row["y"]), row
