"""Are probabilities that would make cleanlab lie refused, and are the others read the right way round?"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks import confidence
from tasks.audit import Method, Ranking, rank
from tasks.confidence import likeliest_other
from tasks.model import Mistake

LABELS = ["a", "a", "a", "b", "b", "b"]
P = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9], [0.2, 0.8]])
FOLDS = np.array([0, 1, 0, 1, 0, 1])


def plain(
    labels: list[str],
    p_NK: NDArray[np.float64],
    folds: NDArray[np.int64] | None,
    classes: list[str] | None = None,
    flag_by: str = "p_wrong",
) -> Ranking:
    method = Method(method="confident", flag_by=flag_by)
    return rank(labels, predictions=p_NK, folds=folds, classes=classes, method=method)


def test_the_one_item_that_the_model_calls_something_else_ranks_first_and_is_flagged() -> None:
    ranking = plain(LABELS, P, FOLDS)
    assert ranking.flagged_N.tolist() == [False, False, True, False, False, False]
    assert ranking.classes == ("a", "b")
    assert int(ranking.severity_N.argmax()) == 2
    assert ranking.suggestions == ["b", "b", "b", "a", "a", "a"]
    assert ranking.noise_rate == pytest.approx(1 / 6)
    assert ranking.chosen.noise_by_class_K.tolist() == pytest.approx([1 / 3, 0])


def test_columns_are_mapped_by_name_not_by_place() -> None:
    swapped = plain(LABELS, P[:, ::-1], FOLDS, classes=["b", "a"])
    assert swapped.p_wrong_N.tolist() == pytest.approx(plain(LABELS, P, FOLDS).p_wrong_N.tolist())
    assert swapped.suggestions == ["b", "b", "b", "a", "a", "a"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (np.nan, "Probabilities of row 4 are not finite"),
        (np.inf, "Probabilities of row 4 are not finite"),
        (0.5, "Probabilities of row 4 sum to 1.4000"),
        (-0.1, "Probabilities of row 4 sum to 0.8000"),
    ],
)
def test_probabilities_that_are_none_are_refused_where_cleanlab_would_be_silent(change: float, sentence: str) -> None:
    bad = P.copy()
    bad[4, 0] = change
    with pytest.raises(Mistake, match=sentence):
        plain(LABELS, bad, FOLDS)


def test_probabilities_without_folds_or_with_one_fold_are_refused_as_in_sample() -> None:
    for folds in (None, np.zeros(6, dtype=np.int64), np.array([0, 1])):
        with pytest.raises(Mistake, match="In-sample ones agree with wrong labels and are refused"):
            plain(LABELS, P, folds)


def test_a_label_without_a_column_a_wrong_shape_and_a_doubled_class_are_refused() -> None:
    with pytest.raises(Mistake, match=r"Label 'b' has no column. Columns are: a, c."):
        plain(LABELS, P, FOLDS, classes=["a", "c"])
    with pytest.raises(Mistake, match=r"shape \(6, 2\). 6 labels and 3 classes need \(6, 3\)"):
        plain(LABELS, P, FOLDS, classes=["a", "b", "c"])
    with pytest.raises(Mistake, match="Two or more different names are needed"):
        plain(LABELS, P, FOLDS, classes=["a", "a"])


def test_a_class_that_no_item_was_given_is_no_trouble() -> None:
    wide = np.concatenate([P * 0.99, np.full((6, 1), 0.01)], axis=1)
    ranking = plain(LABELS, wide, FOLDS, classes=["a", "b", "z"])
    assert ranking.flagged_N.tolist() == [False, False, True, False, False, False]
    assert ranking.chosen.noise_by_class_K[2] == 0


def test_cleanlab_s_own_filters_can_flag_instead() -> None:
    assert (
        plain(LABELS, P, FOLDS, flag_by="prune_by_noise_rate").flagged_N.tolist() == [False] * 2 + [True] + [False] * 3
    )


def test_severity_turns_cleanlab_s_quality_round_and_stays_between_0_and_1() -> None:
    both = confidence.severity(np.array([1.0, 0.5, 0.0]), np.array([0.0, 0.5, 1.0]))
    assert both.tolist() == pytest.approx([0, 0.5, 1])
    assert confidence.severity(np.array([0.1]), np.array([0.9])).tolist() == pytest.approx([0.9])


def test_p_wrong_sums_to_the_estimated_number_of_errors() -> None:
    # 90 sure labels, 10 items of class 0 that the model calls class 1, each label given half the time.
    p_NK = np.concatenate([np.tile([0.9, 0.1], (45, 1)), np.tile([0.1, 0.9], (55, 1))])
    given_N = np.array([0] * 55 + [1] * 45)
    joint_KK = np.array([[0.45, 0.1], [0.0, 0.45]])
    p_wrong_N = confidence.posterior_of_error(p_NK, given_N, joint_KK)
    assert p_wrong_N.sum() == pytest.approx(10, rel=0.1)
    assert (p_wrong_N[45:55] > 0.5).all()
    assert max(p_wrong_N[:45].max(), p_wrong_N[55:].max()) < 0.1


def test_without_estimated_errors_no_label_is_doubted() -> None:
    p_wrong_N = confidence.posterior_of_error(np.array([[0.6, 0.4], [0.4, 0.6]]), np.array([0, 1]), np.eye(2) / 2)
    assert p_wrong_N.tolist() == [0, 0]


def test_an_item_without_a_prediction_is_stated_and_the_others_are_judged() -> None:
    ranking = plain(LABELS, P, np.array([0, 1, 0, 1, 0, -1]))
    assert ranking.notes == (None,) * 5 + ("not assessable: it has no prediction",)
    assert ranking.rows_M.tolist() == [0, 1, 2, 3, 4]
    assert ranking.order[0] == 2


def test_the_share_of_the_likeliest_other_class_is_told_among_the_others() -> None:
    other_N, share_N = likeliest_other(np.array([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]]), np.array([0, 1]))
    assert other_N.tolist() == [1, 0]
    assert share_N.tolist() == pytest.approx([0.6, 0.0])
