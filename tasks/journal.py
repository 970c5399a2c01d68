"""How does an answer become part of the record without ever being lost or counted twice?

Reads   .assay/journal/<reviewer>.jsonl, data/verdicts/<reviewer>.jsonl; to check answers also data/ingest/manifest,
        data/validate/{gate.parquet, classes.json}, data/revision.json, params.yaml
Writes  .assay/journal/<reviewer>.jsonl     append + fsync: what has returned is there for good
        .assay/journal/refused/*.jsonl      answers that could not be taken, each with its reason
        data/verdicts/<reviewer>.jsonl      `transfer` only, called under the workspace's lock
        data/verdicts/drawn/*.jsonl         `transfer` too: which items were drawn (sample.py), before their answers

Everything is decided by op, never by a position in a file, so each call may be killed anywhere and made again. One
lock (.assay/journal/lock, freed by the kernel when its holder dies) keeps the page, the command line and `transfer`
apart. Covered: kill -9, power loss, the same answers sent twice, two processes. Not covered: two people under one name.
"""

from __future__ import annotations

import fcntl
import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import annotated, answers, answersheet, durable, handout, params, sample, store
from .answersheet import NAMESPACE, Known, check_reviewer
from .formats import Handout, Record, format_named
from .formats.csv import unprefixed
from .labels import kind
from .modalities import modality
from .model import GATE, MANIFEST, QUEUE, SUBJECT_KINDS, DropRejected, Mistake, Task, Verdict, label_json

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


def _journal(workspace: Path) -> Path:
    return workspace / ".assay" / "journal"


def _verdicts(workspace: Path) -> Path:
    return workspace / "data" / "verdicts"


@contextmanager
def held(workspace: Path) -> Iterator[None]:
    """The journal, ours alone; waits for whoever has it."""
    folder = _journal(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- lines -----------------------------------------------------------------------------------------------------------


def pending(workspace: Path) -> dict[str, bytes]:
    """Reviewer -> the whole lines of their journal that data/verdicts lacks, in order; reviewers with none are out."""
    lines = {reviewer: b"".join(raw for raw, _ in log) for reviewer, log in _pending(workspace).items()}
    return {reviewer: content for reviewer, content in lines.items() if content}


def waiting(workspace: Path) -> list[Verdict]:
    """The verdicts that data/verdicts lacks."""
    return [verdict for log in _pending(workspace).values() for _, verdict in log]


def _pending(workspace: Path) -> dict[str, list[tuple[bytes, Verdict]]]:
    found: dict[str, list[tuple[bytes, Verdict]]] = {}
    for path in sorted(_journal(workspace).glob("*.jsonl")):
        taken = _verdicts(workspace) / path.name
        ops = {verdict.op for _, verdict in answers.read_log(taken)} if taken.exists() else set()
        log = found.setdefault(path.stem, [])
        for raw, verdict in answers.read_log(path):
            if verdict.op not in ops:
                ops.add(verdict.op)
                log.append((raw, verdict))
    return found


def everything(workspace: Path) -> list[Verdict]:
    """Every acknowledged verdict, taken into data/verdicts or not, once, in the order in which they count."""
    logs = {
        path.stem: [verdict for _, verdict in answers.read_log(path)]
        for path in sorted(_verdicts(workspace).glob("*.jsonl"))
    }
    for reviewer, log in _pending(workspace).items():
        logs.setdefault(reviewer, []).extend(verdict for _, verdict in log)
    return answers.merge(logs.values())


def append(workspace: Path, verdicts: Iterable[Verdict]) -> int:
    """Write verdicts to their reviewers' journals, one fsync a reviewer; returns how many were not there yet.

    Mistake for a name that is no file name, a verdict that no reader would take, or an op of somebody else's answer;
    nothing is written then.
    """
    with held(workspace):
        return _append(workspace, verdicts, everything(workspace))


def line_of(verdict: Verdict) -> bytes:
    """The verdict's line; Mistake for a name that is no file name, and for a verdict that no reader would take."""
    check_reviewer(verdict.reviewer)
    try:
        raw = answers.line(verdict)
        answers.parse_line(raw)
    except ValueError as error:
        raise Mistake(f"Answer '{verdict.op}' about '{verdict.subject}' cannot be kept: {error}.") from None
    return raw


def _append(workspace: Path, verdicts: Iterable[Verdict], said: Iterable[Verdict]) -> int:
    author = {verdict.op: verdict.reviewer for verdict in said}
    new: dict[str, list[bytes]] = {}
    for verdict in verdicts:
        raw = line_of(verdict)
        if author.setdefault(verdict.op, "") not in ("", verdict.reviewer):
            raise Mistake(f"Answer '{verdict.op}' has an op that is another reviewer's. Give each answer its own op.")
        if not author[verdict.op]:
            author[verdict.op] = verdict.reviewer
            new.setdefault(verdict.reviewer, []).append(raw)
    for reviewer, lines in new.items():
        durable.append(_journal(workspace) / f"{reviewer}.jsonl", b"".join(lines))
    return sum(map(len, new.values()))


def transfer(workspace: Path) -> int:
    """Bring the journals' lines into data/verdicts; the number of lines. The journals stay as they are."""
    with held(workspace):
        lines = pending(workspace)
        if lines:
            sample.record(workspace / "data", _answered_by_people(everything(workspace)))
        for reviewer, content in lines.items():
            durable.append(_verdicts(workspace) / f"{reviewer}.jsonl", content)
    return sum(content.count(b"\n") for content in lines.values())


def _answered_by_people(said: Iterable[Verdict]) -> set[str]:
    return {item for item, one in answers.state(answers.by_people(said)).items.items() if one.answered}


# --- a file of answers -----------------------------------------------------------------------------------------------


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
    with held(workspace):
        known = _known(workspace)
        told = annotated.read(records, known, reviewer=reviewer, named=people or {}, addresses=addresses or {})
        sheet = answersheet.read(told.rows, known, reviewer=reviewer, at=at, occasion=content)
        refused = (*told.refused, *sheet.refused)
        aside = None
        if refused:
            name = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")[:40] or "answers"
            aside = _journal(workspace) / "refused" / f"{name}-{content[:8]}.jsonl"
            durable.sweep(aside.parent)
            durable.write_bytes(aside, b"".join(_refusal(*pair, reviewer, at) for pair in refused))
        accepted = _append(workspace, sheet.verdicts, known.said)
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
    said = tuple(everything(workspace))
    state = answers.state(said)
    delivered = dict(zip(manifest["item"], manifest["y"], strict=True))
    current = {item: one.y for item, one in state.items.items() if item in delivered and one.y is not None}
    withdrawn = {item: "No drop holds it any more" for item in state.items if item not in delivered}
    for item, drop, source in zip(manifest["item"], manifest["drop"], manifest["source"], strict=True):
        for subject in (f"drop:{drop}", f"row:{drop}/{source}", f"item:{item}"):
            if state.subjects.get(subject) == "reject":
                withdrawn[item] = f"It was withdrawn; to take it back: assay accept {subject}"
    kind_ = kind(params.section(workspace / "params.yaml", "task", Task).kind)
    classes = set(_classes(data)) or {name for y in set(delivered.values()) for name in kind_.classes_of(y)}
    for subject, action in state.subjects.items():
        if subject.startswith("class:"):
            (classes.add if action == "accept" else classes.discard)(subject.removeprefix("class:"))
    revision = data / "revision.json"
    tag = store.read_json(revision).get("tag") if revision.exists() else None
    assets = dict(zip(manifest["item"], manifest["asset"], strict=True))
    return Known(delivered, current, withdrawn, tuple(sorted(classes)), kind_, said, tag, _shown(data), assets)


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


def _classes(data: Path) -> list[str]:
    path = data / "validate" / "classes.json"
    return list(store.read_json(path)["classes"]) if path.exists() else []


# --- what the gate holds, and the queue ------------------------------------------------------------------------------


def settle(workspace: Path, subject: str, action: str, *, reviewer: str, at: str) -> int:
    """Accept or reject a drop, class, row or item; 0 if that is what counts already. Mistake for an unknown subject."""
    check_reviewer(reviewer)
    if action not in ("accept", "reject"):
        raise Mistake(f"Subject '{subject}' has action '{action}'. Actions are: accept, reject.")
    full = answers.full_subject(subject)
    _check_subject(workspace, full)
    with held(workspace):
        said = everything(workspace)
        if answers.state(said).subjects.get(full) == action:
            return 0
        before = next((v.op for v in reversed(said) if answers.full_subject(v.subject) == full), "")
        op = str(uuid.uuid5(NAMESPACE, label_json([reviewer, full, action, before])))
        return _append(workspace, [Verdict(op, full, action, reviewer, at)], said)


def _check_subject(workspace: Path, subject: str) -> None:
    data = workspace / "data"
    gate = store.read_table(data / "validate" / "gate.parquet", GATE)
    if subject in set(gate["subject"]):
        return
    rows = store.read_table(data / "ingest" / "manifest", MANIFEST, columns=["item", "drop", "source"])
    kind_, _, name = subject.partition(":")
    there: Mapping[str, set[str]] = {
        "class": set(_classes(data)),
        "item": set(rows["item"]),
        "row": set(rows["drop"] + "/" + rows["source"]),
        "drop": set(rows["drop"]),
    }
    if name in there[kind_]:
        return
    held_ = list(gate.loc[gate["status"] == "held", "subject"])
    waits = f"Held are: {', '.join(held_[:20])}." if held_ else "Nothing is held."
    more = f" And {len(held_) - 20:,} more in data/validate/report.html." if len(held_) > 20 else ""
    kinds = ", ".join(f"{one}:NAME" for one in SUBJECT_KINDS)
    raise Mistake(f"Unknown subject '{subject}'. A subject is one of {kinds}. {waits}{more}")


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
