"""Does the demo find what it planted, publish it, and leave a workspace that DVC agrees with?"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from flows.cli_start import MARK, make_room
from flows.curate import curate
from flows.demo import tell
from tasks import store, versions
from tasks.model import MANIFEST, QUARANTINE, Mistake

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("demo"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> tuple[Path, str]:
    """The workspace that the demo leaves, and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "workspace"
    versions.init(folder, embed_model="patches")
    versions.write_note(folder, MARK, "made by assay demo\n")
    said = io.StringIO()
    tell(folder, Console(file=said, width=200), seeds=2)
    return folder, said.getvalue()


def dvc(folder: Path, *arguments: str) -> str:
    """What a user's own `dvc` prints, with this Python first in PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def percent(said: str, name: str) -> float:
    found = re.search(rf"{name}\s+([\d.]+) %", said)
    assert found, (name, said)
    return float(found[1])


def test_the_planted_errors_are_found_and_the_cleaned_labels_train_a_better_model(demo: tuple[Path, str]) -> None:
    said = demo[1]
    assert percent(said, "Recall of the flags") >= 85
    assert percent(said, "Precision of the flags") >= 70
    assert percent(said, "Accuracy cleaned") > percent(said, "Accuracy as delivered")


def test_the_faults_are_quarantined_and_what_is_not_planted_is_accepted(demo: tuple[Path, str]) -> None:
    quarantine = store.read_table(demo[0] / "data/ingest/quarantine", QUARANTINE)
    assert sorted(quarantine["code"]) == [
        "E_ASSET_MISSING",
        "E_ASSET_TRUNCATED",
        "E_ASSET_TRUNCATED",
        "E_ID_CONFLICT",
        "E_ID_CONFLICT",
    ]
    assert len(store.read_table(demo[0] / "data/ingest/manifest", MANIFEST)) == 700 + 547 + 130 + 14


def test_three_revisions_are_published_and_a_rerun_does_nothing(demo: tuple[Path, str]) -> None:
    folder, said = demo
    assert [each.tag for each in versions.log(folder)] == ["dataset@v1.1.1", "dataset@v1.1.0", "dataset@v1.0.0"]
    assert versions.verify(folder) == []
    assert "0 of 7 stages ran." in said
    assert "14 items  14 were new" in said


def test_the_page_shows_the_story(demo: tuple[Path, str]) -> None:
    page = (demo[0] / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure") == 40
    assert "Given against suggested labels, before the answers" in page
    assert "E_ASSET_TRUNCATED" in page
    assert "dataset@v1.1.1" in page


def test_dvc_by_hand_agrees_with_the_flows(demo: tuple[Path, str]) -> None:
    folder = demo[0]
    assert "up to date" in dvc(folder, "repro", "triage")
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("triage: {}", "triage: {budget: 5}"))
    assert "Running stage 'triage'" in dvc(folder, "repro", "triage")
    subprocess.run(["git", "commit", "--quiet", "--all", "--message", "A smaller budget"], cwd=folder, check=True)
    curated = curate(folder)
    assert [report.status for report in curated.reports] == ["cached"] * 7
    assert curated.reports[-1].counts["queued"] == 5


def test_metrics_and_plots_are_compared_between_two_tags(demo: tuple[Path, str]) -> None:
    said = dvc(demo[0], "metrics", "diff", "dataset@v1.0.0", "dataset@v1.1.1", "--all", "--md")
    rows = {tuple(cell.strip() for cell in line.split("|")[1:5]) for line in said.splitlines()}
    assert any(row[:4] == ("data/ingest.json", "counts.items", "700", "1377") for row in rows), said
    page = dvc(demo[0], "plots", "diff", "dataset@v1.0.0", "dataset@v1.1.1", "--out", str(demo[0].parent / "plots"))
    html = Path(re.sub(r"^file://", "", page.strip().splitlines()[-1])).read_text(encoding="utf-8")
    assert "Severity of the label noise findings" in html
    assert "dataset@v1.1.1" in html


def test_the_demo_refuses_a_folder_that_is_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(Mistake, match=r"is not empty and is no earlier demo\. Name another folder: assay demo DIR"):
        make_room(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "precious"
