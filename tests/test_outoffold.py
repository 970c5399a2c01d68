"""Is every item judged by a model that has not seen it, in a fold that stays?"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import toy_tables as toy

from tasks import outoffold
from tasks.model import Mistake


def test_an_item_keeps_its_fold_when_drops_are_added_and_another_label_is_corrected() -> None:
    items, labels_N = toy.names(400), np.arange(400) % 4
    before = outoffold.fold_ids(items[:200], labels_N[:200], 5, 0)
    corrected = labels_N.copy()
    corrected[:3] = 3
    assert outoffold.fold_ids(items, corrected, 5, 0)[3:200].tolist() == before[3:].tolist()
    assert outoffold.fold_ids(items, labels_N, 5, 1).tolist() != outoffold.fold_ids(items, labels_N, 5, 0).tolist()


def test_small_classes_are_dealt_evenly_and_a_single_example_has_no_fold() -> None:
    labels_N = np.repeat([0, 1, 2, 3], [1, 2, 7, 100])
    folds_N = outoffold.fold_ids(toy.names(110), labels_N, 5, 0)
    assert folds_N[0] == -1
    assert len(set(folds_N[1:3].tolist())) == 2
    assert sorted(Counter(folds_N[3:10].tolist()).values()) == [1, 1, 1, 2, 2]
    assert set(folds_N[10:].tolist()) == {0, 1, 2, 3, 4}


def test_each_row_is_predicted_by_a_model_that_has_not_seen_it() -> None:
    # Four corners, each twice; the last item is alone in its corner with a label of its own class elsewhere.
    x_ND = np.array([[1, 0], [1, 0], [-1, 0], [-1, 0]], dtype=np.float32)
    labels_N, folds_N = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 1])
    p_NK = outoffold.out_of_fold(x_ND, labels_N, folds_N, classes=2, scale=5)
    assert p_NK.argmax(axis=1).tolist() == [1, 0, 0, 1]  # always the twin's label, never its own
    assert p_NK.sum(axis=1).tolist() == pytest.approx([1, 1, 1, 1])


def test_a_class_that_a_model_has_never_seen_gets_probability_0() -> None:
    p_NK = outoffold.out_of_fold(np.eye(4, dtype=np.float32), np.array([0, 0, 2, 2]), np.array([0, 0, 1, 1]), classes=3)
    assert p_NK.tolist() == [[0, 0, 1], [0, 0, 1], [1, 0, 0], [1, 0, 0]]


def test_the_scale_that_agrees_most_is_chosen_and_of_equals_the_smallest() -> None:
    classes, x_ND = toy.clusters({"a": 30, "b": 30}, spread=0.05)
    labels_N = np.array([0 if name == "a" else 1 for name in classes])
    folds_N = np.arange(60) % 5
    assert outoffold.best_scale(x_ND, labels_N, folds_N, (3.0, 0.7), classes=2) == 0.7


def test_embeddings_that_are_not_finite_and_folds_that_are_not_two_are_refused() -> None:
    x_ND, labels_N = np.eye(4, dtype=np.float32), np.array([0, 0, 1, 1])
    bad = x_ND.copy()
    bad[2, 1] = np.nan
    with pytest.raises(Mistake, match="not finite in row 2"):
        outoffold.out_of_fold(bad, labels_N, np.array([0, 1, 0, 1]), classes=2)
    for folds_N in (np.zeros(4, dtype=np.int64), np.array([-1, 0, 1, 0])):
        with pytest.raises(Mistake, match="At least two folds, numbered from 0, are needed"):
            outoffold.out_of_fold(x_ND, labels_N, folds_N, classes=2)


def test_copies_are_held_out_together() -> None:
    keys = [f"asset-{n // 3}" for n in range(300)]
    labels_N = np.array([n // 3 % 10 for n in range(300)])
    folds_N = outoffold.fold_ids(keys, labels_N, 5, 0)
    assert all(len(set(folds_N[n : n + 3])) == 1 for n in range(0, 300, 3))
    assert set(folds_N) == set(range(5))


def test_a_class_of_one_image_delivered_thrice_teaches_nothing() -> None:
    keys = ["same", "same", "same", "a", "b", "c"]
    assert outoffold.fold_ids(keys, np.array([0, 0, 0, 1, 1, 1]), 5, 0)[:3].tolist() == [-1, -1, -1]


def test_an_image_of_two_small_classes_has_one_fold_and_neither_class_lies_in_one() -> None:
    keys, labels_N = ["x", "p", "x", "q"], np.array([0, 0, 1, 1])
    folds_N = outoffold.fold_ids(keys, labels_N, 5, 0)
    assert folds_N[0] == folds_N[2]
    assert folds_N[0] != folds_N[1]
    assert folds_N[2] != folds_N[3]
