"""Can names be told apart where there is no room for them, and is every key of the bar there beside a thousand classes?

The page is real and runs in a real browser; its server is the stand-in of review_stub.py, which can be told to fail.
"""

from __future__ import annotations

import pytest
from browser import browser, page, tab, until
from playwright.sync_api import Page
from review_stub import Stub, toy
from toy_page import opened, press

__all__ = ["browser", "page", "tab"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

KINDS = ("adult", "calf", "egg", "old bull", "great cow", "two year old", "lone one", "fossil", "drawn by hand")
FAMILY = [f"a family of names that begin alike and go on for a while, {kind}" for kind in KINDS]
SHOWN = """all => all.map(one => {
    const last = one.lastElementChild ?? one, room = one.parentElement.getBoundingClientRect();
    const box = last.getBoundingClientRect(), inside = box.left >= room.left && box.right <= room.right + 1;
    return [one.textContent, inside && box.width > 0 ? last.textContent : "is cut"];
})"""


def ends(page: Page, where: str) -> dict[str, str]:
    """Name -> what of its end can be read."""
    return {name: end for name, end in page.locator(where).evaluate_all(SHOWN) if name}


@pytest.mark.parametrize("wide", [390, 1280])
def test_long_names_of_one_family_are_told_apart_by_their_ends(page: Page, wide: int) -> None:
    page.set_viewport_size({"width": wide, "height": 800})
    with Stub(toy(60, FAMILY, wrong=20)) as stub:
        opened(page, stub)
        told = {name: name[-6:] for name in FAMILY}
        assert ends(page, ".cell .said.is") == told
        assert set(ends(page, ".cell .said.hint").values()) == {f"{name}?"[-6:] for name in FAMILY}
        if wide > 760:  # on a phone the keys are scrolled
            assert len(ends(page, "#acts .said")) == 9 - 1  # the suggestion is one of them
            assert ends(page, "#acts .said").items() <= told.items()
            assert hidden(page, "#acts button") == []
            assert page.get_by_role("button", name=f"2 {FAMILY[0]}", exact=True).count() == 1  # read as one
        press(page, "/")
        assert ends(page, "dialog li .said") == told
        assert page.locator("dialog li .said").first.get_attribute("title") == FAMILY[0]
        page.keyboard.type("calf")
        press(page, "Enter", "ArrowLeft")
        changed = ends(page, ".cell.cursor .said.to")
        assert changed == {f"→ {FAMILY[1]}": FAMILY[1][-6:]}
        if wide > 760:  # on a phone a title takes the lines that it needs
            page.locator("#home").click()
            until(page, "document.body.dataset.page", "plan")
            assert ends(page, ".slice .said") == {f"given: {name}": end for name, end in told.items()}


def test_a_name_is_taken_apart_only_where_its_letters_may_stand_alone(page: Page) -> None:
    names = [
        "short",
        "قطة كبيرة جداً في البيت",
        "नमस्ते दुनिया के सारे लोग",
        "family \U0001f468\u200d\U0001f469\u200d\U0001f467 of three",
    ]
    names += ["コンピューターの画面の写真", "большая рыжая кошка спит", "大きな猫と小さな犬と白い鳥が写っている写真"]
    with Stub(toy(4, ["cat"])) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        told = page.evaluate(
            """async names => { const { named } = await import('/module/dom.js');
            return names.map(named).map(one => [one.textContent, one.title, one.childElementCount]); }""",
            names,
        )
    assert told == [[name, name, count] for name, count in zip(names, (0, 0, 0, 0, 2, 2, 2), strict=True)]


def test_every_key_of_the_bar_is_in_sight_beside_a_thousand_classes(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    with Stub(toy(2_000, [f"class-{k:04d}" for k in range(1_000)], wrong=180)) as stub:
        opened(page, stub)
        keys = page.locator("#acts button")
        assert keys.count() == 20
        assert hidden(page, "#acts button") == []


@pytest.mark.parametrize("wide", [390, 1024, 1280, 1400, 1600])
@pytest.mark.parametrize("parts", [2, 4])
def test_every_part_of_a_slice_and_the_sign_to_add_one_are_in_sight(page: Page, wide: int, parts: int) -> None:
    page.set_viewport_size({"width": wide, "height": 800})
    world = toy(60, FAMILY, wrong=20)
    world.groups = {"drop": ["0001-january-acme"], "meta_camera": ["a camera that has a rather long name"]}
    with Stub(world) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        page.locator(".slice").first.click()
        for kind in ("drop", "camera")[: parts - 2]:
            page.locator("#more").click()
            for words in (kind, "a"):
                page.keyboard.type(words)
                press(page, "Enter")
        until(page, "document.querySelectorAll('.chip').length", parts)
        assert page.locator("#slices").evaluate("one => one.scrollWidth <= one.clientWidth")
        assert hidden(page, "#slices .off, #more") == []
        assert "is cut" not in ends(page, ".chip .said").values()
        assert page.locator(".chip .said").evaluate_all("all => all.every(one => one.clientWidth > 50)")


def hidden(page: Page, where: str) -> list[str]:
    """The words of those whose middle is out of sight."""
    found = page.locator(where).evaluate_all(
        """all => all.filter(one => {
        const box = one.getBoundingClientRect();
        return !one.contains(document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2));
    }).map(one => one.innerText)"""
    )
    return list(found)


def test_one_item_is_told_in_the_singular(page: Page) -> None:
    with Stub(toy(1, ["cat", "dog"], wrong=1)) as stub:
        page.goto(stub.link)
        until(page, "document.body?.dataset.page", "plan")
        tiles = page.locator(".strip div").all_inner_texts()
        assert [one.split("\n") for one in tiles] == [
            ["1", "item to look at"],
            ["1", "minute, about"],
            ["1", "slice"],
            ["0", "answered by you"],
        ]
        assert page.locator("#all").inner_text() == "The only item"
