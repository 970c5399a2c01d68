"""What ran on the Prefect server, what runs, and which workers are there?

Reads   the server at PREFECT_API_URL (with PREFECT_API_AUTH_STRING, if set), through Prefect's own client
Writes  nothing; without the address no server is started, and a server that does not answer costs two seconds at most

One server is taken to serve one workspace: Prefect's counts know no other border.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterId, FlowRunFilter, FlowRunFilterState
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, PREFECT_UI_URL, temporary_settings

from .state import Run, Server, Worker

ENDED = ("completed", "failed", "crashed", "cancelled")
OPEN = ("running", "pending", "late")
FLOWS = 20  # names told; a server has a handful
RECENT = 12  # runs on the page
WORKERS = 50  # a pool; a restarted worker has a new name, the old one is told for a day
PATIENCE = 2.0  # seconds for one answer of the server
DAY = timedelta(days=1)

UNREACHABLE = (httpx.HTTPError, httpx.InvalidURL, PrefectException, OSError, RuntimeError, ValueError)


class Runs:
    """Asks the server, at most once in `keep` seconds; several threads may share it."""

    def __init__(self, keep: float = 5.0) -> None:
        self._keep = keep
        self._last: tuple[float, Server] | None = None
        self._one_at_a_time = threading.Lock()

    def look(self) -> Server:
        """The server now, or as it was less than `keep` seconds ago."""
        with self._one_at_a_time:
            if self._last is None or time.monotonic() - self._last[0] > self._keep:
                self._last = (time.monotonic(), ask())
            return self._last[1]


def ask() -> Server:
    """The server now; `up` is False, with the reason, where it does not answer as it should."""
    if not PREFECT_API_URL.value():
        return Server(False, "PREFECT_API_URL is not set.")
    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(httpx_settings={"timeout": PATIENCE}, sync_client=True) as client,
        ):
            return _ask(client)
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        return Server(
            False, f"It says {code}." + (" Set PREFECT_API_AUTH_STRING to its password." if code == 401 else "")
        )
    except UNREACHABLE as error:
        return Server(False, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no answer'}")


def _ask(client: SyncPrefectClient) -> Server:
    names = {flow.id: flow.name for flow in client.read_flows(limit=FLOWS)}
    ended = _runs(client, names, [StateType(state.upper()) for state in ENDED], FlowRunSort.END_TIME_DESC)
    begun = _runs(client, names, [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
    waiting = _runs(client, names, [StateType.SCHEDULED], FlowRunSort.EXPECTED_START_TIME_ASC)
    late = [run for run in waiting if run.state == "late"]
    newest: dict[str, Run] = {}
    for run in ended:
        newest.setdefault(run.flow, run)
    for flow in sorted(set(names.values()) - set(newest)):
        ids = [key for key, name in names.items() if name == flow]
        states = [StateType(state.upper()) for state in ENDED]
        for run in _runs(client, names, states, FlowRunSort.END_TIME_DESC, ids, 1):
            newest[flow] = run
    pools = client.read_work_pools(limit=FLOWS)
    workers = [
        Worker(pool.name, one.name, _time(one.last_heartbeat_time), one.status.value == "ONLINE")
        for pool in pools
        for one in client.read_workers_for_work_pool(pool.name, limit=WORKERS)
    ]
    return Server(
        up=True,
        ui=_ui(),
        counts=_counts(client, names),
        newest=[newest[flow] for flow in sorted(newest)],
        open=[*begun, *late],
        recent=sorted([*begun, *ended], key=lambda run: run.started or float("inf"), reverse=True)[:RECENT],
        pools=sorted(pool.name for pool in pools),
        workers=workers,
    )


def _runs(
    client: SyncPrefectClient,
    names: Mapping[UUID, str],
    states: Sequence[StateType],
    sort: FlowRunSort = FlowRunSort.START_TIME_DESC,
    flows: Sequence[UUID] = (),
    limit: int = 50,
) -> list[Run]:
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState.model_validate({"type": {"any_": list(states)}})),
        flow_filter=FlowFilter(id=FlowFilterId(any_=list(flows))) if flows else None,
        sort=sort,
        limit=limit,
    )
    return [_run(run, names) for run in found if run.flow_id in names]


def _run(run: FlowRun, names: Mapping[UUID, str]) -> Run:
    state = run.state
    kind = "unknown" if state is None else _word(state.type.value, state.name or "")
    since = run.start_time or run.expected_start_time
    message = (state.message or "") if state is not None else ""
    return Run(str(run.id), names[run.flow_id], kind, _time(since), _time(run.end_time), message, run.name.strip())


def _word(kind: str, name: str) -> str:
    """Late is a name of the type SCHEDULED."""
    return "late" if name == "Late" else kind.lower()


def _counts(client: SyncPrefectClient, names: Mapping[UUID, str]) -> dict[tuple[str, str], int]:
    """Runs of the last day by flow and state, counted by the server: there may be thousands."""
    until = datetime.now(UTC) + timedelta(minutes=1)
    counts: dict[tuple[str, str], int] = {}
    for key, name in names.items():
        asked: dict[str, Any] = {
            "history_start": (until - DAY).isoformat(),
            "history_end": until.isoformat(),
            "history_interval_seconds": DAY.total_seconds(),
            "flows": {"id": {"any_": [str(key)]}},
        }
        for interval in client.request("POST", "/flow_runs/history", json=asked).json():
            for state in interval["states"]:
                entry = (name, _word(state["state_type"], state["state_name"]))
                counts[entry] = counts.get(entry, 0) + int(state["count_runs"])
    return counts


def _ui() -> str:
    """Where the server's pages are: an http address without a password in it, or nothing."""
    address = str(PREFECT_UI_URL.value() or str(PREFECT_API_URL.value() or "").removesuffix("/api"))
    return address.rstrip("/") if address.startswith(("http://", "https://")) and "@" not in address else ""


def _time(at: Any) -> float | None:
    return None if at is None else float(at.timestamp())
