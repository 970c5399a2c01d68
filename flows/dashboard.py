"""What does the engineer on call see? A page at /, /metrics for Prometheus, /health; read-only, on loopback only.

    python -P -m flows.dashboard WORKSPACE --port 8710

Reads   the workspace through sight.py, the Prefect server through runs.py
Writes  nothing

Covered: other Host names (DNS rebinding), other methods, paths outside FILES, links out of the workspace, hostile text,
framing, scripts. Not covered: another user of this machine, who can reach loopback too: the page has no password.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasks.review.guard import LOOPBACK, SAFE

from . import environment, overview
from .exporter import CONTENT_TYPE, exposition
from .sight import Sight

PORT = 8710
FILES: Mapping[str, tuple[str, str]] = {  # name in the address -> file of the workspace, media type
    "report.html": ("report.html", "text/html"),
    "validation.html": ("data/validate/report.html", "text/html"),
    "noise.json": ("data/audit/noise.json", "application/json"),
    "confusions.csv": ("data/audit/confusions.csv", "text/csv"),
}
COMMON = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
OWN = f"{COMMON}; style-src 'self'"
MADE_BY_A_RUN = f"{COMMON}; style-src 'unsafe-inline'; img-src data:; sandbox"  # pages that hold their style inside


class _Guarded:
    """Puts the security headers on every answer, refusals included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**SAFE, "content-security-policy": OWN}.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded)


def app(workspace: Path) -> Starlette:
    """The page of one workspace; it asks nothing of the disk or the server before the first request."""
    from .runs import Runs  # Prefect makes its home at import: `main` says where, first

    sight, runs = Sight(workspace), Runs()
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("flows", "."), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    look = templates.get_template("page.css").render()

    def page(request: Request) -> Response:
        shown = overview.overview(sight.look(), runs.look(), sight.workspace, time.time())
        files = {name for name in FILES if _file(sight.workspace, name) is not None}
        return HTMLResponse(templates.get_template("dashboard.html.j2").render(**shown, files=files))

    def metrics(request: Request) -> Response:
        return Response(exposition(sight.look(), runs.look(), time.time()), headers={"content-type": CONTENT_TYPE})

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

    return Starlette(
        routes=[
            Route("/", page),
            Route("/metrics", metrics),
            Route("/health", health),
            Route("/page.css", style),
            Route("/files/{name}", file),
        ],
        middleware=[
            Middleware(_Guarded),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK), www_redirect=False),
        ],
    )


def _file(workspace: Path, name: str) -> Path | None:
    """The file behind a name of the list, if it is there and no link leads out of the workspace."""
    if name not in FILES:
        return None
    path = (workspace / FILES[name][0]).resolve()
    return path if path.is_relative_to(workspace.resolve()) and path.is_file() else None


def serve(workspace: Path, port: int = PORT) -> None:
    """Serve the page on loopback until the process is told to stop; there is no way to bind another address."""
    settings: dict[str, Any] = {"host": "127.0.0.1", "port": port, "log_level": "warning", "server_header": False}
    uvicorn.run(app(workspace), **settings, access_log=False, proxy_headers=False)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -P -m flows.dashboard", description="The page of one workspace.")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--port", type=int, default=PORT, help=f"on 127.0.0.1; default {PORT}")
    arguments = parser.parse_args()
    if not (arguments.workspace / "params.yaml").is_file():
        parser.exit(1, f"Folder '{arguments.workspace}' is no workspace. Run: assay init {arguments.workspace}\n")
    environment.prepare(arguments.workspace)
    serve(arguments.workspace, arguments.port)


if __name__ == "__main__":
    main()
