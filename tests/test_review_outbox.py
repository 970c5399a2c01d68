"""Is every answer kept while the server is away, slow to know, or another one, and over a reload?

The page is real and runs in a real browser; its server is the stand-in of review_stub.py, which can be told to fail.
"""

from __future__ import annotations

import pytest
from browser import browser, page, tab, until
from playwright.sync_api import Page
from review_stub import Stub, in_force, toy
from toy_page import SPEEDS, WAITING, opened, order, press, saved

__all__ = ["browser", "page", "tab"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_ten_answers_given_while_the_server_is_away_arrive_once_each_after_a_reload_and_a_restart(page: Page) -> None:
    with Stub(toy(100, SPEEDS, wrong=20)) as stub:
        opened(page, stub)
        at = order(stub)[:10]
        stub.stop()
        press(page, *["1"] * 5, *["Enter"] * 5)
        until(page, WAITING, 10)
        assert page.locator("#saved").inner_text() == "waiting (10)"
        stub.start()
        stub.away = True
        page.reload()
        until(page, WAITING, 10)
        assert stub.said == []
        stub.lose_replies = 1
        stub.away = False
        said = saved(page, stub, 10)
        assert [one["n"] for one in said] == at
        assert len({one["op"] for one in said}) == 10
        assert page.locator("#saved").inner_text() == "saved"
        assert page.evaluate("Object.keys(localStorage).filter(key => key.includes('outbox'))") == []


def test_what_was_answered_before_a_reload_can_be_taken_back_batch_by_batch(page: Page) -> None:
    with Stub(toy(100, SPEEDS, wrong=20)) as stub:
        opened(page, stub)
        press(page, "1", "0", "x", "ArrowRight", "x", "0")
        four = saved(page, stub, 4)
        page.reload()
        until(page, "document.body?.dataset.page", "work")
        until(page, "performance.getEntriesByType('resource').some(one => one.name.includes('/api/recent'))")
        page.wait_for_timeout(200)
        press(page, "z")
        said = saved(page, stub, 6)
        assert [one["of"] for one in said[4:]] == [one["op"] for one in four[2:]]
        press(page, "Control+z")
        assert saved(page, stub, 7)[6]["of"] == four[1]["op"]
        press(page, "z", "z")
        assert saved(page, stub, 8)[7]["of"] == four[0]["op"]
        assert page.locator("#toast").inner_text() == "Nothing to undo."
        assert in_force(stub) == {}


def test_a_refused_answer_is_taken_off_the_tile_and_told(page: Page) -> None:
    with Stub(toy(40, SPEEDS, wrong=6)) as stub:
        first = order(stub)[0]
        stub.refuse[first] = "That item is in the test set."
        opened(page, stub)
        press(page, "1")
        until(page, "document.getElementById('saved').dataset.state", "refused")
        assert page.locator(".cell .mark").count() == 0
        assert "That item is in the test set." in page.locator("#toast").inner_text()
        assert stub.said == []


def test_a_stale_catalogue_loses_no_answer_and_offers_to_open_again(page: Page) -> None:
    with Stub(toy(40, SPEEDS, wrong=6)) as stub:
        opened(page, stub)
        stub.stale = True
        press(page, "1")
        until(page, "document.getElementById('notice').hidden", False)
        assert page.evaluate(WAITING) == 1
        stub.stale = False
        page.locator("#notice button").click()
        saved(page, stub, 1)


def test_a_new_link_in_an_open_tab_is_exchanged_too(page: Page) -> None:
    with Stub(toy(40, SPEEDS, wrong=6)) as stub:
        opened(page, stub)
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        assert "token" not in page.url
        assert stub.requests.count("POST /session") == 2


def test_an_unknown_token_is_a_sentence(page: Page) -> None:
    with Stub(toy(4, ["cat"])) as stub:
        page.goto(stub.link.replace("token=0", "token=f"))
        until(page, "document.getElementById('wait').innerText.includes('assay review')")
        assert "token" not in page.url
