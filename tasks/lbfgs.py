"""How are many smooth convex functions, asked together, each brought to its lowest point?

L-BFGS (Liu, Nocedal 1989; two-loop recursion) on B problems at once. Each has its own steps, memory and end, but every
question goes to all that are still on their way, because the answer for one costs nearly what it costs for all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

DoubleArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MEMORY = 8  # steps remembered
DESCENT = 1e-4  # share of the promised descent that a step must bring (Armijo)
NOISE = 1e-5  # relative; a rise below this may be the rounding of a sum of float32 losses: then the slopes decide

# shapes: B problems, P values of a point, M steps remembered


def minimise(
    slope: Callable[[DoubleArray, IntArray], tuple[DoubleArray, DoubleArray]],
    start_BP: DoubleArray,
    *,
    enough_B: DoubleArray,
    most: int,
) -> DoubleArray:
    """The lowest points, (B, P), from `start_BP` on, after at most `most` passes.

    `slope(points, problems)` gives the values, (C,), and the slopes, (C, P), of the problems named by their numbers. A
    problem ends when half of slope * H * slope, which estimates what is left to gain, is below its `enough_B`.
    """
    at_BP = start_BP.copy()
    count, width = at_BP.shape
    value_B, slope_BP = slope(at_BP, np.arange(count))
    memory = _Memory(count, width)
    step_B = np.ones(count)
    towards_BP = memory.direction(slope_BP, np.arange(count))
    active = np.flatnonzero(-_dot(slope_BP, towards_BP) / 2 > enough_B)
    for _ in range(most - 1):
        if not len(active):
            break
        descent_C = _dot(slope_BP[active], towards_BP[active])
        step_C = step_B[active]
        trial_CP = at_BP[active] + step_C[:, None] * towards_BP[active]
        value_C, slope_CP = slope(trial_CP, active)
        rise_C = value_C - value_B[active]
        good_C = rise_C <= DESCENT * step_C * descent_C
        beyond_C = _dot(slope_CP, towards_BP[active])  # approximate Wolfe condition (Hager, Zhang 2005)
        good_C |= (rise_C <= NOISE * np.abs(value_B[active])) & (beyond_C <= (2 * DESCENT - 1) * descent_C)
        taken, refused = active[good_C], active[~good_C]
        memory.add(taken, trial_CP[good_C] - at_BP[taken], slope_CP[good_C] - slope_BP[taken])
        at_BP[taken], value_B[taken], slope_BP[taken] = trial_CP[good_C], value_C[good_C], slope_CP[good_C]
        towards_BP[taken] = memory.direction(slope_BP[taken], taken)
        step_B[taken] = 1.0
        # the lowest point of the parabola through both values and the first slope
        promised_C = step_C[~good_C] * descent_C[~good_C]
        bend_C = np.maximum(value_C[~good_C] - value_B[refused] - promised_C, 1e-300)
        step_B[refused] = step_C[~good_C] * np.clip(-promised_C / (2 * bend_C), 0.1, 0.5)
        left_C = -_dot(slope_BP[active], towards_BP[active]) / 2
        active = active[(left_C > enough_B[active]) & (step_B[active] > 1e-4)]
    return at_BP


class _Memory:
    """The last steps of each problem and how its slope changed; a problem that stood still remembers nothing new."""

    def __init__(self, count: int, width: int) -> None:
        self._step_MBP = np.zeros((MEMORY, count, width), np.float32)
        self._change_MBP = np.zeros((MEMORY, count, width), np.float32)
        self._weight_MB = np.zeros((MEMORY, count))  # 1 / (step * change); 0 where there is no such step
        self._size_B = np.ones(count)  # of the inverse curvature along the last step
        self._next = 0

    def add(self, problems: IntArray, step_CP: DoubleArray, change_CP: DoubleArray) -> None:
        self._weight_MB[self._next] = 0
        both_C, change_C = _dot(step_CP, change_CP), _dot(change_CP, change_CP)
        curved_C = (both_C > 1e-12 * change_C) & (change_C > 0)
        kept = problems[curved_C]
        self._step_MBP[self._next, kept] = step_CP[curved_C]
        self._change_MBP[self._next, kept] = change_CP[curved_C]
        self._weight_MB[self._next, kept] = 1 / both_C[curved_C]
        self._size_B[kept] = both_C[curved_C] / change_C[curved_C]
        self._next = (self._next + 1) % MEMORY

    def direction(self, slope_CP: DoubleArray, problems: IntArray) -> DoubleArray:
        """Minus the inverse curvature times the slope, (C, P)."""
        left_CP = slope_CP.copy()
        share_MC = np.zeros((MEMORY, len(problems)))
        newest_first = [(self._next - 1 - back) % MEMORY for back in range(MEMORY)]
        newest_first = [m for m in newest_first if self._weight_MB[m, problems].any()]
        for m in newest_first:
            share_MC[m] = self._weight_MB[m, problems] * _dot(self._step_MBP[m, problems], left_CP)
            left_CP -= share_MC[m][:, None] * self._change_MBP[m, problems]
        left_CP *= self._size_B[problems][:, None]
        for m in reversed(newest_first):
            other_C = self._weight_MB[m, problems] * _dot(self._change_MBP[m, problems], left_CP)
            left_CP += (share_MC[m] - other_C)[:, None] * self._step_MBP[m, problems]
        return -left_CP


def _dot(a_BP: NDArray[np.floating], b_BP: NDArray[np.floating]) -> DoubleArray:
    return np.asarray(np.einsum("bp,bp->b", a_BP, b_BP, dtype=np.float64))
