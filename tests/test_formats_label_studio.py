"""Is the queue as Label Studio needs it, and does every name pass through its interface and its JSON unharmed?"""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_label_studio import HOSTILE, LONG, annotation, choice, task, write

from tasks.formats import Handout, Question, label_studio
from tasks.labels import kind, kinds, pairs, single
from tasks.model import Mistake, label_json

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40).filter(str.strip)


def question(item: str = "a", given: str = "1", suggestion: str | None = None, **other: object) -> Question:
    region = None if suggestion is None else single.region(label_json(suggestion))
    shown = Question(item, "3f" * 32, label_json(given), given, "data:image/jpeg;base64,AAAA", 1, "Looks odd.", region)
    return Question(**{name: other.get(name, getattr(shown, name)) for name in Question.__slots__})  # type: ignore[arg-type]


def handout(*questions: Question, classes: tuple[str, ...] = ("1", "7"), kind_: str = "single") -> Handout:
    return Handout("Image", kind(kind_).control(classes), questions, "dataset@v1.0.0")


def test_a_row_of_the_queue_becomes_a_task_with_its_suggestion_and_score(tmp_path: Path) -> None:
    count = label_studio.write_tasks(tmp_path / "q.json", handout(question(suggestion="7", score=0.93), question("b")))
    data = {
        "assay_item": "a",
        "assay_asset": "3f" * 32,
        "assay_given": '"1"',
        "assay_revision": "dataset@v1.0.0",
        "assay_rank": 1,
        "assay_reason": "Looks odd.",
        "given": "1",
        "image": "data:image/jpeg;base64,AAAA",
    }
    region = {"id": "assay", "from_name": "label", "to_name": "item", "type": "choices", "value": {"choices": ["7"]}}
    assert count == 2
    assert json.loads((tmp_path / "q.json").read_text()) == [
        {"data": data, "predictions": [{"model_version": "assay", "score": 0.93, "result": [region]}]},
        {"data": data | {"assay_item": "b"}},
    ]


def test_no_rows_are_an_empty_list(tmp_path: Path) -> None:
    assert label_studio.write_tasks(tmp_path / "q.json", handout()) == 0
    assert json.loads((tmp_path / "q.json").read_text()) == []


def test_the_file_may_not_be_the_interface(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"has the suffix of the interface that is written beside it. Use .json"):
        label_studio.write_tasks(tmp_path / "q.xml", handout())


def test_the_interface_shows_the_item_and_asks_for_a_label_or_what_can_be_said_instead() -> None:
    view = ElementTree.fromstring(label_studio.interface(handout()))
    shown = view.find(".//Image")
    label, action = view.findall(".//Choices")
    assert shown is not None and shown.attrib == {"name": "item", "value": "$image"}
    assert (label.get("name"), label.get("toName"), label.get("choice")) == ("label", "item", "single")
    assert [one.get("value") for one in label] == ["1", "7"]
    assert [one.get("value") for one in action] == ["keep", "unsure", "remove"]
    names = [one.get("name") for one in view.iter() if one.get("name")]
    assert len(names) == len(set(names))


def test_every_kind_asks_with_a_control_whose_answer_it_reads_back() -> None:
    said = {"single": '"dog"', "pairs": '"Guten Tag"'}
    assert set(said) == set(kinds())
    for name, y in said.items():
        region = kind(name).region(y)
        assert kind(name).control(("dog",)).tag.lower() == region["type"]
        assert [kind(name).parse(words) for words in kind(name).spoken(region["value"])] == [y]
        assert kind(name).spoken(kind(name).show(y)) == (kind(name).show(y),), "as JSON-MIN has it"
        for wrong in (None, 7, {}, {"choices": "dog"}, {"choices": [1]}, {"text": [1]}, [["dog"]]):
            with pytest.raises(ValueError, match="it is no"):
                kind(name).spoken(wrong)


def test_many_classes_are_a_list_and_digits_are_their_own_keys() -> None:
    assert single.control([str(n) for n in range(30)]).attrib == {"choice": "single", "showInline": "true"}
    assert single.control([str(n) for n in range(1000)]).attrib == {"choice": "single", "layout": "select"}
    assert [one.get("hotkey") for one in single.control(["0", "7"])] == ["0", "7"]
    assert [one.get("hotkey") for one in single.control(["0", "cat"])] == [None, None]


def test_forty_hostile_names_stand_in_the_interface_and_the_tasks_as_they_are(tmp_path: Path) -> None:
    assert len(HOSTILE) >= 40
    names = (*HOSTILE, LONG)
    rows = [question(f"i-{name}", name, name, reason=name, words=name) for name in names]
    label_studio.write_tasks(tmp_path / "q.json", handout(*rows, classes=names))
    view = ElementTree.fromstring((tmp_path / "q.xml").read_text())
    label, action = view.findall(".//Choices")
    assert [one.get("alias", one.get("value")) for one in label] == list(names)
    assert [one.get("value") for one in label if "$" not in str(one.get("value"))] == [n for n in names if "$" not in n]
    assert [one.tag for one in (*label, *action)] == ["Choice"] * (len(names) + 3)
    assert {one.tag for one in view.iter()} == {"View", "Header", "Image", "Text", "Choices", "Choice"}
    tasks = json.loads((tmp_path / "q.json").read_text())
    assert [one["data"]["assay_item"] for one in tasks] == [f"i-{name}" for name in names]
    assert [one["predictions"][0]["result"][0]["value"]["choices"] for one in tasks] == [[name] for name in names]


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_any_class_comes_back_from_the_interface(names: list[str]) -> None:
    view = ElementTree.fromstring(label_studio.interface(handout(classes=tuple(names))))
    assert [one.get("alias", one.get("value")) for one in view.findall(".//Choices")[0]] == names


def test_a_name_with_a_dollar_is_no_field_of_the_task_in_what_is_shown() -> None:
    """Label Studio's page puts the field `text` in place of `$text`, also in the answer; an alias is left alone."""
    asked = [one.attrib for one in single.control(["$text", "5 $", "cat"])]
    assert asked == [
        {"value": "$\u2060text", "alias": "$text"},
        {"value": "5 $\u2060", "alias": "5 $"},
        {"value": "cat"},
    ]


def test_the_enter_that_ends_a_text_is_not_part_of_it() -> None:
    assert pairs.spoken({"text": ["one\ntwo\n"]}) == ("one\ntwo",)


@settings(deadline=None)
@given(NAMES)
def test_any_text_comes_back_from_a_region(name: str) -> None:
    assert pairs.spoken(json.loads(json.dumps(pairs.region(pairs.parse(name))))["value"]) == (name,)
    assert single.spoken(json.loads(json.dumps(single.region(label_json(name))))["value"]) == (name,)


# --- reading ---------------------------------------------------------------------------------------------------------


def test_annotations_come_in_the_order_in_which_they_were_given(tmp_path: Path) -> None:
    tasks = [
        task(7, "a", "3f", '"1"', annotation(30, [choice("7")]), annotation(10, [choice("1")])),
        task(8, "b", "3f", '"1"', annotation(20, [choice("1")])),
    ]
    found = list(label_studio.annotated(write(tmp_path / "e.json", tasks)))
    assert [record.source for record in found] == [
        "e.json:task 7, annotation 10",
        "e.json:task 8, annotation 20",
        "e.json:task 7, annotation 30",
    ]
    ops = [record.annotation.op for record in found if record.annotation]
    assert len(set(ops)) == 3 and all(ops)
    again = [record.annotation.op for record in label_studio.annotated(tmp_path / "e.json") if record.annotation]
    assert again == ops


def test_an_annotation_that_was_changed_has_another_op(tmp_path: Path) -> None:
    before = task(7, "a", "3f", '"1"', annotation(1, [choice("7")]))
    after = task(7, "a", "3f", '"1"', annotation(1, [choice("1")], updated_at="2024-05-02T00:00:00Z"))
    first, second = label_studio.annotated(write(tmp_path / "e.json", [before, after]))
    assert first.annotation and second.annotation and first.annotation.op != second.annotation.op


def test_the_image_is_not_kept_of_a_row(tmp_path: Path) -> None:
    one = task(7, "a", "3f", '"1"', annotation(1, [choice("7")]), image="data:image/jpeg;base64," + "A" * 9999)
    (record,) = label_studio.annotated(write(tmp_path / "e.json", [one]))
    assert len(record.raw) < 600 and b'"assay_item": "a"' in record.raw


def test_what_is_asked_in_a_project_is_told_by_item_content_and_label(tmp_path: Path) -> None:
    tasks = [task(7, "a", "3f", '"1"'), task(8, "b", "4f", '"2"'), {"id": 9, "data": {"text": "somebody's own"}}]
    found = label_studio.asked(write(tmp_path / "e.json", tasks))
    assert found == {("a", "3f", '"1"'), ("b", "4f", '"2"'), ("", "", "")}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "File 'e.json' is not JSON: Expecting value in line 1. Export it as JSON or JSON-MIN."),
        ("[{]", "is not JSON: Expecting property name enclosed in double quotes in line 1"),
        ('{"tasks": []}', "File 'e.json' is no list of tasks. Export the project as JSON or JSON-MIN."),
        ("[1]", "is no list of tasks"),
        ("[" * 100_000, "File 'e.json' has more than 64 levels of brackets. Export it again as JSON."),
        ('[{"id": 1, "id": 2}]', "has the key 'id' twice"),
        ('[{"id": NaN}]', "has the value NaN, which JSON does not know"),
        ('[{"id": ' + "1" * 5000 + "}]", "has an integer of 5,000 digits; 4,300 are allowed"),
    ],
)
def test_a_file_that_is_no_export_is_a_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(Mistake) as caught:
        list(label_studio.annotated(write(tmp_path / "e.json", content)))
    assert sentence in str(caught.value)


def test_bytes_that_are_no_text_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "e.json").write_bytes(b'[{"a": "\xff"}]')
    with pytest.raises(Mistake, match="has a byte at 8 that is not UTF-8"):
        list(label_studio.annotated(tmp_path / "e.json"))
