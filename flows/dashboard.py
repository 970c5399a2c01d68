"""What does the engineer on call see? The dashboards at /, /metrics for Prometheus, /health; the review beside them.

    python -P -m flows.dashboard WORKSPACE --port 8710

Reads   the workspace through sight.py, the Prefect server through runs.py
Writes  nothing itself; the review on the same address (tasks/review/) writes the journal

Who may read: this machine reads the figures without a session, as Prometheus does; what shows items or people (the
revisions, the files that hold pictures, names) needs one. Reached by any other name, everything needs one: OPEN_HERE.
Covered by tasks/review/guard.py: other Host names (DNS rebinding), other methods, rates; here: paths outside FILES,
links out of the workspace, hostile text, framing, scripts. Not covered: another user of this machine reads the figures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from tasks.model import AssayError, Verdict
from tasks.review.desk import Desk
from tasks.review.server import Further, serve
from tasks.review.sessions import Session

from . import dashboard_revisions, environment, overview
from .clock import now as clock
from .exporter import CONTENT_TYPE, exposition
from .links import of_place
from .republish import republish
from .sight import Sight
from .state import Server

PORT = 8710
OPEN_HERE = ("/", "/metrics", "/health", "/page.css")
FILES: Mapping[str, tuple[str, str]] = {  # name in the address -> file of the workspace, media type
    "report.html": ("report.html", "text/html"),
    "validation.html": ("data/validate/report.html", "text/html"),
    "noise.json": ("data/audit/noise.json", "application/json"),
    "confusions.csv": ("data/audit/confusions.csv", "text/csv"),
}
COMMON = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
OWN = f"{COMMON}; style-src 'self'; img-src 'self'; form-action 'self'"
MADE_BY_A_RUN = f"{COMMON}; form-action 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"  # style inside
NO_PREFECT = Server(False, "Runs are shown on the page of: assay up")

Look = Callable[[], Server]


def further(workspace: Path, runs: Look) -> Further:
    """The dashboards of one workspace, for the server of the review; `runs` tells of the Prefect server."""
    return Further(lambda desk: routes(workspace, runs, desk), OPEN_HERE)


def routes(workspace: Path, runs: Look, desk: Desk | None) -> Sequence[BaseRoute]:
    """The pages; they ask nothing of the disk or the server before the first request."""
    sight = Sight(workspace, None if desk is None else lambda: _said(desk))
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("flows", "."), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    look = templates.get_template("page.css").render()

    def shown(name: str, told: Mapping[str, object], status: int = 200) -> Response:
        return HTMLResponse(templates.get_template(name).render(**told), status, {"content-security-policy": OWN})

    def page(request: Request) -> Response:
        session: Session | None = request.state.session
        told = overview.overview(sight.look(), runs(), sight.workspace, time.time(), place)
        files = {name for name in FILES if session is not None and _file(sight.workspace, name) is not None}
        return shown("dashboard.html.j2", {**told, "files": files, "session": session})

    def place(item: str) -> str | None:
        if desk is None:
            return None
        try:
            n = desk.catalogue().place.get(item)
        except (AssayError, OSError):  # no items now
            return None
        return None if n is None else of_place(n)

    def study(request: Request) -> Response:
        name = str(request.path_params["name"])
        shown = {one.file for one in sight.look().studies}
        path = sight.workspace / ".assay" / "studies" / name
        if name not in shown or path.is_symlink() or not path.is_file():
            return PlainTextResponse("Not found", 404)
        return Response(path.read_bytes(), media_type="text/html", headers={"content-security-policy": MADE_BY_A_RUN})

    def metrics(request: Request) -> Response:
        return Response(exposition(sight.look(), runs(), time.time()), headers={"content-type": CONTENT_TYPE})

    def health(request: Request) -> Response:
        there = (sight.workspace / "params.yaml").is_file()
        return JSONResponse({"workspace": "found" if there else "gone"}, 200 if there else 503)

    def style(request: Request) -> Response:
        return Response(look, media_type="text/css")

    def file(request: Request) -> Response:
        name = str(request.path_params["name"])
        path = _file(sight.workspace, name)
        if path is None:
            return PlainTextResponse("Not found", 404)
        return Response(
            path.read_bytes(), media_type=FILES[name][1], headers={"content-security-policy": MADE_BY_A_RUN}
        )

    return [
        Route("/", page),
        Route("/metrics", metrics),
        Route("/health", health),
        Route("/page.css", style),
        Route("/files/{name}", file),
        Route("/studies/{name}", study),
        *dashboard_revisions.routes(workspace, desk, shown),
    ]


def _said(desk: Desk) -> Sequence[Verdict]:
    desk.writer.look()  # what `assay answer` has written meanwhile
    return desk.logs.said()


def _file(workspace: Path, name: str) -> Path | None:
    """The file behind a name of the list, if it is there and no link leads out of the workspace."""
    if name not in FILES:
        return None
    path = (workspace / FILES[name][0]).resolve()
    return path if path.is_relative_to(workspace.resolve()) and path.is_file() else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -P -m flows.dashboard", description="The pages of one workspace.")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--port", type=int, default=PORT, help=f"on 127.0.0.1; default {PORT}")
    arguments = parser.parse_args()
    if not (arguments.workspace / "params.yaml").is_file():
        parser.exit(1, f"Folder '{arguments.workspace}' is no workspace. Run: assay init {arguments.workspace}\n")
    environment.prepare(arguments.workspace)
    from .runs import Runs  # Prefect makes its home at import: `prepare` has said where

    with suppress(KeyboardInterrupt):
        serve(
            arguments.workspace,
            host="127.0.0.1",  # there is no way to bind another address here: that is `assay review --host`
            port=arguments.port,
            reviewer=None,  # a link would end in a log: `assay review` prints one
            hosts=(),
            say=print,
            now=clock,
            further=further(arguments.workspace, Runs().look),
            publish=partial(republish, arguments.workspace),
            stay=True,
        )


if __name__ == "__main__":
    main()
