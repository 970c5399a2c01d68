"""Does every one of several functions reach its own lowest point?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks import lbfgs

DoubleArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def test_three_bowls_of_different_depth_and_shape_reach_their_lowest_points() -> None:
    lowest_BP = np.array([[1.0, 2, 3], [-1, 0, 5], [100, 0, 0]])
    steep_BP = np.array([[1.0, 1, 1], [1, 10, 100], [0.01, 1, 1]])
    asked = []

    def slope(at_BP: DoubleArray, problems: IntArray) -> tuple[DoubleArray, DoubleArray]:
        asked.append(problems.tolist())
        away = at_BP - lowest_BP[problems]
        return (steep_BP[problems] * away**2).sum(axis=1) / 2, steep_BP[problems] * away

    found_BP = lbfgs.minimise(slope, np.zeros((3, 3)), enough_B=np.full(3, 1e-12), most=100)
    np.testing.assert_allclose(found_BP, lowest_BP, atol=1e-4)
    assert asked[0] == [0, 1, 2]
    assert 0 not in asked[-1]  # the round bowl took one step and was asked no more


def test_one_pass_is_the_last_if_no_more_are_allowed() -> None:
    calls = []

    def slope(at_BP: DoubleArray, problems: IntArray) -> tuple[DoubleArray, DoubleArray]:
        calls.append(len(problems))
        return (at_BP**4).sum(axis=1), 4 * at_BP**3

    lbfgs.minimise(slope, np.ones((2, 2)), enough_B=np.zeros(2), most=3)
    assert calls == [2, 2, 2]


def test_a_step_too_long_is_shortened() -> None:
    def slope(at_BP: DoubleArray, _: IntArray) -> tuple[DoubleArray, DoubleArray]:  # curvature 1,000 where 1 is assumed
        return 500 * (at_BP**2).sum(axis=1), 1000 * at_BP

    found_BP = lbfgs.minimise(slope, np.ones((1, 2)), enough_B=np.full(1, 1e-12), most=60)
    np.testing.assert_allclose(found_BP, 0, atol=1e-6)
