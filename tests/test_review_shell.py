"""Does the page keep to its own scripts, without markup in them, and fetch all that it needs at once?"""

from __future__ import annotations

import re

import pytest
from review_stub import REVIEW

pytestmark = pytest.mark.slow


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
