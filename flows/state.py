"""Which words does the state of a workspace have? What sight.py reads, metrics.py counts and dashboard.py shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tasks import versions

from .noise_history import Noise


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage did when it last did anything."""

    name: str
    seconds: float
    ended: float  # seconds since 1970
    figures: Mapping[str, float]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Drop:
    """Where the rows of a drop ended."""

    drop: str
    rows: int
    at: str  # received, UTC, ISO 8601; "" where the receipt does not say
    accepted: int
    annotations: int
    duplicates: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery that has not been received yet."""

    name: str
    state: str  # complete | growing | held
    why: str
    since: float | None  # seconds since 1970


@dataclass(frozen=True, slots=True)
class State:
    """A workspace at one moment."""

    name: str
    stages: tuple[Stage, ...]
    drops: tuple[Drop, ...]
    queue: int | None  # items; None: there is no queue now
    queue_since: float | None  # when the drop of its oldest item was received, seconds since 1970
    looked: float | None  # when the watcher last looked for deliveries
    arrivals: tuple[Arrival, ...]
    held: tuple[Mapping[str, str], ...]  # rows of model.GATE that wait
    quarantine: Mapping[str, int]  # code -> rows
    revisions: tuple[versions.Revision, ...]  # newest first
    noise: tuple[Noise, ...]  # as the files are now, then the revisions, newest first
    accuracy: Mapping[str, tuple[float, ...]]  # tag -> a figure a seed, where somebody measured it
    answers: int  # ever given
    unapplied: int  # of these, not in the dataset that `revise` made last
    disk_free: int  # bytes
    disk_total: int  # bytes
    unread: Mapping[str, str] = field(default_factory=dict)  # part -> why it could not be read

    @property
    def published(self) -> float | None:
        """When the newest revision was published, seconds since 1970; None if there is none."""
        return max((datetime.fromisoformat(one.at).timestamp() for one in self.revisions), default=None)
