"""What are the words of Assay, and what does each table hold?

    Drop  ->  Manifest  ->  Findings  ->  Verdicts  ->  Revision

Machines write Findings, people write Verdicts, only `revise` writes a new Revision.
Standard library only: every other module may import this one, and this one imports none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# --- errors: few, named for the fact, grouped by what to do about it -------------------------------------------------


class AssayError(Exception):
    """One sentence for a person: the thing, its value, what is allowed, the next command. Never a traceback."""

    exit_code = 1


class Mistake(AssayError):
    """The user can mend it: a wrong folder, an unknown key, no queue yet. Exit 1."""


class DropRejected(AssayError):
    """The whole drop cannot be read as delivered: tell the supplier; never retried. Exit 3: something is held."""

    exit_code = 3

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RevisionConflict(AssayError):
    """Somebody else published meanwhile, or the tag exists: a person decides. Exit 1."""


class StageFailed(AssayError):
    """A stage ended with its one sentence; the message is that sentence.

    `transient`: it may pass by waiting (an input that moved, a remote that did not answer), so it is tried again.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


# --- the catalogue of codes: what can be wrong with a row or a drop, and how to mend it ------------------------------

CODES: Mapping[str, str] = {
    "E_ASSET_EMPTY": "There is nothing in it: deliver it again.",
    "E_ASSET_FORMAT": "Deliver what `task.modality` names: a PNG, JPEG, WebP, BMP, GIF or TIFF image, or UTF-8 text.",
    "E_ASSET_MISSING": "Deliver the file, or drop the row.",
    "E_ASSET_PATH": "Use a relative path inside the drop, without '..' and without links.",
    "E_ASSET_TOO_LARGE": "Deliver the item below the limits of `ingest:` in params.yaml, or raise them.",
    "E_ASSET_TRUNCATED": "The file ends early: copy it again.",
    "E_CHARACTER": "Remove the control character or lone surrogate.",
    "E_CLASS_NEW": "If the class is right: assay accept class:NAME. If not: assay reject class:NAME.",
    "E_DELIMITER": "Use one of: comma, semicolon, tab, pipe; the same one in every row.",
    "E_EMBED": "Look at the item, and deliver it again or remove it; another embed.model may cope with it.",
    "E_EMPTY": "The file holds no rows: deliver it again.",
    "E_ENCODING": "Save the file as UTF-8.",
    "E_EXPECTATION": "Look at data/validate/report.html, then: assay accept drop:NAME or assay reject drop:NAME.",
    "E_FIELDS": "Give the row as many fields as the header.",
    "E_FORMAT": "Deliver labels.csv, labels.tsv, labels.jsonl or labels.parquet, or one folder a class.",
    "E_HEADER": "Name each column once; `path` (or `text`) and `label` are required.",
    "E_HEADER_WIDTH": "Give the header as many fields as the rows.",
    "E_ID_CONFLICT": "Deliver the item once, with the right asset and label, or add `annotator`, or give other ids.",
    "E_INCOMPLETE": "Deliver what is missing, or take it as it is: assay receive data/incoming/NAME",
    "E_JSON": "Write one JSON object a line, at most 64 levels deep, without duplicate keys, NaN or Infinity.",
    "E_LABEL_EMPTY": "Give the row a label.",
    "E_MANIFEST": "Deliver the listed files again, or correct the checksums in _SUCCESS.",
    "E_MEMORY": "Deliver the item smaller, or run the stage on a machine with more memory.",
    "E_PARQUET": "Write the file again, to its end, with text columns `path` (or `text`) and `label`.",
    "E_POISON": "The file stops the decoder: deliver it again in another encoding.",
    "E_QUOTE": "Close the quote.",
    "E_RANGE": "If the item is right: assay accept row:DROP/SOURCE. If not: assay reject row:DROP/SOURCE.",
    "E_SPLIT": "Use one of the splits in `validate.splits` of params.yaml.",
    "E_SYMLINK": "Deliver the file itself, not a link.",
    "E_TOO_LONG": "Keep lines under 1 MiB and fields under 64 KiB; a longer text can be a file that `path` names.",
}
"""Code -> remedy. Every quarantined row and held subject carries one of these."""

# --- vocabulary ------------------------------------------------------------------------------------------------------

Action = Literal[
    "keep",
    "relabel",
    "remove",
    "unsure",
    "ambiguous",
    "accept",
    "reject",
    "approve",
    "return",
    "question",
    "answer",
    "issue",
    "resolve",
    "gold",
    "undo",
]
ACTIONS: tuple[str, ...] = Action.__args__  # type: ignore[attr-defined]
GOLD = "gold"
"""The action of an answer to a blind gold item (review/gold.py): it measures the person and touches no label."""
MACHINE = "assay-apply"
"""The reviewer of bulk changes (`assay apply`): no person, so it gives way to any and counts in no estimate."""
SUBJECT_KINDS = ("item", "drop", "class", "row")
"""A verdict's subject is written KIND:NAME (`class:dog`); `item:` may be left out."""

CANARIES_FELL = "Canaries fell:"
"""So begins the note of a stage that missed the wrong labels it was given to find: it turns a run red."""

# --- tables: column -> type: text, int, float, bool, bytes; a trailing "?" allows null --------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """The contract of one table between stages; types are checked on write and on read (store/tables.py)."""

    name: str
    columns: Mapping[str, str]
    extra: str | None = None  # prefix of further text columns, such as meta_


DELIVERED = Table(
    "delivered rows",  # data/drops/<drop>/labels.parquet: every row as delivered, good or faulty
    {
        "source": "text",  # file:line it came from, physical line, `labels.csv:17`
        "raw": "bytes",  # the row as delivered
        "path": "text?",  # relative to the drop; null: the item stood in the row itself, as text
        "label": "text?",  # the text as delivered
        "id": "text?",
        "split": "text?",
        "annotator": "text?",
        "asset": "text?",  # sha256 of the file's bytes; null if there is none
        "shard": "text?",  # `<drop>/assets-0000.parquet`
        "row": "int?",  # row in that shard
        "code": "text?",  # set by the reader when the row is faulty; ingest then quarantines it
        "message": "text?",
    },
    extra="meta_",
)
ASSETS = Table("assets", {"asset": "text", "data": "bytes"})
MANIFEST = Table(
    "manifest",
    {
        "item": "text",  # the supplier's id, else sha256(asset + region)[:16]; unique in the workspace
        "asset": "text",
        "shard": "text",
        "row": "int",
        "region": "text?",  # JSON or null
        "y": "text",  # the label as JSON text: '"7"'
        "split": "text",
        "drop": "text",
        "source": "text",  # file:line; "annotations" where several people's labels were merged
    },
    extra="meta_",
)
ANNOTATIONS = Table(
    "annotations", {"item": "text", "annotator": "text", "y": "text", "at": "text?", "drop": "text", "source": "text"}
)
DUPLICATES = Table(
    "duplicates",
    {
        "drop": "text",
        "source": "text",
        "item": "text",
        "duplicate_of": "text",  # DROP/SOURCE of the row that was kept
        "y": "text",
        "split": "text?",  # as delivered
    },
)
QUARANTINE = Table(
    "quarantine",
    {"drop": "text", "source": "text", "raw": "bytes", "code": "text", "message": "text", "remedy": "text"},
)
SKIPPED = Table("items without vectors", {"item": "text", "drop": "text", "code": "text", "message": "text"})
GATE = Table("gate", {"subject": "text", "status": "text", "code": "text", "message": "text", "remedy": "text"})
PASSED = Table("passed", {"item": "text"})  # the manifest items that the gate lets through
FOLDS = Table("folds", {"item": "text", "fold": "int"})  # of the user's own model: the fold that each was held out in
GRAPH_ITEMS = Table("graph items", {"item": "text"})  # what row n of the neighbour graph stands for
FINDINGS = Table(
    "findings",
    {
        "item": "text",
        "check": "text",  # versioned: label_noise_v2
        "severity": "float",  # [0, 1], 1 = surely wrong
        "reason": "text",  # one sentence for a person
        "suggestion": "text?",  # a label as JSON text
    },
)
SCORES = Table(
    "scores",
    {
        "item": "text",
        "severity": "float",
        "suggestion": "text?",
        "p_suggestion": "float?",  # P(the suggestion is right), [0, p_wrong]
        "p_wrong": "float",  # [0, 1]
        "flagged": "bool",
        "fold": "int",  # the fold in which the item was held out; -1 = not assessable
        "note": "text?",  # why not assessable
    },
)
TEXTS = Table("texts of items", {"item": "text", "text": "text"})  # data/embed/texts, where a pair needs both sides
METHODS = Table(
    "methods of a pair audit",  # data/audit/methods.parquet: what each method says of a pair, larger = odder
    {"item": "text"}
    | dict.fromkeys(("pair_mismatch", "residual", "csls_margin", "neighbours"), "float?")
    | dict.fromkeys(("length", "classes", "numbers", "punctuation", "shared", "compression", "copied"), "float?")
    | dict.fromkeys(("concat_knn", "concat_lof", "concat_iforest", "concat_ecod"), "float?"),  # null: not looked at
)
QUEUE = Table(
    "queue",
    {
        "item": "text",
        "rank": "int",  # 1 = look at this first
        "p_wrong": "float",
        "severity": "float",
        "checks": "text",  # comma-separated
        "reason": "text",
        "y": "text",
        "suggestion": "text?",
    },
)
SAMPLE = Table(
    "audit sample",  # what was drawn to estimate how many labels are wrong: tasks/sample.py
    {
        "item": "text",
        "round": "text",  # the newest drop at the draw
        "place": "int",  # in the round's random order, from 1; 0: answered before the draw
        "stratum": "int",
        "stratum_items": "int",
        "stratum_drawn": "int",
        "p_wrong": "float",  # by the audit at the draw
    },
)
DATASET = Table(
    "dataset",
    {
        "item": "text",
        "asset": "text",
        "shard": "text",
        "row": "int",
        "region": "text?",
        "y": "text",
        "split": "text",
        "why": "text",  # "drop 0001-acme labels.csv:17", or "verdict <op> [<op> ...]"
        "accepted": "text?",  # of an ambiguous item: all its labels as a JSON list, `y` first
    },
)
REMOVED = Table("left out", {"item": "text", "why": "text"})  # items of the manifest that a revision does not have
AUGMENTED = Table(
    "augmented", {"item": "text", "variant": "int", "y": "text", "split": "text", "seed": "int", "data": "bytes"}
)

# --- the words as objects --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """What is being labelled: `task:` in params.yaml."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    modality: str = "image"  # a module in tasks/modalities
    kind: str = "single"  # a module in tasks/labels


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of a reviewer's log: what a person said about a subject."""

    op: str  # the client's uuid: the same op twice is one answer
    subject: str  # "item:ID", "class:NAME", "drop:NAME", "row:DROP/SOURCE"
    action: str  # one of ACTIONS
    reviewer: str
    at: str  # UTC, ISO 8601; a record, not an order: later means later in the log
    y: str | None = None  # JSON text of the label; for ambiguous: of a list of labels
    of: str | None = None  # the op that an undo, approve, return, resolve, gold is about
    category: str | None = None
    note: str | None = None
    guideline: str | None = None
    seen: Mapping[str, Any] | None = None  # {"revision": tag or null, "y": the label that was shown}


@dataclass(frozen=True, slots=True)
class Report:
    """What a stage did: written last as data/<stage>.json, so its existence means the stage is complete."""

    stage: str
    counts: Mapping[str, int] = field(default_factory=dict)  # "items": 1797, "quarantined": 3
    figures: Mapping[str, float] = field(default_factory=dict)  # "noise_rate": 0.051
    used: Mapping[str, str] = field(default_factory=dict)  # "embedder": "patches-1 fitted on 700 items (a3f2..)"
    notes: tuple[str, ...] = ()  # sentences worth a person's time: what was left out, and why
    seconds: float = 0.0
    status: str = "ran"  # "ran" or "cached" (set by the step, never stored)


def counted(counts: Mapping[str, int]) -> str:
    """Counts as words, zeros left out: {"drops": 1, "xy_knn": 30, "classes": 0} -> "1 drop, 30 xy knn"."""
    return ", ".join(f"{count:,} {_noun(name, count)}" for name, count in counts.items() if count)


def _noun(name: str, count: int) -> str:
    plural = name.replace("_", " ")
    return re.sub(r"(?<=ss)es$|s$", "", plural) if count == 1 else plural


def label_json(label: Any) -> str:
    """A label as the JSON text that tables hold: "7" -> '"7"'; the same label always gives the same text."""
    return json.dumps(label, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def label_text(y: str) -> str:
    """A label's JSON as the text that was delivered: '"7"' -> 7; a label that is not one string stays JSON."""
    label = json.loads(y)
    return label if isinstance(label, str) else y
