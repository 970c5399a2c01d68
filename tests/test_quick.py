"""Does the quick method find wrong labels, and is it the same whether a drop was added or all came at once?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import toy_tables as toy
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from tasks import answers, audit, durable, ranking_canaries, store
from tasks.audit import Method, rank
from tasks.confidence import BoolArray
from tasks.model import FINDINGS, Verdict
from tasks.outoffold import FloatArray

QUICK = Method(method="quick", threads=1)


def noisy_digits() -> tuple[FloatArray, BoolArray, list[str]]:
    x_ND, true_N = load_digits(return_X_y=True)
    wrong_N = np.random.default_rng(0).random(len(true_N)) < 0.1
    x_ND = x_ND.astype(np.float32)
    return x_ND, wrong_N, [str(k) for k in np.where(wrong_N, (true_N + 1) % 10, true_N)]


def test_swapped_labels_come_first_under_the_methods_own_name() -> None:
    labels, x_ND = toy.clusters({"a": 30, "b": 30}, spread=0.1)
    labels[4], labels[34] = "b", "a"
    ranking = rank(labels, embeddings=x_ND, method=QUICK)
    assert sorted(ranking.order[:2].tolist()) == [4, 34]
    assert (ranking.suggestions[4], ranking.suggestions[34]) == ("a", "b")
    assert sorted(ranking.judged) == ["label_noise_quick_v1", "label_noise_v1"]
    assert ranking.chosen.check == "label_noise_quick_v1"


def test_digits_are_ranked_well_and_their_noise_is_counted() -> None:
    x_ND, wrong_N, labels = noisy_digits()
    ranking = rank(labels, embeddings=x_ND, method=QUICK)
    assert average_precision_score(wrong_N, ranking.severity_N) > 0.97
    assert abs(ranking.noise_rate - wrong_N.mean()) < 0.03
    tried = ranking_canaries.tried(ranking, QUICK, share=0.05)
    assert [one.check for one in tried] == ["label_noise_quick_v1", "label_noise_v1"]
    assert min(one.recall for one in tried) > 0.8


def test_a_drop_added_to_kept_sums_is_judged_as_if_all_had_come_at_once(tmp_path: Path) -> None:
    x_ND, _, labels = noisy_digits()
    piece = tmp_path / "sums-1"
    rank(labels[:1700], embeddings=x_ND[:1700], method=QUICK, cache=piece)
    refreshed = rank(labels, embeddings=x_ND, method=QUICK, cache=piece)
    whole = rank(labels, embeddings=x_ND, method=QUICK)
    np.testing.assert_allclose(refreshed.p_MK, whole.p_MK, atol=1e-6)
    np.testing.assert_allclose(refreshed.severity_N, whole.severity_N, atol=1e-6)


def test_a_corrected_label_costs_no_product(tmp_path: Path) -> None:
    x_ND, _, labels = noisy_digits()
    piece = tmp_path / "sums-1"
    rank(labels, embeddings=x_ND, method=QUICK, cache=piece)
    written = (piece / "known.json").stat().st_mtime_ns
    labels[0] = "9"
    again = rank(labels, embeddings=x_ND, method=QUICK, cache=piece)
    assert (piece / "known.json").stat().st_mtime_ns == written
    np.testing.assert_allclose(again.p_MK, rank(labels, embeddings=x_ND, method=QUICK).p_MK, atol=1e-6)


def test_the_users_own_model_is_heard_as_loudly_as_both_together() -> None:
    labels, x_ND = toy.clusters({"a": 30, "b": 30}, spread=0.1)
    own_NK = np.tile([0.5, 0.5], (60, 1))
    own_NK[4] = [0.01, 0.99]
    ranking = rank(labels, embeddings=x_ND, predictions=own_NK, folds=np.arange(60) % 5, method=QUICK)
    assert ranking.order[0] == 4
    np.testing.assert_allclose(ranking.plain_MK, own_NK)


@pytest.mark.parametrize("rare", [1, 2, 3])
def test_a_class_of_few_is_judged_or_told_apart(rare: int) -> None:
    labels, x_ND = toy.clusters({"a": 30, "b": 30, "c": rare}, spread=0.1)
    ranking = rank(labels, embeddings=x_ND, method=QUICK)
    assert np.isfinite(ranking.severity_N).all()
    assert (ranking.notes[60] is None) == (rare > 1)


def test_the_stage_judges_a_corrected_label_anew_and_sums_no_item_again(tmp_path: Path) -> None:
    classes, x_ND = toy.clusters({"a": 30, "b": 30}, spread=0.1)
    classes[4] = "b"
    data, params = tmp_path / "data", audit.Params(method="quick", threads=1)
    toy.write(data, toy.labels(classes), x_ND)
    audit.run(data, params)
    flagged = store.read_table(data / "audit" / "findings.parquet", FINDINGS)[["item", "check"]].to_numpy().tolist()
    assert flagged == [["i0004", "label_noise_quick_v1"]]
    (kept,) = (tmp_path / ".assay" / "cache" / "audit").iterdir()
    written = (kept / "known.json").stat().st_mtime_ns
    verdict = Verdict("op-1", "item:i0004", "relabel", "ann", "2024-05-01T10:00:00Z", y='"a"')
    durable.append(data / "verdicts" / "ann.jsonl", answers.line(verdict))
    assert audit.run(data, params).counts["flagged"] == 0
    assert (kept / "known.json").stat().st_mtime_ns == written
