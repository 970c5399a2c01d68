"""Does a stage notice that an input moved under it, and does it end with one sentence and with its parent?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import crash
import pytest
from toy_drops import deliver

import tasks
from tasks import durable, store
from tasks.model import PASSED, Mistake, Report, StageFailed

ROOT = Path(__file__).resolve().parents[1]
MOVED = "An input of stage 'copy' changed while it ran. Nothing is lost; run it again: assay run"
DVC_YAML = """\
stages:
  copy:
    deps: [data/in, data/verdicts, data/one.txt]
  revise:
    deps: [data/ingest, data/validate, data/verdicts]
"""


@dataclass(frozen=True, slots=True)
class Params:
    """`copy:` in params.yaml."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    times: int = 1


class Copy(ModuleType):
    """A stage that copies data/in/x, and between reading and writing waits for somebody to say so."""

    def __init__(self) -> None:
        super().__init__("tasks.copy")
        self.Params = Params
        self.reading, self.go_on = threading.Event(), threading.Event()

    def run(self, data: Path, params: Params) -> Report:
        content = (data / "in" / "x").read_text() * params.times
        self.reading.set()
        assert self.go_on.wait(20)
        durable.write_text(data / "copy" / "x", content)
        return Report("copy", counts={"characters": len(content)})


@pytest.fixture
def copy(monkeypatch: pytest.MonkeyPatch) -> Copy:
    stage = Copy()
    monkeypatch.setitem(sys.modules, "tasks.copy", stage)
    monkeypatch.setattr(tasks, "STAGES", ("copy", "revise"))
    return stage


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """What a run leaves behind before `revise`, and inputs of `copy`."""
    data = tmp_path / "data"
    deliver(data, 1, "acme", ["cat", "dog"])
    rows = [{"item": "1-0"}, {"item": "1-1"}]
    store.write_table(data / "validate" / "passed.parquet", PASSED, store.frame(PASSED, rows))
    for name, text in {
        "in/x": "ab",
        "in/deep/y": "y",
        "verdicts/ann.jsonl": "one\n",
        "one.txt": "1",
        "else": "",
    }.items():
        durable.write_text(data / name, text)
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "params.yaml").write_text("copy: {times: 2}\nrevise: {}\n")
    return tmp_path


def meanwhile(copy: Copy, workspace: Path, edit: Callable[[Path], object]) -> Report | StageFailed:
    """Run `copy` in a thread, `edit` once it has read its input, and let it go on."""
    outcome: list[Report | StageFailed] = []

    def run() -> None:
        try:
            outcome.append(tasks.run("copy", workspace))
        except StageFailed as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert copy.reading.wait(20)
    assert not (workspace / "data" / "copy.json").exists()
    edit(workspace)
    copy.go_on.set()
    thread.join()
    (result,) = outcome
    return result


def same_size_same_time(path: Path, text: str) -> None:
    before = path.stat()
    path.write_text(text)
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


EDITS: dict[str, Callable[[Path], object]] = {
    "a dep is rewritten": lambda ws: durable.write_text(ws / "data" / "in" / "x", "AB"),
    "a dep is touched": lambda ws: os.utime(ws / "data" / "in" / "x"),
    "a dep grows": lambda ws: durable.append(ws / "data" / "one.txt", b"\n"),
    "a file is added deep in a dep": lambda ws: (ws / "data" / "in" / "deep" / "z").touch(),
    "a file of a dep is removed": lambda ws: (ws / "data" / "in" / "deep" / "y").unlink(),
    "a file of a dep is renamed": lambda ws: (ws / "data" / "in" / "deep" / "y").rename(ws / "data" / "in" / "y"),
    "a verdict is appended": lambda ws: durable.append(ws / "data" / "verdicts" / "ann.jsonl", b"two\n"),
    "a reviewer begins": lambda ws: durable.append(ws / "data" / "verdicts" / "bob.jsonl", b"one\n"),
    "a verdict log changes behind the clock": lambda ws: same_size_same_time(
        ws / "data" / "verdicts" / "ann.jsonl", "two\n"
    ),
    "params.yaml is edited": lambda ws: (ws / "params.yaml").write_text("copy: {times: 3}\n"),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_input_that_moves_while_the_stage_runs_makes_it_fail_for_now_and_report_nothing(
    what: str, copy: Copy, workspace: Path
) -> None:
    failed = meanwhile(copy, workspace, EDITS[what])
    assert isinstance(failed, StageFailed)
    assert (str(failed), failed.transient) == (MOVED, True)
    assert not (workspace / "data" / "copy.json").exists()


def test_the_next_run_takes_the_moved_input_in(copy: Copy, workspace: Path) -> None:
    meanwhile(copy, workspace, lambda ws: (ws / "params.yaml").write_text("copy: {times: 3}\n"))
    assert tasks.run("copy", workspace).counts == {"characters": 6}
    assert (workspace / "data" / "copy" / "x").read_text() == "ababab"


def test_what_is_no_input_may_change_and_the_report_is_there(copy: Copy, workspace: Path) -> None:
    report = meanwhile(copy, workspace, lambda ws: (ws / "data" / "else").write_text("changed"))
    assert isinstance(report, Report)
    assert (report.stage, report.counts, report.status) == ("copy", {"characters": 4}, "ran")
    assert report.seconds > 0
    assert store.read_report(workspace / "data" / "copy.json") == report


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_the_report_is_written_last(copy: Copy, workspace: Path) -> None:
    copy.go_on.set()
    steps = crash.trace(lambda ws: tasks.run("copy", ws), workspace)
    assert [step for step in steps if not step.startswith(("fsync .", "fsync-folder"))] == [
        "write x",
        "rename x",
        "write copy.json",
        "rename copy.json",
    ]


def test_a_stage_that_fails_reports_nothing(copy: Copy, workspace: Path) -> None:
    (workspace / "params.yaml").write_text("copy: {time: 2}\n")
    with pytest.raises(Mistake, match=r"has unknown key 'copy.time'. Keys of 'copy' are: times.$"):
        tasks.run("copy", workspace)
    with pytest.raises(Mistake, match=r"^Unknown stage 'paste'. Stages are: copy, revise.$"):
        tasks.run("paste", workspace)
    assert not (workspace / "data" / "copy.json").exists()


# --- python -P -m tasks STAGE ----------------------------------------------------------------------------------------


def command(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "tasks", *arguments],
        cwd=workspace,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


@pytest.fixture
def revisable(workspace: Path) -> Path:
    """The workspace without what is no verdict log."""
    (workspace / "data" / "verdicts" / "ann.jsonl").unlink()
    (workspace / "params.yaml").write_text("revise: {}\n")
    return workspace


def logged(workspace: Path, name: str) -> str:
    return (workspace / ".assay" / "logs" / name).read_text()


def test_a_stage_says_what_it_did_in_one_line_and_in_its_log(revisable: Path) -> None:
    done = command(revisable, "revise")
    assert (done.returncode, done.stderr) == (0, "")
    line, seconds, unit = done.stdout.rsplit(" ", 2)
    assert (line, unit) == ("revise: 2 items, 2 kept, 2 classes in", "s\n")
    assert float(seconds) >= 0
    assert logged(revisable, "revise.log") == done.stdout
    assert store.read_report(revisable / "data" / "revise.json").counts["items"] == 2
    assert not (revisable / ".assay" / "logs" / "revise.error").exists()


def test_a_mistake_is_one_sentence_on_stderr_and_beside_the_log(revisable: Path) -> None:
    (revisable / "data" / "validate" / "passed.parquet").unlink()
    done = command(revisable, "revise")
    sentence = f"No file '{revisable / 'data' / 'validate' / 'passed.parquet'}'. Run: assay run"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"error: {sentence}\n")
    assert (json.loads(logged(revisable, "revise.error"))["message"], logged(revisable, "revise.log")) == (
        sentence,
        f"error: {sentence}\n",
    )
    assert not (revisable / "data" / "revise.json").exists()


def test_our_own_mistake_is_a_sentence_too_with_its_traceback_in_the_log(revisable: Path) -> None:
    (revisable / "dvc.yaml").write_text("stages: {}\n")
    done = command(revisable, "revise")
    sentence = "Stage 'revise' failed: KeyError: 'revise'. See .assay/logs/revise.log"
    assert (done.returncode, json.loads(logged(revisable, "revise.error"))["message"]) == (1, sentence)
    assert done.stderr.endswith(f"\nerror: {sentence}\n")
    assert logged(revisable, "revise.log").startswith("Traceback (most recent call last):\n")


def test_an_older_failure_is_forgotten_when_the_stage_starts_again(revisable: Path) -> None:
    (revisable / ".assay" / "logs").mkdir(parents=True)
    (revisable / ".assay" / "logs" / "revise.error").write_text("long ago")
    assert command(revisable, "revise").returncode == 0
    assert not (revisable / ".assay" / "logs" / "revise.error").exists()


@pytest.mark.parametrize("arguments", [[], ["polish"], ["revise", "now"], ["--help"]])
def test_an_unknown_stage_is_an_error_of_use_that_lists_the_stages(tmp_path: Path, arguments: list[str]) -> None:
    done = command(tmp_path, *arguments)
    usage = f"usage: python -P -m tasks STAGE [--shard 0/2]    (stages: {', '.join(tasks.STAGES)})\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", usage)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """Somebody who started the stage, and may go away."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_a_stage_dies_within_two_seconds_of_its_parent_and_not_before(
    revisable: Path, parent: subprocess.Popen[bytes]
) -> None:
    os.mkfifo(revisable / "data" / "verdicts" / "ann.jsonl")  # a log that never ends: the stage waits for its reviewer
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "tasks", "revise"],
        cwd=revisable,
        env=environment(ASSAY_PARENT=str(parent.pid)),
    ) as stage:
        try:
            started = time.monotonic()
            while not (revisable / ".assay" / "logs" / "revise.log").exists() and time.monotonic() < started + 30:
                time.sleep(0.02)
            with pytest.raises(subprocess.TimeoutExpired):
                stage.wait(1.5)
            parent.kill()
            parent.wait()
            killed = time.monotonic()
            assert stage.wait(10) == -9
            assert time.monotonic() - killed < 2
        finally:
            stage.kill()
    assert not (revisable / "data" / "revise.json").exists()
