"""Do answers move a probability as far as they should, and no further?"""

from __future__ import annotations

import numpy as np
import pytest

from tasks import calibration
from tasks.calibration import recalibrated, totals

NONE = np.array([]), np.array([], dtype=np.int64)


def test_log_odds_and_back() -> None:
    assert calibration.expit(calibration.logit(np.array([0.1, 0.5, 0.9]))) == pytest.approx([0.1, 0.5, 0.9])
    assert calibration.expit(calibration.logit(np.array([0.0, 1.0]))) == pytest.approx([1e-3, 1 - 1e-3])


def test_without_answers_a_probability_stays_where_it_is_and_is_uncertain() -> None:
    chance_SM = recalibrated(*NONE)(np.array([0.2, 0.5, 0.8]))
    assert np.median(chance_SM, axis=0) == pytest.approx([0.2, 0.5, 0.8], abs=0.03)
    assert (np.quantile(chance_SM, 0.9, axis=0) - np.quantile(chance_SM, 0.1, axis=0) > 0.3).all()


def test_a_p_wrong_that_people_find_right_stays() -> None:
    p_N = np.repeat([0.25, 0.75], 200)
    wrong_N = np.tile([1, 0, 0, 0], 50).tolist() + np.tile([1, 1, 1, 0], 50).tolist()
    mean_M = recalibrated(p_N, np.array(wrong_N))(np.array([0.25, 0.75])).mean(axis=0)
    assert mean_M == pytest.approx([0.25, 0.75], abs=0.03)


def test_a_p_wrong_that_is_far_too_high_comes_down() -> None:
    wrong_N = np.tile([1, 0, 0, 0, 0], 20)
    chance_SM = recalibrated(np.full(100, 0.8), wrong_N)(np.array([0.8, 0.9]))
    assert chance_SM.mean(axis=0)[0] == pytest.approx(0.2, abs=0.03)
    assert chance_SM.mean(axis=0)[1] < 0.5


def test_the_total_of_a_census_is_known() -> None:
    found_S = totals(np.array([20, 30]), np.array([20, 30]), np.array([1, 4]), np.array([0.1, 0.2]))
    assert set(found_S.tolist()) == {5}


def test_two_answers_of_a_clean_stratum_do_not_make_it_half_wrong() -> None:
    """Nine strata with 10 right answers each, one with 40 of 80 wrong, as p_wrong had it."""
    items_H, asked_H = np.full(10, 100), np.array([10] * 9 + [80])
    wrong_H, p_H = np.array([0] * 9 + [40]), np.array([0.001] * 9 + [0.5])
    low, high = np.quantile(totals(items_H, asked_H, wrong_H, p_H), calibration.TAILS)
    assert 45 <= low <= 50 <= high <= 75


def test_a_stratum_that_nobody_was_asked_about_is_uncertain_and_not_left_out() -> None:
    args = np.array([100, 100]), np.array([20, 0]), np.array([10, 0]), np.array([0.5, 0.5])
    low, high = np.quantile(totals(*args), calibration.TAILS)
    assert low < 75 < 110 < high
