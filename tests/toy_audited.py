"""A workspace after its triage, made of tables alone: what the tests of estimate and apply work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from toy_drops import deliver

from tasks import exchange, journal, sample, store, triage, versions
from tasks.findings import AUDIT
from tasks.model import ANNOTATIONS, FINDINGS, PASSED, SAMPLE, SCORES, Report, Verdict, label_json
from tasks.triage import Params

AT = "2026-05-01T10:00:00Z"


def make(folder: Path, p_wrong: Sequence[float], *, labels: Mapping[int, str] | None = None, drawn: int = 0) -> Path:
    """Items 1-0, 1-1 .. labelled cat (or as `labels` says), which the audit takes for dogs with `p_wrong`."""
    versions.init(folder)
    data = folder / "data"
    deliver(data, 1, "acme", [(labels or {}).get(n, "cat") for n in range(len(p_wrong))])
    items = [f"1-{n}" for n in range(len(p_wrong))]
    passed = [{"item": item} for item in items]
    store.write_table(data / "validate" / "passed.parquet", PASSED, store.frame(PASSED, passed))
    store.write_json(data / "validate" / "classes.json", {"version": "1", "classes": ["cat", "dog", "fox"]})
    dog = label_json("dog")
    scores = [
        {"item": item, "severity": p, "suggestion": dog, "p_wrong": p, "flagged": p > 0.5, "fold": 0}
        for item, p in zip(items, p_wrong, strict=True)
    ]
    store.write_table(data / "audit" / "scores.parquet", SCORES, store.frame(SCORES, scores))
    store.write_report(data / "audit.json", Report("audit", figures={"noise_rate": 0.125}))
    flagged = [
        {"item": item, "check": AUDIT, "severity": p, "reason": "Looks like dog.", "suggestion": dog}
        for item, p in zip(items, p_wrong, strict=True)
        if p > 0.5
    ]
    store.write_table(data / "audit" / "findings.parquet", FINDINGS, store.frame(FINDINGS, flagged))
    store.write_table(data / "detect" / "findings.parquet", FINDINGS, store.frame(FINDINGS))
    store.write_table(data / "ingest" / "annotations" / "0001-acme.parquet", ANNOTATIONS, store.frame(ANNOTATIONS))
    triage.run(data, Params(audit_sample=drawn))
    return folder


def asked(workspace: Path) -> list[str]:
    """The items that were drawn, in the order in which they are asked about."""
    table = store.read_table(workspace / "data" / "triage" / "sample.parquet", SAMPLE)
    return [row.item for row in sample.from_table(table) if row.place]


def answer(workspace: Path, wrong: Mapping[str, bool], reviewer: str = "ann") -> None:
    """A file of answers: dog where the label was wrong, keep where it was right."""
    rows = "".join(f"{item},{'relabel' if one else 'keep'},{'dog' if one else ''}\n" for item, one in wrong.items())
    file = workspace.parent / "answers.csv"
    file.write_text(f"item,action,label\n{rows}")
    outcome = exchange.answer_file(workspace, file, reviewer=reviewer, at=AT)
    assert (outcome.accepted, outcome.refused) == (len(wrong), ())


def said(workspace: Path) -> list[Verdict]:
    return journal.everything(workspace)
