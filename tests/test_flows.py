"""Does a flow on a real Prefect server show what the stages did: logs, states, edges, an artifact?"""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from flows.digits import Digits, write_drop
from tasks import versions
from tasks.model import StageFailed

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.xdist_group("prefect")]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, toy_digits: Digits) -> Path:
    folder = tmp_path_factory.mktemp("flows") / "ws"
    versions.init(folder)
    write_drop(toy_digits, "toy", folder / "data" / "incoming" / "toy", noise=0.05, seed=0)
    return folder.resolve()


def test_curate_then_curate_again_then_a_stage_that_fails(workspace: Path, prefect_server: None) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        LogFilter,
        LogFilterTaskRunId,
        TaskRunFilter,
        TaskRunFilterStartTime,
    )
    from prefect.client.schemas.objects import TaskRun

    from flows.curate import curate

    started = datetime.now(UTC)  # the server may hold the runs of other tests
    first = curate(workspace)
    assert [report.status for report in first.reports] == ["ran"] * 7
    assert first.received == ("0001-toy",)
    assert not first.waits
    again = curate(workspace)
    assert [report.status for report in again.reports] == ["cached"] * 7
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("model: patches", "model: resnet18\n  weights: nowhere.pt", 1))
    subprocess.run(["git", "commit", "-qam", "a model that is not there"], cwd=workspace, check=True)
    with pytest.raises(StageFailed, match=r"nowhere\.pt"):
        curate(workspace)

    with get_client(sync_client=True) as client:
        after = TaskRunFilter(start_time=TaskRunFilterStartTime.model_validate({"after_": started}))
        runs = sorted(client.read_task_runs(task_run_filter=after), key=lambda run: run.start_time or started)

        def lines(run: TaskRun) -> str:
            found = client.read_logs(LogFilter(task_run_id=LogFilterTaskRunId(any_=[run.id])))
            return "\n".join(log.message for log in found)

        ingest = next(run for run in runs if run.name == "ingest")
        assert "ingest: 1 drop, 160 rows, 160 items" in lines(ingest)
        audit = next(run for run in runs if run.name == "audit")
        ancestors = {
            UUID(str(source.id))
            for sources in audit.task_inputs.values()
            for source in sources
            if hasattr(source, "id")
        }
        names = {run.name for run in runs if run.id in ancestors}
        assert {"validate", "relate"} <= names
        failed = [run for run in runs if run.state and run.state.is_failed()]
        assert [run.name for run in failed] == ["embed"]
        assert failed[0].state and "nowhere.pt" in (failed[0].state.message or "")
        artifacts = client.read_artifacts()
    summaries = [artifact for artifact in artifacts if artifact.description == f"curate in {workspace}"]
    assert len(summaries) == 2
    tables = [artifact for artifact in artifacts if artifact.key == "assay-quarantine"]
    assert not [table for table in tables if str(workspace) in str(table.description)]  # nothing is in quarantine
    text = str(summaries[0].data)
    assert "| ingest | ran |" in text or "| ingest | cached |" in text
    assert "file://" in text


def test_the_summary_escapes_what_comes_from_the_data() -> None:
    from flows.artifacts import markdown

    text = markdown("curate", Path("ws"), [], held=["class '<b>[x](http://evil)</b>' is new"])
    assert "<b>" not in text.replace("\\<b\\>", "")
    assert "\\[x\\]" in text


def test_a_bar_shows_a_stage_at_work_and_its_lines_reach_the_log(prefect_server: None) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client

    from tasks import steps

    said: list[str] = []

    @flow
    def run() -> None:
        shown = steps.Progress("embed", said.append)
        for line in ("embed: learning\n", "embed: 500 of 2,000 items\n", "\n", "embed: 2,000 of 2,000 items\n"):
            shown(line)
        quick = steps.Progress("audit", said.append)
        quick("audit: 9 of 9 items\n")

    run()
    assert said == [
        "embed: learning",
        "embed: 500 of 2,000 items",
        "embed: 2,000 of 2,000 items",
        "audit: 9 of 9 items",
    ]
    with get_client(sync_client=True) as client:
        bars = [artifact for artifact in client.read_artifacts() if artifact.type == "progress"]
    shown = [(bar.key, float(str(bar.data))) for bar in bars if bar.description == "embed: 2,000 of 2,000 items"]
    assert shown == [("assay-progress-embed", 100.0)]
    assert not [bar for bar in bars if bar.description == "audit: 9 of 9 items"]


def test_quarantine_is_a_table_of_the_newest_rows(tmp_path: Path) -> None:
    from flows.artifacts import ROWS, quarantined
    from tasks import store
    from tasks.model import QUARANTINE

    assert quarantined(tmp_path) == []
    folder = tmp_path / "data" / "ingest" / "quarantine"
    for seq, count in ((1, ROWS), (2, 3)):
        row = {"drop": f"000{seq}-a", "source": "labels.csv:2", "raw": b"x", "code": "E_QUOTE", "message": "m" * 999}
        rows = [{**row, "remedy": "Close the quote."}] * count
        store.write_table(folder / f"000{seq}-a.parquet", QUARANTINE, store.frame(QUARANTINE, rows))
    table = quarantined(tmp_path)
    assert [row["drop"] for row in table] == ["0002-a"] * 3 + ["0001-a"] * (ROWS - 3)
    assert len(table[0]["message"]) == 300 and "raw" not in table[0]


def test_fallen_canaries_turn_the_run_red_after_everything_is_done(
    tmp_path: Path, toy_digits: Digits, prefect_server: None
) -> None:
    from prefect.client.orchestration import get_client

    from flows.curate import CanariesFell, curate

    workspace = (tmp_path / "red").resolve()
    versions.init(workspace)
    text = (workspace / "params.yaml").read_text().replace("audit: {}", "audit: {canaries: 0.3, least_recall: 1.0}")
    (workspace / "params.yaml").write_text(text)
    subprocess.run(["git", "commit", "-qam", "asks for the impossible"], cwd=workspace, check=True)
    write_drop(toy_digits, "toy", workspace / "data" / "incoming" / "toy", noise=0.05, seed=0)
    with pytest.raises(CanariesFell, match="Canaries fell: label_noise_v2 found") as fell:
        curate(workspace)
    assert fell.value.curated.received == ("0001-toy",)
    assert (workspace / "data/triage/queue.parquet").exists()
    subjects = subprocess.run(["git", "log", "--format=%s"], cwd=workspace, capture_output=True, text=True, check=True)
    assert subjects.stdout.startswith("curate: 0001-toy\n")
    with get_client(sync_client=True) as client:
        newest = max(client.read_flow_runs(), key=lambda run: str(run.start_time or ""))
    assert newest.state is not None and newest.state.is_failed()
    assert "Canaries fell" in str(newest.state.message)
