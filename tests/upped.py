"""A workspace under `assay up`, as a person starts it: for the tests that need the real server and its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from flows import address
from tasks import versions
from tasks.versions import git

FREE = ("--port", "0", "--page-port", "0")


@dataclass(frozen=True)
class Upped:
    """What runs, and where."""

    workspace: Path
    process: subprocess.Popen[bytes]
    server: address.Server
    log: Path

    def post(self, path: str, **body: object) -> httpx.Response:
        """Ask the Prefect server, as our clients do."""
        user, _, password = self.server.auth.partition(":")
        return httpx.post(f"{self.server.url}{path}", json=body, auth=(user, password), timeout=30)

    def runs(self, flow: str) -> list[dict[str, object]]:
        """The runs of a flow, the newest first, without those that are only scheduled for later."""
        found = self.post("/flow_runs/filter", flows={"name": {"any_": [flow]}}, sort="START_TIME_DESC").json()
        return [run for run in found if run["start_time"] or run["state_type"] != "SCHEDULED"]

    def logs(self) -> str:
        """The ends of all logs, for whoever asks why it took too long."""
        files = [self.log, *sorted((self.workspace / ".assay" / "logs").glob("*.log"))]
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')[-1500:]}" for file in files)

    def wait(self, what: Callable[[], object], *, seconds: float = 180.0) -> None:
        """Until `what` is true; AssertionError with the logs otherwise."""
        deadline = time.monotonic() + seconds
        while not what():
            assert self.process.poll() is None, self.logs()
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.3)

    def messages(self) -> list[str]:
        """The subjects of the commits, the newest first."""
        return git.git(self.workspace, "log", "--format=%s").splitlines()


@contextmanager
def up(workspace: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[Upped]:
    """`assay up` in `workspace`, ended with Ctrl-C."""
    versions.open_workspace(workspace)
    log = workspace.parent / f"{workspace.name}-up.log"
    command = [sys.executable, "-P", "-m", "flows.cli", "up", "--workspace", str(workspace), *FREE, *arguments]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    with open(log, "ab") as lines:
        process = subprocess.Popen(
            command, stdout=lines, stderr=subprocess.STDOUT, env=clean | (environment or {}), start_new_session=True
        )
    try:
        deadline = time.monotonic() + 240
        while (server := address.find(workspace)) is None:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.3)
        yield Upped(workspace, process, server, log)
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            for child in family:
                child.kill()
            raise
