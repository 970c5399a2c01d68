"""Is the graph the true one, also where vectors are few, equal, or wrong?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tasks import nearest, relate, store
from tasks.model import GRAPH_ITEMS, Mistake, Report
from tasks.relate import Params, exact_neighbours, recall_at_10
from tasks.store import FloatArray


def on_circle(*degrees: float) -> FloatArray:
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def random_units(count: int, width: int = 8) -> FloatArray:
    x = np.random.default_rng(0).normal(size=(count, width))
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), dtype=np.float32)


def graph(data: Path, params: Params) -> tuple[Report, list[str], NDArray[np.int32], FloatArray]:
    report = relate.run(data, params)
    items = list(store.read_table(data / "relate" / "items.parquet", GRAPH_ITEMS)["item"])
    return report, items, np.load(data / "relate" / "neighbours.npy"), np.load(data / "relate" / "distances.npy")


def write(data: Path, drop: str, items: list[str], **views: FloatArray) -> None:
    folder = data / "embed" / "vectors"
    folder.mkdir(parents=True, exist_ok=True)
    store.write_vectors(folder / f"{drop}.parquet", items, views)


def test_four_points_on_a_circle(tmp_path: Path) -> None:
    write(tmp_path, "0001-a", ["north", "east"], x=on_circle(90, 0))
    write(tmp_path, "0002-b", ["south", "northeast"], x=on_circle(270, 60))
    report, items, neighbours, distances = graph(tmp_path, Params(k=2))
    assert items == ["north", "east", "south", "northeast"]
    assert neighbours.tolist() == [[3, 1], [3, 0], [1, 3], [0, 1]]
    chord = 2 * np.sin(np.radians([[30, 90], [60, 90], [90, 150], [30, 60]]) / 2)
    np.testing.assert_allclose(distances, chord, atol=1e-6)
    assert neighbours.dtype == np.int32 and distances.dtype == np.float32
    assert report == Report(
        "relate", counts={"items": 4, "neighbours": 2}, figures={"recall_at_10": 1.0}, used={"graph": "exact"}
    )


def test_views_count_alike_whatever_their_width(tmp_path: Path) -> None:
    same, other = on_circle(0, 0, 90), np.eye(3, dtype=np.float32)
    write(tmp_path, "0001-a", ["a", "b", "c"], one=same, two=other)
    _, _, neighbours, distances = graph(tmp_path, Params(k=5))
    assert neighbours.tolist() == [[1, 2], [0, 2], [0, 1]]
    np.testing.assert_allclose(distances, np.sqrt([[1, 2], [1, 2], [2, 2]]), atol=1e-6)


@pytest.mark.parametrize(  # even exact_below 0 leaves fewer than three items to the exact graph
    ("count", "exact_below"), [(0, 0), (1, 0), (2, 0), (0, 40_000), (1, 40_000), (2, 40_000), (3, 40_000)]
)
def test_few_items_have_as_many_neighbours_as_there_are_others(tmp_path: Path, count: int, exact_below: int) -> None:
    write(tmp_path, "0001-a", list("abc")[:count], x=on_circle(0, 10, 30)[:count])
    _, items, neighbours, distances = graph(tmp_path, Params(k=20, exact_below=exact_below))
    assert len(items) == count
    assert neighbours.tolist() == {0: [], 1: [[]], 2: [[1], [0]], 3: [[1, 2], [0, 2], [1, 0]]}[count]
    assert distances.shape == neighbours.shape == (count, max(0, count - 1))


def test_a_workspace_without_vectors_has_an_empty_graph(tmp_path: Path) -> None:
    report, items, neighbours, _ = graph(tmp_path, Params())
    assert (report.counts["items"], items, neighbours.shape) == (0, [], (0, 0))


def test_an_item_whose_vector_is_the_same_is_a_neighbour_and_the_item_itself_is_none() -> None:
    neighbours, distances = exact_neighbours(on_circle(45, 45, 45, 80), 2)
    assert neighbours.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]
    assert distances[:3].tolist() == [[0, 0]] * 3


def test_ties_for_the_last_places_go_to_the_lowest_numbers() -> None:
    x_ND = np.repeat(random_units(1, 37), 300, axis=0)
    neighbours, distances = exact_neighbours(x_ND, 3)
    assert neighbours[:5].tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]]
    assert (neighbours[3:] == [0, 1, 2]).all()
    assert not distances.any()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x_ND = random_units(300)
    whole = exact_neighbours(x_ND, 7)
    monkeypatch.setattr(nearest, "BLOCK_ROWS", 11)
    np.testing.assert_array_equal(exact_neighbours(x_ND, 7)[0], whole[0])
    np.testing.assert_allclose(exact_neighbours(x_ND, 7)[1], whole[1], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(arrays(np.int8, st.tuples(st.integers(2, 30), st.just(3)), elements=st.integers(-2, 2)), st.integers(1, 6))
def test_the_exact_graph_is_the_one_of_brute_force(grid: NDArray[np.int8], k: int) -> None:
    x_ND = (grid / 4).astype(np.float32)  # quarters: no rounding anywhere, and many ties
    neighbours, distances = exact_neighbours(x_ND, k)
    for n in range(len(x_ND)):
        true_N = np.sqrt(((x_ND.astype(np.float64) - x_ND[n]) ** 2).sum(axis=1))
        wanted = [m for m in np.lexsort((np.arange(len(x_ND)), true_N)) if m != n][:k]
        assert neighbours[n].tolist() == wanted
        np.testing.assert_allclose(distances[n], true_N[wanted], atol=1e-6)


def test_recall_counts_what_is_as_near_as_the_true_tenth() -> None:
    x_ND = random_units(50)
    _, distances = exact_neighbours(x_ND, 12)
    rows = np.arange(50)
    assert recall_at_10(x_ND, distances, rows=rows) == 1.0
    worse = distances.copy()
    worse[:, 5:10] = 2.0  # half of the ten found are the farthest there can be
    assert recall_at_10(x_ND, worse, rows=rows) == 0.5


def test_drops_with_other_views_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "0001-a", ["a", "b"], x=on_circle(0, 1))
    write(tmp_path, "0002-b", ["c"], x=np.ones((1, 5), np.float32))
    with pytest.raises(Mistake, match=r"Vectors of drop '0002-b' have views \{'x': 5\}, those of drop '0001-a' have"):
        relate.run(tmp_path, Params())
    assert not (tmp_path / "relate").exists()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_named(tmp_path: Path, bad: float) -> None:
    x_ND = on_circle(0, 1, 2)
    x_ND[1, 0] = bad
    write(tmp_path, "0001-a", ["a", "b", "c"], x=x_ND)
    with pytest.raises(Mistake, match="Vector of item 'b' has values that are not finite"):
        relate.run(tmp_path, Params())


def test_a_drop_whose_items_all_lack_vectors_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "0001-a", [])
    write(tmp_path, "0002-b", ["a", "b"], x=on_circle(0, 1))
    assert graph(tmp_path, Params())[1] == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [({"k": 0}, "k 0 is outside 1 to 200"), ({"threads": 0}, "threads 0 is too small"), ({"sample": 0}, "sample 0 is")],
)
def test_a_param_outside_its_range_is_refused(values: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Params(**values)


@pytest.mark.slow
def test_above_the_crossover_the_approximate_graph_is_nearly_the_exact_one(tmp_path: Path) -> None:
    x_ND = np.concatenate([random_units(1500), np.repeat(on_circle(0) @ np.eye(2, 8, dtype=np.float32), 40, axis=0)])
    write(tmp_path, "0001-a", [f"i{n}" for n in range(len(x_ND))], x=x_ND)
    report, _, neighbours, distances = graph(tmp_path, Params(exact_below=100, sample=300))
    assert report.used == {"graph": "pynndescent"}
    assert report.figures["recall_at_10"] > 0.97
    assert neighbours.shape == distances.shape == (1540, 20)
    assert (neighbours != np.arange(1540)[:, None]).all()
    assert all(len(set(row)) == 20 for row in neighbours.tolist())
    assert (np.diff(distances, axis=1) >= 0).all()
