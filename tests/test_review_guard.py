"""Does each request that should not pass stop before any route, with its status, one sentence and all headers?"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Message

from tasks.model import Mistake
from tasks.review import guard, people
from tasks.review.guard import Buckets, Guard, Rate
from tasks.review.sessions import LINKS, Sessions, link_token

AT = "2026-11-21T10:00:00+00:00"
MANY = Rate(10_000, 10_000)


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
            guard.exchange(sessions),
        ],
        middleware=[Middleware(Guard, sessions=sessions, hosts=guard.LOOPBACK, **settings)],
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


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    workspace = tmp_path_factory.mktemp("guarded")
    tokens = {name: people.add(workspace, name, "labeler", at=AT) for name in ("maria", "gone")}
    yield from run(workspace, tokens, stranger=MANY, guesses=MANY, most_bytes=1_000, patience=1.0)


# --- the table -------------------------------------------------------------------------------------------------------


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


def test_a_session_is_over_as_soon_as_its_person_is_removed(served: Served) -> None:
    cookie = served.cookie("gone")
    assert served.ask("GET", "/api/read", cookie)[0] == 200
    people.remove(served.workspace, "gone")
    assert served.ask("GET", "/api/read", cookie)[0] == 401


def test_the_cookie_is_for_this_site_and_no_script(served: Served) -> None:
    ask = json.dumps({"token": served.tokens["maria"]})
    _, headers, text = served.ask("POST", "/session", served.write, ask)
    parts = {part.strip().lower() for part in headers["set-cookie"].split(";")[1:]}
    assert parts == {"httponly", "max-age=43200", "path=/", "samesite=strict"}
    assert text == ""
    https = {**served.write, "origin": f"https://127.0.0.1:{served.port}"}
    assert "; secure" in served.ask("POST", "/session", https, ask)[1]["set-cookie"].lower()


def test_a_websocket_is_closed_before_anything_is_asked(tmp_path: Path) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/api/read", "headers": [(b"host", b"localhost")]}
    asyncio.run(app(Sessions(tmp_path))(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


# --- rates -----------------------------------------------------------------------------------------------------------


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


def test_guessing_ends_after_ten_wrong_tokens_even_for_a_right_one_until_time_has_passed(tmp_path: Path) -> None:
    token = people.add(tmp_path, "maria", "labeler", at=AT)
    clock = [1_800_000_000.0]
    limited = app(Sessions(tmp_path), clock=lambda: clock[0])
    statuses = [asked(limited, "POST", "/session", WRITES, b'{"token": "x"}') for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    right = json.dumps({"token": token}).encode()
    assert asked(limited, "POST", "/session", WRITES, right) == 429
    clock[0] += 6
    assert asked(limited, "POST", "/session", WRITES, right) == 204


def test_a_link_that_cannot_be_noted_as_used_is_the_servers_fault_and_works_later(tmp_path: Path) -> None:
    token = json.dumps({"token": link_token(tmp_path, "maria", now=time.time())}).encode()
    here = app(Sessions(tmp_path, links=True))
    (tmp_path / LINKS).touch()  # no folder; what is said then: test_review_sessions.py
    assert asked(here, "POST", "/session", WRITES, token) == 503
    (tmp_path / LINKS).unlink()
    assert [asked(here, "POST", "/session", WRITES, token) for _ in range(2)] == [204, 401]


def test_somebody_who_asks_too_fast_waits_and_nobody_else_does(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    cookies = {}
    for name in ("maria", "bob"):
        value = sessions.exchange(people.add(tmp_path, name, "labeler", at=AT), now=time.time())
        cookies[name] = {"cookie": f"{guard.COOKIE}={value}"}
    limited = app(sessions, person=Rate(3, 0.0), stranger=Rate(2, 0.0))
    assert [asked(limited, "GET", "/api/read", cookies["maria"]) for _ in range(4)] == [200, 200, 200, 429]
    assert [asked(limited, "GET", "/review", {}) for _ in range(3)] == [200, 200, 429]
    assert asked(limited, "GET", "/api/read", cookies["bob"]) == 200


def test_a_bucket_fills_with_time_and_the_names_do_not_pile_up() -> None:
    buckets = Buckets(Rate(2, 0.5))
    assert [buckets.take("a", 0.0) for _ in range(3)] == [True, True, False]
    assert [buckets.take("a", at) for at in (1.0, 2.0, 3.0)] == [False, True, False]
    assert buckets.left("a", 100.0) == 2
    for n in range(Buckets.MOST + 50):
        buckets.take(str(n), 0.0)
    assert len(buckets._left) == Buckets.MOST


# --- where it listens ------------------------------------------------------------------------------------------------

MARIA = {"maria": people.Person("maria", "labeler", "0" * 64, AT)}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"])
def test_loopback_needs_nobody(host: str) -> None:
    assert guard.hosts_of(host, ["Review.Example.org"], {}) == (*guard.LOOPBACK, "review.example.org")


@pytest.mark.parametrize(
    ("hosts", "known", "reason"),
    [
        ([], {}, "nobody has a token and no host name is allowed"),
        (["review.example.org"], {}, "and nobody has a token. Run: assay reviewer add NAME"),
        ([], MARIA, "and no host name is allowed. Run"),
    ],
)
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.9", "review.example.org", ""])
def test_an_address_that_others_reach_needs_people_and_host_names(
    host: str, hosts: list[str], known: dict[str, people.Person], reason: str
) -> None:
    with pytest.raises(Mistake) as refused:
        guard.hosts_of(host, hosts, known)
    assert f"Address '{host}' can be reached from other machines" in str(refused.value)
    assert reason in str(refused.value)


def test_an_address_that_others_reach_serves_only_the_names_that_were_given() -> None:
    assert guard.hosts_of("0.0.0.0", ["review.example.org"], MARIA) == ("review.example.org",)


@pytest.mark.parametrize("name", ["*", "http://x", "x:80", "a b", "", "x/y"])
def test_a_host_name_is_exact(name: str) -> None:
    with pytest.raises(Mistake, match="is no host name"):
        guard.hosts_of("0.0.0.0", [name], MARIA)


# --- logs ------------------------------------------------------------------------------------------------------------


def test_no_token_and_no_session_is_in_any_log_or_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    link = link_token(tmp_path, "maria", now=time.time())
    token = people.add(tmp_path, "bob", "labeler", at=AT)
    for served in run(tmp_path, {"bob": token}):
        cookie = served.cookie("bob")
        assert served.ask("GET", "/api/read?v=1", cookie)[0] == 200
        assert served.ask("POST", "/session", served.write, json.dumps({"token": link + "x"}))[0] == 401
    lines = caplog.text
    assert '"GET /api/read?v=1 HTTP/1.1" 200' in lines  # the access log was on
    value = cookie["cookie"].partition("=")[2]
    for secret in (token, link, value, value.partition(".")[2]):
        assert secret not in lines
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert token.encode() not in kept
    assert value.encode() not in kept
