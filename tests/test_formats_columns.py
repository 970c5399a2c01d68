"""Are a delivery's columns known by the names that people use, and by no others?"""

from __future__ import annotations

import pytest

from tasks.formats._columns import NEEDED, known_as, lacking, standard


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["path", "label"], ["path", "label"]),
        (["text", "label"], ["text", "label"]),
        (["source", "target"], ["text", "label"]),
        (["text", "target"], ["text", "label"]),
        (["path", "target", "source"], ["path", "label", "source"]),
        (["text", "label", "source", "target"], ["text", "label", "source", "target"]),
        (["source", "label"], ["source", "label"]),
        (["source"], ["text"]),  # a row of JSON whose target is null
    ],
)
def test_source_and_target_stand_for_text_and_label_only_where_these_are_not(
    names: list[str], known: list[str]
) -> None:
    assert list(known_as(names).values()) == known


def test_a_row_keeps_its_values_under_the_known_names() -> None:
    assert standard({"source": "a", "target": "b", "id": "1"}) == {"text": "a", "label": "b", "id": "1"}


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (["path", "label"], None),
        (["text", "label"], None),
        (["source", "target"], None),
        (["file", "label"], ("path", "text")),
        (["source", "label"], ("path", "text")),
        (["text", "class"], ("label",)),
        ([], ("path", "text")),
    ],
)
def test_what_a_header_lacks_is_named_with_what_would_do(found: list[str], missing: tuple[str, ...] | None) -> None:
    assert lacking(NEEDED, found) == missing
