"""The queue as CSV: nothing in it runs in a spreadsheet, and every text comes back."""

from __future__ import annotations

import csv as reference
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.formats import csv
from tasks.formats._spreadsheet import SEPARATORS, TRIGGERS

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\x1a"), max_size=12
)  # what a cell may hold, line breaks and quotes included
HOSTILE = st.text(st.sampled_from(TRIGGERS + SEPARATORS + " a1\u00a0"), max_size=12) | TEXT


@settings(deadline=None, max_examples=60)
@given(HOSTILE)
def test_a_prefixed_text_comes_back_as_it_was(text: str) -> None:
    assert csv.unprefixed(csv.prefixed(text)) == text


@settings(deadline=None, max_examples=60)
@given(HOSTILE, st.floats(0, 1))
def test_no_cell_of_the_queue_starts_with_a_trigger(
    tmp_path_factory: pytest.TempPathFactory, text: str, p_wrong: float
) -> None:
    path = tmp_path_factory.mktemp("queue") / "queue.csv"
    row = {"item": text, "y": '"7"', "suggestion": None, "p_wrong": p_wrong, "checks": text, "reason": text}
    csv.write_queue(path, [row])
    with open(path, encoding="utf-8-sig", newline="") as file:
        header, cells = reference.reader(file)
    assert header == ["item", "given", "suggestion", "p_wrong", "checks", "reason", "action", "label"]
    for cell in cells:
        assert not re.search(r"(?:\A|[,;|\t\r\n\"])[ \u00a0\u3000]*[=+\-@\t\r\n＝＋－＠]", cell)  # noqa: RUF001
    (record,) = csv.records(path, required=("item", "action", "label"))
    assert csv.unprefixed(record.fields["item"]) == text


def test_a_queue_is_written_with_empty_columns_for_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "queue.csv"
    common = {"p_wrong": 0.25, "checks": "label_noise_v1", "reason": "looks like a dog", "rank": 1, "severity": 0.9}
    csv.write_queue(
        path,
        [
            {"item": "-1", "y": '"cat"', "suggestion": '"=dog"', **common},
            {"item": "b", "y": '["x"]', "suggestion": None, **common},
        ],
    )
    assert path.read_text(encoding="utf-8-sig") == (
        "item,given,suggestion,p_wrong,checks,reason,action,label\n"
        "'-1,cat,'=dog,0.2500,label_noise_v1,looks like a dog,,\n"
        'b,"[""x""]",,0.2500,label_noise_v1,looks like a dog,,\n'
    )


def test_answers_are_read_through_the_same_reader(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("\ufeffitem;action;label;op;note\n'-1;relabel;dog;u1;it's -1\n", encoding="utf-8")
    (record,) = csv.records(path, required=("item", "action"))
    assert {name: csv.unprefixed(value) for name, value in record.fields.items()} == {
        "item": "-1",
        "action": "relabel",
        "label": "dog",
        "op": "u1",
        "note": "it's -1",
    }
