"""Is what people did counted right: pace, agreement, reversals, each check's precision, what waits?"""

from __future__ import annotations

from flows.tally import Check, Person, Tally, Waiting, agreement, checks, pace, tally
from tasks import answers
from tasks.answers import moment
from tasks.estimate import Interval
from tasks.interval import wilson
from tasks.model import MACHINE, Verdict

CAT, DOG = '"cat"', '"dog"'
NOW = moment("2026-05-02T10:00:00Z").timestamp()


def said(op: str, item: str, action: str, who: str, minute: int = 0, **more: object) -> Verdict:
    seen = {"revision": None, "y": CAT, **({"checks": more.pop("found")} if "found" in more else {})}
    return Verdict(op, f"item:{item}", action, who, f"2026-05-01T10:{minute:02d}:00Z", seen=seen, **more)  # type: ignore[arg-type]


def between(right: int, of: int) -> Interval:
    return Interval(right / of, wilson(right, of).low, wilson(right, of).high)


def test_a_pause_is_no_work() -> None:
    assert pace([0.0, 100.0, 150.0, 1000.0, 1120.0, 1150.0]) == 48.0  # four in 300 seconds
    assert pace([0.0, 100.0, 150.0, 1000.0, 1120.0, 1149.0]) is None  # a figure an hour of seconds says nothing
    assert pace([0.0, 1000.0]) is None
    assert pace([]) is None
    assert pace([5.0, 5.0]) is None  # one batch: no time went by


def test_people_agree_where_they_decided_alike_however_they_said_it() -> None:
    latest = {
        "ann": {"a": said("1", "a", "keep", "ann"), "b": said("2", "b", "relabel", "ann", y=DOG)},
        "bob": {"a": said("3", "a", "relabel", "bob", y=CAT), "b": said("4", "b", "remove", "bob")},
        "eve": {"b": said("5", "b", "relabel", "eve", y=DOG), "c": said("6", "c", "unsure", "eve")},
    }
    assert agreement(latest) == {"ann": (2, 3), "bob": (1, 3), "eve": (1, 2)}


def test_a_check_is_right_where_people_changed_the_label_it_doubted() -> None:
    verdicts = [
        said("1", "a", "relabel", "ann", y=DOG, found=["old_v1", "label_noise_v1"]),
        said("2", "b", "keep", "ann", found=["label_noise_v1", "audit_sample_v1"]),
        said("3", "c", "unsure", "ann", found=["label_noise_v1"]),
        said("4", "d", "keep", "ann"),  # older: what had found it is not known any more
    ]
    delivered = dict.fromkeys("abcd", CAT)
    found = {"label_noise_v1": {"b", "c", "d"}, "idle_v1": {"c"}, "audit_sample_v1": {"b"}}
    items = answers.state(verdicts).items
    assert checks(verdicts, items, delivered, found) == [
        Check("label_noise_v1", 3, 2, 1, between(1, 2)),
        Check("old_v1", 0, 1, 1, between(1, 1)),  # it finds nothing any more: the answer remembers it
        Check("idle_v1", 1, 0, 0, None),
    ]


def test_everything_is_counted_without_machines_and_what_was_taken_back() -> None:
    verdicts = [
        said("1", "a", "relabel", "ann", 0, y=DOG),
        said("2", "b", "keep", "ann", 2),
        said("3", "c", "keep", "ann", 4),
        said("4", "c", "undo", "ann", 4, of="3"),
        said("4b", "b", "keep", "ann", 6),
        said("5", "a", "relabel", "bob", 4, y=CAT),
        said("6", "d", "question", "bob", 5, note="which one?"),
        said("7", "e", "issue", "ann", 6, note="all sevens"),
        said("8", "a", "resolve", "rita", 7, y=DOG),
        said("9", "z", "relabel", MACHINE, 8, y=DOG),
    ]
    told = tally(verdicts, {"a": CAT, "b": CAT}, {}, NOW)
    assert told == Tally(
        people=[
            Person("ann", 2, 4, 30.0, 1, 2, reversed=0, returned=0),
            Person("bob", 1, 1, None, 0, 2, reversed=1, returned=0),
            Person("rita", 1, 1, None, 1, 2, reversed=0, returned=0),
        ],
        checks=[],
        waiting=[
            Waiting("question", "d", "bob", "which one?", "2026-05-01T10:05:00Z"),
            Waiting("issue", "e", "ann", "all sevens", "2026-05-01T10:06:00Z"),
        ],
        answered=frozenset({"a", "b"}),
        week=6,
        disputed=0,
    )


def test_blind_gold_counts_for_the_person_and_for_no_label() -> None:
    verdicts = [
        said("1", "a", "relabel", "ann", 0, y=DOG),
        said("2", "a", "resolve", "rita", 1, y=DOG),
        said("3", "a", "gold", "bob", 2, y=DOG, category="relabel", of="2"),
        said("4", "b", "relabel", "ann", 3, y=DOG),
        said("5", "b", "resolve", "rita", 4, y=DOG),
        said("6", "b", "gold", "bob", 5, y=CAT, category="keep", of="5"),
        said("7", "c", "keep", "bob", 6),
    ]
    told = tally(verdicts, {"a": CAT, "b": CAT, "c": CAT}, {}, NOW)
    assert {one.name: (one.answers, one.gold) for one in told.people} == {
        "ann": (2, None),
        "bob": (1, (1, 2)),
        "rita": (2, None),
    }


def test_without_answers_there_is_nothing() -> None:
    assert tally([], {"a": CAT}, {}, NOW) == Tally(people=[], checks=[], waiting=[], answered=frozenset())
