"""Receiving twice, out of order, or after a kill gives one drop, once."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from deliveries import landing, rows, take, tree

from tasks import durable


def test_the_same_content_under_another_name_is_one_drop(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"labels.csv": "path,label\n1.png,cat\n", "1.png": "one"}
    workspace = tmp_path / "ws"
    first = take(landing(tmp_path / "acme", files), workspace)
    before = tree(workspace / "data")
    assert take(tmp_path / "acme", workspace) == replace(first, known=True)
    again = take(landing(tmp_path / "other", files), workspace)
    assert (again.drop, again.known) == ("0001-acme", True)
    shutil.rmtree(workspace / ".assay")  # the cache decides nothing
    assert take(tmp_path / "acme", workspace).known
    assert tree(workspace / "data") == before


def test_another_label_or_another_file_is_another_drop(tmp_path: Path) -> None:
    workspace, folder = tmp_path / "ws", tmp_path / "acme"
    files: dict[str, str | bytes] = {"labels.csv": "path,label\n1.png,cat\n", "1.png": "one"}
    assert take(landing(folder, files), workspace).drop == "0001-acme"
    assert take(landing(folder, {"1.png": "two"}), workspace).drop == "0002-acme"
    assert take(landing(folder, {"labels.csv": "path,label\n1.png,dog\n"}), workspace).drop == "0003-acme"
    assert take(landing(folder, files), workspace).drop == "0001-acme"


def test_a_drop_that_was_not_pulled_keeps_its_number(tmp_path: Path) -> None:
    drops = tmp_path / "ws" / "data" / "drops"
    drops.mkdir(parents=True)
    (drops / "0007-old.dvc").touch()
    (drops / ".gitkeep").touch()
    assert take(landing(tmp_path / "???", {"cat/1.png": "one"}), tmp_path / "ws").drop == "0008-drop"


def test_the_order_of_the_directory_listing_does_not_matter(tmp_path: Path) -> None:
    names = [f"{c}/{n}.png" for c in ("b", "a") for n in (3, 1, 2)]
    forward = take(landing(tmp_path / "one", {name: name for name in names}), tmp_path / "ws1")
    backward = take(landing(tmp_path / "two", {name: name for name in reversed(names)}), tmp_path / "ws2")
    assert forward.content == backward.content
    assert [row["source"] for row in rows(tmp_path / "ws1", forward.drop)] == sorted(names)
    assert (forward.format, forward.delimiter, forward.encoding) == ("imagefolder", None, None)


def test_what_a_killed_receive_left_is_swept_and_the_next_one_completes(tmp_path: Path) -> None:
    folder, workspace = landing(tmp_path / "acme", {"cat/1.png": "one"}), tmp_path / "ws"
    pid = os.fork()
    if pid == 0:
        os.environ["ASSAY_KILL_AT"] = "6"
        durable.restart_count()
        take(folder, workspace)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == 9
    assert [p.name for p in (workspace / ".assay" / "staging").iterdir()] == [f".0001-acme.tmp-{pid}"]
    assert list((workspace / "data" / "drops").iterdir()) == []
    assert take(folder, workspace).drop == "0001-acme"
    assert list((workspace / ".assay" / "staging").iterdir()) == []
    assert sorted(p.name for p in (workspace / "data" / "drops").iterdir()) == ["0001-acme"]
