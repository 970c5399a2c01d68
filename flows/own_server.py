"""How does a run that names no Prefect server get one of its own?

Prefect starts one by itself, on a port drawn from 1,000, and takes whatever answers there for it: of two runs that
begin at once on one machine, one may talk to the other's server, and loses it when the other ends. Here the kernel
names the port, and the run goes on only when the process that listens there is its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL

from tasks.model import Mistake

from .address import free_port

ATTEMPTS = 3
LOOK = 0.05  # seconds between two looks


def start() -> None:
    """The server that Prefect's clients in this process find; it ends with the process. Nothing, if one is named.

    Mistake if its port is taken from under it each time.
    """
    if PREFECT_API_URL.value():
        return
    server = SubprocessASGIServer()
    if server.running:
        return
    for _ in range(ATTEMPTS):
        server.port = free_port(0)
        server.start()
        if _listens(server):
            return
        server.stop()
        server = SubprocessASGIServer()  # the one that Prefect's clients will find from now on
    raise Mistake("Prefect's own server cannot keep a port on 127.0.0.1. Run the same command again, or: assay up")


@contextmanager
def is_there() -> Iterator[None]:
    """A server that ends under a run, ours or a named one, is a sentence."""
    try:
        yield
    except httpx.TransportError as error:
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise Mistake(
            f"The Prefect server went away during the run ({said}). What was done is kept; run the same command again"
        ) from None


def _listens(server: SubprocessASGIServer) -> bool:
    """Whether the process that listens at the port is the server's; waits until it does, or has ended."""
    process = server.server_process
    while process is not None and process.poll() is None:
        for connection in psutil.Process(process.pid).net_connections(kind="tcp4"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == server.port:
                return True
        time.sleep(LOOK)
    return False
