"""Is every trouble with a Label Studio server one sentence, without the token? A real one: test_label_studio.py"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from test_cli import assay, sentence

from flows import label_studio, label_studio_http
from tasks import versions
from tasks.formats import label_studio as form
from tasks.model import Mistake

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJjYW5hcnkifQ.canarycanarycanary"
Answer = tuple[int, str, bytes]  # status, content type (or location), body
JSON, HTML = "application/json", "text/html"


class Stub(ThreadingHTTPServer):
    """Somebody who listens, and answers what a test says; what was asked is kept."""

    daemon_threads = True
    answer: Callable[[str, str], Answer] = staticmethod(lambda method, path: (404, HTML, b""))
    asked: list[tuple[str, str, str]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Stub

    def _answer(self) -> None:
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, kind, body = self.server.answer(self.command, self.path)
        self.send_response(status)
        self.send_header("Location" if 300 <= status < 400 else "Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new workspace; these tests write nothing into it but the cache of exports."""
    folder = tmp_path_factory.mktemp("refusals") / "ws"
    versions.init(folder)
    return folder


@pytest.fixture
def workspace(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(label_studio_http.KEY, TOKEN)
    return made


def refresh_then(answer: Answer) -> Callable[[str, str], Answer]:
    """The token is good, everything else is `answer`."""
    return lambda method, path: (200, JSON, b'{"access": "short"}') if "refresh" in path else answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, HTML, b"<html>hello</html>"), "is not Label Studio: its answer is no JSON. Name the address"),
        ((200, JSON, b'{"hello": 1}'), "is not Label Studio: it lists no projects"),
        ((404, HTML, b"<html>"), "is not Label Studio: it answers 404 to /api/projects/"),
        ((500, HTML, b"<html>"), "is not Label Studio: it answers 500 to /api/projects/"),
        ((302, "https://evil.example/login", b""), "is not Label Studio: it sends to 'https://evil.example/login'"),
        ((403, JSON, b'{"detail": "You may not."}'), "refuses the token in LABEL_STUDIO_API_KEY: You may not. Make"),
        ((401, JSON, b'{"detail": "no\\u001b[31m"}'), "refuses the token in LABEL_STUDIO_API_KEY: no\\x1b[31m. Make"),
        ((400, JSON, b'{"detail": "Bad", "x": 1}'), "refuses /api/projects/ (400): Bad."),
        ((400, JSON, b'{"validation_errors": {"title": ["long"]}}'), '(400): {"title": ["long"]}.'),
        ((200, JSON, b"[" * 100_000), "is not Label Studio: its answer is no JSON"),
        ((401, JSON, f'{{"detail": "{"x" * 270}{TOKEN}"}}'.encode()), "xxx(the token). Make a new one there"),
        ((401, JSON, f'{{"detail": "{TOKEN}"}}'.encode()), "refuses the token in LABEL_STUDIO_API_KEY: (the token)."),
    ],
)
def test_an_answer_that_is_not_label_studios_is_one_sentence(
    stub: Stub, workspace: Path, answer: Answer, words: str
) -> None:
    stub.answer = refresh_then(answer)
    with pytest.raises(Mistake) as caught:
        label_studio.pull(workspace, stub.url)
    assert words in str(caught.value)
    assert str(caught.value).isprintable() and "canary" not in str(caught.value)


def test_a_redirect_is_not_followed_with_the_token(stub: Stub, workspace: Path) -> None:
    stub.answer = refresh_then((302, "/elsewhere", b""))
    with pytest.raises(Mistake):
        label_studio.pull(workspace, stub.url)
    assert not [path for _, path, _ in stub.asked if "elsewhere" in path]


def test_a_personal_token_is_traded_for_a_short_one_and_a_legacy_token_is_sent_as_it_is(
    stub: Stub, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.answer = refresh_then((200, JSON, b'{"results": []}'))
    for token in (TOKEN, "0123456789abcdef"):
        monkeypatch.setenv(label_studio_http.KEY, token)
        with pytest.raises(Mistake, match=r"No project 'assay [0-9a-f]{12}' at '.*'. Make it with: assay export"):
            label_studio.pull(workspace, stub.url)
    assert [(method, path.split("?")[0], authorization) for method, path, authorization in stub.asked] == [
        ("POST", "/api/token/refresh/", ""),
        ("GET", "/api/projects/", "Bearer short"),
        ("GET", "/api/projects/", "Token 0123456789abcdef"),
    ]


def test_a_short_token_that_is_over_is_made_anew_once(stub: Stub, workspace: Path) -> None:
    def answer(method: str, path: str) -> Answer:
        if "refresh" in path:
            return 200, JSON, b'{"access": "%d"}' % sum("refresh" in one for _, one, _ in stub.asked)
        return (
            (401, JSON, b'{"detail": "over"}') if stub.asked[-1][2] == "Bearer 1" else (200, JSON, b'{"results": []}')
        )

    stub.answer = answer
    with pytest.raises(Mistake, match="No project"):
        label_studio.pull(workspace, stub.url)
    assert [one for _, _, one in stub.asked] == ["", "Bearer 1", "", "Bearer 2"]


def test_two_projects_of_one_workspace_are_named(stub: Stub, workspace: Path) -> None:
    mark = label_studio._mark(workspace)
    found = f'{{"results": [{{"id": 4, "title": "{mark}"}}, {{"id": 7, "title": "old {mark}"}}]}}'
    stub.answer = refresh_then((200, JSON, found.encode()))
    with pytest.raises(Mistake) as caught:
        label_studio.pull(workspace, stub.url)
    assert f"2 projects at '{stub.url}' are called '{mark}': 4, 7. Rename all but one." == str(caught.value)


def test_an_export_without_an_end_stops_at_the_cap(
    stub: Stub, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(form, "MOST_BYTES", 1000)
    mark = label_studio._mark(workspace)

    def answer(method: str, path: str) -> Answer:
        if "export" in path:
            return 200, JSON, b"[" + b" " * 5000 + b"]"
        return refresh_then((200, JSON, f'{{"results": [{{"id": 4, "title": "{mark}"}}]}}'.encode()))(method, path)

    stub.answer = answer
    with pytest.raises(Mistake, match=r"has more than 1,000 bytes"):
        label_studio.pull(workspace, stub.url)
    assert list((workspace / ".assay" / "cache" / "label-studio").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:8080", "is no server's. Name its first page, as in: http://127.0.0.1:8080"),
        ("ftp://127.0.0.1", "is no server's"),
        ("file:///etc/passwd", "is no server's"),
        ("http://", "is no server's"),
        ("http://[", "is no server's"),
        ("http://a:99999", "is no server's"),
        ("http://a/projects/4/data?tab=1", "is no server's"),
        ("http://a\x1b[31m/?x", "URL 'http://a\\x1b[31m/?x' is no server's"),
        ("http://maria:secret@127.0.0.1", "A password in a URL is seen by others."),
        ("http://127.0.0.1:9", "cannot be reached"),
        ("http://no-such-host.invalid", "cannot be reached"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_sentence(workspace: Path, url: str, words: str) -> None:
    with pytest.raises(Mistake) as caught:
        label_studio.pull(workspace, url)
    assert words in str(caught.value) and "secret" not in str(caught.value) and "canary" not in str(caught.value)


def test_a_token_that_would_travel_unencrypted_to_another_machine_is_said() -> None:
    for near in ("http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080", "https://labels.example.org", "x"):
        assert label_studio_http.exposed(near) is None
    for far in ("http://labels.example.org", "http://192.168.1.7:8080", "http://127.0.0.1.evil.example"):
        assert f"The token travels to '{far}' unencrypted" in str(label_studio_http.exposed(far))


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "No token for 'http://127.0.0.1:9'. Make one there (Account & Settings, Personal Access Token), then: "),
        ("a b", "The token in LABEL_STUDIO_API_KEY has characters that no token has. Copy it again."),
        ("a\nb", "has characters that no token has"),
        ("tök", "has characters that no token has"),
    ],
)
def test_a_token_that_is_none_is_one_sentence(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, token: str, words: str
) -> None:
    monkeypatch.setenv(label_studio_http.KEY, token)
    with pytest.raises(Mistake) as caught:
        label_studio.pull(workspace, "http://127.0.0.1:9")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["export", "csv", "--push", "http://127.0.0.1:9"],
            "Format 'csv' is not pushed. Run: assay export",
        ),
        (["export", "label-studio"], "No file is named. Run: assay export label-studio FILE"),
        (["answer", "--reviewer", "maria"], "One of FILE and --pull URL is needed."),
        (["answer", "a.csv", "--pull", "http://a", "--reviewer", "maria"], "One of FILE and --pull URL is needed."),
        (["answer", "a.json", "--reviewer", "maria", "--person", "x"], "Person 'x' is not WHO=NAME"),
        (["answer", "a.json", "--reviewer", "maria"], "No file 'a.json'."),
        (["answer", "--pull", "http://127.0.0.1:9", "--reviewer", "maria"], "cannot be reached"),
    ],
)
def test_a_mistake_at_the_command_line_is_one_sentence(workspace: Path, arguments: list[str], words: str) -> None:
    said = sentence(assay(*arguments, cwd=workspace))
    assert words in said and "canary" not in said
