"""How is what was read from files kept, so that it is read again only when it may say something else?

A part is what some files say together. It is read anew once one of them has changed (place, time, size), came or went.
A part that cannot be read is told as empty, and `unread` says why; it is not kept, for the fault may pass by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tasks.model import AssayError

UNREADABLE = (AssayError, OSError, ValueError, KeyError, TypeError, AttributeError)  # absent, torn, of another shape

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Part:
    stamp: tuple[Any, ...]
    value: Any
    read: float  # when, on the monotonic clock
    took: float  # seconds

    @property
    def age(self) -> float:
        return time.monotonic() - self.read


class Kept:
    """The parts that one reader has read; for one thread at a time."""

    def __init__(self) -> None:
        self._parts: dict[str, _Part] = {}
        self._unread: dict[str, str] = {}

    @property
    def unread(self) -> dict[str, str]:
        """Part -> why it cannot be read, in the order of the names."""
        return dict(sorted(self._unread.items()))

    def get(
        self, part: str, files: Iterable[Path], read: Callable[[], T], empty: T, *, at_most: float | None = None
    ) -> T:
        """What `read` gives, asked again only when one of `files` has changed; `empty` where it cannot.

        `at_most`: the share of the time that reading may take; with .1 a part that took a second to read is not looked
        at for nine, whatever changes meanwhile.
        """
        kept = self._parts.get(part)
        rests = kept is not None and at_most is not None and kept.age < kept.took * (1 - at_most) / at_most
        stamp = () if rests else tuple(map(_stamp, files))
        if kept is not None and (rests or kept.stamp == stamp):
            known: T = kept.value
            return known
        self._unread.pop(part, None)
        began = time.monotonic()
        try:
            value = read()
        except UNREADABLE as error:
            self._parts.pop(part, None)
            if any(stamp):
                self._unread[part] = str(error) or type(error).__name__
            return empty
        now = time.monotonic()
        self._parts[part] = _Part(stamp, value, now, now - began)
        return value


def _stamp(path: Path) -> tuple[str, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_mtime_ns, status.st_size
