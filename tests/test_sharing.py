"""Drops, answers and runs enter the record: one commit each, exactly their files."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_workspace as toy

from tasks import answers, durable, sample, store, versions
from tasks.model import SAMPLE, Verdict
from tasks.versions import git


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    return toy.make(tmp_path / "ws")


def test_sharing_a_drop_commits_exactly_its_files_and_sends_its_bytes(ws: Path) -> None:
    toy.pack(ws, "0001-a", {"a" * 64: b"one"})
    assert versions.unshared_drops(ws) == ["0001-a"]
    assert versions.share_drop(ws, "0001-a") is True
    assert versions.unshared_drops(ws) == []
    assert toy.messages(ws)[0] == "receive: 0001-a"
    assert git.git(ws, "show", "--name-only", "--format=").split() == ["data/drops/.gitignore", "data/drops/0001-a.dvc"]
    assert len(list((ws / ".assay" / "remote" / "files").rglob("*/*/*"))) == 3  # the shard, the receipt, the list
    before = toy.messages(ws)
    assert versions.share_drop(ws, "0001-a") is True
    assert toy.messages(ws) == before


def test_a_drop_whose_remote_is_dead_is_committed_and_waits(ws: Path) -> None:
    (ws / ".assay" / "remote").write_text("in the way")
    toy.pack(ws, "0001-a", {"a" * 64: b"one"})
    assert versions.share_drop(ws, "0001-a") is False
    assert toy.messages(ws)[0] == "receive: 0001-a"


def test_answers_are_taken_once_and_counted_by_line(ws: Path) -> None:
    journal = ws / ".assay" / "journal" / "ann.jsonl"
    verdicts = [
        Verdict(op=str(n), subject=f"item:i{n}", action="keep", reviewer="ann", at="2026-01-01") for n in (1, 2, 3)
    ]
    durable.append(journal, b"".join(answers.line(verdict) for verdict in verdicts[:2]))
    assert versions.take_answers(ws) == 2
    durable.append(journal, answers.line(verdicts[2]))
    assert versions.take_answers(ws) == 1
    assert versions.take_answers(ws) == 0
    assert toy.messages(ws)[:2] == ["answers: 1", "answers: 2"]
    assert [verdict.op for verdict in answers.read(ws / "data" / "verdicts")] == ["1", "2", "3"]


def test_the_first_answer_to_a_drawn_item_brings_the_draw_into_the_record(ws: Path) -> None:
    rows = sample.draw({f"i{n:02}": 0.1 for n in range(40)}, (), round="0001-a", size=4, seed=0)
    store.write_table(ws / "data" / "triage" / "sample.parquet", SAMPLE, sample.table(rows))
    journal = ws / ".assay" / "journal" / "ann.jsonl"
    other = next(f"i{n:02}" for n in range(40) if f"i{n:02}" not in {row.item for row in rows})
    for op, item, drawn in (("1", other, 0), ("2", rows[0].item, 1), ("3", rows[1].item, 1)):
        durable.append(journal, answers.line(Verdict(op, f"item:{item}", "keep", "ann", "2026-01-01")))
        assert versions.take_answers(ws) == 1
        assert len(git.git(ws, "ls-files", "data/verdicts/drawn").split()) == drawn
    assert sample.recorded(ws / "data" / "verdicts") == rows
    assert toy.messages(ws)[:3] == ["answers: 1"] * 3
    assert [verdict.op for verdict in answers.read(ws / "data" / "verdicts")] == ["1", "2", "3"]


def test_answers_that_a_killed_call_had_moved_are_committed_by_the_next(ws: Path) -> None:
    (ws / "data" / "verdicts" / "ann.jsonl").write_text("{}\n{}\n")
    assert versions.take_answers(ws) == 2
    assert toy.messages(ws)[0] == "answers: 2"


def test_a_run_commits_only_what_is_ours(ws: Path) -> None:
    toy.decide(ws, {})
    (ws / "mine.txt").write_text("mine")
    assert versions.commit_run(ws, "curate: 0001-a") is True
    assert versions.commit_run(ws, "curate: 0001-a") is False
    assert git.git(ws, "show", "--name-only", "--format=").split() == ["data/.gitignore", "dvc.lock"]
    assert git.git(ws, "status", "--porcelain") == "?? mine.txt"


def test_before_a_run_what_a_killed_receive_left_is_shared(ws: Path) -> None:
    toy.pack(ws, "0001-a", {"a" * 64: b"one"})
    versions.prepare_run(ws)
    assert versions.unshared_drops(ws) == []
