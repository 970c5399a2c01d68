"""Which of these vectors are directions, each of length 1?"""

# N items, D values of a view

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .store import FloatArray

ZERO = 1e-5  # a vector shorter than this is rounding, not a direction; embedders give lengths around 1 or more


def unit_views(views: Mapping[str, FloatArray]) -> tuple[dict[str, FloatArray], list[str | None]]:
    """Each row of each view divided by its length, and for each of the N items the reason why it has no vector.

    A row that is zero in one view stays zero there; an item that is zero in every view has no direction at all.
    """
    count = len(next(iter(views.values())))
    finite_N, seen_N = np.ones(count, bool), np.zeros(count, bool)
    unit: dict[str, FloatArray] = {}
    for name, x_ND in views.items():
        with np.errstate(over="ignore", invalid="ignore"):
            length_N = np.sqrt(np.sum(x_ND.astype(np.float64) ** 2, axis=1))
        fine_N = np.isfinite(length_N)
        some_N = fine_N & (length_N > ZERO)
        finite_N &= fine_N
        seen_N |= some_N
        unit[name] = np.zeros_like(x_ND, dtype=np.float32)
        unit[name][some_N] = x_ND[some_N] / length_N[some_N, None]
    reasons = [
        None if fine and seen else ("is all zeros" if fine else "has values that are not finite")
        for fine, seen in zip(finite_N, seen_N, strict=True)
    ]
    return unit, reasons
