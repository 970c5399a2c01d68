"""Does the demo of pairs find what it planted, publish it, and say so?"""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from test_demo import percent

from flows.cli_start import MARK
from flows.demo_pairs import tell
from tasks import store, versions
from tasks.model import QUARANTINE, Task

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("demo"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> tuple[Path, str]:
    """The workspace that the demo leaves, and what it printed."""
    folder = tmp_path_factory.mktemp("pairs") / "workspace"
    versions.init(folder, task=Task("text", "pairs"))
    versions.write_note(folder, MARK, "made by assay demo\n")
    said = io.StringIO()
    tell(folder, Console(file=said, width=200), seeds=2)
    return folder, said.getvalue()


def test_the_planted_texts_are_found_and_every_baseline_on_the_concatenation_is_behind(demo: tuple[Path, str]) -> None:
    said = demo[1]
    assert percent(said, "Recall, shuffled texts") >= 95
    assert percent(said, "Recall, near texts") >= 80
    assert percent(said, "Precision of the flags") >= 75
    for name in ("concat_knn", "concat_lof", "concat_iforest", "concat_ecod"):
        assert percent(said, "pair_mismatch") > percent(said, name)


def test_the_answers_become_a_revision_with_hardly_a_wrong_text(demo: tuple[Path, str]) -> None:
    folder, said = demo
    before, after = (
        int(re.findall(rf"Wrong texts {when}\s+(\d+)", said)[0]) for when in ("as delivered", "after answers")
    )
    assert before == 151 and after <= 15
    assert [each.tag for each in versions.log(folder)] == ["dataset@v1.0.1", "dataset@v1.0.0"]
    assert versions.verify(folder) == []
    assert list(store.read_table(folder / "data/ingest/quarantine", QUARANTINE)["code"]) == ["E_LABEL_EMPTY"] * 3
    assert "30 items  30 were new" in said


def test_the_page_shows_the_texts_and_the_canaries(demo: tuple[Path, str]) -> None:
    page = (demo[0] / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure") == 40
    assert "found: any text" in page and "pair_mismatch_v1" in page and "<script" not in page
