"""Does each check of detect find what was planted for it, say why, and stay quiet about the rest?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import toy_tables as toy
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from tasks import answers, detect, detectors, durable, params, store, vectors
from tasks.detect import Params
from tasks.model import DUPLICATES, FINDINGS, Mistake, Verdict

ONE_CORE = Params(threads=1)


# --- pairs of X and Y ------------------------------------------------------------------------------------------------


def swapped() -> tuple[list[str], vectors.Vectors]:
    """Two clouds of 40; i0004 of the first is labelled as the second."""
    classes, x_ND = toy.clusters({"a": 40, "b": 40}, spread=0.1)
    classes[4] = "b"
    return classes, toy.located(x_ND)


@pytest.mark.parametrize("name", ["KNN", "LOF"])
def test_a_pair_with_the_wrong_label_is_the_oddest_and_its_neighbours_label_is_suggested(name: str) -> None:
    classes, place = swapped()
    one = replace(ONE_CORE, detectors=(name,), neighbours=5)
    found, notes = detect.odd(toy.names(80), toy.labels(classes), place, toy.graph(place), one)
    first = next(row for row in found if row["check"] == f"xy_{name.lower()}_v1")
    assert (first["item"], first["suggestion"]) == ("i0004", '"a"')
    assert first["severity"] > 0.7
    assert first["reason"] == (
        f"With the label b it is number 1 of 80 odd pairs to {name}; 5 of its 5 nearest neighbours are a."
    )
    assert notes == []


def test_neighbours_who_disagree_are_a_finding_with_their_label_as_suggestion() -> None:
    classes, place = swapped()
    one = replace(ONE_CORE, detectors=(), neighbours=5)
    found, _ = detect.odd(toy.names(80), toy.labels(classes), place, toy.graph(place), one)
    assert [row for row in found if row["check"] == "neighbour_disagreement_v1"] == [
        {
            "item": "i0004",
            "check": "neighbour_disagreement_v1",
            "severity": 1.0,
            "reason": "Weighed by closeness, 100% of its nearest neighbours are not b; "
            "5 of its 5 nearest neighbours are a.",
            "suggestion": '"a"',
        }
    ]


def test_a_nearer_neighbour_weighs_more_and_one_without_a_label_not_at_all() -> None:
    index_Nk = np.array([[1, 2, 3], [-1, -1, -1], [0, 1, -1], [2, 1, 0]])
    distance_Nk = np.array([[0, 1, 0], [0, 0, 0], [2, 2, 0], [1, 0, 1]], np.float32)
    share_N, leaders = detect.disagreement(vectors.Neighbours(index_Nk, distance_Nk), ["a", "b", "a", None], 3)
    assert share_N.tolist() == pytest.approx([0.8, 0, 0.5, 0])  # 1 against (1 - 1/2)^2; none; alike; not asked
    assert leaders == ["b", None, "a", None]


def test_neighbour_methods_see_wrong_labels_and_marginal_ones_are_at_chance() -> None:
    x_ND, true_N = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    wrong_N = rng.random(len(true_N)) < 0.05
    given_N = np.where(wrong_N, (true_N + rng.integers(1, 10, len(true_N))) % 10, true_N)
    pair_ND = np.concatenate(
        [vectors.centred(toy.located(x_ND).x_ND, 64), np.eye(10, dtype=np.float32)[given_N]], axis=1
    )
    area = {name: roc_auc_score(wrong_N, detectors.anomaly(pair_ND, name, ONE_CORE)) for name in detectors.DETECTORS}
    assert min(area["KNN"], area["LOF"]) > 0.95
    assert all(0.4 < area[name] < 0.65 for name in detectors.AT_CHANCE), area
    assert area["CBLOF"] > max(area[name] for name in detectors.AT_CHANCE)


def test_a_detector_at_chance_may_be_chosen_and_the_report_says_so() -> None:
    classes, place = swapped()
    one = replace(ONE_CORE, detectors=("ECOD",))
    _, notes = detect.odd(toy.names(80), toy.labels(classes), place, toy.graph(place), one)
    assert notes == ["ECOD is at chance on pairs: a wrong label is normal in each marginal. Prefer KNN or LOF."]


def test_an_unknown_detector_is_a_mistake_that_lists_the_allowed_ones(tmp_path: Path) -> None:
    allowed = "CBLOF, COPOD, ECOD, HBOS, IForest, KNN, LODA, LOF, PCA"
    with pytest.raises(Mistake, match=f"Unknown detector 'KMN'. Detectors are: {allowed}"):
        detectors.detector("KMN", items=9, neighbours=3, threads=1, seed=0)
    path = tmp_path / "params.yaml"
    path.write_text("detect:\n  detectors: [KNN, os.system]\n")
    with pytest.raises(Mistake, match=f"detector 'os.system': one of {allowed} is allowed"):
        params.section(path, "detect", Params)


def test_above_max_items_the_rest_is_scored_against_a_sample() -> None:
    rng = np.random.default_rng(0)
    x_ND = rng.normal(size=(300, 4)).astype(np.float32)
    x_ND[7] = 9
    whole, sampled = (detectors.anomaly(x_ND, "KNN", replace(ONE_CORE, max_items=most)) for most in (300, 150))
    assert np.argmax(whole) == np.argmax(sampled) == 7
    assert np.corrcoef(whole, sampled)[0, 1] > 0.9
    assert sampled.min() > 0  # nobody is its own neighbour
    assert sampled.tolist() == detectors.anomaly(x_ND, "KNN", replace(ONE_CORE, max_items=150)).tolist()


# --- outliers and the scale of severities ----------------------------------------------------------------------------


def test_an_item_unlike_all_others_is_an_outlier_without_a_suggestion() -> None:
    rng = np.random.default_rng(0)
    x_ND = rng.normal([1, 0, 0], 0.05, (50, 3))
    x_ND[8] = [-1, 0.5, 0.2]
    place = toy.located(x_ND)
    found, _ = detect.odd(toy.names(50), toy.labels(["a"] * 50), place, toy.graph(place), ONE_CORE)
    assert [row for row in found if row["severity"] > 0.8] == [
        {
            "item": "i0008",
            "check": "outlier_v1",
            "severity": found[0]["severity"],
            "reason": "It is unlike the other items: number 1 of 50 to KNN.",
            "suggestion": None,
        }
    ]


def test_severity_is_a_half_at_three_robust_deviations_and_keeps_the_order() -> None:
    # The median is 0 and the median distance from it 1, so one robust deviation is 1.4826.
    scores = np.array([-1, -1, 0, 1, 1, 3, -3, 300, -300]) * np.array([1, 1, 1, 1, 1, 1.4826, 1.4826, 1.4826, 1.4826])
    severity = detectors.severity(scores)
    assert severity.tolist() == pytest.approx([0, 0, 0, 1 / 5.4478, 1 / 5.4478, 0.5, 0, 300 / 303, 0])


def test_equal_scores_and_scores_that_are_not_finite_have_severity_0() -> None:
    assert detectors.severity(np.full(4, 7.0)).tolist() == [0, 0, 0, 0]
    assert detectors.severity(np.full(2, np.nan)).tolist() == [0, 0]
    assert detectors.severity(np.array([1.0, 1, 1, 5, np.nan]))[-1] == 0
    assert detectors.severity(np.array([1.0, 1, 1, 5, np.nan]))[3] > 0  # the MAD is 0, the mean deviation is not


def test_at_most_the_stated_share_is_notable_worst_first() -> None:
    severity = np.array([0.6, 0.9, 0.4, 0.7, 0.0])
    assert detectors.notable(severity, 0.5, 0.4) == [1, 3]
    assert detectors.notable(severity, 0.5, 0.5) == [1, 3, 0]
    assert detectors.notable(np.zeros(3), 0.0, 0.5) == []


@pytest.mark.parametrize("name", detectors.DETECTORS)
def test_identical_vectors_stop_no_detector(name: str) -> None:
    same = toy.located(np.ones((30, 3)))
    one = replace(ONE_CORE, detectors=(name,), outlier="KNN")
    found, notes = detect.odd(toy.names(30), toy.labels(["a", "b"] * 15), same, toy.graph(same), one)
    assert [row["check"] for row in found if row["check"] == "outlier_v1"] == []
    assert all(0 <= row["severity"] <= 1 for row in found)
    assert all(note.startswith((f"{name} is at chance", f"Detector '{name}' cannot fit 30 items")) for note in notes)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_items_are_stated_and_nothing_is_found(count: int) -> None:
    place = toy.located(np.eye(max(count, 1))[:count])
    near = vectors.Neighbours(np.full((count, 1), -1), np.full((count, 1), np.inf, np.float32))
    assert detect.odd(toy.names(count), toy.labels(["a", "b"][:count]), place, near, ONE_CORE) == (
        [],
        [f"Only {count} items have vectors; 3 are needed to call one odd."],
    )


def test_one_class_has_no_odd_pairs_and_unknown_labels_have_none_either() -> None:
    place = toy.located(np.random.default_rng(0).normal(size=(20, 3)))
    for ys in (toy.labels(["a"] * 20), ["null"] * 20):
        found, notes = detect.odd(toy.names(20), ys, place, toy.graph(place), ONE_CORE)
        assert {row["check"] for row in found} <= {"outlier_v1"}
        assert notes == ["Pairs were not looked at: they need three labelled items and two classes."]


def test_a_distance_too_wide_for_the_embedder_is_noted() -> None:
    place = toy.located(np.random.default_rng(0).normal([9, 0, 0], 0.1, (20, 3)))
    rows = {"item": toy.names(20), "asset": toy.names(20), "region": None, "y": '"a"', "split": ""}
    manifest = pd.DataFrame(rows)
    _, notes = detect.doubled(manifest, store.frame(DUPLICATES), toy.graph(place), ONE_CORE)
    assert notes == ["20 of 20 items have a near-duplicate: lower detect.near_distance."]


# --- the stage -------------------------------------------------------------------------------------------------------


def test_the_stage_writes_findings_by_check_worst_first_and_counts_them(tmp_path: Path) -> None:
    classes, x_ND = toy.clusters({"a": 40, "b": 40}, spread=0.1)
    classes[4], classes[50] = "b", "a"
    x_ND[3] = x_ND[2]
    assets = [f"sha{n}" for n in range(80)]
    assets[3] = assets[2]
    data = tmp_path / "data"
    again = {"drop": "0002-x", "source": "l.csv:2", "item": "i0000", "duplicate_of": "0001-a/l.csv:2", "y": '"b"'}
    splits = ["test" if n == 3 else "train" for n in range(80)]
    toy.write(data, toy.labels(classes), x_ND, assets=assets, splits=splits, duplicates=[again])
    verdict = Verdict("op-1", "item:i0050", "relabel", "ann", "2024-05-01T10:00:00Z", y='"b"')
    durable.append(data / "verdicts" / "ann.jsonl", answers.line(verdict))
    report = detect.run(data, ONE_CORE)
    found = store.read_table(data / "detect" / "findings.parquet", FINDINGS)
    checks = found["check"].tolist()
    assert checks == sorted(checks)
    first = {check: item for check, item in reversed(list(zip(checks, found["item"], strict=True)))}
    assert first["exact_duplicate_v1"] == first["leakage_v1"] == "i0003"
    assert first["label_conflict_v1"] == "i0000"
    assert first["neighbour_disagreement_v1"] == first["xy_knn_v1"] == first["xy_lof_v1"] == "i0004"
    assert "i0050" not in found["item"][found["check"] == "neighbour_disagreement_v1"].tolist()  # it was answered
    assert report.counts["items"] == 80
    assert report.counts["findings"] == len(found) == sum(report.counts[check] for check in set(checks))
    assert not found.duplicated(["item", "check"]).any()


def test_items_without_a_usable_vector_or_a_graph_row_are_named_and_the_others_are_looked_at(tmp_path: Path) -> None:
    classes, x_ND = toy.clusters({"a": 30, "b": 30}, spread=0.1)
    classes[4] = "b"
    x_ND[9] = np.nan
    data = tmp_path / "data"
    toy.write(data, toy.labels(classes), x_ND)
    report = detect.run(data, ONE_CORE)
    assert report.notes == ("1 items were not looked at: its vector is not finite.",)
    found = store.read_table(data / "detect" / "findings.parquet", FINDINGS)
    assert found["item"][found["check"] == "xy_knn_v1"].tolist()[0] == "i0004"
    assert "i0009" not in found["item"].tolist()


def test_a_workspace_of_which_nothing_passed_completes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    toy.write(data, toy.labels(["a", "b", "a"]), np.eye(3, dtype=np.float32), passed=[])
    report = detect.run(data, ONE_CORE)
    assert report.counts == {"items": 0, "findings": 0}
    assert len(store.read_table(data / "detect" / "findings.parquet", FINDINGS)) == 0


def test_planted_errors_are_found_by_the_checks_that_see_the_label(tmp_path: Path) -> None:
    classes, x_ND = toy.clusters({"a": 100, "b": 100, "c": 100}, spread=0.1)
    data = tmp_path / "data"
    toy.write(data, toy.labels(classes), x_ND)
    inputs = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    detect.run(data, ONE_CORE)
    told = store.read_json(data / "detect" / "canaries.json")["canaries"]
    assert [row["check"] for row in told] == ["neighbour_disagreement_v1", "xy_knn_v1", "xy_lof_v1"]
    assert all(row["kinds"]["uniform"]["planted"] == 5 for row in told)
    assert told[0]["recall"] == told[1]["recall"] == 1.0
    found = store.read_table(data / "detect" / "findings.parquet", FINDINGS)
    assert "neighbour_disagreement_v1" not in set(found["check"])  # nothing was wrong, and the copy is gone
    assert {path: path.read_bytes() for path in inputs} == inputs
