"""Does everybody learn who else has an item on screen, and is nothing held longer than it should be?"""

from __future__ import annotations

from tasks.review.claims import MOST, Claims


def test_what_somebody_else_has_on_screen_is_said_and_the_rest_is_mine() -> None:
    claims = Claims()
    assert claims.claim("ann", ["a", "b"], now=0) == []
    assert claims.claim("bob", ["b", "c"], now=1) == [("b", "ann")]
    assert claims.claim("ann", ["a", "b", "c"], now=2) == [("c", "bob")]


def test_a_claim_lasts_a_minute_and_the_next_call_renews_it() -> None:
    claims = Claims()
    claims.claim("ann", ["a"], now=0)
    claims.claim("ann", ["a"], now=50)
    assert claims.claim("bob", ["a"], now=109) == [("a", "ann")]
    assert claims.claim("bob", ["a"], now=110) == []
    assert claims.claim("ann", ["a"], now=111) == [("a", "bob")]


def test_a_page_that_was_left_is_free_at_once() -> None:
    claims = Claims()
    claims.claim("ann", ["a", "b"], now=0)
    claims.claim("ann", ["c"], now=1)
    assert claims.claim("bob", ["a", "b", "c"], now=2) == [("c", "ann")]
    claims.release("ann")
    claims.release("ann")
    assert claims.claim("bob", ["c"], now=3) == []


def test_nobody_holds_more_than_some_screens() -> None:
    claims = Claims()
    items = [str(n) for n in range(MOST + 5)]
    assert claims.claim("ann", items, now=0) == []
    assert len(claims.claim("bob", items, now=1)) == MOST


def test_a_claim_that_ran_out_and_was_taken_over_is_not_released_by_its_first_holder() -> None:
    claims = Claims()
    claims.claim("ann", ["a"], now=0)
    claims.claim("bob", ["a"], now=70)
    claims.release("ann")
    assert claims.claim("eve", ["a"], now=71) == [("a", "bob")]
