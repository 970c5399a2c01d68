"""How does the queue get to people who work elsewhere, and how do their answers come back?

Reads   data/triage/queue.parquet, data/ingest/manifest, data/validate/classes.json, data/revision.json, params.yaml,
        every answer that was acknowledged; a file of answers (columns: answersheet.py), a tool's export (annotated.py)
Writes  the queue as CSV, JSONL or tasks of a labelling tool (handout.py); answers into the journal (journal.py)
        .assay/journal/refused/*.jsonl      answers that could not be taken, each with its reason

The same file twice is taken once: an answer's op comes from its content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import annotated, answers, answersheet, durable, handout, journal, params, sample, store
from .answersheet import Known, check_reviewer
from .formats import Handout, Record, format_named
from .formats.csv import unprefixed
from .labels import kind
from .modalities import modality
from .model import MANIFEST, QUEUE, DropRejected, Mistake, Task
from .settling import classes

GROUPS = 16  # row groups of 4 MiB kept while the queue's texts are read
LONGEST_TEXT = 8_000  # characters of a text in the queue; a cell of a spreadsheet holds 32,767, its prefixes included
SUFFIXES = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "label-studio"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file of answers: each row is in exactly one of the four."""

    accepted: int  # new
    already: int  # were there
    refused: tuple[str, ...]  # one sentence a row
    unanswered: int = 0  # rows left empty
    kept_aside: Path | None = None  # where the refused rows are
    notes: tuple[str, ...] = ()  # sentences of rows left empty or overtaken, where the format says more than a number


def export_queue(workspace: Path, form: str, file: Path) -> int:
    """Write the queue out for people to answer elsewhere; returns the number of items."""
    module = format_named(form, "write_queue", "write_tasks")
    if hasattr(module, "write_tasks"):
        return int(module.write_tasks(file, hand_out(workspace)))
    path = workspace / "data" / "triage" / "queue.parquet"
    if not path.exists():
        raise Mistake(f"No queue in '{path.parent}'. Run: assay run")
    rows = store.read_table(path, QUEUE)
    cell = modality(params.section(workspace / "params.yaml", "task", Task).modality).cell
    if cell is not None and len(rows):
        rows = rows.assign(text=_texts(workspace, rows["item"], cell))
    module.write_queue(file, rows)
    return len(rows)


def hand_out(workspace: Path) -> Handout:
    """The queue as a labelling tool needs it."""
    return handout.handout(workspace, _known(workspace))


def _texts(workspace: Path, items: Iterable[str], cell: Callable[[bytes], str]) -> list[str]:
    """What each item says; one longer than a spreadsheet's cell is its beginning."""
    data = workspace / "data"
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST, columns=["item", "shard", "row"])
    places = {item: (shard, int(row)) for item, shard, row in manifest.itertuples(index=False)}
    read = store.AssetReader(data / "drops", groups=GROUPS)
    texts = [cell(read(*places[item])) for item in items]
    return [text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…" for text in texts]


def answer_file(
    workspace: Path,
    file: Path,
    *,
    reviewer: str,
    at: str,
    people: Mapping[str, str] | None = None,
    addresses: Mapping[str, str] | None = None,
) -> Outcome:
    """Take people's answers from a CSV or JSONL file (columns: see answersheet.py), or a labelling tool's export.

    Each row is accepted, already there, not answered, or refused and kept aside with its reason. The same file twice is
    taken once. `people`: who somebody is in the tool, by number or e-mail address -> reviewer; `addresses`: number ->
    e-mail address, where the file lacks them (annotated.py).
    """
    check_reviewer(reviewer)
    records = list(_records(file))
    content = store.sha256_file(file)
    with journal.held(workspace):
        known = _known(workspace)
        told = annotated.read(records, known, reviewer=reviewer, named=people or {}, addresses=addresses or {})
        sheet = answersheet.read(told.rows, known, reviewer=reviewer, at=at, occasion=content)
        refused = (*told.refused, *sheet.refused)
        aside = None
        if refused:
            name = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")[:40] or "answers"
            aside = journal.folder(workspace) / "refused" / f"{name}-{content[:8]}.jsonl"
            durable.sweep(aside.parent)
            durable.write_bytes(aside, b"".join(_refusal(*pair, reviewer, at) for pair in refused))
        accepted = journal.append_held(workspace, sheet.verdicts, known.said)
    reasons = tuple(reason for _, reason in refused)
    return Outcome(accepted, sheet.already, reasons, sheet.unanswered, aside, sheet.notes)


def _records(file: Path) -> Iterator[Record]:
    form = SUFFIXES.get(file.suffix.lower())
    if form is None:
        raise Mistake(f"File '{file}' has suffix '{file.suffix}'. Suffixes are: {', '.join(SUFFIXES)}.")
    if not file.is_file():
        raise Mistake(f"No file '{file}'. Make one to fill in with: assay export csv {file}")
    module = format_named(form, "records", "annotated")
    if hasattr(module, "annotated"):
        yield from module.annotated(file)
        return
    try:
        for record in module.records(file, required=("item",)):
            if form == "csv":  # an exported queue is safe in a spreadsheet: here its cells become what they were
                fields = {name: unprefixed(cell) for name, cell in record.fields.items()}
                record = replace(record, fields=fields)
            yield record
    except DropRejected as error:
        raise Mistake(str(error)) from None


def _refusal(record: Record, reason: str, reviewer: str, at: str) -> bytes:
    raw = record.raw.decode("utf-8", "backslashreplace")
    content = {"source": record.source, "raw": raw, "reason": reason, "reviewer": reviewer, "at": at}
    return json.dumps(content, sort_keys=True).encode() + b"\n"


def _known(workspace: Path) -> Known:
    data = workspace / "data"
    manifest = store.read_table(
        data / "ingest" / "manifest", MANIFEST, columns=["item", "asset", "y", "drop", "source"]
    )
    said = tuple(journal.everything(workspace))
    state = answers.state(said)
    delivered = dict(zip(manifest["item"], manifest["y"], strict=True))
    current = {item: one.y for item, one in state.items.items() if item in delivered and one.y is not None}
    withdrawn = {item: "No drop holds it any more" for item in state.items if item not in delivered}
    for item, drop, source in zip(manifest["item"], manifest["drop"], manifest["source"], strict=True):
        for subject in (f"drop:{drop}", f"row:{drop}/{source}", f"item:{item}"):
            if state.subjects.get(subject) == "reject":
                withdrawn[item] = f"It was withdrawn; to take it back: assay accept {subject}"
    kind_ = kind(params.section(workspace / "params.yaml", "task", Task).kind)
    names = set(classes(data)) or {name for y in set(delivered.values()) for name in kind_.classes_of(y)}
    for subject, action in state.subjects.items():
        if subject.startswith("class:"):
            (names.add if action == "accept" else names.discard)(subject.removeprefix("class:"))
    revision = data / "revision.json"
    tag = store.read_json(revision).get("tag") if revision.exists() else None
    assets = dict(zip(manifest["item"], manifest["asset"], strict=True))
    return Known(delivered, current, withdrawn, tuple(sorted(names)), kind_, said, tag, _shown(data), assets)


def _shown(data: Path) -> dict[str, Mapping[str, Any]]:
    """Doubted item -> its p_wrong, rank and checks in the queue: an answer keeps them, the next audit moves them.

    Not of the rows that are there only because they were drawn: these show no p_wrong of their own.
    """
    path = data / "triage" / "queue.parquet"
    queue = store.read_table(path, QUEUE) if path.exists() else store.frame(QUEUE)
    columns = (queue[name] for name in ("item", "checks", "p_wrong", "rank"))
    return {
        item: {
            "p_wrong": round(float(p), 6),
            "rank": int(rank),
            "checks": [check for check in checks.split(",") if check != sample.CHECK],
        }
        for item, checks, p, rank in zip(*columns, strict=True)
        if checks != sample.CHECK
    }
