"""How is JSON read that a stranger wrote: no key twice, no NaN, no endless number, no bracket without end?

Numbers stay the literal text that they were (`1e5`, `007` is refused by JSON itself): ids pass through unharmed.
"""

from __future__ import annotations

import json
import re
from typing import Any

from . import shown

DEPTH = 64  # levels of brackets
DIGITS = 4300  # of an integer: Python's own limit, above which a reader refuses it or takes seconds

_MARKS = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


def too_deep(text: str) -> bool:
    """Brackets nested more than DEPTH, outside strings; counted first, because the decoder would recurse into them."""
    if text.count("[") + text.count("{") <= DEPTH:
        return False
    depth, inside = 0, False
    for mark in _MARKS.finditer(text):
        match mark[0]:
            case '"':
                inside = not inside
            case "[" | "{" if not inside:
                depth += 1
                if depth > DEPTH:
                    return True
            case "]" | "}" if not inside:
                depth -= 1
    return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"has the key '{shown(twice)}' twice")
    return members


def no_constant(name: str) -> Any:
    raise ValueError(f"has the value {name}, which JSON does not know")


def _digits(literal: str) -> str:
    if len(literal) > DIGITS:
        raise ValueError(f"has an integer of {len(literal):,} digits; {DIGITS:,} are allowed")
    return literal


DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=no_constant, parse_int=_digits, parse_float=lambda literal: literal
)
