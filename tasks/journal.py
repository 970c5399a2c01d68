"""How does an answer become part of the record without ever being lost or counted twice?

Reads   .assay/journal/<reviewer>.jsonl, data/verdicts/<reviewer>.jsonl
Writes  .assay/journal/<reviewer>.jsonl     append + fsync: what has returned is there for good
        data/verdicts/<reviewer>.jsonl      `transfer` only, called under the workspace's lock
        data/verdicts/drawn/*.jsonl         `transfer` too: which items were drawn (sample.py), before their answers

Who judges what is written: exchange.py (a file of answers), settling.py (accept and reject), review/ (the page).

Everything is decided by op, never by a position in a file, so each call may be killed anywhere and made again. One
lock (.assay/journal/lock, freed by the kernel when its holder dies) keeps the page, the command line and `transfer`
apart. Covered: kill -9, power loss, the same answers sent twice, two processes. Not covered: two people under one name.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import answers, durable, sample
from .answersheet import check_reviewer
from .model import Mistake, Verdict


def folder(workspace: Path) -> Path:
    """Where the journals are."""
    return workspace / ".assay" / "journal"


def _verdicts(workspace: Path) -> Path:
    return workspace / "data" / "verdicts"


@contextmanager
def held(workspace: Path) -> Iterator[None]:
    """The journal, ours alone; waits for whoever has it."""
    place = folder(workspace)
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pending(workspace: Path) -> dict[str, bytes]:
    """Reviewer -> the whole lines of their journal that data/verdicts lacks, in order; reviewers with none are out."""
    lines = {reviewer: b"".join(raw for raw, _ in log) for reviewer, log in _pending(workspace).items()}
    return {reviewer: content for reviewer, content in lines.items() if content}


def waiting(workspace: Path) -> list[Verdict]:
    """The verdicts that data/verdicts lacks."""
    return [verdict for log in _pending(workspace).values() for _, verdict in log]


def _pending(workspace: Path) -> dict[str, list[tuple[bytes, Verdict]]]:
    found: dict[str, list[tuple[bytes, Verdict]]] = {}
    for path in sorted(folder(workspace).glob("*.jsonl")):
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
        return append_held(workspace, verdicts, everything(workspace))


def line_of(verdict: Verdict) -> bytes:
    """The verdict's line; Mistake for a name that is no file name, and for a verdict that no reader would take."""
    check_reviewer(verdict.reviewer)
    try:
        raw = answers.line(verdict)
        answers.parse_line(raw)
    except ValueError as error:
        raise Mistake(f"Answer '{verdict.op}' about '{verdict.subject}' cannot be kept: {error}.") from None
    return raw


def append_held(workspace: Path, verdicts: Iterable[Verdict], said: Iterable[Verdict]) -> int:
    """`append` for who holds the journal, and has read `said`, which is everything, since then."""
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
        durable.append(folder(workspace) / f"{reviewer}.jsonl", b"".join(lines))
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
