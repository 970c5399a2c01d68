"""How does the review page get an address, and what happens when it starts and ends?

Starlette under uvicorn, on loopback unless told otherwise; tiles that are missing are made in the background, so that
the first person does not wait for them. Pages that are not of the review (the dashboards of flows/) are handed in, and
stand behind the same guard on the same address. One server a workspace: served.py.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from .. import signals
from ..model import AssayError, Mistake
from . import app as pages
from . import closing, served, shell
from .catalogue import version_of
from .desk import Desk
from .entrance import exchange
from .guard import HEADERS, Guard
from .hosts import hosts_of, is_loopback
from .people import people
from .publishing import Publish, Publisher
from .sessions import Sessions, link_token
from .writer import Writer

Say = Callable[[str], None]
NOT_YET = (OSError, AssayError, ValueError, KeyError)  # no items, or half written; a full disk: sheets then make tiles
LOOK = 5.0  # seconds between two looks whether there are new items, for their tiles


@dataclass(frozen=True, slots=True)
class Further:
    """Pages beside the review, on the same address. `routes` is given the desk, None where there can be none."""

    routes: Callable[[Desk | None], Sequence[BaseRoute]]
    open_here: tuple[str, ...] = ()  # paths, or beginnings that end in "/", which this machine reads without a session


NOTHING = Further(lambda desk: ())


@contextmanager
def reviewing(
    workspace: Path,
    sessions: Sessions,
    hosts: tuple[str, ...],
    now: Callable[[], str],
    *,
    further: Further = NOTHING,
    publish: Publish | None = None,
    stay: bool = False,
) -> Iterator[Starlette]:
    """The page's application; tiles are made in the background.

    Without items, or with a journal that is damaged, it is a Mistake before anything is served; with `stay` the further
    pages are served all the same, and the review says the sentence.
    """
    with ExitStack() as ending:
        try:
            desk = Desk(workspace, _closed_with(ending, Writer(workspace)))
        except Mistake as why:
            if not stay:
                raise
            own, desk_there = _unavailable(str(why)), None
        else:
            if not stay:
                desk.catalogue()
            own = [*pages.routes(desk, now), *closing.routes(desk, Publisher(publish), now)]
            desk_there = desk
            ending.enter_context(_filling(desk))
        yield Starlette(
            routes=[exchange(sessions), *own, *further.routes(desk_there)],
            exception_handlers={Exception: _failed},
            middleware=[Middleware(Guard, sessions=sessions, hosts=hosts, open_here=further.open_here)],
        )


def _failed(request: Request, error: Exception) -> JSONResponse:
    """Our own mistake: its traceback is in the server's log, and the answer carries the headers of every other."""
    return JSONResponse({"error": "The server has failed at this. Its log says why."}, 500, dict(HEADERS))


def _closed_with(ending: ExitStack, writer: Writer) -> Writer:
    ending.callback(writer.close)
    return writer


def _unavailable(why: str) -> list[Route]:
    """The review of a workspace that cannot be reviewed: the shell, and the sentence to whatever it asks."""

    def sentence(request: Request) -> JSONResponse:
        return JSONResponse({"error": why}, 503)

    return [*shell.routes(), Route("/api/{rest:path}", sentence, methods=["GET", "POST"])]


@contextmanager
def _filling(desk: Desk) -> Iterator[None]:
    """Tiles of whatever items there are or come are made meanwhile."""
    ending = threading.Event()
    background = threading.Thread(target=_fill, args=(desk, ending), name="tiles", daemon=True)
    background.start()
    try:
        yield
    finally:
        ending.set()
        background.join()


def _fill(desk: Desk, ending: threading.Event) -> None:
    data, filled, seen = desk.workspace / "data", "", ""
    while not ending.is_set():
        files = version_of(data)
        if files != filled and (files == seen or not seen):  # at once when it starts; later when no stage is writing
            # not there yet, or half; a full disk: then each sheet makes its own
            with suppress(OSError, AssayError, ValueError, KeyError):
                catalogue = desk.catalogue()
                if desk.tiles is not None:
                    wanted = [(asset, *shard) for asset, shard in zip(catalogue.assets, catalogue.shards, strict=True)]
                    desk.tiles.fill(wanted, stop=ending.is_set)
                if not ending.is_set():
                    desk.arrangement.order()
            filled = files
        seen = files
        ending.wait(LOOK)


def reachable(further: Further, host: str) -> Further:
    """The further pages of a server that binds `host`: where others reach it, nothing is open."""
    return further if is_loopback(host) else replace(further, open_here=())


def link(workspace: Path, url: str, reviewer: str | None) -> str:
    """The address of the review, with a token for the person at this machine if they have a name; on loopback only."""
    if reviewer is None or not is_loopback(urlsplit(url).hostname or ""):
        return f"{url}/review"
    return f"{url}/review#token={link_token(workspace, reviewer, now=time.time())}"


def serve(
    workspace: Path,
    *,
    host: str,
    port: int,
    reviewer: str | None,
    hosts: tuple[str, ...],
    say: Say,
    now: Callable[[], str],
    further: Further = NOTHING,
    publish: Publish | None = None,
    stay: bool = False,
) -> None:
    """Serve the pages until Ctrl-C or SIGTERM, a KeyboardInterrupt; `say` hears the link.

    Mistake where others could reach them without a token.

    `publish`: how a reviewer's page publishes a revision (publishing.Publish); without it the page does not offer it.
    `reviewer`: the person at this machine, whose link needs no token of their own; on loopback only. Taken where a
    server of this workspace is there already; with `stay` its end is waited for.
    """
    allowed = hosts_of(host, hosts, people(workspace))
    sessions = Sessions(workspace, links=is_loopback(host))
    with signals.heard(), ExitStack() as ending:
        listening = ending.enter_context(_bound(host, port))
        url = f"http://{host if ':' not in host else f'[{host}]'}:{listening.getsockname()[1]}"
        ending.enter_context(served.alone(workspace, url, wait=(lambda there: _wait(there, say)) if stay else None))
        application = ending.enter_context(
            reviewing(workspace, sessions, allowed, now, further=reachable(further, host), publish=publish, stay=stay)
        )
        listening.listen()  # who comes before it answers waits, and is not refused
        config = uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        _Server(config, ready=lambda: say(link(workspace, url, reviewer))).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Calls `ready` once it answers, and hears the signals itself: who reads the link may end it at once."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _wait(there: served.Served | None, say: Say) -> None:
    say(f"{served.Taken(there)} This one waits for it.")


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise Mistake(
                f"Port {port} on '{host}' cannot be used ({error.strerror}). Run: assay review --port 0"
            ) from None
        yield listening
