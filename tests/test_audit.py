"""Does the audit find the wrong labels, say why, and refuse what would make it lie?"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_tables as toy
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from tasks import answers, audit, durable, params, store, vectors
from tasks.audit import Params, rank
from tasks.model import FINDINGS, SCORES, Mistake, Verdict

ONE_CORE = Params(threads=1)
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def planted(rate: float, seed: int) -> tuple[vectors.Vectors, IntArray, IntArray, BoolArray]:
    """The 1,797 digits: vectors, given labels, true labels, and which of the given ones are planted errors."""
    x_ND, true_N = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    wrong_N = np.zeros(len(true_N), dtype=bool)
    wrong_N[rng.choice(len(true_N), int(rate * len(true_N)), replace=False)] = True
    given_N = np.where(wrong_N, (true_N + rng.integers(1, 10, len(true_N))) % 10, true_N)
    return toy.located(x_ND / 16), given_N, true_N, wrong_N


def audited(
    place: vectors.Vectors, classes: list[str], parameters: Params = ONE_CORE, near: vectors.Neighbours | None = None
) -> audit.Audit:
    nobody = vectors.Neighbours(np.full((len(classes), 1), -1), np.full((len(classes), 1), np.inf, np.float32))
    return audit.audit(toy.names(len(classes)), toy.labels(classes), place, near or nobody, parameters)


# --- planted noise ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_planted_errors_in_digits_are_found_and_few_others_are_flagged(rate: float) -> None:
    hits = flags = errors = expected = 0.0
    for seed in range(5):
        place, given_N, true_N, wrong_N = planted(rate, seed)
        found = audited(place, [str(label) for label in given_N])
        flagged_N = found.scores["flagged"].to_numpy(dtype=bool)
        hits, flags, errors = hits + (flagged_N & wrong_N).sum(), flags + flagged_N.sum(), errors + wrong_N.sum()
        expected += found.scores["p_wrong"].sum()
        assert average_precision_score(wrong_N, found.scores["severity"]) > 0.95
        assert abs(found.figures["noise_rate"] - rate) < 0.02
        suggested = [text.strip('"') for text in found.scores["suggestion"][flagged_N & wrong_N]]
        right = np.mean([new == str(true) for new, true in zip(suggested, true_N[flagged_N & wrong_N], strict=True)])
        assert right > 0.9
    assert hits / errors >= 0.85, "recall"
    assert hits / flags >= 0.70, "precision"
    assert 0.9 * errors < expected < 1.2 * errors, "p_wrong sums to the number of errors"


def test_a_model_that_has_learnt_the_wrong_labels_by_heart_finds_fewer_of_them() -> None:
    place, given_N, _, wrong_N = planted(0.05, seed=0)
    classes = [str(label) for label in given_N]
    x_ND = vectors.centred(place.x_ND, 300)
    folds_N = audit.fold_ids(toy.names(len(classes)), given_N, 5, 0)
    known = audit.out_of_fold(x_ND, given_N, folds_N, classes=10, scale=5)
    honest = rank(classes, predictions=known, folds=folds_N)
    heart = LogisticRegression(max_iter=500).fit(5 * x_ND, given_N).predict_proba(5 * x_ND)
    fooled = rank(classes, predictions=heart, folds=folds_N)  # folds that these probabilities never had
    recall = {name: (r.flagged_N & wrong_N).sum() / wrong_N.sum() for name, r in (("out", honest), ("in", fooled))}
    assert recall["out"] > 0.85
    assert recall["in"] < recall["out"] - 0.1


# --- what cannot be assessed -----------------------------------------------------------------------------------------


def test_a_class_with_one_example_is_not_assessable_and_never_flagged() -> None:
    classes, x_ND = toy.clusters({"a": 20, "b": 20, "rare": 1})
    found = audited(toy.located(x_ND), classes)
    last = found.scores.iloc[40].to_dict()
    note = "not assessable: 1 example of its class"
    nothing = {"severity": 0.0, "suggestion": None, "p_suggestion": None, "p_wrong": 0.0, "flagged": False, "fold": -1}
    assert last == {"item": "i0040", **nothing, "note": note}
    assert (found.scores["fold"][:40] >= 0).all()
    assert set(found.scores["suggestion"][:40]) == {'"a"', '"b"'}  # nothing was learnt of the rare class
    assert found.notes == ("1 items not assessable: 1 example of its class.",)


def test_copies_under_other_ids_do_not_teach_each_other_s_wrong_label() -> None:
    place, given_N, _, wrong_N = planted(0.05, seed=0)
    twice = np.repeat(np.arange(len(given_N)), 3)
    near = vectors.Neighbours(np.full((len(twice), 1), -1), np.full((len(twice), 1), np.inf, np.float32))
    found = audit.audit(
        toy.names(len(twice)),
        toy.labels([str(label) for label in given_N[twice]]),
        vectors.Vectors(place.x_ND[twice], (None,) * len(twice)),
        near,
        ONE_CORE,
        shows=[str(n) for n in twice],
    )
    flagged_N = found.scores["flagged"].to_numpy(dtype=bool)
    assert flagged_N[wrong_N[twice]].mean() >= 0.85


def test_two_wrong_labels_of_a_class_of_their_own_hide_no_other_error() -> None:
    place, given_N, _, wrong_N = planted(0.1, seed=0)
    classes = [str(label) for label in given_N]
    strange = [*classes]
    for n in np.flatnonzero(~wrong_N)[:2]:
        strange[n] = "ten"
    before, after = audited(place, classes), audited(place, strange)
    same = (before.scores["flagged"] & after.scores["flagged"]).to_numpy(dtype=bool)
    assert same[wrong_N].sum() >= 0.97 * before.scores["flagged"][wrong_N].sum()
    assert [strange[n] for n in np.flatnonzero(after.scores["flagged"]) if strange[n] == "ten"] == ["ten", "ten"]


def test_a_class_with_two_examples_is_assessed() -> None:
    classes, x_ND = toy.clusters({"a": 20, "b": 20, "pair": 2})
    found = audited(toy.located(x_ND), classes)
    assert (found.scores["fold"] >= 0).all()
    assert found.scores["fold"][40] != found.scores["fold"][41]


@pytest.mark.parametrize(
    ("classes", "note"),
    [
        (["a"] * 6, "not assessable: the only class with two examples is a"),
        (["a", "b"], "not assessable: 1 example of its class"),
        (["a", "a", "a", "b", "b", "b"], "not assessable: the model tells the classes no better than"),
    ],
)
def test_one_class_two_items_and_a_blind_embedding_are_stated_and_the_audit_completes(
    classes: list[str], note: str
) -> None:
    same = vectors.Vectors(np.full((len(classes), 3), 3**-0.5, np.float32), (None,) * len(classes))
    found = audited(same, classes)
    assert all(text.startswith(note) for text in found.scores["note"])
    assert found.scores["severity"].tolist() == [0.0] * len(classes)
    assert len(found.findings) == 0
    assert found.notes[0].startswith(f"No label was audited: {len(classes)} items {note}")


def test_all_labels_unknown_is_stated() -> None:
    place = toy.located(np.eye(3))
    nobody = vectors.Neighbours(np.full((3, 1), -1), np.full((3, 1), np.inf, np.float32))
    found = audit.audit(toy.names(3), ["null"] * 3, place, nobody, ONE_CORE)
    assert found.notes == ("No label was audited: 3 items not assessable: its label is unknown.",)
    assert audit.audit([], [], toy.located(np.zeros((0, 3))), nobody, ONE_CORE).notes == (
        "No item has passed the gate.",
    )


def test_a_thousand_classes_of_one_or_two_examples_complete() -> None:
    # Every class on a spot of its own: a pair is near its twin, so the pairs can be told apart.
    spots_KD = np.random.default_rng(0).normal(size=(1000, 16))
    order = [*range(1000), *range(300)]
    classes = [f"c{k}" for k in order]
    found = audited(toy.located(spots_KD[order]), classes, replace(ONE_CORE, scales=(5.0,), max_iter=20))
    assert Counter(found.scores["note"]) == {"not assessable: 1 example of its class": 700, None: 600}
    assert found.figures["accuracy_out_of_fold"] > 0.9
    assert len(found.findings) < 60


def test_a_vector_that_is_missing_zero_not_finite_or_of_another_width_is_named_and_the_others_are_scored(
    tmp_path: Path,
) -> None:
    classes, x_ND = toy.clusters({"a": 20, "b": 20})
    x_ND[3] = 0
    x_ND[5] = np.nan
    items = toy.names(42)
    store.write_vectors(tmp_path / "0001-a.parquet", items[:40], {"pixels": x_ND})
    store.write_vectors(tmp_path / "0002-b.parquet", items[40:41], {"pixels": np.ones((1, 9), np.float32)})
    place = vectors.joint(tmp_path, items)
    found = audited(place, [*classes, "a", "a"])
    notes = {n: note for n, note in enumerate(found.scores["note"]) if note is not None}
    assert notes == {
        3: "not assessable: its vector is zero",
        5: "not assessable: its vector is not finite",
        40: "not assessable: its vector is pixels (9 wide), the others' is pixels (4 wide)",
        41: "not assessable: it has no vector in data/embed",
    }
    assert found.figures["assessed_share"] == pytest.approx(38 / 42, abs=1e-6)
    assert found.figures["accuracy_out_of_fold"] > 0.9


# --- the stage -------------------------------------------------------------------------------------------------------


def workspace(tmp_path: Path) -> tuple[Path, list[str]]:
    """Two clouds of 30, one label of each swapped: i0004 is an `a` called b, i0034 a `b` called a."""
    classes, x_ND = toy.clusters({"a": 30, "b": 30}, spread=0.1)
    classes[4], classes[34] = "b", "a"
    return tmp_path / "data", toy.write(tmp_path / "data", toy.labels(classes), x_ND)


def test_the_stage_writes_scores_findings_noise_and_plots(tmp_path: Path) -> None:
    data, items = workspace(tmp_path)
    report = audit.run(data, ONE_CORE)
    folder = data / "audit"
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion.csv", "confusions.csv", "findings.parquet", "noise.json", "plain.parquet", "probabilities.parquet",
        "scores.parquet", "severity.csv",
    ]  # fmt: skip
    scores = store.read_table(folder / "scores.parquet", SCORES)
    assert scores["item"].tolist() == items
    assert scores["item"][scores["flagged"]].tolist() == ["i0004", "i0034"]
    findings = store.read_table(folder / "findings.parquet", FINDINGS)
    assert findings[["item", "check", "suggestion"]].to_numpy().tolist() == [
        ["i0004", "label_noise_v2", '"a"'],
        ["i0034", "label_noise_v2", '"b"'],
    ]
    assert findings["reason"][0].startswith("5 of its 5 nearest undoubted neighbours are a; the model gives a .9")
    assert (folder / "confusion.csv").read_text() == "given,suggested\nb,a\na,b\n"
    assert (folder / "confusions.csv").read_text() == "given,suggested,count\na,b,1\nb,a,1\n"
    curve = (folder / "severity.csv").read_text().splitlines()
    assert curve[0] == "rank,severity"
    assert [line.split(",")[0] for line in curve[1:]] == [str(n) for n in range(1, 61)]
    assert report.counts == {"items": 60, "assessed": 60, "flagged": 2}
    assert report.figures["noise_rate"] == pytest.approx(2 / 60, abs=1e-4)
    assert report.figures["accuracy_out_of_fold"] == pytest.approx(58 / 60, abs=1e-6)
    told = store.read_json(folder / "noise.json")
    assert told["classes"]["a"] == {"items": 30, "flagged": 1, "noise_rate": pytest.approx(1 / 30, abs=1e-4)}
    assert told["top_confusions"][0] == {"given": "a", "suggested": "b", "count": 1}


def test_the_audit_sees_the_verdicts_and_only_what_passed_the_gate(tmp_path: Path) -> None:
    classes, x_ND = toy.clusters({"a": 30, "b": 30}, spread=0.1)
    classes[4], classes[34] = "b", "a"
    data = tmp_path / "data"
    items = toy.write(data, toy.labels(classes), x_ND, passed=toy.names(60)[:59])
    verdicts = [
        Verdict("op-1", "item:i0004", "relabel", "ann", "2024-05-01T10:00:00Z", y='"a"'),
        Verdict("op-2", "item:i0034", "remove", "ann", "2024-05-01T10:01:00Z"),
    ]
    durable.append(data / "verdicts" / "ann.jsonl", b"".join(answers.line(verdict) for verdict in verdicts))
    report = audit.run(data, ONE_CORE)
    scores = store.read_table(data / "audit" / "scores.parquet", SCORES)
    assert scores["item"].tolist() == [item for item in items[:59] if item != "i0034"]
    assert report.counts == {"items": 58, "assessed": 58, "flagged": 0}


def test_the_same_inputs_give_the_same_scores(tmp_path: Path) -> None:
    data, _ = workspace(tmp_path)
    audit.run(data, ONE_CORE)
    first = store.read_table(data / "audit" / "scores.parquet", SCORES)
    audit.run(data, ONE_CORE)
    again = store.read_table(data / "audit" / "scores.parquet", SCORES)
    assert np.abs(first["severity"] - again["severity"]).max() < 1e-6
    assert first["fold"].tolist() == again["fold"].tolist()


def test_a_workspace_of_which_nothing_passed_completes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    toy.write(data, toy.labels(["a", "b"]), np.eye(2, dtype=np.float32), passed=[])
    report = audit.run(data, ONE_CORE)
    assert report.counts == {"items": 0, "assessed": 0, "flagged": 0}
    assert report.notes == ("No item has passed the gate.",)
    assert (data / "audit" / "confusion.csv").read_text() == "given,suggested\n"


def test_wrong_params_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    for text, sentence in {
        "folds: 1": "2 to 20 is allowed",
        "flag_by: magic": "flag_by: one of p_wrong, prune_by_noise_rate",
        "scales: []": "one or more numbers above 0",
        "fold: 5": "unknown key 'audit.fold'",
    }.items():
        path.write_text(f"audit:\n  {text}\n")
        with pytest.raises(Mistake, match=sentence):
            params.section(path, "audit", Params)
