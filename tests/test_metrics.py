"""Do the figures that Prometheus gets agree with the workspace, and do panels and alerts name only what is exported?"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import toy_sight as toy
from ruamel.yaml import YAML
from toy_sight import HOSTILE, PROMETHEUS

from flows.address import free_port
from flows.exporter import exposition, samples
from flows.metrics import METRICS, Metric
from flows.noise_history import LONGEST, Noise, folded, largest
from flows.readings import moment
from flows.sight import Sight
from flows.slices import Slice
from flows.state import Run, Server, Worker
from flows.tally import Check, Tally
from tasks import store, versions
from tasks.estimate import Interval
from tasks.model import MANIFEST, QUEUE

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
NAMES = {metric.name for metric in METRICS}
DOWN = Server(False, "PREFECT_API_URL is not set.")
NOW = datetime(2026, 3, 3, 0, 1, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.make(tmp_path_factory.mktemp("sight") / "ws")


def figures(workspace: Path, server: Server = DOWN, now: float = NOW) -> dict[tuple[str, ...], float]:
    """(name, label values ...) -> value"""
    return {(name, *labels): float(value) for name, labels, value in samples(Sight(workspace).look(), server, now)}


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: str(metric.name))
def test_a_name_follows_the_practice_of_prometheus(metric: Metric) -> None:
    assert re.fullmatch(r"assay(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert all(re.fullmatch(r"[a-z]+", label) for label in metric.labels)
    assert metric.help.endswith(".")
    if metric.unit in ("s", "bytes") and metric.query.startswith(metric.name):
        assert metric.name.endswith({"s": "_seconds", "bytes": "_bytes"}[metric.unit])


def named(expression: str) -> set[str]:
    return set(re.findall(r"\bassay_\w+", expression))


def test_no_name_is_twice_and_every_panel_asks_only_for_exported_names() -> None:
    assert len(NAMES) == len(METRICS)
    assert {name for metric in METRICS for name in named(metric.query)} == NAMES


def test_the_committed_grafana_dashboard_is_the_generated_one() -> None:
    command = [
        sys.executable,
        "-P",
        "-c",
        "import runpy; print(runpy.run_path('scripts/make_dashboard.py')['text'](), end='')",
    ]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (DEPLOY / "grafana.json").read_text(encoding="utf-8") == made
    panels = [panel for panel in json.loads(made)["panels"] if panel["type"] != "row"]
    assert [panel["targets"][0]["expr"] for panel in panels] != []
    assert {panel["title"] for panel in panels} == {metric.title for metric in METRICS if metric.title}
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in json.loads(made)["panels"]]
    assert len(places) == len(set(places))


def alerts() -> list[dict[str, object]]:
    content = YAML(typ="safe", pure=True).load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in content["groups"] for rule in group["rules"]]


def test_every_alert_names_only_exported_metrics_and_has_a_sentence_and_a_runbook() -> None:
    for rule in alerts():
        assert named(str(rule["expr"])) <= NAMES, rule
        assert named(str(rule["expr"])) or "up{" in str(rule["expr"])
        notes = rule["annotations"]
        assert isinstance(notes, dict)
        assert notes["summary"].endswith(".")
        assert notes["runbook_url"] == f"docs/operations.md#{str(rule['alert']).lower()}"
    assert {str(rule["alert"]) for rule in alerts()} >= {
        "AssayRunFailed",
        "AssayRunCrashed",
        "AssayStuckRun",
        "AssayDropHeld",
        "AssayDropWaitingLong",
        "AssayQueueOld",
        "AssayWorkerGone",
        "AssayPrefectDown",
        "AssayDiskFull",
        "AssayQuarantineHigh",
        "AssayNoiseHigh",
        "AssayNothingPublished",
    }


@PROMETHEUS
@pytest.mark.parametrize(
    "command",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml"), ("check", "config", "prometheus.yml")],
)
def test_promtool_agrees(command: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *command], cwd=DEPLOY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- the figures of a workspace --------------------------------------------------------------------------------------


def test_every_figure_of_a_workspace(workspace: Path) -> None:
    found = figures(workspace)
    day = 86_400
    assert {key: value for key, value in found.items() if "disk" not in key[0] and "timestamp" not in key[0]} == {
        ("assay_prefect_up",): 0,
        ("assay_stage_seconds", "triage"): 0.25,
        ("assay_stage_seconds", "revise"): 0.5,
        ("assay_stage_seconds", "audit"): 1.5,
        ("assay_arrivals", "complete"): 1,
        ("assay_arrivals", "growing"): 0,
        ("assay_arrivals", "held"): 1,
        ("assay_arrival_oldest_seconds", "complete"): 2 * day + 60,
        ("assay_arrival_oldest_seconds", "held"): day + 60,
        ("assay_held", "drop"): 1,
        ("assay_held", "class"): 1,
        ("assay_held", "row"): 0,
        ("assay_held", "item"): 0,
        ("assay_rows_delivered_total",): 100,
        ("assay_quarantined_rows", "E_QUOTE"): 2,
        ("assay_quarantined_rows", "E_ASSET_MISSING"): 1,
        ("assay_queue_items",): 2,
        ("assay_queue_open_items",): 2,
        ("assay_noise_promised_ratio",): 0.02,
        ("assay_waiting", "question"): 0,
        ("assay_waiting", "issue"): 0,
        ("assay_queue_oldest_seconds",): NOW - (moment("2026-01-01T00:00:00+00:00") or 0),
        ("assay_answers_total",): 3,
        ("assay_answers_unapplied",): 2,
        ("assay_noise_ratio", "now"): 0.02,
        ("assay_noise_ratio", "dataset@v1.0.1"): 0.04,
        ("assay_noise_ratio", "dataset@v1.0.0"): 0.1,
        ("assay_model_agreement_ratio", "now"): 0.9,
        ("assay_model_agreement_ratio", "dataset@v1.0.1"): 0.9,
        ("assay_model_agreement_ratio", "dataset@v1.0.0"): 0.9,
        ("assay_class_noise_ratio", "now", "cat"): 0.02,
        ("assay_class_noise_ratio", "now", HOSTILE): 0,
        ("assay_class_noise_ratio", "dataset@v1.0.1", "cat"): 0.04,
        ("assay_class_noise_ratio", "dataset@v1.0.1", "other"): 0,
        ("assay_class_noise_ratio", "dataset@v1.0.0", "cat"): 0.1,
        ("assay_class_noise_ratio", "dataset@v1.0.0", "other"): 0,
        ("assay_revisions_total",): 2,
        ("assay_unread_parts",): 0,
    }
    assert found["assay_watch_timestamp_seconds",] == NOW - 60
    assert 0 < found["assay_disk_free_bytes",] <= found["assay_disk_total_bytes",]


def test_slices_are_counted_by_their_promise_and_checks_told_by_their_precision(workspace: Path) -> None:
    slices = (
        Slice("given", "cat", 50, 0.01, 0.0, 0.015),
        Slice("given", "dog", 50, 0.2, 0.1, 0.3),
        Slice("drop", "0001-a", 50, 0.02, 0.01, 0.03),
    )
    checks = [Check("xy_knn_v1", 4, 4, 3, Interval(0.75, 0.3, 0.95)), Check("new_v1", 9, 0, 0, None)]
    state = replace(Sight(workspace).look(), slices=slices, tally=Tally(checks=checks))
    found = {(name, *values): value for name, values, value in samples(state, DOWN, NOW)}
    assert {
        key: value for key, value in found.items() if key[0] in ("assay_slices", "assay_check_precision_ratio")
    } == {
        ("assay_slices", "class", "pass"): 1,
        ("assay_slices", "class", "fail"): 1,
        ("assay_slices", "class", "unclear"): 0,
        ("assay_slices", "other", "pass"): 0,
        ("assay_slices", "other", "fail"): 0,
        ("assay_slices", "other", "unclear"): 1,
        ("assay_check_precision_ratio", "xy_knn_v1"): 0.75,
    }


def test_a_new_workspace_has_no_figure_that_it_cannot_know(tmp_path: Path) -> None:
    versions.init(tmp_path / "ws")
    found = figures(tmp_path / "ws")
    absent = {"assay_queue_items", "assay_noise_ratio", "assay_last_revision_timestamp_seconds", "assay_arrivals"}
    assert absent.isdisjoint(key[0] for key in found)
    assert found["assay_revisions_total",] == found["assay_unread_parts",] == 0


def test_a_change_is_seen_and_a_torn_file_is_named_and_costs_nothing_else(tmp_path: Path) -> None:
    versions.init(tmp_path / "ws")
    sight = Sight(toy.fill(tmp_path / "ws"))
    assert sight.look().queue == 2
    data = sight.workspace / "data"
    store.write_table(data / "triage" / "queue.parquet", QUEUE, store.frame(QUEUE))
    assert (sight.look().queue, sight.look().queue_since) == (0, None)
    (sight.workspace / ".assay" / "arrivals.json").write_text('{"at": "2026-01-01", "arrivals": [{}]}')
    (data / "triage" / "queue.parquet").write_bytes(b"PAR1")
    state = sight.look()
    assert (state.queue, state.arrivals, state.answers) == (None, (), 3)
    assert set(state.unread) == {"arrivals", "queue"}
    assert "not a readable Parquet file" in state.unread["queue"]
    toy.fill(sight.workspace)
    assert sight.look().unread == {}
    assert sight.look().queue == 2


def test_a_revision_whose_audit_is_not_here_has_no_noise_and_asks_no_remote(tmp_path: Path) -> None:
    made = toy.make(tmp_path / "ws")
    for folder in (made / ".dvc" / "cache" / "files", made / "data" / "audit"):
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    state = Sight(made).look()
    assert [one.tag for one in state.revisions] == ["dataset@v1.0.1", "dataset@v1.0.0"]
    assert (state.noise, state.unread) == ((), {})


def test_the_classes_of_a_thousand_are_twenty_and_the_rest() -> None:
    classes = {f"c{n:04}": (n, 0.5) for n in range(1000)} | {"other": (10**6, 0.25), "x" * (LONGEST + 1): (10**6, 0.25)}
    history = [
        Noise("now", 0.1, 0.9, classes),
        Noise("dataset@v1.0.0", 0.1, 0.9, {"c0999": (1, 0.5), "gone": (3, 0.1)}),
    ]
    chosen = largest(history)
    assert chosen == [f"c{n:04}" for n in range(980, 1000)]
    told = folded(history[0], chosen)
    assert list(told) == [*chosen, "other"]
    items = sum(range(980)) + 2 * 10**6
    assert told["other"] == (items, round((sum(range(980)) * 0.5 + 2 * 10**6 * 0.25) / items, 6))
    assert folded(history[1], chosen) == {"c0999": (1, 0.5), "other": (3, 0.1)}


def test_the_text_holds_any_name_and_no_series_twice(workspace: Path) -> None:
    state = Sight(workspace).look()
    names = ('quote " back \\ line \n end', "\ud800", "plain")
    server = Server(True, workers=[Worker("cpu", name, NOW - 5, True) for name in names], pools=["cpu", "gpu"])
    lines = exposition(state, server, NOW).decode().splitlines()
    assert 'assay_worker_heartbeat_age_seconds{pool="cpu",worker="quote \\" back \\\\ line \\n end"} 5.0' in lines
    assert 'assay_workers_online{pool="gpu"} 0.0' in lines
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series))
    assert {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")} <= NAMES


def test_runs_become_figures(workspace: Path) -> None:
    newest = [Run("1", "curate", "completed", NOW - 90, NOW - 60), Run("2", "watch", "crashed", NOW - 9, NOW - 8)]
    running = [Run("3", "revise", "running", NOW - 30, None), Run("4", "revise", "running", NOW - 40, None)]
    counts = {("curate", "completed"): 7, ("watch", "crashed"): 1}
    workers = [Worker("cpu", "here", NOW - 20, True), Worker("cpu", "gone", NOW - 200_000, False)]
    found = figures(workspace, Server(True, "", "", counts, newest, running, (), ("cpu", "gpu"), workers))
    assert found["assay_prefect_up",] == 1
    assert found["assay_flow_runs", "curate", "completed"] == 7
    assert found["assay_flow_last_run_state", "watch", "crashed"] == 1
    assert found["assay_flow_last_run_state", "watch", "failed"] == 0
    assert found["assay_flow_last_run_seconds", "curate"] == 30
    assert found["assay_flow_last_run_timestamp_seconds", "watch"] == NOW - 8
    assert found["assay_flow_open_run_seconds", "revise", "running"] == 40
    assert found["assay_worker_heartbeat_age_seconds", "cpu", "here"] == 20
    assert ("assay_worker_heartbeat_age_seconds", "cpu", "gone") not in found
    assert (found["assay_workers_online", "cpu"], found["assay_workers_online", "gpu"]) == (1, 0)
    assert found["assay_stage_ran", "triage"] == 1  # its report is younger than the run
    assert ("assay_stage_ran", "revise") not in found  # no revise run has ended


@pytest.mark.slow
def test_a_scrape_of_sixty_thousand_items_is_cheap(tmp_path: Path) -> None:
    versions.init(tmp_path / "ws")
    made = toy.fill(tmp_path / "ws")
    row = {"asset": "0" * 64, "shard": "0001-a/assets-0000.parquet", "row": 0, "y": '"cat"', "split": "train"}
    rows = [{**row, "item": f"item-{n:06}", "drop": "0001-a", "source": f"labels.csv:{n}"} for n in range(60_000)]
    manifest = made / "data" / "ingest" / "manifest" / "0001-a.parquet"
    store.write_table(manifest, MANIFEST, store.frame(MANIFEST, rows))
    sight = Sight(made)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        exposition(sight.look(), DOWN, NOW)
        seconds.append(time.perf_counter() - start)
    print(f"first {seconds[0]:.3f} s, then {min(seconds[1:]):.4f} s")
    assert min(seconds[1:]) < 0.3


# --- real servers ----------------------------------------------------------------------------------------------------


@PROMETHEUS
@pytest.mark.slow
def test_a_real_prometheus_reads_what_is_in_the_workspace(workspace: Path, tmp_path: Path) -> None:
    with toy.page(workspace, PREFECT_API_URL=f"http://127.0.0.1:{free_port(0)}/api") as page:
        config = (
            (DEPLOY / "prometheus.yml").read_text().replace("8710", str(page)).replace("15s", "1s").replace("30s", "1s")
        )
        (tmp_path / "prometheus.yml").write_text(config)
        (tmp_path / "alerts.yml").write_text((DEPLOY / "alerts.yml").read_text())
        port = free_port(0)
        command = [
            "prometheus",
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with toy.running([*command, f"--storage.tsdb.path={tmp_path / 'data'}"]):
            toy.wait_for(port, "/-/ready")
            until = time.monotonic() + 60
            while toy.ask_prometheus(port, "assay_prefect_up") == [] and time.monotonic() < until:
                time.sleep(0.5)
            assert toy.ask_prometheus(port, 'up{job="assay"}') == [({"__name__": "up"}, 1)]
            assert toy.ask_prometheus(port, "max(assay_prefect_up)") == [({}, 0)]
            assert toy.ask_prometheus(port, "max(assay_queue_items)") == [({}, 2)]
            assert toy.ask_prometheus(port, "sum by (code) (assay_quarantined_rows)") == [
                ({"code": "E_ASSET_MISSING"}, 1),
                ({"code": "E_QUOTE"}, 2),
            ]
            by_class = toy.ask_prometheus(port, 'sum by (class) (assay_class_noise_ratio{revision="now"})')
            assert sorted((labels["class"], value) for labels, value in by_class) == [(HOSTILE, 0), ("cat", 0.02)]
            for metric in METRICS:  # every panel's query is PromQL that this server takes
                toy.ask_prometheus(port, metric.query)
            answered = {metric.name for metric in METRICS if toy.ask_prometheus(port, metric.name)}
            of_a_server = {name for name in NAMES if re.match(r"assay_(flow|worker|stage_ran)", name)}
            of_people = {"assay_slices", "assay_check_precision_ratio"}  # no scores, no checks here
            assert answered == NAMES - of_a_server - of_people
            wanted = {"AssayPrefectDown", "AssayDropHeld", "AssayDropWaitingLong", "AssayQueueOld"}
            pending: set[str] = set()
            while not wanted <= pending and time.monotonic() < until:
                time.sleep(0.5)
                pending = {labels["alertname"] for labels, _ in toy.ask_prometheus(port, "ALERTS")}
            assert wanted <= pending


@pytest.mark.slow
@pytest.mark.prefect
@pytest.mark.xdist_group("prefect")
def test_a_real_prefect_server_tells_of_runs_states_and_workers(workspace: Path, prefect_server: None) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.settings import PREFECT_API_URL

    @flow(name="sight-fine")
    def fine() -> None:
        pass

    @flow(name="sight-broken")
    def broken() -> None:
        raise ValueError(f"no {HOSTILE}")

    fine()
    fine()
    with pytest.raises(ValueError, match="no "):
        broken()
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="sight-pool", type="process"))
        client.send_worker_heartbeat("sight-pool", "sight-worker", 30)
    with toy.page(workspace, PREFECT_API_URL=str(PREFECT_API_URL.value())) as page:
        text = toy.get(page, "/metrics")[2]
        shown = toy.get(page, "/")[2]
    lines = text.splitlines()
    assert "assay_prefect_up 1.0" in lines
    assert 'assay_flow_runs{flow="sight-fine",state="completed"} 2.0' in lines
    assert 'assay_flow_last_run_state{flow="sight-broken",state="failed"} 1.0' in lines
    assert 'assay_flow_last_run_state{flow="sight-fine",state="completed"} 1.0' in lines
    assert 'assay_workers_online{pool="sight-pool"} 1.0' in lines
    assert "assay_worker_heartbeat_age_seconds{pool=" in text
    base = str(PREFECT_API_URL.value()).removesuffix("/api")
    assert re.search(rf'href="{re.escape(base)}/runs/flow-run/[0-9a-f-]{{36}}"', shown)
    assert f"ValueError: no {HOSTILE}" not in shown
    assert "ValueError: no &lt;script&gt;" in shown


class _Refuses(BaseHTTPRequestHandler):
    """A server that wants a password, as Prefect's does when it has one."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None: ...


def test_a_server_that_does_not_answer_is_told_with_its_reason() -> None:
    code = "from flows.runs import ask; s = ask(); print(s.up, s.why)"
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refuses) as refuses:
        threading.Thread(target=refuses.serve_forever, daemon=True).start()
        for address, said in (
            ("http://127.0.0.1:9/api", "False ConnectError"),
            ("", "False PREFECT_API_URL is not set."),
            (f"http://127.0.0.1:{refuses.server_port}/api", "False It says 401. Set PREFECT_API_AUTH_STRING"),
        ):
            variables = {**os.environ, "PREFECT_API_URL": address, "PYTHONPATH": str(ROOT)}
            command = [sys.executable, "-P", "-c", code]
            done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True, timeout=60)
            assert done.stdout.startswith(said), done
        refuses.shutdown()
