"""How do tasks get to a Label Studio server, and people's annotations back?

Seven calls, no SDK: a token's refresh, the project found, made or given a new class, tasks in, an export out,
who people are. What is there is always asked of the server's own export, never remembered here, so both directions may
be stopped anywhere and made again: `push` adds what the project lacks, `pull` is read as a file of answers whose ops
come from the annotations. The project is found by its title, which ends in a name that is the same in every clone.

The token is LABEL_STUDIO_API_KEY: a personal access token, traded for one of five minutes, or a legacy token where the
organisation allows these (1.23 does not by default). It is sent to the named host only: redirects are
not followed, and it stands in no sentence.

Source  https://labelstud.io/guide/access_tokens, https://api.labelstud.io; seen with 1.23.2
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import httpx

from tasks import durable, journal, versions
from tasks.formats import Handout, label_studio
from tasks.formats import shown as printable
from tasks.model import Mistake

KEY = "LABEL_STUDIO_API_KEY"
PATIENCE = httpx.Timeout(300.0, connect=10.0)  # seconds; an import or an export of thousands takes its time
BATCH_BYTES, BATCH_TASKS = 8 * 2**20, 500  # of one import
TITLE = 50  # characters that Label Studio allows


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push has done."""

    title: str
    page: str  # of the project
    made: bool  # the project is new
    new: int  # tasks
    already: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """An export, as it came."""

    file: Path
    addresses: Mapping[str, str]  # number of a person -> e-mail address


def push(workspace: Path, url: str, *, progress: Callable[[int], None] = lambda sent: None) -> Pushed:
    """Send the queue's tasks that the project lacks; the project is made, or given the classes that it lacks."""
    with versions.lock(workspace), _server(url) as server:
        handout = journal.hand_out(workspace)
        interface = label_studio.interface(handout)
        project = _find(server, workspace)
        made = project is None
        if project is None:
            content = {"title": _title(workspace), "description": "Tasks of Assay.", "label_config": interface}
            project = server.json("POST", "/api/projects/", json=content)
        elif not _asks_for_all(str(project.get("label_config")), handout):
            server.json("PATCH", f"/api/projects/{int(project['id'])}/", json={"label_config": interface})
        number = int(project["id"])
        there = set() if made else label_studio.asked(_export(server, workspace, number, everything=True))
        new = already = 0
        for batch in _batches(handout, there):
            already += batch.passed
            if batch.tasks:
                answer = server.json(
                    "POST", f"/api/projects/{number}/import", content=b"[" + b",".join(batch.tasks) + b"]"
                )
                taken = answer.get("task_count", len(batch.tasks))  # where imports wait in a queue there is no count
                if taken != len(batch.tasks):
                    raise Mistake(f"Label Studio at '{url}' took {taken} of {len(batch.tasks)} tasks. Push again.")
                new += len(batch.tasks)
                progress(new)
    return Pushed(str(project["title"]), f"{server.url}/projects/{number}", made, new, already)


def pull(workspace: Path, url: str) -> Pulled:
    """Everything that people have annotated in the workspace's project, into .assay/cache/label-studio."""
    with _server(url) as server:
        project = _find(server, workspace)
        if project is None:
            raise Mistake(
                f"No project '{_mark(workspace)}' at '{url}'. Make it with: assay export label-studio --push {url}"
            )
        file = _export(server, workspace, int(project["id"]), everything=False)
        people = server.json("GET", "/api/users/")
    known = [one for one in people if isinstance(one, dict)] if isinstance(people, list) else []
    return Pulled(file, {str(one.get("id")): str(one["email"]) for one in known if one.get("email")})


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


# --- the project -----------------------------------------------------------------------------------------------------


def _mark(workspace: Path) -> str:
    return f"assay {versions.identity(workspace)[:12]}"


def _title(workspace: Path) -> str:
    mark = _mark(workspace)
    return f"{workspace.resolve().name[: TITLE - len(mark) - 3]} · {mark}"


def _find(server: _Server, workspace: Path) -> dict[str, Any] | None:
    mark = _mark(workspace)
    listed = server.json("GET", "/api/projects/", params={"title": mark, "page_size": "100"})
    found = listed.get("results") if isinstance(listed, dict) else listed
    if not isinstance(found, list):
        raise server.is_another("it lists no projects")
    ours = [one for one in found if isinstance(one, dict) and mark in str(one.get("title"))]
    if len(ours) > 1:
        numbers = ", ".join(str(one.get("id")) for one in ours)
        raise Mistake(f"{len(ours)} projects at '{server.url}' are called '{mark}': {numbers}. Rename all but one.")
    return ours[0] if ours else None


def _asks_for_all(config: str, handout: Handout) -> bool:
    """Whether the interface there has our controls and every class; what else people have changed in it is theirs."""
    if "<!DOCTYPE" in config:
        return False
    try:
        there = {one.get("name"): one for one in ElementTree.fromstring(config).iter() if one.get("name")}
    except ElementTree.ParseError:
        return False
    control = there.get(label_studio.LABEL)
    if control is None or control.tag != handout.control.tag or label_studio.ACTION not in there:
        return False
    asked, wanted = (
        {one.get("alias", one.get("value")) for one in place.iter()} for place in (control, handout.control)
    )
    return wanted <= asked


def _export(server: _Server, workspace: Path, number: int, *, everything: bool) -> Path:
    """The project's export; `everything`: also the tasks that nobody has annotated."""
    file = workspace / ".assay" / "cache" / "label-studio" / f"project-{number}{'-all' if everything else ''}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    chosen = {"exportType": "JSON", "download_all_tasks": str(everything).lower()}
    durable.write_with(file, lambda path: server.save(path, f"/api/projects/{number}/export", chosen))
    return file


@dataclass(frozen=True, slots=True)
class _Batch:
    tasks: list[bytes]  # as JSON
    passed: int  # tasks that are there already


def _batches(handout: Handout, there: set[tuple[str, str, str]]) -> Iterator[_Batch]:
    tasks: list[bytes] = []
    size = passed = 0
    for question in handout.questions:
        if (question.item, question.asset, question.given) in there:
            passed += 1
            continue
        task = json.dumps(label_studio.task(question, handout), allow_nan=False).encode()
        if tasks and (size + len(task) > BATCH_BYTES or len(tasks) == BATCH_TASKS):
            yield _Batch(tasks, passed)
            tasks, size, passed = [], 0, 0
        tasks.append(task)
        size += len(task)
    yield _Batch(tasks, passed)


# --- HTTP ------------------------------------------------------------------------------------------------------------


class _Server:
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


@contextmanager
def _server(url: str) -> Iterator[_Server]:
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
        yield _Server(url.rstrip("/"), token, client)
