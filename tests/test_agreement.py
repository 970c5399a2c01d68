"""Are agreement, its intervals and the effect of each remedy right, and is the promise kept on planted errors?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from flows.agreement_section import agreement_section
from flows.report import write_report
from tasks import agreement, outoffold, store, study_curve, vectors, versions
from tasks.agreement import Audited, Remedy, by_class
from tasks.model import MANIFEST, QUEUE, SCORES, Mistake, label_json
from tasks.study_agreement import agreement_now


def audited(
    given: str, said: str, p: float = 0.9, p_wrong: float = 0.5, queued: bool = True, classes: str = "abc"
) -> Audited:
    """One letter an item: its given class, and the class to which the model gives `p`; the rest is shared evenly."""
    column = {name: k for k, name in enumerate(classes)}
    given_N = np.array([column[name] for name in given])
    p_NK = np.full((len(given), len(classes)), (1 - p) / (len(classes) - 1))
    p_NK[np.arange(len(given)), [column[name] for name in said]] = p
    items = tuple(f"i{n}" for n in range(len(given)))
    return Audited(items, tuple(classes), given_N, p_NK, np.full(len(given), p_wrong), np.full(len(given), queued))


def test_agreement_of_a_class_is_told_both_ways_with_the_class_it_is_confused_with() -> None:
    one = audited("aaaabbbc", "aabcbbac")
    told = {each.name: each for each in by_class(one.classes, one.given_N, one.said_N, {"a": 0.25})}
    a = told["a"]
    assert (a.given.hits, a.given.of) == (2, 4)
    assert (a.said.hits, a.said.of) == (2, 3)
    assert (a.other, a.there, a.back, a.noise) == ("b", 1, 1, 0.25)
    assert (told["c"].given.value, told["c"].said.value, told["c"].other) == (1.0, 0.5, None)
    assert [each.name for each in by_class(one.classes, one.given_N, one.said_N)] == ["a", "b", "c"]  # lowest first


def test_relabelling_turns_disagreement_into_agreement_and_agreement_into_disagreement() -> None:
    one = audited("aaab", "abba", p=0.8, p_wrong=0.5)
    told = {remedy.classes: remedy for remedy in agreement.relabel(one)}
    # i0 agrees: -.5. i1, i2: .5 that it is wrong, times .8 / (1 - .1) that the truth is what the model says.
    assert told[("a",)].gain == pytest.approx(-0.5 + 2 * 0.5 * 0.8 / 0.9)
    assert told[("b",)].gain == pytest.approx(0.5 * 0.8 / 0.9)
    assert told[("a",)].cost == 3
    assert "Answer the 3 queued items given a: perhaps 2 of their labels" in told[("a",)].says  # 25 % agreement
    assert agreement.relabel(replace(one, queued_N=np.zeros(4, dtype=bool))) == []


def test_a_line_drawn_in_two_ways_is_found_and_a_habit_in_one_direction_is_not() -> None:
    both = audited("a" * 20 + "b" * 20, "a" * 15 + "b" * 5 + "b" * 15 + "a" * 5)
    (pair,) = agreement.clearer_instructions(both)
    assert pair.classes == ("a", "b")
    assert pair.cost == 10
    assert pair.gain == pytest.approx(10 * 0.5 * 0.9 / 0.95)
    assert "5 given a are surely b to the model, 5 the other way" in pair.says
    assert [one for one in pair.examples if int(one[1:]) < 20] == list(pair.examples[:4])  # half of each direction
    habit = audited("a" * 20 + "b" * 20, "a" * 10 + "b" * 10 + "b" * 19 + "a")
    assert agreement.clearer_instructions(habit) == []
    rates = audited("a" * 200 + "b" * 20, "a" * 195 + "b" * 5 + "b" * 15 + "a" * 5)  # 2.5 % there, 25 % back
    assert agreement.clearer_instructions(rates) == []


def test_a_model_that_is_not_sure_blames_no_instructions() -> None:
    unsure = audited("a" * 20 + "b" * 20, "a" * 15 + "b" * 5 + "b" * 15 + "a" * 5, p=0.5)
    assert agreement.clearer_instructions(unsure) == []


def test_remedies_are_ranked_by_what_they_bring_and_what_brings_nothing_is_left_out() -> None:
    told = [Remedy("relabel", (name,), gain, 0.0, 1.0, cost, "") for name, gain, cost in
            (("a", 2.0, 9), ("b", 5.0, 9), ("c", -1.0, 9), ("d", 2.0, 3))]  # fmt: skip
    assert [one.classes[0] for one in agreement.ranked(told)] == ["b", "d", "a"]


def test_a_weak_model_makes_every_promise_a_guess() -> None:
    weak, strong = audited("aaaaabbbbb", "aaabbbbbab"), audited("aaaaabbbbb", "aaaabbbbbb")
    assert agreement.caution(strong) is None
    assert "agrees with 70 % of the labels only" in str(agreement.caution(weak))


def test_what_is_not_finite_or_does_not_fit_is_refused() -> None:
    one = audited("ab", "ab")
    with pytest.raises(Mistake, match="not finite"):
        replace(one, p_NK=one.p_NK * np.nan)
    with pytest.raises(Mistake, match=r"shape \(2, 2\)\. Items and classes need \(2, 3\)"):
        replace(one, p_NK=one.p_NK[:, :2])


# --- planted errors: is the promise kept? ---


def planted(share: float, seed: int = 0) -> tuple[store.FloatArray, outoffold.IntArray, outoffold.IntArray]:
    """1,200 digits as unit vectors, their true classes, and the given ones with a share of planted errors."""
    bunch = load_digits()
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(bunch.target))[:1200]
    x_ND = vectors.centred(bunch.data[rows].astype(np.float32), 64)
    true_N = bunch.target[rows].astype(np.int64)
    given_N = true_N.copy()
    wrong = rng.permutation(1200)[: round(share * 1200)]
    given_N[wrong] = (true_N[wrong] + rng.integers(1, 10, len(wrong))) % 10
    return x_ND, true_N, given_N


def test_answering_the_queue_brings_what_relabelling_promised() -> None:
    x_ND, true_N, given_N = planted(0.08)
    folds_N = np.arange(1200) % 5
    p_NK = outoffold.out_of_fold(x_ND, given_N, folds_N, classes=10, scale=5.0)
    given_p = p_NK[np.arange(1200), given_N]
    queued = given_p < 0.3
    classes = tuple("0123456789")
    # a p_wrong that is right on average: the share of wrong labels in the queue, outside none
    p_wrong = np.where(queued, (given_N != true_N)[queued].mean(), 0.0)
    one = Audited(tuple(f"d{n}" for n in range(1200)), classes, given_N, p_NK, p_wrong, queued)
    promised = sum(remedy.gain for remedy in agreement.relabel(one))
    answered = np.where(queued, true_N, given_N)
    brought = int((one.said_N == answered).sum() - (one.said_N == given_N).sum())
    assert brought > 60
    assert 0.7 * brought < promised < brought  # flat probabilities promise too little, never too much
    exact = replace(one, p_said_N=np.where(queued, (queued & (one.said_N == true_N)).sum() / queued.sum(), 0.0))
    assert sum(remedy.gain for remedy in agreement.relabel(exact)) == pytest.approx(brought, rel=0.1)


def test_more_data_is_promised_where_the_curve_falls_surely_and_to_no_class_that_is_plain() -> None:
    rng = np.random.default_rng(0)
    centres = np.zeros((3, 120))
    centres[0, 0] = 8  # plain to see
    centres[2, 1:] = 0.5  # two hundred items do not suffice to tell it from class 1, whose centre is 0
    given_N = np.repeat([0, 1, 2], 200)
    x_ND = (centres[given_N] + rng.normal(size=(600, 120))).astype(np.float32)
    found, none = study_curve.curves(x_ND, given_N, np.arange(600) % 5, ("plain", "one", "other"))
    remedies, flat = study_curve.more_data(found)
    assert remedies[0].classes == ("all classes",)
    assert remedies[0].cost == 600
    assert remedies[0].says.startswith("Label as many items again, 600 of all classes.")
    whole = found[0]
    assert whole.disagree[0] > whole.disagree[1] > whole.disagree[2]
    assert 0 < whole.low < whole.gain < whole.disagree[2]
    assert "plain" in flat | none
    assert set(flat.values()) <= {
        "no gain can be claimed: its interval crosses 0",
        "twice as many would bring less than one item",
    }


def test_a_doubling_brings_what_was_foretold() -> None:
    rng = np.random.default_rng(1)
    centres = np.zeros((2, 64))
    centres[1] = 0.3
    given_N = np.tile([0, 0, 0, 1], 400)
    x_ND = (centres[given_N] + rng.normal(size=(1600, 64))).astype(np.float32)
    folds_N = np.arange(1600) // 4 % 5
    half = slice(0, 800)
    told = study_curve.curves(x_ND[half], given_N[half], folds_N[half], ("a", "b"))[0][0]
    whole = study_curve.curves(x_ND, given_N, folds_N, ("a", "b"))[0][0]
    came = (whole.disagree[1] - whole.disagree[2]) / 2  # from 800 to 1,600 items, for each 800 of them
    assert told.name is None
    assert told.gain > 5
    assert told.low <= came <= told.high


def test_a_gain_is_at_most_the_disagreements_that_are_not_expected_to_be_wrong_labels() -> None:
    rng = np.random.default_rng(1)
    given_N = np.repeat([0, 1], 200)
    x_ND = (rng.normal(size=(400, 64)) + 0.3 * given_N[:, None]).astype(np.float32)
    folds_N, classes = np.arange(400) % 5, ("a", "b")
    model_N = given_N.copy()
    model_N[:8] = 1  # the audit's model disagrees on eight items of a
    p_wrong_N = np.where(np.arange(400) < 6, 1.0, 0.0)  # six of them are surely wrong labels
    free = study_curve.curves(x_ND, given_N, folds_N, classes)[0][0]
    told = study_curve.curves(x_ND, given_N, folds_N, classes, model_N=model_N, p_wrong_N=p_wrong_N)[0][0]
    assert free.high > 8
    assert told.high <= 2
    assert told.gain < free.gain


def test_a_class_of_few_items_is_not_assessable_and_a_class_without_disagreement_needs_nothing() -> None:
    x_ND = np.repeat(np.eye(3, dtype=np.float32), [50, 50, 5], axis=0)
    found, none = study_curve.curves(x_ND, np.repeat([0, 1, 2], [50, 50, 5]), np.arange(105) % 5, ("a", "b", "c"))
    assert found == []
    assert none == {
        "all classes": "no disagreement",
        "a": "no disagreement",
        "b": "no disagreement",
        "c": "not assessable: 5 examples",
    }


# --- in a workspace ---


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """300 digits with 10 % planted errors, as the audit and triage leave them; no probabilities kept."""
    ws = tmp_path / "ws"
    versions.init(ws)
    data = ws / "data"
    x_ND, true_N, given_N = planted(0.1)
    x_ND, true_N, given_N = x_ND[:300], true_N[:300], given_N[:300]
    items = [f"d{n:04d}" for n in range(300)]
    rows: list[dict[str, Any]] = [
        {"item": item, "asset": item, "shard": "0001-toy/assets-0000.parquet", "row": n, "y": label_json(str(y)),
         "split": "train", "drop": "0001-toy", "source": f"labels.csv:{n + 2}"}
        for n, (item, y) in enumerate(zip(items, given_N, strict=True))
    ]  # fmt: skip
    store.write_table(data / "ingest/manifest/0001-toy.parquet", MANIFEST, store.frame(MANIFEST, rows))
    store.write_vectors(data / "embed/vectors/0001-toy.parquet", items, {"whole": x_ND})
    wrong = given_N != true_N
    scores: list[dict[str, Any]] = [
        {"item": item, "severity": float(bad), "suggestion": label_json(str(y)), "p_wrong": 0.9 if bad else 0.01,
         "flagged": bool(bad), "fold": n % 5}
        for n, (item, y, bad) in enumerate(zip(items, true_N, wrong, strict=True))
    ]  # fmt: skip
    scores[0] |= {"fold": -1, "note": "not assessable: 1 example of its class"}
    store.write_table(data / "audit/scores.parquet", SCORES, store.frame(SCORES, scores))
    store.write_json(data / "audit/noise.json", {"scale": 5.0, "classes": {"7": {"items": 30, "noise_rate": 0.1}}})
    queue = [
        {"item": item, "rank": n + 1, "p_wrong": 0.9, "severity": 1.0, "checks": "label_noise_v1", "reason": "",
         "y": label_json(str(given_N[int(item[1:])])), "suggestion": None}
        for n, item in enumerate(item for item, bad in zip(items, wrong, strict=True) if bad)
    ]  # fmt: skip
    store.write_table(data / "triage/queue.parquet", QUEUE, store.frame(QUEUE, queue))
    return ws


def test_agreement_of_a_workspace_is_computed_with_the_audits_folds_where_it_kept_no_probabilities(
    workspace: Path,
) -> None:
    found = agreement_now(workspace, curves=False)
    assert found["items"] == 299  # the one that was not assessed is not among them
    assert 0.75 < found["agreement"]["value"] < 0.95
    assert sum(one["items"] for one in found["classes"]) == 299
    assert next(one["noise"] for one in found["classes"] if one["name"] == "7") == 0.1
    first = found["remedies"][0]
    assert first["kind"] == "relabel"
    assert first["points"] == pytest.approx(100 * first["gain"] / 299)
    assert first["gain"] == max(one["gain"] for one in found["remedies"])
    json.dumps(found, allow_nan=False)


def test_probabilities_that_the_audit_kept_are_used_by_the_names_of_their_classes(workspace: Path) -> None:
    names = [f"d{n:04d}" for n in range(300)]
    p_NK = np.zeros((300, 11), np.float32)
    p_NK[:, 4] = 1.0  # 3: the classes of the audit begin with one that no item has any more
    store.write_vectors(workspace / "data/audit/probabilities.parquet", names[::-1], {"p": p_NK})
    classes = {name: {"items": 30, "noise_rate": 0.0} for name in ("-", *"0123456789")}
    store.write_json(workspace / "data/audit/noise.json", {"classes": classes})
    found = agreement_now(workspace, curves=False)
    told = {one["name"]: one for one in found["classes"]}
    assert told["3"]["given"]["value"] == 1.0  # the model says 3 to everything
    assert {one["given"]["hits"] for name, one in told.items() if name != "3"} == {0}
    assert found["agreement"]["hits"] == told["3"]["items"]
    assert agreement_section(workspace) is not None  # kept probabilities are told without being asked


def test_the_report_shows_a_study_of_this_audit_and_never_one_of_an_older_audit(workspace: Path) -> None:
    assert agreement_section(workspace) is None  # nothing kept, nothing stored: a report computes no model
    store.write_json(workspace / ".assay/studies/agreement.json", agreement_now(workspace))
    (workspace / "data/triage/queue.parquet").unlink()  # the toy has no images to show
    page = write_report(workspace).read_text()
    assert "Where people and the model disagree" in page
    assert "What would help most" in page
    scores = store.read_table(workspace / "data/audit/scores.parquet", SCORES)
    store.write_table(workspace / "data/audit/scores.parquet", SCORES, scores.assign(severity=0.5))
    assert "Where people and the model disagree" not in write_report(workspace).read_text()


def test_the_audits_own_chance_that_its_suggestion_is_right_leads_where_it_has_one(workspace: Path) -> None:
    scores = store.read_table(workspace / "data/audit/scores.parquet", SCORES)
    before = agreement_now(workspace, curves=False)["remedies"][0]["gain"]
    sure = scores.assign(p_suggestion=scores["p_wrong"].astype(float))  # wrong, and then surely what the model says
    store.write_table(workspace / "data/audit/scores.parquet", SCORES, sure)
    assert agreement_now(workspace, curves=False)["remedies"][0]["gain"] > before


def test_an_audit_that_could_assess_nothing_is_a_sentence(workspace: Path) -> None:
    scores = store.read_table(workspace / "data/audit/scores.parquet", SCORES)
    store.write_table(workspace / "data/audit/scores.parquet", SCORES, scores.assign(fold=-1))
    with pytest.raises(Mistake, match="The audit could assess no item"):
        agreement_now(workspace)


def test_an_item_without_a_vector_is_named(workspace: Path) -> None:
    items, views = store.read_vectors(workspace / "data/embed/vectors")
    store.write_vectors(workspace / "data/embed/vectors/0001-toy.parquet", items[:-1], {"whole": views["whole"][:-1]})
    with pytest.raises(Mistake, match="Item 'd0299' was audited, but it has no vector in data/embed"):
        agreement_now(workspace)


def test_labels_that_are_no_classes_are_a_sentence(workspace: Path) -> None:
    (workspace / "params.yaml").write_text("task: {modality: text, kind: pairs}\n")
    with pytest.raises(Mistake, match="agreement is about classes"):
        agreement_now(workspace)
