"""A real browser for the page's tests: Debian's Chromium, driven by Playwright. Without one these tests skip, aloud."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Error, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@pytest.fixture(scope="module")  # playwright keeps a loop running in its thread: it must be gone before other tests
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"NO BROWSER: {CHROMIUM} is missing, so the page is NOT tested here. Run: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


Tab = Callable[[], Page]


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """Makes tabs with a storage of their own; a script error, a breach of the CSP, a dialog of the browser's or a
    request to another origin fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def made() -> Page:
        context = browser.new_context(viewport={"width": 1360, "height": 860})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
        page.on("request", lambda request: None if near(request.url) else wrong.append(request.url))
        page.on("dialog", popped)
        return page

    def popped(dialog: Dialog) -> None:
        wrong.append(dialog.message)
        dialog.dismiss()

    yield made
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def page(tab: Tab) -> Page:
    """One of these tabs."""
    return tab()


def near(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "blob:http://127.0.0.1:", "data:"))


def until(page: Page, expression: str, wanted: Any = True, *, seconds: float = 20) -> None:
    """Waits for what an expression in the page comes to. (wait_for_function needs eval, which the CSP forbids.)"""

    def look() -> Any:
        try:
            return page.evaluate(expression)
        except Error as error:
            if "context was destroyed" in str(error):  # the page is being opened again
                return None
            raise

    met(look, wanted, seconds=seconds, what=expression)


def met(look: Callable[[], Any], wanted: Any = True, *, seconds: float = 20, what: str = "it") -> None:
    end = time.monotonic() + seconds
    while (found := look()) != wanted:
        assert time.monotonic() < end, f"{what} is {found!r}, not {wanted!r}, after {seconds} s"
        time.sleep(0.03)
