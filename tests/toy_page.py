"""The review page in a browser, with the stand-in of review_stub.py behind it: opened, pressed, and what it saved."""

from __future__ import annotations

from typing import Any

from browser import met, until
from playwright.sync_api import Page
from review_stub import Stub

SPEEDS = [f"speed-{10 * k}" for k in range(1, 6)]
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
