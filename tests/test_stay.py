"""Does `assay up` start again what ends now and then, and give up on what ends at once?"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flows import up
from tasks.model import Mistake


@dataclass
class Ended:
    """A child that has ended; nothing of a real one is asked for but this."""

    name: str = "watch"
    alive: bool = False
    log: Path = Path("watch.log")
    process: Ended | None = field(default=None, repr=False)
    returncode: int = 1

    def __post_init__(self) -> None:
        self.process = self


@dataclass
class Clock:
    """Time passes in naps only."""

    nap: float
    at: float = 0.0

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += self.nap


def stay(monkeypatch: pytest.MonkeyPatch, *, nap: float, seconds: float) -> int:
    clock, said = Clock(nap), list[str]()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    up._stay([Ended()], lambda name: Ended(), said.append, seconds)  # type: ignore[list-item, arg-type, return-value]
    return len(said)


def test_a_child_that_ends_once_a_week_ends_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    week = 7 * 24 * 3600.0
    assert stay(monkeypatch, nap=week, seconds=20 * week) == 20


def test_a_child_that_ends_at_once_ends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Mistake, match="'watch' has ended 6 times in a short while"):
        stay(monkeypatch, nap=up.GENTLE, seconds=3600)
