"""A workspace that is ready to be reviewed: digits, some with wrong labels, through every stage in one process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from deliveries import take

from flows.digits import Digits, write_drop
from tasks import audit, detect, embed, ingest, relate, triage, validate, versions

NOISE = 0.1


def make(digits: Digits, folder: Path) -> Path:
    """160 digits in the workspace `folder`/ws, NOISE of them with another's label; no DVC, no revision."""
    write_drop(digits, "toy", folder / "toy", noise=NOISE, seed=0)
    return chain(folder / "toy", folder / "ws")


def chain(landing: Path, workspace: Path) -> Path:
    """The landing folder received into a new workspace, and every stage up to the queue."""
    versions.init(workspace)
    take(landing, workspace)
    data = workspace / "data"
    ingest.run(data, ingest.Params(cores=1))
    validate.run(data, validate.Params())
    embed.run(data, embed.Params(threads=1))
    relate.run(data, relate.Params(threads=1))
    audit.run(data, audit.Params(threads=1))
    detect.run(data, detect.Params(threads=1))
    triage.run(data, triage.Params())
    return workspace


def truth(digits: Digits) -> dict[str, str]:
    """Item -> its right label."""
    return {f"d{row:04d}": str(digits.labels[row]) for row in digits.drops["toy"]}


@pytest.fixture(scope="session")
def reviewable(tmp_path_factory: pytest.TempPathFactory, toy_digits: Digits) -> Path:
    """Made once; tests work on copies."""
    return make(toy_digits, tmp_path_factory.mktemp("reviewable"))


@pytest.fixture
def workspace(reviewable: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it."""
    copy = tmp_path / "ws"
    shutil.copytree(reviewable, copy, symlinks=True)
    yield copy
