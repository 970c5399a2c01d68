"""Does the ranking on arrays, as in a notebook, say what the stage says, and does it state what it cannot say?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import toy_tables as toy
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from tasks import audit, vectors
from tasks.audit import Method, rank
from tasks.model import Mistake
from tasks.outoffold import FloatArray, IntArray, ProbabilityArray

ONE = Method(threads=1)


def clouds(**sizes: int) -> tuple[list[str], FloatArray]:
    return toy.clusters(sizes or {"a": 30, "b": 30}, spread=0.1)


def test_swapped_labels_come_first_and_the_other_class_is_suggested() -> None:
    labels, x_ND = clouds()
    labels[4], labels[34] = "b", "a"
    ranking = rank(labels, embeddings=x_ND, method=ONE)
    assert sorted(ranking.order[:2].tolist()) == [4, 34]
    assert np.flatnonzero(ranking.flagged_N).tolist() == [4, 34]
    assert (ranking.suggestions[4], ranking.suggestions[34]) == ("a", "b")
    assert ranking.noise_interval[0] < 2 / 60 < ranking.noise_interval[1]
    assert sorted(ranking.judged) == ["label_noise_v1", "label_noise_v2"]
    assert np.flatnonzero(ranking.plain.flagged_N).tolist() == [4, 34]


def test_arrays_and_the_stage_agree() -> None:
    labels, x_ND = clouds(a=40, b=40, c=40)
    labels[3] = "c"
    place = toy.located(x_ND)
    found = audit.audit(toy.names(120), toy.labels(labels), place, toy.graph(place), audit.Params(threads=1))
    ranking = rank(labels, embeddings=x_ND, near=toy.graph(place), shows=toy.names(120), method=ONE)
    assert np.abs(found.scores["severity"].to_numpy() - ranking.severity_N).max() < 1e-6


def test_pair_noise_in_digits_is_ranked_better_than_by_plain_confident_learning() -> None:
    x_ND, true_N = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    wrong_N = rng.random(len(true_N)) < 0.2
    labels = [str(k) for k in np.where(wrong_N, (true_N + 1) % 10, true_N)]
    ranking = rank(labels, embeddings=x_ND.astype(np.float32), method=ONE)
    ours = average_precision_score(wrong_N, ranking.severity_N)
    plain = average_precision_score(wrong_N, ranking.plain.severity_N)
    assert ours > 0.98
    assert ours > plain
    assert abs(ranking.noise_rate - wrong_N.mean()) < 0.03


def test_predictions_and_embeddings_together_use_both() -> None:
    labels, x_ND = clouds()
    labels[4] = "b"
    p_NK = np.where(np.array([[name == "a", name == "b"] for name in labels]), 0.7, 0.3)
    p_NK[4] = [0.8, 0.2]
    folds = np.arange(60) % 5
    alone = rank(labels, predictions=p_NK, folds=folds, method=ONE)
    both = rank(labels, predictions=p_NK, folds=folds, embeddings=x_ND, method=ONE)
    assert alone.order[0] == both.order[0] == 4
    assert both.folds_M.tolist() == folds.tolist()
    assert both.fit["scale"] == 0
    assert both.p_MK[4, 0] > alone.p_MK[4, 0]  # the embeddings say `a`, too


def test_a_model_that_never_saw_the_items_needs_no_folds() -> None:
    labels, _ = clouds()
    p_NK = np.where(np.array([[name == "a", name == "b"] for name in labels]), 0.9, 0.1)
    with pytest.raises(Mistake, match="In-sample ones agree with wrong labels and are refused"):
        rank(labels, predictions=p_NK)
    labels[7] = "b"
    ranking = rank(labels, predictions=p_NK, held_out=True, method=ONE)
    assert ranking.order[0] == 7
    assert set(ranking.folds_M.tolist()) == {0}


def test_equal_vectors_are_copies_and_do_not_vouch_for_each_other() -> None:
    labels, x_ND = clouds()
    labels[4] = "b"
    copies = np.concatenate([x_ND, np.repeat(x_ND[4:5], 6, axis=0)])
    ranking = rank([*labels, *["b"] * 6], embeddings=copies, method=ONE)
    assert ranking.flagged_N[[4, *range(60, 66)]].all()
    assert len(set(ranking.folds_M[[4, *range(60, 66)]].tolist())) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_not_finite_zero_or_of_another_number_are_refused(bad: float) -> None:
    labels, x_ND = clouds()
    broken = x_ND.copy()
    broken[5, 0] = bad
    with pytest.raises(Mistake, match=r"Embedding of row 5 is not finite. Leave the row out, or embed it again."):
        rank(labels, embeddings=broken)
    broken[5] = 0
    with pytest.raises(Mistake, match="Embedding of row 5 is all zeros"):
        rank(labels, embeddings=broken)
    with pytest.raises(Mistake, match=r"have shape \(59, 4\). 60 labels need \(60, D\)"):
        rank(labels, embeddings=x_ND[1:])
    with pytest.raises(Mistake, match="Nothing to rank the labels by"):
        rank(labels)


def test_what_cannot_be_assessed_is_said_of_each_label() -> None:
    labels, x_ND = clouds(a=20, b=20, rare=1)
    ranking = rank([None, *labels[1:]], embeddings=x_ND, method=ONE)
    assert {n: note for n, note in enumerate(ranking.notes) if note} == {
        0: "not assessable: its label is unknown",
        40: "not assessable: 1 example of its class",
    }
    assert ranking.severity_N[[0, 40]].tolist() == [0, 0]
    assert ranking.suggestions[0] is None


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        (["a"] * 6, "the only class with two examples is a"),
        (["a", "b"], "1 example of its class"),
        (["a", "b"] * 3, "the model tells the classes no better than always naming the commonest one"),
    ],
)
def test_one_class_two_items_and_blind_vectors_are_stated(labels: list[str], note: str) -> None:
    x_ND = np.full((len(labels), 3), 3**-0.5, np.float32)
    ranking = rank(labels, embeddings=x_ND, shows=toy.names(len(labels)), method=ONE)
    assert all(told == f"not assessable: {note}" for told in ranking.notes)
    assert not ranking.flagged_N.any()
    assert len(ranking.order) == 0


def test_a_thousand_classes_complete_and_find_the_swapped_ones() -> None:
    spots_KD = np.random.default_rng(0).normal(size=(1000, 32)).astype(np.float32)
    order = np.repeat(np.arange(1000), 4)
    x_ND = spots_KD[order] + 0.05 * np.random.default_rng(1).normal(size=(4000, 32)).astype(np.float32)
    labels = [f"c{k}" for k in order]
    labels[0], labels[400] = labels[400], labels[0]
    ranking = rank(labels, embeddings=x_ND, method=Method(threads=1, scales=(5.0,), max_iter=20))
    assert set(ranking.order[:2].tolist()) == {0, 400}
    assert (ranking.suggestions[0], ranking.suggestions[400]) == ("c0", "c100")


def test_views_are_told_apart_and_a_view_of_zeros_is_no_fault() -> None:
    labels, x_ND = clouds()
    labels[4] = "b"
    half = x_ND.copy()
    half[7] = 0
    views = vectors.Vectors(np.concatenate([vectors.unit(x_ND), vectors.unit(half)], axis=1) / np.sqrt(2), (None,) * 60)
    shaped = vectors.Vectors(views.x_ND.astype(np.float32), views.faults, (("one", 4), ("two", 4)))
    assert {name: x.shape for name, x in shaped.views.items()} == {"one": (60, 4), "two": (60, 4)}
    assert (shaped.views["two"][7] == 0).all()
    ranking = rank(labels, embeddings=shaped.views, method=ONE)
    assert ranking.order[0] == 4
    assert ranking.notes[7] is None


def numbered() -> tuple[IntArray, ProbabilityArray]:
    """330 labels 0 .. 10 in turns, all right, and probabilities whose columns are in the order of the numbers."""
    labels_N = np.arange(330) % 11
    return labels_N, 0.9 * np.eye(11)[labels_N] + 0.1 / 11


def test_labels_may_be_numbers_and_their_columns_are_in_the_order_of_the_numbers() -> None:
    labels_N, p_NK = numbered()
    folds = (np.arange(330) // 11 % 5).tolist()
    for labels in (labels_N, pd.Series(labels_N)[pd.Series(labels_N) >= 0], labels_N.tolist()):
        ranking = rank(labels, predictions=p_NK, folds=folds, method=ONE)
        assert ranking.classes == tuple(str(k) for k in range(11))
        assert not ranking.flagged_N.any() and ranking.noise_rate < 0.01
    assert rank(labels_N, predictions=p_NK, folds=folds, classes=range(11), method=ONE).classes[10] == "10"


def test_whatever_pandas_calls_missing_is_an_unknown_label() -> None:
    labels_N, p_NK = numbered()
    folds = np.arange(330) // 11 % 5
    for missing in (None, np.nan, pd.NA):
        labels = [missing if n < 11 else str(label) for n, label in enumerate(labels_N)]
        ranking = rank(labels, predictions=p_NK, folds=folds, classes=range(11), method=ONE)
        assert set(ranking.notes[:11]) == {"not assessable: its label is unknown"} and len(ranking.rows_M) == 319


def test_a_class_of_one_example_keeps_its_column() -> None:
    labels = ["a"] * 10 + ["b"] * 10 + ["c"]
    p_NK = 0.9 * np.eye(3)[[0] * 10 + [1] * 10 + [2]] + 0.1 / 3
    ranking = rank(labels, predictions=p_NK, folds=np.arange(21) % 3, method=ONE)
    assert (ranking.classes, ranking.notes[-1]) == (("a", "b", "c"), "not assessable: 1 example of its class")
    alone = rank(labels[-5:], predictions=p_NK[-5:], folds=[0, 0, 0, 0, 1], classes="abc", method=ONE)
    assert alone.notes[0] == "not assessable: the only class with two examples is b"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"faults": [None]}, "There are 1 faults and 60 labels. Give one a label."),
        ({"shows": ["x"]}, "There are 1 shows and 60 labels. Give one a label."),
        ({"classes": ["a", "c"]}, "Label 'b' is not among the classes. Classes are: a, c."),
        ({"embeddings": {}}, "Nothing to rank the labels by. Give embeddings=, predictions=, or both."),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_a_sentence(more: dict[str, Any], says: str) -> None:
    labels, x_ND = clouds()
    with pytest.raises(Mistake) as caught:
        rank(labels, **{"embeddings": x_ND, "method": ONE, **more})
    assert str(caught.value) == says


def test_a_class_whose_examples_are_all_copies_is_said_to_be_so() -> None:
    labels, x_ND = clouds(a=20, b=30)
    x_ND[:20] = x_ND[0]
    assert rank(labels, embeddings=x_ND, method=ONE).notes[0] == (
        "not assessable: all examples of its class show the same"
    )
