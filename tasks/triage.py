"""Which items should a person look at first?

Every finding of audit and detect, without what people have answered, with what they dispute; one row an item, worst
first. The audit's p_wrong is calibrated and leads; a check of detect that also speaks of the label shifts it:

    assessed by the audit    odds(p_wrong) = odds(audit's p_wrong) * 2 ^ (sum of the severities of those checks)
    not assessed             p_wrong = 1 - product of (1 - cap * severity), cap .5 for those checks and .1 for others

What does not speak of the label (an outlier, a duplicate) is a reason to look and leaves p_wrong alone. Two people who
differ cannot both be right: a disputed item has p_wrong .5 or more and comes first.

Reads   data/audit/{scores,findings}.parquet, data/detect/findings.parquet, data/ingest/{manifest,annotations},
        data/validate/passed.parquet, data/verdicts
Writes  data/triage/queue.parquet

    d0042  rank 1  p_wrong .97  severity .99  label_noise_v2,xy_knn_v1  "Looks like 7 ..."  y "1"  suggestion "7"
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from . import answers, durable, store
from .answers import State
from .model import ANNOTATIONS, FINDINGS, MANIFEST, PASSED, QUEUE, SCORES, Report, Verdict

AUDIT = "label_noise_"  # findings of checks that begin so carry the p_wrong of the scores
DISPUTED, TIED = "reviewers_differ_v1", "annotators_differ_v1"
OF_THE_LABEL = ("label_", "xy_")  # names of checks that speak of the label begin so; so does any that suggests another
CAP_LABEL, CAP_OTHER = 0.5, 0.1  # of one check's say where the audit could not assess, [0, 1]
DISPUTE = 0.5  # the least p_wrong and severity of a disputed item
REASONS = 2  # of the strongest checks, in one row


@dataclass(frozen=True, slots=True)
class Params:
    """`triage:` in params.yaml."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    budget: int = 0  # items in the queue, from 0; 0 = all that are flagged
    min_severity: float = 0.0  # findings below this are left out, [0, 1]

    def __post_init__(self) -> None:
        if self.budget < 0:
            raise ValueError("budget: 0 (all) or more is allowed")
        if not 0 <= self.min_severity <= 1:
            raise ValueError("min_severity: 0 to 1 is allowed")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says about one item."""

    check: str
    severity: float
    reason: str
    suggestion: str | None

    def speaks_of_the_label(self, y: str) -> bool:
        return self.check.startswith(OF_THE_LABEL) or self.suggestion not in (None, y)


@dataclass(frozen=True, slots=True)
class Queue:
    """The rows for people, and how many there were of what."""

    rows: pd.DataFrame  # model.QUEUE
    counts: Mapping[str, int]


def p_wrong(audited: float | None, findings: Iterable[Finding], y: str) -> float:
    """The probability that label `y` is wrong, in [0, 1], by the formulas above; `audited` None: not assessable."""
    others = [each for each in findings if not each.check.startswith(AUDIT) and each.check not in (DISPUTED, TIED)]
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
) -> Queue:
    """The queue: of `labels` (item -> label in force) those found or disputed, unless answered and undisputed.

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
    kept = rows[: params.budget] if params.budget else rows
    ranked = [{**row, "rank": rank} for rank, row in enumerate(kept, start=1)]
    return Queue(
        store.frame(QUEUE, ranked),
        {
            "queued": len(kept),
            "doubtful": len(flagged),
            "disputed": sum(row["item"] in disputes for row in kept),
            "left_out_by_budget": len(rows) - len(kept),
            **counts,
        },
    )


def _strongest_first(findings: Iterable[Finding], y: str) -> list[Finding]:
    """The audit, then what speaks of the label, then the rest; the most severe first."""

    def key(finding: Finding) -> tuple[bool, bool, float, str, str]:
        label = finding.speaks_of_the_label(y)
        return not finding.check.startswith(AUDIT), not label, -finding.severity, finding.check, finding.reason

    return sorted(findings, key=key)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


# --- disputes --------------------------------------------------------------------------------------------------------


def disputed(state: State, verdicts: Iterable[Verdict], labels: Mapping[str, str]) -> dict[str, Finding]:
    """item -> what its reviewers say, of the items of `labels` on whose label they differ."""
    given = {verdict.op: verdict for verdict in verdicts}
    found = {}
    for item, one in state.items.items():
        if one.disputed and item in labels:
            said = [given[op] for op in one.open_ops]
            decided = [decision.labels[0] for v in said if (decision := answers.decision_of(v)) and decision.labels]
            suggestion = next((y for y in reversed(decided) if y not in (None, labels[item])), None)
            words = ", ".join(f"{verdict.reviewer} says {_words(verdict)}" for verdict in said)
            found[item] = Finding(DISPUTED, DISPUTE, f"Reviewers differ: {words}.", suggestion)
    return found


def _words(verdict: Verdict) -> str:
    if verdict.action == "remove" or verdict.y is None:
        seen = (verdict.seen or {}).get("y") if verdict.action == "keep" else None
        return _label(seen) if isinstance(seen, str) else verdict.action
    return _label(verdict.y)


def _label(y: str) -> str:
    """A label for a sentence: a name as it is, anything else as JSON; of several `4 or 9`."""
    value = json.loads(y)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " or ".join(value)
    return value if isinstance(value, str) else y


def tied(annotations: pd.DataFrame, labels: Mapping[str, str]) -> dict[str, Finding]:
    """item -> what its annotators say, of the items of `labels` where no label has more voices than every other.

    An annotator's last label counts.
    """
    voices: dict[str, dict[str, str]] = {}
    for item, annotator, y in zip(annotations["item"], annotations["annotator"], annotations["y"], strict=True):
        voices.setdefault(item, {})[annotator] = y
    found = {}
    for item, said in voices.items():
        first, *rest = Counter(said.values()).most_common()
        if item in labels and rest and rest[0][1] == first[1]:
            words = ", ".join(f"{annotator} says {_label(y)}" for annotator, y in said.items())
            ys = [y for y, count in (first, *rest) if count == first[1] and y != labels[item]]
            found[item] = Finding(TIED, DISPUTE, f"Annotators differ: {words}.", ys[0] if ys else None)
    return found


# --- the stage -------------------------------------------------------------------------------------------------------


def run(data: Path, params: Params) -> Report:
    """Write the queue."""
    verdicts = answers.read(data / "verdicts")
    state = answers.state(verdicts)
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST, columns=["item", "y"])
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
    result = queue(
        labels,
        findings([data / "audit" / "findings.parquet", data / "detect" / "findings.parquet"]),
        {item: float(p) for item, p in zip(scores["item"], scores["p_wrong"], strict=True)},
        disputes,
        answered,
        params,
    )
    with durable.fresh_folder(data / "triage") as folder:
        store.write_table(folder / "queue.parquet", QUEUE, result.rows)
    expected = float(sum(result.rows["p_wrong"]))
    return Report(
        "triage",
        counts=result.counts,
        figures={
            "expected_wrong": round(expected, 6),
            "expected_precision": round(expected / max(1, len(result.rows)), 6),
        },
        notes=notes(result.counts, params),
    )


def findings(paths: Iterable[Path]) -> dict[str, list[Finding]]:
    """item -> its findings, of every file."""
    found: dict[str, list[Finding]] = {}
    for path in paths:
        table = store.read_table(path, FINDINGS)
        columns = (table[name] for name in ("item", "check", "severity", "reason", "suggestion"))
        for item, check, severity, reason, suggestion in zip(*columns, strict=True):
            found.setdefault(item, []).append(Finding(check, float(severity), reason, suggestion))
    return found


def notes(counts: Mapping[str, int], params: Params) -> tuple[str, ...]:
    """What the queue leaves out, and why, one sentence each."""
    said = [
        (counts["disputed"], "Disputed items, which come first"),
        (counts["left_out_by_budget"], f"Left out by triage.budget, {params.budget:,} items"),
        (counts["below_min_severity"], f"Left out below triage.min_severity {params.min_severity:g}"),
    ]
    return tuple(f"{what}: {count:,}." for count, what in said if count)
