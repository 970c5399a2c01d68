"""Is every row of a file of answers taken, found to be there, empty, or kept aside with a reason?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_answers import AT, CAT, DOG, FOX, ROWS, SAID, answer, make, said

from tasks import answers, exchange, journal, settling, store
from tasks.model import MACHINE, MANIFEST, QUEUE, Mistake, Verdict


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make(tmp_path / "ws")


# --- a file of answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["answers.jsonl", "answers.csv"])
def test_a_file_of_answers_is_taken(workspace: Path, name: str) -> None:
    assert answer(workspace, ROWS, name) == exchange.Outcome(4, 0, ())
    assert said(workspace) == SAID
    kept = next(verdict for verdict in journal.everything(workspace) if verdict.action == "keep")
    assert (kept.seen, kept.at) == ({"revision": None, "y": DOG}, AT)


def test_one_file_of_answers_costs_one_fsync(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(workspace, [{"item": "1-0", "action": "unsure"}])  # the journal is there
    trace = workspace.parent / "trace"
    monkeypatch.setenv("ASSAY_TRACE_OPS", str(trace))
    answer(workspace, ROWS, "more.jsonl")
    assert [line.split(" ", 2)[2] for line in trace.read_text().splitlines()] == ["append ann.jsonl", "fsync ann.jsonl"]


def test_without_an_action_a_label_says_keep_or_relabel_and_nothing_at_all_is_no_answer(workspace: Path) -> None:
    rows = [
        {"item": "1-0", "action": "", "label": "cat"},
        {"item": "1-1", "action": "", "label": "cat"},
        {"item": "1-2", "action": "", "label": " "},
    ]
    assert answer(workspace, rows, "queue.csv") == exchange.Outcome(2, 0, (), unanswered=1)
    assert said(workspace) == [("ann", "item:1-0", "keep", None), ("ann", "item:1-1", "relabel", CAT)]


@pytest.mark.parametrize("name", ["answers.jsonl", "answers.csv"])
def test_the_same_file_twice_is_taken_once(workspace: Path, name: str) -> None:
    answer(workspace, ROWS, name)
    assert answer(workspace, ROWS, name) == exchange.Outcome(0, 4, ())
    journal.transfer(workspace)
    assert answer(workspace, ROWS, name) == exchange.Outcome(0, 4, ())
    assert said(workspace) == SAID


def test_a_file_that_was_filled_in_further_brings_only_what_is_new(workspace: Path) -> None:
    answer(workspace, ROWS[:2])
    assert answer(workspace, ROWS) == exchange.Outcome(2, 2, ())


def test_an_old_file_sent_again_does_not_win_over_a_later_answer(workspace: Path) -> None:
    answer(workspace, [{"item": "1-0", "action": "relabel", "label": "dog"}], "monday.jsonl")
    answer(workspace, [{"item": "1-0", "action": "relabel", "label": "fox"}], "tuesday.jsonl")
    again = answer(workspace, [{"item": "1-0", "action": "relabel", "label": "dog"}], "monday.jsonl")
    assert (again.accepted, again.already) == (0, 1)
    assert answers.state(journal.everything(workspace)).items["1-0"].y == FOX
    rows = [{"item": "1-0", "action": "relabel", "label": "dog", "note": "I was right on Monday"}]
    assert answer(workspace, rows, "wednesday.jsonl").accepted == 1
    assert answers.state(journal.everything(workspace)).items["1-0"].y == DOG


def test_an_answer_that_was_undone_can_be_given_again(workspace: Path) -> None:
    answer(workspace, ROWS[:1], "first.jsonl")
    (first,) = journal.everything(workspace)
    journal.append(workspace, [Verdict("undo", "item:1-0", "undo", "ann", AT, of=first.op)])
    again = [{**ROWS[0], "note": "after all"}]
    assert answer(workspace, again, "second.jsonl").accepted == 1
    assert answers.state(journal.everything(workspace)).items["1-0"].y == DOG


def test_a_row_may_carry_its_own_op_reviewer_and_note(workspace: Path) -> None:
    row = {"item": "1-0", "action": "relabel", "label": "dog", "op": "u-1", "reviewer": "bob", "note": "a, b\n'c'"}
    assert answer(workspace, [row], "a.csv").accepted == 1
    assert answer(workspace, [{**row, "note": "x"}], "b.csv").already == 1
    seen = {"revision": None, "y": CAT}
    first = Verdict("u-1", "item:1-0", "relabel", "bob", AT, y=DOG, note="a, b\n'c'", seen=seen)
    assert answers.read(workspace / ".assay" / "journal") == [first]


def test_keep_means_the_label_that_the_file_shows(workspace: Path) -> None:
    answer(workspace, [{"item": "1-0", "action": "relabel", "label": "dog", "reviewer": "bob"}], "bob.jsonl")
    answer(workspace, [{"item": "1-0", "given": "cat", "action": "keep"}], "old.jsonl")
    item = answers.state(journal.everything(workspace)).items["1-0"]
    assert (item.disputed, item.y, sorted(item.by)) == (True, CAT, ["ann", "bob"])
    answer(workspace, [{"item": "1-0", "y": DOG, "action": "keep"}], "new.jsonl")
    item = answers.state(journal.everything(workspace)).items["1-0"]
    assert (item.disputed, item.y) == (False, DOG)


def test_a_queue_that_went_through_a_spreadsheet_comes_back(workspace: Path) -> None:
    """The item is called `=1+1` and a label `-`: the exported cells have a quote before them."""
    manifest = workspace / "data" / "ingest" / "manifest" / "0001-acme.parquet"
    rows = store.read_table(manifest, MANIFEST)
    rows.loc[0, ["item", "y"]] = ["=1+1", '"-"']
    store.write_table(manifest, MANIFEST, rows)
    store.write_json(workspace / "data" / "validate" / "classes.json", {"classes": ["-", "@x"]})
    row = {
        "item": "=1+1",
        "rank": 1,
        "p_wrong": 0.9,
        "severity": 0.9,
        "checks": "label_noise_v1",
        "reason": "-",
        "y": '"-"',
    }
    queue = store.frame(QUEUE, [{**row, "suggestion": '"@x"'}])
    store.write_table(workspace / "data" / "triage" / "queue.parquet", QUEUE, queue)
    file = workspace.parent / "queue.csv"
    assert exchange.export_queue(workspace, "csv", file) == 1
    header, cells = file.read_text(encoding="utf-8-sig").splitlines()
    assert header.endswith(",action,label")
    assert cells.startswith("'=1+1,'-,'@x,") and cells.endswith(",,")
    assert exchange.answer_file(workspace, file, reviewer="ann", at=AT).unanswered == 1
    file.write_text(f"{header}\n{cells[:-1]},'@x\n", encoding="utf-8-sig")
    assert exchange.answer_file(workspace, file, reviewer="ann", at=AT).accepted == 1
    assert said(workspace) == [("ann", "item:=1+1", "relabel", '"@x"')]


def test_an_answer_keeps_the_p_wrong_that_was_shown_and_a_drawn_row_shows_none(workspace: Path) -> None:
    common = {"severity": 0.9, "reason": "r", "y": CAT, "suggestion": None}
    queue = [
        {"item": "1-0", "rank": 1, "p_wrong": 0.75, "checks": "label_noise_v1,audit_sample_v1", **common},
        {"item": "1-2", "rank": 2, "p_wrong": 0.02, "checks": "audit_sample_v1", **common},
    ]
    store.write_table(workspace / "data" / "triage" / "queue.parquet", QUEUE, store.frame(QUEUE, queue))
    answer(workspace, [{"item": "1-0", "action": "keep"}, {"item": "1-2", "action": "keep"}])
    assert [verdict.seen for verdict in journal.everything(workspace)] == [
        {"revision": None, "y": CAT, "p_wrong": 0.75, "rank": 1, "checks": ["label_noise_v1"]},
        {"revision": None, "y": CAT},
    ]


def test_nobody_answers_under_the_name_of_bulk_changes(workspace: Path) -> None:
    outcome = answer(workspace, [{"item": "1-0", "action": "keep", "reviewer": MACHINE}])
    assert (outcome.accepted, len(outcome.refused)) == (0, 1)
    assert "has reviewer 'assay-apply'. That is the name of bulk changes" in outcome.refused[0]


def test_no_queue_yet_is_a_sentence(workspace: Path) -> None:
    with pytest.raises(Mistake, match=r"No queue in '.*triage'. Run: assay run"):
        exchange.export_queue(workspace, "csv", workspace / "queue.csv")


def test_an_answer_of_another_kind_of_file_or_none_is_a_sentence(workspace: Path) -> None:
    with pytest.raises(Mistake, match=r"has suffix '.xlsx'. Suffixes are: .csv, .tsv, .jsonl, .ndjson"):
        exchange.answer_file(workspace, workspace / "a.xlsx", reviewer="ann", at=AT)
    with pytest.raises(Mistake, match=r"No file '.*a.csv'. Make one to fill in with: assay export csv"):
        exchange.answer_file(workspace, workspace / "a.csv", reviewer="ann", at=AT)
    empty = workspace / "empty.csv"
    empty.write_text("")
    with pytest.raises(Mistake, match=r"File 'empty.csv' is empty"):
        exchange.answer_file(workspace, empty, reviewer="ann", at=AT)


# --- what cannot be taken (case 45) ----------------------------------------------------------------------------------

CLASSES = "Classes are: cat, dog, fox."
ITEMS = "Items are those of the manifest; see: assay export csv FILE."
ACTIONS = "Actions are: keep, relabel, remove, unsure, ambiguous."
SEVERAL = "Ambiguous needs two labels or more, as in 4|9."


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"item": "9-9", "action": "keep"}, f"has item '9-9'. {ITEMS}"),
        ({"item": "", "action": "keep"}, f"has item ''. {ITEMS}"),
        ({"item": "1-0", "action": "keep", "given": "cow"}, f"has given 'cow'. {CLASSES}"),
        ({"item": "1-0", "action": "relabel", "label": "cow"}, f"has label 'cow'. {CLASSES}"),
        ({"item": "1-0", "action": "relabel", "label": "dgo"}, f"has label 'dgo'. {CLASSES}"),
        (
            {"item": "1-0", "action": "", "label": "c\x07w"},
            "has label 'c\\x07w'. The label has the control character '\\x07'.",
        ),
        ({"item": "1-0", "action": "relabel", "label": ""}, "has action 'relabel'. It needs a label."),
        ({"item": "1-0", "action": "agree"}, f"has action 'agree'. {ACTIONS}"),
        ({"item": "1-0", "action": "accept"}, f"has action 'accept'. {ACTIONS}"),
        ({"item": "1-0", "action": "ambiguous", "label": "cat"}, f"has label 'cat'. {SEVERAL}"),
        ({"item": "1-0", "action": "ambiguous", "label": "[cat"}, f"has label '[cat'. {SEVERAL}"),
        ({"item": "1-0", "action": "ambiguous", "label": "cat|cow"}, f"has label 'cow'. {CLASSES}"),
        (
            {"item": "1-0", "action": "keep", "label": "dog"},
            "has label 'dog'. Its action is keep, its given label 'cat'; use relabel, or leave the label empty.",
        ),
        (
            {"item": "1-0", "action": "keep", "reviewer": "Bob"},
            "has reviewer 'Bob'. Up to 40 of a-z 0-9 . _ - are allowed.",
        ),
        (
            {"item": "1-0", "action": "keep", "op": "taken"},
            "has op 'taken'. That op is another answer's; give each its own.",
        ),
    ],
)
def test_an_answer_that_cannot_be_taken_is_kept_aside_with_its_reason(
    workspace: Path, row: dict[str, object], sentence: str
) -> None:
    journal.append(workspace, [Verdict("taken", "item:1-1", "keep", "ann", AT)])
    good = {"item": "1-2", "action": "relabel", "label": "dog"}
    outcome = answer(workspace, [row, good])
    expected = f"Row 'answers.jsonl:1' {sentence}"
    assert (outcome.accepted, outcome.refused) == (1, (expected,))
    assert outcome.kept_aside is not None
    kept = [json.loads(line) for line in outcome.kept_aside.read_text().splitlines()]
    raw = json.dumps(row)
    assert kept == [{"source": "answers.jsonl:1", "raw": raw, "reason": expected, "reviewer": "ann", "at": AT}]
    assert answer(workspace, [row, good]).kept_aside == outcome.kept_aside
    assert len(outcome.kept_aside.read_text().splitlines()) == 1


def test_a_withdrawn_item_takes_no_answer_and_the_reason_says_how_to_take_it_back(workspace: Path) -> None:
    settling.settle(workspace, "row:0001-acme/labels.csv:2", "reject", reviewer="eve", at=AT)
    outcome = answer(workspace, ROWS[:2])
    back = "It was withdrawn; to take it back: assay accept row:0001-acme/labels.csv:2."
    assert outcome.refused == (f"Row 'answers.jsonl:1' has item '1-0'. {back}",)
    assert outcome.accepted == 1
    settling.settle(workspace, "row:0001-acme/labels.csv:2", "accept", reviewer="eve", at=AT)
    assert answer(workspace, ROWS[:2]).accepted == 1


def test_an_item_that_left_with_its_drop_takes_no_answer(workspace: Path) -> None:
    journal.append(workspace, [Verdict("1", "item:0-0", "keep", "ann", AT)])
    outcome = answer(workspace, [{"item": "0-0", "action": "keep"}])
    assert outcome.refused == ("Row 'answers.jsonl:1' has item '0-0'. No drop holds it any more.",)


def test_a_class_that_was_just_accepted_may_be_used(workspace: Path) -> None:
    settling.settle(workspace, "class:dgo", "accept", reviewer="ann", at=AT)
    assert answer(workspace, [{"item": "1-0", "action": "relabel", "label": "dgo"}]).accepted == 1


def test_a_faulty_row_is_refused_and_the_others_are_taken(workspace: Path) -> None:
    file = workspace.parent / "bad.csv"
    file.write_bytes(b"item,action,label\n1-0,keep\n1-1,keep,\n1-2,keep,\xff\n")
    outcome = exchange.answer_file(workspace, file, reviewer="ann", at=AT)
    assert outcome.accepted == 1
    assert [sentence.split(". ")[0] for sentence in outcome.refused] == [
        "Row 'bad.csv:2' has 2 fields",
        "Row 'bad.csv:4' has byte 0xFF at offset 46 of the file, which is not UTF-8.",
    ]


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".jsonl"]))
def test_no_file_gives_anything_but_answers_and_sentences(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    workspace = make(tmp_path_factory.mktemp("any") / "ws")
    file = workspace / f"any{suffix}"
    for start in (b"", b"item,action,label\n1-0,", b'{"item":"1-0","action":"'):
        file.write_bytes(start + content)
        try:
            outcome = exchange.answer_file(workspace, file, reviewer="ann", at=AT)
        except Mistake as mistake:
            assert "any" in str(mistake)
        else:
            assert all("Row 'any" in sentence for sentence in outcome.refused)
            again = exchange.answer_file(workspace, file, reviewer="ann", at=AT)
            assert (again.accepted, again.refused) == (0, outcome.refused)
