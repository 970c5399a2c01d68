"""Does the whole chain work for texts: received, audited, shown, answered, revised, loaded and written out?"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deliveries import AT, landing
from toy_texts import TOPICS, chain, texts
from toy_workspace import run_stages

import tasks
from flows.report import write_report
from tasks import answers, augment, exchange, export, receive, store, versions
from tasks.formats.csv import unprefixed
from tasks.modalities.text.tfidf import Tfidf
from tasks.model import FINDINGS, GATE, MANIFEST, PASSED, QUARANTINE, QUEUE, SCORES, TEXTS, Mistake, Task
from tasks.unit_vectors import unit_views

NAMES = list(TOPICS)
WRONG = {7, 20, 33, 46, 59}  # rows whose label is planted wrong
HOSTILE = "=cmd|'/c calc'!A1 <script>window.__xss=1</script> \u202eoven flour, \"butter\"\nwhisk bake"


def rows() -> list[dict[str, str]]:
    """Ninety texts of three topics, five labels wrong, one text hostile and labelled wrong."""
    made = []
    for n, (text, topic) in enumerate(texts(90)):
        given = NAMES[(NAMES.index(topic) + 1) % 3] if n in WRONG else topic
        made.append({"text": text, "label": given, "id": f"t{n:02d}", "split": "test" if n % 5 == 4 else "train"})
    return [*made, {"text": HOSTILE, "label": "harbour", "id": "evil", "split": "train"}]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One drop through every stage in a real git and DVC workspace, the queue answered, published as v1.0.0."""
    folder = tmp_path_factory.mktemp("texts")
    ws = folder / "ws"
    versions.init(ws, task=Task("text", "single"))
    (folder / "drop").mkdir()
    pd.DataFrame(rows()).to_csv(folder / "drop" / "labels.csv", index=False, lineterminator="\n")
    receipt = receive.receive(folder / "drop", ws, received_at=AT)
    versions.share_drop(ws, receipt.drop)
    run_stages(ws)
    return ws


@pytest.mark.slow
def test_the_queue_shows_the_text_safely_and_its_answers_become_a_revision(workspace: Path, tmp_path: Path) -> None:
    queue = store.read_table(workspace / "data" / "triage" / "queue.parquet", QUEUE)
    planted = {f"t{n:02d}" for n in WRONG} | {"evil"}
    assert planted <= set(queue["item"].head(12))
    assert (workspace / "params.yaml").read_text().startswith("task:\n  modality: text\n  kind: single\n")
    page = write_report(workspace).read_text()
    assert "<script" not in page and "&lt;script&gt;window.__xss=1" in page
    assert "\u202e" not in page and r"\u202eoven" in page

    exchange.export_queue(workspace, "csv", tmp_path / "queue.csv")
    truth = {row["id"]: row["label"] for row in rows()}
    truth |= {f"t{n:02d}": NAMES[n % 3] for n in WRONG} | {"evil": "kitchen"}
    with open(tmp_path / "queue.csv", newline="", encoding="utf-8-sig") as file:
        cells = list(csv.DictReader(file))
    shown = next(row["text"] for row in cells if row["item"] == "evil")
    assert shown.startswith("'=cmd") and unprefixed(shown) == HOSTILE
    for row in cells:
        row["label"] = truth[row["item"]]
    pd.DataFrame(cells).to_csv(tmp_path / "answers.csv", index=False)
    outcome = exchange.answer_file(workspace, tmp_path / "answers.csv", reviewer="maria", at=AT)
    assert (outcome.accepted, outcome.refused) == (len(cells), ())
    run_stages(workspace)
    assert versions.publish(workspace).tag == "dataset@v1.0.0"

    whole = tasks.load("v1.0.0", workspace)
    assert (len(whole), whole.classes) == (91, tuple(sorted(NAMES)))
    at = whole.items.index("evil")
    assert whole[at] == (HOSTILE, whole.classes.index("kitchen"))
    assert {item: label for item, label in zip(whole.items, whole.labels, strict=True) if item in planted} == {
        item: truth[item] for item in planted
    }
    assert len(tasks.load("v1.0.0", workspace, split="test")) == 18

    export.get(workspace, "v1.0.0", tmp_path / "csv", "csv")
    with open(tmp_path / "csv" / "labels.csv", newline="", encoding="utf-8") as file:
        table = {row["id"]: (row["text"], row["label"]) for row in csv.DictReader(file)}
    assert table["evil"] == (HOSTILE, "kitchen") and len(table) == 91
    export.get(workspace, "v1.0.0", tmp_path / "jsonl", "jsonl")
    lines = [json.loads(line) for line in (tmp_path / "jsonl" / "labels.jsonl").read_text().splitlines()]
    assert {row["id"]: (row["text"], row["label"]) for row in lines} == table
    export.get(workspace, "v1.0.0", tmp_path / "folders", "imagefolder")
    assert (tmp_path / "folders" / "train" / "kitchen" / "evil.txt").read_bytes() == HOSTILE.encode()
    with pytest.raises(Mistake, match="Modality 'text' cannot be augmented"):
        augment.run(workspace / "data", augment.Params(task=Task("text", "single")))

    # what came out is a delivery again: the same texts, labels and ids
    again = receive.receive(tmp_path / "csv", tmp_path / "other", received_at=AT)
    assert (again.rows, again.faulty, again.assets) == (91, 0, 91)


class Shown(HTMLParser):
    """The texts that a page shows as items."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = ("class", "said") in attrs
        if self._inside:
            assert ("dir", "auto") in attrs
            self.said.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.said[-1] += data


def test_a_page_shows_texts_as_text_whatever_they_hold(tmp_path: Path) -> None:
    hostile = ["</p><img src=x onerror=alert(1)>", "{{ 7 * 7 }}", "a\u202e" + "b" * 900, "&amp;"]
    versions.init(tmp_path / "ws", task=Task("text", "single"))
    lines = [{"text": text, "label": "x", "id": f"i{n}"} for n, text in enumerate(hostile)]
    chain(landing(tmp_path / "in", {"labels.jsonl": "".join(json.dumps(row) + "\n" for row in lines)}), tmp_path / "ws")
    queue = [
        {"item": f"i{n}", "rank": n + 1, "p_wrong": 0.5, "severity": 0.5, "checks": "c", "reason": text, "y": '"x"'}
        for n, text in enumerate(hostile)
    ]
    store.write_table(tmp_path / "ws/data/triage/queue.parquet", QUEUE, store.frame(QUEUE, queue))
    page = write_report(tmp_path / "ws").read_text()
    said = Shown(page).said
    assert said == [hostile[0], hostile[1], r"a\u202e" + "b" * 398 + "…", hostile[3]]
    assert "<img" not in page and "onerror=alert(1)&gt;" in page
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []


# --- pairs -----------------------------------------------------------------------------------------------------------


def test_pairs_travel_the_chain_with_vectors_of_both_halves(tmp_path: Path) -> None:
    lines = [
        (text, " ".join(reversed(text.split())) + "\nsecond line", f"p{n}") for n, (text, _) in enumerate(texts(40))
    ]
    table = labels_csv([*lines, ("rose", " ", "bad")], ("source", "target", "id"))
    reports = chain(landing(tmp_path / "in", {"labels.csv": table}), tmp_path, kind="pairs")
    data = tmp_path / "data"
    assert list(codes(tmp_path).values()) == ["E_LABEL_EMPTY"]
    assert gate(tmp_path) == {"drop:0001-in": ("passed", "")}
    assert reports["validate"].counts["passed"] == reports["revise"].counts["items"] == 40
    items, views = store.read_vectors(data / "embed" / "vectors")
    paired, targets = store.read_vectors(data / "embed" / "targets")
    assert paired == items and set(targets) == set(views) == {"words", "characters"}
    for x_ND in targets.values():
        np.testing.assert_allclose(np.linalg.norm(x_ND, axis=1), 1, atol=1e-6)
    said = store.read_table(data / "embed" / "texts", TEXTS)
    assert dict(zip(said["item"], said["text"], strict=True)) == {item: text for text, _, item in lines}
    about = store.read_json(data / "embed" / "embedder.json")
    assert (about["targets"]["name"], about["targets"]["fitted_on"]) == ("tfidf", 40)
    assert about["targets"]["fingerprint"] != about["fingerprint"]
    with np.load(data / "embed" / "targets.npz", allow_pickle=False) as arrays:
        alone = unit_views(Tfidf().transform([lines[0][1]], dict(arrays)))[0]
    for view, x_ND in targets.items():
        np.testing.assert_allclose(x_ND[items.index("p0")], alone[view][0], atol=1e-6)


def test_a_second_drop_of_pairs_leaves_the_targets_of_the_first_as_they_were(tmp_path: Path) -> None:
    lines = [(text, text.upper(), f"p{n}") for n, (text, _) in enumerate(texts(240))]
    header = ("text", "target", "id")
    chain(landing(tmp_path / "a", {"labels.csv": labels_csv(lines[:220], header)}), tmp_path / "ws", kind="pairs")
    file = tmp_path / "ws" / "data" / "embed" / "targets" / "0001-a.parquet"
    before = file.read_bytes()
    chain(landing(tmp_path / "b", {"labels.csv": labels_csv(lines[220:], header)}), tmp_path / "ws", kind="pairs")
    assert file.read_bytes() == before
    assert len(store.read_vectors(file.parent)[0]) == 240


@pytest.mark.slow
def test_a_revision_of_pairs_is_texts_on_both_sides_and_a_table_but_no_folders(tmp_path: Path) -> None:
    ws = tmp_path / "ws"
    versions.init(ws, task=Task("text", "pairs"))
    lines = [(text, f"<b>{text[::-1]}</b>\n2", f"p{n}") for n, (text, _) in enumerate(texts(12))]
    folder = landing(tmp_path / "in", {"labels.csv": labels_csv(lines, ("source", "target", "id"))})
    versions.share_drop(ws, receive.receive(folder, ws, received_at=AT).drop)
    versions.prepare_run(ws)
    for stage in ("ingest", "validate", "revise"):
        versions.reproduce(ws, stage, lambda line: None)
    verdict = tmp_path / "a.csv"
    verdict.write_text("item,action,label\np3,relabel,a better one\np4,keep,\n")
    assert exchange.answer_file(ws, verdict, reviewer="maria", at=AT).refused == ()
    versions.take_answers(ws)
    for stage in ("validate", "revise"):
        versions.reproduce(ws, stage, lambda line: None)
    assert versions.publish(ws).tag == "dataset@v1.0.0"
    whole = tasks.load("v1.0.0", ws)
    assert (whole.classes, len(whole)) == ((), 12)
    assert whole[0] == lines[0][:2] and whole[3] == (lines[3][0], "a better one")
    with pytest.raises(Mistake, match="Label kind 'pairs' has no classes for folders"):
        export.get(ws, "v1.0.0", tmp_path / "folders", "imagefolder")
    export.get(ws, "v1.0.0", tmp_path / "csv", "csv")
    with open(tmp_path / "csv" / "labels.csv", newline="", encoding="utf-8") as file:
        assert next((row["text"], row["label"]) for row in csv.DictReader(file)) == lines[0][:2]


# --- bad input: a stated result, never a crash -----------------------------------------------------------------------


def labels_csv(lines: Sequence[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> str:
    return pd.DataFrame(lines, columns=pd.Index(header)).to_csv(index=False, lineterminator="\n")


def codes(workspace: Path) -> dict[str, str]:
    table = store.read_table(workspace / "data" / "ingest" / "quarantine", QUARANTINE)
    return dict(zip(table["source"], table["code"], strict=True))


def gate(workspace: Path) -> dict[str, tuple[str, str]]:
    table = store.read_table(workspace / "data" / "validate" / "gate.parquet", GATE)
    return {row["subject"]: (row["status"], row["message"]) for row in table.to_dict("records")}


def test_texts_that_cannot_be_used_are_quarantined_and_the_others_go_on(tmp_path: Path) -> None:
    good = [(text, topic) for text, topic in texts(30)]
    files: dict[str, str | bytes] = {
        "labels.csv": labels_csv(
            [(text, topic, "") for text, topic in good]
            + [(" \t", "garden", ""), ("It\x92s", "garden", ""), ("", "garden", "latin.txt"), ("", "garden", "no.txt")],
            ("text", "label", "path"),
        ),
        "latin.txt": b"caf\xe9",
    }
    reports = chain(landing(tmp_path / "in", files), tmp_path)
    assert codes(tmp_path) == {
        "labels.csv:32": "E_ASSET_EMPTY",
        "labels.csv:33": "E_CHARACTER",
        "labels.csv:34": "E_ENCODING",
        "labels.csv:35": "E_ASSET_MISSING",
    }
    messages = list(store.read_table(tmp_path / "data" / "ingest" / "quarantine", QUARANTINE)["message"])
    assert messages[0] == "Its text cannot be used: The text is white space only."
    assert messages[2] == ("Asset 'latin.txt' cannot be used: The text has byte 0xE9 at offset 3, which is not UTF-8.")
    assert reports["ingest"].counts["items"] == 30
    assert reports["ingest"].used == {"decoder": "text, as UTF-8"}
    assert reports["embed"].counts == {"items": 30, "embedded": 30, "skipped": 0}


def test_a_text_out_of_range_waits_at_the_gate_and_blocks_nobody(tmp_path: Path) -> None:
    lines = [*texts(30), ("👍", "garden")]
    files: dict[str, str | bytes] = {
        "labels.csv": labels_csv(
            [(text, topic, "") for text, topic in lines] + [("", "garden", "long.txt")], ("text", "label", "path")
        ),
        "long.txt": "rose " * 30_000,
    }
    chain(landing(tmp_path / "in", files), tmp_path)
    assert gate(tmp_path) == {
        "drop:0001-in": ("passed", ""),
        "row:0001-in/labels.csv:32": (
            "held",
            "Row 'labels.csv:32' of drop '0001-in' has words '0'. Allowed are 1 to 20000; emoji and punctuation are "
            "no words.",
        ),
        "row:0001-in/labels.csv:33": (
            "held",
            "Row 'labels.csv:33' of drop '0001-in' has characters '150000'. Allowed are 1 to 100000. Also words "
            "'30000'. Allowed are 1 to 20000; emoji and punctuation are no words.",
        ),
    }
    assert len(store.read_table(tmp_path / "data" / "validate" / "passed.parquet", PASSED)) == 30
    page = (tmp_path / "data" / "validate" / "report.html").read_text()
    assert "characters is 1 to 100000" in page and "words is 1 to 20000" in page


def test_equal_texts_with_different_labels_are_a_conflict_without_ids_and_a_finding_with_them(tmp_path: Path) -> None:
    same = "The rose in the soil."
    lines = [(text, topic, f"t{n}") for n, (text, topic) in enumerate(texts(30))]
    twice = [(same, "garden", ""), (same, "harbour", "")]
    chain(
        landing(tmp_path / "a", {"labels.csv": labels_csv([*lines, *twice], ("text", "label", "id"))}), tmp_path / "1"
    )
    assert codes(tmp_path / "1") == {"labels.csv:32": "E_ID_CONFLICT", "labels.csv:33": "E_ID_CONFLICT"}

    named = [(same, "garden", "one"), (same, "harbour", "two")]
    chain(
        landing(tmp_path / "b", {"labels.csv": labels_csv([*lines, *named], ("text", "label", "id"))}), tmp_path / "2"
    )
    assert codes(tmp_path / "2") == {}
    found = store.read_table(tmp_path / "2" / "data" / "detect" / "findings.parquet", FINDINGS)
    exact = found[found["check"] == "exact_duplicate_v1"]
    assert sorted(exact["item"]) == ["one", "two"]
    assert "It has the bytes of item 'two', whose label is harbour; its own is garden." in set(exact["reason"])


@pytest.mark.parametrize("count", [1, 2])
def test_one_and_two_texts_complete_with_a_stated_result(tmp_path: Path, count: int) -> None:
    reports = chain(landing(tmp_path / "in", {"labels.csv": labels_csv(list(texts(count)))}), tmp_path)
    scores = store.read_table(tmp_path / "data" / "audit" / "scores.parquet", SCORES)
    assert set(scores["note"]) == {"not assessable: 1 example of its class"}
    assert reports["embed"].counts == {"items": count, "embedded": count, "skipped": 0}
    assert reports["audit"].counts == {"items": count, "assessed": 0, "flagged": 0}


def test_a_thousand_classes_complete_with_a_stated_result(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = [f"w{n:03d}" for n in range(400)]
    lines = [(" ".join(rng.choice(words, 5)), f"c{n // 2:04d}") for n in range(2000)]
    reports = chain(landing(tmp_path / "in", {"labels.csv": labels_csv(lines)}), tmp_path)
    assert reports["validate"].counts["passed"] == 2000
    scores = store.read_table(tmp_path / "data" / "audit" / "scores.parquet", SCORES)
    assert len(scores) == 2000
    told = "tells the classes no better than always naming the commonest one"
    assert all(note.startswith("not assessable: ") and told in note for note in scores["note"])
    assert reports["audit"].counts["assessed"] == 0


def test_a_second_drop_is_embedded_by_what_the_first_taught(tmp_path: Path) -> None:
    every = texts(260)
    (tmp_path / "ws").mkdir()
    chain(landing(tmp_path / "a", {"labels.csv": labels_csv(every[:230])}), tmp_path / "ws")
    vectors = tmp_path / "ws" / "data" / "embed" / "vectors" / "0001-a.parquet"
    before = vectors.read_bytes()
    reports = chain(landing(tmp_path / "b", {"labels.csv": labels_csv(every[230:])}), tmp_path / "ws")
    assert reports["embed"].counts == {"items": 260, "embedded": 30, "skipped": 0}
    assert vectors.read_bytes() == before
    manifest = store.read_table(tmp_path / "ws" / "data" / "ingest" / "manifest", MANIFEST)
    assert len(manifest) == 260 and answers.state([]).items == {}
