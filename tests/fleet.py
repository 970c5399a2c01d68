"""Several machines on one: server, coordinator, a GPU worker with a clone of its own, an S3 remote, each killable.

Everything is a real process with a log; `kill` ends one with all that it has started, `start` brings it back, as
systemd would. The S3 server keeps its objects in memory, so what is killed of the remote is the only
way to it: a TCP relay.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import httpx
import psutil
from botocore.exceptions import BotoCoreError

from flows import address, server, up
from flows.address import free_port
from tasks import telemetry, versions
from tasks.versions import git

KEY, SECRET, REGION = "canary-key-id", "canary-s3cret", "us-east-1"
AWS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": REGION}
AUTH = "assay:canary-passw0rd"
PARAMS = """\
watch: {every: 1, attempts: 50, publish: always}
place: {embed: gpu, shards: 2}
"""
RELAY = """
import asyncio, sys
async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data); await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def meet(reader, writer):
    try:
        there, back = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    except OSError:
        return writer.close()
    await asyncio.gather(pump(reader, back), pump(there, writer))
async def main():
    await (await asyncio.start_server(meet, "127.0.0.1", int(sys.argv[1]))).serve_forever()
asyncio.run(main())
"""


@dataclass
class Fleet:
    """The processes, and where their things are."""

    root: Path
    database: str | None = None  # a PostgreSQL address; None: SQLite
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    kills: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.workspace = self.root / "coordinator"
        self.origin = self.root / "origin.git"
        self.ports = {name: free_port(0) for name in ("server", "s3", "relay")}
        self.address = address.Server(f"http://127.0.0.1:{self.ports['server']}/api", AUTH, "", os.getpid(), 0.0)

    # --- the pieces --------------------------------------------------------------------------------------------------

    def make(self) -> None:
        """A workspace with a bare git remote and an S3 remote; its params place embed on the gpu pool."""
        self.start("s3")
        self.start("relay")
        s3 = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.ports['s3']}",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name=REGION,
        )
        for _ in range(120):
            with suppress(BotoCoreError):
                s3.create_bucket(Bucket="assay")
                break
            time.sleep(0.5)
        versions.init(self.workspace, remote="s3://assay/cats")
        config = self.workspace / ".dvc" / "config"
        text = config.read_text() + f"    endpointurl = http://127.0.0.1:{self.ports['relay']}\n"
        config.write_text(text + "    connect_timeout = 3\n    read_timeout = 20\n")
        params = self.workspace / "params.yaml"
        lines = [line for line in params.read_text().splitlines() if not line.startswith(("watch:", "place:"))]
        params.write_text("\n".join(lines) + "\n" + PARAMS)
        git.commit(self.workspace, "S3, and embed on the gpu pool", [".dvc/config", "params.yaml"])
        subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(self.origin)], check=True)
        for command in (["remote", "add", "origin", str(self.origin)], ["push", "--quiet", "-u", "origin", "main"]):
            git.git(self.workspace, *command)

    def plans(self) -> Mapping[str, tuple[list[str], dict[str, str]]]:
        """Name -> (command, environment) of each process."""
        client = {**AWS, "PREFECT_API_URL": self.address.url, "PREFECT_API_AUTH_STRING": AUTH}
        client |= {"ASSAY_WORKSPACE": str(self.workspace)}
        home = dict(server.server_environment(self.address, self.root / "prefect"))
        if self.database:
            home["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = self.database
        here, there = self.root / "stages-cpu", self.root / "stages-gpu"
        origin = {"ASSAY_ORIGIN": str(self.origin)}
        python = [sys.executable, "-P", "-m"]
        return {
            "s3": ([*python, "moto.server", "-H", "127.0.0.1", "-p", str(self.ports["s3"])], {}),
            "relay": ([sys.executable, "-c", RELAY, str(self.ports["relay"]), str(self.ports["s3"])], {}),
            "server": (server.server_command(self.address), home),
            "worker-cpu": up.worker_of("cpu", here, client | origin),
            "worker-gpu": up.worker_of("gpu", there, client | origin, queues=("stages",)),
            "watch": ([*python, "flows.cli", "watch", "--workspace", str(self.workspace)], client),
        }

    def start(self, name: str) -> None:
        """Start, or start again; the server and the relay are waited for."""
        command, environment = self.plans()[name]
        logs = self.root / "logs"
        logs.mkdir(exist_ok=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "AWS_", "ASSAY_"))}
        with open(logs / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.workspace if self.workspace.exists() else self.root,
                env=clean | telemetry.OFF | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if name == "server":
            process = self.processes[name]
            server.wait_until_it_answers(self.address, alive=lambda: process.poll() is None)

    def set_up(self) -> None:
        """Pools, automation and deployments."""
        server.set_up(self.workspace, self.address.environment)

    def kill(self, name: str) -> None:
        """kill -9 of a process and of all that it has started; a flow of a worker dies with it."""
        process = self.processes[name]
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(process.pid).children(recursive=True)
            for member in [psutil.Process(process.pid), *family]:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
        process.wait()
        self.kills.append(name)

    def end(self) -> None:
        """All of it, the one upon which the others stand last."""
        for name in reversed(list(self.processes)):
            with suppress(ProcessLookupError):
                os.killpg(self.processes[name].pid, signal.SIGTERM)
            self.kill(name)

    # --- what there is to see -----------------------------------------------------------------------------------------

    def ask(self, path: str, **body: object) -> list[dict[str, object]]:
        """A filter of the Prefect API, all pages of it."""
        user, _, password = AUTH.partition(":")
        found: list[dict[str, object]] = []
        while True:
            page = body | {"limit": 200, "offset": len(found)}
            answer = httpx.post(f"{self.address.url}{path}", json=page, auth=(user, password), timeout=60)
            answer.raise_for_status()
            found += (some := answer.json())
            if len(some) < 200:
                return found

    def wait(self, what: Callable[[], object], *, seconds: float) -> None:
        """Until `what` is true; AssertionError with the logs otherwise."""
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.2)

    def logs(self) -> str:
        """The ends of all logs, for whoever asks why it took too long."""
        files = sorted((self.root / "logs").iterdir())
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')[-2500:]}" for file in files)

    def everything_written(self) -> dict[str, bytes]:
        """Path -> content of every file that anything has written, for the search for secrets."""
        files = [path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink()]
        return {str(path): path.read_bytes() for path in files}
