"""Is a published revision a torch Dataset, and does it come out ready to train?"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

import tasks
from flows.digits import Digits, write_drop
from tasks import export, receive, versions
from tasks.model import Mistake


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, toy_digits: Digits) -> Path:
    """One drop of forty digits, published without the model stages: a revision needs ingest, validate and revise."""
    folder = tmp_path_factory.mktemp("dataset")
    ws = folder / "ws"
    versions.init(ws)
    write_drop(toy_digits, "more", folder / "more", noise=0.0, seed=0)
    receipt = receive.receive(folder / "more", ws, received_at="2026-01-01T00:00:00+00:00")
    versions.share_drop(ws, receipt.drop)
    versions.prepare_run(ws)
    for stage in ("ingest", "validate", "revise"):
        versions.reproduce(ws, stage, print)
    versions.publish(ws)
    return ws


@pytest.mark.slow
def test_a_revision_is_a_torch_dataset(workspace: Path, toy_digits: Digits) -> None:
    data = tasks.load("v1.0.0", workspace)
    assert len(data) == 40
    assert list(data.classes) == sorted({str(toy_digits.labels[row]) for row in range(160, 200)})
    image, target = data[0]
    assert image.dtype == torch.float32
    assert tuple(image.shape) == (3, 8, 8)
    row = int(data.items[0][1:])
    assert data.classes[target] == str(toy_digits.labels[row])
    assert torch.equal(image[0], torch.from_numpy(toy_digits.images[row] / 255).float())


@pytest.mark.slow
def test_a_revision_comes_out_as_folders_and_as_a_table(workspace: Path, tmp_path: Path) -> None:
    assert export.get(workspace, "v1.0.0", tmp_path / "folders", "imagefolder") == 40
    assert len(list((tmp_path / "folders").rglob("*.png"))) == 40
    export.get(workspace, "dataset@v1.0.0", tmp_path / "table", "csv")
    with open(next((tmp_path / "table").glob("*.csv")), newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 40
    with pytest.raises(Mistake, match="has something in it already"):
        export.get(workspace, "v1.0.0", tmp_path / "table", "csv")
    with pytest.raises(Mistake, match=r"dataset@v1\.0\.0"):
        tasks.load("v7.0.0", workspace)
