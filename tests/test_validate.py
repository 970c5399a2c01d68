"""Does the gate hold exactly what must wait, say why, and let the rest go on?"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from toy_drops import classes, deliver, gate, lines, message, passed, remedy, run, say

from tasks import store
from tasks.model import CODES


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "verdicts").mkdir(parents=True)
    return tmp_path / "data"


def test_a_clean_drop_goes_on_as_a_whole(data: Path) -> None:
    deliver(data, 1, "a", ["cat", "dog", "cat"])
    report = run(data)
    assert gate(data) == {"drop:0001-a": ("passed", "")}
    assert passed(data) == ["1-0", "1-1", "1-2"]
    assert dict(report.counts) == {
        "drops": 1,
        "items": 3,
        "passed": 3,
        "left_out": 0,
        "waiting": 0,
        "rejected": 0,
        "expectations": 20,
        "failed": 0,
    }
    assert report.notes == ()
    assert classes(data) == ["cat", "dog"]


def test_no_drop_at_all_is_not_an_error(data: Path) -> None:
    report = run(data)
    assert (report.counts["drops"], report.counts["waiting"], passed(data), classes(data)) == (0, 0, [], [])


def test_a_drop_without_a_usable_row_waits_and_the_others_go_on(data: Path) -> None:
    deliver(data, 1, "a", ["cat"])
    deliver(data, 2, "empty", [])
    run(data)
    assert gate(data) == {"drop:0001-a": ("passed", ""), "drop:0002-empty": ("held", "E_EMPTY")}
    assert message(data, "drop:0002-empty") == (
        "Drop '0002-empty' fails the expectation 'row_count' (at least one row can be used): 0 rows."
    )
    assert remedy(data, "drop:0002-empty").endswith("Or: assay accept drop:0002-empty or assay reject drop:0002-empty")
    assert passed(data) == ["1-0"]


def test_a_drop_of_known_items_only_passes(data: Path) -> None:
    deliver(data, 1, "a", ["cat"])
    deliver(data, 2, "again", [], duplicates=1)
    run(data)
    assert gate(data)["drop:0002-again"] == ("passed", "")


def test_a_class_first_seen_in_a_later_drop_waits_alone(data: Path) -> None:
    deliver(data, 1, "a", ["cat", "dog"])
    deliver(data, 2, "b", ["cat", "dgo", "dog", "dgo"])
    report = run(data)
    sentence = "Drop '0002-b' has 2 items with class 'dgo'. Classes are: cat, dog. See labels.csv:3, labels.csv:5."
    assert gate(data) == {
        "drop:0001-a": ("passed", ""),
        "drop:0002-b": ("passed", ""),
        "class:dgo": ("held", "E_CLASS_NEW"),
    }
    assert message(data, "class:dgo") == sentence
    assert remedy(data, "class:dgo") == (
        "If the class is right: assay accept class:dgo. If not: assay reject class:dgo."
    )
    assert report.notes == (f"{sentence} {remedy(data, 'class:dgo')}",)
    assert passed(data) == ["1-0", "1-1", "2-0", "2-2"]


def test_an_accepted_class_joins_the_vocabulary_and_changes_its_version(data: Path) -> None:
    deliver(data, 1, "a", ["cat", "dog"])
    deliver(data, 2, "b", ["fox"])
    run(data)
    before = store.read_json(data / "validate" / "classes.json")
    say(data, "accept", "class:fox")
    run(data)
    after = store.read_json(data / "validate" / "classes.json")
    assert (before["classes"], after["classes"]) == (["cat", "dog"], ["cat", "dog", "fox"])
    assert before["version"] != after["version"]
    assert gate(data)["class:fox"] == ("passed", "E_CLASS_NEW")
    assert passed(data) == ["1-0", "1-1", "2-0"]


def test_a_rejected_class_is_left_out_even_if_the_first_drop_had_it(data: Path) -> None:
    deliver(data, 1, "a", ["cat", "junk"])
    say(data, "reject", "class:junk")
    run(data)
    assert gate(data)["class:junk"] == ("rejected", "E_CLASS_NEW")
    assert (passed(data), classes(data)) == (["1-0"], ["cat"])


def test_an_item_relabelled_by_a_person_no_longer_waits_for_its_class(data: Path) -> None:
    deliver(data, 1, "a", ["cat", "dog"])
    deliver(data, 2, "b", ["dgo"])
    say(data, "relabel", "item:2-0", '"dog"')
    run(data)
    assert (gate(data).get("class:dgo"), passed(data)) == (None, ["1-0", "1-1", "2-0"])


def test_new_classes_may_be_accepted_by_params(data: Path) -> None:
    deliver(data, 1, "a", ["cat"])
    deliver(data, 2, "b", ["fox", "Cat"])
    run(data, new_classes="accept")
    assert (classes(data), passed(data)) == (["cat", "fox"], ["1-0", "2-0"])
    assert gate(data)["class:Cat"] == ("held", "E_CLASS_NEW")


def test_the_vocabulary_may_be_named_in_params(data: Path) -> None:
    deliver(data, 1, "a", ["cat", "dgo"])
    run(data, classes=("cat", "dog"))
    assert gate(data)["class:dgo"] == ("held", "E_CLASS_NEW")
    assert classes(data) == ["cat", "dog"]


@pytest.mark.parametrize("variant", ["Cat", "cat ", "\uff43\uff41\uff54", "CAT"])
def test_another_spelling_of_a_class_is_proposed_for_a_merge_and_not_merged(data: Path, variant: str) -> None:
    deliver(data, 1, "a", ["cat", "dog"])
    deliver(data, 2, "b", [variant])
    run(data)
    assert message(data, f"class:{variant}") == (
        f"Drop '0002-b' has 1 item with class '{variant}'. Classes are: cat, dog. Merge into 'cat'? See labels.csv:2."
    )
    assert passed(data) == ["1-0", "1-1"]


def test_two_spellings_in_the_first_drop_leave_the_more_frequent_one(data: Path) -> None:
    deliver(data, 1, "a", ["Cat", "cat", "Cat"])
    run(data)
    assert gate(data) == {"drop:0001-a": ("passed", ""), "class:cat": ("held", "E_CLASS_NEW")}
    assert passed(data) == ["1-0", "1-2"]


def test_a_drop_of_one_class_only_completes(data: Path) -> None:
    deliver(data, 1, "a", ["cat"] * 3)
    run(data)
    assert passed(data) == ["1-0", "1-1", "1-2"]


def test_a_drop_of_which_every_class_is_unknown_completes_and_waits_as_classes(data: Path) -> None:
    deliver(data, 1, "a", ["cat"])
    deliver(data, 2, "b", ["x", "y"])
    run(data)
    assert [subject for subject, (status, _) in gate(data).items() if status == "held"] == ["class:x", "class:y"]
    assert passed(data) == ["1-0"]


def test_a_sentence_stays_one_sentence_with_a_thousand_classes(data: Path) -> None:
    deliver(data, 1, "a", [f"c{n:04d}" for n in range(1000)])
    deliver(data, 2, "b", ["x" * 200] * 30)
    run(data)
    text = message(data, "class:" + "x" * 200)
    assert "c0000, c0001, c0002, c0003, c0004, c0005, c0006, c0007 and 992 more." in text
    assert len(text) < 400


def test_a_row_with_an_unknown_split_waits_and_its_drop_goes_on(data: Path) -> None:
    deliver(data, 1, "a", ["cat"] * 3, splits={1: "tst"})
    run(data)
    assert gate(data) == {"drop:0001-a": ("passed", ""), "row:0001-a/labels.csv:3": ("held", "E_SPLIT")}
    assert message(data, "row:0001-a/labels.csv:3") == (
        "Row 'labels.csv:3' of drop '0001-a' has split 'tst'. Splits are: train, val, test."
    )
    assert passed(data) == ["1-0", "1-2"]
    say(data, "accept", "row:0001-a/labels.csv:3")
    run(data)
    assert passed(data) == ["1-0", "1-1", "1-2"]


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        ({"width": 3}, "width '3'. Allowed are 4 to 10000 px."),
        ({"height": 10_001}, "height '10001'. Allowed are 4 to 10000 px."),
        ({"brightness": 1.0}, "brightness '1'. Allowed are 0.01 to 0.99."),
        ({"contrast": 0.0}, "contrast '0'. Allowed are above 0 to 0.5; a blank image has 0."),
        ({"contrast": float("inf")}, "contrast 'inf'. Allowed are above 0 to 0.5; a blank image has 0."),
    ],
)
def test_a_row_out_of_range_waits_with_its_reason(data: Path, fact: Mapping[str, Any], reason: str) -> None:
    deliver(data, 1, "a", ["cat"] * 3, facts={1: fact})
    run(data)
    assert gate(data) == {"drop:0001-a": ("passed", ""), "row:0001-a/labels.csv:3": ("held", "E_RANGE")}
    assert message(data, "row:0001-a/labels.csv:3") == f"Row 'labels.csv:3' of drop '0001-a' has {reason}"
    assert passed(data) == ["1-0", "1-2"]


def test_an_item_merged_from_several_labels_waits_under_its_own_name(data: Path) -> None:
    deliver(data, 1, "a", ["cat", "dog"], splits={1: "tst"}, source="annotations")
    run(data)
    assert gate(data)["item:1-1"] == ("held", "E_SPLIT")


def test_a_fault_in_many_rows_holds_the_drop_instead_of_each_row(data: Path) -> None:
    deliver(data, 1, "a", ["cat"] * 30, splits={n: "tst" for n in range(25)})
    run(data)
    assert gate(data) == {"drop:0001-a": ("held", "E_EXPECTATION")}
    assert message(data, "drop:0001-a") == (
        "Drop '0001-a' fails the expectation 'split_known' (the split is one of train, val, test): 25 of 30 rows: tst."
    )
    say(data, "accept", "drop:0001-a")
    run(data)
    assert len(passed(data)) == 30


def test_a_rejected_row_or_item_is_left_out_and_listed(data: Path) -> None:
    deliver(data, 1, "a", ["cat"] * 3)
    say(data, "reject", "row:0001-a/labels.csv:2")
    say(data, "reject", "item:1-2")
    run(data)
    assert passed(data) == ["1-1"]
    assert gate(data)["row:0001-a/labels.csv:2"] == ("rejected", "")
    assert gate(data)["row:0001-a/labels.csv:4"] == ("rejected", "")


def test_too_many_quarantined_rows_hold_the_drop_until_it_is_accepted(data: Path) -> None:
    deliver(data, 1, "a", ["cat"] * 4, quarantined=1)
    deliver(data, 2, "b", ["cat"])
    run(data)
    assert gate(data)["drop:0001-a"] == ("held", "E_EXPECTATION")
    assert message(data, "drop:0001-a") == (
        "Drop '0001-a' fails the expectation 'quarantined_share' (share of quarantined rows is at most 0.1): 0.2."
    )
    assert passed(data) == ["2-0"]
    say(data, "accept", "drop:0001-a")
    run(data)
    assert gate(data)["drop:0001-a"] == ("passed", "E_EXPECTATION")
    assert len(passed(data)) == 5


def test_a_rejected_drop_is_left_out_and_gives_no_classes(data: Path) -> None:
    deliver(data, 1, "a", ["junk"])
    deliver(data, 2, "b", ["cat"])
    say(data, "reject", "drop:0001-a")
    report = run(data)
    assert gate(data) == {"drop:0001-a": ("rejected", ""), "drop:0002-b": ("passed", "")}
    assert (passed(data), classes(data), report.counts["rejected"]) == (["2-0"], ["cat"], 1)


def test_class_shares_are_compared_with_the_earlier_drops_when_there_are_enough_items(data: Path) -> None:
    deliver(data, 1, "a", ["cat", "dog"] * 10)
    deliver(data, 2, "few", ["cat"] * 19)
    deliver(data, 3, "many", ["cat"] * 20)
    report = run(data)
    assert gate(data)["drop:0002-few"] == ("passed", "")
    # before: 10 + 19 cats and 10 dogs; now cats only: a change of 10 / 39
    assert report.figures["class_share_change"] == pytest.approx(10 / 39, abs=1e-9)
    run(data, max_class_share_change=0.25)
    assert gate(data)["drop:0003-many"] == ("held", "E_EXPECTATION")
    assert message(data, "drop:0003-many").endswith("is at most 0.25): 0.2564.")


def test_every_failed_expectation_leaves_a_line_that_waits(data: Path) -> None:
    deliver(data, 1, "a", ["cat", "dog"] * 10)
    deliver(data, 2, "b", ["cat", "dgo", "dog"], splits={0: "tst"}, facts={2: {"contrast": 0.0}}, quarantined=3)
    report = run(data)
    checks = store.read_json(data / "validate" / "expectations" / "0002-b.json")["expectations"]
    assert [check["name"] for check in checks if check["result"] == "failed"] == [
        "class_known",
        "split_known",
        "contrast_between",
        "quarantined_share",
    ]
    assert [subject for subject, (status, _) in gate(data).items() if status == "held"] == [
        "drop:0002-b",
        "class:dgo",
        "row:0002-b/labels.csv:2",
        "row:0002-b/labels.csv:4",
    ]
    assert (report.counts["failed"], report.counts["waiting"]) == (4, 4)


def test_each_held_line_carries_a_command(data: Path) -> None:
    deliver(data, 1, "a", ["cat", "dog"], quarantined=9)
    deliver(data, 2, "b", ["it's; rm -rf ~"], splits={0: "tst"})
    run(data)
    held = [line for line in lines(data) if line["status"] == "held"]
    assert len(held) > 1
    assert all(f"assay accept {shlex.quote(line['subject'])}" in line["remedy"] for line in held)
    assert {line["code"] for line in held} <= set(CODES)
