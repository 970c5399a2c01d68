"""Are gold items drawn from what is settled, shown like drawn ones, kept apart from the labels, and counted rightly?"""

from __future__ import annotations

from dataclasses import replace

from tasks import answers
from tasks.model import Verdict
from tasks.review.gold import Gold, as_gold, chosen, gold, settling, wanted

AT = "2024-05-01T10:00:00Z"
CAT, DOG = '"cat"', '"dog"'


def said(op: str, who: str, action: str, y: str | None = None, of: str | None = None, item: str = "a") -> Verdict:
    return Verdict(op, f"item:{item}", action, who, AT, y=y, of=of, seen={"revision": None, "y": CAT})


def settled_for(person: str, *verdicts: Verdict) -> str | None:
    return settling(verdicts, answers.state(verdicts).items.get("a"), person)


def test_gold_is_what_somebody_else_has_approved_or_settled_and_nothing_less() -> None:
    given = said("1", "ann", "relabel", DOG)
    approved, settled = said("2", "rita", "approve", of="1"), said("3", "rita", "resolve", DOG)
    assert settled_for("bob", given, approved) == "1"
    assert settled_for("bob", given, settled) == "3"
    assert settled_for("bob", given) is None  # one answer is no truth
    assert settled_for("ann", given, approved) is None  # her own
    assert settled_for("rita", given, approved) is None  # she has looked at it
    assert settled_for("bob", given, said("2", "ann", "approve", of="1")) is None  # nobody approves their own
    assert settled_for("bob", given, approved, said("4", "eve", "relabel", CAT)) is None  # disputed again
    assert settled_for("bob", given, approved, said("5", "rita", "undo", of="2")) is None


def test_an_answer_to_gold_touches_no_label_and_is_judged_by_the_label_in_force() -> None:
    truth = [said("1", "ann", "relabel", DOG), said("2", "rita", "approve", of="1")]
    right = as_gold(said("3", "bob", "relabel", DOG), of="1", delivered=CAT)
    wrong = as_gold(said("4", "eve", "keep"), of="1", delivered=CAT)
    unsure = as_gold(said("5", "zoe", "unsure"), of="1", delivered=CAT)
    assert (wrong.action, wrong.category, wrong.y, wrong.of) == ("gold", "keep", CAT, "1")
    every = [*truth, right, wrong, unsure]
    state = answers.state(every)
    assert state == answers.state(truth)
    found = gold(every, state.items)
    assert {name: (one.n, one.right) for name, one in found.items()} == {"bob": (1, 1), "eve": (1, 0)}
    assert gold([*every, said("6", "eve", "undo", of="4")], state.items).keys() == {"bob"}
    turned = [*every, said("7", "rita", "resolve", CAT)]
    assert gold(turned, answers.state(turned).items)["eve"].right == 1


def test_the_latest_answer_to_a_gold_item_counts_and_the_interval_is_wilsons() -> None:
    rows = [said("s", "rita", "resolve", DOG)]
    for n in range(10):
        item = f"g{n}"
        rows += [said(f"r{n}", "rita", "resolve", DOG, item=item)]
        rows += [as_gold(said(f"x{n}", "bob", "keep", item=item), of=f"r{n}", delivered=CAT)]
        if n < 8:
            rows += [as_gold(said(f"y{n}", "bob", "relabel", DOG, item=item), of=f"r{n}", delivered=CAT)]
    assert gold(rows, answers.state(rows).items) == {"bob": Gold(10, 8, 0.4902, 0.9433)}


def test_a_removed_item_and_several_labels_are_right_where_they_hold_the_truth() -> None:
    truth = said("1", "rita", "resolve", DOG)
    several = as_gold(said("2", "bob", "ambiguous", f"[{CAT},{DOG}]"), of="1", delivered=CAT)
    removed = as_gold(said("3", "eve", "remove"), of="1", delivered=CAT)
    rows = [truth, several, removed]
    found = gold(rows, answers.state(rows).items)
    assert (found["bob"].right, found["eve"].right) == (1, 0)
    gone = [*rows, replace(said("4", "rita", "resolve"), y=None)]
    assert gold(gone, answers.state(gone).items)["eve"].right == 1


def test_three_in_a_hundred_are_gold_and_the_choice_is_each_persons_own_and_stays() -> None:
    assert [wanted(n) for n in (0, 9, 10, 100, 1_000)] == [0, 0, 1, 3, 30]
    items = [f"i{n}" for n in range(50)]
    assert chosen("ann", items, 5) == chosen("ann", reversed(items), 5)
    assert chosen("ann", items, 5) != chosen("bob", items, 5)
