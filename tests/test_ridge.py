"""Is the refreshed ridge the one fitted anew, and the one that scikit-learn fits?"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge

from tasks import ridge
from tasks.model import Mistake
from tasks.store import FloatArray

IntArray = NDArray[np.int64]


def digits() -> tuple[FloatArray, IntArray, IntArray]:
    x_ND, labels_N = load_digits(return_X_y=True)
    unit_ND = (x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True)).astype(np.float32)
    return unit_ND, labels_N.astype(np.int64), np.random.default_rng(0).integers(0, 5, len(x_ND))


def test_each_row_is_scored_as_by_scikit_learns_ridge_without_its_fold() -> None:
    x_ND, labels_N, folds_N = digits()
    model = ridge.weights(ridge.sums(x_ND, labels_N, folds_N, classes=10, folds=5), 0.7)
    scores_NK = ridge.out_of_fold(x_ND, folds_N, model)
    for fold in range(5):
        held = folds_N == fold
        theirs = Ridge(alpha=0.7).fit(x_ND[~held].astype(np.float64), np.eye(10)[labels_N[~held]])
        np.testing.assert_allclose(scores_NK[held], theirs.predict(x_ND[held].astype(np.float64)), atol=1e-4)
    assert (scores_NK.argmax(axis=1) == labels_N).mean() > 0.9


def test_drops_added_one_by_one_give_the_model_of_all_items() -> None:
    x_ND, labels_N, folds_N = digits()
    whole = ridge.weights(ridge.sums(x_ND, labels_N, folds_N, classes=10, folds=5), 0.7)
    parts = [slice(0, 1700), slice(1700, 1780), slice(1780, None)]
    first, *others = [ridge.sums(x_ND[p], labels_N[p], folds_N[p], classes=10, folds=5) for p in parts]
    for other in others:
        first = first + other
    ours, theirs = (ridge.out_of_fold(x_ND, folds_N, model) for model in (ridge.weights(first, 0.7), whole))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_class_that_comes_later_was_0_before() -> None:
    x_ND, folds_N = np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1])
    early = ridge.sums(x_ND[:2], np.array([0, 0]), folds_N[:2], classes=1, folds=2)
    late = ridge.sums(x_ND[2:], np.array([1, 1]), folds_N[2:], classes=2, folds=2)
    whole = ridge.sums(x_ND, np.array([0, 0, 1, 1]), folds_N, classes=2, folds=2)
    for both in (early + late, late + early):
        np.testing.assert_array_equal(both.xy_FEK, whole.xy_FEK)
        np.testing.assert_array_equal(both.xx_FEE, whole.xx_FEE)


def test_sums_of_other_vectors_and_a_penalty_of_0_are_refused() -> None:
    two = ridge.sums(np.eye(2, dtype=np.float32), np.array([0, 1]), np.array([0, 1]), classes=2, folds=2)
    three = ridge.sums(np.eye(3, dtype=np.float32), np.array([0, 1, 0]), np.array([0, 1, 0]), classes=2, folds=2)
    with pytest.raises(Mistake, match=r"Sums have shape \(2, 3, 3\), those to be added \(2, 4, 4\)"):
        _ = two + three
    with pytest.raises(Mistake, match="Ridge has penalty 0"):
        ridge.weights(two, 0)
