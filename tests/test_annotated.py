"""Is each annotation of a Label Studio export taken once, found to be there, or left or refused with its reason?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_answers import AT, CAT, DOG, make, said
from toy_label_studio import HOSTILE, annotation, choice, flat, task, text, write

from tasks import annotated, answers, exchange, journal, settling, store
from tasks.model import MANIFEST, QUEUE, Mistake, Verdict, label_json

RECORDED = Path(__file__).parent / "label_studio_export.json"  # of a real server, answered in its own page
GIVEN = [CAT, DOG, CAT, '"fox"']  # of the toy's items 1-0 to 1-3


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make(tmp_path / "ws")


def asset(n: int) -> str:
    return f"{1:032x}{n:032x}"


def about(n: int, *annotations: Any, **data: Any) -> dict[str, Any]:
    return task(100 + n, f"1-{n}", asset(n), GIVEN[n], *annotations, **data)


def take(workspace: Path, tasks: Any, name: str = "export.json", **people: Any) -> exchange.Outcome:
    file = write(workspace.parent / name, tasks)
    return exchange.answer_file(workspace, file, reviewer="ann", at=AT, **people)


def test_choices_become_answers_with_their_time_and_what_was_shown(workspace: Path) -> None:
    tasks = [
        about(0, annotation(1, [choice("dog")]), assay_revision="dataset@v1.2.0"),
        about(1, annotation(2, [choice("dog")])),
        about(2, annotation(3, [choice("cat", "fox")])),
        about(3, annotation(4, [choice("cat"), choice("remove", control="action")])),
    ]
    assert take(workspace, tasks) == exchange.Outcome(4, 0, ())
    assert said(workspace) == [
        ("ann", "item:1-0", "relabel", DOG),
        ("ann", "item:1-1", "keep", None),
        ("ann", "item:1-2", "ambiguous", '["cat","fox"]'),
        ("ann", "item:1-3", "remove", None),
    ]
    first = journal.everything(workspace)[0]
    assert first.at == "2024-05-01T09:00:01.000000Z"
    assert first.seen == {"revision": "dataset@v1.2.0", "y": CAT}


def test_a_suggestion_that_nobody_touched_does_not_count_beside_keep_or_unsure(workspace: Path) -> None:
    prefilled = choice("dog", origin="prediction")
    tasks = [
        about(0, annotation(1, [prefilled, choice("keep", control="action")])),
        about(2, annotation(2, [prefilled, choice("unsure", control="action")])),
        about(3, annotation(3, [choice("dog"), choice("keep", control="action")])),
    ]
    outcome = take(workspace, tasks)
    assert said(workspace) == [("ann", "item:1-0", "keep", None), ("ann", "item:1-2", "unsure", None)]
    assert outcome.refused == (
        "Row 'export.json:task 103, annotation 3' has label 'dog'. Its action is keep, its given label 'fox'; "
        "use relabel, or leave the label empty.",
    )


def test_the_same_annotation_is_taken_once_from_whatever_file(workspace: Path) -> None:
    tasks = [about(0, annotation(1, [choice("dog")])), about(1, annotation(2, [choice("dog")]))]
    assert take(workspace, tasks) == exchange.Outcome(2, 0, ())
    assert take(workspace, tasks, "again.json") == exchange.Outcome(0, 2, ())
    flat_ = [flat(100, "1-0", asset(0), CAT, 1, label="dog"), flat(101, "1-1", asset(1), DOG, 2, label="dog")]
    assert take(workspace, flat_, "min.json") == exchange.Outcome(0, 2, ())
    journal.transfer(workspace)
    assert take(workspace, tasks) == exchange.Outcome(0, 2, ())
    assert len(said(workspace)) == 2


def test_json_min_is_read_too(workspace: Path) -> None:
    rows = [
        flat(100, "1-0", asset(0), CAT, 1, label="dog"),
        flat(101, "1-1", asset(1), DOG, 2, action="unsure"),
        flat(102, "1-2", asset(2), CAT, 3, label={"choices": ["cat", "fox"]}),
        flat(103, "1-3", asset(3), GIVEN[3], None),
    ]
    outcome = take(workspace, rows)
    assert (outcome.accepted, outcome.unanswered, outcome.refused) == (3, 1, ())
    assert outcome.notes == ("Row 'export.json:task 103' has no annotation.",)
    assert [action for _, _, action, _ in said(workspace)] == ["relabel", "unsure", "ambiguous"]


def test_an_annotation_that_was_changed_there_supersedes_and_an_old_export_does_not_win(workspace: Path) -> None:
    monday = [about(0, annotation(1, [choice("dog")]))]
    tuesday = [about(0, annotation(1, [choice("fox")], updated_at="2024-05-01T09:30:00Z"))]
    take(workspace, monday, "monday.json")
    assert take(workspace, tuesday, "tuesday.json").accepted == 1
    assert take(workspace, monday, "monday.json") == exchange.Outcome(0, 1, ())
    assert answers.state(journal.everything(workspace)).items["1-0"].y == '"fox"'


def test_what_somebody_has_said_here_since_is_not_overtaken_by_an_older_annotation(workspace: Path) -> None:
    journal.append(workspace, [Verdict("later", "item:1-0", "keep", "ann", AT, seen={"revision": None, "y": CAT})])
    outcome = take(workspace, [about(0, annotation(1, [choice("dog")]))])
    assert (outcome.accepted, outcome.already) == (0, 1)
    assert outcome.notes == (
        "Row 'export.json:task 100, annotation 1' is older than what ann has said since of that item.",
    )
    assert said(workspace) == [("ann", "item:1-0", "keep", None)]


def test_a_clock_that_runs_ahead_is_not_believed(workspace: Path) -> None:
    take(workspace, [about(0, annotation(1, [choice("dog")], updated_at="2999-01-01T00:00:00Z"))])
    assert journal.everything(workspace)[0].at == AT


def test_what_people_did_in_the_real_page_is_read_from_both_of_its_exports(workspace: Path) -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    (workspace / "params.yaml").write_text("task: {modality: text, kind: pairs}\n")
    manifest = workspace / "data" / "ingest" / "manifest" / "0001-acme.parquet"
    rows = store.read_table(manifest, MANIFEST)
    for column, key in (("item", "assay_item"), ("asset", "assay_asset"), ("y", "assay_given")):
        rows[column] = [one["data"][key] for one in recorded["JSON"]]
    store.write_table(manifest, MANIFEST, rows)
    items = list(rows["item"])
    now: dict[str, Any] = {"reviewer": "ann", "at": "2026-11-22T00:00:00Z"}
    outcome = exchange.answer_file(workspace, write(workspace / "a.json", recorded["JSON"]), **now)
    assert (outcome.accepted, outcome.unanswered, outcome.refused) == (3, 1, ())
    assert said(workspace) == [
        ("ann", f"item:{items[0]}", "keep", None),
        ("ann", f"item:{items[1]}", "relabel", '"Le chat <b>noir</b> dort."'),
        ("ann", f"item:{items[3]}", "relabel", '"Une phrase <i>juste</i>."'),
    ]
    outcome = exchange.answer_file(workspace, write(workspace / "b.json", recorded["JSON_MIN"]), **now)
    assert (outcome.accepted, outcome.already, outcome.unanswered) == (0, 2, 0), "it is silent about who skipped"
    assert "Its action is keep, its given label 'En hiver" in outcome.refused[0]


# --- what is no answer -----------------------------------------------------------------------------------------------


def test_tasks_without_annotation_skipped_ones_and_empty_ones_are_left_with_their_reason(workspace: Path) -> None:
    tasks = [
        about(0),
        about(1, annotation(1, [choice("cat")], was_cancelled=True)),
        about(2, annotation(2, [])),
        about(3, annotation(3, [choice("x", control="comment")])),
    ]
    assert take(workspace, tasks) == exchange.Outcome(
        0,
        0,
        (),
        unanswered=4,
        notes=(
            "Row 'export.json:task 100' has no annotation.",
            "Row 'export.json:task 101, annotation 1' was skipped in Label Studio.",
            "Row 'export.json:task 102, annotation 2' was submitted without an answer.",
            "Row 'export.json:task 103, annotation 3' answers comment only; the controls that count are label and "
            "action.",
        ),
    )
    assert said(workspace) == []


# --- people ----------------------------------------------------------------------------------------------------------


def test_several_people_are_each_themselves_when_they_are_named_and_differ_openly(workspace: Path) -> None:
    tasks = [
        about(0, annotation(1, [choice("dog")], by=7), annotation(2, [choice("fox")], by={"id": 9, "email": "B@x.org"}))
    ]
    people = annotated.people(["7=maria", "b@x.org=bob"])
    assert take(workspace, tasks, people=people).accepted == 2
    assert [who for who, *_ in said(workspace)] == ["maria", "bob"]
    assert answers.state(journal.everything(workspace)).items["1-0"].disputed


def test_people_without_a_name_are_refused_rather_than_taken_for_one(workspace: Path) -> None:
    tasks = [about(0, annotation(1, [choice("dog")], by=7), annotation(2, [choice("fox")], by=9))]
    outcome = take(workspace, tasks, addresses={"9": "bob@x.org"})
    assert outcome.refused == (
        "Row 'export.json:task 100, annotation 1' has annotator '7'. 2 people have no name here. Name each: "
        "--person 7=NAME.",
        "Row 'export.json:task 100, annotation 2' has annotator 'bob@x.org'. 2 people have no name here. Name each: "
        "--person bob@x.org=NAME.",
    )
    assert said(workspace) == []


def test_the_one_person_who_is_not_named_is_the_reviewer(workspace: Path) -> None:
    tasks = [about(0, annotation(1, [choice("dog")], by=7), annotation(2, [choice("fox")], by=9))]
    assert take(workspace, tasks, people={"9": "bob"}).accepted == 2
    assert [who for who, *_ in said(workspace)] == ["ann", "bob"]


def test_an_export_that_is_taken_under_two_names_is_refused_the_second_time(workspace: Path) -> None:
    tasks = [about(0, annotation(1, [choice("dog")]))]
    take(workspace, tasks)
    file = workspace.parent / "export.json"
    outcome = exchange.answer_file(workspace, file, reviewer="bob", at=AT)
    assert outcome.accepted == 0 and "That op is another answer's" in outcome.refused[0]


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ("maria", "Person 'maria' is not WHO=NAME"),
        ("=maria", "is not WHO=NAME"),
        ("7=Maria", "Reviewer 'Maria' is not a name for a log"),
        ("7=../x", "is not a name for a log"),
    ],
)
def test_a_person_that_is_no_pair_is_a_sentence(pair: str, sentence: str) -> None:
    with pytest.raises(Mistake) as caught:
        annotated.people([pair])
    assert sentence in str(caught.value)


def test_a_person_who_is_named_twice_is_a_sentence() -> None:
    with pytest.raises(Mistake, match=r"Person '7' is named twice: maria and bob\. Name each once\."):
        annotated.people(["7=maria", "7=bob"])


# --- what cannot be taken --------------------------------------------------------------------------------------------

AGAIN = "Hand it out again: assay export label-studio FILE."
CHANGED = "f" * 64


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (about(0, annotation(1, [choice("cow")])), "has label 'cow'. Classes are: cat, dog, fox."),
        (
            about(0, annotation(1, [choice("cow"), choice("keep", control="action")])),
            "has label 'cow'. Classes are: cat, dog, fox.",
        ),
        (
            task(100, "9-9", asset(0), CAT, annotation(1, [choice("dog")])),
            "has item '9-9'. Items are those of the manifest; see: assay export csv FILE.",
        ),
        (
            task(100, "", asset(0), CAT, annotation(1, [choice("dog")])),
            f"has assay_item ''. Its data does not say which item it is. {AGAIN}",
        ),
        (
            task(100, "1-0", CHANGED, CAT, annotation(1, [choice("dog")])),
            f"has assay_asset '{CHANGED[:60]}...'. The item's content is now 000000000000..: it is another than was "
            f"shown. {AGAIN}",
        ),
        (task(100, "1-0", "", CAT, annotation(1, [choice("dog")])), "has assay_asset ''. The item's content is now"),
        (about(0, annotation(1, [choice("dog")]), assay_given='"cow"'), "has seen '\"cow\"'. Classes are:"),
        (
            about(0, annotation(1, [choice("dog")]), assay_revision="v1"),
            "has assay_revision 'v1'. Revisions are as in dataset@v1.2.3.",
        ),
        (about(0, annotation(1, [choice("dog")], updated_at="noon")), "has updated_at 'noon'. ISO 8601 is allowed."),
        (
            about(0, annotation(1, [choice("dog")], updated_at=None)),
            "has id ''. Number, created_at and updated_at of the annotation are needed.",
        ),
        (
            about(0, annotation(1, [choice("agree", control="action")])),
            "has action 'agree'. Actions are: keep, relabel, remove, unsure, ambiguous.",
        ),
        (
            about(0, annotation(1, [choice("keep", "remove", control="action")])),
            "has action 'keep, remove'. One of keep, unsure, remove is allowed.",
        ),
        (about(0, annotation(1, [text("dog")])), "has label '{'text': ['dog']}'. It is no choice among classes."),
        (
            about(0, annotation(1, [{"from_name": "label", "type": "rectanglelabels", "value": {"x": 1}}])),
            "has label '{'x': '1'}'. It is no choice among classes.",
        ),
        (about(0, annotation(1, [choice("c\x07w")])), "has label 'c\\x07w'. The label has the control character"),
        (about(0, annotation(1, [choice("\ud800")])), "has label '\\ud800'. The label has the control character"),
    ],
)
def test_an_annotation_that_cannot_be_taken_is_kept_aside_with_its_reason(
    workspace: Path, row: dict[str, Any], sentence: str
) -> None:
    outcome = take(workspace, [row, about(2, annotation(9, [choice("dog")]))])
    assert (outcome.accepted, len(outcome.refused)) == (1, 1)
    assert outcome.refused[0].startswith("Row 'export.json:task 100, annotation 1' ")
    assert sentence in outcome.refused[0]
    assert outcome.kept_aside is not None
    (kept,) = [json.loads(line) for line in outcome.kept_aside.read_text().splitlines()]
    assert kept["reason"] == outcome.refused[0] and '"annotation"' in kept["raw"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"id": 1, "text": "x"}, "Row 'export.json:task 1' has no 'data' with 'annotations'"),
        ({"data": {}}, "Row 'export.json:task number 1' has no 'data' with 'annotations'"),
        ({"id": 1, "data": {}, "annotations": [7]}, "has an annotation that is no JSON object"),
        ({"id": 1, "data": {}, "annotations": [{"id": 2, "result": "x"}]}, "has a result that is no list of regions"),
        ({"id": 1, "data": {}, "annotations": [{"id": 2, "result": [1]}]}, "has a result that is no list of regions"),
    ],
)
def test_a_row_that_is_no_task_is_refused_by_its_number(workspace: Path, row: dict[str, Any], sentence: str) -> None:
    outcome = take(workspace, [row])
    assert len(outcome.refused) == 1 and sentence in outcome.refused[0]
    assert outcome.refused[0].endswith("Export the project as JSON or JSON-MIN.")


def test_a_withdrawn_item_takes_no_annotation(workspace: Path) -> None:
    settling.settle(workspace, "item:1-0", "reject", reviewer="eve", at=AT)
    outcome = take(workspace, [about(0, annotation(1, [choice("dog")]))])
    assert "It was withdrawn; to take it back: assay accept item:1-0." in outcome.refused[0]


def test_hostile_names_of_classes_and_people_come_back_as_they_are_or_are_refused(workspace: Path) -> None:
    store.write_json(workspace / "data" / "validate" / "classes.json", {"version": "1", "classes": list(HOSTILE)})
    rows = []
    for n, name in enumerate(HOSTILE):
        at = f"2024-05-01T08:{n:02d}:00Z"
        rows.append(about(0, annotation(n, [choice(name)], updated_at=at), assay_given=CAT))
    outcome = take(workspace, rows)
    assert (outcome.accepted, outcome.refused) == (len(HOSTILE), ())
    assert [one.y for one in journal.everything(workspace)] == [label_json(name) for name in HOSTILE]
    others = [about(1, annotation(n, [choice("dog")], by=name)) for n, name in enumerate(HOSTILE)]
    refused = take(workspace, others, "others.json").refused
    assert len(refused) == len(HOSTILE) and all(sentence.isprintable() for sentence in refused)


def test_pairs_are_answered_with_a_text_or_without(workspace: Path) -> None:
    (workspace / "params.yaml").write_text("task: {modality: text, kind: pairs}\n")
    tasks = [
        about(0, annotation(1, [text("der rote\nHund =1+1")])),
        about(1, annotation(2, [choice("keep", control="action")])),
        about(2, annotation(3, [text("cat")])),
        about(3, annotation(4, [text("ein Fuchs", "der Fuchs")])),
    ]
    assert take(workspace, tasks) == exchange.Outcome(4, 0, ())
    assert said(workspace) == [
        ("ann", "item:1-0", "relabel", '"der rote\\nHund =1+1"'),
        ("ann", "item:1-1", "keep", None),
        ("ann", "item:1-2", "keep", None),
        ("ann", "item:1-3", "ambiguous", '["ein Fuchs","der Fuchs"]'),
    ]


KEYS = "id data annotations result value choices from_name assay_item annotation_id label".split()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=80, deadline=None)
@given(rows=JSON)
def test_no_json_gives_anything_but_answers_and_sentences(tmp_path_factory: pytest.TempPathFactory, rows: Any) -> None:
    workspace = make(tmp_path_factory.mktemp("any") / "ws")
    for content in (rows, [rows], [about(0, rows)], [about(0, {"id": 1, "result": rows})]):
        try:
            outcome = take(workspace, content)
        except Mistake as mistake:
            assert "export.json" in str(mistake)
        else:
            assert all("Row 'export.json:task" in sentence for sentence in outcome.refused)
            assert outcome.accepted == 0


def test_no_queue_yet_is_a_sentence(workspace: Path) -> None:
    with pytest.raises(Mistake, match=r"No queue in '.*triage'. Run: assay run"):
        exchange.export_queue(workspace, "label-studio", workspace / "queue.json")


def test_a_format_that_is_none_names_those_that_are(workspace: Path) -> None:
    store.write_table(workspace / "data" / "triage" / "queue.parquet", QUEUE, store.frame(QUEUE))
    with pytest.raises(Mistake, match=r"Unknown format 'xls'\. Formats are: csv, jsonl, label-studio\."):
        exchange.export_queue(workspace, "xls", workspace / "queue.xls")
