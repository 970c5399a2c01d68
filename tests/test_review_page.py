"""Does an answer touch exactly what the page shows, by key and by mouse?

The page is real and runs in a real browser; its server is the stand-in of review_stub.py, which can be told to fail.
"""

from __future__ import annotations

import pytest
from browser import browser, met, page, tab, until
from playwright.sync_api import Page
from review_stub import Stub, in_force, toy
from toy_page import CURSOR, SPEEDS, WAITING, opened, order, pictured, press, saved, visible

__all__ = ["browser", "page", "tab"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_the_token_leaves_the_address_and_the_plan_shows_the_worst_slice_first(page: Page) -> None:
    with Stub(toy(400, SPEEDS, wrong=40)) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        assert "token" not in page.url
        expected = [int(words.split()[1]) for words in page.locator(".slice .n.soft").all_inner_texts()]
        assert expected == sorted(expected, reverse=True)
        assert len(expected) == 5
        press(page, "Enter")  # the focus is on the first
        until(page, "document.body?.dataset.page", "work")
        assert page.locator("#grid").get_attribute("aria-colcount") == "9"


def test_six_wrong_among_forty_are_found_and_fixed_by_keyboard_alone(page: Page) -> None:
    with Stub(toy(40, SPEEDS, wrong=6)) as stub:
        opened(page, stub)
        press(page, "1", "1", "1", "1", "1", "1", "Shift+PageDown", "Enter")
        saved(page, stub, 40)
        said = in_force(stub)
        truth = {n: ("relabel", SPEEDS[stub.world.truth[n]]) for n in stub.world.wrong}
        assert {n: one for n, one in said.items() if n in truth} == truth
        assert {one for n, one in said.items() if n not in truth} == {("keep", None)}
        assert {one["shown"] for one in stub.said if one["n"] == stub.world.wrong[0]} == {
            SPEEDS[stub.world.given[stub.world.wrong[0]]]
        }


def test_flagged_items_take_one_label_in_one_request_and_one_undo_brings_them_back(page: Page) -> None:
    with Stub(toy(200, SPEEDS, wrong=20)) as stub:
        opened(page, stub, "given=speed-30")
        writes = len([one for one in stub.requests if one == "POST /api/answers"])
        press(page, "x", "ArrowRight", "ArrowRight", "x", "ArrowDown", "Space")
        assert page.locator("#touched").inner_text() == "3 flagged"
        press(page, "/")
        page.keyboard.type("speed-50")
        press(page, "Enter")
        three = saved(page, stub, 3)
        at = order(stub, 2)
        assert [one["n"] for one in three] == [at[0], at[2], at[11]]
        assert {(one["action"], one["label"]) for one in three} == {("relabel", "speed-50")}
        assert stub.requests.count("POST /api/answers") == writes + 1
        assert page.locator("#toast").inner_text() == "3 items → speed-50"
        press(page, "Control+z")
        both = saved(page, stub, 6)
        assert [(one["action"], one["of"]) for one in both[3:]] == [("undo", one["op"]) for one in three]
        assert in_force(stub) == {}
        assert page.locator(".cell .mark").count() == 0


def test_a_batch_touches_exactly_the_set_on_the_screen_and_the_flagged_stay_out_of_the_rest(page: Page) -> None:
    with Stub(toy(1_000, SPEEDS, wrong=50)) as stub:
        opened(page, stub, "given=speed-30")
        at = order(stub, 2)
        press(page, "ArrowRight", "x", "Home", "Shift+PageDown")
        shown = visible(page)
        assert len(shown) >= 20
        press(page, "Enter")
        saved(page, stub, len(shown) - 1)
        assert {one["n"] for one in stub.said} == {at[place - 1] for place in shown} - {at[1]}
        assert {one["action"] for one in stub.said} == {"keep"}


@pytest.mark.parametrize("how", ["scrolled", "another order", "the next group", "the one before", "larger tiles"])
def test_a_batch_touches_exactly_the_set_that_is_marked_on_the_screen(page: Page, how: str) -> None:
    with Stub(toy(1_000, SPEEDS, wrong=50)) as stub:
        opened(page, stub, "given=speed-30")
        press(page, "Shift+ArrowRight")  # a range, and a cursor, that are to be left behind
        if how == "scrolled":
            page.evaluate("document.getElementById('grid').scrollTop = 1500")
            until(page, "document.querySelectorAll('.cell.cursor').length", 0)
            page.locator(".cell:not([hidden])").nth(20).click()
        elif how == "another order":
            page.locator("#order").select_option("newest")
            until(page, "document.activeElement.classList.contains('cell')")
        elif how == "larger tiles":
            press(page, "+", "+", "ArrowDown")
        else:
            press(page, "n" if how == "the next group" else "N")
        pictured(page)
        press(page, "Shift+PageDown", "ArrowRight", "Shift+ArrowDown", "Shift+ArrowRight")
        page.wait_for_timeout(300)
        marked = page.locator(".cell.within:not([hidden])").evaluate_all(
            "cells => cells.map(cell => Number(cell.dataset.n))"
        )
        on_screen = {
            page.locator(f"[aria-label^='{place} of']").first.get_attribute("data-n") for place in sorted(visible(page))
        }
        assert len(marked) > 1 and {str(n) for n in marked} <= on_screen
        press(page, "0")
        said = saved(page, stub, len(marked))
        assert sorted(one["n"] for one in said) == sorted(marked)
        assert stub.requests.count("POST /api/answers") == 1


def test_a_stale_range_anchor_never_touches_what_is_not_on_the_screen(page: Page) -> None:
    with Stub(toy(2_000, SPEEDS, wrong=50)) as stub:
        opened(page, stub, "given=speed-30")
        at = order(stub, 2)
        page.locator(".cell").first.click()  # the anchor
        page.evaluate("document.getElementById('grid').scrollTop = 3000")
        until(page, f"{CURSOR.replace('.cell.cursor', '.cell:not([hidden])')} > 60")
        pictured(page)
        cells = page.locator(".cell:not([hidden])")
        seen = sorted(visible(page))
        place = seen[len(seen) // 2]
        cells.and_(page.locator(f"[aria-label^='{place} of']")).click(modifiers=["Shift"])
        press(page, "2")
        said = saved(page, stub, 1)
        assert [one["n"] for one in said] == [at[place - 1]]


def test_an_answer_never_goes_to_a_cursor_that_was_scrolled_away(page: Page) -> None:
    with Stub(toy(2_000, SPEEDS, wrong=50)) as stub:
        opened(page, stub, "given=speed-30")
        page.evaluate("document.getElementById('grid').scrollTop = 4000")
        until(page, "document.querySelectorAll('.cell.cursor').length", 0)
        press(page, "1")
        until(page, "document.getElementById('grid').scrollTop", 0)
        assert "nothing was answered" in page.locator("#toast").inner_text()
        press(page, "1")
        assert [one["n"] for one in saved(page, stub, 1)] == [order(stub, 2)[0]]


def test_a_batch_larger_than_the_screen_asks_first_and_right_is_said_only_of_what_was_seen(page: Page) -> None:
    with Stub(toy(3_000, SPEEDS, wrong=50)) as stub:
        opened(page, stub, "given=speed-30")
        at = order(stub, 2)
        first = visible(page)
        page.wait_for_timeout(400)  # seen is what rested on the screen
        press(page, "Shift+End")
        pictured(page)
        last = visible(page)
        press(page, "2")
        assert "600 items" in page.locator("dialog h2").inner_text()
        press(page, "Escape")
        until(page, "document.querySelectorAll('dialog').length", 0)
        assert stub.said == []
        press(page, "Enter")
        page.locator("dialog button.main").click()
        until(page, WAITING, 0)
        met(lambda: len(stub.said), len(first | last), what="answers at the server")
        assert {one["n"] for one in stub.said} == {at[place - 1] for place in first | last}


def test_every_other_key_writes_its_own_answer(page: Page) -> None:
    with Stub(toy(40, SPEEDS, wrong=6)) as stub:
        opened(page, stub)
        at = order(stub)
        press(page, "0", "Delete", "q")
        page.keyboard.type("Is this a truck?")
        press(page, "Control+Enter", "ArrowRight", "a", "Control+Enter", "p")
        page.keyboard.type("twos look like threes")
        press(page, "Control+Enter")
        said = saved(page, stub, 5)
        assert [(one["n"], one["action"]) for one in said] == [
            (at[0], "unsure"),
            (at[1], "remove"),
            (at[2], "question"),
            (at[3], "ambiguous"),
            (at[4], "issue"),
        ]
        assert said[2]["note"] == "Is this a truck?"
        assert sorted(said[3]["labels"]) == sorted({SPEEDS[stub.world.given[at[3]]], SPEEDS[stub.world.truth[at[3]]]})
        assert said[4]["note"].endswith("twos look like threes")


def test_single_keys_can_be_turned_off_and_a_pinned_label_keeps_its_key_over_a_reload(page: Page) -> None:
    with Stub(toy(40, SPEEDS, wrong=6)) as stub:
        opened(page, stub)
        press(page, "/")
        page.keyboard.type("speed-40")
        page.locator("dialog .pin").first.click()
        press(page, "Escape", "?")
        page.locator("#letters").uncheck()
        press(page, "Escape")
        opened(page, stub)
        press(page, "1", "x", "0")
        assert stub.said == []
        press(page, "Alt+2")
        assert [(one["action"], one["label"]) for one in saved(page, stub, 1)] in (
            [("relabel", "speed-40")],
            [("keep", None)],  # where speed-40 was given already
        )


def test_dragging_paints_and_shift_click_takes_the_range_between(page: Page) -> None:
    with Stub(toy(200, SPEEDS, wrong=20)) as stub:
        opened(page, stub, "given=speed-30")
        boxes = [page.locator(f"[aria-label^='{place} of']").bounding_box() for place in (1, 2, 3)]
        middles = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes if box]
        page.mouse.move(*middles[0])
        page.mouse.down()
        page.mouse.move(*middles[1], steps=4)
        page.mouse.move(*middles[2], steps=4)
        page.mouse.up()
        assert page.locator("#touched").inner_text() == "3 flagged"
        press(page, "Escape")
        page.locator("[aria-label^='2 of']").click()
        page.locator("[aria-label^='5 of']").click(modifiers=["Shift"])
        assert page.locator("#touched").inner_text() == "4 in the range"
        press(page, "0")
        assert [one["n"] for one in saved(page, stub, 4)] == order(stub, 2)[1:5]


def test_others_answers_are_shown_only_after_ones_own(page: Page) -> None:
    with Stub(toy(40, SPEEDS, wrong=6)) as stub:
        opened(page, stub)
        until(page, "document.getElementById('panel').innerText.includes('shown after your own answer')")
        assert "grace" not in page.locator("#panel").inner_text()
        press(page, "Enter", "ArrowLeft")
        until(page, "document.getElementById('panel').innerText.includes('grace')")


def test_a_reviewer_settles_answers_approves_and_returns_with_a_reason(page: Page) -> None:
    world = toy(40, SPEEDS, wrong=6)
    world.role = "reviewer"
    with Stub(world) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        page.locator("#sign").click()
        page.get_by_role("button", name="Settle").click()
        offered = page.locator("dialog li").all_inner_texts()
        assert [one.split() for one in offered[:2]] == [["speed-10", "lin"], ["speed-20", "mo"]]  # the two sides
        assert [one.split()[0] for one in offered[2:]] == SPEEDS[2:]
        assert page.get_by_role("button", name="Remove the item (mo)").count() == 1
        page.keyboard.type("speed-20")
        press(page, "Enter")
        page.get_by_role("button", name="Answer", exact=True).click()
        page.keyboard.type("yes")
        press(page, "Control+Enter")
        page.get_by_role("button", name="Approve").first.click()
        page.get_by_role("button", name="Return").last.click()
        page.keyboard.type("it is blurred")
        press(page, "Control+Enter")
        said = saved(page, stub, 4)
        told = [(one["n"], one["action"], one["label"], one.get("of"), one.get("note")) for one in said]
        assert told == [
            (2, "resolve", "speed-20", None, None),
            (3, "answer", None, "op-3", "yes"),
            (0, "approve", None, "op-1", None),
            (1, "return", None, "op-2", "it is blurred"),
        ]
        assert page.locator("#signoff .what b b").count() == 0
