"""Do any answers at all, delivered anyhow, add up to the same state? Properties, by Hypothesis."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import answers
from tasks.model import Verdict

CAT, DOG = '"cat"', '"dog"'
REVIEWERS = ("ann", "bob", "eve")
ACTIONS = ("keep", "relabel", "remove", "unsure", "ambiguous", "resolve", "accept", "reject", "undo", "return")


@st.composite
def logs(draw: st.DrawFn) -> dict[str, list[Verdict]]:
    """A few people's logs about two items and a class, with clocks that jump, undos and returns of anything."""
    found: dict[str, list[Verdict]] = {name: [] for name in REVIEWERS}
    for number in range(draw(st.integers(0, 12))):
        name, action = draw(st.sampled_from(REVIEWERS)), draw(st.sampled_from(ACTIONS))
        subject = "class:cat" if action in ("accept", "reject") else draw(st.sampled_from(["item:a", "item:b"]))
        y = '["cat","dog"]' if action == "ambiguous" else draw(st.sampled_from([CAT, DOG]))
        of = f"op{draw(st.integers(0, 12))}" if action in ("undo", "return") else None
        at = f"2024-05-01T10:{draw(st.integers(0, 5)):02}:00Z"
        found[name].append(
            Verdict(
                f"op{number}",
                subject,
                action,
                name,
                at,
                y=y if action in ("relabel", "ambiguous", "resolve") else None,
                of=of,
            )
        )
    return found


@given(logs(), st.permutations(REVIEWERS))
def test_the_order_of_the_reviewers_files_does_not_matter(people: dict[str, list[Verdict]], order: list[str]) -> None:
    merged = answers.merge(people.values())
    assert answers.merge(people[name] for name in order) == merged
    assert answers.state(merged) == answers.state(answers.merge(people[name] for name in order))


@given(logs(), st.data())
def test_a_line_that_comes_again_changes_nothing(people: dict[str, list[Verdict]], data: st.DataObject) -> None:
    again = {name: list(log) for name, log in people.items()}
    for name, log in people.items():
        for verdict in data.draw(st.lists(st.sampled_from(log), max_size=3)) if log else []:
            place = data.draw(st.integers(again[name].index(verdict) + 1, len(again[name])))
            again[name].insert(place, verdict)
    assert answers.merge(again.values()) == answers.merge(people.values())


@given(
    logs(), st.sampled_from(REVIEWERS), st.sampled_from(["keep", "relabel", "remove", "unsure", "resolve", "accept"])
)
def test_an_undo_restores_what_was(people: dict[str, list[Verdict]], name: str, action: str) -> None:
    before = answers.merge(people.values())
    last = Verdict("new", "item:a", action, name, "2024-05-01T11:00:00Z", y=DOG)
    undo = Verdict("undo", "item:a", "undo", name, "2024-05-01T11:01:00Z", of="new")
    assert answers.state([*before, last, undo]) == answers.state(before)


@given(logs())
def test_the_state_is_a_pure_function_with_exact_invariants(people: dict[str, list[Verdict]]) -> None:
    merged = answers.merge(people.values())
    copy = list(merged)
    state = answers.state(merged)
    assert merged == copy
    assert answers.state(merged) == state
    for item in state.items.values():
        assert not (item.disputed and item.unsure)
        assert item.answered or not (item.disputed or item.unsure)
        assert bool(item.open_ops) == (item.disputed or item.unsure)
        assert item.y is None or item.ops
        assert not item.accepted or item.accepted[0] == item.y


@settings(max_examples=30)
@given(logs())
def test_what_is_read_from_disk_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, people: dict[str, list[Verdict]]
) -> None:
    folder = tmp_path_factory.mktemp("verdicts")
    for name, log in people.items():
        (folder / f"{name}.jsonl").write_bytes(b"".join(map(answers.line, log)))
    assert answers.read(folder) == answers.merge(people.values())
