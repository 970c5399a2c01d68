"""Does a file that stops the decoder harm only itself?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.sandbox import Confinement, Sandbox


@pytest.mark.parametrize("poison", [b"abort", b"spin", b"swell", b"write"])
def test_a_poison_item_is_given_up_after_three_attempts_and_its_neighbours_are_done(
    poison: bytes, tmp_path: Path
) -> None:
    items = [("before", b"1"), ("poison", poison), ("after", b"333")]
    confinement = Confinement(seconds=0.3, memory_mb=256, attempts=3)
    with Sandbox("poison:decode", {}, confinement=confinement, cores=1) as sandbox:
        outcomes = dict(sandbox.decode(items, journal=tmp_path / "journal.json"))
    assert outcomes["before"].result == {"length": 1}
    assert outcomes["after"].result == {"length": 3}
    assert outcomes["poison"].code == "E_POISON"
    assert outcomes["poison"].message == "The file stopped the decoder 3 times."
    assert not Path("/tmp/assay-poison").exists()


def test_an_item_that_was_begun_too_often_is_not_begun_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal.json"
    journal.write_text('{"old": 3}')
    with Sandbox("poison:decode", {}, cores=1) as sandbox:
        outcomes = dict(sandbox.decode([("old", b"1"), ("new", b"22")], journal=journal))
    assert outcomes["old"].code == "E_POISON"
    assert outcomes["new"].result == {"length": 2}
