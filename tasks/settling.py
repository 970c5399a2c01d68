"""How does a person let through, or leave out, what the gate holds? `assay accept SUBJECT` and `reject`.

Reads   data/validate/{gate.parquet, classes.json}, data/ingest/manifest, every answer that was acknowledged
Writes  a verdict into the journal (journal.py)

A subject is a drop, a class, a row or an item, held or not: what has passed may be left out, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

from . import answers, journal, store
from .answersheet import NAMESPACE, check_reviewer
from .model import GATE, MANIFEST, SUBJECT_KINDS, Mistake, Verdict, label_json


def settle(workspace: Path, subject: str, action: str, *, reviewer: str, at: str) -> int:
    """Accept or reject a drop, class, row or item; 0 if that is what counts already. Mistake for an unknown subject."""
    check_reviewer(reviewer)
    if action not in ("accept", "reject"):
        raise Mistake(f"Subject '{subject}' has action '{action}'. Actions are: accept, reject.")
    full = answers.full_subject(subject)
    _check_subject(workspace, full)
    with journal.held(workspace):
        said = journal.everything(workspace)
        if answers.state(said).subjects.get(full) == action:
            return 0
        before = next((v.op for v in reversed(said) if answers.full_subject(v.subject) == full), "")
        op = str(uuid.uuid5(NAMESPACE, label_json([reviewer, full, action, before])))
        return journal.append_held(workspace, [Verdict(op, full, action, reviewer, at)], said)


def _check_subject(workspace: Path, subject: str) -> None:
    data = workspace / "data"
    gate = store.read_table(data / "validate" / "gate.parquet", GATE)
    if subject in set(gate["subject"]):
        return
    rows = store.read_table(data / "ingest" / "manifest", MANIFEST, columns=["item", "drop", "source"])
    kind_, _, name = subject.partition(":")
    there: Mapping[str, set[str]] = {
        "class": set(classes(data)),
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


def classes(data: Path) -> list[str]:
    """The classes that the last validate knew; none before the first."""
    path = data / "validate" / "classes.json"
    return list(store.read_json(path)["classes"]) if path.exists() else []
