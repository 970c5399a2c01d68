"""Which Prefect server belongs to this workspace?

Writes  .assay/server.json (mode 600): address and password, and the process that keeps the server, for later commands

Imports nothing heavy: every command asks this first.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tasks.model import Mistake

FILE = ".assay/server.json"


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is, and how to get in."""

    url: str  # http://127.0.0.1:4200/api
    auth: str  # user:password
    page: str  # http://127.0.0.1:8710: our own page
    pid: int  # of `assay up`
    born: float  # when that process began: a pid alone may be somebody else's by now

    @property
    def ui(self) -> str:
        return self.url.removesuffix("/api")

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs."""
        return {"PREFECT_API_URL": self.url, "PREFECT_API_AUTH_STRING": self.auth}


def free_port(wanted: int) -> int:
    """`wanted` on loopback, or any free port if it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
            except OSError:
                continue
    raise Mistake("No port is free on 127.0.0.1. End what listens there, then run: assay up")


def new(port: int, page_port: int) -> Server:
    """A server to be started by this process, with a password of its own."""
    me = psutil.Process()
    return Server(
        url=f"http://127.0.0.1:{free_port(port)}/api",
        auth=os.environ.get("PREFECT_SERVER_API_AUTH_STRING") or f"assay:{secrets.token_urlsafe(18)}",
        page=f"http://127.0.0.1:{free_port(page_port)}",
        pid=me.pid,
        born=me.create_time(),
    )


def find(workspace: Path) -> Server | None:
    """The server that a living `assay up` keeps for this workspace."""
    try:
        content = json.loads((workspace / FILE).read_text(encoding="utf-8"))
        server = Server(**content)
        alive = abs(psutil.Process(server.pid).create_time() - server.born) < 1.0
    except (OSError, ValueError, TypeError, psutil.Error):
        return None
    return server if alive else None


def remember(workspace: Path, server: Server) -> None:
    """Let later commands find it; nobody else may read the password."""
    path = workspace / FILE
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".server.json.tmp-{os.getpid()}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(server), file, indent=2)
    os.replace(temporary, path)


def forget(workspace: Path) -> None:
    (workspace / FILE).unlink(missing_ok=True)
