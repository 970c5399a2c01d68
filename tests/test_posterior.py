"""Is the share of wrong labels learnt from probabilities that are too flat, and from labels alone?"""

from __future__ import annotations

import numpy as np
import pytest

from tasks import combined, posterior
from tasks.outoffold import IntArray, ProbabilityArray
from tasks.subset import some


def labelled(
    wrong: float, *, flat: float, one_way: bool = False, count: int = 4000, classes: int = 4
) -> tuple[ProbabilityArray, IntArray, IntArray]:
    """Probabilities of a model that knows P(true | x) and tells its `flat`-th power, given labels, true labels."""
    rng = np.random.default_rng(0)
    true_p_NK = rng.dirichlet(np.full(classes, 0.15), count)
    true_N = np.array([rng.choice(classes, p=p_K) for p_K in true_p_NK])
    away_N = np.ones(count, dtype=np.int64) if one_way else rng.integers(1, classes, count)
    given_N = np.where(rng.random(count) < wrong, (true_N + away_N) % classes, true_N)
    told_NK = np.maximum(true_p_NK, 1e-9) ** flat
    return told_NK / told_NK.sum(axis=1, keepdims=True), given_N, true_N


@pytest.mark.parametrize("flat", [1.0, 0.5])
@pytest.mark.parametrize(("wrong", "one_way"), [(0.0, False), (0.1, False), (0.2, True)])
def test_the_rate_is_found_whatever_the_noise_and_however_flat_the_probabilities(
    wrong: float, one_way: bool, flat: float
) -> None:
    p_NK, given_N, true_N = labelled(wrong, flat=flat, one_way=one_way)
    found = posterior.posterior(p_NK, given_N)
    assert abs(found.rate - float((given_N != true_N).mean())) < 0.02
    assert found.power == pytest.approx(1 / flat, rel=0.2)


def test_a_way_in_which_labels_go_wrong_is_learnt() -> None:
    p_NK, given_N, _ = labelled(0.2, flat=1.0, one_way=True)
    spread_KK = posterior.posterior(p_NK, given_N).spread_KK
    assert spread_KK.sum(axis=1).tolist() == pytest.approx([1.0] * 4)
    assert all(spread_KK[k].argsort()[-2] == (k + 1) % 4 for k in range(4))


def test_a_judgement_spans_what_its_parts_say_and_flags_above_a_half() -> None:
    p_NK, given_N, true_N = labelled(0.1, flat=1.0)
    flatter_NK, _, _ = labelled(0.1, flat=0.6)
    judged = posterior.judge(p_NK, (flatter_NK,), given_N)
    low, high = judged.interval
    assert low < float((given_N != true_N).mean()) < high
    assert low < judged.noise_rate < high
    assert judged.flagged_N.tolist() == (judged.p_wrong_N > 0.5).tolist()
    assert (judged.p_suggestion_N <= judged.p_wrong_N + 1e-12).all()
    assert (judged.suggestion_N != given_N).all()
    assert ((judged.severity_N >= 0) & (judged.severity_N <= 1)).all()
    hits = (true_N == judged.suggestion_N)[judged.flagged_N]
    assert judged.p_suggestion_N[judged.flagged_N].mean() == pytest.approx(hits.mean(), abs=0.08)


def test_a_class_that_nobody_was_given_and_two_items_complete() -> None:
    p_NK = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    found = posterior.posterior(p_NK, np.array([0, 1]))
    assert np.isfinite(found.wrong_N).all()
    assert found.spread_KK.shape == (3, 3)


def test_few_errors_under_a_sure_model_are_not_lost() -> None:
    """A rate that has once come to 0 would stay there: 5 of 5,000 labels are wrong, and the model knows."""
    true_N = np.arange(5000) % 5
    p_NK = np.full((5000, 5), 1e-5)
    p_NK[np.arange(5000), true_N] = 1 - 4e-5
    given_N = true_N.copy()
    given_N[:5] = (given_N[:5] + 1) % 5
    found = posterior.posterior(p_NK, given_N)
    assert (found.wrong_N[:5] > 0.5).all()
    assert found.wrong_N[5:].max() < 0.01
    low, high = posterior.judge(p_NK, (), given_N).interval
    assert low < 0.001 < high


def test_labels_that_come_in_turns_are_tempered_as_shuffled_ones() -> None:
    """Every 10th of 0 1 .. 9 0 1 .. is a 0; here 0 is easy and the others are hard."""
    rng = np.random.default_rng(0)
    given_N = np.arange(50_000) % 10
    score_NK = rng.normal(size=(len(given_N), 10)).astype(np.float32)
    score_NK[np.arange(len(given_N)), given_N] += np.where(given_N == 0, 6, 1)
    order = rng.permutation(len(given_N))
    shuffled_NK = combined.tempered(score_NK[order], given_N[order])
    assert np.abs(combined.tempered(score_NK, given_N)[order] - shuffled_NK).max() < 0.03


def test_some_rows_are_of_every_class_though_the_classes_come_in_turns() -> None:
    rows = some(50_000, 5_000)
    assert len(rows) == 5_000 and (np.diff(rows) > 0).all()
    assert np.bincount(rows % 10).min() > 400
    assert some(3, 10).tolist() == [0, 1, 2]
