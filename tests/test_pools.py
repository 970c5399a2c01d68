"""Is a stage elsewhere waited for through what passes, and is what passes told from what does not?"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType

from flows.work import work
from tasks import pools, versions
from tasks.model import StageFailed


def ended(kind: StateType, name: str, message: str = "") -> FlowRun:
    state = State[None](type=kind, name=name, message=message)
    return FlowRun.model_validate({"id": uuid.uuid4(), "flow_id": uuid.uuid4(), "state": state})


def answering(monkeypatch: pytest.MonkeyPatch, answers: list[FlowRun | Exception]) -> None:
    """The server's answers, one a question; an exception is raised."""

    class Client:
        def read_flow_run(self, run: uuid.UUID) -> FlowRun:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    @contextmanager
    def client(**options: object) -> Iterator[Client]:
        yield Client()

    monkeypatch.setattr(pools, "get_client", client)
    monkeypatch.setattr(pools, "POLL", 0.0)
    monkeypatch.setattr(pools, "_ask", lambda *asked: ended(StateType.PENDING, "Pending"))


def run(said: list[str]) -> None:
    pools._run("gpu", [{"stage": "embed"}], said.append)


def refused(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://127.0.0.1")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


def test_a_server_that_is_away_for_a_while_fails_no_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    away = [httpx.ConnectError("refused"), refused(503), httpx.ReadTimeout("slow")]
    answering(monkeypatch, [*away, ended(StateType.COMPLETED, "Completed")])
    run(said)
    assert said == ["The Prefect server does not answer (ConnectError); waiting for it."]
    answering(monkeypatch, [refused(401)])
    with pytest.raises(httpx.HTTPStatusError):
        run(said)


@pytest.mark.parametrize(("name", "transient"), [(pools.WAITS, True), ("Failed", False)])
def test_only_what_may_pass_is_tried_again(monkeypatch: pytest.MonkeyPatch, name: str, transient: bool) -> None:
    answering(monkeypatch, [ended(StateType.FAILED, name, "Stage 'embed' waits for the DVC remote: no answer.")])
    with pytest.raises(StageFailed, match=r"no answer \(on pool 'gpu'\)\.$") as caught:
        run([])
    assert caught.value.transient is transient


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "name"),
    [
        (versions.RemoteDown("no answer"), pools.WAITS),
        (StageFailed("The branch cannot be fetched.", transient=True), pools.WAITS),
        (StageFailed("Bad data."), "Failed"),
    ],
)
def test_a_worker_says_whether_it_may_pass(
    prefect_server: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, name: str
) -> None:
    def take(*arguments: object) -> None:
        raise error

    monkeypatch.setenv("ASSAY_ORIGIN", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(versions.placing, "take", take)
    flow: Callable[..., Any] = work
    state = flow("embed", "run/embed-x", return_state=True)
    assert (state.name, state.type) == (name, StateType.FAILED)
    assert str(error).rstrip(".") in str(state.message)
