"""Are the estimates right in the mean, honest about what they do not know, and about people's answers only?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from tasks import estimate, sample
from tasks.answers import ItemState
from tasks.estimate import Interval, was_wrong
from tasks.sample import Drawn

CAT, DOG, FOX = '"cat"', '"dog"', '"fox"'

# --- what counts as wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "wrong"),
    [
        (None, None),
        (ItemState(), None),
        (ItemState(answered=True), False),
        (ItemState(y=CAT, answered=True), False),
        (ItemState(y=DOG, answered=True), True),
        (ItemState(removed=True, answered=True), True),
        (ItemState(y=DOG, accepted=(DOG, CAT), answered=True), False),
        (ItemState(y=DOG, accepted=(DOG, FOX), answered=True), True),
        (ItemState(answered=True, unsure=True), None),
        (ItemState(y=DOG, answered=True, disputed=True), None),
    ],
)
def test_a_label_was_wrong_when_people_changed_it(one: ItemState | None, wrong: bool | None) -> None:
    assert was_wrong(one, CAT) is wrong


# --- the sample ------------------------------------------------------------------------------------------------------


def rows(*strata: tuple[int, int, float], round: str = "0001-acme") -> list[Drawn]:
    """(items, drawn, p_wrong) a stratum; the items are s0-0, s0-1 .. s1-0 .., asked about in that order."""
    found = [(h, n, *stratum) for h, stratum in enumerate(strata) for n in range(stratum[1])]
    return [
        Drawn(f"s{h}-{n}", round, place, h, items, number, p)
        for place, (h, n, items, number, p) in enumerate(found, start=1)
    ]


def says(drawn: list[Drawn], wrong: Mapping[str, bool | None]) -> estimate.SampleSays:
    return estimate.from_sample(drawn, wrong, dict.fromkeys(wrong, True))


def test_the_estimate_weighs_each_stratum_by_its_items() -> None:
    drawn = rows((100, 4, 0.01), (50, 2, 0.5))
    wrong: dict[str, bool | None] = {row.item: row.item in ("s0-0", "s1-0", "s1-1") for row in drawn}
    found = says(drawn, wrong)
    assert (found.items, found.drawn, found.answered, found.unknown, found.used) == (150, 6, 6, 0, 6)
    assert found.wrong is not None
    assert found.wrong.value == pytest.approx(100 * 1 / 4 + 50 * 2 / 2)
    assert found.wrong.low < 75 < found.wrong.high <= 150


def test_without_an_answer_nothing_is_estimated() -> None:
    assert says(rows((100, 4, 0.1)), {}).wrong is None
    assert says([], {}).wrong is None


def test_unsure_is_unknown_and_neither_right_nor_wrong() -> None:
    drawn = rows((100, 4, 0.1))
    found = says(drawn, {"s0-0": True, "s0-1": False, "s0-2": None, "s0-3": None})
    assert (found.answered, found.unknown) == (2, 2)
    assert found.wrong is not None
    assert found.wrong.value == pytest.approx(50)


def test_what_was_known_before_the_draw_counts_as_it_is() -> None:
    known = [Drawn(f"k{n}", "0001-acme", 0, sample.ANSWERED, 3, 3, 0.9) for n in range(3)]
    drawn = rows((10, 10, 0.1))
    wrong: dict[str, bool | None] = {"k0": True, "k1": True, "k2": False}
    wrong |= {row.item: row.item == "s0-0" for row in drawn}
    assert says([*known, *drawn], wrong).wrong == Interval(3.0, 3.0, 3.0)  # everything is known


def test_a_stratum_without_an_answer_takes_the_share_of_its_neighbour() -> None:
    drawn = rows((100, 20, 0.1), (100, 1, 0.2))
    wrong: dict[str, bool | None] = {row.item: n < 5 for n, row in enumerate(drawn) if row.stratum == 0}
    found = says(drawn, wrong)
    assert found.wrong is not None
    assert found.wrong.value == pytest.approx(25 + 25)


def test_rounds_are_added() -> None:
    first, second = rows((100, 2, 0.1)), rows((40, 2, 0.1), round="0002-bolt")
    second = [Drawn(f"later-{row.item}", *[getattr(row, name) for name in Drawn.__slots__[1:]]) for row in second]
    wrong: dict[str, bool | None] = {"s0-0": True, "s0-1": False, "later-s0-0": True, "later-s0-1": True}
    found = says([*first, *second], wrong)
    assert found.items == 140
    assert found.wrong is not None
    assert found.wrong.value == pytest.approx(50 + 40)


def test_answers_far_ahead_of_the_others_are_left_out() -> None:
    """The doubted ones of the sample are asked about first: place 60 is answered, 41 to 59 are not."""
    drawn = rows((1000, 60, 0.1))
    wrong: dict[str, bool | None] = {row.item: row.place == 60 for row in drawn if row.place <= 40 or row.place == 60}
    found = says(drawn, wrong)
    assert (found.answered, found.used) == (41, 40 + 0)
    assert found.wrong is not None
    assert found.wrong.value == 0


def test_the_estimate_is_unbiased_and_the_interval_covers_though_p_wrong_is_useless() -> None:
    """100 samples of 60 from 1,000 labels, 10 % wrong; benchmarks/calibration.py has the 2,000 repeats."""
    rng = np.random.default_rng(0)
    items = [f"i{n:04d}" for n in range(1000)]
    p_wrong = dict(zip(items, map(float, rng.beta(0.3, 3, len(items))), strict=True))
    truth: dict[str, bool | None] = {item: bool(rng.random() < 0.1) for item in items}
    wrong = sum(truth.values())  # type: ignore[arg-type]
    values, covered = [], 0
    for seed in range(100):
        drawn = sample.draw(dict(p_wrong), (), round="0001-acme", size=60, seed=seed)
        found = says(drawn, {row.item: truth[row.item] for row in drawn}).wrong
        assert found is not None
        values.append(found.value)
        covered += found.low <= wrong <= found.high
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - wrong) < 3.5 * error
    assert covered >= 90


# --- p_wrong against the answers -------------------------------------------------------------------------------------


def test_each_band_says_what_was_expected_and_what_was_found() -> None:
    bands = estimate.by_band(np.array([0.95, 0.9, 0.6, 0.05]), np.array([1, 0, 1, 0]))
    assert [(band.above, band.answered, band.found) for band in bands] == [(0.9, 2, 1), (0.5, 1, 1), (0.0, 1, 0)]
    assert [band.expected for band in bands] == pytest.approx([1.85, 0.6, 0.05])


def test_too_few_answers_leave_p_wrong_as_it_is() -> None:
    few = np.full(29, 0.9), np.zeros(29, dtype=np.int64)
    assert (estimate.chances(*few, np.array([0.9])) == 0.9).all()
    enough = np.full(30, 0.9), np.zeros(30, dtype=np.int64)
    assert estimate.chances(*enough, np.array([0.9])).mean() < 0.2


def test_the_next_rows_hold_what_their_chances_add_up_to() -> None:
    expected = estimate.counted(np.broadcast_to(np.array([0.5] * 4), (4000, 4)))
    assert (expected.value, expected.low, expected.high) == (2.0, 0.0, 4.0)
    assert estimate.counted(np.zeros((4000, 0))) == Interval(0.0, 0.0, 0.0)
    assert estimate.counted(np.ones((4000, 3))) == Interval(3.0, 3.0, 3.0)


def test_a_further_drop_without_answers_is_taken_to_be_like_the_items_of_its_p_wrong() -> None:
    strata = ((100, 10, 0.01), (100, 10, 0.3), (100, 10, 0.95))
    drawn = rows(*strata)
    later = [replace(row, item=f"later-{row.item}") for row in rows(*strata, round="0002-bolt")]
    wrong: dict[str, bool | None] = {row.item: row.stratum == 2 for row in drawn}
    found = says([*drawn, *later], wrong)
    assert (found.items, found.guessed) == (600, 300)
    assert found.wrong is not None
    assert found.wrong.value == pytest.approx(100 + 100)
    assert found.wrong.high < 450
