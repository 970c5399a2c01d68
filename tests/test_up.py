"""Does everything start with one command, run a drop without another, and end with Ctrl-C?"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from deliveries import again
from upped import Upped, up

from flows import address
from flows import up as up_workers
from flows.digits import Digits, write_drop
from tasks import STAGES, journal, store, versions
from tasks.model import QUEUE, Verdict
from tasks.versions import git

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("up"),
]


CANARY = "canary-9f3a1c-s3cret"


def command(upped: Upped, *arguments: str) -> subprocess.CompletedProcess[str]:
    """An `assay` command in the workspace, in an environment that knows nothing of the server."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    line = [sys.executable, "-P", "-m", "flows.cli", *arguments, "--workspace", str(upped.workspace)]
    return subprocess.run(line, capture_output=True, text=True, env=clean, check=False)


@pytest.fixture(scope="module")
def upped(tmp_path_factory: pytest.TempPathFactory, toy_digits: Digits) -> Iterator[Upped]:
    workspace = tmp_path_factory.mktemp("up") / "ws"
    versions.init(workspace)
    text = (workspace / "params.yaml").read_text().splitlines()
    text = [line for line in text if not line.startswith(("watch:", "place:"))]
    text += ["watch: {every: 0.5, answers: 2}", "place: {embed: gpu, relate: cpu, shards: 2}"]
    (workspace / "params.yaml").write_text("\n".join(text) + "\n")
    git.commit(workspace, "two stages elsewhere", ["params.yaml"])
    with up(workspace, environment={"AWS_SECRET_ACCESS_KEY": CANARY, "ASSAY_TOKEN": CANARY}) as running:
        yield running


def test_a_drop_ends_as_a_queue_without_another_command(upped: Upped, toy_digits: Digits) -> None:
    write_drop(toy_digits, "toy", upped.workspace / "data/incoming/toy", noise=0.05, seed=0)
    upped.wait(lambda: "curate: 0001-toy" in upped.messages())
    queue = store.read_table(upped.workspace / "data/triage/queue.parquet", QUEUE)
    assert len(queue) > 3
    upped.wait(lambda: upped.runs("curate")[0]["state_type"] == "COMPLETED")
    assert len(upped.runs("curate")) == 1


def test_the_stages_that_are_placed_ran_in_the_clones_of_the_workers(upped: Upped) -> None:
    workers = upped.workspace / ".assay" / "workers"
    assert "embed: 160 items" in (workers / "gpu/.assay/logs/embed.log").read_text()
    assert "relate:" in (workers / "cpu/.assay/logs/relate.log").read_text()
    assert not (upped.workspace / ".assay/logs/embed.log").exists()
    named = [run["name"] for run in upped.runs("work")]
    assert sorted(str(name) for name in named) == ["embed ", "embed 0/2", "embed 1/2", "relate "]
    assert all(run["parent_task_run_id"] for run in upped.runs("work"))
    assert git.git(upped.workspace, "branch", "--list", "run/*") == ""


def test_the_lines_of_the_stages_are_in_the_logs_of_the_server(upped: Upped) -> None:
    def stages() -> set[str]:
        lines = [line for n in range(5) for line in upped.post("/logs/filter", limit=200, offset=200 * n).json()]
        return {str(line["message"]).partition(": ")[0] for line in lines} & set(STAGES)

    # a batch of lines may be lost: SQLite under load refuses it, and Prefect does not send it again
    upped.wait(lambda: "embed" in stages() and len(stages()) > 2)


def test_the_server_asks_for_the_password_and_listens_on_loopback_only(upped: Upped) -> None:
    assert httpx.post(f"{upped.server.url}/flow_runs/filter", json={}).status_code == 401
    assert stat.S_IMODE((upped.workspace / address.FILE).stat().st_mode) == 0o600
    listening = []
    for child in psutil.Process(upped.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # the watcher's git is there for a moment
            found = [one for one in child.net_connections("inet") if one.status == psutil.CONN_LISTEN]
            listening += [(one.laddr.ip, one.laddr.port) for one in found]
    assert {ip for ip, _ in listening} == {"127.0.0.1"}
    assert {urlsplit(url).port for url in (upped.server.url, upped.server.page)} <= {port for _, port in listening}


def test_the_page_and_the_metrics_answer(upped: Upped) -> None:
    upped.wait(lambda: _answers(f"{upped.server.page}/health"))
    assert "0001-toy" in httpx.get(upped.server.page).text
    said = httpx.get(f"{upped.server.page}/metrics").text
    assert 'assay_flow_runs{flow="curate",state="completed"} 1.0' in said
    assert "assay_prefect_up 1.0" in said


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def test_a_copy_under_another_name_makes_no_run(upped: Upped) -> None:
    before = len(upped.runs("curate"))
    again(upped.workspace / "data/incoming/toy", upped.workspace / "data/incoming/renamed")
    upped.wait(lambda: "renamed" not in _waiting(upped) and _looked_again(upped))
    assert len(upped.runs("curate")) == before


def _waiting(upped: Upped) -> str:
    return (upped.workspace / ".assay/arrivals.json").read_text()


def _looked_again(upped: Upped) -> bool:
    cache = upped.workspace / ".assay/cache/receive"
    return any(path.name.startswith("renamed-") for path in cache.iterdir())


def test_eight_triggers_at_once_make_one_run(upped: Upped, toy_digits: Digits) -> None:
    before = len(upped.runs("curate"))
    found = upped.post("/deployments/filter", flows={"name": {"any_": ["sweep"]}}).json()
    write_drop(toy_digits, "more", upped.workspace / "data/incoming/more", noise=0.0, seed=0)
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(lambda n: upped.post(f"/deployments/{found[0]['id']}/create_flow_run"), range(8))
        codes = [answer.status_code for answer in asked]
    assert set(codes) <= {201, 503}, codes  # SQLite under eight writers: a trigger may be lost, the drop may not
    upped.wait(lambda: "curate: 0002-more" in upped.messages())
    upped.wait(lambda: sum(run["state_type"] == "COMPLETED" for run in upped.runs("sweep")) == codes.count(201))
    assert len(upped.runs("curate")) == before + 1


def test_runs_that_collide_wait_their_turn(upped: Upped) -> None:
    found = upped.post("/deployments/filter", flows={"name": {"any_": ["curate"]}}).json()
    asked: list[str] = []

    def begun() -> bool:
        """SQLite under load answers 503: asked again, as a client would."""
        answer = upped.post(f"/deployments/{found[0]['id']}/create_flow_run")
        asked.extend([answer.json()["id"]] if answer.status_code == 201 else [])
        return len(asked) == 2

    upped.wait(begun)

    def both() -> list[dict[str, object]]:
        return [run for run in upped.runs("curate") if run["id"] in asked and run["state_type"] == "COMPLETED"]

    upped.wait(lambda: len(both()) == 2)
    first, second = sorted(both(), key=lambda run: str(run["start_time"]))
    assert str(first["end_time"]) <= str(second["start_time"])


def test_answers_make_a_revision_once_there_are_enough(upped: Upped) -> None:
    queue = store.read_table(upped.workspace / "data/triage/queue.parquet", QUEUE)

    def keep(n: int) -> Verdict:
        return Verdict(f"op-{n}", f"item:{queue['item'][n]}", "keep", "ann", "2026-05-01T12:00:00Z")

    journal.append(upped.workspace, [keep(0)])  # old, and one of them: its age is enough
    upped.wait(lambda: versions.log(upped.workspace))
    assert versions.log(upped.workspace)[0].tag == "dataset@v1.0.0"
    upped.wait(lambda: upped.runs("revise")[0]["state_type"] == "COMPLETED")


def test_a_later_command_uses_the_server(upped: Upped) -> None:
    before = len(upped.runs("curate"))
    done = command(upped, "run", "--quiet")
    assert done.returncode == 0, done.stderr
    assert len(upped.runs("curate")) == before + 1
    again = command(upped, "up")
    assert again.returncode == 1 and "The workspace is up already" in again.stderr


def test_events_and_a_summary_are_on_the_server(upped: Upped) -> None:
    def events() -> set[str]:
        wanted = {"event": {"prefix": ["queue.", "revision.", "drop.", "answers."]}}
        found = upped.post("/events/filter", filter=wanted | {"order": "DESC"}).json()
        return {event["event"] for event in found["events"]}

    upped.wait(lambda: {"queue.ready", "revision.published"} <= events())
    keys = {artifact["key"] for artifact in upped.post("/artifacts/filter").json()}
    assert {"assay-curate", "assay-revise"} <= keys


def test_an_event_makes_the_sweeper_look(upped: Upped) -> None:
    before = len(upped.runs("sweep"))
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    line = [sys.executable, "-m", "prefect", "event", "emit", "drop.landed", "--resource-id", "assay.workspace"]
    subprocess.run(line, env=clean | upped.server.environment, check=True, capture_output=True)
    upped.wait(lambda: len(upped.runs("sweep")) > before)


def test_the_doctor_sees_sqlite_behind_too_many_workers(upped: Upped, tmp_path: Path) -> None:
    said = command(upped, "doctor").stdout
    assert "answers, 2 workers online" in said
    plan, settings = up_workers.worker_of("cpu", tmp_path / "third", upped.server.environment, queues=("nothing",))
    with subprocess.Popen(
        plan, env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as third:
        upped.wait(lambda: "3 workers on SQLite" in command(upped, "doctor").stdout)
        third.kill()
    done = command(upped, "doctor")
    assert "PREFECT_SERVER_DATABASE_CONNECTION_URL" in done.stdout or "2 workers" in done.stdout


def test_a_secret_of_the_environment_is_written_nowhere(upped: Upped) -> None:
    canary, password = CANARY.encode(), upped.server.auth.partition(":")[2].encode()
    files = [path for path in upped.workspace.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 300
    found = {str(path.relative_to(upped.workspace)) for path in files if canary in path.read_bytes()}
    assert found == set()
    known = {str(path.relative_to(upped.workspace)) for path in files if password in path.read_bytes()}
    assert known == {address.FILE}  # mode 600, gone with the server
    history = git.git(upped.workspace, "log", "--all", "--patch", "--text")
    assert CANARY not in history and password.decode() not in history


def test_ctrl_c_ends_everything(upped: Upped) -> None:
    family = psutil.Process(upped.process.pid).children(recursive=True)
    assert len(family) >= 5
    upped.process.send_signal(signal.SIGINT)
    assert upped.process.wait(60) == 0
    assert [child for child in family if _alive(child)] == []
    assert not (upped.workspace / address.FILE).exists()
    assert "Everything has ended" in upped.log.read_text()
    assert json.loads(_waiting(upped))["arrivals"] == []


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
