"""Is what the review acknowledges on the disk, exactly once, whoever else writes and whatever is killed?"""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import crash
import pytest
from toy_clients import AT, DOG, storm, untrue, verdict

from tasks import answers, durable, journal
from tasks.model import Mistake, Verdict
from tasks.review import writer as module
from tasks.review.record import Record
from tasks.review.writer import Saved, Writer

forking = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "data" / "verdicts").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def writer(workspace: Path) -> Iterator[Writer]:
    made = Writer(workspace)
    yield made
    made.close()


def keep(writer: Writer, *verdicts: Verdict) -> Saved:
    return writer.submit(verdicts).result(timeout=20)


def ops(workspace: Path, who: str = "ann") -> list[str]:
    path = workspace / ".assay" / "journal" / f"{who}.jsonl"
    return [one.op for _, one in answers.read_log(path)] if path.exists() else []


# --- what a submit says ----------------------------------------------------------------------------------------------


def test_an_answer_is_on_the_disk_when_its_future_is_done(workspace: Path, writer: Writer) -> None:
    assert keep(writer, verdict("1", "ann"), verdict("2", "bob")) == Saved(("1", "2"), (), ())
    assert journal.everything(workspace) == [verdict("1", "ann"), verdict("2", "bob")]
    assert writer.logs.said() == (verdict("1", "ann"), verdict("2", "bob"))
    assert writer.logs.seq == 2


def test_the_same_op_twice_is_written_once_also_after_a_restart(workspace: Path, writer: Writer) -> None:
    assert keep(writer, verdict("1", "ann"), verdict("1", "ann")) == Saved(("1",), ("1",), ())
    later = replace(verdict("1", "ann"), at="2024-05-01T11:00:00Z")
    assert keep(writer, later) == Saved((), ("1",), ())
    writer.close()
    again = Writer(workspace)
    assert keep(again, verdict("1", "ann"), verdict("2", "ann")) == Saved(("2",), ("1",), ())
    again.close()
    assert ops(workspace) == ["1", "2"]


def test_an_op_that_was_taken_into_the_record_is_not_written_again(workspace: Path, writer: Writer) -> None:
    keep(writer, verdict("1", "ann"))
    journal.transfer(workspace)
    (workspace / ".assay" / "journal" / "ann.jsonl").unlink()
    assert keep(writer, verdict("1", "ann")) == Saved((), ("1",), ())


def test_an_op_of_another_reviewer_is_refused_and_the_rest_is_kept(workspace: Path, writer: Writer) -> None:
    keep(writer, verdict("1", "ann"))
    said = keep(writer, verdict("1", "bob"), verdict("2", "bob"), verdict("2", "eve"))
    another = "has an op that is another reviewer's. Give each answer its own op."
    assert said == Saved(("2",), (), (("1", f"Answer '1' {another}"), ("2", f"Answer '2' {another}")))
    assert (ops(workspace, "ann"), ops(workspace, "bob"), ops(workspace, "eve")) == (["1"], ["2"], [])


@pytest.mark.parametrize(
    "other",
    [
        replace(verdict("1", "ann"), y='"fox"'),
        replace(verdict("1", "ann"), action="keep", y=None),
        verdict("1", "ann", "b"),
        replace(verdict("1", "ann"), seen={"y": '"fox"'}),
        replace(verdict("1", "ann"), note="so it is"),
    ],
)
def test_an_op_that_comes_again_with_another_answer_is_never_called_saved(writer: Writer, other: Verdict) -> None:
    keep(writer, verdict("1", "ann"))
    reason = "Answer '1' has an op that is another answer's. Give each answer its own op."
    assert keep(writer, other) == Saved((), (), (("1", reason),))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (verdict("1", "../x"), "Reviewer '../x' is not a name for a log"),
        (Verdict("1", "item:a", "relabel", "ann", AT), "lacks the field 'y'"),
        (Verdict("1", "item:a", "shout", "ann", AT), "has action 'shout'"),
        (Verdict("1", "item:a", "keep", "ann", "noon"), "time 'noon' is not ISO 8601"),
        (Verdict("1", "item:a", "keep", "ann", AT, note="\ud800"), "surrogates not allowed"),
        (Verdict("", "item:a", "keep", "ann", AT), "lacks the field 'op'"),
    ],
)
def test_what_no_reader_would_take_is_refused_alone(
    workspace: Path, writer: Writer, wrong: Verdict, reason: str
) -> None:
    said = keep(writer, wrong, verdict("2", "ann"))
    assert (said.new, said.already, said.refused[0][0]) == (("2",), (), wrong.op)
    assert reason in said.refused[0][1]
    assert ops(workspace) == ["2"]


# --- one pass --------------------------------------------------------------------------------------------------------


def test_everything_that_waits_is_one_append_a_reviewer(workspace: Path, writer: Writer) -> None:
    sizes: list[int] = []
    original = durable.append

    def append(path: Path, content: bytes) -> None:
        sizes.append(content.count(b"\n"))
        original(path, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "append", append)
        with journal.held(workspace):  # the first pass waits here, so that the rest gathers behind it
            futures = [writer.submit([verdict("first", "ann")])]
            while not writer._asked.empty():
                pass
            futures += [writer.submit([verdict(f"{who}{n}", who)]) for n in range(30) for who in ("ann", "bob", "eve")]
        assert [future.result(timeout=20).already for future in futures] == [()] * 91
    assert (len(sizes) <= 6, sum(sizes)) == (True, 91)  # two passes, an append a reviewer


def test_a_browser_that_goes_away_cancels_no_answer(workspace: Path, writer: Writer) -> None:
    with journal.held(workspace):
        future = writer.submit([verdict("1", "ann")])
        assert not future.cancel()
    assert future.result(timeout=20).new == ("1",)


def test_closing_keeps_what_waits_and_then_takes_nothing_more(workspace: Path, writer: Writer) -> None:
    futures = [writer.submit([verdict(str(n), "ann")]) for n in range(300)]
    writer.close()
    assert all(future.done() for future in futures)
    assert ops(workspace) == [str(n) for n in range(300)]
    with pytest.raises(Mistake, match="takes no more answers"):
        writer.submit([verdict("late", "ann")])


# --- other processes -------------------------------------------------------------------------------------------------


def test_what_the_command_line_appended_is_seen_first(workspace: Path, writer: Writer) -> None:
    keep(writer, verdict("1", "ann"))
    journal.append(workspace, [verdict("2", "ann"), verdict("3", "bob")])
    assert keep(writer, verdict("2", "ann"), verdict("3", "ann"), verdict("4", "ann")) == Saved(
        ("4",), ("2",), (("3", "Answer '3' has an op that is another reviewer's. Give each answer its own op."),)
    )
    assert list(writer.logs.said()) == journal.everything(workspace)


def test_what_others_wrote_while_nobody_answers_is_seen_by_a_look(workspace: Path, writer: Writer) -> None:
    journal.append(workspace, [verdict("1", "bob")])
    assert (writer.logs.seq, writer.logs.item("a")) == (0, None)
    writer.look()
    assert writer.logs.changes(0) == (1, ("item:a",))
    assert writer.logs.item("a") == answers.ItemState(y=DOG, answered=True, ops=("1",), by=("bob",))


def test_taking_the_answers_into_the_record_changes_nothing_and_reads_nothing_anew(
    workspace: Path, writer: Writer
) -> None:
    keep(writer, verdict("1", "ann"), verdict("2", "bob"))
    for n in range(3):
        journal.transfer(workspace)
        assert keep(writer, verdict(f"more{n}", "ann")).new == (f"more{n}",)
    assert writer.logs.seq == 5  # it jumps when everything is read anew
    assert list(writer.logs.said()) == journal.everything(workspace)


def test_lines_that_another_host_had_taken_are_seen_however_git_merged_them(workspace: Path, writer: Writer) -> None:
    keep(writer, verdict("1", "ann"))
    seq = writer.logs.seq
    theirs = b"".join(answers.line(replace(verdict(op, "ann", "b"), y='"fox"')) for op in ("x", "y"))
    merged = workspace / "data" / "verdicts" / "ann.jsonl"
    merged.write_bytes(theirs)  # before ours: another order than the journal's
    assert keep(writer, verdict("2", "ann"), verdict("3", "bob")).new == ("2", "3")
    assert [one.op for one in writer.logs.said()] == ["x", "y", "1", "2", "3"]
    assert list(writer.logs.said()) == journal.everything(workspace)
    assert writer.logs.state() == answers.state(journal.everything(workspace))
    assert writer.logs.changes(seq) is None  # so that the page asks for everything


def test_a_damaged_line_is_named_and_nothing_is_written_until_it_is_mended(workspace: Path, writer: Writer) -> None:
    keep(writer, verdict("1", "ann"))
    path = workspace / ".assay" / "journal" / "ann.jsonl"
    good = path.read_bytes()
    path.write_bytes(good + b"{}\n")
    for _ in range(2):
        with pytest.raises(Mistake, match=r"ann\.jsonl' has a damaged line 2: its checksum does not match"):
            keep(writer, verdict("2", "bob"))
    with pytest.raises(Mistake, match="damaged line 2"):
        Writer(workspace)
    path.write_bytes(good)
    assert keep(writer, verdict("2", "bob")).new == ("2",)


def test_a_log_that_cannot_be_read_fails_this_pass_with_a_sentence_and_the_next_is_kept(
    workspace: Path, writer: Writer
) -> None:
    path = workspace / "data" / "verdicts" / "ann.jsonl"
    path.symlink_to(workspace / "gone.jsonl")
    with pytest.raises(Mistake, match=r"failed \(No such file or directory\)\. Send the answers again\."):
        keep(writer, verdict("1", "ann"))
    path.unlink()
    assert keep(writer, verdict("1", "ann")).new == ("1",)


def test_a_torn_last_line_is_cut_on_opening_and_its_op_is_taken_again(workspace: Path) -> None:
    journal.append(workspace, [verdict("1", "ann"), verdict("2", "ann")])
    path = workspace / ".assay" / "journal" / "ann.jsonl"
    whole = path.read_bytes()
    for cut in (1, 30, len(answers.line(verdict("2", "ann"))) - 1):
        path.write_bytes(whole[:-cut])
        writer = Writer(workspace)
        assert path.read_bytes() == answers.line(verdict("1", "ann"))
        assert keep(writer, verdict("1", "ann"), verdict("2", "ann")) == Saved(("2",), ("1",), ())
        writer.close()
        assert path.read_bytes() == whole


def test_a_line_of_somebody_who_was_killed_before_the_sync_is_synced_before_it_counts(
    workspace: Path, writer: Writer
) -> None:
    path = workspace / ".assay" / "journal" / "ann.jsonl"
    for op, look in (("1", writer), ("2", None)):
        with open(path, "ab") as log:
            log.write(answers.line(verdict(op, "ann")))  # no fsync
        steps: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(durable, "step", steps.append)
            second = look or Writer(workspace)
            assert keep(second, verdict(op, "ann")) == Saved((), (op,), ())
            assert "fsync ann.jsonl" in steps
        if look is None:
            second.close()


# --- what it adds up to ----------------------------------------------------------------------------------------------


def test_changes_names_each_subject_once_and_only_what_came_after(writer: Writer) -> None:
    keep(writer, verdict("1", "ann", "a"), verdict("2", "ann", "b"))
    seq = writer.logs.seq
    keep(writer, verdict("3", "bob", "b"), Verdict("4", "item:b", "undo", "bob", AT, of="3"), verdict("5", "bob", "c"))
    assert writer.logs.changes(seq) == (5, ("item:b", "item:c"))
    assert writer.logs.changes(5) == (5, ())
    assert writer.logs.changes(6) is None
    assert [one.op for one in writer.logs.about("b")] == ["2", "3", "4"]
    assert writer.logs.verdict("4") == Verdict("4", "item:b", "undo", "bob", AT, of="3")
    assert writer.logs.state() == answers.state(writer.logs.said())


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "words"), [(errno.ENOSPC, "The disk is full"), (errno.EIO, "The disk fails")])
def test_a_disk_that_fails_fails_these_answers_and_no_others(
    workspace: Path, writer: Writer, code: int, words: str
) -> None:
    keep(writer, verdict("1", "ann"), verdict("2", "bob"))
    original = durable.step

    def step(name: str) -> None:
        if name == "fsync bob.jsonl":
            raise OSError(code, "no", name)
        original(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "step", step)
        with journal.held(workspace):  # both in one pass
            ann, bob = writer.submit([verdict("3", "ann")]), writer.submit([verdict("4", "bob")])
        assert ann.result(timeout=20).new == ("3",)
        with pytest.raises(Mistake, match=words):
            bob.result(timeout=20)
    assert (ops(workspace), ops(workspace, "bob")) == (["1", "3"], ["2"])
    assert keep(writer, verdict("4", "bob")) == Saved(("4",), (), ())
    assert list(writer.logs.said()) == journal.everything(workspace)


def two_people(workspace: Path) -> None:
    writer = Writer(workspace)
    keep(writer, verdict("1", "ann"), verdict("2", "ann", "b"), verdict("3", "bob"))
    durable.step("acknowledge")
    keep(writer, verdict("4", "bob", "b"))
    durable.step("acknowledge")
    writer.close()


def whole_lines(workspace: Path) -> list[str]:
    """Whatever happened, what is there parses, each op once."""
    try:
        found = [one.op for one in journal.everything(workspace)]
    except Mistake as error:
        return [str(error)]
    lines = sum(len(ops(workspace, who)) for who in ("ann", "bob"))
    return [] if len(found) == lines else [f"{lines} lines hold {len(found)} ops"]


@forking
def test_killed_at_each_step_and_called_again_it_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    start = tmp_path / "beside" / "ws"
    (start / "data" / "verdicts").mkdir(parents=True)

    def all_there(workspace: Path) -> list[str]:
        found = {who: ops(workspace, who) for who in ("ann", "bob")}
        return [] if found == {"ann": ["1", "2"], "bob": ["3", "4"]} else [str(found)]

    points, problems = crash.go_through(start, two_people, at_rest=whole_lines, when_done=all_there)
    assert (points >= 10, problems) == (True, [])


@forking
def test_what_is_acknowledged_survives_a_power_cut(tmp_path: Path) -> None:
    steps = crash.trace(two_people, tmp_path / "ws")
    assert steps.count("acknowledge") == 2
    assert crash.lost_by_power(steps) == []


# --- kill -9 under load ----------------------------------------------------------------------------------------------


class Hasty(Writer):
    """Planted: acknowledges before it writes."""

    def _write(self, plan: module._Pass) -> dict[str, Mistake]:
        threading.Timer(0.03, super()._write, [plan]).start()
        return {}


class Forgetful(Writer):
    """Planted: asks only its own memory whether an op is there, and begins with none."""

    def _plan(self, waiting: Sequence[module._Asked]) -> module._Pass:
        before, self.logs._record = self.logs._record, Record({})
        try:
            return super()._plan(waiting)
        finally:
            self.logs._record = before

    def _remember(self, plan: module._Pass, failed: object) -> None:
        pass


@forking
def test_kill_9_under_load_loses_and_doubles_nothing(workspace: Path) -> None:
    told = storm(workspace, Writer, clients=8, pauses=(0.02, 0.25), kills=15)
    assert untrue(workspace, told) == []
    assert len(told.acknowledged) >= 50


@forking
@pytest.mark.long
def test_kill_9_every_two_seconds_for_a_minute_loses_and_doubles_nothing(workspace: Path) -> None:
    told = storm(workspace, Writer, clients=20, pauses=(1, 2), kills=15, seconds=60)
    assert untrue(workspace, told) == []
    print(f"{told.kills} kills, {len(told.acknowledged):,} acknowledged, lost 0, doubled 0")


@forking
@pytest.mark.parametrize(("planted", "found"), [(Hasty, "was acknowledged and is lost"), (Forgetful, "times")])
def test_the_same_checker_finds_a_planted_fault(workspace: Path, planted: type[Writer], found: str) -> None:
    told = storm(workspace, planted, clients=8, pauses=(0.02, 0.1), kills=6)
    assert any(found in line for line in untrue(workspace, told))


def test_many_threads_and_another_process_at_once_lose_nothing(workspace: Path, writer: Writer) -> None:
    futures: list[Future[Saved]] = []

    def client(who: str) -> None:
        for n in range(40):
            futures.append(writer.submit([verdict(f"{who}-{n}", who, f"i{n % 5}")]))

    threads = [threading.Thread(target=client, args=(who,)) for who in ("ann", "bob", "eve", "kim")]
    for thread in threads:
        thread.start()
    for n in range(20):
        journal.append(workspace, [verdict(f"cli-{n}", "ann")])
        journal.transfer(workspace)
    for thread in threads:
        thread.join()
    assert all(future.result(timeout=20).new for future in futures)
    writer.look()
    assert len(writer.logs.said()) == 180
    assert list(writer.logs.said()) == journal.everything(workspace)
    assert writer.logs.state() == answers.state(journal.everything(workspace))
