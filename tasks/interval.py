"""Between which ends does a share lie, when it was counted on so many things?

Wilson's score interval: unlike the normal one it never leaves [0, 1], and 0 of 5 is not taken for surely none.

Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z = 1.96  # standard errors on each side of a 95 % interval


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `of`, with its Wilson interval; without items the interval is all of [0, 1]."""

    hits: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        return self.hits / self.of if self.of else None


def wilson(hits: int, of: int) -> Share:
    """A share that was counted, with its 95 % interval.

    >>> share = wilson(8, 10)
    >>> round(share.low, 3), round(share.high, 3)
    (0.49, 0.943)
    """
    return Share(hits, of, *ends(hits / of if of else 0.0, of))


def ends(share: float, of: int) -> tuple[float, float]:
    """The 95 % interval of a share of `of` things that was estimated, not counted: it need not be a whole number."""
    if not of:
        return 0.0, 1.0
    square = Z * Z
    middle = share + square / (2 * of)
    spread = Z * math.sqrt(max(share * (1 - share), 0.0) / of + square / (4 * of * of))
    return max(0.0, (middle - spread) / (1 + square / of)), min(1.0, (middle + spread) / (1 + square / of))
