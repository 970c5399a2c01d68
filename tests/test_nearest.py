"""Are the neighbours the true ones, and the scores those of the real pyod?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from tasks import detect, detectors, nearest
from tasks.model import Mistake
from tasks.store import FloatArray

Pairs = tuple[FloatArray, FloatArray | None]  # vectors, encoded labels


def units(count: int, width: int = 24, seed: int = 0) -> FloatArray:
    x_ND = np.random.default_rng(seed).normal(size=(count, width))
    return np.asarray(x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True), dtype=np.float32)


def one_hot(count: int, classes: int, weight: float = 1.0, seed: int = 1) -> FloatArray:
    return np.eye(classes, dtype=np.float32)[np.random.default_rng(seed).integers(0, classes, count)] * np.float32(
        weight
    )


def doubled(x_ND: FloatArray, first: int) -> FloatArray:
    """The first `first` are one point, and twenty others are twins."""
    x_ND = x_ND.copy()
    x_ND[:first] = x_ND[0]
    x_ND[first : first + 40 : 2] = x_ND[first + 1 : first + 40 : 2]
    return x_ND


def digits() -> Pairs:
    x_ND, labels_N = load_digits(return_X_y=True)
    unit_ND = x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True)
    return unit_ND.astype(np.float32), np.eye(10, dtype=np.float32)[labels_N]


SETS: dict[str, Pairs] = {
    "vectors": (units(700), None),
    "pairs": (units(700), one_hot(700, 4)),
    "pairs whose labels weigh little, so that they mix": (units(700), one_hot(700, 4, 0.1)),
    "pairs whose labels weigh nothing": (units(700), one_hot(700, 4, 0.0)),
    "pairs of as many classes as points": (units(60), np.eye(60, dtype=np.float32)),
    "classes of one, two and many": (units(300), np.eye(3, dtype=np.float32)[np.repeat([0, 1, 2], [1, 2, 297])]),
    "labels that are vectors themselves": (units(300), units(300, 5, seed=2)),
    "digits": (digits()[0], None),
    "digits with their labels": digits(),
    "three points": (units(3), None),
    "twins": (doubled(units(400, 6), 1), None),
    "sixty copies of one": (doubled(units(400, 6), 60), None),
    "all one point": (np.ones((50, 6), np.float32), None),
    "far from the origin": (units(500, 6) * 5 + 40, None),
}


def real(name: str, data: Pairs, params: detect.Params) -> NDArray[np.float64]:
    """The scores of pyod's own class."""
    x_ND, y_NK = data
    whole = np.concatenate([x_ND, y_NK], axis=1) if y_NK is not None else x_ND
    model = detectors.detector(name, items=len(whole), neighbours=params.neighbours, threads=1, seed=0)
    return np.asarray(model.fit(whole.astype(np.float64)).decision_scores_)


@pytest.mark.filterwarnings("ignore:Duplicate values are leading to incorrect results")
@pytest.mark.parametrize("name", ["KNN", "LOF"])
@pytest.mark.parametrize("data", SETS.values(), ids=list(SETS))
def test_scores_are_those_of_pyod(data: Pairs, name: str) -> None:
    params = detect.Params(threads=1, neighbours=5)
    ours = detectors.anomaly(data[0], name, params, data[1])
    np.testing.assert_allclose(ours, real(name, data, params), rtol=1e-6, atol=1e-9)


def test_knn_beside_lof_is_knn_alone() -> None:
    params = detect.Params(threads=1)
    together = detectors.scores(*SETS["pairs"], ("KNN", "LOF"), params)
    np.testing.assert_array_equal(together["KNN"], detectors.anomaly(SETS["pairs"][0], "KNN", params, SETS["pairs"][1]))


@pytest.mark.parametrize("data", [SETS["vectors"], SETS["pairs"]], ids=["vectors", "pairs"])
@pytest.mark.parametrize("name", ["KNN", "LOF"])
def test_above_max_items_the_others_are_asked_against_the_sample_as_by_pyod(data: Pairs, name: str) -> None:
    params = detect.Params(threads=1, max_items=200)
    ours = detectors.anomaly(data[0], name, params, data[1])
    fitted = np.sort(np.random.default_rng(0).choice(700, 200, replace=False))
    rest = np.setdiff1d(np.arange(700), fitted)
    whole = np.concatenate([part for part in data if part is not None], axis=1).astype(np.float64)
    model = detectors.detector(name, items=200, neighbours=10, threads=1, seed=0).fit(whole[fitted])
    np.testing.assert_allclose(ours[fitted], model.decision_scores_, rtol=1e-6)
    np.testing.assert_allclose(ours[rest], model.decision_function(whole[rest]), rtol=1e-6)


def test_ties_move_no_distance() -> None:
    grid_ND = np.array(np.meshgrid(*[np.arange(7)] * 3)).reshape(3, -1).T.astype(np.float32)
    params = detect.Params(threads=1, neighbours=4)
    np.testing.assert_array_equal(detectors.anomaly(grid_ND, "KNN", params), real("KNN", (grid_ND, None), params))


def test_a_crowd_that_float32_cannot_order_is_searched_in_float64() -> None:
    x_ND = units(500, 8)
    x_ND[:200] = x_ND[0] + 1e-5 * units(200, 8, seed=5)  # some 1e-5 apart, where the product's rounding is 1e-3
    params = detect.Params(threads=1)
    ours = detectors.anomaly(x_ND, "KNN", params)
    assert ours[:200].max() < 2e-5
    np.testing.assert_allclose(ours, real("KNN", (x_ND, None), params), rtol=1e-6)


def test_blocks_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    base = nearest.points(*SETS["digits with their labels"])
    whole = nearest.neighbours(base, 8)
    monkeypatch.setattr(nearest, "BLOCK_ROWS", 37)
    parts = nearest.neighbours(base, 8, threads=3)
    np.testing.assert_array_equal(whole.index_Qk, parts.index_Qk)
    np.testing.assert_array_equal(whole.distance_Qk, parts.distance_Qk)


def test_four_points_on_a_line() -> None:
    line = nearest.points(np.array([[0], [1], [3], [7]], np.float32))
    found = nearest.neighbours(line, 2)
    assert found.index_Qk.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert found.distance_Qk.tolist() == [[1, 3], [1, 2], [2, 3], [4, 6]]
    assert nearest.knn(found, 1).tolist() == [1, 1, 2, 4]
    asked = nearest.neighbours(line, 1, asked=nearest.points(np.array([[2.5]], np.float32)))
    assert (asked.index_Qk.tolist(), asked.distance_Qk.tolist()) == ([[2]], [[0.5]])


def test_a_detector_that_cannot_fit_stops_no_other() -> None:
    scores = detectors.scores(
        np.ones((400, 3), np.float32), None, ("CBLOF", "KNN"), replace(detect.Params(), threads=1)
    )
    assert list(scores) == ["CBLOF", "KNN"]
    assert isinstance(scores["CBLOF"], Mistake)
    assert isinstance(scores["KNN"], np.ndarray)
