"""What does a request have to pass before any route of the review sees it?

    Host      exactly one, of the list                                   421   another site's name for our address
    method    GET and HEAD; POST to write                                405
    rate      of a person, and of an address without a session          429   guessing tokens; a page gone mad
    Origin    POST: the page's own; reads: not from another site         403   a page open in the same browser
    JSON      POST: content-type application/json                        415   a form of another site
    body      read here, to the cap, whatever it says about its length  413, 408 when it does not come
    session   all but the shell, its files and the exchange              401

(`open_here` names further paths that need none, where the Host is a name of this machine's loopback: a proxy passes on
the name by which others reach it)

and what goes out carries the headers and the Content-Security-Policy, refusals included. In this order: what is cheap
comes first, and nobody learns from a wrong Host whether there is a session.

Covered: rebinding, cross-site writes and reads, brute force, oversize and endless bodies, framing, scripts in the data.
Not covered: TLS (a proxy in front; it must pass the Host on); a flood of connections.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .entrance import cookie_of
from .hosts import LOOPBACK, name_of
from .rates import GUESSES, PERSON, STRANGER, Buckets, Rate
from .sessions import Sessions

MOST_BYTES = 2**20  # of a body
PATIENCE = 20.0  # seconds for a body to come
OPEN = ("/review", "/session", "/favicon.ico")  # without a session; and what is below /static/
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SAFE: Mapping[str, str] = {  # on every answer of every page of ours
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
HEADERS: Mapping[str, str] = {"content-security-policy": CSP, **SAFE}
RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Refused(Exception):
    """A request that goes no further: status and one sentence."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


class Guard:
    """ASGI middleware, the outermost. A route finds the Session in `request.state.session`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        sessions: Sessions,
        hosts: Sequence[str],
        open_here: Sequence[str] = (),
        person: Rate = PERSON,
        stranger: Rate = STRANGER,
        guesses: Rate = GUESSES,
        most_bytes: int = MOST_BYTES,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._hosts = frozenset(hosts)
        self._open_here = tuple(open_here)
        self._person, self._stranger, self._guesses = Buckets(person), Buckets(stranger), Buckets(guesses)
        self._most_bytes, self._patience = most_bytes, patience
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a websocket: the page has none, and its Origin nobody would check
            await send({"type": "websocket.close", "code": 1008})
            return
        guessing = scope["path"] == "/session"
        address = scope["client"][0] if scope.get("client") else "?"

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                if guessing and message["status"] == 401:
                    self._guesses.take(address, self._clock())
                there = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in RAW_HEADERS if one[0] not in there)]
            await send(message)

        try:
            body = await self._pass(scope, receive, address, guessing)
        except Refused as refusal:
            response = JSONResponse({"error": str(refusal)}, refusal.status, dict(refusal.headers))
            await response(scope, receive, guarded)
            return
        await self._app(scope, receive if body is None else _replay(body, receive), guarded)

    async def _pass(self, scope: Scope, receive: Receive, address: str, guessing: bool) -> bytes | None:
        """The body of a write, None for a read; Refused for what does not pass."""
        headers, path, now = Headers(scope=scope), scope["path"], self._clock()
        host = self._check_host(headers)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            raise Refused(405, f"Method {scope['method'][:20]} is not allowed; GET and POST are.", allow="GET, POST")
        session = self._sessions.who(cookie_of(headers), now=now)
        bucket, name = (self._stranger, address) if session is None else (self._person, session.name)
        if not bucket.take(name, now) or (guessing and self._guesses.left(address, now) < 1):
            raise Refused(429, "Too many requests. Wait a few seconds, then try again.", **{"retry-after": "5"})
        open_ = path in OPEN or path.startswith("/static/") or (self._is_open_here(path) and name_of(host) in LOOPBACK)
        body = None
        if scope["method"] == "POST":
            _check_write(headers, host)
            body = await self._body(headers, receive)
        elif not open_ and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refused(403, "Another site's page asked for this. Open the review's own page.")
        if session is None and not open_:
            raise Refused(
                401, "There is no session, or it is over. Open the link of `assay review`, or give your token."
            )
        scope.setdefault("state", {})["session"] = session
        return body

    def _is_open_here(self, path: str) -> bool:
        return any(
            path == one or (len(one) > 1 and one.endswith("/") and path.startswith(one)) for one in self._open_here
        )

    def _check_host(self, headers: Headers) -> str:
        given = headers.getlist("host")
        if len(given) != 1 or name_of(given[0].lower()) not in self._hosts:
            raise Refused(421, "This host name is not served here. Allow it with: assay review --allow NAME")
        return given[0].lower()

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        too_long = Refused(413, f"The body is longer than {self._most_bytes:,} bytes. Send less at once.")
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length[:20]) > self._most_bytes:
            raise too_long
        content = bytearray()
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Refused(400, "The request ended before its body did.")
                    content += message.get("body", b"")
                    if len(content) > self._most_bytes:
                        raise too_long
                    if not message.get("more_body", False):
                        return bytes(content)
        except TimeoutError:
            raise Refused(408, f"The body did not come within {self._patience:g} s. Send it again.") from None


def _check_write(headers: Headers, host: str) -> None:
    origins = headers.getlist("origin")
    if len(origins) != 1 or origins[0].lower() not in (f"http://{host}", f"https://{host}"):
        raise Refused(403, "A write must come from the review's own page: its Origin is missing or another one.")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "A write must be JSON: its content-type is not application/json.")


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body that was read, once; then what the server says (that the client went away)."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again
