"""Does a token become a session that no script reads, no log holds and no guessing finds?"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_guard import AT, WRITES, Served, app, asked, run

from tasks.review import people
from tasks.review.sessions import LINKS, Sessions, link_token


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    tokens = {name: people.add(tmp_path, name, "labeler", at=AT) for name in ("maria", "gone")}
    with run(tmp_path, tokens) as there:
        yield there


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


def test_no_token_and_no_session_is_in_any_log_or_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    link = link_token(tmp_path, "maria", now=time.time())
    token = people.add(tmp_path, "bob", "labeler", at=AT)
    with run(tmp_path, {"bob": token}) as served:
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
