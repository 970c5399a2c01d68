"""Which rows stand for all of them, where a figure needs only some?

Drawn, not every n-th: of labels that come in turns, 0 1 2 .. 9 0 1 .., every tenth row is of one class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def some(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the places 0 .. count - 1, ascending; the same ones for the same numbers."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[: max(most, 1)])
