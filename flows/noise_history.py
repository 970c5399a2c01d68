"""How does the noise of the classes move from revision to revision, without a figure for each of a thousand classes?

Pure functions on what the audit wrote as data/audit/noise.json:

    {"noise_rate": 0.0714, "accuracy_out_of_fold": 0.93, "classes": {"7": {"items": 135, "noise_rate": 0.0074}}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NOISE = "data/audit/noise.json"
NOW = "now"
CLASSES = 20  # the largest, each by its name
OTHER = "other"  # all the rest as one
LONGEST = 80  # characters; a class with a longer name counts as one of the rest


@dataclass(frozen=True, slots=True)
class Noise:
    """What the audit estimated at one revision."""

    revision: str  # its tag, or "now"
    rate: float | None  # estimated share of wrong labels, [0, 1]
    agreement: float | None  # share of labels with which the model agrees out of fold, [0, 1]
    classes: Mapping[str, tuple[int, float]] = field(default_factory=dict)  # class -> items, share of wrong labels
    interval: tuple[float, float] | None = None  # of the rate, 95 %, as far as the model can tell


def from_document(revision: str, document: Mapping[str, Any]) -> Noise:
    """The content of noise.json; a figure that is absent there is None here."""
    classes = {
        str(name): (int(one["items"]), float(one["noise_rate"])) for name, one in document.get("classes", {}).items()
    }
    low, high = _figure(document, "noise_low"), _figure(document, "noise_high")
    rate, agreement = _figure(document, "noise_rate"), _figure(document, "accuracy_out_of_fold")
    return Noise(revision, rate, agreement, classes, None if low is None or high is None else (low, high))


def _figure(document: Mapping[str, Any], name: str) -> float | None:
    value = document.get(name)
    return None if value is None else float(value)


def now_and_then(now: Noise | None, past: Sequence[Noise]) -> tuple[Noise, ...]:
    """What holds now, then the revisions, newest first."""
    return (*([now] if now is not None else []), *past)


def largest(history: Sequence[Noise], most: int = CLASSES) -> list[str]:
    """The names of the classes that are told one by one, in order: the largest of the first entry that has any.

    One choice for all revisions, so that a class is one line from left to right. A class that is itself called `other`
    is never chosen: its name is taken.
    """
    sizes = next((noise.classes for noise in history if noise.classes), {})
    fit = [name for name in sizes if name != OTHER and len(name) <= LONGEST]
    return sorted(sorted(fit, key=lambda name: (-sizes[name][0], name))[:most])


def folded(noise: Noise, chosen: Sequence[str]) -> dict[str, tuple[int, float]]:
    """Class -> (items, share of wrong labels) for the chosen ones, the rest as `other`, weighted by their items.

    >>> folded(Noise("now", None, None, {"a": (8, 0.5), "b": (3, 0.2), "c": (1, 0.6)}), ["a"])
    {'a': (8, 0.5), 'other': (4, 0.3)}
    """
    told = {name: noise.classes[name] for name in chosen if name in noise.classes}
    rest = [one for name, one in noise.classes.items() if name not in told]
    items = sum(count for count, _ in rest)
    if items:
        told[OTHER] = (items, round(sum(count * rate for count, rate in rest) / items, 6))
    return told
