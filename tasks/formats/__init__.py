"""Which formats are there, and what must each one know?

A format is one file in this folder. A delivery format has `matches` and `records`, an export format `write_dataset` or
`write_queue`; one file may have all four.

    matches(folder) -> Path | None     the labels file (or folder) if the drop is labelled in this format
    records(path) -> Iterator[Record]  every row as delivered, good or faulty; DropRejected if the whole cannot be read
    dialect(path) -> {name: text}      what a text format found out on its own: encoding, delimiter (for the receipt)
    write_dataset(folder, rows, data, cell)    a revision, ready to train: rows of model.DATASET, data(shard, row) ->
                                       bytes; cell(bytes) -> the item as it stands in a table, None: each is a file
    write_queue(path, rows)            the queue for people to answer elsewhere; rows may have the column `text`
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from ..model import CODES, DropRejected, Mistake
from ._columns import standard as standard  # its words are part of what a delivery is


@dataclass(frozen=True, slots=True)
class Record:
    """One row as delivered: its fields as text, or what is wrong with it."""

    source: str  # file:line, the physical line
    raw: bytes  # the row's bytes as delivered
    fields: Mapping[str, str]  # empty when faulty
    code: str | None = None  # of model.CODES
    message: str | None = None  # one sentence with the row, the value and what is allowed


class Fault(Exception):
    """One row cannot be used: a code of model.CODES and one sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def rejected(code: str, sentence: str) -> DropRejected:
    """The whole file cannot be read: the sentence, then how to mend it."""
    return DropRejected(code, f"{sentence} {CODES[code]}")


def faulty(source: str, raw: bytes, fault: Fault) -> Record:
    return Record(source, raw, {}, fault.code, str(fault))


def shown(text: str, longest: int = 80) -> str:
    """A delivered value inside a sentence: clipped, and with every character that does not print written out."""
    clipped = text if len(text) <= longest else text[:longest] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in clipped)


def formats() -> tuple[str, ...]:
    """The names of all formats, one a file; a name that starts with "_" is none."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


def formats_with(ability: str) -> tuple[str, ...]:
    """The names of the formats that have the function `ability`."""
    return tuple(name for name in formats() if hasattr(importlib.import_module(f"{__name__}.{name}"), ability))


def format_named(name: str, ability: str) -> ModuleType:
    """The module of a format that has the function `ability`; Mistake names those that have it."""
    able = formats_with(ability)
    if name not in able:
        raise Mistake(f"Unknown format '{name}'. Formats are: {', '.join(able)}.")
    return importlib.import_module(f"{__name__}.{name}")
