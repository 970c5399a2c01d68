"""Is the audit sample drawn with known chances, mixed evenly, and kept as soon as it is answered?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import sample, store
from tasks.model import SAMPLE
from tasks.sample import ANSWERED, Drawn


def chances(count: int, *, seed: int = 0) -> dict[str, float | None]:
    """Items i0000.. whose p_wrong is mostly near 0."""
    drawn = np.random.default_rng(seed).beta(0.2, 2, count)
    return {f"i{n:04d}": float(p) for n, p in enumerate(drawn)}


def drawn(count: int = 1000, size: int = 60, answered: tuple[str, ...] = (), seed: int = 0) -> list[Drawn]:
    return sample.draw(chances(count), answered, round="0001-acme", size=size, seed=seed)


# --- the draw --------------------------------------------------------------------------------------------------------


def test_a_draw_has_the_size_asked_for_two_or_more_a_decile_and_each_item_once() -> None:
    rows = drawn()
    assert [row.place for row in rows] == list(range(1, 61))
    assert len({row.item for row in rows}) == 60
    counts = Counter(row.stratum for row in rows)
    assert sorted(counts) == list(range(10))
    assert all(counts[row.stratum] == row.stratum_drawn >= 2 and row.stratum_items == 100 for row in rows)


def test_more_is_drawn_where_the_audit_is_less_sure() -> None:
    counts = Counter(row.stratum for row in drawn())
    assert counts[9] > counts[5] > counts[0]


def test_half_is_drawn_by_neymans_rule_and_half_in_proportion() -> None:
    number_H = sample.allocation(np.array([100, 100]), np.array([0.1, 0.3]), 40)
    assert list(number_H) == [15, 25]  # (10 + 20) / 2 and (30 + 20) / 2


def test_a_stratum_is_never_asked_for_more_than_it_has() -> None:
    assert list(sample.allocation(np.array([3, 900]), np.array([0.5, 0.0]), 50)) == [3, 47]
    assert list(sample.allocation(np.array([5, 5]), np.array([0.0, 0.0]), 10)) == [5, 5]


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 0.5)), min_size=1, max_size=11), st.integers(0, 400))
def test_an_allocation_adds_up(strata: list[tuple[int, float]], size: int) -> None:
    items_H = np.array([items for items, _ in strata])
    size = min(size, int(items_H.sum()))
    number_H = sample.allocation(items_H, np.array([spread for _, spread in strata]), size)
    assert number_H.sum() == size
    assert ((number_H >= 0) & (number_H <= items_H)).all()
    if size >= 2 * len(strata):
        assert (number_H >= np.minimum(items_H, 2)).all()


def test_at_most_a_tenth_is_drawn_and_of_nine_items_none() -> None:
    assert len(drawn(200, size=200)) == 20
    assert drawn(9, size=200) == []


def test_each_item_of_a_stratum_is_as_likely_as_any_other() -> None:
    """Over 300 seeds each of 20 items of the same stratum is drawn 2 / 20 of the time; 5.5 standard errors."""
    counts = Counter(row.item for seed in range(300) for row in drawn(200, size=20, seed=seed))
    assert len(counts) == 200
    assert all(abs(count / 300 - 0.1) < 0.1 for count in counts.values())


def test_the_order_of_the_sample_does_not_follow_the_strata() -> None:
    """Whoever stops after half the sample has seen half of each stratum, more or less."""
    first = Counter(row.stratum for row in drawn(2000, size=200) if row.place <= 100)
    whole = Counter(row.stratum for row in drawn(2000, size=200))
    assert all(abs(first[h] - whole[h] / 2) <= 2.8 * np.sqrt(whole[h] / 4) + 1 for h in whole)


def test_the_same_inputs_draw_the_same_and_a_small_change_nearly_the_same() -> None:
    assert drawn() == drawn()
    moved = {item: (p or 0) * 1.02 for item, p in chances(1000).items()}
    again = {row.item for row in sample.draw(moved, (), round="0001-acme", size=60, seed=0)}
    assert len(again & {row.item for row in drawn()}) >= 50


def test_what_is_answered_already_is_known_and_nobody_is_asked() -> None:
    rows = drawn(answered=("i0003", "i0001", "elsewhere"))
    known = [(row.item, row.place, row.stratum, row.stratum_items, row.stratum_drawn) for row in rows[:2]]
    assert known == [("i0001", 0, ANSWERED, 2, 2), ("i0003", 0, ANSWERED, 2, 2)]
    assert {row.item for row in rows[2:]}.isdisjoint({"i0001", "i0003"})
    assert len(rows) == 62


def test_what_the_audit_could_not_assess_is_a_stratum_of_its_own() -> None:
    items = {**chances(380), **{f"u{n:02d}": None for n in range(20)}}
    rows = sample.draw(items, (), round="0001-acme", size=40, seed=0)
    assert {row.stratum for row in rows if row.item.startswith("u")} == {10}
    assert sum(row.item.startswith("u") for row in rows) >= 2
    assert {row.stratum for row in rows} == set(range(11))


# --- later drops -----------------------------------------------------------------------------------------------------


def completed(rows: list[Drawn], old: int, new: int, size: int = 60) -> list[Drawn]:
    items = {item: p or 0.0 for item, p in chances(old + new).items()}
    drops = {item: "0001-acme" if n < old else "0002-bolt" for n, item in enumerate(items)}
    return sample.completed(rows, drops, items, frozenset(), size=size, seed=0)


def test_a_recorded_draw_stays_and_a_later_drop_has_its_share_drawn() -> None:
    rows = completed([], 1000, 0)
    both = completed(rows, 1000, 500)
    assert both[:60] == rows
    later = both[60:]
    assert {row.round for row in later} == {"0002-bolt"}
    assert [row.place for row in later] == list(range(1, 21))  # 60 * 500 / 1500
    assert {row.stratum_items for row in later} == {50}


def test_a_draw_that_is_not_recorded_is_made_again_over_everything() -> None:
    rows = completed([], 1000, 500)
    assert {row.round for row in rows} == {"0002-bolt"}
    assert sum(group for _, group in {(row.stratum, row.stratum_items) for row in rows}) == 1500


def test_without_a_sample_nothing_is_drawn_and_what_was_recorded_stays() -> None:
    rows = completed([], 1000, 0)
    assert completed([], 1000, 0, size=0) == []
    assert completed(rows, 1000, 500, size=0) == rows


# --- the queue -------------------------------------------------------------------------------------------------------


def test_every_fifth_row_is_a_drawn_one_and_both_keep_their_order() -> None:
    assert sample.mixed(list("abcdefgh"), list("12")) == list("abcd1efgh2")
    assert sample.mixed(list("ab"), list("123")) == list("ab123")
    assert sample.mixed([], list("12")) == list("12")
    assert sample.mixed(list("ab"), []) == list("ab")


def test_an_item_of_both_stands_where_it_comes_first() -> None:
    assert sample.mixed(list("abcdefgh"), list("h1")) == list("abcdhefg1")
    assert sample.mixed(list("abcdefgh"), list("a1")) == list("abcd1efgh")


@given(st.lists(st.integers(0, 40), unique=True), st.lists(st.integers(0, 40), unique=True))
def test_mixing_loses_nothing_and_delays_a_doubted_item_by_the_drawn_rows_only(
    first: list[int], second: list[int]
) -> None:
    doubted, asked = [str(n) for n in first], [str(n) for n in second]
    order = sample.mixed(doubted, asked)
    assert sorted(order) == sorted({*doubted, *asked})
    assert all(order.index(item) <= place + (place + 1) // 4 + 1 for place, item in enumerate(doubted))


# --- the record ------------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    store.write_table(tmp_path / "triage" / "sample.parquet", SAMPLE, sample.table(drawn(100, size=10)))
    return tmp_path


def test_a_draw_is_recorded_with_the_first_answer_to_it_and_comes_back_as_it_was(data: Path) -> None:
    rows = drawn(100, size=10)
    sample.record(data, ["nobody-drew-this"])
    assert sample.recorded(data / "verdicts") == []
    for _ in range(2):
        sample.record(data, [rows[4].item])
    assert sample.recorded(data / "verdicts") == rows
    assert len(list((data / "verdicts" / "drawn").iterdir())) == 1


def test_a_recorded_draw_is_not_recorded_again_when_a_later_one_is(data: Path) -> None:
    rows = drawn(100, size=10)
    sample.record(data, [rows[0].item])
    later = sample.draw({f"n{n}": 0.1 for n in range(30)}, (), round="0002-bolt", size=3, seed=0)
    store.write_table(data / "triage" / "sample.parquet", SAMPLE, sample.table([*rows, *later]))
    sample.record(data, [rows[1].item])
    assert sample.recorded(data / "verdicts") == rows
    sample.record(data, [later[0].item])
    assert sample.recorded(data / "verdicts") == [*rows, *later]


def test_of_two_clones_draws_over_one_drop_one_counts(data: Path) -> None:
    for seed in (0, 1):
        rows = drawn(100, size=10, seed=seed)
        store.write_table(data / "triage" / "sample.parquet", SAMPLE, sample.table(rows))
        for path in (data / "verdicts" / "drawn").glob("*"):
            path.rename(data / path.name)
        sample.record(data, [rows[0].item])
        for path in data.glob("*.jsonl"):
            path.rename(data / "verdicts" / "drawn" / path.name)
    assert len(list((data / "verdicts" / "drawn").iterdir())) == 2
    assert sample.recorded(data / "verdicts") in (drawn(100, size=10), drawn(100, size=10, seed=1))
