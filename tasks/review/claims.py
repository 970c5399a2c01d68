"""Who has which items on screen, so that two people do not sweep the same page?

In memory only: after a restart everybody's next call claims again. A claim is a courtesy and no lock: an answer to an
item that somebody else has on screen is kept like any other, and two that differ are a dispute.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

TTL = 60.0  # seconds; the page calls every 10 to 30
MOST = 2_000  # items a person may hold: some screens, not the queue


@dataclass(frozen=True, slots=True)
class _Claim:
    who: str
    until: float


class Claims:
    """Claims by item. The same call renews; what a person claimed before and does not name any more is free."""

    def __init__(self, ttl: float = TTL) -> None:
        self._ttl = ttl
        self._by_item: dict[str, _Claim] = {}
        self._of: dict[str, set[str]] = {}  # who -> their items
        self._lock = threading.Lock()

    def claim(self, who: str, items: Iterable[str], *, now: float) -> list[tuple[str, str]]:
        """Claim the items that nobody else has, the first MOST of them; (item, who) of the others. `now` in seconds."""
        with self._lock:
            self._release(who)
            mine = self._of.setdefault(who, set())
            taken: list[tuple[str, str]] = []
            for item in dict.fromkeys(items):
                held = self._by_item.get(item)
                if held is not None and held.who != who and held.until > now:
                    taken.append((item, held.who))
                elif len(mine) < MOST:
                    if held is not None and held.who != who:  # it ran out
                        self._of[held.who].discard(item)
                    self._by_item[item] = _Claim(who, now + self._ttl)
                    mine.add(item)
            return taken

    def release(self, who: str) -> None:
        """Let go of everything that a person has."""
        with self._lock:
            self._release(who)

    def _release(self, who: str) -> None:
        for item in self._of.pop(who, set()):
            del self._by_item[item]
