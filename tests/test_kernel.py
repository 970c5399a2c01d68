"""Is leaving out by algebra the same as fitting without the item and its copies?"""

from __future__ import annotations

import numpy as np

from tasks import combined, kernel


def cloud(count: int, seed: int = 0) -> kernel.FloatArray:
    x_ND = np.random.default_rng(seed).normal(size=(count, 5))
    return np.asarray(x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True), dtype=np.float32)


def by_hand(
    x_ND: kernel.FloatArray, target_NK: kernel.FloatArray, copy_N: kernel.IntArray, penalty: float
) -> kernel.FloatArray:
    """Fit again without each group, with every item a landmark: exact kernel ridge in the same basis."""
    gap_NN = ((x_ND[:, None] - x_ND[None]) ** 2).sum(axis=2)
    k_NN = np.exp(-kernel.GAMMA * gap_NN).astype(np.float64)
    answers = np.zeros(target_NK.shape)
    for n in range(len(x_ND)):
        keep = copy_N != copy_N[n]
        a = k_NN[keep].T @ k_NN[keep] + penalty * (k_NN + kernel.RIDGE * np.eye(len(k_NN)))
        answers[n] = k_NN[n] @ np.linalg.solve(a, k_NN[keep].T @ target_NK[keep])
    return answers.astype(np.float32)


def test_leaving_an_item_out_is_what_fitting_without_it_gives() -> None:
    x_ND = cloud(12)
    target_NK = np.eye(3, dtype=np.float32)[np.arange(12) % 3]
    ridge = kernel.ridge(x_ND, np.arange(12), landmarks=12, seed=0)
    expected = by_hand(x_ND, target_NK, np.arange(12), 0.3)
    assert np.abs(ridge.left_out(target_NK, (0.3,)) - expected).max() < 2e-3


def test_all_copies_of_an_item_are_left_out_with_it() -> None:
    x_ND = np.concatenate([cloud(10), cloud(10)[:2], cloud(10)[:1]])  # item 0 thrice, item 1 twice
    copy_N = np.array([*range(10), 0, 1, 0])
    target_NK = np.eye(2, dtype=np.float32)[np.array([0, 1] * 5 + [1, 0, 1])]
    ridge = kernel.ridge(x_ND, copy_N, landmarks=13, seed=0)
    expected = by_hand(x_ND, target_NK, copy_N, 0.3)
    assert np.abs(ridge.left_out(target_NK, (0.3,)) - expected).max() < 2e-3


def test_the_penalty_that_errs_least_is_taken() -> None:
    x_ND = cloud(60)
    target_NK = np.eye(2, dtype=np.float32)[(x_ND[:, 0] > 0).astype(int)]
    ridge = kernel.ridge(x_ND, np.arange(60), landmarks=60, seed=0)

    def error(penalties: tuple[float, ...]) -> float:
        return float(((ridge.left_out(target_NK, penalties) - target_NK) ** 2).mean())

    each = [error((penalty,)) for penalty in kernel.LAMBDAS]
    assert error(kernel.LAMBDAS) == min(each) < max(each)


def test_rows_of_zeros_are_no_trouble() -> None:
    x_ND = np.concatenate([cloud(8), np.zeros((2, 5), np.float32)])
    ridge = kernel.ridge(x_ND, np.array([*range(8), 8, 8]), landmarks=600, seed=0)
    assert np.isfinite(ridge.left_out(np.eye(2, dtype=np.float32)[np.arange(10) % 2])).all()


def test_many_items_get_more_landmarks_and_very_many_no_more_memory() -> None:
    assert [combined.landmarks(n) for n in (100, 8_000, 10_000, 60_000, 1_000_000)] == [600, 600, 1200, 666, 600]


def test_near_copies_and_vectors_of_two_numbers_have_a_basis() -> None:
    """In float32 their landmarks' kernel is off by more than the ridge on it, and no longer positive definite."""
    rng = np.random.default_rng(0)
    near = rng.normal(size=(60, 64))[rng.integers(0, 60, 1200)] + 1e-4 * rng.normal(size=(1200, 64))
    flat = rng.normal(size=(900, 2))
    for x_ND in (near, flat):
        unit_ND = (x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True)).astype(np.float32)
        fitted = kernel.ridge(unit_ND, np.arange(len(unit_ND)), landmarks=400, seed=0)
        target_NK = np.eye(2, dtype=np.float32)[(unit_ND[:, 0] > 0).astype(int)]
        assert (fitted.left_out(target_NK).argmax(axis=1) == target_NK.argmax(axis=1)).mean() > 0.95
