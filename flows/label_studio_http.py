"""How is a Label Studio server spoken to, so that every trouble with it is one sentence without the token?

The token is LABEL_STUDIO_API_KEY: a personal access token, traded for one of five minutes, or a legacy token where the
organisation allows these (1.23 does not by default). It is sent to the named host only: redirects are not followed, and
it stands in no sentence. Whatever goes wrong is a Mistake that names the address.

Source  https://labelstud.io/guide/access_tokens, https://api.labelstud.io; seen with 1.23.2
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tasks.formats import label_studio
from tasks.formats import shown as printable
from tasks.model import Mistake

KEY = "LABEL_STUDIO_API_KEY"
PATIENCE = httpx.Timeout(300.0, connect=10.0)  # seconds; an import or an export of thousands takes its time


@contextmanager
def server(url: str) -> Iterator[Server]:
    """The server at `url`, with the token of the environment; Mistake for an address or a token that cannot be one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query or parts.fragment:
        raise Mistake(f"URL '{printable(url)}' is no server's. Name its first page, as in: http://127.0.0.1:8080")
    if parts.username or parts.password:
        raise Mistake(f"A password in a URL is seen by others. Put a token into {KEY} and leave it out of the URL.")
    token = os.environ.get(KEY, "").strip()
    if not token:
        raise Mistake(
            f"No token for '{url}'. Make one there (Account & Settings, Personal Access Token), then: export {KEY}=..."
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Mistake(f"The token in {KEY} has characters that no token has. Copy it again.")
    with httpx.Client(timeout=PATIENCE, follow_redirects=False) as client:
        yield Server(url.rstrip("/"), token, client)


def exposed(url: str) -> str | None:
    """What somebody should know before a token goes to `url`; None: nothing."""
    try:
        parts = urlsplit(url)
        near = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        near = False
    if near or not url.startswith("http://"):
        return None
    return f"The token travels to '{printable(url)}' unencrypted: use https outside of a network that you trust."


class Server:
    """A Label Studio, every failure of which is one sentence without the token."""

    def __init__(self, url: str, token: str, client: httpx.Client) -> None:
        self.url, self._token, self._client = url, token, client
        self._headers = {"Authorization": f"Token {token}"}
        if token.count(".") == 2:  # a JWT: a personal access token
            self._refresh()

    def _refresh(self) -> None:
        answer = self._send("POST", "/api/token/refresh/", json={"refresh": self._token})
        found = _json(answer)
        access = found.get("access") if isinstance(found, dict) else None
        if answer.status_code != 200 or not isinstance(access, str):
            raise self._refused(answer)
        self._headers = {"Authorization": f"Bearer {access}"}

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        with self._trouble():
            return self._client.request(method, f"{self.url}{path}", **content)

    def json(self, method: str, path: str, **content: Any) -> Any:
        """What the server answers, as JSON."""
        headers = {"Content-Type": "application/json"} if "content" in content else {}
        answer = self._send(method, path, headers={**self._headers, **headers}, **content)
        if answer.status_code == 401 and "Bearer" in self._headers["Authorization"]:  # five minutes are over
            self._refresh()
            answer = self._send(method, path, headers={**self._headers, **headers}, **content)
        if not answer.is_success:
            raise self._refused(answer)
        found = _json(answer)
        if not isinstance(found, dict | list):
            raise self.is_another("its answer is no JSON")
        return found

    def save(self, file: Path, path: str, params: Mapping[str, str]) -> None:
        """A long answer into a file."""
        if "Bearer" in self._headers["Authorization"]:  # a stream is not asked for twice
            self._refresh()
        with (
            self._trouble(),
            self._client.stream("GET", f"{self.url}{path}", params=params, headers=self._headers) as answer,
        ):
            if not answer.is_success:
                answer.read()
                raise self._refused(answer)
            size = 0
            with open(file, "wb") as out:
                for part in answer.iter_bytes():
                    size += len(part)
                    if size > label_studio.MOST_BYTES:
                        raise Mistake(f"The export of '{self.url}' has more than {label_studio.MOST_BYTES:,} bytes.")
                    out.write(part)

    def is_another(self, why: str) -> Mistake:
        return Mistake(f"What answers at '{self.url}' is not Label Studio: {why}. Name the address of its first page.")

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException:
            raise Mistake(f"Label Studio at '{self.url}' did not answer in time. Run the same command again.") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            reason = printable(str(error) or type(error).__name__)
            raise Mistake(f"Label Studio at '{self.url}' cannot be reached: {reason}. Is it running there?") from None

    def _refused(self, answer: httpx.Response) -> Mistake:
        status, said = answer.status_code, _said(answer, (self._token, self._headers["Authorization"].split()[-1]))
        if status in (401, 403):
            return Mistake(
                f"Label Studio at '{self.url}' refuses the token in {KEY}: {said or status}. Make a new one there: "
                "Account & Settings, Personal Access Token"
            )
        if answer.is_redirect:
            return self.is_another(f"it sends to '{printable(answer.headers.get('location', ''))}'")
        if status == 404 or not said:
            return self.is_another(f"it answers {status} to {answer.request.url.path}")
        return Mistake(f"Label Studio at '{self.url}' refuses {answer.request.url.path} ({status}): {said}.")


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        return None


def _said(answer: httpx.Response, secrets: tuple[str, ...]) -> str:
    """The server's own words about a refusal, clipped, without the tokens; nothing where it has none."""
    found = _json(answer)
    if not isinstance(found, dict):
        return ""
    said = found.get("validation_errors") or found.get("detail") or ""
    words = said if isinstance(said, str) else json.dumps(said)
    for secret in secrets:
        words = words.replace(secret, "(the token)")
    return printable(words, 300).rstrip(".")
