"""How is a label said in words? JSON text in, the kind's words out; `show` is the kind's own (labels/)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

Show = Callable[[str], str]


def shown(show: Show, y: Any) -> str | None:
    """A label; None where there is none."""
    return show(y) if isinstance(y, str) and y != "null" else None


def worded(show: Show, action: str, y: str) -> str:
    """A label, or those of an ambiguous item."""
    several: Sequence[Any] | Any = json.loads(y) if action == "ambiguous" else None
    return " | ".join(map(str, several)) if isinstance(several, list) else show(y)


def sides_worded(show: Show, sides: Sequence[tuple[str | None, list[str]]]) -> list[tuple[str | None, list[str]]]:
    """The sides of a dispute (signoff.py) with their labels in words."""
    return [(shown(show, y), who) for y, who in sides]
