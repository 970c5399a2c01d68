"""Forty digits of five classes, six with a wrong label, and `assay review` as a process that serves them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from browser import until
from playwright.sync_api import Page
from toy_review import chain

from flows.digits import Digits, digits, write_drop
from tasks import store
from tasks.model import MANIFEST, PASSED

CLASSES, EACH = ("0", "1", "2", "3", "4"), 8
WRONG = {3: "4", 9: "2", 17: "0", 22: "1", 30: "1", 37: "3"}  # place in the drop -> its wrong label


@pytest.fixture(scope="session")
def forty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The workspace with a queue, which tests copy; item -> right label."""
    whole = digits()
    rows = np.concatenate([np.flatnonzero(whole.labels == int(name))[:EACH] for name in CLASSES])
    chosen = Digits(whole.images, whole.labels, {"toy": rows}, whole.test)
    folder = tmp_path_factory.mktemp("forty")
    write_drop(chosen, "toy", folder / "toy", noise=0.0, seed=0)
    truth = {f"d{row:04d}": str(whole.labels[row]) for row in rows}
    table = folder / "toy" / "labels.csv"
    lines = table.read_text().splitlines()
    column = lines[0].split(",").index("label")
    for place, label in WRONG.items():
        cells = lines[place + 1].split(",")
        cells[column] = label
        lines[place + 1] = ",".join(cells)
    table.write_text("\n".join(lines) + "\n")
    (folder / "toy" / "_SUCCESS").write_text("")  # it held the checksum of the right labels
    return chain(folder / "toy", folder / "ws"), truth


@pytest.fixture
def served(forty: tuple[Path, dict[str, str]], tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(forty[0], tmp_path / "ws", symlinks=True)
    return tmp_path / "ws"


@contextmanager
def review(workspace: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`assay review` and its link; started as by a script in the background: SIGINT is ignored."""
    command = [sys.executable, "-P", "-m", "flows.cli", "review", "--port", str(port), "--reviewer", "maria"]
    background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    process = subprocess.Popen(
        [*background, *command, "--workspace", str(workspace)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def items_of(workspace: Path) -> list[str]:
    """The items at the places of the page's catalogue."""
    passed = set(store.read_table(workspace / "data/validate/passed.parquet", PASSED)["item"])
    manifest = store.read_table(workspace / "data/ingest/manifest", MANIFEST)
    return [item for item in manifest["item"] if item in passed]


def opened(page: Page, link: str, slice_: str = "") -> None:
    """The page on its plan, or on a slice such as given=3."""
    page.goto(link)
    until(page, "document.body?.dataset.page", "plan")
    assert "token" not in page.url
    if slice_:
        turned(page, slice_)


def turned(page: Page, slice_: str) -> None:
    """An open page on a slice, with its pictures there."""
    page.evaluate(f"location.hash = {slice_ + '&order=suspicion'!r}")
    until(page, "document.body?.dataset.page", "work")
    until(page, "[...document.querySelectorAll('.cell:not([hidden]) .pic')].every(pic => pic.style.backgroundImage)")


def at(page: Page) -> int:
    """The place of the item under the cursor."""
    return int(page.get_attribute(".cell.cursor", "data-n") or -1)
