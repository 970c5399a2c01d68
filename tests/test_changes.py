"""Is what changed between two revisions told with who and when, and is each item in one list?"""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_workspace as toy

from flows.changes import Change, Past, ops_of
from tasks import store, versions
from tasks.model import DATASET, Mistake, Verdict

SAID = {
    "op-1": Verdict("op-1", "item:i2", "relabel", "ann", "2026-05-01T10:00:00Z", y='"cat"', note="a kitten"),
    "op-2": Verdict("op-2", "item:i2", "relabel", "bob", "2026-05-02T10:00:00Z", y='"cat"'),
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """v1.0.0: cat, dog, cat; v1.1.0: the dog is a cat by two people, the third item has gone, and i4 has come."""
    made = toy.first_revision_is_due(tmp_path / "ws")
    versions.publish(made)
    toy.deliver(made, "0002-b", {"i4": "dog"})
    toy.decide(made, {"i1": ("0001-a", "cat"), "i2": ("0001-a", "cat"), "i4": ("0002-b", "dog")})
    source = made / "source" / "dataset.parquet"
    table = store.read_table(source, DATASET)
    table.loc[table["item"] == "i2", "why"] = "verdict op-1 op-2 (unsure: op-9)"
    store.write_table(source, DATASET, table)
    versions.reproduce(made, "revise", lambda line: None)
    versions.publish(made)
    return made


def test_each_item_is_in_one_list_with_who_decided_it_and_when(workspace: Path) -> None:
    a, b = "dataset@v1.0.0", "dataset@v1.1.0"
    found = Past(workspace).between("v1.0.0", "v1.1.0", SAID.get)
    assert (found.a, found.b, found.before, found.after) == (a, b, 3, 3)
    why = "verdict op-1 op-2 (unsure: op-9)"
    assert found.relabelled == [
        Change("i2", b, 1, '"dog"', '"cat"', why, "ann, bob", "2026-05-02T10:00:00Z", "a kitten")
    ]
    assert found.added == [Change("i4", b, 2, None, '"dog"', "drop 0002-b labels.csv:2")]
    assert found.removed == [Change("i3", a, 2, '"cat"', None, "its drop is not in the dataset any more")]
    assert found.pairs() == [(('"dog"', '"cat"'), 1)]


def test_the_other_way_round_it_is_the_other_way_round(workspace: Path) -> None:
    found = Past(workspace).between("v1.1.0", "v1.0.0", SAID.get)
    assert [one.item for one in found.added] == ["i3"]
    assert [one.item for one in found.removed] == ["i4"]
    assert [(one.before, one.after, one.who) for one in found.relabelled] == [('"cat"', '"dog"', "")]


def test_a_revision_is_no_different_from_itself(workspace: Path) -> None:
    found = Past(workspace).between("v1.1.0", "v1.1.0", SAID.get)
    assert (found.relabelled, found.added, found.removed) == ([], [], [])


def test_an_unknown_revision_is_a_sentence(workspace: Path) -> None:
    with pytest.raises(Mistake, match="Unknown revision 'v9\\.9\\.9'"):
        Past(workspace).between("v1.0.0", "v9.9.9", SAID.get)


def test_ops_are_those_that_decided_and_no_others() -> None:
    assert ops_of("verdict a b (disputed: c d)") == ("a", "b")
    assert ops_of("verdict a") == ("a",)
    assert ops_of("drop 0001 verdict.csv:3") == ()
    assert ops_of("gate 0001 labels.csv:3") == ()
