"""Forty hostile words through every page of the real server: do they appear as words, and do nothing else?

A tab fails where a script throws, a dialog opens, the Content-Security-Policy is breached, or another origin is asked.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import browser, page, tab, until
from hostile import PAYLOADS
from playwright.sync_api import Page
from toy_served import opened, review, turned
from toy_written import write

from tasks.modalities import text

__all__ = ["browser", "page", "tab"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

NEXT = [*PAYLOADS[1:], PAYLOADS[0]]  # each one's suggestion is the next one
MADE = "main iframe, main svg, main object, main embed, main form, main base, main style, main script, dialog iframe, \
dialog svg, dialog script, main a, dialog a, img[src='x'], [onerror], [onload], [onfocus], [onmouseover]"


def harmless(page: Page) -> None:
    """Nothing of the words has become an element, and no script of theirs has run."""
    assert page.evaluate("window.__xss") is None
    assert page.locator(MADE).count() == 0


def sent(page: Page, words: str) -> None:
    page.locator("dialog textarea").fill(words)
    page.keyboard.press("Control+Enter")
    until(page, "document.querySelectorAll('dialog').length", 0)


def test_hostile_class_names_notes_and_guideline_are_words_on_every_page(page: Page, tmp_path: Path) -> None:
    assert len(set(PAYLOADS)) == 40
    workspace = write(
        tmp_path / "ws", [name for name in PAYLOADS for _ in range(3)], [name for name in NEXT for _ in "123"]
    )
    (workspace / "guideline.md").write_text("\n\n".join(f"- {word}\n\n# {word}" for word in PAYLOADS))
    with review(workspace) as (_, link):
        opened(page, link)
        plan = page.locator("#plan").text_content() or ""
        assert sum(f"given: {name}" in plan for name in PAYLOADS) >= 20
        harmless(page)
        turned(page, "queued=1")
        seen: set[str] = set()
        for _ in range(6):
            seen |= set(page.locator(".cell .said").all_text_contents())
            page.keyboard.press("PageDown")
            page.wait_for_timeout(150)
        assert {name for name in PAYLOADS if name in seen or f"{name}?" in seen} == set(PAYLOADS)
        harmless(page)
        page.keyboard.press("Home")
        until(page, f"document.getElementById('panel').innerText.includes({f'Not {PAYLOADS[0]}.'!r})")
        harmless(page)
        for number, word in enumerate(PAYLOADS):
            page.keyboard.press("q" if number % 2 else "p")
            sent(page, word)
            page.keyboard.press("ArrowRight")
        page.keyboard.press("/")
        until(page, "document.querySelectorAll('dialog li').length", 40)
        assert set(page.locator("dialog li .said").all_text_contents()) == set(PAYLOADS)
        page.keyboard.press("Escape")
        page.keyboard.press("1")
        page.keyboard.press("g")
        until(page, "document.querySelectorAll('dialog h3').length", 40)
        harmless(page)
        page.keyboard.press("Escape")
        until(page, "Number(document.getElementById('saved').dataset.waiting)", 0)
        page.locator("#sign").click()
        until(page, "document.querySelectorAll('#signoff li').length", 20)
        asked = page.locator("#signoff").inner_text()
        assert all(word in asked for word in PAYLOADS[1::2])
        harmless(page)
        page.locator("#sum").click()
        page.locator("#publish").click()
        until(page, "document.querySelectorAll('#changes tbody tr').length", 2)
        harmless(page)


def test_hostile_texts_and_their_targets_are_words_on_the_cards(page: Page, tmp_path: Path) -> None:
    workspace = write(tmp_path / "ws", PAYLOADS, NEXT, texts=[f"{word} {word}" for word in PAYLOADS])
    with review(workspace) as (_, link):
        opened(page, link)
        page.evaluate("location.hash = 'queued=1&order=suspicion'")
        until(page, "document.querySelectorAll('.cards .said.text').length > 5")
        seen = ""
        for _ in range(16):
            page.wait_for_timeout(150)
            seen += " ".join(
                page.locator(".cards .cell:not([hidden])").evaluate_all("all => all.map(one => one.textContent)")
            )
            page.keyboard.press("PageDown")
        shown = {
            word: text.preview(f"{word} {word}".encode())[1].decode() for word in PAYLOADS
        }  # no direction is turned
        assert [word for word in PAYLOADS if shown[word] not in seen] == []
        assert page.locator(".cards ins").count() > 0
        harmless(page)
        page.keyboard.press("o")
        until(page, "document.querySelectorAll('dialog .letter').length", 1)
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        sent(page, PAYLOADS[7])
        until(page, "document.getElementById('panel').innerText.includes('maria')")
        harmless(page)
