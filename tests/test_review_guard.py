"""Does each request that should not pass stop before any route, with its status, one sentence and all headers?"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.types import Message
from toy_guard import AT, Served, app, run

from tasks.review import guard, people
from tasks.review.rates import Rate
from tasks.review.sessions import Sessions

MANY = Rate(10_000, 10_000)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    workspace = tmp_path_factory.mktemp("guarded")
    tokens = {name: people.add(workspace, name, "labeler", at=AT) for name in ("maria", "gone")}
    with run(workspace, tokens, stranger=MANY, guesses=MANY, most_bytes=1_000, patience=1.0) as there:
        yield there


@dataclass(frozen=True)
class Case:
    """One request. `PORT` and `COOKIE` in headers stand for the server's port and a good session."""

    method: str
    path: str
    status: int
    words: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None


IN = {"cookie": "COOKIE"}
OURS = {"origin": "http://127.0.0.1:PORT", "content-type": "application/json"}
WRITE = {**IN, **OURS}
LONG = "x" * 1_001

TABLE = {
    # what passes
    "a read": Case("GET", "/api/read", 200, '"maria"', IN),
    "a read of the page's own": Case("GET", "/api/read", 200, '"maria"', {**IN, "sec-fetch-site": "same-origin"}),
    "a write": Case("POST", "/api/write", 200, '"{}"', WRITE, "{}"),
    "a write by another name of ours": Case(
        "POST", "/api/write", 200, "", {**WRITE, "host": "localhost:PORT", "origin": "http://localhost:PORT"}, "{}"
    ),
    "a write behind https": Case("POST", "/api/write", 200, "", {**WRITE, "origin": "https://127.0.0.1:PORT"}, "{}"),
    "charset": Case("POST", "/api/write", 200, "", {**WRITE, "content-type": "application/json; charset=utf-8"}, "{}"),
    "the longest body": Case("POST", "/api/write", 200, "", WRITE, LONG[1:]),
    "the shell from a link elsewhere": Case("GET", "/review", 200, "null", {"sec-fetch-site": "cross-site"}),
    "a static file": Case("GET", "/static/review.js", 200, "null"),
    # Host
    "another Host": Case("GET", "/review", 421, "not served here", {"host": "evil.example"}),
    "a Host that begins like ours": Case("GET", "/review", 421, "", {"host": "127.0.0.1.evil.example"}),
    "a Host that ends like ours": Case("GET", "/review", 421, "", {"host": "x.localhost"}),
    "a Host with a user": Case("GET", "/review", 421, "", {"host": "localhost@evil.example"}),
    "an empty Host": Case("GET", "/review", 421, "", {"host": ""}),
    "another Host, with a session": Case("POST", "/api/write", 421, "", {**WRITE, "host": "evil.example"}, "{}"),
    # Origin
    "no Origin": Case("POST", "/api/write", 403, "Origin", {**IN, "content-type": "application/json"}, "{}"),
    "a foreign Origin": Case("POST", "/api/write", 403, "Origin", {**WRITE, "origin": "http://evil.example"}, "{}"),
    "another port's Origin": Case("POST", "/api/write", 403, "", {**WRITE, "origin": "http://127.0.0.1:1"}, "{}"),
    "another of our names": Case("POST", "/api/write", 403, "", {**WRITE, "origin": "http://localhost:PORT"}, "{}"),
    "Origin null": Case("POST", "/api/write", 403, "", {**WRITE, "origin": "null"}, "{}"),
    "a foreign exchange": Case("POST", "/session", 403, "", {**OURS, "origin": "http://evil.example"}, "{}"),
    "a read by another site": Case("GET", "/api/read", 403, "", {**IN, "sec-fetch-site": "cross-site"}),
    "a read by another port": Case("GET", "/api/read", 403, "", {**IN, "sec-fetch-site": "same-site"}),
    # JSON
    "a form": Case(
        "POST", "/api/write", 415, "JSON", {**WRITE, "content-type": "application/x-www-form-urlencoded"}, "a=1"
    ),
    "text": Case("POST", "/api/write", 415, "", {**WRITE, "content-type": "text/plain"}, "{}"),
    "no type": Case("POST", "/api/write", 415, "", {**IN, "origin": OURS["origin"]}, "{}"),
    # method
    "a write by GET": Case("GET", "/api/write", 405, "", IN),
    "a read by POST": Case("POST", "/api/read", 405, "", WRITE, "{}"),
    "DELETE": Case("DELETE", "/api/write", 405, "GET and POST are", WRITE),
    "OPTIONS": Case("OPTIONS", "/api/write", 405, "", WRITE),
    # body
    "a long body": Case("POST", "/api/write", 413, "longer than 1,000 bytes", WRITE, LONG),
    "a long body of a stranger": Case("POST", "/session", 413, "", OURS, LONG),
    # session
    "no session": Case("GET", "/api/read", 401, "no session"),
    "no session for a write": Case("POST", "/api/write", 401, "no session", OURS, "{}"),
    "a forged session": Case("GET", "/api/read", 401, "", {"cookie": "assay_session=W10.AAAA"}),
    "a cookie that is none": Case("GET", "/api/read", 401, "", {"cookie": '\\"; assay_session'}),
    "a path that merely begins like an open one": Case("GET", "/review/../api/read", 401),
    # the exchange
    "a wrong token": Case("POST", "/session", 401, "not known", OURS, '{"token": "x"}'),
    "no token": Case("POST", "/session", 400, "no token", OURS, "{}"),
    "a token that is no text": Case("POST", "/session", 400, "no token", OURS, '{"token": 7}'),
    "no JSON": Case("POST", "/session", 400, "not JSON", OURS, "{"),
    "deep JSON": Case("POST", "/session", 400, "not JSON", OURS, "[" * 1_000),
}


@pytest.fixture(scope="module")
def maria(served: Served) -> str:
    return served.cookie("maria")["cookie"]


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_each_request_of_the_table_gets_its_status(served: Served, maria: str, case: Case) -> None:
    headers = {
        name: value.replace("PORT", str(served.port)).replace("COOKIE", maria) for name, value in case.headers.items()
    }
    status, given, text = served.ask(case.method, case.path, headers, case.body)
    assert status == case.status, text
    assert case.words in text
    assert {name: given.get(name) for name in guard.HEADERS} == guard.HEADERS
    if status >= 400 and status != 405:
        assert list(json.loads(text)) == ["error"]
        assert "Traceback" not in text


def test_a_long_body_without_a_length_is_stopped_at_the_cap(served: Served, maria: str) -> None:
    headers = {"cookie": maria, **served.write, "transfer-encoding": "chunked"}
    assert served.ask("POST", "/api/write", headers, [b"x" * 100] * 9, chunked=True)[0] == 200
    assert served.ask("POST", "/api/write", headers, [b"x" * 100] * 11, chunked=True)[0] == 413


def test_two_hosts_are_none(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as raw:
        raw.sendall(b"GET /review HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert raw.recv(100).split()[1] in (b"400", b"421")


def test_a_body_that_does_not_come_is_not_waited_for(served: Served, maria: str) -> None:
    head = f"POST /api/write HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nOrigin: http://127.0.0.1:{served.port}\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as raw:
        raw.sendall(f"{head}Content-Type: application/json\r\nCookie: {maria}\r\nContent-Length: 9\r\n\r\n{{".encode())
        assert raw.recv(100).split()[1] == b"408"


def test_a_websocket_is_closed_before_anything_is_asked(tmp_path: Path) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/api/read", "headers": [(b"host", b"localhost")]}
    asyncio.run(app(Sessions(tmp_path))(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
