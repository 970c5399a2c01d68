"""Which formats are there, and what must each one know?

A format is one file in this folder. A delivery format has `matches` and `records`, an export format `write_dataset` or
`write_queue`; one file may have all four.

    matches(folder) -> Path | None     the labels file (or folder) if the drop is labelled in this format
    records(path) -> Iterator[Record]  every row as delivered, good or faulty; DropRejected if the whole cannot be read
    write_dataset(folder, rows, data)  a revision, ready to train: rows of model.DATASET, data(shard, row) -> bytes
    write_queue(path, rows)            the queue for people to answer elsewhere
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from ..model import Mistake


@dataclass(frozen=True, slots=True)
class Record:
    """One row as delivered: its fields as text, or what is wrong with it."""

    source: str  # file:line, the physical line
    raw: bytes  # the row's bytes as delivered
    fields: Mapping[str, str]  # empty when faulty
    code: str | None = None  # of model.CODES
    message: str | None = None  # one sentence with the row, the value and what is allowed


def formats() -> tuple[str, ...]:
    """The names of all formats, one a file."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def format_named(name: str, ability: str) -> ModuleType:
    """The module of a format that has the function `ability`; Mistake names those that have it."""
    able = [other for other in formats() if hasattr(importlib.import_module(f"{__name__}.{other}"), ability)]
    if name not in able:
        raise Mistake(f"Unknown format '{name}'. Formats are: {', '.join(able)}.")
    return importlib.import_module(f"{__name__}.{name}")
