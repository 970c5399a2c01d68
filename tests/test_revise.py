"""Is the revision's table a pure function of drops and answers, with a reason for each label and nothing lost?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_drops import deliver

from tasks import answers, params, revise, store
from tasks.model import DATASET, PASSED, REMOVED, Mistake, Report, Verdict
from tasks.revise import Params

CAT, DOG, FOX = '"cat"', '"dog"', '"fox"'
LABELS = ["cat", "dog", "cat", "fox", "dog"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make(tmp_path / "data")


def make(data: Path) -> Path:
    """Items 1-0 cat, 1-1 dog, 1-2 cat, 1-3 fox (test), 1-4 dog, which the gate holds; 2-0 cat in a second drop."""
    deliver(data, 1, "acme", LABELS, splits={3: "test"})
    deliver(data, 2, "bolt", ["cat"])
    passed = [{"item": item} for item in ("1-0", "1-1", "1-2", "1-3", "2-0")]
    store.write_table(data / "validate" / "passed.parquet", PASSED, store.frame(PASSED, passed))
    (data / "verdicts").mkdir()
    return data


def say(data: Path, logs: Mapping[str, Sequence[Verdict]]) -> None:
    for path in (data / "verdicts").glob("*.jsonl"):
        path.unlink()
    for reviewer, log in logs.items():
        (data / "verdicts" / f"{reviewer}.jsonl").write_bytes(b"".join(map(answers.line, log)))


def said(op: str, reviewer: str, item: str, action: str, y: str | None = None, minute: int = 0) -> Verdict:
    return Verdict(op, f"item:{item}", action, reviewer, f"2024-05-01T10:{minute:02}:00Z", y=y)


def dataset(data: Path) -> dict[str, tuple[str, str]]:
    """item -> (label, why)"""
    table = store.read_table(data / "revise" / "dataset.parquet", DATASET)
    return {item: (y, why) for item, y, why in zip(table["item"], table["y"], table["why"], strict=True)}


def removed(data: Path) -> dict[str, str]:
    table = store.read_table(data / "revise" / "removed.parquet", REMOVED)
    return dict(zip(table["item"], table["why"], strict=True))


def test_without_answers_the_labels_are_the_delivered_ones(data: Path) -> None:
    report = revise.run(data, Params())
    assert dataset(data) == {
        "1-0": (CAT, "drop 0001-acme labels.csv:2"),
        "1-1": (DOG, "drop 0001-acme labels.csv:3"),
        "1-2": (CAT, "drop 0001-acme labels.csv:4"),
        "1-3": (FOX, "drop 0001-acme labels.csv:5"),
        "2-0": (CAT, "drop 0002-bolt labels.csv:2"),
    }
    assert removed(data) == {"1-4": "gate 0001-acme labels.csv:6"}
    assert store.read_json(data / "revise" / "classes.json") == {"classes": ["cat", "dog", "fox"]}
    zero = dict.fromkeys(
        ("relabelled", "confirmed", "removed", "ambiguous", "disputed", "unsure", "left_out_by_split", "answers"), 0
    )
    counts = {**zero, "items": 5, "kept": 5, "held": 1, "orphans": 0, "classes": 3}
    note = "Items that the gate holds or rejected: 1. See data/validate/report.html."
    assert report == Report("revise", counts=counts, notes=(note,))


def test_each_answer_becomes_a_label_with_its_reason(data: Path) -> None:
    ann = [
        said("a1", "ann", "1-0", "relabel", DOG),
        said("a2", "ann", "1-1", "keep"),
        said("a3", "ann", "1-2", "ambiguous", '["fox","cat"]'),
        said("a4", "ann", "1-3", "remove"),
        said("a5", "ann", "2-0", "unsure"),
        said("a6", "ann", "9-9", "keep"),
    ]
    say(data, {"ann": ann, "bob": [said("b1", "bob", "1-0", "relabel", DOG, minute=1)]})
    report = revise.run(data, Params())
    assert dataset(data) == {
        "1-0": (DOG, "verdict a1 b1"),
        "1-1": (DOG, "verdict a2"),
        "1-2": (FOX, "verdict a3"),
        "2-0": (CAT, "drop 0002-bolt labels.csv:2 (unsure: a5)"),
    }
    assert removed(data) == {"1-3": "verdict a4", "1-4": "gate 0001-acme labels.csv:6"}
    table = store.read_table(data / "revise" / "dataset.parquet", DATASET)
    assert list(table["accepted"]) == [None, None, '["fox","cat"]', None]
    assert report.counts == {
        "items": 4,
        "relabelled": 2,
        "confirmed": 1,
        "kept": 2,
        "removed": 1,
        "held": 1,
        "ambiguous": 1,
        "disputed": 0,
        "unsure": 1,
        "left_out_by_split": 0,
        "classes": 3,
        "answers": 7,
        "orphans": 1,
    }
    assert "Answered items that no drop holds any more: 1. Their answers are kept." in report.notes


def test_a_disputed_item_keeps_its_last_undisputed_label_and_why_says_so(data: Path) -> None:
    """Case 42."""
    first, other = said("a1", "ann", "1-0", "relabel", DOG), said("b1", "bob", "1-0", "relabel", FOX, minute=1)
    say(data, {"ann": [first], "bob": [other, said("b2", "bob", "1-1", "relabel", FOX)]})
    report = revise.run(data, Params())
    assert dataset(data)["1-0"] == (DOG, "verdict a1 (disputed: a1 b1)")
    assert report.counts["disputed"] == 1
    say(data, {"ann": [first], "bob": [other], "eve": [said("e1", "eve", "1-0", "resolve", FOX, minute=2)]})
    assert revise.run(data, Params()).counts["disputed"] == 0
    assert dataset(data)["1-0"] == (FOX, "verdict e1")


def test_only_the_splits_that_are_asked_for_are_published(data: Path) -> None:
    report = revise.run(data, Params(include_splits=("test",)))
    assert list(dataset(data)) == ["1-3"]
    assert removed(data)["1-0"] == "split train"
    assert (report.counts["items"], report.counts["left_out_by_split"]) == (1, 4)


def test_no_manifest_yet_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"No file '.*manifest'. Run: assay run"):
        revise.run(tmp_path / "data", Params())


def test_an_empty_split_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("revise: {include_splits: ['']}\n")
    with pytest.raises(Mistake, match="names of splits are allowed, none of them empty"):
        params.section(path, "revise", Params)


# --- one identical revision (case 44) --------------------------------------------------------------------------------

ITEMS = ("1-0", "1-1", "1-3", "2-0")


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[dict[str, list[Verdict]], dict[str, list[Verdict]]]:
    """Three people's logs, and the same answers as a bad network delivers them: twice, and the files in any order."""
    logs: dict[str, list[Verdict]] = {name: [] for name in ("ann", "bob", "eve")}
    for number in range(draw(st.integers(1, 10))):
        name = draw(st.sampled_from(sorted(logs)))
        action = draw(st.sampled_from(["keep", "relabel", "remove", "unsure", "ambiguous", "resolve", "undo"]))
        y = '["cat","dog"]' if action == "ambiguous" else draw(st.sampled_from([CAT, DOG, FOX]))
        verdict = said(
            f"op{number}", name, draw(st.sampled_from(ITEMS)), action, y if action not in ("keep", "undo") else None
        )
        of = f"op{draw(st.integers(0, 9))}" if action == "undo" else None
        at = f"2024-05-01T10:{draw(st.integers(0, 9)):02}:00Z"
        logs[name].append(Verdict(verdict.op, verdict.subject, action, name, at, y=verdict.y, of=of))
    again = {}
    for name in draw(st.permutations(sorted(logs))):
        log = list(logs[name])
        for verdict in draw(st.lists(st.sampled_from(log), max_size=3)) if log else []:
            log.insert(draw(st.integers(log.index(verdict) + 1, len(log))), verdict)
        again[name] = log
    return logs, again


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries())
def test_duplicate_and_out_of_order_answers_give_one_identical_revision(
    data: Path, both: tuple[dict[str, list[Verdict]], dict[str, list[Verdict]]]
) -> None:
    files = []
    for logs in both:
        say(data, logs)
        report = revise.run(data, Params())
        assert report.counts["items"] + len(removed(data)) == 6  # every item is in exactly one of the two
        files.append({path.name: path.read_bytes() for path in (data / "revise").iterdir()})
    assert files[0] == files[1]
    assert sorted(files[0]) == ["classes.json", "dataset.parquet", "removed.parquet"]


def test_answers_in_two_workspaces_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("here", "there"):
        data = make(tmp_path / name / "data")
        say(data, {"ann": [said("a1", "ann", "1-0", "relabel", DOG)]})
        revise.run(data, Params())
        contents.append({path.name: path.read_bytes() for path in (data / "revise").iterdir()})
    assert contents[0] == contents[1]
