"""Which words does the state of a workspace have, and that of its Prefect server?

What sight.py and runs.py read, metrics.py counts and dashboard.py shows; nothing of Prefect is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tasks import versions
from tasks.policy import Sla

from .noise_history import Noise
from .slices import Slice
from .tally import Tally


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
class Backlog:
    """What of one drop still waits in the queue."""

    drop: str
    since: float | None  # when it was received, seconds since 1970
    queued: int
    open: int  # of these, without an answer


@dataclass(frozen=True, slots=True)
class Study:
    """Two revisions, each trained on, on one frozen test set (`assay study before-after`)."""

    a: str
    b: str
    claim: str  # gain | loss | none
    sentence: str
    file: str  # its page, in .assay/studies


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
    sla: Sla = field(default_factory=Sla)
    slices: tuple[Slice, ...] = ()
    confused: tuple[tuple[str, str, int], ...] = ()  # (given, suggested, flagged items), most first
    backlog: tuple[Backlog, ...] = ()  # the oldest drop first
    tally: Tally = field(default_factory=Tally)
    studies: tuple[Study, ...] = ()  # the newest first

    @property
    def published(self) -> float | None:
        """When the newest revision was published, seconds since 1970; None if there is none."""
        return max((datetime.fromisoformat(one.at).timestamp() for one in self.revisions), default=None)


@dataclass(frozen=True, slots=True)
class Run:
    """One flow run."""

    id: str
    flow: str
    state: str  # completed, failed, crashed, cancelled, running, pending, late, ...
    started: float | None  # seconds since 1970; None: not yet
    ended: float | None
    message: str = ""
    name: str = ""  # for `work` the stage, and which shard of it

    def seconds(self, now: float) -> float | None:
        """How long it took, or has taken until `now`."""
        return None if self.started is None else max(0.0, (self.ended or now) - self.started)


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker, as the server knows it."""

    pool: str
    name: str
    seen: float | None  # its last heartbeat, seconds since 1970
    online: bool


@dataclass(frozen=True, slots=True)
class Server:
    """The Prefect server at one moment."""

    up: bool
    why: str = ""  # it is not up
    ui: str = ""  # address of its pages
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (flow, state) -> runs of the last day
    newest: Sequence[Run] = ()  # of each flow, the run that ended last
    open: Sequence[Run] = ()
    recent: Sequence[Run] = ()  # newest first, open ones among them
    pools: Sequence[str] = ()
    workers: Sequence[Worker] = ()
