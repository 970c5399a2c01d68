"""Does the sweeper find what is due, start it once, give up where it must, and say what waits?"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deliveries import again
from toy_workspace import FIRST, decide, deliver, first_revision_is_due, make, pack

from flows import watch as watching
from flows.digits import Digits, write_drop
from flows.watch import Job, Say, Work, look, step
from tasks import attempts, journal, versions
from tasks.model import Mistake, StageFailed, Verdict
from tasks.policy import Watch
from tasks.versions import git

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def at(**later: float) -> str:
    return (NOW + timedelta(**later)).isoformat(timespec="seconds")


@dataclass
class Noted:
    """A starter that only notes what it is asked for."""

    asked: list[tuple[Work, int]] = field(default_factory=list)
    at_work: bool = False

    def busy(self, workspace: Path, say: Say) -> bool:
        return self.at_work

    def start(self, work: Work, workspace: Path, attempt: int) -> Job:
        self.asked.append((work, attempt))
        return lambda: None


def landing(workspace: Path, name: str, label: str = "cat") -> Path:
    folder = workspace / "data" / "incoming" / name
    (folder / label).mkdir(parents=True)
    (folder / label / "1.png").write_bytes(name.encode())
    (folder / "_SUCCESS").touch()
    return folder


def flows(workspace: Path, policy: Watch, **later: float) -> list[str]:
    return [work.flow for work in look(workspace, policy, at(**later))[0]]


def answer(workspace: Path, count: int, **later: float) -> None:
    said = [Verdict(f"op-{n}", f"item:i{n}", "keep", "ann", at(**later)) for n in range(count)]
    journal.append(workspace, said)


def test_a_complete_drop_is_due_and_so_is_one_that_a_killed_run_left_behind(tmp_path: Path) -> None:
    workspace = make(tmp_path / "ws")
    assert look(workspace, Watch(), at()) == ([], [])
    landing(workspace, "acme")
    (work,), waits = look(workspace, Watch(), at())
    assert (work.flow, work.why, waits) == ("curate", "complete: 'acme'", [])
    shutil.rmtree(workspace / "data" / "incoming" / "acme")
    deliver(workspace, "0001-a", {"i1": "cat"})
    (work,), _ = look(workspace, Watch(), at())
    assert work.why == "drops that no finished run has seen"
    (workspace / "dvc.lock").write_text("schema: '2.0'\n")
    versions.commit_run(workspace, "curate: 0001-a")
    assert look(workspace, Watch(), at()) == ([], [])


def test_a_drop_whose_run_ended_between_packing_and_committing_is_due(tmp_path: Path) -> None:
    workspace = make(tmp_path / "ws")
    pack(workspace, "0001-a", {hashlib.sha256(b"i1").hexdigest(): b"i1"})
    (work,), _ = look(workspace, Watch(), at())
    assert (work.flow, work.why) == ("curate", "drops that no finished run has seen")


def test_answers_are_applied_by_count_or_by_age_or_by_hand(tmp_path: Path) -> None:
    workspace = first_revision_is_due(tmp_path / "ws")
    versions.publish(workspace)
    assert flows(workspace, Watch()) == []
    answer(workspace, 3)
    assert flows(workspace, Watch(answers=4, hours=2), hours=1.9) == []
    assert flows(workspace, Watch(answers=4, hours=2), hours=2) == ["revise"]
    assert flows(workspace, Watch(answers=3)) == ["revise"]
    assert flows(workspace, Watch(answers=3, publish="by-hand"), days=9) == []
    assert flows(workspace, Watch(answers=4, publish="always")) == ["revise"]
    versions.take_answers(workspace)  # taken, and not in a revision yet
    assert flows(workspace, Watch(answers=3)) == ["revise"]


def test_what_a_person_has_settled_is_due_at_once(tmp_path: Path) -> None:
    workspace = first_revision_is_due(tmp_path / "ws")
    versions.commit_run(workspace, "curate: 0001-a")
    journal.append(workspace, [Verdict("op-1", "class:ten", "accept", "owner", at())])
    (work,), _ = look(workspace, Watch(), at())
    assert (work.flow, work.why) == ("curate", "1 held subject settled")
    versions.take_answers(workspace)  # what a curate does first
    assert flows(workspace, Watch()) == []


def test_what_a_revision_holds_is_due_no_more(tmp_path: Path) -> None:
    workspace = first_revision_is_due(tmp_path / "ws")
    versions.commit_run(workspace, "curate: 0001-a")
    always = Watch(publish="always")
    assert flows(workspace, always) == ["revise"]
    answer(workspace, 2)
    versions.take_answers(workspace)
    decide(workspace, FIRST)
    versions.publish(workspace)
    assert flows(workspace, always) == flows(workspace, Watch(answers=1), days=3) == []


def test_work_that_ends_badly_is_tried_again_and_then_held(tmp_path: Path) -> None:
    workspace, starter, said = make(tmp_path / "ws"), Noted(), list[str]()
    landing(workspace, "acme")
    for attempt in (1, 2, 3):
        assert step(workspace, starter, said.append)
        assert starter.asked[-1][1] == attempt
        with pytest.raises(StageFailed), attempts.noted(workspace, "curate", at):
            raise StageFailed("Stage 'embed' fell over.")
    assert not step(workspace, starter, said.append)
    assert said[-1] == (
        "waits: Flow 'curate' did not end well in 3 attempts. The last one said: Stage 'embed' fell over. "
        "Mend that, then run: assay run"
    )
    landing(workspace, "bolt")  # other work
    assert step(workspace, starter, said.append)
    assert starter.asked[-1][1] == 1


def test_a_killed_run_counts_as_an_attempt(tmp_path: Path) -> None:
    workspace, starter = make(tmp_path / "ws"), Noted()
    landing(workspace, "acme")
    assert [step(workspace, starter, print) for _ in range(5)] == [True, True, True, False, False]


def test_an_attempt_that_nobody_could_begin_does_not_count(tmp_path: Path) -> None:
    class Nobody(Noted):
        def start(self, work: Work, workspace: Path, attempt: int) -> Job:
            raise Mistake("Deployment 'curate/workspace' is not on the server. Run: prefect deploy --all")

    workspace = make(tmp_path / "ws")
    landing(workspace, "acme")
    for _ in range(5):
        with pytest.raises(Mistake, match="is not on the server"):
            step(workspace, Nobody(), print)
    assert step(workspace, Noted(), print)


def test_nothing_starts_while_a_run_is_at_work(tmp_path: Path) -> None:
    workspace, starter = make(tmp_path / "ws"), Noted(at_work=True)
    landing(workspace, "acme")
    assert not step(workspace, starter, print)
    assert attempts.of(workspace, "curate") is None


def test_answers_that_change_nothing_are_not_tried_for_ever(tmp_path: Path) -> None:
    workspace, starter = first_revision_is_due(tmp_path / "ws"), Noted()
    versions.publish(workspace)
    (workspace / "params.yaml").write_text("watch: {answers: 1}\n")
    answer(workspace, 1)
    assert step(workspace, starter, print)
    with attempts.noted(workspace, "revise", at):
        pass
    assert not step(workspace, starter, print)


def test_what_waits_for_a_remote_is_tried_each_minute_without_end(tmp_path: Path) -> None:
    workspace = first_revision_is_due(tmp_path / "ws")
    versions.commit_run(workspace, "curate: 0001-a")
    always = Watch(publish="always")
    attempts.pend(workspace, "revise", "The remote does not answer.", now=at())
    assert look(workspace, always, at(seconds=59)) == ([], ["The remote does not answer."])
    for minutes in range(1, 9):
        assert flows(workspace, always, minutes=minutes) == ["revise"]
        attempts.begin(workspace, "revise", "k", now=at(minutes=minutes))
        attempts.pend(workspace, "revise", "The remote does not answer.", now=at(minutes=minutes))


def test_a_run_that_began_earlier_settles_no_later_work(tmp_path: Path) -> None:
    workspace = make(tmp_path / "ws")
    attempts.begin(workspace, "curate", "old", now=at())
    with attempts.noted(workspace, "curate", at):
        attempts.begin(workspace, "curate", "new", now=at())
    entry = attempts.of(workspace, "curate")
    assert entry is not None and (entry.key, entry.done) == ("new", False)


def test_a_remote_that_is_down_in_any_stage_uses_up_no_attempts(tmp_path: Path) -> None:
    workspace, starter = make(tmp_path / "ws"), Noted()
    landing(workspace, "acme")
    for _ in range(9):
        assert look(workspace, Watch(), at(days=1))[0]
        attempts.begin(workspace, "curate", look(workspace, Watch(), at(days=1))[0][0].key, now=at())
        with pytest.raises(StageFailed), attempts.noted(workspace, "curate", at):
            raise StageFailed("Stage 'embed' cannot go to pool 'gpu': no answer.", transient=True)
    assert look(workspace, Watch(), at(seconds=30)) == ([], ["Stage 'embed' cannot go to pool 'gpu': no answer."])
    assert step(workspace, starter, print)


def test_work_that_waits_for_a_remote_is_never_taken_for_settled(tmp_path: Path) -> None:
    workspace = make(tmp_path / "ws")
    attempts.begin(workspace, "revise", "k", now=at())
    with attempts.noted(workspace, "revise", at) as outcome:
        outcome.pending = "The remote does not answer."
    entry = attempts.of(workspace, "revise")
    assert entry is not None and (entry.pending, entry.done) == (True, False)


def test_a_drop_that_cannot_be_taken_does_not_keep_answers_from_a_revision(tmp_path: Path) -> None:
    workspace, starter = first_revision_is_due(tmp_path / "ws"), Noted()
    versions.publish(workspace)
    landing(workspace, "acme")
    for _ in range(3):
        step(workspace, starter, print)
    answer(workspace, 3)
    due, waits = look(workspace, Watch(answers=3), at())
    assert [work.flow for work in due] == ["revise"]
    assert "did not end well in 3 attempts" in waits[0]


def test_a_run_that_the_server_did_not_take_is_no_attempt(tmp_path: Path) -> None:
    @dataclass
    class Refused(Noted):
        def start(self, work: Work, workspace: Path, attempt: int) -> Job:
            super().start(work, workspace, attempt)
            raise Mistake("Deployment 'curate/workspace' is not on the server.")

    workspace, starter = make(tmp_path / "ws"), Refused()
    landing(workspace, "acme")
    for _ in range(5):
        with pytest.raises(Mistake):
            step(workspace, starter, print)
    assert {attempt for _, attempt in starter.asked} == {1}  # and so the same idempotency key
    assert step(workspace, Noted(), print)


def test_an_answer_whose_time_names_no_zone_is_counted(tmp_path: Path) -> None:
    workspace = first_revision_is_due(tmp_path / "ws")
    versions.publish(workspace)
    journal.append(workspace, [Verdict("op-0", "item:i0", "keep", "ann", "2026-05-01T12:00:00")])
    assert flows(workspace, Watch(hours=1), hours=0.9) == []
    assert flows(workspace, Watch(hours=1), hours=1) == ["revise"]


def test_a_clock_that_is_put_back_stops_no_retry(tmp_path: Path) -> None:
    workspace = first_revision_is_due(tmp_path / "ws")
    versions.commit_run(workspace, "curate: 0001-a")
    attempts.pend(workspace, "revise", "The remote does not answer.", now=at(hours=1))
    assert flows(workspace, Watch(publish="always")) == ["revise"]


def test_once_tells_cron_whether_something_waits(tmp_path: Path) -> None:
    workspace = make(tmp_path / "ws")
    assert watching.watch(workspace, Noted(), print, once=True) == 0
    landing(workspace, "acme")
    assert watching.watch(workspace, Noted(), print, once=True) == 3  # tried three times: it says so, and ends


class Enough(Exception):
    """Ends a watcher that would stay."""


@pytest.mark.parametrize("trouble", ["params", "look"])
def test_the_watcher_stays_whatever_a_look_meets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    workspace, naps = make(tmp_path / "ws"), list[float]()
    (workspace / "params.yaml").write_text("watch: {every: soon}\n" if trouble == "params" else "watch: {every: 0.5}\n")

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise Enough

    def broken(*arguments: object) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(time, "sleep", nap)
    if trouble == "look":
        monkeypatch.setattr(watching, "look", broken)
    said: list[str] = []
    with pytest.raises(Enough):
        watching.watch(workspace, Noted(), said.append)
    assert naps == [10.0 if trouble == "params" else 0.5] * 3
    assert "watch.every = 'soon'" in said[0] if trouble == "params" else "Permission denied" in said[0]


def test_a_mistake_in_params_is_said_and_the_watcher_stays(tmp_path: Path) -> None:
    workspace = make(tmp_path / "ws")
    (workspace / "params.yaml").write_text("watch: {every: soon}\n")
    said: list[str] = []
    assert watching.watch(workspace, Noted(), said.append, once=True) == 1
    assert said and "watch.every = 'soon'" in said[0]


def test_once_ends_and_says_whether_somebody_is_needed(tmp_path: Path) -> None:
    workspace, said = make(tmp_path / "ws"), list[str]()
    assert watching.watch(workspace, Noted(), said.append, once=True) == 0
    growing = workspace / "data" / "incoming" / "slow"
    growing.mkdir()
    (growing / "labels.csv").write_text("path,label\n")
    assert watching.watch(workspace, Noted(), said.append, once=True) == 0
    assert said[-1].startswith("waits: Drop 'slow' still grows: It changed 0 s ago")
    landing(workspace, "acme")
    asked = Noted()
    assert (
        watching.watch(workspace, asked, said.append, once=True) == 3
    )  # nobody runs it: after three attempts it is held
    assert len(asked.asked) == 3 and "did not end well in 3 attempts" in said[-1]


SWEEP = """
import sys
from pathlib import Path
from flows.here import Here
from flows.watch import watch
watch(Path(sys.argv[1]), Here(print), print, once=True)
"""


@pytest.fixture
def sweepers(tmp_path: Path, toy_digits: Digits) -> Iterator[Path]:
    workspace = tmp_path / "ws"
    versions.init(workspace)
    write_drop(toy_digits, "toy", workspace / "data/incoming/toy", noise=0.05, seed=0)
    yield workspace


@pytest.mark.slow
@pytest.mark.prefect
@pytest.mark.timeout(600)
def test_eight_sweepers_at_once_make_one_run_and_a_copy_makes_none(sweepers: Path, prefect_home: Path) -> None:
    command = [sys.executable, "-P", "-c", SWEEP, str(sweepers)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    time.sleep(1.0)
    again(sweepers / "data/incoming/toy", sweepers / "data/incoming/while-running")
    said = "".join(process.communicate()[0] for process in running)
    assert [process.returncode for process in running] == [0] * 8
    again(sweepers / "data/incoming/toy", sweepers / "data/incoming/renamed")
    said += subprocess.run(command, capture_output=True, text=True, check=True).stdout
    runs = [line for line in said.splitlines() if line.startswith("curate: complete")]
    assert len(runs) == 1, said
    assert git.git(sweepers, "log", "--format=%s").splitlines()[:-1] == ["curate: 0001-toy", "receive: 0001-toy"]


def test_the_busy_workspace_of_another_process_is_seen(tmp_path: Path) -> None:
    from flows.here import Here

    workspace = make(tmp_path / "ws")
    code = "import sys, time; from pathlib import Path; from tasks import versions\n"
    code += "with versions.lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(workspace)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        assert Here(print).busy(workspace, print)
        other.kill()
    assert not Here(print).busy(workspace, print)
