"""Real server, real browser, real journal: are the wrong labels found and mended by keyboard, and is nothing lost?"""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest
from browser import browser, met, page, tab, until
from playwright.sync_api import Page
from toy_served import CLASSES, WRONG, at, forty, items_of, opened, review, served, turned

from tasks import answers, journal, store
from tasks.model import MANIFEST
from tasks.review import served as where

__all__ = ["browser", "forty", "page", "served", "tab"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

STOPPED = "Stopped. What was done is kept; run the same command again to go on."
WAITING = "Number(document.getElementById('saved').dataset.waiting)"


def labels(workspace: Path, truth: dict[str, str]) -> dict[str, str]:
    """Item -> the label in force, of the answered ones."""
    state = answers.state(journal.everything(workspace))
    return {item: (one.y or "").strip('"') or truth[item] for item, one in state.items.items() if one.answered}


class Person:
    """Somebody who knows every digit, and has a keyboard."""

    def __init__(self, page: Page, workspace: Path, truth: dict[str, str], given: dict[str, str]) -> None:
        self._page, self._truth, self._given = page, truth, given
        self._items = items_of(workspace)
        self.keys = 0
        self.looked: list[tuple[str, int]] = []  # item, its place in the slice

    def press(self, key: str) -> None:
        self._page.keyboard.press(key)
        self.keys += 1

    def sweep(self, slice_: str) -> None:
        """One slice: what is wrong gets its label by a key, the rest of the screen is right."""
        self._page.evaluate(f"location.hash = {slice_ + '&order=suspicion'!r}")
        until(self._page, "document.body?.dataset.page", "work")
        count = sum(name == slice_.partition("=")[2] for name in self._given.values())
        until(self._page, "document.querySelectorAll('.cell:not([hidden])').length", count)
        self.press("Home")
        seen: set[int] = set()
        for _ in range(4 * count):
            n = at(self._page)
            item = self._items[n]
            if n not in seen:
                seen.add(n)
                self.looked.append((item, len(seen) - 1))
                if self._truth[item] != self._given[item]:
                    self.label(self._truth[item])
            if len(seen) == count:
                break
            if at(self._page) == n:
                self.press("ArrowRight")
        assert len(seen) == count
        self._page.wait_for_timeout(400)  # only what has rested on the screen is accepted with it
        self.press("Home")
        self.press("Shift+PageDown")
        self.press("Enter")

    def label(self, name: str) -> None:
        """By the key that the page shows for it, else by search."""
        acts = self._page.locator("#acts button")
        for act in acts.all():
            key, _, words = (act.inner_text().strip()).partition("\n")
            if words.strip() == name and key.strip().isdigit():
                return self.press(key.strip())
        for key in ("/", *name, "Enter"):
            self.press(key)


def test_six_wrong_labels_among_forty_are_found_and_mended_by_keyboard_alone(
    page: Page, forty: tuple[Path, dict[str, str]], served: Path
) -> None:
    workspace, truth = served, forty[1]
    manifest = store.read_table(workspace / "data/ingest/manifest", MANIFEST)
    given = {item: y.strip('"') for item, y in zip(manifest["item"], manifest["y"], strict=True)}
    wrong = {item for item in truth if truth[item] != given[item]}
    assert len(wrong) == len(WRONG)
    with review(workspace) as (_, link):
        opened(page, link)
        person = Person(page, workspace, truth, given)
        for name in CLASSES:
            person.sweep(f"given={name}")
        met(lambda: len(labels(workspace, truth)), 40, what="answers in the journal")
    assert labels(workspace, truth) == truth
    a_hundred = person.keys * 100 / 40
    print(f"{a_hundred:.0f} keys for 100 labels; a form that asks one by one takes 300: label, confirm, next (a proxy)")
    assert a_hundred < 300
    early = [item for item, place in person.looked if place < 2]  # two of about eight in each class
    found = len(wrong & set(early))
    print(f"{found} of 6 in the first quarter of each class; a random order has 1.5 (a proxy)")
    assert found >= 4


def test_a_server_that_is_killed_amid_answers_has_every_one_that_the_page_calls_saved(page: Page, served: Path) -> None:
    with review(served) as (server, link):
        opened(page, link, "given=1")
        port = int(re.search(r":(\d+)/", link)[1])  # type: ignore[index]
        for key in ("1", "Enter", "Enter"):
            page.keyboard.press(key)
        met(lambda: len(journal.everything(served)) > 0)
        server.kill()
        server.wait()
        for _ in range(3):
            page.keyboard.press("0")
            page.keyboard.press("ArrowRight")
        until(page, f"{WAITING} > 0")
    with review(served, port):
        until(page, WAITING, 0, seconds=60)
        page.locator("#sum").click()  # the page goes on as it is
        until(page, "Boolean(document.querySelector('#summary h2'))")
        assert page.locator("#notice").is_hidden()
    said = journal.everything(served)
    assert len({verdict.op for verdict in said}) == len(said) >= 6
    assert "relabel" in {verdict.action for verdict in said}
    assert {verdict.reviewer for verdict in said} == {"maria"}


@pytest.mark.parametrize("pause", [0.0, 0.004, 0.015])
def test_a_server_that_is_killed_amid_a_batch_has_it_whole_and_once_after_a_restart(
    page: Page, served: Path, pause: float
) -> None:
    with review(served) as (server, link):
        opened(page, link)
        turned(page, "split=train")
        port = int(re.search(r":(\d+)/", link)[1])  # type: ignore[index]
        count = int(page.locator("#count").inner_text().split()[0])
        page.keyboard.press("Shift+End")
        page.keyboard.press("0")
        time.sleep(pause)  # the request is on its way, at the disk, or acknowledged
        server.kill()
        server.wait()
    with review(served, port):
        until(page, WAITING, 0, seconds=60)
    said = journal.everything(served)
    items = [items_of(served)[n] for n in range(40)]
    assert sorted(verdict.subject for verdict in said) == sorted(f"item:{item}" for item in items)[:count]
    assert {verdict.action for verdict in said} == {"unsure"}


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_server_in_the_background_ends_in_order_when_it_is_told_to_right_after_its_link(
    served: Path, ending: signal.Signals
) -> None:
    with review(served) as (server, _):
        assert (served / where.FILE).exists()
        server.send_signal(ending)
        assert server.wait(60) == 130
        assert server.stderr is not None
        assert server.stderr.read().splitlines() == [STOPPED]
    assert not (served / where.FILE).exists()


def test_ten_answers_given_offline_are_saved_exactly_once(page: Page, served: Path) -> None:
    with review(served) as (_, link):
        opened(page, link, "split=train")
        shown = page.eval_on_selector_all(".cell:not([hidden])", "cells => cells.map(cell => Number(cell.dataset.n))")
        page.context.set_offline(True)
        for key in ("Enter", "0", "1", "Enter", "0", "Enter", "0", "Delete", "Enter", "0"):
            page.keyboard.press(key)
        until(page, WAITING, 10)
        assert page.locator("#saved").inner_text() == "waiting (10)"
        assert journal.everything(served) == []
        page.context.set_offline(False)
        until(page, WAITING, 0)
    said = journal.everything(served)
    assert [verdict.subject for verdict in said] == [f"item:{items_of(served)[n]}" for n in shown[:10]]
    assert len({verdict.op for verdict in said}) == 10
