"""How many requests may one person or one address make?"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, then so many a second."""

    burst: float
    a_second: float


PERSON = Rate(600, 200)  # requests: a fast scroll takes 60 a second
STRANGER = Rate(120, 20)  # requests without a session, of an address
GUESSES = Rate(10, 0.2)  # wrong tokens, of an address


class Buckets:
    """A bucket a name, filled again with time; the 10,000 names that came last are known."""

    MOST = 10_000

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # name -> left, at

    def left(self, name: str, now: float) -> float:
        """How many more would pass now."""
        before, at = self._left.get(name, (self._rate.burst, now))
        return min(self._rate.burst, before + (now - at) * self._rate.a_second)

    def take(self, name: str, now: float) -> bool:
        """Whether one more passes."""
        left = self.left(name, now)
        passes = left >= 1
        self._left[name] = (left - 1 if passes else left, now)
        self._left.move_to_end(name)
        if len(self._left) > self.MOST:
            self._left.popitem(last=False)
        return passes
