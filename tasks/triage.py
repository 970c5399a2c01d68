"""Which items should a person look at first?

Every finding of audit and detect, without what people have answered, with what they dispute; one row an item, worst
first. The audit's p_wrong is calibrated and leads; a check of detect that also speaks of the label shifts it:

    assessed by the audit    odds(p_wrong) = odds(audit's p_wrong) * 2 ^ (sum of the severities of those checks)
    not assessed             p_wrong = 1 - product of (1 - cap * severity), cap .5 for those checks and .1 for others

What does not speak of the label (an outlier, a duplicate) is a reason to look and leaves p_wrong alone. Two people who
differ cannot both be right: a disputed item (disputes.py) has p_wrong .5 or more and comes first.

The audit sample (sample.py) is mixed in: every fifth row is a drawn item, until they are all there. The doubted rows
keep their order; a drawn item that is doubted keeps its evidence and only comes earlier. A row that is there only
because it was drawn gives nothing away: no suggestion, one sentence for all, and the mean p_wrong of these rows.

Reads   data/audit/{scores,findings}.parquet, data/detect/findings.parquet, data/ingest/{manifest,annotations},
        data/validate/passed.parquet, data/verdicts and data/verdicts/drawn
Writes  data/triage/queue.parquet, sample.parquet (what is drawn, answered or not)

    d0042  rank 1  p_wrong .97  severity .99  label_noise_v2,xy_knn_v1  "Looks like 7 ..."  y "1"  suggestion "7"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from . import answers, durable, sample, store
from .disputes import DISPUTE, DISPUTED, TIED, disputed, tied
from .findings import AUDITS, Finding
from .findings import read as read_findings
from .model import ANNOTATIONS, MANIFEST, PASSED, QUEUE, SAMPLE, SCORES, Report

CAP_LABEL, CAP_OTHER = 0.5, 0.1  # of one check's say where the audit could not assess, [0, 1]
REASONS = 2  # of the strongest checks, in one row


@dataclass(frozen=True, slots=True)
class Params:
    """`triage:` in params.yaml."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    budget: int = 0  # items in the queue, drawn ones included, from 0; 0 = all
    min_severity: float = 0.0  # findings below this are left out, [0, 1]
    audit_sample: int = 200  # items drawn to estimate how many labels are wrong, at most a tenth of all; 0 = none
    seed: int = 0  # of the draw

    def __post_init__(self) -> None:
        if self.budget < 0:
            raise ValueError("budget: 0 (all) or more is allowed")
        if self.audit_sample < 0:
            raise ValueError("audit_sample: 0 (none) or more is allowed")
        if not 0 <= self.min_severity <= 1:
            raise ValueError("min_severity: 0 to 1 is allowed")


@dataclass(frozen=True, slots=True)
class Queue:
    """The rows for people, and how many there were of what."""

    rows: pd.DataFrame  # model.QUEUE
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The audit sample, as the queue needs it."""

    asked: Sequence[str]  # the items that no person has answered, in the order in which to ask
    size: int  # how many were drawn in all


NOTHING_DRAWN = Drawing((), 0)


def p_wrong(audited: float | None, findings: Iterable[Finding], y: str) -> float:
    """The probability that label `y` is wrong, in [0, 1], by the formulas above; `audited` None: not assessable."""
    others = [each for each in findings if not each.check.startswith(AUDITS) and each.check not in (DISPUTED, TIED)]
    if audited is None:
        right = 1.0
        for finding in others:
            right *= 1 - (CAP_LABEL if finding.speaks_of_the_label(y) else CAP_OTHER) * finding.severity
        return 1 - right
    shift = 2.0 ** sum(finding.severity for finding in others if finding.speaks_of_the_label(y))
    return audited * shift / (1 - audited + audited * shift)


def queue(
    labels: Mapping[str, str],
    findings: Mapping[str, Iterable[Finding]],
    audited: Mapping[str, float],
    disputes: Mapping[str, Finding],
    answered: frozenset[str],
    params: Params,
    drawn: Drawing = NOTHING_DRAWN,
) -> Queue:
    """The queue: of `labels` (item -> label in force) those found, disputed or drawn, unless answered and undisputed.

    `audited`: item -> p_wrong, of the items that the audit could assess.
    """
    flagged = {item for item in findings if item in labels} | set(disputes)
    rows: list[dict[str, Any]] = []
    counts = Counter(dict.fromkeys(("answered", "below_min_severity"), 0))
    for item in sorted(flagged):
        dispute = disputes.get(item)
        if item in answered and dispute is None:
            counts["answered"] += 1
            continue
        found = _strongest_first(findings.get(item, ()), labels[item])
        found = [finding for finding in found if finding.severity >= params.min_severity]
        found = [dispute, *found] if dispute is not None else found
        if not found:
            counts["below_min_severity"] += 1
            continue
        probability = p_wrong(audited.get(item), found, labels[item])
        rows.append(
            {
                "item": item,
                "p_wrong": max(probability, DISPUTE) if dispute is not None else probability,
                "severity": max(finding.severity for finding in found),
                "checks": ",".join(dict.fromkeys(finding.check for finding in found)),
                "reason": " ".join(_sentence(finding.reason) for finding in found[:REASONS]),
                "y": labels[item],
                "suggestion": next((f.suggestion for f in found if f.suggestion not in (None, labels[item])), None),
            }
        )
    rows.sort(key=lambda row: (row["item"] not in disputes, -row["p_wrong"], -row["severity"], row["item"]))
    rows = with_drawn(rows, sum(row["item"] in disputes for row in rows), drawn, labels, audited)
    kept = rows[: params.budget] if params.budget else rows
    ranked = [{**row, "rank": rank} for rank, row in enumerate(kept, start=1)]
    return Queue(
        store.frame(QUEUE, ranked),
        {
            "queued": len(kept),
            "doubtful": len(flagged),
            "disputed": sum(row["item"] in disputes for row in kept),
            "drawn": sum(row["checks"] == sample.CHECK for row in kept),
            "left_out_by_budget": len(rows) - len(kept),
            **counts,
        },
    )


def with_drawn(
    rows: Sequence[Mapping[str, Any]],
    disputed: int,
    drawn: Drawing,
    labels: Mapping[str, str],
    audited: Mapping[str, float],
) -> list[dict[str, Any]]:
    """The doubted rows, of which the first `disputed` stay first, with those of the drawn that nobody has answered."""
    doubted = {row["item"]: dict(row) for row in rows}
    asked = [item for item in drawn.asked if item in labels]
    for item in asked:
        if item in doubted:
            doubted[item]["checks"] += f",{sample.CHECK}"
    plain = [item for item in asked if item not in doubted]
    mean = sum(audited.get(item, 0.0) for item in plain) / max(1, len(plain))
    reason = f"One of {drawn.size:,} items drawn to estimate how many labels are wrong."
    told = {"p_wrong": mean, "severity": mean, "checks": sample.CHECK, "reason": reason, "suggestion": None}
    every = doubted | {item: {"item": item, "y": labels[item], **told} for item in plain}
    first, rest = [*doubted][:disputed], [*doubted][disputed:]
    return [every[item] for item in (*first, *sample.mixed(rest, [item for item in asked if item not in first]))]


def _strongest_first(findings: Iterable[Finding], y: str) -> list[Finding]:
    """The audit, then what speaks of the label, then the rest; the most severe first."""

    def key(finding: Finding) -> tuple[bool, bool, float, str, str]:
        label = finding.speaks_of_the_label(y)
        return not finding.check.startswith(AUDITS), not label, -finding.severity, finding.check, finding.reason

    return sorted(findings, key=key)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def run(data: Path, params: Params) -> Report:
    """Write the queue, and what is drawn. Its figures are those of the doubted rows."""
    verdicts = answers.read(data / "verdicts")
    state = answers.state(verdicts)
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST, columns=["item", "y", "drop"])
    passed = frozenset(store.read_table(data / "validate" / "passed.parquet", PASSED)["item"])
    labels = {
        item: one.y if (one := state.items.get(item)) is not None and one.y is not None else y
        for item, y in zip(manifest["item"], manifest["y"], strict=True)
        if item in passed
    }
    removed = {item for item, one in state.items.items() if one.removed and not one.disputed}
    labels = {item: y for item, y in labels.items() if item not in removed}
    answered = frozenset(item for item, one in state.items.items() if one.answered)
    scores = store.read_table(data / "audit" / "scores.parquet", SCORES, columns=["item", "p_wrong", "fold"])
    scores = scores[scores["fold"] >= 0]
    ties = tied(store.read_table(data / "ingest" / "annotations", ANNOTATIONS), labels)
    disputes = disputed(state, verdicts, labels)
    disputes |= {item: finding for item, finding in ties.items() if item not in answered}
    p_audited = {item: float(p) for item, p in zip(scores["item"], scores["p_wrong"], strict=True)}
    people = answers.state(answers.by_people(verdicts)).items
    settled = frozenset(item for item, one in people.items() if one.answered)
    drops = {
        item: drop
        for item, drop in zip(manifest["item"], manifest["drop"], strict=True)
        if item in labels or (item in settled and item in passed)
    }
    drawn = sample.completed(
        sample.recorded(data / "verdicts"), drops, p_audited, settled, size=params.audit_sample, seed=params.seed
    )
    asked = [row for row in drawn if row.place and row.item not in settled and params.audit_sample]
    asked.sort(key=lambda row: (row.place, sample.sequence(row.round)))
    result = queue(
        labels,
        read_findings([data / "audit" / "findings.parquet", data / "detect" / "findings.parquet"]),
        p_audited,
        disputes,
        answered,
        params,
        Drawing([row.item for row in asked], sum(row.place > 0 for row in drawn)),
    )
    with durable.fresh_folder(data / "triage") as folder:
        store.write_table(folder / "queue.parquet", QUEUE, result.rows)
        store.write_table(folder / "sample.parquet", SAMPLE, sample.table(drawn))
    doubted = result.rows[result.rows["checks"] != sample.CHECK]
    expected = float(sum(doubted["p_wrong"]))
    return Report(
        "triage",
        counts=result.counts,
        figures={
            "expected_wrong": round(expected, 6),
            "expected_precision": round(expected / max(1, len(doubted)), 6),
        },
        notes=notes(result.counts, params),
    )


def notes(counts: Mapping[str, int], params: Params) -> tuple[str, ...]:
    """What the queue leaves out, and why, one sentence each."""
    said = [
        (counts["disputed"], "Disputed items, which come first"),
        (counts["left_out_by_budget"], f"Left out by triage.budget, {params.budget:,} items"),
        (counts["below_min_severity"], f"Left out below triage.min_severity {params.min_severity:g}"),
    ]
    return tuple(f"{what}: {count:,}." for count, what in said if count)
