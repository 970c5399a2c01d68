"""Is each answer of the page one verdict, or refused with a sentence; and is what is asked and returned told?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasks.labels import pairs, single
from tasks.model import Verdict
from tasks.review import signoff, threads
from tasks.review.catalogue import Catalogue
from tasks.review.spoken import Room

CATALOGUE = Catalogue(
    "v1",
    ("i0", "i1"),
    ('"cat"', '"dog"'),
    ("00", "01"),
    (("a", 0), ("a", 1)),
    ("cat", "dog", "fox"),
    (),
    {},
    {"rank": np.array([3, 0], "<u4"), "p_wrong": np.array([0.75, 0.01], "<f4")},
)
ROOM = Room(CATALOGUE, single, frozenset(CATALOGUE.classes), "dataset@v1.0.0", "3f2a")


def said(role: str = "labeler", **raw: Any) -> Verdict:
    return ROOM.verdict({"op": "o1", "n": 0, **raw}, reviewer="ann", role=role, at="2026-05-01T10:00:00+00:00")


def test_an_answer_keeps_what_was_shown_and_by_which_guideline() -> None:
    verdict = said(action="relabel", label="fox", note="a tail")
    assert (verdict.subject, verdict.y, verdict.note, verdict.guideline) == ("item:i0", '"fox"', "a tail", "3f2a")
    assert verdict.seen == {"revision": "dataset@v1.0.0", "y": '"cat"', "p_wrong": 0.75, "rank": 3}
    assert said(n=1, action="keep").seen == {"revision": "dataset@v1.0.0", "y": '"dog"'}  # not queued: no doubt shown
    assert said(action="ambiguous", labels=["cat", "fox", "cat"]).y == '["cat","fox"]'
    assert said(role="reviewer", action="resolve", label="dog").y == '"dog"'
    assert said(role="reviewer", action="resolve").y is None  # removed for good


def test_the_label_of_a_pair_may_be_any_text() -> None:
    room = Room(CATALOGUE, pairs, frozenset(), None, None)
    raw = {"op": "o", "n": 0, "action": "relabel", "label": "Der Baum."}
    assert room.verdict(raw, reviewer="ann", role="labeler", at="2026-05-01T10:00:00Z").y == '"Der Baum."'


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"action": "relabel", "label": "wolf"}, "Label 'wolf' is no class. Classes are: cat, dog, fox."),
        ({"action": "relabel", "label": 7}, "A label is a text."),
        ({"action": "relabel"}, "A label is a text."),
        ({"action": "relabel", "label": "\x07"}, "Label '\x07' cannot be kept"),
        ({"action": "ambiguous", "labels": ["cat"]}, "needs two different labels or more"),
        ({"action": "ambiguous"}, "needs a list of labels"),
        ({"action": "explode"}, "Action 'explode' is not known"),
        ({"action": ["keep"]}, "is not known"),
        ({"action": "keep", "n": 2}, "Place '2' is none of the 2 items."),
        ({"action": "keep", "n": -1}, "Place '-1' is none"),
        ({"action": "keep", "n": True}, "Place 'True' is none"),
        ({"action": "keep", "n": "0"}, "Place '0' is none"),
        ({"action": "keep", "op": ""}, "needs an op of its own"),
        ({"action": "keep", "op": "a\nb"}, "needs an op of its own"),
        ({"action": "keep", "op": "x" * 201}, "Field 'op' is a text of up to 200"),
        ({"action": "keep", "note": "x" * 2_001}, "Field 'note' is a text of up to 2,000"),
        ({"action": "keep", "reviewer": "bob"}, "and no others"),
        ({"action": "question", "note": " "}, "needs words"),
        ({"action": "undo"}, "needs the op that it is about"),
        ({"action": "approve", "of": "o0"}, "is a reviewer's; 'ann' is a labeler."),
    ],
)
def test_what_cannot_be_taken_is_a_sentence(raw: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as caught:
        said(**raw)
    assert says in str(caught.value)


def line(op: str, action: str, who: str, **more: Any) -> Verdict:
    return Verdict(op, "item:i0", action, who, "2026-05-01T10:00:00Z", **more)


def test_a_question_waits_for_an_answer_and_a_withdrawn_one_for_nobody() -> None:
    asked = line("q1", "question", "ann", note="Is it a fox?")
    assert threads.open_questions([asked]) == [asked]
    assert threads.open_questions([asked, line("a1", "answer", "rita", of="q1", note="Yes.")]) == []
    assert threads.open_questions([asked, line("u1", "undo", "ann", of="q1")]) == []
    both = [asked, line("a1", "answer", "rita", of="q1", note="Yes.")]
    assert [(one["who"], one["kind"], one["text"]) for one in threads.thread(both)] == [
        ("ann", "question", "Is it a fox?"),
        ("rita", "answer", "Yes."),
    ]
    assert [[row["open"] for row in threads.thread(said)] for said in ([asked], both)] == [[True], [False, False]]


def test_what_was_returned_waits_for_its_author_to_decide_again() -> None:
    kept, back = line("k1", "keep", "ann"), line("r1", "return", "rita", of="k1", note="Look at the tail.")
    assert threads.returned([kept, back]) == [back]
    assert threads.returned([kept, back, line("k2", "keep", "bob")]) == [back]
    assert threads.returned([kept, back, line("k2", "relabel", "ann", y='"fox"')]) == []


def test_an_answer_is_signed_by_an_approval_unless_a_return_is_in_force() -> None:
    kept, back = line("k1", "keep", "ann"), line("r1", "return", "rita", of="k1", note="Look at the tail.")
    approved, undone = line("p1", "approve", "rita", of="k1"), line("u1", "undo", "rita", of="r1")
    assert threads.signed([kept, approved]) == {"k1": "approve"}
    assert threads.signed([kept, approved, back]) == threads.signed([kept, back, approved]) == {"k1": "return"}
    assert threads.signed([kept, back, approved, undone]) == {"k1": "approve"}


def test_what_was_taken_back_was_never_answered() -> None:
    first, second = line("a1", "keep", "ann"), line("a2", "relabel", "ann", y='"fox"')
    other, asked = line("b1", "unsure", "bob"), line("q1", "question", "bob", note="Is it?")
    assert threads.answered([first, other, asked, second]) == [first, other, second]
    undo = line("u1", "undo", "ann", of="a2")
    assert threads.answered([first, second, undo]) == [first]
    assert threads.answered([first, second, undo, line("u2", "undo", "ann", of="a1")]) == []
    assert threads.answered([first, second, undo, line("u2", "undo", "ann", of="u1")]) == [first, second]


def test_each_side_of_a_dispute_is_told_with_all_who_hold_it() -> None:
    dispute = [
        line("a1", "ambiguous", "ann", y='["cat","fox"]'),
        line("b1", "relabel", "bob", y='"fox"'),
        line("c1", "remove", "eve"),
        line("d1", "unsure", "dan"),
        line("e1", "keep", "kim"),  # of a file that does not say what was seen: the label that is given
        line("f1", "resolve", "rita"),
    ]
    told = {'"cat"': ["ann"], '"fox"': ["ann", "bob"], None: ["eve", "rita"], '"dog"': ["kim"]}
    assert dict(signoff.sides(dispute, '"dog"')) == told
    assert dict(signoff.sides(dispute, None)) == {y: who for y, who in told.items() if y != '"dog"'}
