"""How does the sweeper run a flow on the server's workers?

Through the deployments of prefect.yaml (`curate/workspace`, `revise/workspace`), with an idempotency key: whoever asks
for the same attempt at the same work gets the same run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from tasks import attempts
from tasks.model import Mistake

from .at_work import is_alive, sweep
from .watch import Job, Say, Work

DEPLOYMENT = "workspace"  # its name in prefect.yaml
FLOWS = ("curate", "revise", "augment")
PAGE = 200  # runs in one answer; Prefect gives no more
SOON = timedelta(seconds=30)  # a run that is scheduled for later is no run yet
GRACE = 10.0  # seconds that a run may be Running before its process has noted itself
PENDING = 120.0  # seconds from a worker's taking a run to its start; importing everything takes ten
ACTIVE = (StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING)


class OnServer:
    """Runs flows through their deployments."""

    def busy(self, workspace: Path, say: Say) -> bool:
        """Whether a run of a flow of ours is at work, or waits for its turn; one whose process is gone is ended."""
        runs = [run for run in active_runs() if not _ended_if_lost(workspace, run)]
        if sentence := _stands_in_the_way(runs):
            say(f"waits: {sentence}")
        return bool(runs)

    def start(self, work: Work, workspace: Path, attempt: int) -> Job:
        """Create the run; a worker takes it from there."""
        begun = attempts.of(workspace, work.flow)  # the same work may come back after other work: then it is a new run
        create_run(f"{work.flow}/{DEPLOYMENT}", f"{work.flow}:{work.key}:{attempt}:{begun.at if begun else ''}")
        return lambda: None


def active_runs() -> list[FlowRun]:
    """The runs of our flows that are not over, and not only scheduled for later."""
    seen = 0
    with get_client(sync_client=True) as client, server_is_there():
        runs: list[FlowRun] = []
        while True:  # the schedules of three flows alone fill more than a page
            page = client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=list(FLOWS))),
                deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[DEPLOYMENT])),
                flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(ACTIVE)))),
                sort=FlowRunSort.EXPECTED_START_TIME_ASC,
                limit=PAGE,
                offset=seen,
            )
            seen += len(page)
            runs += [run for run in page if not _is_for_later(run, datetime.now(UTC))]
            if len(page) < PAGE:
                break
    return runs


def _is_for_later(run: FlowRun, now: datetime) -> bool:
    """Whether it is only planned; a run that waits for its turn or is late has another name than `Scheduled`."""
    planned = run.state is not None and run.state.name == "Scheduled"
    return planned and run.next_scheduled_start_time is not None and run.next_scheduled_start_time > now + SOON


def _stands_in_the_way(runs: Sequence[FlowRun]) -> str | None:
    """What a person must do before anything can begin; None while a run is at work, or soon will be."""
    for run in runs:
        if run.state is not None and run.state.is_paused():
            return (
                f"Run '{run.name}' ({run.id}) is paused, and nothing begins beside it. "
                f"Resume it in Prefect, or run: prefect flow-run cancel {run.id}"
            )
    late = [run for run in runs if run.state is not None and run.state.name == "Late"]
    if runs and len(late) == len(runs):
        return f"No worker takes run '{late[0].name}' ({late[0].id}). Start one with: assay up"
    return None


def _ended_if_lost(workspace: Path, run: FlowRun) -> bool:
    """Whether the run is lost: its process is gone, or its worker died between taking and starting it.

    The server is told, which frees the run's place; otherwise it would believe in it for ever, or until the heartbeat
    automation ends it.
    """
    if run.state is None or not (run.state.is_running() or run.state.is_pending() or run.state.is_cancelling()):
        return False
    age = (datetime.now(UTC) - run.state.timestamp).total_seconds()
    alive = is_alive(workspace, str(run.id))
    if alive or age < (PENDING if run.state.is_pending() else GRACE):
        return False
    with get_client(sync_client=True) as client, server_is_there():
        if run.state.is_cancelling():
            ended: State[Any] = Cancelled(message="Its process is gone.")
        elif run.state.is_running():
            ended = Crashed(message="Its process is gone.")
        else:
            ended = Crashed(message=f"No worker started it within {PENDING:.0f} s.")
        client.set_flow_run_state(run.id, ended, force=True)
    sweep(workspace)
    return True


def create_run(deployment: str, key: str, **parameters: str | int | list[str]) -> FlowRun:
    """A run of `flow/name`; the earlier one if there is one with this key."""
    with get_client(sync_client=True) as client, server_is_there():
        try:
            found = client.read_deployment_by_name(deployment)
        except ObjectNotFound:
            raise Mistake(f"Deployment '{deployment}' is not on the server. Run: prefect deploy --all") from None
        return client.create_flow_run_from_deployment(found.id, parameters=parameters, idempotency_key=key)


@contextmanager
def server_is_there() -> Iterator[None]:
    """A server that does not answer is a sentence."""
    try:
        yield
    except (httpx.TransportError, httpx.HTTPStatusError) as error:
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise Mistake(f"The Prefect server does not answer ({said}). Start it with: assay up") from None
