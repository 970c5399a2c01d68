"""Is the graph after a further drop the one that a whole search gives, and is nothing used that does not fit?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tasks import nearest, refresh, relate, store
from tasks.store import FloatArray


def units(count: int, width: int = 16) -> FloatArray:
    x_ND = np.random.default_rng(0).normal(size=(count, width))
    return np.asarray(x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True), dtype=np.float32)


def whole(x_ND: FloatArray, k: int = 5) -> nearest.Table:
    return nearest.neighbours(nearest.points(x_ND), k)


def assert_same(ours: nearest.Table, theirs: nearest.Table) -> None:
    np.testing.assert_array_equal(ours.index_Qk, theirs.index_Qk)
    np.testing.assert_array_equal(ours.distance_Qk, theirs.distance_Qk)


@pytest.mark.parametrize("first", [6, 100, 590, 599, 600])
def test_an_extended_graph_is_that_of_a_whole_search_to_the_bit(first: int) -> None:
    x_ND = units(600)
    x_ND[::7] = x_ND[3]  # copies, old and new
    known = whole(x_ND[:first])
    assert_same(nearest.extended(nearest.points(x_ND), known), whole(x_ND))
    assert known.index_Qk.max() < first  # what was known is left as it was


def test_pairs_are_extended_too() -> None:
    x_ND, y_NK = units(300), np.eye(3, dtype=np.float32)[np.arange(300) % 3]
    known = nearest.neighbours(nearest.points(x_ND[:280], y_NK[:280]), 5)
    points = nearest.points(x_ND, y_NK)
    assert_same(nearest.extended(points, known), nearest.neighbours(points, 5))


@settings(max_examples=60, deadline=None)
@given(arrays(np.int8, st.tuples(st.integers(8, 30), st.just(3)), elements=st.integers(-2, 2)), st.integers(1, 6))
def test_ties_go_to_the_lowest_numbers_as_in_a_whole_search(grid: NDArray[np.int8], k: int) -> None:
    x_ND = (grid / 4).astype(np.float32)  # quarters: no rounding anywhere, and many ties
    assert_same(nearest.extended(nearest.points(x_ND), whole(x_ND[:7], k)), whole(x_ND, k))


def test_only_what_is_new_is_searched_and_the_next_drop_begins_there(tmp_path: Path) -> None:
    x_ND = units(300)
    counts = []
    for items in (200, 250, 250, 300):
        table, known = refresh.exact_graph(x_ND[:items], 5, cache=tmp_path, version="1")
        assert_same(table, whole(x_ND[:items]))
        counts.append(known)
    assert counts == [0, 200, 250, 250]
    assert len(list(tmp_path.iterdir())) == 1


def test_other_vectors_another_k_and_another_version_begin_anew(tmp_path: Path) -> None:
    x_ND = units(300)
    refresh.exact_graph(x_ND[:200], 5, cache=tmp_path, version="1")
    changed = x_ND.copy()
    changed[17] = x_ND[290]
    fewer = np.delete(x_ND, 3, axis=0)  # an item withdrawn
    for other, k, version in ((changed, 5, "1"), (fewer, 5, "1"), (x_ND[:150], 5, "1"), (x_ND, 4, "1"), (x_ND, 5, "2")):
        refresh.exact_graph(x_ND[:200], 5, cache=tmp_path, version="1")
        table, known = refresh.exact_graph(other, k, cache=tmp_path, version=version)
        assert known == 0
        assert_same(table, whole(other, k))


@pytest.mark.parametrize("name", ["neighbours.npy", "distances.npy", "known.json"])
def test_a_piece_that_is_not_as_it_was_written_is_not_used(tmp_path: Path, name: str) -> None:
    x_ND = units(100)
    refresh.exact_graph(x_ND, 5, cache=tmp_path, version="1")
    (path,) = tmp_path.glob(f"*/{name}")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    table, known = refresh.exact_graph(x_ND, 5, cache=tmp_path, version="1")
    assert known == 0
    assert_same(table, whole(x_ND))


def test_the_stage_relates_a_further_drop_as_if_all_had_come_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x_ND, drops = units(120), [slice(0, 100), slice(100, 110), slice(110, 120)]

    def arrive(data: Path, number: int) -> None:
        items = [f"i{n}" for n in range(120)[drops[number]]]
        (data / "embed" / "vectors").mkdir(parents=True, exist_ok=True)
        store.write_vectors(data / "embed" / "vectors" / f"000{number}-x.parquet", items, {"x": x_ND[drops[number]]})

    for number in range(3):
        arrive(tmp_path / "one" / "data", number)
        relate.run(tmp_path / "one" / "data", relate.Params(threads=1))
        arrive(tmp_path / "all" / "data", number)
    assert "relate: 110 items were related before" in capsys.readouterr().out
    relate.run(tmp_path / "all" / "data", relate.Params(threads=1))
    for name in ("neighbours.npy", "distances.npy", "items.parquet"):
        one, together = (tmp_path / way / "data" / "relate" / name for way in ("one", "all"))
        assert one.read_bytes() == together.read_bytes()
