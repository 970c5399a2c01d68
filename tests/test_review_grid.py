"""What does the grid show, in which order, to the eye and to a screen reader?

The page is real and runs in a real browser; its server is the stand-in of review_stub.py, which can be told to fail.
"""

from __future__ import annotations

import math

import pytest
from browser import browser, page, tab, until
from playwright.sync_api import Page, Route
from review_stub import Stub, toy
from toy_page import CURSOR, SPEEDS, opened, pictured, press, saved

__all__ = ["browser", "page", "tab"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


WATCH = """
window.asked = []; window.rows = [];
const fetch = window.fetch, rows = () => document.querySelectorAll("#grid [role=row]").length;
window.fetch = (path, options) => {
  if (String(path).startsWith("/api/sheet")) window.asked.push([rows(), String(path)]);
  return fetch(path, options);
};
const look = () => {
  if (document.querySelector(".pic[style*='blob:']")) window.rows.push(rows());
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""  # each sheet with the rows there were when it was asked for; and the rows in each frame that has pictures
SHEETS = "window.asked.map(([rows, path]) => [rows, /[?&]n=([0-9,]+)/.exec(path)[1].split(',').map(Number)])"


@pytest.mark.parametrize("at", [0, 1_500])
def test_the_first_pictures_are_asked_for_before_the_rows_are_there_and_spare_rows_come_after_them(
    page: Page, at: int
) -> None:
    with Stub(toy(2_000, SPEEDS, wrong=200)) as stub:
        opened(page, stub)
        place = int(stub.suspicion()[at])
        page.goto("about:blank")
        page.add_init_script(WATCH)
        page.goto(f"{stub.link.partition('#')[0]}#order=suspicion&at={place}")
        until(page, "document.body?.dataset.page", "work")
        until(page, CURSOR, at + 1)
        until(page, "window.rows.length > 2 && window.rows.at(-1) > window.rows[0]")
        asked = page.evaluate(SHEETS)
        assert asked[0][0] == 0 and place in asked[0][1]
        assert len({tuple(places) for _, places in asked}) == len(asked), "no sheet twice"
        first, last = page.evaluate("[window.rows[0], window.rows.at(-1)]")
        assert first < last == page.locator("#grid [role=row]").count()
        assert page.evaluate("document.activeElement.dataset.n") == str(place)


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
        assert HOSTILE[0] in " ".join(page.locator(".slice").all_text_contents())


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
