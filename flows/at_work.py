"""How does a flow hold its workspace, and how is it known that it still does?

Writes  .assay/runs/<flow run>.json: the process that runs it; it stays until that process is gone, because a run is
        not over for the server when it lets go of the workspace

A run whose process is gone is over, whatever the server believes: the sweeper says so there (submit.py), and need not
wait for a heartbeat to stay away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from prefect.runtime import deployment, flow_run

from tasks import attempts, durable, versions

from .clock import now

FOLDER = ".assay/runs"


@contextmanager
def at_work(workspace: Path, flow: str) -> Iterator[attempts.Outcome]:
    """Hold the workspace for a run of `flow`, and keep what came of it.

    A run that came through a deployment waits for a busy workspace; to a person it is a sentence.
    """
    asked_for = deployment.id is not None
    if asked_for:
        sweep(workspace)
        me = psutil.Process()
        note = {"pid": me.pid, "born": me.create_time()}
        durable.write_text(workspace / FOLDER / f"{flow_run.id}.json", json.dumps(note))
    with versions.lock(workspace, wait=asked_for), attempts.noted(workspace, flow, now) as outcome:
        yield outcome


def is_alive(workspace: Path, run: str) -> bool:
    """Whether the process of this flow run, on this machine, is still there."""
    try:
        noted = json.loads((workspace / FOLDER / f"{run}.json").read_text(encoding="utf-8"))
        return bool(abs(psutil.Process(noted["pid"]).create_time() - noted["born"]) < 1.0)
    except (OSError, ValueError, KeyError, psutil.Error):
        return False


def sweep(workspace: Path) -> None:
    """Remove the notes of runs whose process is gone."""
    for note in (workspace / FOLDER).glob("*.json"):
        if not is_alive(workspace, note.stem):
            note.unlink(missing_ok=True)
