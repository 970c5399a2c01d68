"""Does the queue show the worst items first, once each, without what people have settled?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_drops import deliver

from tasks import answers, journal, params, sample, store, triage
from tasks.disputes import DISPUTED, TIED, disputed, tied
from tasks.findings import AUDIT, Finding
from tasks.model import ANNOTATIONS, FINDINGS, PASSED, QUEUE, SAMPLE, SCORES, Mistake, Report, Verdict
from tasks.triage import Params

CAT, DOG, FOX = '"cat"', '"dog"', '"fox"'
LABELS = {"a": CAT, "b": CAT, "c": CAT, "d": CAT}


def noise(severity: float, suggestion: str | None = DOG, reason: str = "Looks like dog") -> Finding:
    return Finding(AUDIT, severity, reason, suggestion)


def rows(queue: triage.Queue) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in queue.rows.to_dict("records")]


def order(
    findings: Mapping[str, Sequence[Finding]],
    audited: Mapping[str, float],
    disputes: Mapping[str, Finding] | None = None,
    answered: frozenset[str] = frozenset(),
    **section: Any,
) -> list[str]:
    queue = triage.queue(LABELS, findings, audited, disputes or {}, answered, Params(**section))
    return [row["item"] for row in rows(queue)]


# --- the order -------------------------------------------------------------------------------------------------------


def test_the_worst_comes_first_and_ties_are_settled_by_severity_and_then_by_name() -> None:
    found = {"d": [noise(0.5)], "c": [noise(0.9)], "b": [noise(0.5)], "a": [noise(0.7)]}
    assert order(found, {"a": 0.6, "b": 0.9, "c": 0.6, "d": 0.9}) == ["b", "d", "c", "a"]


def test_an_item_has_one_row_that_combines_its_checks() -> None:
    found = {
        "a": [
            Finding("outlier_v1", 1.0, "Far from everything.", None),
            Finding("xy_knn_v1", 0.5, "Its neighbours are dogs", DOG),
            noise(0.8, FOX, "Looks like fox"),
            Finding("xy_knn_v1", 0.25, "again", None),
        ]
    }
    queue = triage.queue(LABELS, found, {"a": 0.5}, {}, frozenset(), Params())
    assert rows(queue) == [
        {
            "item": "a",
            "rank": 1,
            "p_wrong": pytest.approx(2**0.75 / (1 + 2**0.75)),
            "severity": 1.0,
            "checks": "label_noise_,xy_knn_v1,outlier_v1",
            "reason": "Looks like fox. Its neighbours are dogs.",
            "y": CAT,
            "suggestion": FOX,
        }
    ]


def test_a_check_that_agrees_doubles_the_odds_and_one_about_something_else_does_not() -> None:
    agrees, other = Finding("xy_knn_v1", 1.0, "r", None), Finding("outlier_v1", 1.0, "r", None)
    assert triage.p_wrong(0.5, [noise(1.0)], CAT) == 0.5  # the audit is not its own witness
    assert triage.p_wrong(0.5, [noise(1.0), agrees], CAT) == pytest.approx(2 / 3)
    assert triage.p_wrong(0.5, [noise(1.0), other], CAT) == 0.5
    assert triage.p_wrong(0.5, [Finding("drift_v1", 1.0, "r", DOG)], CAT) == pytest.approx(2 / 3)  # suggests another
    assert triage.p_wrong(0.5, [Finding("drift_v1", 1.0, "r", CAT)], CAT) == 0.5  # suggests what it has


def test_what_the_audit_could_not_assess_is_ranked_by_the_other_checks() -> None:
    agrees, other = Finding("xy_knn_v1", 1.0, "r", None), Finding("outlier_v1", 1.0, "r", None)
    assert triage.p_wrong(None, [agrees], CAT) == 0.5
    assert triage.p_wrong(None, [other], CAT) == pytest.approx(0.1)
    assert triage.p_wrong(None, [agrees, other], CAT) == pytest.approx(1 - 0.5 * 0.9)
    assert triage.p_wrong(None, [], CAT) == 0.0


SEVERITIES = st.floats(0, 1)
FOUND = st.lists(st.builds(Finding, st.sampled_from(["xy_knn_v1", "outlier_v1"]), SEVERITIES, st.just("r"), st.none()))


@given(st.none() | SEVERITIES, FOUND, SEVERITIES)
def test_p_wrong_is_a_probability_that_no_further_finding_lowers(
    audited: float | None, found: list[Finding], severity: float
) -> None:
    before = triage.p_wrong(audited, found, CAT)
    after = triage.p_wrong(audited, [*found, Finding("xy_lof_v1", severity, "r", None)], CAT)
    assert 0 <= before <= after + 1e-12 <= 1 + 1e-9


def test_the_budget_leaves_out_the_mildest_and_says_how_many() -> None:
    found = {item: [noise(0.9)] for item in LABELS}
    audited = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}
    queue = triage.queue(LABELS, found, audited, {}, frozenset("d"), Params(budget=2))
    assert [row["item"] for row in rows(queue)] == ["c", "b"]
    assert queue.counts == {
        "queued": 2,
        "doubtful": 4,
        "answered": 1,
        "disputed": 0,
        "drawn": 0,
        "left_out_by_budget": 1,
        "below_min_severity": 0,
    }
    assert triage.notes(queue.counts, Params(budget=2)) == ("Left out by triage.budget, 2 items: 1.",)


def test_mild_findings_can_be_left_out() -> None:
    found = {"a": [noise(0.2)], "b": [noise(0.3), Finding("outlier_v1", 0.1, "r", None)]}
    queue = triage.queue(LABELS, found, {"a": 0.9, "b": 0.1}, {}, frozenset(), Params(min_severity=0.25))
    assert [(row["item"], row["checks"]) for row in rows(queue)] == [("b", AUDIT)]
    assert queue.counts["below_min_severity"] == 1


def test_what_is_answered_is_left_out_unless_it_is_disputed_which_comes_first() -> None:
    found = {item: [noise(0.9)] for item in "abc"}
    disputes = {"c": Finding(DISPUTED, 0.5, "Reviewers differ.", FOX), "d": Finding(TIED, 0.5, "r", None)}
    queue = triage.queue(LABELS, found, {"a": 0.99, "b": 0.9, "c": 0.1}, disputes, frozenset("bc"), Params())
    kept = [(row["item"], row["p_wrong"], row["severity"], row["suggestion"]) for row in rows(queue)]
    assert kept == [("c", 0.5, 0.9, FOX), ("d", 0.5, 0.5, None), ("a", 0.99, 0.9, DOG)]


def test_findings_about_items_that_are_not_there_are_left_out() -> None:
    assert order({"gone": [noise(0.9)], "a": [noise(0.9)]}, {"a": 0.9}) == ["a"]


@given(st.permutations("abcd"), st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=4, max_size=4))
def test_the_order_of_the_findings_does_not_matter(items: list[str], chances: list[float]) -> None:
    audited = dict(zip("abcd", chances, strict=True))
    pair = [noise(0.5), Finding("xy_knn_v1", 0.5, "r", FOX)]
    shuffled = {item: pair if item < "c" else pair[::-1] for item in items}
    plain = {item: pair for item in "abcd"}
    one, other = (triage.queue(LABELS, found, audited, {}, frozenset(), Params()).rows for found in (plain, shuffled))
    assert one.equals(other)


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ("audit_sample: -1", r"audit_sample: 0 \(none\) or more is allowed"),
        ("budget: -1", r"budget: 0 \(all\) or more is allowed"),
        ("min_severity: 1.5", "min_severity: 0 to 1 is allowed"),
        ("top: 3", r"unknown key 'triage.top'. Keys of 'triage' are: budget, min_severity"),
    ],
)
def test_a_param_out_of_range_is_a_sentence(tmp_path: Path, section: str, reason: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"triage: {{{section}}}\n")
    with pytest.raises(Mistake, match=reason):
        params.section(path, "triage", Params)


# --- the audit sample ------------------------------------------------------------------------------------------------


def test_a_drawn_row_gives_nothing_away_and_a_doubted_one_keeps_its_evidence() -> None:
    found = {"a": [noise(0.9)], "d": [noise(0.1)]}
    audited = {"a": 0.9, "b": 0.01, "c": 0.03, "d": 0.2}
    drawn = triage.Drawing(["c", "a", "b"], 3)
    queue = triage.queue(LABELS, found, audited, {}, frozenset(), Params(), drawn)
    assert [(row["item"], row["checks"]) for row in rows(queue)] == [
        ("a", f"{AUDIT},audit_sample_v1"),
        ("d", AUDIT),
        ("c", "audit_sample_v1"),
        ("b", "audit_sample_v1"),
    ]
    a, _, c, b = rows(queue)
    assert (a["p_wrong"], a["suggestion"], a["reason"]) == (0.9, DOG, "Looks like dog.")
    reason = "One of 3 items drawn to estimate how many labels are wrong."
    plain = {"p_wrong": 0.02, "severity": 0.02, "suggestion": None, "reason": reason}
    assert all({name: row[name] for name in plain} == plain for row in (b, c))
    assert (queue.counts["drawn"], queue.counts["doubtful"], queue.counts["queued"]) == (2, 2, 4)


def test_disputes_come_before_the_drawn_which_the_budget_counts() -> None:
    labels = {f"i{n}": CAT for n in range(12)}
    found = {f"i{n}": [noise(0.9)] for n in range(9)}
    audited = {item: 1 - n / 20 for n, item in enumerate(labels)}
    disputes = {"i8": Finding(DISPUTED, 0.5, "Reviewers differ.", FOX)}
    drawn = triage.Drawing(["i11", "i8", "i10", "gone"], 4)
    whole = triage.queue(labels, found, audited, disputes, frozenset(), Params(), drawn)
    assert list(whole.rows["item"]) == ["i8", "i0", "i1", "i2", "i3", "i11", "i4", "i5", "i6", "i7", "i10"]
    some = triage.queue(labels, found, audited, disputes, frozenset(), Params(budget=6), drawn)
    assert list(some.rows["item"]) == ["i8", "i0", "i1", "i2", "i3", "i11"]
    assert (some.counts["drawn"], some.counts["left_out_by_budget"]) == (1, 5)


# --- disputes --------------------------------------------------------------------------------------------------------


def said(op: str, reviewer: str, action: str, y: str | None = None, item: str = "a") -> Verdict:
    return Verdict(op, f"item:{item}", action, reviewer, "2024-05-01T10:00:00Z", y=y)


def test_a_dispute_says_who_says_what() -> None:
    log = [said("1", "ann", "relabel", DOG), said("2", "bob", "keep"), said("3", "eve", "ambiguous", '["cat","fox"]')]
    found = disputed(answers.state(log), log, {"a": DOG})
    reason = "Reviewers differ: ann says dog, bob says keep, eve says cat or fox."
    assert found == {"a": Finding(DISPUTED, 0.5, reason, CAT)}


def test_a_disputed_removal_is_asked_about_too() -> None:
    log = [said("1", "ann", "remove"), said("2", "bob", "relabel", CAT)]
    found = disputed(answers.state(log), log, {"a": CAT})
    assert found["a"].reason == "Reviewers differ: ann says remove, bob says cat."


def test_annotators_without_a_majority_are_a_dispute() -> None:
    given = [("a", "ann", CAT), ("a", "bob", DOG), ("b", "ann", CAT), ("b", "bob", CAT), ("b", "eve", DOG)]
    given += [("c", "ann", DOG), ("c", "bob", CAT), ("c", "ann", CAT), ("gone", "ann", CAT), ("gone", "bob", DOG)]
    columns = {"at": None, "drop": "0001-x"}
    table = [
        {"item": item, "annotator": who, "y": y, "source": f"labels.csv:{n}", **columns}
        for n, (item, who, y) in enumerate(given)
    ]
    found = tied(store.frame(ANNOTATIONS, table), {"a": CAT, "b": CAT, "c": CAT})
    assert found == {"a": Finding(TIED, 0.5, "Annotators differ: ann says cat, bob says dog.", DOG)}


# --- the stage -------------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Items 1-0 .. 1-5, all cats; 1-5 did not pass; all but 1-4 were flagged, 1-3 could not be assessed."""
    data = tmp_path / "data"
    deliver(data, 1, "acme", ["cat"] * 6)
    passed = [{"item": f"1-{n}"} for n in range(5)]
    store.write_table(data / "validate" / "passed.parquet", PASSED, store.frame(PASSED, passed))
    chances = [0.9, 0.8, 0.7, 0.0, 0.1]
    scores = [
        {
            "item": f"1-{n}",
            "severity": p,
            "suggestion": DOG,
            "p_wrong": p,
            "flagged": p > 0.5,
            "fold": -1 if n == 3 else 0,
        }
        for n, p in enumerate(chances)
    ]
    store.write_table(data / "audit" / "scores.parquet", SCORES, store.frame(SCORES, scores))
    audited = [
        {"item": f"1-{n}", "check": AUDIT, "severity": 0.9, "reason": "Looks like dog.", "suggestion": DOG}
        for n in range(3)
    ]
    store.write_table(data / "audit" / "findings.parquet", FINDINGS, store.frame(FINDINGS, audited))
    detected = [
        {"item": item, "check": "xy_knn_v1", "severity": 1.0, "reason": "Odd.", "suggestion": None}
        for item in ("1-3", "1-5")
    ]
    store.write_table(data / "detect" / "findings.parquet", FINDINGS, store.frame(FINDINGS, detected))
    store.write_table(data / "ingest" / "annotations" / "0001-acme.parquet", ANNOTATIONS, store.frame(ANNOTATIONS))
    (data / "verdicts").mkdir()
    return data


def queued(data: Path) -> list[tuple[int, str, str]]:
    table = store.read_table(data / "triage" / "queue.parquet", QUEUE)
    return list(zip(table["rank"], table["item"], table["y"], strict=True))


def test_the_stage_writes_the_queue_and_counts_it(data: Path) -> None:
    report = triage.run(data, Params())
    assert queued(data) == [(1, "1-0", CAT), (2, "1-1", CAT), (3, "1-2", CAT), (4, "1-3", CAT)]
    zero = dict.fromkeys(("answered", "disputed", "drawn", "left_out_by_budget", "below_min_severity"), 0)
    figures = {"expected_wrong": 2.9, "expected_precision": 0.725}
    assert report == Report("triage", counts={"queued": 4, "doubtful": 4, **zero}, figures=figures)


def test_the_stage_leaves_out_what_people_answered_and_asks_again_where_they_differ(data: Path) -> None:
    """Case 42: both answers are kept, the item goes to a third person."""
    logs = {
        "ann": [
            said("1", "ann", "relabel", DOG, "1-0"),
            said("2", "ann", "remove", None, "1-1"),
            said("3", "ann", "unsure", None, "1-2"),
            said("4", "ann", "relabel", DOG, "1-4"),
        ],
        "bob": [said("5", "bob", "relabel", FOX, "1-4")],
    }
    for name, log in logs.items():
        (data / "verdicts" / f"{name}.jsonl").write_bytes(b"".join(map(answers.line, log)))
    report = triage.run(data, Params())
    assert queued(data) == [(1, "1-4", DOG), (2, "1-3", CAT)]
    table = store.read_table(data / "triage" / "queue.parquet", QUEUE)
    assert list(table["reason"]) == ["Reviewers differ: ann says dog, bob says fox.", "Odd."]
    assert list(table["suggestion"]) == [FOX, None]
    assert (report.counts["answered"], report.counts["disputed"]) == (2, 1)
    assert report.notes == ("Disputed items, which come first: 1.",)


def test_an_empty_queue_is_a_queue(data: Path) -> None:
    for stage in ("audit", "detect"):
        store.write_table(data / stage / "findings.parquet", FINDINGS, store.frame(FINDINGS))
    report = triage.run(data, Params())
    assert queued(data) == []
    assert (report.counts["queued"], report.figures["expected_wrong"]) == (0, 0.0)


def test_the_same_inputs_give_the_same_bytes(data: Path) -> None:
    digests = set()
    for _ in range(2):
        triage.run(data, Params())
        digests.add(hashlib.sha256((data / "triage" / "queue.parquet").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_what_was_drawn_stays_once_it_is_answered_though_the_next_audit_thinks_otherwise(data: Path) -> None:
    """60 items, 6 drawn; one is answered, taken into the record, and then every p_wrong changes."""
    ws = data.parent
    deliver(data, 2, "bolt", ["cat"] * 60)
    rewrite(data, [0.5 / (n + 1) for n in range(60)])
    triage.run(data, Params())
    before = sample.from_table(store.read_table(data / "triage" / "sample.parquet", SAMPLE))
    assert len(before) == 6
    asked = [row.item for row in before]
    journal.append(ws, [said("1", "ann", "keep", None, asked[0]), said("2", "bob", "keep", None, asked[0])])
    assert journal.transfer(ws) == 2
    rewrite(data, [0.5 / (60 - n) for n in range(60)])
    report = triage.run(data, Params(audit_sample=50))
    assert sample.from_table(store.read_table(data / "triage" / "sample.parquet", SAMPLE)) == before
    assert report.counts["drawn"] == 5
    assert {*asked[1:]} == {item for _, item, _ in queued(data)}
    assert triage.run(data, Params(audit_sample=0)).counts["queued"] == 0


def rewrite(data: Path, chances: Sequence[float]) -> None:
    """The audit anew, of the drop bolt alone, without a finding."""
    items = [f"2-{n}" for n in range(len(chances))]
    passed = [{"item": item} for item in items]
    store.write_table(data / "validate" / "passed.parquet", PASSED, store.frame(PASSED, passed))
    scores = [
        {"item": item, "severity": p, "suggestion": DOG, "p_wrong": p, "flagged": False, "fold": 0}
        for item, p in zip(items, chances, strict=True)
    ]
    store.write_table(data / "audit" / "scores.parquet", SCORES, store.frame(SCORES, scores))
    for stage in ("audit", "detect"):
        store.write_table(data / stage / "findings.parquet", FINDINGS, store.frame(FINDINGS))
