"""On which items do people differ, and what does each of them say?

Reviewers differ where what they have decided does not go together (answers.py), annotators where no label has more
voices than every other. Two people who differ cannot both be right: the label is as likely wrong as not, at least.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

import pandas as pd

from . import answers
from .answers import State
from .findings import Finding
from .model import Verdict

DISPUTED, TIED = "reviewers_differ_v1", "annotators_differ_v1"
DISPUTE = 0.5  # the least p_wrong and severity of a disputed item


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
