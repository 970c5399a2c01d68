"""How does the review page get an address, and what happens when it starts and ends?

Starlette under uvicorn, on loopback unless told otherwise; tiles that are missing are made in the background, so that
the first person does not wait for them.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from ..model import Mistake
from . import app as pages
from .desk import Desk
from .guard import Guard, exchange, hosts_of, is_loopback
from .people import Session, Sessions, people
from .writer import Writer

Say = Callable[[str], None]


@contextmanager
def reviewing(
    workspace: Path, sessions: Sessions, hosts: tuple[str, ...], now: Callable[[], str]
) -> Iterator[Starlette]:
    """The page's application; the journal is its alone to write meanwhile, and tiles are made in the background."""
    writer = Writer(workspace)
    desk = Desk(workspace, writer)
    ending = threading.Event()
    background = threading.Thread(target=_fill, args=(desk, ending), name="tiles", daemon=True)
    try:
        desk.catalogue()  # a workspace without items is a sentence, before anything is served
        background.start()
        yield Starlette(
            routes=[exchange(sessions), *pages.routes(desk, now)],
            middleware=[Middleware(Guard, sessions=sessions, hosts=hosts)],
        )
    finally:
        ending.set()
        if background.is_alive():
            background.join()
        writer.close()


def _fill(desk: Desk, ending: threading.Event) -> None:
    catalogue = desk.catalogue()
    if desk.tiles is not None:
        wanted = [(asset, *shard) for asset, shard in zip(catalogue.assets, catalogue.shards, strict=True)]
        try:
            desk.tiles.fill(wanted, stop=ending.is_set)
        except (OSError, Mistake):  # a full disk: each sheet then makes its own
            return
    desk.arrangement.place()


def serve(
    workspace: Path,
    *,
    host: str,
    port: int,
    reviewer: str | None,
    hosts: tuple[str, ...],
    say: Say,
    now: Callable[[], str],
) -> None:
    """Serve the page until Ctrl-C; `say` hears the link. Mistake where others could reach it without a token.

    `reviewer`: the person at this machine, whose link needs no token of their own; on loopback only.
    """
    allowed = hosts_of(host, hosts, people(workspace))
    local = Session(reviewer, "reviewer") if reviewer is not None and is_loopback(host) else None
    sessions = Sessions(workspace, local=local)
    with _bound(host, port) as listening, reviewing(workspace, sessions, allowed, now) as application:
        address = f"http://{host if ':' not in host else f'[{host}]'}:{listening.getsockname()[1]}/review"
        say(f"{address}#token={sessions.link_token()}" if local is not None else address)
        config = uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen()  # who follows the link at once waits, and is not refused
        except OSError as error:
            raise Mistake(
                f"Port {port} on '{host}' cannot be used ({error.strerror}). Run: assay review --port 0"
            ) from None
        yield listening
