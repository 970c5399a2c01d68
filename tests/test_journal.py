"""Is an acknowledged answer in the record for ever, exactly once, whatever is killed and however often it is sent?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from crash import forked, go_through
from toy_answers import AT, ROWS, SAID, keep, make, said, sheet

from tasks import answers, durable, exchange, journal, settling
from tasks.model import Mistake, Verdict


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make(tmp_path / "ws")


# --- append, pending, transfer ---------------------------------------------------------------------------------------


def test_the_same_op_is_written_once(workspace: Path) -> None:
    assert journal.append(workspace, [keep("1"), keep("2"), keep("1")]) == 2
    assert journal.append(workspace, [keep("2"), keep("3")]) == 1
    assert answers.read(workspace / ".assay" / "journal") == [keep("1"), keep("2"), keep("3")]


def test_an_op_that_was_taken_into_the_record_is_not_written_again(workspace: Path) -> None:
    journal.append(workspace, [keep("1")])
    journal.transfer(workspace)
    (workspace / ".assay" / "journal" / "ann.jsonl").unlink()
    assert journal.append(workspace, [keep("1")]) == 0


def test_an_op_of_another_reviewer_is_refused_and_nothing_is_written(workspace: Path) -> None:
    journal.append(workspace, [keep("1")])
    with pytest.raises(Mistake, match="Answer '1' has an op that is another reviewer's"):
        journal.append(workspace, [keep("2", "bob"), keep("1", "bob")])
    assert said(workspace) == [("ann", "item:1-0", "keep", None)]


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "Ann", "-x", "a b", "x" * 41, "é"])
def test_a_reviewers_name_is_a_safe_file_name(workspace: Path, name: str) -> None:
    with pytest.raises(Mistake, match=r"is not a name for a log\. Up to 40 of a-z 0-9"):
        journal.append(workspace, [keep("1", name)])
    assert [path.name for path in (workspace / ".assay").rglob("*")] == ["journal", "lock"]


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (Verdict("1", "item:a", "relabel", "ann", AT), "lacks the field 'y'"),
        (Verdict("1", "item:a", "shout", "ann", AT), "has action 'shout'"),
        (Verdict("1", "item:a", "keep", "ann", "noon"), "time 'noon' is not ISO 8601"),
        (Verdict("1", "item:a", "keep", "ann", AT, note="\ud800"), "surrogates not allowed"),
    ],
)
def test_what_no_reader_would_take_is_never_written(workspace: Path, verdict: Verdict, reason: str) -> None:
    with pytest.raises(Mistake, match=reason):
        journal.append(workspace, [keep("0"), verdict])
    assert said(workspace) == []


def test_transfer_copies_whole_lines_once(workspace: Path) -> None:
    journal.append(workspace, [keep("1"), keep("2"), keep("3", "bob")])
    lines = {
        "ann": answers.line(keep("1")) + answers.line(keep("2")),
        "bob": answers.line(keep("3", "bob")),
    }
    assert journal.pending(workspace) == lines
    assert journal.transfer(workspace) == 3
    assert journal.pending(workspace) == {}
    assert journal.transfer(workspace) == 0
    taken = {path.stem: path.read_bytes() for path in (workspace / "data" / "verdicts").glob("*.jsonl")}
    assert taken == lines


def test_a_record_that_was_set_back_is_filled_again_from_the_journal(workspace: Path) -> None:
    journal.append(workspace, [keep("1"), keep("2")])
    journal.transfer(workspace)
    (workspace / "data" / "verdicts" / "ann.jsonl").write_bytes(answers.line(keep("1")))  # git reset
    assert journal.pending(workspace) == {"ann": answers.line(keep("2"))}
    journal.transfer(workspace)
    assert answers.read(workspace / "data" / "verdicts") == [keep("1"), keep("2")]


def test_a_torn_line_is_not_taken_and_the_next_append_cuts_it(workspace: Path) -> None:
    journal.append(workspace, [keep("1")])
    with open(workspace / ".assay" / "journal" / "ann.jsonl", "ab") as log:
        log.write(answers.line(keep("2"))[:-9])
    assert journal.pending(workspace) == {"ann": answers.line(keep("1"))}
    journal.append(workspace, [keep("3")])
    assert answers.read(workspace / ".assay" / "journal") == [keep("1"), keep("3")]


# --- accept and reject -----------------------------------------------------------------------------------------------


def test_what_the_gate_holds_is_settled_once(workspace: Path) -> None:
    settle = [
        settling.settle(workspace, subject, action, reviewer="ann", at=AT)
        for subject, action in [
            ("class:dgo", "accept"),
            ("class:dgo", "accept"),
            ("class:dgo", "reject"),
            ("class:dgo", "accept"),
            ("drop:0001-acme", "reject"),
            ("1-2", "reject"),
        ]
    ]
    assert settle == [1, 0, 1, 1, 1, 1]
    subjects = answers.state(journal.everything(workspace)).subjects
    assert subjects == {"class:dgo": "accept", "drop:0001-acme": "reject", "item:1-2": "reject"}


@pytest.mark.parametrize("subject", ["class:cow", "drop:0002-x", "row:0001-acme/labels.csv:99", "9-9", "item:9-9"])
def test_an_unknown_subject_is_a_sentence_that_lists_what_is_held(workspace: Path, subject: str) -> None:
    full = subject if ":" in subject else f"item:{subject}"
    with pytest.raises(Mistake, match=f"^Unknown subject '{full}'. A subject is one of .* Held are: class:dgo.$"):
        settling.settle(workspace, subject, "accept", reviewer="ann", at=AT)


# --- crashes and company ---------------------------------------------------------------------------------------------


def test_several_processes_with_the_same_answers_write_each_once(workspace: Path) -> None:
    """A double click, a retry and two tabs (case 44)."""
    file = sheet(workspace, ROWS)
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                for _ in range(3):
                    exchange.answer_file(workspace, file, reviewer="ann", at=AT)
                    journal.transfer(workspace)
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0, 0]
    assert said(workspace) == SAID
    for folder in (workspace / ".assay" / "journal", workspace / "data" / "verdicts"):
        assert len((folder / "ann.jsonl").read_bytes().splitlines()) == len(ROWS)


@pytest.mark.kills
def test_kill_9_at_every_operation_loses_no_acknowledged_answer_and_doubles_none(tmp_path: Path) -> None:
    workspace = make(tmp_path / "ws")
    journal.append(workspace, [keep("before"), keep("bobs", "bob")])
    refused = {"item": "9-9", "action": "keep"}
    sheet(workspace, [*ROWS, {**ROWS[0], "label": "fox", "reviewer": "bob"}, refused])
    before = {"before", "bobs"}

    def take(root: Path) -> None:
        file = root.parent / "answers.jsonl"
        exchange.answer_file(root, file, reviewer="ann", at=AT)
        (root.parent / "acknowledged").write_text("yes")
        journal.transfer(root)

    def once(folder: Path) -> list[str]:
        ops = [verdict.op for path in folder.glob("*.jsonl") for _, verdict in answers.read_log(path)]
        return [f"{folder.name} has an op twice"] * (len(set(ops)) < len(ops))

    def at_rest(root: Path) -> list[str]:
        there = journal.everything(root)
        acknowledged = (root.parent / "acknowledged").exists()
        lost = not before <= {v.op for v in there} or (acknowledged and len(there) != 7)
        problems = once(root / ".assay" / "journal") + once(root / "data" / "verdicts")
        return [*problems, "an acknowledged answer is lost"] if lost else problems

    def when_done(root: Path) -> list[str]:
        taken = answers.read(root / "data" / "verdicts")
        problems = at_rest(root) + [f"{len(taken)} answers instead of 7"] * (len(taken) != 7)
        aside = [path.read_text().count("\n") for path in (root / ".assay" / "journal" / "refused").glob("*.jsonl")]
        return problems + ["the refused answer is not kept aside once"] * (aside != [1])

    points, problems = go_through(workspace, take, at_rest=at_rest, when_done=when_done)
    assert problems == []
    assert points >= 10


def test_an_append_that_forgets_the_fsync_is_found_by_the_trace(workspace: Path) -> None:
    """The order of operations is: the line, its fsync, and for a new log the folder's."""
    trace = workspace.parent / "trace"

    def work() -> None:
        os.environ["ASSAY_TRACE_OPS"] = str(trace)
        durable.restart_count()
        journal.append(workspace, [keep("1")])

    assert forked(work) == ""
    steps = [line.split(" ", 2)[1:] for line in trace.read_text().splitlines()]
    assert steps == [["1", "append ann.jsonl"], ["2", "fsync ann.jsonl"], ["3", "fsync-folder journal"]]
