"""How are texts and pairs shown, and what their suggestion changes?

The page is real and runs in a real browser; its server is the stand-in of review_stub.py, which can be told to fail.
"""

from __future__ import annotations

import pytest
from browser import browser, page, tab, until
from playwright.sync_api import Page
from review_stub import Stub, World, toy
from toy_page import press, saved

__all__ = ["browser", "page", "tab"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


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


def test_a_dispute_over_a_text_is_settled_by_either_text_by_a_third_or_by_removal(page: Page) -> None:
    world = World([], toy(8, ["a", "b"], wrong=4).given, toy(8, ["a", "b"]).truth, role="reviewer")
    world.texts = [("A man.", "Ein <b>Mann\r\nEins ", "Ein Mann.\r\nEins ")] * 8
    with Stub(world) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        rounds = [
            ("lin", None, world.texts[0][2]),
            ("mo", None, world.texts[0][1]),
            ("lin", " x", "Ein Mann.\nEins  x"),
        ]
        for k, (whose, more, kept) in enumerate([*rounds, (None, None, None)]):
            page.locator("#sign").click()
            page.get_by_role("button", name="Settle").click()
            assert page.locator("dialog .drafts b").all_inner_texts() == ["lin", "mo"]
            assert page.locator("dialog .drafts ins").all_text_contents() == [".", "<b>"]  # what only one side has
            assert page.locator("dialog textarea").input_value() == ""
            if whose:
                page.get_by_role("button", name=f"Take the text of {whose}").click()
                page.keyboard.press("Control+End")
                page.keyboard.type(more or "")
                press(page, "Control+Enter")
            else:
                page.get_by_role("button", name="Remove the item (mo)").click()
            until(page, "document.querySelectorAll('dialog').length", 0)
            last = saved(page, stub, k + 1)[-1]
            assert (last["n"], last["action"], last["label"]) == (2, "resolve", kept)


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
            "async ([one, other]) => (await import('/module/diff.js')).compared(one, other)", [one, other]
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
