"""Does the sweeper know which runs on the server are at work, which are lost, and which wait for a person?"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType

from flows import at_work, submit

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


def run(kind: StateType, name: str, *, later: timedelta | None = None, at: datetime = LONG_AGO) -> FlowRun:
    state = State(type=kind, name=name, timestamp=at)
    start = None if later is None else datetime.now(UTC) + later
    content = {"flow_id": uuid.uuid4(), "name": "curate", "state": state, "next_scheduled_start_time": start}
    return FlowRun.model_validate(content | {"id": uuid.uuid4()})


@dataclass
class Server:
    """What the sweeper asks the Prefect server for; a page of it has at most 200 runs."""

    runs: list[FlowRun]
    ended: dict[str, str] = field(default_factory=dict)

    def read_flow_runs(self, *, limit: int = 200, offset: int = 0, **filters: object) -> list[FlowRun]:
        return self.runs[offset : offset + min(limit, 200)]

    def set_flow_run_state(self, run: uuid.UUID, state: State, force: bool) -> None:
        self.ended[str(run)] = str(state.type.value)


def busy(server: Server, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, list[str]]:
    @contextmanager
    def client(**options: object) -> Iterator[Server]:
        yield server

    monkeypatch.setattr(submit, "get_client", client)
    said: list[str] = []
    return submit.OnServer().busy(workspace, said.append), said


def test_a_run_at_work_is_seen_behind_a_page_of_planned_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = [run(StateType.SCHEDULED, "Scheduled", later=timedelta(days=n)) for n in range(1, 301)]
    assert busy(Server(planned), tmp_path, monkeypatch) == (False, [])
    # of a server whose clock is fast
    waits = run(StateType.SCHEDULED, "AwaitingConcurrencySlot", later=timedelta(seconds=90))
    assert busy(Server([*planned, waits]), tmp_path, monkeypatch) == (True, [])


def test_a_run_that_is_lost_while_it_is_cancelled_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = run(StateType.CANCELLING, "Cancelling")
    server = Server([lost])
    assert busy(server, tmp_path, monkeypatch) == (False, [])
    assert server.ended == {str(lost.id): "CANCELLED"}
    fresh = run(StateType.CANCELLING, "Cancelling", at=datetime.now(UTC))
    assert busy(Server([fresh]), tmp_path, monkeypatch) == (True, [])


def test_a_run_that_waits_for_a_person_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paused, late = run(StateType.PAUSED, "Paused"), run(StateType.SCHEDULED, "Late", later=timedelta(hours=-1))
    found, (said,) = busy(Server([paused, late]), tmp_path, monkeypatch)
    assert found and "is paused, and nothing begins beside it" in said and str(paused.id) in said
    found, (said,) = busy(Server([late]), tmp_path, monkeypatch)
    assert found and said.startswith("waits: No worker takes run 'curate'") and said.endswith("with: assay up")


def test_a_run_that_has_let_go_of_the_workspace_is_not_lost_while_its_process_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = run(StateType.RUNNING, "Running")
    monkeypatch.setattr(at_work, "flow_run", ending)
    monkeypatch.setattr(at_work, "deployment", ending)  # it came through one
    with at_work.at_work(tmp_path, "curate"):
        pass
    server = Server([ending])
    assert busy(server, tmp_path, monkeypatch) == (True, [])  # it writes its report, and tells the server
    assert server.ended == {}


def test_the_notes_of_processes_that_are_gone_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / at_work.FOLDER
    folder.mkdir(parents=True)
    (folder / "gone.json").write_text('{"pid": 1, "born": 1.0}')
    now = run(StateType.RUNNING, "Running")
    monkeypatch.setattr(at_work, "flow_run", now)
    monkeypatch.setattr(at_work, "deployment", now)
    with at_work.at_work(tmp_path, "curate"):
        assert [note.name for note in folder.iterdir()] == [f"{now.id}.json"]
