"""Is a mistake in receive, answer or revise found by the kills? Broken on purpose: their zero must prove something."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import crash
import pytest
from chain_looks import answered_once, no_answer_lost, no_half_drop, no_half_table, received_once
from toy_chain import (
    NEW,
    answer,
    answered,
    make_revision,
    stages_run_here,
    start,
    steps_of,
    take_bolt,
    undisturbed,
    unsynced_drop,
)

from tasks import durable, journal, receipts, revise, store
from tasks.model import Report

__all__ = ["answered", "stages_run_here", "start"]

pytestmark = [
    pytest.mark.kills,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
]


def found(problems: list[str], sentence: str) -> bool:
    return any(sentence in problem for problem in problems)


def _file_by_file(last: str) -> Callable[[Path, Path], None]:
    """A folder that is filled where it is read, its file `last` last."""

    def move(staged: Path, final: Path) -> None:
        final.mkdir(parents=True, exist_ok=True)
        for path in sorted(staged.iterdir(), key=lambda path: (path.name == last, path.name)):
            durable.step(f"move {path.name}")
            os.rename(path, final / path.name)
        staged.rmdir()

    return move


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        ("receipt.json", "(move labels.parquet): 0002-bolt is half there: No file"),
        ("labels.parquet", "(move labels.parquet): 0002-bolt lacks labels.parquet"),  # the receipt comes too early
    ],
)
def test_planted_filling_a_drop_in_its_place_is_found(
    start: Path, monkeypatch: pytest.MonkeyPatch, last: str, sentence: str
) -> None:
    monkeypatch.setattr(durable, "move_into_place", _file_by_file(last))
    _, problems = crash.go_through(
        start, take_bolt, at_rest=no_half_drop, when_done=lambda _: [], only=lambda name: name == "move labels.parquet"
    )
    assert found(problems, sentence), problems


def test_planted_receiving_what_is_known_again_is_found(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "known", lambda drops, content: None)
    done = received_once(undisturbed(start, take_bolt, "data/drops"))
    _, problems = crash.go_through(
        start, take_bolt, at_rest=no_half_drop, when_done=done, only=lambda name: name.startswith("fsync-folder drops")
    )
    assert found(problems, "'data/drops/0003-bolt/receipt.json'"), problems


def test_planted_leaving_things_behind_is_found(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "sweep", lambda folder: [])
    done = received_once(undisturbed(start, take_bolt, "data/drops"))
    _, problems = crash.go_through(
        start, take_bolt, at_rest=no_half_drop, when_done=done, only=lambda name: name.startswith("rename")
    )
    assert found(problems, "(rename-folder 0002-bolt): then .assay/staging/.0002-bolt.tmp-"), problems
    assert found(problems, "(rename bolt-"), problems  # in .assay/cache/receive


def test_planted_naming_a_drop_before_its_files_are_on_the_disk_is_found(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "sync_file", lambda path: None)
    steps = steps_of(start, take_bolt)
    assert unsynced_drop(steps) == ["assets-0000.parquet", "labels.parquet", "receipt.json"]
    assert "labels.parquet is renamed before its bytes are on the disk" in crash.lost_by_power(steps)


def test_planted_acknowledging_before_the_fsync_is_found(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def append(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.step(f"append {path.name}")
        with open(path, "ab") as log:
            log.write(content)

    monkeypatch.setattr(durable, "append", append)
    lost = crash.lost_by_power(steps_of(start, answer))
    assert "the bytes of ann.jsonl are not on the disk at 'acknowledge answers.jsonl'" in lost


def test_planted_acknowledging_before_the_append_is_found(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[tuple[Path, bytes]] = []
    append, transfer = durable.append, journal.transfer

    def then_write(workspace: Path) -> int:
        with monkeypatch.context() as patch:
            patch.setattr(durable, "append", append)
            for path, content in waiting:
                durable.append(path, content)
            waiting.clear()
            return transfer(workspace)

    monkeypatch.setattr(durable, "append", lambda path, content: waiting.append((path, content)))
    monkeypatch.setattr(journal, "transfer", then_write)
    _, problems = crash.go_through(start, answer, at_rest=no_answer_lost, when_done=lambda _: [])
    lost = "(append ann.jsonl): an acknowledged answer is lost: ('ann', 'item:a', 'relabel')"
    assert found(problems, lost), problems


def test_planted_taking_answers_without_asking_what_was_taken_is_found(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def every_line(workspace: Path) -> dict[str, bytes]:
        return {path.stem: path.read_bytes() for path in sorted((workspace / ".assay" / "journal").glob("*.jsonl"))}

    monkeypatch.setattr(journal, "pending", every_line)
    _, problems = crash.go_through(
        start, answer, at_rest=no_answer_lost, when_done=no_answer_lost, only=lambda name: name == "git commit"
    )
    assert found(problems, "then data/verdicts has an answer twice"), problems


def test_planted_appending_refused_rows_is_found(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = answered_once(undisturbed(start, answer, "data/verdicts", ".assay/journal/refused"))
    monkeypatch.setattr(durable, "write_bytes", durable.append)
    _, problems = crash.go_through(
        start, answer, at_rest=no_answer_lost, when_done=done, only=lambda name: name.startswith("acknowledge")
    )
    assert found(problems, "then the refused row is kept 2 times"), problems


def test_planted_filling_the_table_in_its_place_is_found(answered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "move_into_place", _file_by_file("removed.parquet"))
    _, problems = crash.go_through(
        answered,
        make_revision,
        at_rest=no_half_table,
        when_done=lambda _: [],
        only=lambda name: name.startswith("move removed"),
    )
    assert found(problems, "(move removed.parquet): data/revise is half there: No file"), problems


def test_planted_reporting_before_the_table_is_there_is_found(answered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = revise.run

    def report_first(folder: Path, params: revise.Params) -> Report:
        store.write_report(folder / "revise.json", Report("revise", counts={"items": len(NEW)}))
        return run(folder, params)

    monkeypatch.setattr(revise, "run", report_first)
    _, problems = crash.go_through(
        answered,
        make_revision,
        at_rest=no_half_table,
        when_done=lambda _: [],
        only=lambda name: name == "rename-folder revise",
    )
    assert found(problems, "(rename-folder revise): there is a report without a table"), problems
