"""How does a stage run on a work pool, and its result come back?

The Prefect side of versions/placing.py: a run of the deployment `work/<pool>`, waited for; one that crashes (its worker
died) is asked for again. The bytes travel through the DVC remote, only names through Prefect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run, task_run
from prefect.states import Crashed

from . import versions
from .model import StageFailed
from .shards import SHARDED

ATTEMPTS = 3  # runs of one stage, where workers die
SILENT = 90.0  # seconds without a heartbeat; three of them
LOST = 120.0  # seconds from a worker's taking a run to its start; importing everything takes ten
POLL = 1.0  # seconds between two looks at a run
PATIENCE = 60.0  # seconds after which a run that no worker has taken is worth a line in the log

WAITS = "RemoteDown"  # the name of a failed run's state: it may pass by waiting

Log = Callable[[str], None]
T = TypeVar("T")


def run_on(pool: str, workspace: Path, stage: str, log: Log, *, shards: int = 1) -> bool:
    """Run `stage` on `pool` if anything it follows from has changed; whether it had to. StageFailed as for versions.

    With `shards` above 1 a stage that maps over pieces is shared by as many runs, then put together by one more.
    """
    try:
        versions.reproduce(workspace, stage, log, run=False)
        return False
    except versions.MustRun:
        pass
    try:
        branch = versions.placing.hand_out(workspace, stage)
    except versions.RemoteDown as down:
        raise StageFailed(f"Stage '{stage}' cannot go to pool '{pool}': {down}.", transient=True) from None
    asked: dict[str, str | int] = {"stage": stage, "branch": branch}
    try:
        if shards > 1 and stage in SHARDED:
            log(f"{stage}: {shards} shards on pool '{pool}'")
            _run(pool, [asked | {"shard": f"{number}/{shards}"} for number in range(shards)], log)
            asked |= {"shards": shards}
        _run(pool, [asked], log)
        versions.placing.take_back(workspace, stage, log)
    finally:
        versions.placing.close(workspace, branch)
    return True


def _run(pool: str, wanted: Sequence[Mapping[str, str | int]], log: Log) -> None:
    """A run for each of the parameters, all at once; one whose worker dies is asked for again."""
    waiting = [(parameters, 1, _ask(pool, parameters, 1, log)) for parameters in wanted]
    while waiting:
        parameters, attempt, run = waiting.pop(0)
        state = _wait(run, pool, log).state
        if state is not None and state.is_completed():
            continue
        said = (state.message if state is not None else None) or "it ended without a word"
        if state is None or not state.is_crashed():
            transient = state is not None and state.name == WAITS
            raise StageFailed(f"{said.rstrip('.')} (on pool '{pool}').", transient=transient)
        log(f"{parameters['stage']}: attempt {attempt} on pool '{pool}' crashed: {said}")
        if attempt == ATTEMPTS:
            raise StageFailed(
                f"Stage '{parameters['stage']}' crashed {ATTEMPTS} times on pool '{pool}'. See the log of its workers."
            )
        waiting.append((parameters, attempt + 1, _ask(pool, parameters, attempt + 1, log)))


def _ask(pool: str, parameters: Mapping[str, str | int], attempt: int, log: Log) -> FlowRun:
    name = f"work/{pool}"
    key = ":".join(map(str, [*parameters.values(), flow_run.id, task_run.run_count, attempt]))

    def create() -> FlowRun:  # twice with one key is once
        with get_client(sync_client=True) as client:
            try:
                deployment = client.read_deployment_by_name(name)
            except ObjectNotFound:
                raise StageFailed(f"Deployment '{name}' is not on the server. Run: prefect deploy --all") from None
            return client.create_flow_run_from_deployment(
                deployment.id,
                parameters=dict(parameters),
                idempotency_key=key,
                parent_task_run_id=UUID(str(task_run.id)),
            )

    return _patiently(create, log)


def _patiently(ask: Callable[[], T], log: Log) -> T:
    """What the server says; one that is away is waited for, because the run of the stage goes on without it."""
    told = False
    while True:
        try:
            return ask()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500:
                raise
            if not told:
                log(f"The Prefect server does not answer ({type(error).__name__}); waiting for it.")
                told = True
            time.sleep(POLL)


def _wait(run: FlowRun, pool: str, log: Log) -> FlowRun:
    """The run, once it has ended; one that is lost is ended here. A server that does not answer is waited for."""
    begun, told = time.monotonic(), False

    def read() -> FlowRun:
        return client.read_flow_run(run.id)

    def lost() -> str | None:
        return _lost(client, run)

    with get_client(sync_client=True) as client:
        while True:
            run = _patiently(read, log)
            if run.state is not None and run.state.is_final():
                return run
            if said := _patiently(lost, log):
                client.set_flow_run_state(run.id, Crashed(message=said), force=True)
                continue
            waits = run.state is None or run.state.is_scheduled()
            if waits and not told and time.monotonic() - begun > PATIENCE:
                log(f"No worker of pool '{pool}' has taken it yet. Start one with: assay worker ORIGIN --pool {pool}")
                told = True
            time.sleep(POLL)


def _lost(client: SyncPrefectClient, run: FlowRun) -> str | None:
    """Why the run will never end: its worker died before it began, or it has no heartbeat (the first may get lost,
    and then the automation of flows/server.py never begins to listen)."""
    if run.state is None:
        return None
    now = datetime.now(UTC)
    age = (now - run.state.timestamp).total_seconds()
    if run.state.is_pending() and age > LOST:
        return f"Its worker took it and did not start it within {LOST:.0f} s."
    if run.state.is_running() and age > SILENT:
        heard = EventFilter(
            event=EventNameFilter(name=["prefect.flow-run.heartbeat"]),
            resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
            occurred=EventOccurredFilter.model_validate({"since": now - timedelta(seconds=SILENT)}),
        )
        if not client.read_events(heard, limit=1).events:
            return f"No heartbeat for {SILENT:.0f} s: its worker has died."
    return None
