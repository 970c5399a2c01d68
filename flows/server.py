"""How is a Prefect server started and set up for us?

`set_up` makes the pools, the deployments of prefect.yaml, and the automation that marks a run whose worker has died as
crashed: Prefect itself leaves it Running for ever. All of it is safe to repeat, on any server.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectAlreadyExists

from tasks import versions
from tasks.model import Mistake

from .address import Server

HEARTBEAT = 30  # seconds; Prefect takes no less
SILENT = 3 * HEARTBEAT  # seconds without a heartbeat: the run is lost
POOLS = ("cpu", "gpu")
CRASHED = "assay: a run whose worker has died is crashed"


def server_environment(server: Server, home: Path) -> Mapping[str, str]:
    """What the server's process needs."""
    database = {name: os.environ[name] for name in ("PREFECT_SERVER_DATABASE_CONNECTION_URL",) if name in os.environ}
    return {
        **database,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_API_AUTH_STRING": server.auth,
        "PREFECT_API_AUTH_STRING": server.auth,
        "PREFECT_SERVER_UI_API_URL": server.url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }


def server_command(server: Server) -> list[str]:
    port = server.ui.rpartition(":")[2]
    return [sys.executable, "-P", "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]


def wait_until_it_answers(server: Server, *, alive: Callable[[], bool], seconds: float = 180.0) -> None:
    """Mistake if it does not within `seconds`, or is no longer `alive`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and alive():
        try:
            user, _, password = server.auth.partition(":")
            if httpx.get(f"{server.url}/health", auth=(user, password), timeout=2.0).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise Mistake("The Prefect server does not answer. See .assay/logs/server.log, then run: assay up")


def set_up(workspace: Path, environment: Mapping[str, str]) -> None:
    """Pools, deployments and automation on the server that `environment` names; safe to repeat."""
    whole = {**os.environ, **environment, "ASSAY_WORKSPACE": str(workspace)}
    code = [sys.executable, "-P", "-m", "flows.server"]
    done = subprocess.run(code, cwd=workspace, env=whole, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit {done.returncode}"]
        raise Mistake(f"The server could not be set up: {said[-1]}")


def _pools_and_automation() -> None:
    with get_client(sync_client=True) as client:
        for pool in POOLS:
            with suppress(ObjectAlreadyExists):
                client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
        if not client.read_automations_by_name(CRASHED):
            client.create_automation(_silent_runs_have_crashed())


def _silent_runs_have_crashed() -> AutomationCore:
    ended = ("Completed", "Failed", "Cancelled", "Crashed")
    return AutomationCore(
        name=CRASHED,
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{state}" for state in ended)},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=SILENT),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                name="Crashed",
                message=f"No heartbeat for {SILENT} s: its worker has died.",
                force=False,
            )
        ],
    )


def _deploy() -> int:
    own = Path("prefect.yaml")
    packaged = Path(versions.__file__).parents[1] / "workspace" / "prefect.yaml.template"
    file = own if own.exists() else packaged
    command = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr, file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    _pools_and_automation()
    sys.exit(_deploy())
