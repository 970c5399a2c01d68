"""Do canaries fall where the audit is blind, and do they stay in their cage?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import toy_tables as toy
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.tree import DecisionTreeClassifier

from tasks import audit, canaries, ranking_canaries, store
from tasks.confidence import confident_learning
from tasks.model import SCORES
from tasks.outoffold import FloatArray, IntArray

METHOD = audit.Method(threads=1)


def digits() -> tuple[list[str], FloatArray, IntArray]:
    x_ND, true_N = load_digits(return_X_y=True)
    return [str(k) for k in true_N], (x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True)).astype(np.float32), true_N


def planted(given_N: IntArray, share: float = 0.06) -> tuple[IntArray, NDArray[np.object_]]:
    calm = np.zeros(len(given_N), dtype=bool)
    return canaries.plant(given_N, (given_N + 1) % 10, calm, 10, share=share, seed=0)


def test_a_third_of_each_kind_is_planted_and_every_one_of_them_is_wrong() -> None:
    given_N = np.arange(900) % 10
    shadow_N, kind_N = planted(given_N)
    assert [int((kind_N == kind).sum()) for kind in canaries.KINDS] == [18, 18, 18]
    assert (shadow_N != given_N).tolist() == (kind_N != "").tolist()
    assert (shadow_N == (given_N + 1) % 10)[kind_N == "pair"].all()
    assert len(set(given_N[kind_N == "one class"])) == 1
    assert len(set(shadow_N[kind_N == "one class"])) > 1


def test_labels_in_doubt_are_left_alone_and_small_sets_have_no_canaries() -> None:
    given_N = np.arange(900) % 10
    doubted = given_N < 5
    shadow_N, _ = canaries.plant(given_N, (given_N + 1) % 10, doubted, 10, share=0.1, seed=0)
    assert (shadow_N[doubted] == given_N[doubted]).all()
    few = np.arange(canaries.FEWEST - 1) % 10
    assert (planted(few)[0] == few).all()


def test_an_audit_of_clean_digits_finds_nearly_all_canaries_by_every_check() -> None:
    labels, x_ND, _ = digits()
    ranking = audit.rank(labels, embeddings=x_ND, method=METHOD)
    results = ranking_canaries.tried(ranking, METHOD, share=0.06)
    assert [one.check for one in results] == ["label_noise_v2", "label_noise_v1"]
    for one in results:
        assert sum(one.planted.values()) == 105
        assert one.recall > 0.8
        assert one.precision > 0.8
        assert one.told()["kinds"]["uniform"]["planted"] == 35


def test_in_sample_probabilities_make_the_canaries_fall() -> None:
    """A model that has learnt the shadow's labels by heart agrees with them."""
    _, x_ND, given_N = digits()

    def by_heart(labels_N: IntArray) -> dict[str, canaries.BoolArray]:
        model = DecisionTreeClassifier(random_state=0).fit(x_ND, labels_N)
        return {"by heart": confident_learning(model.predict_proba(x_ND), labels_N).flagged_N}

    def held_out(labels_N: IntArray) -> dict[str, canaries.BoolArray]:
        folds_N = audit.fold_ids([str(n) for n in range(len(x_ND))], labels_N, 5, 0)
        p_NK = audit.out_of_fold(x_ND, labels_N, folds_N, classes=10, scale=5)
        return {"held out": confident_learning(p_NK, labels_N).flagged_N}

    shadow_N, kind_N = planted(given_N)
    (fooled,) = canaries.tried(by_heart(given_N), shadow_N, kind_N, by_heart)
    (honest,) = canaries.tried(held_out(given_N), shadow_N, kind_N, held_out)
    assert honest.recall > 0.9
    assert fooled.recall < 0.3
    assert canaries.notes([fooled], "by heart", 0.3)[0].startswith(
        f"Canaries fell: by heart found {sum(fooled.found.values())} of 105 wrong labels that were planted in a copy"
    )
    assert canaries.notes([honest], "held out", 0.3) == ()


def workspace(tmp_path: Path) -> Path:
    classes, x_ND = toy.clusters({"a": 60, "b": 60}, spread=0.1)
    classes[4], classes[70] = "b", "a"
    toy.write(tmp_path / "data", toy.labels(classes), x_ND)
    return tmp_path / "data"


def test_no_canary_reaches_a_file_that_another_stage_reads(tmp_path: Path) -> None:
    data = workspace(tmp_path)
    inputs = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    report = audit.run(data, audit.Params(threads=1, canaries=0.3))
    assert report.figures["canary_recall"] > 0.8
    with_canaries = {p.name: p.read_bytes() for p in (data / "audit").iterdir() if p.name != "noise.json"}
    assert {path: path.read_bytes() for path in inputs} == inputs
    without = audit.run(data, audit.Params(threads=1, canaries=0.0))
    assert {p.name: p.read_bytes() for p in (data / "audit").iterdir() if p.name != "noise.json"} == with_canaries
    assert "canary_recall" not in without.figures
    scores = store.read_table(data / "audit" / "scores.parquet", SCORES)
    assert scores["item"][scores["flagged"]].tolist() == ["i0004", "i0070"]


@pytest.mark.parametrize(("share", "sentence"), [(0.31, "canaries: 0 to .3"), (-0.1, "canaries: 0 to .3")])
def test_a_share_that_would_drown_the_labels_is_refused(share: float, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        audit.Params(canaries=share)


def test_few_canaries_prove_little() -> None:
    def of(planted: int, found: int) -> canaries.Tried:
        return canaries.Tried("c", {"uniform": planted}, {"uniform": found}, 0)

    assert canaries.notes([of(3, 0)], "c", 0.3) == ()
    assert len(canaries.notes([of(12, 0)], "c", 0.3)) == 1
    assert canaries.notes([of(12, 0)], "another", 0.3) == ()
    assert of(100, 50).recall_at_most == pytest.approx(0.596, abs=1e-3)
