"""Is a file read again when it may say something else, and only then?"""

from __future__ import annotations

import time
from pathlib import Path

from flows.kept import Kept


def test_a_part_is_read_again_when_a_file_changes_comes_or_goes(tmp_path: Path) -> None:
    kept, path, times = Kept(), tmp_path / "a", []

    def read() -> str:
        times.append(1)
        return path.read_text()

    def ask() -> str:
        return kept.get("part", [path], read, "nothing")

    assert (ask(), ask(), len(times)) == ("nothing", "nothing", 2)  # absent: not kept
    assert kept.unread == {}
    path.write_text("one")
    assert (ask(), ask(), len(times)) == ("one", "one", 3)
    path.write_text("three")
    assert (ask(), len(times)) == ("three", 4)
    path.unlink()
    assert ask() == "nothing"


def test_what_cannot_be_read_is_named_until_it_can(tmp_path: Path) -> None:
    kept, path = Kept(), tmp_path / "a"
    path.write_text("no number")
    assert kept.get("part", [path], lambda: int(path.read_text()), 0) == 0
    assert list(kept.unread) == ["part"] and "no number" in kept.unread["part"]
    path.write_text("7")
    assert kept.get("part", [path], lambda: int(path.read_text()), 0) == 7
    assert kept.unread == {}


def test_a_slow_part_rests_and_is_read_again_afterwards(tmp_path: Path) -> None:
    kept, path = Kept(), tmp_path / "a"

    def read() -> str:
        time.sleep(0.3)
        return path.read_text()

    path.write_text("one")
    assert kept.get("part", [path], read, "", at_most=0.001) == "one"  # minutes of rest
    path.write_text("three")
    assert kept.get("part", [path], read, "", at_most=0.001) == "one"
    assert kept.get("part", [path], read, "", at_most=1.0) == "three"  # no rest at all
