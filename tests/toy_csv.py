"""A file of rows, what csv.py reads from it, and why it refuses: for the tests of text formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.formats import Record, csv
from tasks.model import DropRejected


def written(folder: Path, content: bytes | str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder: Path, content: bytes | str, name: str = "labels.csv") -> list[Record]:
    return list(csv.records(written(folder, content, name)))


def faults(records: list[Record]) -> list[tuple[str, str | None, str | None]]:
    return [(record.source, record.code, record.message) for record in records if record.code]


def refusal(folder: Path, content: bytes | str) -> tuple[str, str]:
    with pytest.raises(DropRejected) as caught:
        read(folder, content)
    return caught.value.code, str(caught.value)
