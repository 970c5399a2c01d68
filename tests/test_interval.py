"""Is a share's interval Wilson's, for one that was counted and for one that was estimated?"""

from __future__ import annotations

import pytest

from tasks.interval import ends, wilson


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    share = wilson(8, 10)
    assert (round(share.low, 4), round(share.high, 4)) == (0.4902, 0.9433)
    assert wilson(0, 0).value is None
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    assert wilson(10, 10).high == 1.0


def test_an_estimated_share_has_the_interval_of_a_counted_one_and_rounding_beyond_the_ends_is_no_fault() -> None:
    assert ends(0.8, 10) == (wilson(8, 10).low, wilson(8, 10).high)
    assert ends(0.25, 2) == pytest.approx((0.0267, 0.8021), abs=1e-4)  # half a hit, of two
    assert ends(1 + 1e-15, 10) == pytest.approx(ends(1.0, 10))
