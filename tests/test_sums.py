"""Is a ridge from kept sums the one that a whole fit gives, whatever came, moved or went in between?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from tasks import sums
from tasks.outoffold import FloatArray, IntArray

FOLDS, CLASSES = 3, 4


def items(count: int) -> tuple[FloatArray, IntArray, IntArray]:
    rng = np.random.default_rng(0)
    x_ND = rng.normal(size=(count, 6)).astype(np.float32)
    return x_ND, rng.integers(0, CLASSES, count), np.arange(count) % FOLDS


def test_two_items_in_one_fold_are_summed_as_in_the_head() -> None:
    x_ND = np.array([[1, 2], [3, 0]], dtype=np.float32)
    known, before = sums.known(x_ND, np.zeros(2, np.int64), 1)
    assert known.xx_FEE.tolist() == [[[10, 2, 4], [2, 4, 2], [4, 2, 2]]]
    assert before == 0
    by_class = sums.class_sums(x_ND, np.array([1, 1]), np.zeros(2, np.int64), classes=2, folds=1)
    assert by_class.tolist() == [[[0, 4], [0, 2], [0, 2]]]


def test_out_of_fold_scores_are_scikit_learns_ridge() -> None:
    x_ND, given_N, folds_N = items(60)
    onehot_NK = np.eye(CLASSES)[given_N]
    known, _ = sums.known(x_ND, folds_N, FOLDS)
    xy = sums.class_sums(x_ND, given_N, folds_N, classes=CLASSES, folds=FOLDS)
    model = sums.weights(known.xx_FEE, xy, 0.7, range(FOLDS))
    ours_NK = sums.out_of_fold(x_ND, folds_N, model)
    for fold in range(FOLDS):
        held_N = folds_N == fold
        theirs = Ridge(alpha=0.7).fit(x_ND[~held_N].astype(np.float64), onehot_NK[~held_N])
        np.testing.assert_allclose(ours_NK[held_N], theirs.predict(x_ND[held_N]), atol=1e-5)


@pytest.mark.parametrize("first", [1, 40, 59, 60])
def test_a_further_drop_adds_to_what_was_summed(tmp_path: Path, first: int) -> None:
    x_ND, _, folds_N = items(60)
    piece = tmp_path / "sums-1"
    sums.known(x_ND[:first], folds_N[:first], FOLDS, cache=piece)
    grown, before = sums.known(x_ND, folds_N, FOLDS, cache=piece)
    assert before == first
    np.testing.assert_allclose(grown.xx_FEE, sums.known(x_ND, folds_N, FOLDS)[0].xx_FEE, atol=1e-9)
    assert sums.known(x_ND, folds_N, FOLDS, cache=piece)[1] == 60


def test_an_item_that_came_into_another_fold_is_moved_and_stays_so(tmp_path: Path) -> None:
    x_ND, _, folds_N = items(60)
    piece = tmp_path / "sums-1"
    sums.known(x_ND, folds_N, FOLDS, cache=piece)
    moved_N = np.where(np.arange(60) == 7, 2, folds_N)
    whole, _ = sums.known(x_ND, moved_N, FOLDS)
    for _ in range(2):
        known, before = sums.known(x_ND, moved_N, FOLDS, cache=piece)
        assert before == 60
        np.testing.assert_allclose(known.xx_FEE, whole.xx_FEE, atol=1e-9)


def test_what_does_not_fit_or_is_torn_is_summed_again(tmp_path: Path) -> None:
    x_ND, _, folds_N = items(60)
    piece = tmp_path / "sums-1"

    def keep() -> None:
        sums.known(x_ND, folds_N, FOLDS, cache=piece)

    keep()
    other_ND = x_ND.copy()
    other_ND[3] += 1
    assert sums.known(other_ND, folds_N, FOLDS, cache=piece)[1] == 0
    keep()
    assert sums.known(x_ND[:50], folds_N[:50], FOLDS, cache=piece)[1] == 0  # items went
    keep()
    assert sums.known(x_ND, folds_N % 2, 2, cache=piece)[1] == 0  # another number of folds
    keep()
    (piece / "xx.npy").write_bytes((piece / "xx.npy").read_bytes()[:-1])
    assert sums.known(x_ND, folds_N, FOLDS, cache=piece)[1] == 0
    keep()
    assert sums.known(x_ND, folds_N, FOLDS, cache=tmp_path / "sums-2")[1] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["sums-2"]  # of another version: the older one goes
