"""Which formats are there, and what must each one know?

A format is one file in this folder. A delivery format has `matches` and `records`, an export format `write_dataset` or
`write_queue`; one file may have all four.

    matches(folder) -> Path | None     the labels file (or folder) if the drop is labelled in this format
    records(path) -> Iterator[Record]  every row as delivered, good or faulty; DropRejected if the whole cannot be read
    dialect(path) -> {name: text}      what a text format found out on its own: encoding, delimiter (for the receipt)
    write_dataset(folder, rows, data, cell)    a revision, ready to train: rows of model.DATASET, data(shard, row) ->
                                       bytes; cell(bytes) -> the item as it stands in a table, None: each is a file
    write_queue(path, rows)            the queue for people to answer elsewhere; rows may have the column `text`
    write_tasks(path, handout)         the same for a labelling tool, which shows the items: a Handout; returns how many
    annotated(path) -> Iterator[Record]  what such a tool exports, each record with its Annotation
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from xml.etree.ElementTree import Element

from ..model import CODES, DropRejected, Mistake
from ._columns import standard as standard  # its words are part of what a delivery is


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a labelling tool kept of one look at one item; a format reads it, annotated.py says what it means."""

    item: str
    asset: str  # sha256 of the bytes that were shown
    given: str  # the label that was shown, JSON text
    revision: str  # the newest tag when the item was handed out, or nothing
    said: tuple[tuple[str, Any, bool], ...] = ()  # control, its value, whether a person touched what was suggested
    by: tuple[str, ...] = ()  # who: their number there, and their e-mail address if the export has it
    at: str = ""  # when, ISO 8601
    op: str = ""  # the same for the same annotation in the same state; nothing: it cannot be told from others
    left: str = ""  # why it is no answer


@dataclass(frozen=True, slots=True)
class Question:
    """One row of the queue as a labelling tool needs it."""

    item: str
    asset: str  # sha256
    given: str  # the label in force, JSON text
    words: str  # the same for a person
    shown: str  # the item: a text, or an image as a data URL
    rank: int
    reason: str
    region: Mapping[str, Any] | None = None  # the suggestion as the tool keeps it; None: there is none
    score: float | None = None  # the probability that the suggestion is right, [0, 1]; None: unknown


@dataclass(frozen=True, slots=True)
class Handout:
    """The queue with all that a labelling tool needs to show it and to ask for labels."""

    tag: str  # the tool's element for an item: Image or Text
    control: Element  # the tool's element for a label
    questions: Iterable[Question]  # worst first; read once
    revision: str  # the newest tag, or nothing


@dataclass(frozen=True, slots=True)
class Record:
    """One row as delivered: its fields as text, or what is wrong with it."""

    source: str  # file:line, the physical line
    raw: bytes  # the row's bytes as delivered
    fields: Mapping[str, str]  # empty when faulty
    code: str | None = None  # of model.CODES
    message: str | None = None  # one sentence with the row, the value and what is allowed
    annotation: Annotation | None = None  # where the row is one of a labelling tool's


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
    """The names of all formats, one a file (label-studio: label_studio.py); a file that starts with "_" is none."""
    names = (module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return tuple(sorted(name.replace("_", "-") for name in names))


def formats_with(*abilities: str) -> tuple[str, ...]:
    """The names of the formats that have one of the functions `abilities`."""
    return tuple(name for name in formats() if any(hasattr(_module(name), ability) for ability in abilities))


def format_named(name: str, *abilities: str) -> ModuleType:
    """The module of a format that has one of the functions `abilities`; Mistake names those that have it."""
    able = formats_with(*abilities)
    if name not in able:
        raise Mistake(f"Unknown format '{name}'. Formats are: {', '.join(able)}.")
    return _module(name)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
