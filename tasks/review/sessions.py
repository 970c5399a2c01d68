"""How does the server know who a request is from? A token or a link is exchanged once for a signed cookie.

Reads   .assay/reviewers.json (people.py)
Writes  .assay/review.key (mode 600)        32 random bytes that sign the sessions
        .assay/links/END-SHA256             an empty file for each link that was used, until it is over anyway

A token (192 random bits) becomes a session: a signed cookie with name, end and a part of the token's hash, so that it
survives a restart and ends when the person is removed or gets a new token. On loopback nobody need be in the file:
whoever can read the key, the person at the machine, makes a link (`assay review` prints one whenever it is asked, also
for a server that runs already). Its token is signed, names them, works once and for LINK_HOURS.

Covered: a stolen reviewers.json (hashes of random tokens), timing, a forged or expired cookie or link, a key that
others could read (made anew, which ends all sessions); a link that was used, over restarts and by servers side by side.
Not covered: who reads the terminal before the link is used; a stolen cookie, until it expires.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..model import Mistake
from .people import FILE, TOKEN_BYTES, Person, check_person, held, people, sha256, write_private

KEY = ".assay/review.key"
LINKS = ".assay/links"
HOURS = 12.0  # a session lasts
LINK_HOURS = 1.0  # a link that nobody has used
_USED = re.compile(r"(\d{1,12})-[0-9a-f]{64}")  # until when, and the hash of its token
LOCAL = "local"  # what the session of a link is bound to, in place of a token
SESSION, LINK = b"assay session 1\0", b"assay link 1\0"  # what a signature is for: neither passes for the other


@dataclass(frozen=True, slots=True)
class Session:
    """Who a request is from."""

    name: str
    role: str


def link_token(workspace: Path, name: str, *, now: float) -> str:
    """A token for a link, for the person `name` at this machine; `now` in seconds since 1970."""
    until = round(now + LINK_HOURS * 3600)
    raw = json.dumps([check_person(name), until, secrets.token_urlsafe(TOKEN_BYTES)]).encode()
    return _sealed(_key(workspace), LINK, raw)


class Sessions:
    """Tokens in, cookies out, for one server. `links`: those of the person at the machine count, on loopback only."""

    def __init__(self, workspace: Path, *, links: bool = False) -> None:
        self._file = workspace / FILE
        self._workspace = workspace
        self._key = _key(workspace)
        self._links = links
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._people: dict[str, Person] = {}

    def exchange(self, token: str, *, now: float) -> str | None:
        """The cookie's value for a right token, else None; `now` in seconds since 1970. Mistake: not now."""
        given = sha256(token)
        if self._links and (name := self._linked(token, given, now)) is not None:
            return self._signed(name, LOCAL, now)
        found = None
        for person in self._now().values():  # all of them: how long it takes tells nothing
            if hmac.compare_digest(given, person.token_sha256):
                found = person
        return None if found is None else self._signed(found.name, _bound(found), now)

    def who(self, cookie: str, *, now: float) -> Session | None:
        """Whose session a cookie is; None for one that is forged, over, or of somebody whose token has changed."""
        told = _opened(self._key, SESSION, cookie)
        if told is None:
            return None
        name, until, bound = told
        if now >= until:
            return None
        if bound == LOCAL:
            return Session(name, "reviewer") if self._links else None
        person = self._now().get(name)
        if person is None or not hmac.compare_digest(bound, _bound(person)):
            return None
        return Session(person.name, person.role)

    def _linked(self, token: str, given: str, now: float) -> str | None:
        """The name in the token of a link that is ours, not over and not used; it is used then."""
        told = _opened(self._key, LINK, token)
        if told is None or now >= told[1]:
            return None
        folder = self._workspace / LINKS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _forget_links(folder, now)
            (folder / f"{round(told[1])}-{given}").touch(exist_ok=False)
        except OSError as error:
            if isinstance(error, FileExistsError) and folder.is_dir():
                return None
            why = f"'{folder}' cannot be written ({error.strerror}), so that no link would stay used."
            raise Mistake(f"{why} Mend that, then open the link again.") from None
        return str(told[0])

    def _signed(self, name: str, bound: str, now: float) -> str:
        return _sealed(self._key, SESSION, json.dumps([name, round(now + HOURS * 3600), bound]).encode())

    def _now(self) -> dict[str, Person]:
        """Everybody, read again when the file is another one."""
        try:
            status = self._file.stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            seen = None
        with self._lock:
            if seen is None or seen != self._seen:
                try:
                    self._people, self._seen = people(self._workspace), seen
                except Mistake:  # damaged: nobody gets in; `assay reviewer list` says what is wrong
                    self._people, self._seen = {}, None
            return self._people


def _forget_links(folder: Path, now: float) -> None:
    """Remove the used links that are over; what else lies there stays."""
    for path in folder.iterdir():
        if (found := _USED.fullmatch(path.name)) and int(found[1]) <= now:
            with suppress(OSError):  # somebody else's, or a folder: it is in nobody's way
                path.unlink()


def _key(workspace: Path) -> bytes:
    path = workspace / KEY
    with held(workspace):
        if path.exists() and not path.stat().st_mode & 0o077 and len(key := path.read_bytes()) == 32:
            return key
        key = secrets.token_bytes(32)
        write_private(path, key)
        return key


def _sealed(key: bytes, kind: bytes, raw: bytes) -> str:
    """`raw` and its signature, as text for a cookie or an address."""
    signature = hmac.new(key, kind + raw, hashlib.sha256).digest()
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (raw, signature))


def _opened(key: bytes, kind: bytes, sealed: str) -> tuple[str, float, str] | None:
    """What `_sealed` was given, of the same kind and with the same key; None for anything else."""
    try:
        raw, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in sealed.split("."))
        if not hmac.compare_digest(signature, hmac.new(key, kind + raw, hashlib.sha256).digest()):
            return None
        name, until, rest = json.loads(raw)
    except ValueError:
        return None
    return name, until, rest


def _bound(person: Person) -> str:
    return person.token_sha256[:16]
