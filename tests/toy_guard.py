"""A small app behind the real guard, on a real socket or without one."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Message

from tasks.review.entrance import exchange
from tasks.review.guard import Guard
from tasks.review.hosts import LOOPBACK
from tasks.review.sessions import Sessions

AT = "2026-11-21T10:00:00+00:00"


async def who(request: Request) -> JSONResponse:
    body = await request.body()
    session = request.state.session
    return JSONResponse({"name": session.name if session else None, "got": body.decode()})


def app(sessions: Sessions, **settings: Any) -> Starlette:
    """A small app behind the guard: a read, a write, a shell, a static file and the exchange."""
    return Starlette(
        routes=[
            Route("/api/read", who),
            Route("/api/write", who, methods=["POST"]),
            Route("/review", who),
            Route("/static/review.js", who),
            exchange(sessions),
        ],
        middleware=[Middleware(Guard, sessions=sessions, hosts=LOOPBACK, **settings)],
    )


@dataclass
class Served:
    """A real server on a real socket, and the people who may come in."""

    port: int
    tokens: Mapping[str, str]
    workspace: Path

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Any = None, chunked: bool = False
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers or {}), encode_chunked=chunked)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    @property
    def write(self) -> dict[str, str]:
        """What the page's own writes carry."""
        return {"origin": f"http://127.0.0.1:{self.port}", "content-type": "application/json"}

    def cookie(self, name: str) -> dict[str, str]:
        status, headers, _ = self.ask("POST", "/session", self.write, json.dumps({"token": self.tokens[name]}))
        assert status == 204
        return {"cookie": headers["set-cookie"].partition(";")[0]}


@contextmanager
def run(workspace: Path, tokens: Mapping[str, str], **settings: Any) -> Iterator[Served]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app(Sessions(workspace), **settings), log_level="debug", access_log=True, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield Served(listening.getsockname()[1], tokens, workspace)
    server.should_exit = True
    thread.join(timeout=20)
    listening.close()


def asked(app: Starlette, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> int:
    """The status of one request without a socket."""
    statuses: list[int] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "client": ("10.0.0.9", 1),
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    asyncio.run(app(scope, receive, send))
    return statuses[0]


WRITES = {"origin": "http://localhost", "content-type": "application/json"}
