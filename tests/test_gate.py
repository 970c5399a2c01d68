"""Are the pure parts of the gate right?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tasks import gate


@given(st.text())
def test_the_plain_spelling_of_a_plain_spelling_is_itself(name: str) -> None:
    assert gate.spelling(gate.spelling(name)) == gate.spelling(name)


@given(st.text(min_size=1))
def test_what_stands_in_a_sentence_is_printable_and_short(name: str) -> None:
    assert gate.shown(name).isprintable()
    assert len(gate.shown(name)) <= gate.WIDEST


def test_spellings_differ_by_case_white_space_and_composition_only() -> None:
    same = ["café", "cafe\u0301", " Café ", "CAFÉ"]
    assert {gate.spelling(name) for name in same} == {"café"}
    assert gate.spelling("cafe") == "cafe"


def test_the_class_share_change_is_half_the_sum_of_differences() -> None:
    assert gate.share_change({"a": 3, "b": 1}, {"a": 10, "b": 10}, ["a", "b"], 1) == 0.25
    assert gate.share_change({"a": 4}, {"b": 4}, ["a", "b"], 1) == 1.0
    assert gate.share_change({"a": 4}, {"a": 9}, ["a"], 1) == 0.0


def test_the_class_share_change_is_not_judged_with_too_few_items_on_either_side() -> None:
    assert gate.share_change({"a": 19}, {"a": 50, "b": 50}, ["a", "b"], 10) is None
    assert gate.share_change({"a": 50, "b": 50}, {"a": 19}, ["a", "b"], 10) is None
    assert gate.share_change({"a": 5}, {}, ["a"], 1) is None
    assert gate.share_change({}, {}, [], 1) is None


def test_a_list_of_names_is_clipped() -> None:
    assert gate.listed(["cat", "dog"]) == "cat, dog"
    assert gate.listed([str(n) for n in range(1000)]) == "0, 1, 2, 3, 4, 5, 6, 7 and 992 more"


def test_an_expectation_that_raised_holds_the_drop_whatever_its_level() -> None:
    check = {"name": "width_between", "says": "width is 4 to 9 px", "level": "row", "result": "raised", "observed": "?"}
    line = gate.drop_line("0001-a", [check], [], {}, None)
    assert (line.status, line.code) == ("held", "E_EXPECTATION")
    assert line.message == "Drop '0001-a' fails the expectation 'width_between' (width is 4 to 9 px): ?."


def test_a_row_level_failure_without_a_row_of_ours_holds_the_drop() -> None:
    check = {"name": "split_known", "says": "s", "level": "row", "result": "failed", "observed": "1 of 2 rows"}
    fault = gate.Fault(1, "split_known", "E_SPLIT", "split 'tst'.")
    assert gate.drop_line("0001-a", [check], [], {}, None).status == "held"
    assert gate.drop_line("0001-a", [check], [fault], {}, None).status == "passed"


def test_a_command_survives_the_shell() -> None:
    line = gate.Line("class:it's; rm", "held", "E_CLASS_NEW")
    assert line.argument == "'class:it'\"'\"'s; rm'"
    assert line.argument in line.remedy
