"""Does the record in memory say what the whole log says, after every single verdict, in any order of arrival?"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import answers
from tasks.model import Verdict
from tasks.review.record import Record

REVIEWERS = ("ann", "bob", "assay-apply")
ACTIONS = (
    *("keep", "relabel", "remove", "unsure", "ambiguous", "resolve", "accept", "reject"),
    *("undo", "undo", "return", "approve", "question"),
)
SUBJECTS = ("item:a", "b", "item:b", "class:cat", "drop:0001-a")


@st.composite
def verdicts(draw: st.DrawFn) -> list[Verdict]:
    """Answers of three about two items, a class and a drop, with clocks that jump; `of` points anywhere."""
    count = draw(st.integers(0, 14))
    found = []
    for number in range(count):
        action = draw(st.sampled_from(ACTIONS))
        label = draw(st.sampled_from(['"cat"', '"dog"']))
        y = {"ambiguous": '["cat","dog"]', "relabel": label, "resolve": label}.get(action)
        of = f"op{draw(st.integers(0, 14))}" if action in ("undo", "return", "approve", "resolve") else None
        at = f"2024-05-01T10:{draw(st.integers(0, 5)):02}:00Z"
        who, subject = draw(st.sampled_from(REVIEWERS)), draw(st.sampled_from(SUBJECTS))
        found.append(Verdict(f"op{number}", subject, action, who, at, y=y, of=of))
    return found


def logs_of(said: list[Verdict]) -> dict[str, list[Verdict]]:
    return {name: [verdict for verdict in said if verdict.reviewer == name] for name in REVIEWERS}


@settings(max_examples=300)
@given(verdicts(), st.integers(0, 14))
def test_after_every_verdict_the_record_equals_the_state_of_the_whole_log(said: list[Verdict], loaded: int) -> None:
    record = Record(logs_of(said[:loaded]))
    for number in range(loaded, len(said) + 1):
        merged = answers.merge(logs_of(said[:number]).values())
        assert list(record.said()) == merged
        assert record.state() == answers.state(merged)
        for item in ("a", "b"):
            assert record.item(item) == answers.state(merged).items.get(item)
            assert list(record.about(item)) == [v for v in merged if answers.full_subject(v.subject) == f"item:{item}"]
        if number < len(said):
            record.add(said[number])


@settings(max_examples=300)
@given(verdicts())
def test_what_a_verdict_does_not_touch_stays_as_it_was(said: list[Verdict]) -> None:
    record = Record({})
    for verdict in said:
        before = record.state()
        touched = record.add(verdict)
        after = record.state()
        changed = {
            f"item:{name}" for name in {*before.items, *after.items} if before.items.get(name) != after.items.get(name)
        }
        assert changed <= set(touched)


def test_an_undo_of_a_return_touches_the_item_that_was_returned() -> None:
    at = "2024-05-01T10:00:00Z"
    record = Record({"ann": [Verdict("1", "item:a", "relabel", "ann", at, y='"dog"')]})
    assert record.add(Verdict("2", "item:a", "return", "bob", at, of="1")) == ("item:a",)
    assert not record.state().items["a"].answered
    assert record.add(Verdict("3", "class:cat", "undo", "bob", at, of="2")) == ("class:cat", "item:a")
    assert record.state().items["a"].y == '"dog"'
