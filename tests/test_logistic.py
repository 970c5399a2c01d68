"""Are the probabilities of the models fitted together those of scikit-learn's, fitted one by one?"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from tasks import logistic
from tasks.model import Mistake
from tasks.store import FloatArray

IntArray = NDArray[np.int64]
Problem = tuple[FloatArray, IntArray, IntArray]  # vectors, labels, folds


def digits(classes: int = 10, seed: int = 0) -> Problem:
    """1,797 digits as vectors of length 1, 10 % of the labels wrong."""
    x_ND, true_N = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    unit_ND = (x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True)).astype(np.float32)
    wrong_N = rng.random(len(true_N)) < 0.1
    given_N = np.where(wrong_N, rng.integers(0, 10, len(true_N)), true_N) * classes // 10
    return unit_ND, given_N, rng.integers(0, 5, len(true_N))


def one_by_one(
    problem: Problem, classes: int, scale: float, weights_N: NDArray[np.float64] | None = None, steps: int = 20_000
) -> NDArray[np.float64]:
    """scikit-learn's probabilities, fold by fold in float64; by default fitted to the end."""
    x_ND, given_N, folds_N = problem[0].astype(np.float64) * scale, problem[1], problem[2]
    p_NK = np.zeros((len(x_ND), classes))
    for fold in np.unique(folds_N):
        held = folds_N == fold
        taught = None if weights_N is None else weights_N[~held]
        model = LogisticRegression(max_iter=steps, tol=1e-4 if steps == 100 else 1e-9)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x_ND[~held], given_N[~held], sample_weight=taught)
        p_NK[np.ix_(held, model.classes_)] = model.predict_proba(x_ND[held])
    return p_NK


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 10])  # of two, scikit-learn fits one vector, not one each
def test_probabilities_are_scikit_learns_within_a_thousandth(classes: int, weighted: bool) -> None:
    problem = digits(classes)
    weights_N = np.random.default_rng(1).random(1797) if weighted else None
    ours = logistic.out_of_fold(*problem, classes, scale=5.0, weights_N=weights_N, tolerance=1e-9)
    np.testing.assert_allclose(ours, one_by_one(problem, classes, 5.0, weights_N), atol=1e-3)
    np.testing.assert_allclose(ours.sum(axis=1), 1.0, atol=1e-12)


def test_planted_errors_are_ranked_as_by_scikit_learn() -> None:
    x_ND, true_N, folds_N = digits(10, seed=3)
    wrong_N = np.random.default_rng(4).random(len(true_N)) < 0.1
    given_N = np.where(wrong_N, (true_N + 1) % 10, true_N)
    rows_N = np.arange(len(given_N))
    theirs = one_by_one((x_ND, given_N, folds_N), 10, 5.0, steps=100)
    ours = logistic.out_of_fold(x_ND, given_N, folds_N, 10, scale=5.0)
    area = [average_precision_score(wrong_N, -p_NK[rows_N, given_N]) for p_NK in (ours, theirs)]
    assert abs(area[0] - area[1]) < 0.002, area


def test_scales_fitted_together_are_those_fitted_alone() -> None:
    problem = digits()
    together = logistic.each_scale(*problem, 10, scales=(0.7, 5.0), tolerance=1e-9)
    for scale, p_NK in zip((0.7, 5.0), together, strict=True):
        alone = logistic.out_of_fold(*problem, 10, scale=scale, tolerance=1e-9)
        np.testing.assert_allclose(p_NK, alone, atol=2e-4)


def test_few_at_once_are_fitted_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = digits()
    together = logistic.each_scale(*problem, 10, scales=(0.7, 1.5, 5.0), tolerance=1e-9)
    monkeypatch.setattr(logistic, "TOGETHER", 5 * 10 * 65)  # one scale
    apart = logistic.each_scale(*problem, 10, scales=(0.7, 1.5, 5.0), tolerance=1e-9)
    np.testing.assert_allclose(apart, together, atol=2e-4)


def test_the_bits_do_not_depend_on_the_threads() -> None:
    problem = digits()
    one, three = (logistic.out_of_fold(*problem, 10, scale=5.0, threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_an_item_of_weight_0_teaches_nothing_and_one_of_weight_2_teaches_twice() -> None:
    x_ND, given_N, folds_N = digits()
    weights_N = np.ones(1797)
    weights_N[:300], weights_N[300:310] = 0, 2
    kept = np.concatenate([np.arange(300, 1797), np.arange(300, 310)])
    ours = logistic.out_of_fold(x_ND, given_N, folds_N, 10, weights_N=weights_N, tolerance=1e-9)
    twice = logistic.out_of_fold(x_ND[kept], given_N[kept], folds_N[kept], 10, tolerance=1e-9)
    np.testing.assert_allclose(ours[300:], twice[:1497], atol=2e-4)


def test_a_class_that_only_a_weight_of_0_shows_is_not_seen() -> None:
    x_ND, labels_N, folds_N = np.eye(6, dtype=np.float32), np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 1])
    p_NK = logistic.out_of_fold(x_ND, labels_N, folds_N, 3, weights_N=np.array([1.0, 1, 0, 1, 1, 1]))
    assert (p_NK[3:, 2] == 0).all()
    assert (p_NK[:3, 2] > 0.2).all()
    assert np.isfinite(p_NK).all()


def test_a_common_offset_of_the_vectors_changes_nothing() -> None:
    x_ND, given_N, folds_N = digits()
    moved = logistic.out_of_fold(x_ND + np.float32(3), given_N, folds_N, 10, tolerance=1e-9)
    np.testing.assert_allclose(moved, logistic.out_of_fold(x_ND, given_N, folds_N, 10, tolerance=1e-9), atol=1e-3)


def test_two_items_of_a_thousand_classes_know_only_each_others() -> None:
    p_NK = logistic.out_of_fold(np.eye(2, dtype=np.float32), np.array([0, 999]), np.array([0, 1]), 1000)
    assert (p_NK.shape, p_NK[0, 999], p_NK[1, 0], p_NK.sum()) == ((2, 1000), 1.0, 1.0, 2.0)


def test_a_thousand_classes_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    labels_N = np.arange(4000) % 1000
    x_ND = (rng.normal(size=(1000, 32))[labels_N] + 0.3 * rng.normal(size=(4000, 32))).astype(np.float32)
    x_ND /= np.linalg.norm(x_ND, axis=1, keepdims=True)
    p_NK = logistic.out_of_fold(x_ND, labels_N, labels_N * 0 + np.arange(4000) // 1000, 1000, scale=5.0)
    assert (p_NK.argmax(axis=1) == labels_N).mean() > 0.9


def test_identical_vectors_get_the_shares_of_the_classes() -> None:
    labels_N = np.array([0, 0, 0, 1] * 10)
    p_NK = logistic.out_of_fold(np.ones((40, 3), np.float32), labels_N, np.arange(40) // 4 % 2, 2, tolerance=1e-10)
    np.testing.assert_allclose(p_NK, np.tile([0.75, 0.25], (40, 1)), atol=1e-4)


def test_what_cannot_be_fitted_is_a_mistake_that_names_it() -> None:
    x_ND, labels_N, folds_N = np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    bad = x_ND.copy()
    bad[2, 1] = np.inf
    with pytest.raises(Mistake, match="not finite in row 2"):
        logistic.out_of_fold(bad, labels_N, folds_N, 2)
    with pytest.raises(Mistake, match=r"Folds hold the values \[-1, 0, 1\]"):
        logistic.out_of_fold(x_ND, labels_N, np.array([-1, 0, 1, 1]), 2)
    for weight in (-1.0, np.nan):
        with pytest.raises(Mistake, match=f"Weight of row 3 is {weight}"):
            logistic.out_of_fold(x_ND, labels_N, folds_N, 2, weights_N=np.array([1, 1, 1, weight]))
    with pytest.raises(Mistake, match="All weights outside fold 0 are 0"):
        logistic.out_of_fold(x_ND, labels_N, folds_N, 2, weights_N=np.array([1.0, 1, 0, 0]))


def test_torch_says_what_numpy_says() -> None:
    problem = digits()
    ours, theirs = (logistic.out_of_fold(*problem, 10, scale=5.0, device=device) for device in ("cpu", "cpu:0"))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_a_card_says_what_the_processor_says() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no card")
    problem = digits()
    ours, theirs = (logistic.out_of_fold(*problem, 10, scale=5.0, device=device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
