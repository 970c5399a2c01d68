"""Does the backup of docs/operations.md bring everything back, by its own commands, when the workspace is gone?"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.digits import Digits, write_drop
from tasks import journal, receive, store, versions
from tasks.model import DATASET, Verdict
from tasks.versions import git

pytestmark = [pytest.mark.slow, pytest.mark.prefect]

ROOT = Path(__file__).parent.parent
TABLE = "data/revise/dataset.parquet"


def block(heading: str) -> str:
    """The commands of the drill under a heading of the page."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return section.split("<!-- the drill runs this block: tests/test_restore.py -->\n```sh\n")[1].split("```")[0]


def shell(commands: str, tmp_path: Path, home: Path) -> str:
    """Run commands of the page with its places replaced by ours; what they printed."""
    places = {
        "git@example.org:team/pets.git": tmp_path / "elsewhere" / "pets.git",
        "/srv/assay/workspace": tmp_path / "ws",
        "/mnt/backup": tmp_path / "elsewhere",
    }
    for name, place in places.items():
        commands = commands.replace(name, str(place))
    assert not re.search(r"/srv|/mnt|@", commands.replace("assay@localhost", ""))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PREFECT_HOME": str(home)}
    environment.pop("PREFECT_API_URL", None)
    done = subprocess.run(
        ["sh", "-c", commands], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done
    return done.stdout


def deliver(workspace: Path, digits: Digits, drop: str) -> None:
    """Receive a drop of real digits, and run what a revision needs."""
    landing = workspace / "data" / "incoming" / drop
    write_drop(digits, drop, landing, noise=0.05, seed=0)
    with versions.lock(workspace):
        versions.prepare_run(workspace)
        receipt = receive.receive(landing, workspace, received_at="2026-05-01T12:00:00Z")
        versions.share_drop(workspace, receipt.drop)
        for stage in ("ingest", "validate", "revise"):
            versions.reproduce(workspace, stage, lambda line: None)
        versions.commit_run(workspace, f"curate: {receipt.drop}")


@pytest.fixture
def workspace(tmp_path: Path, toy_digits: Digits) -> Path:
    """v1.0.0 of one drop, published to a git remote and a DVC remote elsewhere; a second drop, in no revision yet."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    git.git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", str(elsewhere / "pets.git"))
    workspace = tmp_path / "ws"
    versions.init(workspace, remote=elsewhere / "store")
    git.git(workspace, "remote", "add", "origin", str(elsewhere / "pets.git"))
    deliver(workspace, toy_digits, "toy")
    versions.publish(workspace)
    deliver(workspace, toy_digits, "more")
    return workspace


def test_a_destroyed_workspace_comes_back_with_its_revisions_and_its_answers(
    workspace: Path, tmp_path: Path, prefect_home: Path
) -> None:
    published = (workspace / TABLE).read_bytes()  # of `more`, not published
    first = versions.read_dataset(workspace, "v1.0.0")
    items = sorted(first["item"])[:3]
    said = [Verdict(f"op-{n}", f"item:{item}", "remove", "ann", "2026-05-02T12:00:00Z") for n, item in enumerate(items)]
    assert journal.append(workspace, said) == 3
    head = git.git(workspace, "rev-parse", "HEAD")
    assert git.git(workspace, "rev-parse", "origin/main") != head  # the record of `more` is nowhere else

    shell(block("Backup"), tmp_path, prefect_home)
    journal.append(workspace, said)  # the same again changes nothing
    shutil.rmtree(workspace)
    before_revise, last = block("Restore").rstrip().rsplit("\n", 1)
    assert last == "assay revise"
    assert "Every revision is intact." in shell(before_revise, tmp_path, prefect_home)

    assert git.git(workspace, "rev-parse", "HEAD") == head
    assert (workspace / TABLE).read_bytes() == published
    assert versions.read_dataset(workspace, "v1.0.0").equals(first)
    assert [verdict.op for verdict in journal.everything(workspace)] == ["op-0", "op-1", "op-2"]
    assert versions.verify(workspace) == []

    shell(f"cd {workspace}\n{last}", tmp_path, prefect_home)
    newest = versions.log(workspace)[0]
    assert (newest.tag, newest.parent) == ("dataset@v1.1.0", "dataset@v1.0.0")
    table = versions.read_dataset(workspace, newest.tag)
    assert len(table) == 160 + 40 - 3 and not set(items) & set(table["item"])
    assert "answers: 3" in git.git(workspace, "log", "--format=%s").splitlines()
    assert git.git(workspace, "ls-remote", "--tags", "origin", newest.tag)
    assert versions.verify(workspace) == []


def test_the_remotes_alone_give_a_revision_to_the_byte(workspace: Path, tmp_path: Path, prefect_home: Path) -> None:
    published = store.sha256_file(workspace / TABLE)
    shell(block("Backup"), tmp_path, prefect_home)
    shutil.rmtree(workspace)
    shell(block("Restore").replace("assay revise\n", ""), tmp_path, prefect_home)
    shutil.rmtree(workspace / ".dvc" / "cache")
    assert versions.verify(workspace) == []
    assert len(versions.read_dataset(workspace, "v1.0.0")) == 160
    shutil.rmtree(workspace / "data" / "drops" / "0001-toy")
    shutil.rmtree(workspace / "data" / "revise")
    with versions.lock(workspace):
        versions.prepare_run(workspace)  # brings the drop
        for stage in ("ingest", "validate", "revise"):
            versions.reproduce(workspace, stage, lambda line: None)
    assert store.sha256_file(workspace / TABLE) == published
    assert len(store.read_table(workspace / TABLE, DATASET)) == 200
