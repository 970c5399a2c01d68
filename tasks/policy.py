"""When does a run begin by itself, where does each stage run, and how good must the labels be?

Three sections of params.yaml that are no stage's: `watch:`, `place:` and `sla:`. They change no byte of any result, so
no stage follows from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pool = Literal["here", "cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class Watch:
    """What the sweeper waits for."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    every: float = 10.0  # seconds between two looks, [0.2, 86400]
    settle: float = 60.0  # seconds without a change, for a drop without _SUCCESS, [0, 86400]
    attempts: int = 3  # runs of the same work before it is held, [1, 100]
    publish: Literal["answers", "always", "by-hand"] = "answers"  # when the sweeper revises
    answers: int = 20  # publish: answers - this many not yet applied are enough, 1 or more
    hours: float = 24.0  # publish: answers - or the oldest of them is this old, above 0

    def __post_init__(self) -> None:
        for name, low, high in (("every", 0.2, 86400), ("settle", 0, 86400), ("attempts", 1, 100)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} in [{low}, {high}] is allowed")
        if self.answers < 1:
            raise ValueError("answers of 1 or more is allowed")
        if not 0 < self.hours < 1e6:
            raise ValueError("hours above 0 is allowed")


@dataclass(frozen=True, slots=True)
class Place:
    """The work pool of each stage; `here` is the machine of the workspace."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    ingest: Pool = "here"
    validate: Pool = "here"
    embed: Pool = "here"
    relate: Pool = "here"
    audit: Pool = "here"
    detect: Pool = "here"
    triage: Pool = "here"
    revise: Pool = "here"
    augment: Pool = "here"
    shards: int = 1  # workers that share embed or augment where it is placed elsewhere, [1, 64]

    def __post_init__(self) -> None:
        if not 1 <= self.shards <= 64:
            raise ValueError("shards in [1, 64] is allowed")


@dataclass(frozen=True, slots=True)
class Sla:
    """What the dataset is promised to be; the dashboards say where it is not."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    noise: float = 0.02  # the share of wrong labels, at most, of each class and slice too, (0, 1)
    days: float = 7.0  # that an item may wait in the queue, above 0

    def __post_init__(self) -> None:
        if not 0 < self.noise < 1:
            raise ValueError("noise in (0, 1) is allowed")
        if not 0 < self.days < 1e6:
            raise ValueError("days above 0 is allowed")


SECTIONS = {"watch": Watch, "place": Place, "sla": Sla}
