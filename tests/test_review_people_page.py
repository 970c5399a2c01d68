"""Two people at one real server, each in a browser: do a dispute, a question and a returned answer come to an end?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Tab, browser, met, tab, until
from playwright.sync_api import Page
from toy_served import forty, items_of, opened, review, served, turned

from tasks import answers, journal
from tasks.review import people

__all__ = ["browser", "forty", "served", "tab"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

AT = "2026-05-01T10:00:00+00:00"
MARKS = "[...document.querySelectorAll('.cell:not([hidden]) .mark')].map(mark => mark.textContent).join('')"


@pytest.fixture
def two(served: Path, tab: Tab) -> Iterator[tuple[Page, Page, Path]]:
    """Ann, a labeler, and Rita, a reviewer, each on the plan."""
    tokens = [people.add(served, name, role, at=AT) for name, role in (("ann", "labeler"), ("rita", "reviewer"))]
    with review(served) as (_, link):
        pages = []
        for token in tokens:
            pages.append(tab())
            opened(pages[-1], f"{link.partition('#')[0]}#token={token}")
        yield pages[0], pages[1], served


def said(page: Page, words: str) -> None:
    """Words into the dialog that is open, and sent."""
    page.keyboard.type(words)
    page.keyboard.press("Control+Enter")
    until(page, "document.querySelectorAll('dialog').length", 0)


def saved(page: Page) -> None:
    until(page, "Number(document.getElementById('saved').dataset.waiting)", 0)


def test_a_dispute_a_question_and_a_returned_answer_come_to_an_end(two: tuple[Page, Page, Path]) -> None:
    ann, rita, workspace = two
    items = items_of(workspace)
    turned(ann, "given=2")
    first, second, third = (int(ann.get_attribute(f"[aria-label^='{k} of']", "data-n") or -1) for k in (1, 2, 3))
    labelled(ann, "0")
    ann.keyboard.press("q")
    said(ann, "Is this a two?")
    until(ann, "document.querySelectorAll('#panel .thread li').length", 1)
    assert ann.locator("#panel .thread button").all_inner_texts() == ["Undo"]  # to answer is a reviewer's
    ann.keyboard.press("ArrowRight")
    ann.keyboard.press("Enter")
    saved(ann)
    assert ann.locator("#sign").is_hidden()

    turned(rita, "given=2")
    labelled(rita, "1")
    saved(rita)
    rita.locator("#sign").click()
    until(rita, "document.querySelectorAll('#signoff .rows li').length > 2")
    words = rita.locator("#signoff").inner_text()
    assert "1 dispute, 1 question" in words and "Is this a two?" in words
    rita.get_by_role("button", name="Settle").click()
    said_label(rita, "0")
    rita.get_by_role("button", name="Answer", exact=True).click()
    said(rita, "Yes: look at the foot.")
    rita.locator(f"#signoff li[data-n='{third}']").get_by_role("button", name="Return").click()
    said(rita, "It is a seven.")
    saved(rita)

    until(ann, MARKS.replace(".join('')", ".length"), 2, seconds=30)  # of what the others do a page asks every 10 s
    ann.locator("#home").click()
    ann.get_by_role("button", name="Look at what was sent back").click()
    until(ann, "document.querySelectorAll('.cell:not([hidden])').length", 1)
    until(ann, "document.getElementById('panel').innerText.includes('It is a seven.')")
    labelled(ann, "4")
    saved(ann)
    turned(ann, "given=2")
    until(ann, f"document.querySelector('[data-n=\"{second}\"]').dataset.state", "0")  # the question is answered
    until(ann, "document.getElementById('panel') !== null")

    ann.locator("#sum").click()
    until(ann, "document.querySelectorAll('#did b').length", 5)
    assert [ann.locator("#did b").nth(k).inner_text() for k in range(5)] == ["2", "0", "0", "0", "1"]
    assert ann.locator("#publish").count() == 0  # a reviewer's
    rita.locator("#sum").click()
    until(rita, "document.querySelectorAll('#publish').length", 1)

    state = answers.state(journal.everything(workspace)).items
    assert (state[items[first]].y, state[items[first]].disputed, state[items[first]].by) == ('"0"', False, ("rita",))
    assert items[second] not in state
    assert (state[items[third]].y, state[items[third]].by) == ('"4"', ("ann",))
    met(lambda: len(journal.everything(workspace)), 8)


def test_the_panel_forgets_what_was_taken_back_and_a_removal_settles_a_dispute(two: tuple[Page, Page, Path]) -> None:
    ann, rita, workspace = two
    turned(ann, "given=2")
    n = int(ann.get_attribute("[aria-label^='1 of']", "data-n") or -1)
    ann.keyboard.press("Enter")
    ann.keyboard.press("ArrowLeft")
    listed = "[...document.querySelectorAll('#panel .answers li')].map(row => row.innerText.split('\\n')[0]).join('|')"
    until(ann, listed, "ann right")
    labelled(ann, "4")
    ann.keyboard.press("ArrowLeft")
    until(ann, listed, "ann right|ann → 4")
    assert ann.locator("#panel .answers button").count() == 1  # the earlier answer counts for nothing
    ann.keyboard.press("z")
    until(ann, listed, "ann right")
    ann.locator("#panel .answers").get_by_role("button", name="Undo").click()
    until(ann, "document.querySelectorAll('#panel .answers').length", 0)
    until(ann, f"document.querySelector('[data-n=\"{n}\"]').dataset.state", "0")
    ann.locator(f".cell[data-n='{n}']").click()
    ann.keyboard.press("Delete")
    saved(ann)

    turned(rita, "given=2")
    rita.keyboard.press("Enter")
    saved(rita)
    rita.keyboard.press("ArrowLeft")
    rita.get_by_role("button", name="Settle the dispute").click()
    rita.get_by_role("button", name="Remove the item (ann)").click()
    saved(rita)
    until(rita, f"document.querySelector('[data-n=\"{n}\"]').dataset.state", "4")
    until(rita, listed, "ann remove|rita right|rita settled → remove")
    rita.keyboard.press("z")
    until(rita, f"document.querySelector('[data-n=\"{n}\"]').dataset.state", "3")
    rita.get_by_role("button", name="Settle the dispute").click()
    rita.get_by_role("button", name="Remove the item (ann)").click()
    saved(rita)
    until(rita, f"document.querySelector('[data-n=\"{n}\"]').dataset.state", "4")
    kept = journal.everything(workspace)
    told = ["keep", "relabel", "undo", "undo", "remove", "keep", "resolve", "undo", "resolve"]
    assert [one.action for one in kept] == told
    assert answers.state(kept).items[items_of(workspace)[n]].removed


def labelled(page: Page, name: str) -> None:
    """The item under the cursor gets a label by search."""
    page.keyboard.press("/")
    said_label(page, name)


def said_label(page: Page, name: str) -> None:
    until(page, "document.querySelectorAll('dialog').length", 1)
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('dialog').length", 0)
