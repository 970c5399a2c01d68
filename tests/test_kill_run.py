"""Does `assay run`, killed with everything it started at twenty moments, complete when it is called again?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.digits import Digits, write_drop
from tasks import store, versions
from tasks.model import MANIFEST

POINTS = 20


def start(workspace: Path, home: Path) -> subprocess.Popen[bytes]:
    """`assay run` in a session of its own; what it says is in said.txt beside the workspace."""
    command = [sys.executable, "-P", "-m", "flows.cli", "run", "--quiet", "--workspace", str(workspace)]
    with open(workspace.parent / "said.txt", "wb") as said:
        return subprocess.Popen(
            command,
            env={**os.environ, "PREFECT_HOME": str(home)},
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def run(workspace: Path, home: Path) -> None:
    assert start(workspace, home).wait() == 0, (workspace.parent / "said.txt").read_text()


@pytest.mark.long
@pytest.mark.prefect
@pytest.mark.timeout(3000)
def test_a_killed_run_completes_when_it_is_called_again(tmp_path: Path, toy_digits: Digits) -> None:
    versions.init(tmp_path / "start")
    write_drop(toy_digits, "toy", tmp_path / "start/data/incoming/toy", noise=0.05, seed=0)

    def fresh(name: str) -> Path:
        return Path(shutil.copytree(tmp_path / "start", tmp_path / name, symlinks=True))

    def manifest(workspace: Path) -> bytes:
        return (workspace / "data/ingest/manifest/0001-toy.parquet").read_bytes()

    undisturbed = fresh("undisturbed")
    home = tmp_path / "home"
    run(undisturbed, home)
    started = time.monotonic()
    again = fresh("timed")
    run(again, home)
    seconds = time.monotonic() - started
    for point in range(POINTS):
        workspace = fresh(f"killed-{point}")
        process = start(workspace, home)
        time.sleep(seconds * (point + 0.5) / POINTS)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(1.5)  # the stage's child sees within a second that its parent has gone
        run(workspace, home)
        assert manifest(workspace) == manifest(undisturbed)
        assert len(store.read_table(workspace / "data/ingest/manifest", MANIFEST)) == 160
        receipts = list((workspace / "data/drops").glob("*/receipt.json"))
        assert [path.parent.name for path in receipts] == ["0001-toy"]
        assert versions.commit_run(workspace, "curate: nothing is left to commit") is False
        shutil.rmtree(workspace)
