"""How does everything start with one command, and end with Ctrl-C?

Server, a `cpu` and a `gpu` process worker, the watcher and the page, all on loopback, each a child with a log in
.assay/logs; the server with a password. A child that ends by itself is started again, a few times. The deployments are
those of the workspace's prefect.yaml.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tasks import signals, telemetry
from tasks.model import Mistake
from tasks.review import people, served

from . import address, children, server

RESTARTS = 5  # of one child within RESTARTS_WITHIN seconds, before everything ends
RESTARTS_WITHIN = 600.0
QUERY_SECONDS = "2"  # between two looks of a worker for work
GENTLE = 0.5  # seconds between two looks at the children

Say = Callable[[str], None]


def up(
    workspace: Path,
    say: Say,
    *,
    port: int = 4200,
    page_port: int = 8710,
    reviewer: str | None = None,
    seconds: float | None = None,
) -> None:
    """Start everything, print the links through `say`, and stay until Ctrl-C, SIGTERM or for `seconds`.

    `reviewer`: who sits at this machine, for the link of the review.
    """
    if (running := address.find(workspace)) is not None:
        raise Mistake(f"The workspace is up already: {running.ui} (process {running.pid}). End it there with Ctrl-C.")
    if (there := served.find(workspace)) is not None:
        raise served.Taken(there)
    reviewer = people.at_this_machine(people.people(workspace), reviewer)
    here = address.new(port, page_port)
    started: list[children.Child] = []
    plans = _plans(workspace, here)
    logs = workspace / ".assay" / "logs"

    def start(name: str) -> children.Child:
        command, environment = plans[name]
        return children.start(name, command, logs=logs, cwd=workspace, environment=telemetry.OFF | dict(environment))

    with signals.heard():
        try:
            started.append(start("server"))
            say("server: starting ...")
            server.wait_until_it_answers(here, alive=lambda: started[0].alive)
            server.set_up(workspace, here.environment)
            started += [start(name) for name in plans if name != "server"]
            address.remember(workspace, here)
            for line in links(workspace, here, reviewer):
                say(line)
            _stay(started, start, say, seconds)
        except KeyboardInterrupt:
            say("ending ...")
        finally:
            address.forget(workspace)
            children.end(started)
    say("Everything has ended. What was done is kept; `assay up` goes on with it.")


def links(workspace: Path, here: address.Server, reviewer: str | None) -> list[str]:
    """What a person needs to know, one line each."""
    from tasks.review.server import link  # once, after everything has been started

    return [
        f"Dashboards     {here.page}",
        f"Review         {link(workspace, here.page, reviewer)}",
        "  a new link   assay review",
        f"Prefect        {here.ui}",
        f"  password     {here.auth}",
        f"Metrics        {here.page}/metrics",
        "Put a drop into data/incoming, with a _SUCCESS when it is complete. Ctrl-C ends everything.",
    ]


def _plans(workspace: Path, here: address.Server) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Name -> (command, environment) of each child, in the order in which they start."""
    python = [sys.executable, "-P", "-m"]
    client = here.environment | {"ASSAY_WORKSPACE": str(workspace), "ASSAY_ORIGIN": str(workspace)}
    plans = {
        "server": (server.server_command(here), dict(server.server_environment(here, workspace / ".assay/prefect")))
    }
    for pool in server.POOLS:
        plans[f"worker-{pool}"] = worker_of(pool, workspace / ".assay" / "workers" / pool, client)
    plans["watch"] = ([*python, "flows.cli", "watch"], client)
    page = [*python, "flows.dashboard", str(workspace), "--port", here.page.rpartition(":")[2]]
    plans["page"] = (page, client)
    return plans


def worker_of(
    pool: str, clone: Path, client: dict[str, str], *, queues: tuple[str, ...] = ()
) -> tuple[list[str], dict[str, str]]:
    """(command, environment) of a process worker of `pool` that runs stages in `clone`."""
    clone.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-P", "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
    command += ["--name", f"{pool} {socket.gethostname()}:{clone.name}"]
    command += [part for queue in queues for part in ("--work-queue", queue)]
    environment = client | {
        "ASSAY_CLONE": str(clone),
        "PREFECT_WORKER_QUERY_SECONDS": QUERY_SECONDS,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(server.HEARTBEAT),
        "PREFECT_HOME": str(clone / ".prefect"),
    }
    return command, environment


def _stay(
    started: list[children.Child], start: Callable[[str], children.Child], say: Say, seconds: float | None
) -> None:
    until = None if seconds is None else time.monotonic() + seconds
    restarts: dict[str, list[float]] = {child.name: [] for child in started}  # when; old ones are forgotten
    while until is None or time.monotonic() < until:
        for place, child in enumerate(started):
            if child.alive:
                continue
            at = time.monotonic()
            recent = [before for before in restarts[child.name] if at - before < RESTARTS_WITHIN] + [at]
            restarts[child.name] = recent
            if len(recent) > RESTARTS:
                raise Mistake(
                    f"'{child.name}' has ended {len(recent)} times in a short while (exit {child.process.returncode}). "
                    f"See {child.log}; then run: assay up"
                )
            say(f"{child.name} has ended (exit {child.process.returncode}); starting it again.")
            started[place] = start(child.name)
        time.sleep(GENTLE)
