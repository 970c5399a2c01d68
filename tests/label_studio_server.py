"""A real Label Studio on loopback, on a copy of a data folder whose tables are made, and people who annotate in it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.address import free_port

SCRIPT = Path(__file__).parent.parent / "scripts" / "label_studio.py"


def _setup() -> Any:
    spec = importlib.util.spec_from_file_location("label_studio_setup", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


setup = _setup()


@dataclass
class Person:
    """Somebody with an account and a personal access token."""

    url: str
    email: str
    token: str

    def call(self, method: str, path: str, **content: Any) -> Any:
        access = httpx.post(f"{self.url}/api/token/refresh/", json={"refresh": self.token}).json()["access"]
        headers = {"Authorization": f"Bearer {access}"}
        answer = httpx.request(method, f"{self.url}{path}", headers=headers, timeout=120, **content)
        assert answer.is_success, (method, path, answer.status_code, answer.text[:500])
        return answer.json() if answer.content else None

    def tasks(self, project: int) -> dict[str, dict[str, Any]]:
        """Item -> its task, the newest of several."""
        found = self.call("GET", "/api/tasks", params={"project": project, "page_size": 1000})["tasks"]
        return {task["data"]["assay_item"]: task for task in found}

    def annotate(self, task: int, result: Sequence[Mapping[str, Any]], **other: Any) -> int:
        """As a click on Submit (or Skip, with was_cancelled) does; the annotation's number."""
        content = {"result": list(result), **other}
        return int(self.call("POST", f"/api/tasks/{task}/annotations/", json=content)["id"])


@dataclass
class Studio:
    """The server, and the person who set it up."""

    url: str
    owner: Person

    def join(self, email: str) -> Person:
        """Somebody signs up."""
        with _session(self.url, "/user/signup/", {"email": email, "password": setup.PASSWORD}) as session:
            return Person(self.url, email, _new_token(session))


class _session:
    """A browser's session after a form with its CSRF token was sent."""

    def __init__(self, url: str, path: str, form: Mapping[str, str]) -> None:
        self._client = httpx.Client(base_url=url, timeout=120, headers={"Referer": url})
        self._client.get(path)
        answer = self._client.post(path, data={**form, "csrfmiddlewaretoken": self._client.cookies["csrftoken"]})
        assert answer.status_code == 302, (path, answer.status_code, answer.text[:300])

    def __enter__(self) -> httpx.Client:
        return self._client

    def __exit__(self, *error: object) -> None:
        self._client.close()


def _new_token(session: httpx.Client) -> str:
    answer = session.post("/api/token/", json={}, headers={"X-CSRFToken": session.cookies["csrftoken"]})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Started for the module, ended by its pid. Made by: make test-label-studio"""
    assert setup.DATA.is_dir(), f"There is no Label Studio in {setup.ROOT}. Run: make test-label-studio"
    folder = tmp_path_factory.mktemp("label-studio")
    data = folder / "data"
    shutil.copytree(setup.DATA, data)
    port = free_port(0)
    url = f"http://127.0.0.1:{port}"
    command = [setup.PROGRAM, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", port]
    command += ["--data-dir", data]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command], env=setup.environment(data), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait(url, process, folder / "log")
        with _session(url, "/user/login/", {"email": setup.USER, "password": setup.PASSWORD}) as session:
            yield Studio(url, Person(url, setup.USER, _new_token(session)))
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-3000:]
        try:
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.3)
