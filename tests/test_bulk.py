"""Does a bulk change show its damage first, refuse what breaks more than it mends, and leave people's answers alone?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import toy_audited
from toy_audited import AT

from tasks import answers, bulk, calibration, estimate, journal, store
from tasks.bulk import Choice
from tasks.model import MACHINE, SCORES, Mistake, Verdict

CAT, DOG, FOX = '"cat"', '"dog"', '"fox"'


def damage(
    p: list[float], p_suggestion: list[float] | None = None, *, given: int = 100, **choice: object
) -> bulk.Damage:
    items = [(f"i{n}", CAT, DOG) for n in range(len(p))]
    p_N = np.array(p)
    known_N = np.full(len(p), np.nan) if p_suggestion is None else np.array(p_suggestion)
    chance_SN = np.broadcast_to(p_N, (400, len(p)))
    return bulk.damage(items, p_N, known_N, chance_SN, Choice(**choice), answers=given)  # type: ignore[arg-type]


# --- the meter -------------------------------------------------------------------------------------------------------


def test_the_damage_of_a_relabelling_is_the_sum_of_its_chances() -> None:
    found = damage([0.9, 0.8], [0.7, 0.8])
    assert (found.mended, found.broken, found.moved) == pytest.approx((1.5, 0.3, 0.2))
    assert found.balance.value == pytest.approx(1.2)
    assert -2 <= found.balance.low <= 0
    assert found.balance.high == 2
    assert not found.bounded
    assert bulk.refusal(found) is None


def test_without_a_probability_of_the_suggestion_the_gain_is_an_upper_bound_and_says_so() -> None:
    found = damage([0.9, 0.8])
    assert (found.mended, found.moved) == pytest.approx((1.7, 0.0))
    assert found.bounded


def test_a_removal_weighs_the_wrong_ones_that_go_against_the_right_ones_that_are_lost() -> None:
    found = damage([0.9, 0.6], [0.1, 0.1], action="remove")
    assert (found.mended, found.broken, found.moved) == pytest.approx((1.5, 0.5, 0.0))
    assert not found.bounded


def test_a_balance_that_is_not_positive_is_refused_with_its_figures() -> None:
    said = bulk.refusal(damage([0.4, 0.5]))
    assert said is not None
    assert "expected to mend 0.9 labels and to break 1.1 others: it is refused" in said
    assert bulk.refusal(damage([0.5, 0.5])) is not None  # as many broken as mended
    assert bulk.refusal(damage([0.4, 0.5]), trusted=True) is not None
    lost = bulk.refusal(damage([0.4, 0.5], action="remove"))
    assert lost is not None
    assert "remove 0.9 wrong labels and to lose 1.1 right ones" in lost


def test_too_few_answers_are_a_reason_to_refuse_unless_the_model_is_trusted() -> None:
    found = damage([0.9], given=29)
    assert (bulk.refusal(found) or "").startswith(
        "Only 29 answers to doubted rows say how far p_wrong can be believed; 30"
    )
    assert bulk.refusal(found, trusted=True) is None
    assert bulk.refusal(damage([0.9], given=30)) is None


def test_the_surest_are_chosen_by_what_they_mend() -> None:
    chosen = damage([0.9, 0.95, 0.6, 0.8], [0.9, 0.5, 0.6, 0.8], limit=2)
    assert [one.item for one in chosen.changes] == ["i0", "i3"]
    assert [one.item for one in damage([0.9, 0.6, 0.8], above=0.8).changes] == ["i0", "i2"]
    assert [one.item for one in damage([0.9, 0.95], [0.9, 0.5], action="remove").changes] == ["i1", "i0"]


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"above": 1.2}, r"Option --above is 1\.2\. A probability from 0 to 1"),
        ({"limit": 0}, r"Option --limit is 0\. 1 or more"),
        ({"action": "keep"}, "Actions are: relabel, remove"),
    ],
)
def test_a_choice_out_of_range_is_a_sentence(choice: dict[str, object], reason: str) -> None:
    with pytest.raises(Mistake, match=reason):
        Choice(**choice)  # type: ignore[arg-type]


def test_the_models_labels_on_cifar_10_are_refused_though_its_own_p_wrong_would_have_them() -> None:
    """Known: of 207 flags the model's label made 16 right and 191 wrong, at p_wrong .8 and more by its own account."""
    rng = np.random.default_rng(0)
    p_N, wrong_N = rng.uniform(0.8, 0.99, 207), np.zeros(207, dtype=np.int64)
    wrong_N[rng.choice(207, 16, replace=False)] = 1
    items = [(f"i{n}", CAT, DOG) for n in range(207)]
    unknown_N = np.full(207, np.nan)
    blind = bulk.damage(items, p_N, unknown_N, np.broadcast_to(p_N, (400, 207)), Choice())
    assert blind.balance.value > 150  # what the model says of itself
    chance_SN = calibration.recalibrated(p_N[:40], wrong_N[:40], draws=400)(p_N[40:])
    found = bulk.damage(items[40:], p_N[40:], unknown_N[40:], chance_SN, Choice(), answers=40)
    true = int(wrong_N[40:].sum()) - int((1 - wrong_N[40:]).sum())
    assert found.balance.value < -100
    assert found.balance.low <= true <= found.balance.high
    assert "it is refused" in (bulk.refusal(found, trusted=True) or "")


# --- a workspace -----------------------------------------------------------------------------------------------------

P = [0.9] * 50 + [0.02] * 50


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_audited.make(tmp_path_factory.mktemp("bulk") / "ws", P, labels={0: "fox"}, drawn=10)


@pytest.fixture
def workspace(untouched: Path) -> Path:
    for path in (untouched / ".assay").glob("journal/*.jsonl"):
        path.unlink()
    return untouched


def flagged(workspace: Path) -> list[str]:
    """The flagged items that were not drawn."""
    return [f"1-{n}" for n in range(50) if f"1-{n}" not in toy_audited.asked(workspace)]


def test_the_audit_sample_and_what_is_answered_are_left_alone(workspace: Path) -> None:
    drawn = [item for item in toy_audited.asked(workspace) if int(item[2:]) < 50]
    assert len(drawn) >= 2
    toy_audited.answer(workspace, {flagged(workspace)[3]: False})
    found = bulk.meter(workspace, Choice())
    assert {one.item for one in found.changes} == {*flagged(workspace)} - {flagged(workspace)[3]}
    assert found.kept_out == len(drawn)
    toy_audited.answer(workspace, {drawn[0]: False}, "bob")
    assert bulk.meter(workspace, Choice()).kept_out == len(drawn) - 1


def test_a_class_is_chosen_by_the_label_in_force(workspace: Path) -> None:
    assert "1-0" in flagged(workspace)
    assert [one.item for one in bulk.meter(workspace, Choice(name="fox")).changes] == ["1-0"]


def test_a_class_that_is_none_is_named(workspace: Path) -> None:
    with pytest.raises(Mistake, match=r"Unknown class 'wolf'\. Classes are: .*fox"):
        bulk.meter(workspace, Choice(name="wolf"))


def test_what_has_no_suggestion_can_be_removed_and_not_relabelled(workspace: Path) -> None:
    path = workspace / "data/audit/scores.parquet"
    scores = store.read_table(path, SCORES)
    store.write_table(path, SCORES, scores.assign(suggestion=None, p_suggestion=np.nan))
    try:
        assert not bulk.meter(workspace, Choice()).changes
        found = bulk.meter(workspace, Choice(action="remove"))
    finally:
        store.write_table(path, SCORES, scores)  # one workspace serves all tests of this file
    assert found.changes and np.isfinite(found.balance.value)


def test_thirty_answers_correct_p_wrong(workspace: Path) -> None:
    items = flagged(workspace)
    assert bulk.meter(workspace, Choice()).changes[0].p_wrong == pytest.approx(0.9)
    toy_audited.answer(workspace, {item: n % 10 == 0 for n, item in enumerate(items[:30])})
    found = bulk.meter(workspace, Choice())
    assert (found.answers, found.checked) == (30, True)
    assert found.changes[0].p_wrong < 0.3
    assert bulk.meter(workspace, Choice(above=0.5)).changes == ()


def test_what_is_applied_are_verdicts_that_count_in_no_estimate_and_can_be_taken_back(workspace: Path) -> None:
    items = flagged(workspace)
    toy_audited.answer(workspace, {item: True for item in items[:30]})
    before = estimate.of(workspace)
    found = bulk.meter(workspace, Choice())
    assert [bulk.apply(workspace, found, at=AT) for _ in range(2)] == [len(items) - 30, 0]
    verdict = next(one for one in toy_audited.said(workspace) if one.reviewer == MACHINE)
    assert (verdict.action, verdict.y, verdict.seen) == ("relabel", DOG, {"revision": None, "y": CAT})
    assert "p_wrong 0.9" in (verdict.note or "")
    state = answers.state(toy_audited.said(workspace))
    assert all(state.items[item].y == DOG for item in items)
    after = estimate.of(workspace)
    assert (after.found, after.answered, after.sample) == (before.found, before.answered, before.sample)
    assert bulk.meter(workspace, Choice()).changes == ()
    assert [bulk.undo(workspace, at=AT) for _ in range(2)] == [len(items) - 30, 0]
    assert sorted(answers.state(toy_audited.said(workspace)).items) == sorted(items[:30])
    again = bulk.meter(workspace, Choice())
    assert bulk.apply(workspace, again, at="2026-05-02T10:00:00Z") == len(items) - 30


def test_a_removal_is_a_verdict_too(workspace: Path) -> None:
    found = bulk.meter(workspace, Choice("remove", limit=2))
    bulk.apply(workspace, found, at=AT)
    state = answers.state(toy_audited.said(workspace))
    assert [state.items[one.item].removed for one in found.changes] == [True, True]


def test_a_persons_answer_wins_over_a_bulk_change_before_and_after(workspace: Path) -> None:
    item = flagged(workspace)[0]
    bulk.apply(workspace, bulk.meter(workspace, Choice(limit=50)), at=AT)
    journal.append(workspace, [Verdict("p1", f"item:{item}", "relabel", "ann", AT, y=FOX)])
    one = answers.state(toy_audited.said(workspace)).items[item]
    assert (one.y, one.disputed, one.by) == (FOX, False, ("ann",))
