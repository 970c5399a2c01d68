"""Does the review page touch exactly what it shows, keep every answer, obey its keys, and show data as words?

The page is real and runs in a real browser; its server is the stand-in of review_stub.py, which can be told to fail.
"""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from browser import browser, met, page, tab, until
from playwright.sync_api import Page, Route
from review_stub import REVIEW, Stub, World, in_force, toy

__all__ = ["browser", "page", "tab"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

SPEEDS = [f"speed-{10 * k}" for k in range(1, 6)]
HOSTILE = [
    "<script>window.__xss=1</script>",
    "<img src=x onerror=window.__xss=1>",
    '"><svg onload=window.__xss=1>',
    "javascript:window.__xss=1",
    "{{constructor.constructor('window.__xss=1')()}}",
    "\u202egnp.exe",
    "'; window.__xss=1; //",
    "</title><iframe src=//evil.example>",
]
WAITING = "Number(document.getElementById('saved').dataset.waiting)"
CURSOR = "Number(document.querySelector('.cell.cursor').getAttribute('aria-label').split(' ')[0])"


def opened(page: Page, stub: Stub, slice_: str = "") -> None:
    """The page, past its plan, on a slice such as given=speed-30 with its pictures there."""
    page.goto(stub.link)
    until(page, "document.body?.dataset.page", "plan")
    page.evaluate(f"location.hash = {slice_ + '&order=suspicion'!r}")
    until(page, "document.body?.dataset.page", "work")
    pictured(page)


def pictured(page: Page) -> None:
    until(page, "[...document.querySelectorAll('.cell:not([hidden]) .pic')].every(pic => pic.style.backgroundImage)")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def saved(page: Page, stub: Stub, count: int) -> list[dict[str, Any]]:
    """What the server took, once there are `count` and the page says that nothing waits."""
    met(lambda: len(stub.said), count, what="answers at the server")
    until(page, WAITING, 0)
    return list(stub.said)


def visible(page: Page) -> set[int]:
    """Places in the view, from 1, of which at least half is on the screen."""
    found = page.evaluate(
        """() => {
        const room = document.getElementById('grid').getBoundingClientRect();
        return [...document.querySelectorAll('.cell:not([hidden])')].filter(cell => {
            const box = cell.getBoundingClientRect();
            return Math.min(box.bottom, room.bottom) - Math.max(box.top, room.top) >= box.height / 2;
        }).map(cell => Number(cell.getAttribute('aria-label').split(' ')[0]));
    }"""
    )
    return set(found)


def order(stub: Stub, k: int | None = None) -> list[int]:
    """The places of a slice, as the page must order them by suspicion: the queue first, then p_wrong."""
    inside = [n for n, given in enumerate(stub.world.given) if k is None or given == k]
    return sorted(inside, key=lambda n: (stub.rank[n] == 0, stub.rank[n], -stub.p_wrong[n], n))


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


def test_similar_replaces_the_view_and_escape_comes_back_to_the_same_place(page: Page) -> None:
    with Stub(toy(2_000, SPEEDS, wrong=200)) as stub:
        opened(page, stub, "given=speed-30")
        press(page, "PageDown", "PageDown", "ArrowRight")
        pictured(page)
        before = page.evaluate(CURSOR), page.evaluate("document.getElementById('grid').scrollTop")
        press(page, "f")
        until(page, "document.querySelectorAll('.chip.similar').length", 1)
        assert page.locator("#count").inner_text() == "60 items"
        press(page, "Escape")
        until(page, "document.querySelectorAll('.chip.similar').length", 0)
        assert (page.evaluate(CURSOR), page.evaluate("document.getElementById('grid').scrollTop")) == before


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


def test_hostile_labels_are_words_everywhere(page: Page) -> None:
    world = toy(80, HOSTILE, wrong=20)
    world.groups = {"drop": HOSTILE, "meta_<b>": HOSTILE}
    with Stub(world) as stub:
        opened(page, stub)
        press(page, "1", "0", "/")
        page.keyboard.type("<i")
        press(page, "Enter", "?", "Escape", "g", "Escape", "n", "f")
        page.locator("#more, .chip.similar").first.wait_for()
        press(page, "Escape")
        page.locator("#home").click()
        until(page, "document.body?.dataset.page", "plan")
        assert page.evaluate("window.__xss") is None
        assert page.locator("main img[src='x'], svg, iframe, main script").count() == 0
        assert HOSTILE[0] in " ".join(page.locator(".slice").all_inner_texts())


def test_the_grid_tells_a_screen_reader_where_it_is_and_is_one_tab_stop(page: Page) -> None:
    with Stub(toy(100_000, SPEEDS, wrong=50)) as stub:
        opened(page, stub)
        grid = page.locator("#grid")
        assert (grid.get_attribute("aria-rowcount"), grid.get_attribute("aria-colcount")) == ("11112", "9")
        press(page, "End")
        until(page, CURSOR, 100_000)
        assert page.evaluate("document.activeElement.closest('[role=row]').getAttribute('aria-rowindex')") == "11112"
        assert page.locator("#grid [tabindex='0']").count() == 1
        assert page.locator(".cell").count() < 120
        assert page.locator("#live").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("how", ["similarity", "loss", "newest"])
def test_the_other_orders_are_the_catalogues(page: Page, how: str) -> None:
    with Stub(toy(60, SPEEDS, wrong=6)) as stub:
        opened(page, stub)
        first = {"similarity": 0, "newest": 59, "loss": int(stub.p_wrong.argmax())}[how]
        page.locator("#order").select_option(how)
        until(page, f"document.querySelector('.cell').dataset.n === '{first}' && location.hash.includes('{how}')")
        assert page.evaluate("document.activeElement.classList.contains('cell')")
        press(page, "0")
        assert [one["n"] for one in saved(page, stub, 1)] == [first]


def test_an_order_that_cannot_be_read_is_told_and_the_most_suspicious_come_first(page: Page) -> None:
    with Stub(toy(60, SPEEDS, wrong=6)) as stub:
        opened(page, stub)
        page.route("**/api/order*", lambda route: route.abort())
        page.locator("#order").select_option("similarity")
        until(page, "document.getElementById('order').value", "suspicion")
        assert page.locator("#notice").inner_text() == (
            "This order could not be read, so the most suspicious come first. The server does not answer."
        )
        page.unroute("**/api/order*")
        page.locator("#order").select_option("similarity")
        until(page, "document.querySelector('.cell.cursor').dataset.n", "0")
        assert page.locator("#order").input_value() == "similarity"


def test_of_two_orders_asked_for_in_a_row_the_later_one_stays(page: Page) -> None:
    with Stub(toy(60, SPEEDS, wrong=6)) as stub:
        opened(page, stub)
        held: list[Route] = []
        page.route("**/api/order*", lambda route: held.append(route))
        page.locator("#order").select_option("similarity")
        page.locator("#order").select_option("newest")
        until(page, "document.querySelector('.cell.cursor').dataset.n", "59")
        assert len(held) == 1
        held[0].continue_()
        page.wait_for_timeout(300)
        assert page.locator(".cell.cursor").get_attribute("data-n") == "59"


def test_another_window_keeps_the_focus_on_the_item(page: Page) -> None:
    with Stub(toy(400, SPEEDS, wrong=40)) as stub:
        opened(page, stub)
        press(page, "ArrowDown", "ArrowRight")
        before = page.evaluate("document.activeElement.dataset.n")
        across = page.locator("#grid").get_attribute("aria-colcount")
        page.set_viewport_size({"width": 1000, "height": 700})
        until(page, f"document.getElementById('grid').getAttribute('aria-colcount') !== '{across}'")
        assert page.evaluate("document.activeElement.dataset.n") == before


def test_rows_beyond_the_screen_are_made_once_the_first_pictures_are_there(page: Page) -> None:
    with Stub(toy(400, SPEEDS, wrong=40)) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        held: list[Route] = []
        page.route("**/api/sheet*", lambda route: held.append(route))
        page.evaluate("location.hash = 'order=suspicion'")
        until(page, "document.querySelectorAll('.row').length > 0")
        page.wait_for_timeout(300)
        on_screen = math.ceil(page.locator(".cell").count() / 60)
        assert len([one for one in held if one.request.url.count(",") == 59]) == on_screen  # none ahead of it
        room = page.locator("#grid").bounding_box()
        assert room is not None
        step = page.evaluate("document.querySelector('.row').getBoundingClientRect().height + 8")
        rows = math.ceil(room["height"] / step) + 1
        assert page.locator(".row").count() == rows
        for one in held:
            one.continue_()
        held.clear()
        page.unroute("**/api/sheet*")
        until(page, "document.querySelectorAll('.row').length", rows + 2)
        page.evaluate("location.hash = 'order=suspicion&at=299'")
        until(page, "document.activeElement.dataset.n", "299")
        page.reload()  # now the first screen is in the middle, where the rows are dealt out anew
        until(page, "document.querySelectorAll('.row').length", rows + 2)
        pictured(page)
        assert page.evaluate("document.activeElement.dataset.n") == "299"
        assert page.locator(".cell.cursor").count() == 1
        shown = page.locator(".cell:not([hidden])").evaluate_all("cells => cells.map(cell => cell.dataset.n)")
        assert len(set(shown)) == len(shown)


def test_a_reviewer_settles_answers_approves_and_returns_with_a_reason(page: Page) -> None:
    world = toy(40, SPEEDS, wrong=6)
    world.role = "reviewer"
    with Stub(world) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        page.locator("#sign").click()
        page.get_by_role("button", name="Settle").click()
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


def test_no_item_one_item_and_an_empty_slice_are_told_in_words(page: Page) -> None:
    with Stub(toy(0, ["cat"])) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        assert "There are no items yet. Run: assay run" in page.locator("#plan").inner_text()
    with Stub(toy(1, ["cat"])) as stub:
        opened(page, stub, "given=cat")
        press(page, "Enter", "Enter")
        assert {one["n"] for one in saved(page, stub, 2)} == {0}
        page.evaluate("location.hash = 'given=dog'")
        until(page, "document.getElementById('none').hidden", False)
        assert "No items here" in page.locator("#none").inner_text()


def test_pairs_are_cards_of_two_columns_whose_suggestion_can_be_taken_or_written(page: Page) -> None:
    world = World([], toy(30, ["a", "b"], wrong=4).given, toy(30, ["a", "b"]).truth)
    world.texts = [(f"text {n}", f"given <b>{n}</b>", f"better {n}") for n in range(30)]
    with Stub(world) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        page.evaluate("location.hash = 'order=newest'")
        until(page, "document.querySelectorAll('.cards .said.text').length > 5")
        assert page.locator(".cell.cursor").inner_text().split("\n")[0] == "text 29"
        press(page, "1", "/")
        page.locator("dialog textarea").fill("mine")
        press(page, "Control+Enter")
        assert [(one["n"], one["label"]) for one in saved(page, stub, 2)] == [(29, "better 29"), (28, "mine")]
        assert page.locator(".cell b").count() == 0


def test_an_unknown_token_is_a_sentence(page: Page) -> None:
    with Stub(toy(4, ["cat"])) as stub:
        page.goto(stub.link.replace("token=0", "token=f"))
        until(page, "document.getElementById('wait').innerText.includes('assay review')")
        assert "token" not in page.url


def test_no_script_writes_markup_and_the_shell_holds_no_inline_script_or_style() -> None:
    for script in sorted((REVIEW / "static").glob("*.js")):
        text = script.read_text(encoding="utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?://", text
        ), script
    shell = (REVIEW / "templates" / "review.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|https?://", shell)


def test_the_shell_preloads_every_module_that_the_first_page_needs() -> None:
    shell = (REVIEW / "templates" / "review.html").read_text(encoding="utf-8")
    wanted: set[str]
    wanted, todo = set(), ["review.js"]
    while todo:
        wanted.add(name := todo.pop())
        text = (REVIEW / "static" / name).read_text(encoding="utf-8")
        todo += set(re.findall(r'^import .*"\./([a-z_]+\.js)"', text, re.MULTILINE)) - wanted
    assert set(re.findall(r"/static/([a-z_]+\.js)", shell)) == wanted


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        ("the cat sat", "the dog sat", ["the ", " sat"]),
        ("the cat sat", "the cat sat", ["the cat sat"]),
        ("a b c d", "b d", ["b", " d"]),
        ("", "new", []),
        ("猫が座る", "犬が座る", ["が座る"]),
        ("<b>x</b> y", "<b>x</b> z", ["<b>x</b> "]),
        ("w " * 3000, "v " * 3000, None),  # too long for a table: still no hang
    ],
)
def test_two_texts_are_compared_word_by_word(page: Page, one: str, other: str, kept: list[str] | None) -> None:
    with Stub(toy(4, ["cat"])) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        runs = page.evaluate(
            "async ([one, other]) => (await import('/static/diff.js')).compared(one, other)", [one, other]
        )
    assert "".join(run for _, run in runs) == one
    if kept is not None:
        assert [run for same, run in runs if same and run.strip()] == [run for run in kept if run.strip()]


def test_a_pair_marks_what_its_suggestion_changes_by_shape(page: Page) -> None:
    world = World([], toy(8, ["a", "b"], wrong=4).given, toy(8, ["a", "b"]).truth)
    world.texts = [("A man rides a horse.", "Ein Mann reitet ein <b>Schwein</b>.", "Ein Mann reitet ein Pferd.")] * 8
    with Stub(world) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        page.evaluate("location.hash = 'order=newest'")
        until(page, "document.querySelectorAll('.cards ins').length >= 8")
        card = page.locator(".cell.cursor")
        assert "Schwein" in "".join(card.locator("del").all_inner_texts())
        assert card.locator("ins").all_inner_texts() == ["Pferd"]
        lines = card.locator("del, ins").evaluate_all("all => all.map(one => getComputedStyle(one).textDecorationLine)")
        assert set(lines) == {"line-through", "underline"}
        until(page, "document.querySelectorAll('#panel ins').length", 1)


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
