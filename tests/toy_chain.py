"""The toy of the kills: one revision of one drop, a second drop and answers that wait, and what can be done with them.

Fixtures: `start`, `answered`, and `stages_run_here`, with which DVC's stages run in this process, so that a kill can
fall between any two of their steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import crash
import dvc.stage.run
import pytest
from deliveries import landing, tree
from toy_answers import AT, sheet

import tasks
from tasks import durable, exchange, journal, receive, store, versions
from tasks.model import DATASET, DELIVERED, MANIFEST, PASSED, Verdict, label_json
from tasks.versions import data, git

DVC_YAML = """\
stages:
  revise:
    cmd: python -P -m tasks revise
    deps: [data/drops, data/ingest, data/validate, data/verdicts]
    params: [task, revise]
    outs: [data/revise]
    metrics: [data/revise.json]
artifacts:
  dataset: {path: data/revise, type: dataset}
"""
DELIVERY: dict[str, str | bytes] = {
    "labels.csv": "path,label,id\na.png,cat,a\nb.png,dog,b\nc.png,cat,c\ngone.png,cat,d\n",
    "a.png": b"one",
    "b.png": b"two",
    "c.png": b"three",
}
ROWS = [
    {"item": "a", "action": "relabel", "label": "dog"},
    {"item": "b", "action": "remove"},
    {"item": "b", "action": "remove", "reviewer": "bob"},
    {"item": "nobody", "action": "keep"},
]
OLD, NEW = {"a": "cat", "b": "dog", "c": "cat"}, {"a": "dog", "c": "cat"}


@contextmanager
def in_this_process(on_line: Callable[[str], None], said: list[str], *, run: bool) -> Iterator[None]:
    """Stands in for data._child_lines: DVC's `python -P -m tasks STAGE` runs here, so that its steps are numbered."""

    def start_here(executable: str | None, command: str, **options: Any) -> None:
        said.append(command)
        tasks.run(command.split()[-1], Path.cwd())

    original = dvc.stage.run._run
    dvc.stage.run._run = start_here
    try:
        yield
    finally:
        dvc.stage.run._run = original


@pytest.fixture(scope="module", autouse=True)
def stages_run_here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "_child_lines", in_this_process)
        yield


@pytest.fixture(scope="module")
def start() -> Iterator[Path]:
    """dataset@v1.0.0 of the drop 0001-acme; `bolt` and answers.jsonl lie beside the workspace."""
    with crash.fast_folder() as folder:
        workspace = folder / "beside" / "ws"
        versions.init(workspace)
        (workspace / "dvc.yaml").write_text(DVC_YAML)
        with open(workspace / ".git" / "info" / "exclude", "a") as exclude:
            exclude.write("/data/ingest/\n/data/validate/\n")
        git.commit(workspace, "one stage", ["dvc.yaml"])
        take(landing(workspace.parent / "acme", DELIVERY), workspace)
        ingest(workspace, "0001-acme")
        journal.append(workspace, [Verdict("bob-0", "item:c", "keep", "bob", AT)])
        versions.take_answers(workspace)
        make_revision(workspace)
        journal.append(workspace, [Verdict("carol-0", "item:c", "keep", "carol", AT)])
        sheet(workspace, ROWS)
        table = "path,label,id\ne.png,dog,e\nf.png,dog,f\ng.png,dog,g,more\n"
        landing(workspace.parent / "bolt", {"labels.csv": table, "e.png": "four", "f.png": "one", "g.png": "five"})
        assert content(workspace) == OLD
        yield workspace


@pytest.fixture(scope="module")
def answered(start: Path) -> Iterator[Path]:
    """The same, with the answers taken: the next revision is due."""
    with crash.fast_folder() as folder:
        workspace = crash.copy(start, folder / "beside")
        answer(workspace)
        yield workspace


def ingest(workspace: Path, drop: str) -> None:
    """What ingest and validate leave behind for `revise` and `answer`, from the rows of a received drop."""
    rows = store.read_table(workspace / "data" / "drops" / drop / "labels.parquet", DELIVERED)
    good = [row for row in rows.to_dict("records") if row["code"] is None]
    named = [{**row, "item": row["id"], "y": label_json(row["label"]), "split": "train", "drop": drop} for row in good]
    manifest = store.frame(MANIFEST, [{name: row.get(name) for name in MANIFEST.columns} for row in named])
    store.write_table(workspace / "data" / "ingest" / "manifest" / f"{drop}.parquet", MANIFEST, manifest)
    passed = store.frame(PASSED, [{"item": row["item"]} for row in named])
    store.write_table(workspace / "data" / "validate" / "passed.parquet", PASSED, passed)
    store.write_json(workspace / "data" / "validate" / "classes.json", {"version": "1", "classes": ["cat", "dog"]})


def take(folder: Path, workspace: Path) -> None:
    receipt = receive.receive(folder, workspace, received_at=AT)
    versions.share_drop(workspace, receipt.drop)


def take_bolt(workspace: Path) -> None:
    take(workspace.parent / "bolt", workspace)


def answer(workspace: Path) -> None:
    exchange.answer_file(workspace, workspace.parent / "answers.jsonl", reviewer="ann", at=AT)
    durable.step("acknowledge answers.jsonl")  # from here on they must be there for good
    (workspace.parent / "acknowledged").touch()
    versions.take_answers(workspace)


def make_revision(workspace: Path) -> None:
    versions.reproduce(workspace, "revise", lambda line: None)
    versions.publish(workspace)


def undisturbed(start: Path, operation: crash.Operation, *names: str) -> dict[str, bytes]:
    """What the operation leaves in some folders of the workspace when nothing goes wrong."""
    with crash.fast_folder() as folder:
        workspace = crash.copy(start, folder / "undisturbed")
        assert crash.forked(lambda: operation(workspace)) == ""
        return bytes_in(workspace, names)


def bytes_in(workspace: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    return {f"{name}/{path}": found for name in names for path, found in tree(workspace / name).items()}


def content(workspace: Path) -> dict[str, str]:
    """Item -> class of data/revise."""
    table = store.read_table(workspace / "data" / "revise" / "dataset.parquet", DATASET)
    return {item: json.loads(y) for item, y in zip(table["item"], table["y"], strict=True)}


def steps_of(start: Path, operation: crash.Operation) -> list[str]:
    with crash.fast_folder() as folder:
        return crash.trace(operation, crash.copy(start, folder / "trace"))


def unsynced_drop(steps: list[str]) -> list[str]:
    """Which files of the drop are not on the disk when it takes its name."""
    named = steps.index("rename-folder 0002-bolt")
    files = ("assets-0000.parquet", "labels.parquet", "receipt.json")
    return [name for name in files if f"fsync {name}" not in steps[:named]]
