"""Do the answers of several people add up to one state, whatever the order and however often they came?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import answers, store
from tasks.answers import ItemState, State
from tasks.model import MACHINE, MANIFEST, Mistake, Verdict

CAT, DOG, FOX = '"cat"', '"dog"', '"fox"'


def said(op: str, reviewer: str, action: str, y: str | None = None, *, minute: int = 0, **more: str) -> Verdict:
    """One verdict about item a; ops are single letters."""
    subject = more.pop("subject", "item:a")
    return Verdict(op, subject, action, reviewer, f"2024-05-01T10:{minute:02}:00Z", y=y, of=more.get("of"))


def item_a(*verdicts: Verdict) -> ItemState:
    return answers.state(verdicts).items["a"]


# --- lines -----------------------------------------------------------------------------------------------------------


def test_a_line_is_canonical_json_with_a_checksum_and_a_newline() -> None:
    line = answers.line(Verdict("1", "item:a", "relabel", "ann", "2024-05-01T10:00:00Z", y=CAT))
    assert line == (
        b'{"action":"relabel","at":"2024-05-01T10:00:00Z","crc":"5e945abc","op":"1","reviewer":"ann",'
        b'"subject":"item:a","y":"\\"cat\\""}\n'
    )


@given(st.text(min_size=1), st.text(min_size=1), st.none() | st.text())
def test_what_a_line_says_is_what_it_was_made_of(op: str, subject: str, note: str | None) -> None:
    verdict = Verdict(
        op, subject, "unsure", "ann", "2024-05-01T10:00:00Z", note=note, seen={"revision": None, "y": CAT}
    )
    try:
        line = answers.line(verdict)
    except ValueError:
        assert any("\ud800" <= c <= "\udfff" for c in op + subject + (note or ""))
        return
    assert answers.parse_line(line) == verdict
    assert line.count(b"\n") == 1


def test_every_single_changed_byte_is_noticed() -> None:
    line = answers.line(said("1", "ann", "relabel", CAT))[:-1]
    for place in range(len(line)):
        damaged = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]
        with pytest.raises(ValueError):
            answers.parse_line(damaged)


def sealed(**content: object) -> bytes:
    """A line with the right checksum, whatever it says."""
    import zlib

    body = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return json.dumps({**content, "crc": f"{zlib.crc32(body.encode()):08x}"}).encode()


GOOD = {"op": "1", "subject": "a", "action": "keep", "reviewer": "ann", "at": "2024-05-01T10:00:00Z"}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"op":"1","crc":"00000000"}', "checksum does not match"),
        (json.dumps(GOOD).encode(), "checksum does not match"),
        (sealed(**{**GOOD, "action": "shout"}), "has action 'shout'; actions are: keep, relabel"),
        (sealed(**{**GOOD, "colour": "red"}), "unknown field 'colour'"),
        (sealed(**{**GOOD, "op": ""}), "lacks the field 'op'"),
        (sealed(**{**GOOD, "op": 7}), "field 'op' is not text"),
        (sealed(**{**GOOD, "seen": "cat"}), "field 'seen' is not an object"),
        (sealed(**{**GOOD, "at": "yesterday"}), "time 'yesterday' is not ISO 8601"),
        (sealed(**{**GOOD, "action": "relabel"}), "action 'relabel' and lacks the field 'y'"),
        (sealed(**{**GOOD, "action": "relabel", "y": "cat"}), "label cat is not JSON"),
        (sealed(**{**GOOD, "action": "ambiguous", "y": '"cat"'}), "is not a JSON list"),
    ],
)
def test_a_line_that_cannot_be_trusted_says_why(raw: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        answers.parse_line(raw)


def test_a_damaged_line_is_named_by_file_and_number(tmp_path: Path) -> None:
    good = answers.line(said("1", "ann", "keep"))
    (tmp_path / "ann.jsonl").write_bytes(good + b"{}\n" + good)
    with pytest.raises(Mistake, match=r"ann\.jsonl' has a damaged line 2: its checksum does not match"):
        answers.read(tmp_path)


def test_a_torn_last_line_was_never_acknowledged_and_is_left_out(tmp_path: Path) -> None:
    good = answers.line(said("1", "ann", "keep"))
    (tmp_path / "ann.jsonl").write_bytes(good + answers.line(said("2", "ann", "remove"))[:-5])
    assert answers.read(tmp_path) == [said("1", "ann", "keep")]


def test_a_line_in_somebody_elses_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bob.jsonl").write_bytes(answers.line(said("1", "ann", "keep")))
    with pytest.raises(Mistake, match="reviewer is 'ann', not 'bob'"):
        answers.read(tmp_path)


def test_a_folder_that_is_not_there_holds_no_answers(tmp_path: Path) -> None:
    assert answers.read(tmp_path / "none") == []


# --- one person ------------------------------------------------------------------------------------------------------


def test_a_later_verdict_supersedes_an_earlier_one() -> None:
    state = item_a(said("1", "ann", "relabel", CAT), said("2", "ann", "relabel", DOG))
    assert state == ItemState(y=DOG, answered=True, ops=("2",), by=("ann",))


def test_keep_means_the_label_that_was_seen_or_else_the_drops() -> None:
    seen = replace(said("1", "ann", "keep"), seen={"revision": None, "y": CAT})
    assert item_a(seen) == ItemState(y=CAT, answered=True, ops=("1",), by=("ann",))
    assert item_a(said("1", "ann", "keep")) == ItemState(y=None, answered=True, ops=("1",), by=("ann",))


def test_the_first_of_several_labels_is_the_label_and_all_are_accepted() -> None:
    state = item_a(said("1", "ann", "ambiguous", '["cat","dog"]'))
    assert state == ItemState(y=CAT, answered=True, accepted=(CAT, DOG), ops=("1",), by=("ann",))


def test_unsure_decides_nothing_and_keeps_the_last_label() -> None:
    assert item_a(said("1", "ann", "unsure")) == ItemState(unsure=True, answered=True, by=("ann",), open_ops=("1",))
    state = item_a(said("1", "ann", "relabel", CAT), said("2", "ann", "unsure"))
    assert state == ItemState(y=CAT, unsure=True, answered=True, ops=("1",), by=("ann",), open_ops=("2",))


def test_an_undo_is_as_if_the_answer_had_never_been_given() -> None:
    first, second = said("1", "ann", "relabel", CAT), said("2", "ann", "relabel", DOG)
    undo = said("3", "ann", "undo", of="2")
    assert answers.state([first, second, undo]) == answers.state([first])
    assert answers.state([first, second, undo, said("4", "ann", "undo", of="3")]) == answers.state([first, second])


def test_nobody_undoes_what_another_said_but_a_return_sends_it_back() -> None:
    first = said("1", "ann", "relabel", CAT)
    assert answers.state([first, said("2", "bob", "undo", of="1")]) == answers.state([first])
    assert item_a(first, said("2", "bob", "return", of="1")) == ItemState()
    again = said("3", "ann", "relabel", DOG)
    assert item_a(first, said("2", "bob", "return", of="1"), again).y == DOG


def test_the_same_op_twice_is_one_answer() -> None:
    first, second = said("1", "ann", "relabel", CAT), said("2", "ann", "relabel", DOG)
    assert answers.state([first, second, first]) == answers.state([first, second])


# --- several people --------------------------------------------------------------------------------------------------


def test_a_bulk_change_counts_until_a_person_answers_and_again_when_that_is_taken_back() -> None:
    bulk, ann = said("1", MACHINE, "relabel", DOG), said("2", "ann", "relabel", FOX, minute=1)
    back = said("3", "ann", "undo", of="2", minute=2)
    assert (item_a(bulk).y, item_a(bulk).by) == (DOG, (MACHINE,))
    assert (item_a(bulk, ann).y, item_a(bulk, ann).by, item_a(bulk, ann).disputed) == (FOX, ("ann",), False)
    late = replace(bulk, at="2024-05-01T10:05:00Z")
    assert item_a(ann, late).y == FOX
    assert item_a(bulk, ann, back).y == DOG
    assert answers.by_people([bulk, ann, back]) == [ann, back]


def test_two_people_who_differ_dispute_an_item_which_keeps_its_last_undisputed_label() -> None:
    ann, bob = said("1", "ann", "relabel", CAT), said("2", "bob", "relabel", DOG, minute=1)
    state = item_a(ann, bob)
    assert state == ItemState(y=CAT, disputed=True, answered=True, ops=("1",), by=("ann", "bob"), open_ops=("1", "2"))


def test_a_dispute_ends_when_both_agree() -> None:
    state = item_a(said("1", "ann", "relabel", CAT), said("2", "bob", "relabel", DOG), said("3", "ann", "relabel", DOG))
    assert state == ItemState(y=DOG, answered=True, ops=("2", "3"), by=("bob", "ann"))


def test_a_dispute_ends_with_a_resolve() -> None:
    dispute = [said("1", "ann", "relabel", CAT), said("2", "bob", "relabel", DOG)]
    settled = ItemState(y=FOX, answered=True, ops=("3",), by=("eve",))
    assert item_a(*dispute, said("3", "eve", "resolve", FOX)) == settled
    reopened = item_a(*dispute, said("3", "eve", "resolve", FOX), said("4", "bob", "relabel", DOG))
    assert (reopened.disputed, reopened.y, reopened.open_ops) == (True, FOX, ("3", "4"))


def test_unsure_does_not_dispute_what_another_decided() -> None:
    state = item_a(said("1", "ann", "relabel", CAT), said("2", "bob", "unsure"))
    assert state == ItemState(y=CAT, answered=True, ops=("1",), by=("ann",))


def test_four_or_nine_is_nine_or_four() -> None:
    state = item_a(said("1", "ann", "ambiguous", '["cat","dog"]'), said("2", "bob", "ambiguous", '["dog","cat"]'))
    assert (state.disputed, state.accepted, state.ops) == (False, (DOG, CAT), ("1", "2"))


def test_a_removal_that_is_disputed_stands_until_it_is_settled() -> None:
    state = item_a(said("1", "ann", "remove"), said("2", "bob", "relabel", CAT))
    assert (state.removed, state.disputed) == (True, True)
    assert not item_a(said("1", "ann", "remove"), said("2", "ann", "relabel", CAT)).removed


def test_a_clock_set_back_reorders_nobodys_own_answers() -> None:
    log = [said("1", "ann", "relabel", CAT, minute=30), said("2", "ann", "relabel", DOG, minute=1)]
    assert item_a(*answers.merge([log])).y == DOG
    resolved = [said("3", "eve", "resolve", FOX, minute=20)]  # before both, by ann's clock as lifted
    assert [verdict.op for verdict in answers.merge([log, resolved])] == ["3", "1", "2"]


def test_times_are_compared_as_times_not_as_text() -> None:
    ann = [replace(said("1", "ann", "accept", subject="class:x"), at="2024-05-01T12:30:00+02:00")]
    bob = [replace(said("2", "bob", "reject", subject="class:x"), at="2024-05-01T11:00:00Z")]
    assert answers.state(answers.merge([bob, ann])).subjects == {"class:x": "reject"}


def test_the_latest_accept_or_reject_of_a_subject_counts() -> None:
    verdicts = [
        said("1", "ann", "accept", subject="class:dog"),
        said("2", "bob", "reject", subject="class:dog"),
        said("3", "ann", "reject", subject="b"),
        said("4", "ann", "accept", subject="drop:0001-x"),
        said("5", "ann", "undo", of="4"),
    ]
    assert answers.state(verdicts) == State({}, {"class:dog": "reject", "item:b": "reject"})


def test_an_item_may_be_named_like_a_url_or_a_class() -> None:
    assert answers.item_of("https://x/1.png") == "https://x/1.png"
    assert answers.item_of("item:class:dog") == "class:dog"
    assert answers.item_of("class:dog") is None


# --- current ---------------------------------------------------------------------------------------------------------


def test_the_manifest_with_the_answers_applied_has_new_labels_and_no_removed_items() -> None:
    place = {"asset": "0" * 64, "shard": "0001-x/assets-0000.parquet", "row": 0, "split": "train", "drop": "0001-x"}
    rows = [{"item": item, "y": CAT, "source": f"labels.csv:{n}", **place} for n, item in enumerate("abc", start=2)]
    manifest = store.frame(MANIFEST, rows)
    before = manifest.copy(deep=True)
    state = answers.state([said("1", "ann", "relabel", DOG), said("2", "ann", "remove", subject="item:b")])
    assert answers.current(manifest, state)[["item", "y"]].to_dict("list") == {"item": ["a", "c"], "y": [DOG, CAT]}
    assert manifest.equals(before)
    assert answers.current(manifest, State()).equals(manifest)
