"""Is what validate writes byte-stable, no more work than the change, safe to look at, and are its params checked?"""

from __future__ import annotations

import math
import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from deliveries import tree
from toy_drops import deliver, gate, run

from tasks.validate import Params


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "verdicts").mkdir(parents=True)
    return tmp_path / "data"


def test_at_most_ten_sentences_are_noted(data: Path) -> None:
    deliver(data, 1, "a", ["cat"])
    deliver(data, 2, "b", [f"new{n:02d}" for n in range(12)])
    notes = run(data).notes
    assert len(notes) == 11
    assert notes[10] == "And 2 more wait: see data/validate/report.html."


def test_the_same_inputs_give_the_same_bytes_with_or_without_the_cache(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(data, 1, "a", ["cat", "dog"], facts={0: {"contrast": 0.0}})
    deliver(data, 2, "b", ["dgo"])
    run(data)
    first = tree(data / "validate")
    assert "judged 2 items of 0001-a" in capsys.readouterr().out
    run(data)
    assert capsys.readouterr().out == ""
    assert tree(data / "validate") == first
    os.rename(data.parent / ".assay", data.parent / "elsewhere")
    run(data)
    assert tree(data / "validate") == first


def test_only_the_new_drop_is_judged_again(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deliver(data, 1, "a", ["cat", "dog"])
    run(data)
    capsys.readouterr()
    deliver(data, 2, "b", ["cat"])
    run(data)
    assert capsys.readouterr().out == "validate: judged 1 item of 0002-b\n"


def test_a_changed_limit_is_not_answered_from_the_cache(data: Path) -> None:
    deliver(data, 1, "a", ["cat"])
    run(data)
    run(data, ranges={"width": (9, 100)})
    assert gate(data)["row:0001-a/labels.csv:2"] == ("held", "E_RANGE")


class Tags(HTMLParser):
    """Every element and attribute value of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.values: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.values += [value or "" for _, value in attrs]


def test_the_page_is_self_contained_and_a_hostile_class_stays_text(data: Path) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    deliver(data, 1, "a", ["cat", evil])
    deliver(data, 2, "b", [f"{evil}2"], splits={0: "<b>"})
    run(data)
    page = (data / "validate" / "report.html").read_text(encoding="utf-8")
    tags = Tags(page)
    assert not tags.seen & {"script", "img", "b-", "link", "iframe", "object"}
    assert not any("://" in value or value.startswith("//") for value in tags.values)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "http://" not in page and "https://" not in page
    assert "2 things wait for your decision" in page


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"splits": ()}, "At least one split is allowed"),
        ({"ranges": {"hue": (0, 1)}}, "A range of 'hue' is none of those allowed: width, height, brightness, contrast"),
        ({"ranges": {"width": (9, 4)}}, "For 'width' two finite numbers, the lower one first, are allowed"),
        ({"ranges": {"width": (0, math.inf)}}, "For 'width' two finite numbers, the lower one first, are allowed"),
        ({"max_class_share_change": 0.0}, "max_class_share_change above 0 and up to 1 is allowed"),
        ({"min_items_per_class": 0}, "min_items_per_class from 1 is allowed"),
        ({"max_quarantined_share": 1.5}, "max_quarantined_share from 0 to 1 is allowed"),
        ({"max_held_rows": -1}, "max_held_rows from 0 is allowed"),
        ({"max_held_share": 2.0}, "max_held_share from 0 to 1 is allowed"),
    ],
)
def test_a_parameter_out_of_its_range_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Params(**values)
