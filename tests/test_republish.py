"""Does the review page publish as `assay revise` does, in a child that tells its lines and its one-sentence mistake?"""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.digits import Digits, write_drop
from flows.republish import republish
from tasks import receive, versions
from tasks.model import Mistake

AT = "2024-05-01T12:00:00Z"
pytestmark = [pytest.mark.prefect, pytest.mark.slow]


def test_a_workspace_that_cannot_be_published_is_one_sentence(tmp_path: Path, prefect_home: Path) -> None:
    workspace = tmp_path / "ws"
    versions.init(workspace)
    (workspace / "params.yaml").write_text("nonsense: 1\n")
    lines: list[str] = []
    with pytest.raises(Mistake, match=r"params\.yaml"):
        republish(workspace, lines.append)
    assert lines[0] == "A run begins: assay revise"
    assert not (workspace / "data" / "revision.json").exists()


def test_what_was_received_is_published_with_a_line_a_stage_and_again_changes_nothing(
    tmp_path: Path, toy_digits: Digits, prefect_home: Path
) -> None:
    workspace = tmp_path / "ws"
    versions.init(workspace)
    write_drop(toy_digits, "toy", tmp_path / "toy", noise=0.05, seed=0)
    receive.receive(tmp_path / "toy", workspace, received_at=AT)
    versions.share_drop(workspace, "0001-toy")
    lines: list[str] = []
    assert republish(workspace, lines.append) == "dataset@v1.0.0"
    assert {"ingest", "revise", "audit", "triage"} <= {line.split()[0] for line in lines}
    assert [one.tag for one in versions.log(workspace)] == ["dataset@v1.0.0"]
    assert republish(workspace, lines.append) == "dataset@v1.0.0"
    assert len(versions.log(workspace)) == 1
