"""Is a folder taken exactly once it is complete, and does every other one say why it waits?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from deliveries import landing, take

from tasks import arrivals
from tasks.model import DropRejected


def at(seconds: int) -> str:
    return f"2026-05-01T12:{seconds // 60:02d}:{seconds % 60:02d}+00:00"


def look(workspace: Path, seconds: int = 0) -> dict[str, str]:
    return {a.name: a.state for a in arrivals.look(workspace, now=at(seconds), settle=60)}


def why(workspace: Path, seconds: int) -> str:
    (found,) = arrivals.look(workspace, now=at(seconds), settle=60)
    return f"{found.state}: {found.why}"


FILES: dict[str, str | bytes] = {"labels.csv": "path,label\n1.png,cat\n2.png,dog\n", "1.png": "one", "2.png": "two"}


def test_a_folder_with_the_marker_is_complete_at_once_and_received_once(tmp_path: Path) -> None:
    incoming = tmp_path / "data" / "incoming"
    assert look(tmp_path) == {}
    landing(incoming / "b", FILES | {"_SUCCESS": ""})
    landing(incoming / "a", {"cat/1.png": "x", "_SUCCESS": ""})
    (incoming / "link").symlink_to(incoming / "a")
    (incoming / "stray.txt").touch()
    landing(incoming / ".hidden", FILES | {"_SUCCESS": ""})
    found = arrivals.look(tmp_path, now=at(0), settle=60)
    assert [folder.name for folder in arrivals.folders(tmp_path, found)] == ["b", "a"]
    take(incoming / "b", tmp_path)
    assert look(tmp_path) == {"a": "complete"}


def test_without_a_marker_it_must_rest_and_be_whole(tmp_path: Path) -> None:
    folder = landing(tmp_path / "data" / "incoming" / "acme", {k: v for k, v in FILES.items() if k != "2.png"})
    assert "growing: It changed 0 s ago" in why(tmp_path, 0)
    assert "growing: It changed 59 s ago" in why(tmp_path, 59)
    told = why(tmp_path, 61)
    assert told.startswith("growing: Nothing has changed for 60 s, but it is not whole: file '2.png' of row")
    assert "labels.csv:3" in told and told.endswith("run: assay receive data/incoming/acme")
    (folder / "2.png").touch()
    assert look(tmp_path, 70) == {"acme": "growing"}  # it has changed
    assert "'2.png' of row 'labels.csv:3' is empty" in why(tmp_path, 140)
    assert look(tmp_path, 70 + 600) == {"acme": "held"}
    (folder / "2.png").write_text("two")
    assert look(tmp_path, 700) == {"acme": "growing"}
    assert look(tmp_path, 761) == {"acme": "complete"}


@pytest.mark.parametrize("name", ["3.png.part", "3.png.crdownload", "labels.csv~"])
def test_the_name_of_an_unfinished_copy_keeps_it_growing(tmp_path: Path, name: str) -> None:
    landing(tmp_path / "data" / "incoming" / "acme", FILES | {name: "x"})
    look(tmp_path, 0)
    assert f"'{name}' is the name of an unfinished copy" in why(tmp_path, 61)


def test_a_torn_table_keeps_it_growing(tmp_path: Path) -> None:
    landing(tmp_path / "data" / "incoming" / "acme", {"labels.parquet": b"PAR1 and no more", "1.png": "one"})
    look(tmp_path, 0)
    assert "growing" in why(tmp_path, 61)


def test_a_slow_writer_in_any_order_is_taken_exactly_once_and_whole(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "incoming" / "slow"
    taken, seconds = [], 0
    for name in ["2.png", "labels.csv", "1.png"]:
        landing(folder, {name: FILES[name]})
        for _ in range(3):
            seconds += 29
            found = arrivals.look(tmp_path, now=at(seconds), settle=60)
            taken += [take(path, tmp_path) for path in arrivals.folders(tmp_path, found)]
    assert [receipt.rows for receipt in taken] == []
    assert look(tmp_path, seconds + 61) == {"slow": "complete"}
    assert take(folder, tmp_path).rows == 2
    assert look(tmp_path, seconds + 200) == {}


def test_a_copy_under_another_name_needs_no_run_and_another_content_does(tmp_path: Path) -> None:
    incoming = tmp_path / "data" / "incoming"
    take(landing(incoming / "acme", FILES | {"_SUCCESS": ""}), tmp_path)
    shutil.copytree(incoming / "acme", incoming / "again")
    landing(incoming / "other", FILES | {"1.png": "new", "_SUCCESS": ""})  # the same names and sizes
    assert look(tmp_path) == {"other": "complete"}


def test_a_refused_drop_is_held_until_it_changes(tmp_path: Path) -> None:
    folder = landing(tmp_path / "data" / "incoming" / "acme", {"1.png": "one", "_SUCCESS": ""})
    assert look(tmp_path) == {"acme": "complete"}
    with pytest.raises(DropRejected) as caught:
        take(folder, tmp_path)
    arrivals.hold(tmp_path, folder, caught.value, now=at(1), tried=arrivals.fingerprint(folder))
    (held,) = arrivals.look(tmp_path, now=at(2), settle=60)
    assert (held.state, held.code, held.since) == ("held", "E_FORMAT", at(1))
    assert "no labels file" in held.why
    landing(folder, {"labels.csv": "path,label\n1.png,cat\n"})
    assert look(tmp_path, 3) == {"acme": "complete"}


def test_what_was_written_while_a_drop_was_refused_is_tried(tmp_path: Path) -> None:
    folder = landing(tmp_path / "data" / "incoming" / "acme", FILES | {"_SUCCESS": ""})
    look(tmp_path)
    tried = arrivals.fingerprint(folder)
    landing(folder, {"3.png": "the last file, while the others were read"})
    refused = DropRejected("E_MANIFEST", "Its files changed while they were read.")
    arrivals.hold(tmp_path, folder, refused, now=at(1), tried=tried)
    assert look(tmp_path, 2) == {"acme": "complete"}


def test_a_refused_drop_that_was_taken_away_is_no_trouble(tmp_path: Path) -> None:
    folder = landing(tmp_path / "data" / "incoming" / "acme", FILES)
    shutil.rmtree(folder)
    assert arrivals.fingerprint(folder) == ""
    arrivals.hold(tmp_path, folder, DropRejected("E_MANIFEST", "It has gone."), now=at(1), tried="")
    assert look(tmp_path, 2) == {}


def test_a_look_beside_a_run_does_not_undo_its_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = landing(tmp_path / "data" / "incoming" / "acme", FILES | {"_SUCCESS": ""})
    look(tmp_path)
    slow = arrivals._look_at

    def held_meanwhile(*arguments: object) -> arrivals.Arrival | None:
        found = slow(*arguments)  # type: ignore[arg-type]
        tried = arrivals.fingerprint(folder)
        arrivals.hold(tmp_path, folder, DropRejected("E_FORMAT", "It is no drop."), now=at(1), tried=tried)
        return found

    monkeypatch.setattr(arrivals, "_look_at", held_meanwhile)
    assert look(tmp_path, 1) == {"acme": "held"}
    monkeypatch.undo()
    assert look(tmp_path, 2) == {"acme": "held"}


def test_a_clock_that_is_put_back_costs_one_rest(tmp_path: Path) -> None:
    landing(tmp_path / "data" / "incoming" / "acme", FILES)
    look(tmp_path, 3000)
    assert "It changed 0 s ago" in why(tmp_path, 100)
    assert look(tmp_path, 161) == {"acme": "complete"}


def test_a_name_that_is_no_unicode_is_taken_like_any_other(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9\n-rf")
    folder = landing(tmp_path / "data" / "incoming" / name, FILES | {"_SUCCESS": ""})
    for _ in range(2):
        (found,) = arrivals.look(tmp_path, now=at(0), settle=60)
        assert arrivals.folders(tmp_path, [found]) == [folder]
    assert take(folder, tmp_path).rows == 2
    assert look(tmp_path, 1) == {}


def test_what_was_seen_decides_nothing(tmp_path: Path) -> None:
    landing(tmp_path / "data" / "incoming" / "acme", FILES | {"_SUCCESS": ""})
    look(tmp_path)
    (tmp_path / arrivals.FILE).write_text("{torn")
    assert arrivals.seen(tmp_path) == []
    assert look(tmp_path) == {"acme": "complete"}
    (tmp_path / arrivals.FILE).write_text('{"arrivals": [{"name": "acme", "colour": "red"}]}')
    assert look(tmp_path) == {"acme": "complete"}


def test_an_incomplete_drop_that_rests_for_long_is_held_with_its_code(tmp_path: Path) -> None:
    landing(tmp_path / "data" / "incoming" / "acme", {"labels.csv": "path,label\n1.png,cat\n"})
    look(tmp_path, 0)
    (held,) = arrivals.look(tmp_path, now=at(700), settle=60)
    assert (held.state, held.code) == ("held", "E_INCOMPLETE")
