"""Does every key do what the help says, with letters on and off, and is the grid one that can be heard and seen?"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browser import browser, page, tab, until
from playwright.sync_api import Page
from review_stub import REVIEW, Stub, toy

__all__ = ["browser", "page", "tab"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

SPEEDS = [f"speed-{10 * k}" for k in range(1, 6)]
AT = "Number(document.querySelector('.cell.cursor').getAttribute('aria-label').split(' ')[0])"
ACROSS = "Number(document.getElementById('grid').getAttribute('aria-colcount'))"
TOUCHED = "document.getElementById('touched').innerText"
DIALOG = "document.querySelector('dialog h2')?.textContent"
WAITING = "Number(document.getElementById('saved').dataset.waiting)"
COUNT = int((toy(1_000, SPEEDS, wrong=50).given == 2).sum())  # items given speed-30
SIGNS = ("x", "0", "1", "2", "f", "q", "g", "p", "/", "?", "n", "a", "d", "i", "o", "h", "j", "k", "l", "+", "-", "z")


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub(toy(1_000, SPEEDS, wrong=50)) as stub:
        yield stub


def opened(page: Page, stub: Stub) -> None:
    page.goto(stub.link)
    until(page, "document.body?.dataset.page", "plan")
    page.evaluate("location.hash = 'given=speed-30&order=suspicion'")
    until(page, "document.body?.dataset.page", "work")
    until(page, "[...document.querySelectorAll('.cell:not([hidden]) .pic')].every(pic => pic.style.backgroundImage)")


@pytest.mark.parametrize(
    ("keys", "comes_to"),
    [
        ("ArrowRight", "2"),
        ("l", "2"),
        ("l h", "1"),
        ("ArrowRight ArrowLeft", "1"),
        ("ArrowDown", f"1 + {ACROSS}"),
        ("j", f"1 + {ACROSS}"),
        ("j k", "1"),
        ("ArrowDown ArrowUp", "1"),
        ("End", str(COUNT)),
        ("End Home", "1"),
        ("PageDown PageUp", "1"),
    ],
)
def test_a_move_goes_where_it_says(page: Page, stub: Stub, keys: str, comes_to: str) -> None:
    opened(page, stub)
    for key in keys.split():
        page.keyboard.press(key)
    until(page, f"{AT} === {comes_to}")
    assert page.evaluate("document.activeElement.classList.contains('cursor')")
    assert page.locator("#touched").inner_text() == f"{page.evaluate(AT)} of {COUNT}"


def test_a_page_down_is_a_screen(page: Page, stub: Stub) -> None:
    opened(page, stub)
    page.keyboard.press("PageDown")
    rows = page.evaluate(f"({AT} - 1) / {ACROSS}")
    assert rows == int(rows) >= 3


@pytest.mark.parametrize(
    ("keys", "touched"),
    [
        ("x", "1 flagged"),
        ("Space", "1 flagged"),
        ("x x", f"1 of {COUNT}"),
        ("Shift+ArrowRight", "2 in the range"),
        ("Shift+L", "2 in the range"),
        ("Shift+ArrowRight Escape", f"2 of {COUNT}"),
        ("x Escape", f"1 of {COUNT}"),
        ("Shift+End", f"{COUNT} in the range"),
    ],
)
def test_a_flag_or_a_range_is_what_it_says(page: Page, stub: Stub, keys: str, touched: str) -> None:
    opened(page, stub)
    for key in keys.split():
        page.keyboard.press(key)
    until(page, TOUCHED, touched)
    assert stub.said == []


@pytest.mark.parametrize(
    ("key", "heading"),
    [
        ("/", "Label"),
        ("?", "Keys"),
        ("g", "Guideline · version 0123456789ab"),
        ("q", "Ask about this item"),
        ("p", "A pattern"),
        ("a", "Which labels are right?"),
        ("o", "speed-30"),
    ],
)
def test_a_key_that_asks_opens_its_dialog_and_escape_comes_back_to_the_cell(
    page: Page, stub: Stub, key: str, heading: str
) -> None:
    opened(page, stub)
    page.keyboard.press(key)
    until(page, DIALOG, heading)
    page.keyboard.press("Escape")
    until(page, "document.querySelectorAll('dialog').length", 0)
    assert page.evaluate("document.activeElement.classList.contains('cursor')")
    assert stub.said == []


@pytest.mark.parametrize(
    ("key", "action"),
    [("Enter", "keep"), ("1", "relabel"), ("0", "unsure"), ("d", "remove"), ("Delete", "remove")],
)
def test_a_key_that_answers_writes_one_answer_and_z_takes_it_back(
    page: Page, stub: Stub, key: str, action: str
) -> None:
    opened(page, stub)
    page.keyboard.press(key)
    until(page, WAITING, 0)
    page.keyboard.press("z")
    until(page, "document.querySelectorAll('.cell .mark').length", 0)
    until(page, WAITING, 0)
    assert [one["action"] for one in stub.said] == [action, "undo"]


@pytest.mark.parametrize("key", ["2", "5", "9"])
def test_a_number_gives_the_label_that_the_bar_shows_on_it(page: Page, stub: Stub, key: str) -> None:
    opened(page, stub)
    page.keyboard.press("/")
    page.keyboard.type("speed-20")
    page.locator("dialog .pin").first.click()  # on the first free key
    page.keyboard.press("Escape")
    act = page.locator("#acts button").filter(has=page.locator("kbd", has_text=re.compile(f"^{key}$")))
    shown = act.locator(".said").inner_text() if act.count() else None
    page.keyboard.press(key)
    until(page, WAITING, 0)
    said = [one["label"] or "speed-30" for one in stub.said]
    assert said == ([] if shown is None else [shown])


def test_groups_sizes_evidence_and_what_is_similar_have_their_keys(page: Page, stub: Stub) -> None:
    opened(page, stub)
    before = page.evaluate(ACROSS)
    page.keyboard.press("+")
    assert page.evaluate(ACROSS) < before
    page.keyboard.press("-")
    assert page.evaluate(ACROSS) == before
    page.keyboard.press("i")
    assert page.evaluate("document.body.classList.contains('no-panel')")
    page.keyboard.press("i")
    page.keyboard.press("n")
    until(page, "document.querySelector('.chip .said').textContent !== 'speed-30'")
    page.keyboard.press("N")
    until(page, "document.querySelector('.chip .said').textContent", "speed-30")
    page.keyboard.press("f")
    until(page, "document.querySelectorAll('.chip.similar').length", 1)
    page.keyboard.press("Escape")
    until(page, "document.querySelectorAll('.chip.similar').length", 0)


def test_with_single_keys_off_no_letter_number_or_sign_acts_but_alt_does(page: Page, stub: Stub) -> None:
    opened(page, stub)
    page.keyboard.press("?")
    page.locator("#letters").uncheck()
    page.keyboard.press("Escape")
    until(page, "document.querySelectorAll('dialog').length", 0)
    for key in SIGNS:
        page.keyboard.press(key)
    assert page.locator("#touched").inner_text() == f"1 of {COUNT}"
    assert (page.locator("dialog").count(), stub.said) == (0, [])
    page.keyboard.press("Alt+x")
    until(page, TOUCHED, "1 flagged")
    page.keyboard.press("Alt+g")
    until(page, DIALOG, "Guideline · version 0123456789ab")


def test_every_key_of_the_table_is_in_the_help(page: Page, stub: Stub) -> None:
    opened(page, stub)
    page.keyboard.press("?")
    until(page, DIALOG, "Keys")
    shown = " ".join(page.locator("dialog kbd").all_inner_texts()).split()
    assert set(SIGNS) - {"1", "2"} <= set(shown) | {"h", "j", "k", "l"}
    words = (REVIEW / "static" / "keys.js").read_text(encoding="utf-8")
    commands = re.search(r"const COMMANDS = \{(.*?)\}", words, re.DOTALL)
    assert commands is not None
    told = set(re.findall(r'"?([^\s",:{]+)"?: "', commands[1])) - {"=", " ", "''"}
    assert {key for key in told if len(key) == 1} <= set(shown)


def test_the_grid_has_the_counts_of_the_whole_set_and_one_tab_stop(page: Page, stub: Stub) -> None:
    opened(page, stub)
    grid = page.locator("#grid")
    across = int(grid.get_attribute("aria-colcount") or 0)
    assert grid.get_attribute("role") == "grid" and grid.get_attribute("aria-multiselectable") == "true"
    assert grid.get_attribute("aria-rowcount") == str(-(-COUNT // across))
    assert {cell.get_attribute("role") for cell in page.locator(".row").all()} == {"row"}
    assert {cell.get_attribute("role") for cell in page.locator(".cell").all()} == {"gridcell"}
    page.keyboard.press("x")
    cursor = page.locator(".cell.cursor")
    assert cursor.get_attribute("aria-selected") == "true" and cursor.get_attribute("aria-colindex") == "1"
    label = cursor.get_attribute("aria-label") or ""
    assert "speed-30" in label and "flagged" in label
    assert page.locator("#grid [tabindex='0']").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_focus_ring_has_three_to_one_against_the_ground_and_the_paper(page: Page, stub: Stub, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    opened(page, stub)
    colours = page.evaluate(
        """() => {
        const of = (name) => {
            const node = document.body.appendChild(document.createElement('i'));
            node.style.color = `var(${name})`;
            const found = getComputedStyle(node).color.match(/[\\d.]+/g).map(Number);
            node.remove();
            return found;
        };
        return [of('--accent'), of('--paper'), of('--ground')];
    }"""
    )
    ring, paper, ground = (luminance(*colour[:3]) for colour in colours)
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid" and page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
    assert contrast(ring, paper) >= 3 and contrast(ring, ground) >= 3


def luminance(red: float, green: float, blue: float) -> float:
    """Relative luminance, [0, 1] (WCAG 2.2)."""
    parts = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: float, other: float) -> float:
    """1 to 21 (WCAG 2.2)."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_who_wants_less_motion_gets_none(page: Page, stub: Stub) -> None:
    page.emulate_media(reduced_motion="reduce")
    opened(page, stub)
    page.keyboard.press("0")
    found = page.evaluate(
        "[getComputedStyle(document.getElementById('toast')).animationName, \
getComputedStyle(document.getElementById('grid')).scrollBehavior]"
    )
    assert found == ["none", "auto"]
