"""Are dashboards and review one server, for one workspace, whatever state that is in and however it ended before?"""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
import toy_sight as toy
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from test_cli import assay, sentence

from flows.address import free_port
from tasks import versions
from tasks.review import guard, hosts, people, served
from tasks.review.server import Further, reachable, reviewing
from tasks.review.sessions import Sessions

AT = "2026-11-21T10:00:00+00:00"
PORT = 8710


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    versions.init(tmp_path / "ws")
    return tmp_path / "ws"


# --- one address -----------------------------------------------------------------------------------------------------


def test_a_new_workspace_has_dashboards_and_a_review_that_says_what_to_run(workspace: Path) -> None:
    with toy.page(workspace) as port:
        cookie = toy.session(workspace, port)
        pages = ("/", "/revisions", "/review", "/api/me")
        assert [toy.get(port, path, cookie=cookie)[0] for path in pages] == [200] * 4
        status, _, text = toy.get(port, "/api/catalogue", cookie=cookie)
    assert (status, text.endswith('Run: assay run"}')) == (400, True)
    assert "Nothing has come through the gate" in text


def test_a_damaged_journal_ends_no_dashboard_and_the_review_names_the_line(workspace: Path) -> None:
    journal = workspace / ".assay" / "journal" / "ann.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text("nonsense\n")
    with toy.page(workspace) as port:
        cookie = toy.session(workspace, port)
        assert toy.get(port, "/")[0] == 200
        assert toy.get(port, "/review")[0] == 200
        status, _, text = toy.get(port, "/api/me", cookie=cookie)
    assert status == 503
    assert "ann.jsonl" in text


def test_the_link_is_printed_again_for_a_server_that_runs_and_works_once(workspace: Path) -> None:
    with toy.page(workspace) as port:
        done = assay("review", cwd=workspace)
        assert done.returncode == 0, done.stderr
        link, other = done.stdout.splitlines()
        address, _, token = link.partition("#token=")
        assert address == f"http://127.0.0.1:{port}/review"
        assert other.startswith("The pages are served already, by process ")
        assert [exchange(port, token), exchange(port, token)] == [204, 401]
        named = assay("review", "--reviewer", "bob", cwd=workspace).stdout.splitlines()[0].partition("#token=")[2]
        status, cookie = entered(port, named)
        assert (status, json.loads(toy.get(port, "/api/me", cookie=cookie)[2])["name"]) == (204, "bob")
        assert people.add(workspace, "maria", "labeler", at=AT)
        assert "#token=" not in assay("review", cwd=workspace).stdout  # everybody has a token now
        logged = (workspace / ".assay").rglob("*.log")
        assert all(token not in path.read_text() for path in logged)


def exchange(port: int, token: str) -> int:
    return entered(port, token)[0]


def entered(port: int, token: str) -> tuple[int, str]:
    headers = {"origin": f"http://127.0.0.1:{port}", "content-type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/session", json.dumps({"token": token}), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("set-cookie", "").partition(";")[0]
    finally:
        connection.close()


# --- one server ------------------------------------------------------------------------------------------------------


def test_a_killed_server_is_gone_at_once_and_who_waited_takes_its_place(workspace: Path) -> None:
    command = [sys.executable, "-P", "-m", "flows.dashboard", str(workspace), "--port"]
    first, second = free_port(0), free_port(0)
    with subprocess.Popen([*command, str(first)], stdout=subprocess.PIPE, text=True) as one:
        toy.wait_for(first, "/health")
        there = served.find(workspace)
        assert there == served.Served(f"http://127.0.0.1:{first}", one.pid)
        with subprocess.Popen([*command, str(second)], stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert f"are served already at http://127.0.0.1:{first} (process {one.pid})" in other.stdout.readline()
            one.send_signal(signal.SIGKILL)
            one.wait()
            toy.wait_for(second, "/health")
            assert served.find(workspace) == served.Served(f"http://127.0.0.1:{second}", other.pid)
            other.terminate()
            assert other.wait(60) == 0
    assert served.find(workspace) is None
    assert not (workspace / served.FILE).exists()


def test_up_does_not_start_beside_a_review(workspace: Path) -> None:
    with served.alone(workspace, "http://127.0.0.1:1"):
        said = sentence(assay("up", cwd=workspace))
    assert "The pages of this workspace are served already at http://127.0.0.1:1 (process " in said
    assert not (workspace / ".assay" / "server.json").exists()


def test_a_second_one_is_told_where_the_first_one_is(tmp_path: Path) -> None:
    assert served.find(tmp_path) is None
    with served.alone(tmp_path, "http://127.0.0.1:1"):
        with pytest.raises(served.Taken, match=r"already at http://127\.0\.0\.1:1 \(process \d+\)"):
            with served.alone(tmp_path, "http://127.0.0.1:2"):
                pass
    with served.alone(tmp_path, "http://127.0.0.1:2"):
        told = served.find(tmp_path)
        assert told is not None and told.url == "http://127.0.0.1:2"
    assert served.find(tmp_path) is None


# --- further pages ---------------------------------------------------------------------------------------------------


def plain(request: Request) -> Response:
    return PlainTextResponse("figures")


def broken(request: Request) -> Response:
    raise RuntimeError("our own mistake, with a secret")


ROUTES = (Route("/figures", plain), Route("/broken", broken), Route("/own/x", plain))
FURTHER = Further(lambda desk: ROUTES, ("/figures",))
WHO: Mapping[tuple[str, str], int] = {  # (Host, path) without a session -> status
    ("127.0.0.1", "/figures"): 200,
    ("localhost:8710", "/figures"): 200,
    ("review.example.org", "/figures"): 401,  # a proxy has passed on the name by which others reach it
    ("evil.example", "/figures"): 421,
    ("127.0.0.1", "/own/x"): 401,
    ("127.0.0.1", "/figures/x"): 401,
    ("127.0.0.1", "/%66igures/../own/x"): 401,
}


def asked(app: Starlette, host: str, path: str) -> httpx.Response:
    """The answer of an application without a socket, its path sent as it stands."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(path, headers={"host": host})

    return asyncio.run(ask())


def test_this_machine_reads_figures_without_a_session_and_nobody_else_does(workspace: Path) -> None:
    names = (*hosts.LOOPBACK, "review.example.org")
    with reviewing(workspace, Sessions(workspace), names, lambda: AT, further=FURTHER, stay=True) as app:
        got = {(host, path): asked(app, host, path).status_code for host, path in WHO}
    assert got == dict(WHO)


def test_our_own_mistake_tells_nothing_and_has_every_header(workspace: Path) -> None:
    opened = Further(FURTHER.routes, ("/broken",))
    with reviewing(workspace, Sessions(workspace), hosts.LOOPBACK, lambda: AT, further=opened, stay=True) as app:
        answer = asked(app, "127.0.0.1", "/broken")
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    assert {name: answer.headers.get(name) for name in guard.HEADERS} == dict(guard.HEADERS)


@pytest.mark.parametrize(
    ("host", "open_"), [("127.0.0.1", ("/figures",)), ("localhost", ("/figures",)), ("0.0.0.0", ()), ("10.0.0.7", ())]
)
def test_bound_to_an_address_of_others_nothing_is_open(host: str, open_: tuple[str, ...]) -> None:
    assert reachable(FURTHER, host).open_here == open_
