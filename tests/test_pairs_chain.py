"""Does the whole chain work for pairs: received, audited, answered, revised, and handed out?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from deliveries import AT, landing
from toy_texts import chain
from toy_workspace import run_stages

import tasks
from flows.phrases import Phrases, phrases
from tasks import adopt, audit, detect, exchange, export, receive, relate, store, triage, versions
from tasks.model import CANARIES_FELL, FINDINGS, METHODS, QUEUE, SCORES, Mistake, Task, label_json

COUNT = 240
SHUFFLED = (11, 47, 83, 120, 166, 201, 222, 239)  # each has the French of the next one


@pytest.fixture(scope="module")
def truth() -> Phrases:
    return phrases()


def lines(truth: Phrases, count: int = COUNT) -> str:
    """labels.jsonl of the first pairs; those of SHUFFLED have another's French."""
    lender = {row: SHUFFLED[place - 1] for place, row in enumerate(SHUFFLED)}
    rows = [
        {"text": truth.english[n], "label": truth.french[lender.get(n, n)], "id": f"p{n:04d}"} for n in range(count)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.slow
def test_wrong_texts_are_found_corrected_published_and_handed_out(tmp_path: Path, truth: Phrases) -> None:
    ws = tmp_path / "ws"
    versions.init(ws, task=Task("text", "pairs"))
    drop = receive.receive(landing(tmp_path / "in", {"labels.jsonl": lines(truth)}), ws, received_at=AT).drop
    versions.share_drop(ws, drop)
    run_stages(ws)
    wrong = {f"p{n:04d}" for n in SHUFFLED}
    queue = store.read_table(ws / "data" / "triage" / "queue.parquet", QUEUE)
    assert len(set(queue["item"].head(10)) & wrong) >= 7
    assert queue["checks"].iloc[0].startswith("pair_mismatch_v1") and queue["suggestion"].isna().all()
    assert "which goes with '" in queue["reason"].iloc[0]
    assert len(store.read_table(ws / "data" / "audit" / "methods.parquet", METHODS)) == COUNT
    detected = store.read_table(ws / "data" / "detect" / "findings.parquet", FINDINGS)
    assert set(detected["check"]) <= {"xy_knn_v1", "xy_lof_v1", "outlier_v1", "near_duplicate_v1"}
    assert not detected["reason"].str.contains("None").any()

    answers = [{"item": item, "action": "relabel", "label": truth.french[int(item[1:])]} for item in sorted(wrong)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    assert exchange.answer_file(ws, tmp_path / "a.jsonl", reviewer="maria", at=AT).refused == ()
    run_stages(ws)
    scores = store.read_table(ws / "data" / "audit" / "scores.parquet", SCORES).set_index("item")
    assert scores.loc["p0011", "note"] == "not assessable: people have changed its text since it was embedded"
    assert versions.publish(ws).tag == "dataset@v1.0.0"
    assert export.usual_format(ws) == "csv"
    whole = tasks.load("v1.0.0", ws)
    assert [whole[n] for n in range(COUNT)] == list(zip(truth.english[:COUNT], truth.french[:COUNT], strict=True)), (
        "every text is the right one: no canary is in a revision"
    )
    export.get(ws, "v1.0.0", tmp_path / "out", "jsonl")
    out = [json.loads(line) for line in (tmp_path / "out" / "labels.jsonl").read_text().splitlines()]
    assert {row["id"]: (row["text"], row["label"]) for row in out}["p0011"] == (truth.english[11], truth.french[11])


def test_canaries_are_reported_and_turn_the_stage_red_under_the_threshold(tmp_path: Path, truth: Phrases) -> None:
    reports = chain(landing(tmp_path / "in", {"labels.jsonl": lines(truth)}), tmp_path, kind="pairs")
    figures = reports["audit"].figures
    assert figures["canary_recall_shuffled"] > 0.8 and 0 <= figures["canary_recall_hard"] <= 1
    told = store.read_json(tmp_path / "data" / "audit" / "noise.json")
    assert set(told["canary_recall"]) == {"shuffled", "hard"} and set(told["found_by_method"]["concat_knn"])
    assert not any(note.startswith(CANARIES_FELL) for note in reports["audit"].notes)
    strict = audit.Params(task=Task("text", "pairs"), least_recall=1.0)
    red = audit.run(tmp_path / "data", strict)
    assert (red.figures["canary_recall"] == 1) != any(note.startswith(CANARIES_FELL) for note in red.notes)


def test_a_text_that_is_no_vector_is_left_out_with_its_reason_by_audit_and_detect(
    tmp_path: Path, truth: Phrases
) -> None:
    chain(landing(tmp_path / "in", {"labels.jsonl": lines(truth, 60)}), tmp_path, kind="pairs")
    data = tmp_path / "data"
    file = data / "embed" / "targets" / "0001-in.parquet"
    items, views = store.read_vectors(file)
    spoilt = {name: np.array(x_ND) for name, x_ND in views.items()}
    for x_ND in spoilt.values():
        x_ND[3] = np.nan
    store.write_vectors(file, items, spoilt)
    task = Task("text", "pairs")
    report = audit.run(data, audit.Params(task=task))
    assert "1 items not assessable: the vector of its text is not finite." in report.notes
    assert report.counts["assessed"] == 59
    notes = detect.run(data, detect.Params(task=task, threads=1)).notes
    assert "1 pairs were not looked at: their text has no usable vector." in notes
    file.unlink()
    report = audit.run(data, audit.Params(task=task))
    assert report.notes == ("No pair was audited: 60 items not assessable: its text has no vector in data/embed.",)
    assert triage.run(data, triage.Params()).stage == "triage"


@pytest.mark.parametrize("count", [1, 2, 19])
def test_few_pairs_complete_with_a_stated_result(tmp_path: Path, truth: Phrases, count: int) -> None:
    reports = chain(landing(tmp_path / "in", {"labels.jsonl": lines(truth, count)}), tmp_path, kind="pairs")
    assert reports["audit"].counts == {"items": count, "assessed": 0, "flagged": 0}
    assert reports["audit"].notes[0].endswith(f"{count} pairs can be compared; 20 are needed.")
    assert reports["revise"].counts["items"] == count


def test_one_sentence_with_two_translations_and_equal_translations_are_taken_as_they_are(
    tmp_path: Path, truth: Phrases
) -> None:
    rows = [json.loads(line) for line in lines(truth, 60).splitlines()]
    rows += [rows[0] | {"id": "two", "label": "Une autre phrase."}, rows[1] | {"id": "same", "text": "Another text."}]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    reports = chain(landing(tmp_path / "in", {"labels.jsonl": content}), tmp_path, kind="pairs")
    assert reports["audit"].counts["assessed"] == 62
    scores = store.read_table(tmp_path / "data" / "audit" / "scores.parquet", SCORES)
    fold = dict(zip(scores["item"], scores["fold"], strict=True))
    assert fold["two"] == fold["p0000"], "copies of a text are held out together"


def test_the_made_sentences_are_right_but_for_those_that_were_planted(truth: Phrases) -> None:
    from flows import phrases as made

    for drop in made.NOISY:
        planted = made.plant(truth, drop, noise=0.05, seed=3)
        kinds = [kind for _, kind in planted.values()]
        assert kinds.count("shuffled") + 1 >= kinds.count("near") >= round(0.025 * made.DROPS[drop])
        assert all(truth.french[row] != truth.french[lender] for row, (lender, _) in planted.items())
        assert sorted(lender for lender, _ in planted.values()) == sorted(planted), "no French comes twice or is lost"
    assert len(set(truth.english)) == len(truth.english)
    english, french = made.sentence((0, 0, 1, 0, 2, 1, 0), 3, np.random.default_rng(1))
    assert english == "The tired baker paints 3 black boats at the harbour on Monday."
    assert french.split()[0] in ("Le", "Lundi,") and "3 " in french and label_json(french)


def test_the_users_own_vectors_of_the_left_side_are_used_and_probabilities_are_refused(
    tmp_path: Path, truth: Phrases
) -> None:
    """Vectors that are the French themselves make the wrong ones plain; a probability of a class means nothing here."""
    chain(landing(tmp_path / "in", {"labels.jsonl": lines(truth)}), tmp_path, kind="pairs")
    (tmp_path / "params.yaml").write_text("task: {modality: text, kind: pairs}\n")
    (tmp_path / "data" / "model").mkdir()
    data = tmp_path / "data"
    place, y_ND = store.read_vectors(data / "embed" / "targets" / "0001-in.parquet")
    lender = dict(zip(SHUFFLED, (SHUFFLED[-1], *SHUFFLED[:-1]), strict=True))  # row -> the row whose French it bears
    borrower = {owner: row for row, owner in lender.items()}
    rows = [place.index(f"p{borrower.get(n, n):04d}") for n in range(COUNT)]
    whole_ND = np.concatenate(list(y_ND.values()), axis=1)
    items = [f"p{n:04d}" for n in range(COUNT)]
    np.savez(tmp_path / "mine.npz", items=items, embeddings=whole_ND[rows])
    with pytest.raises(
        Mistake, match=r"are pairs of texts\. Give vectors of what stands on the left: assay audit --emb"
    ):
        adopt.adopt(tmp_path, predictions=tmp_path / "p.csv", embeddings=None)
    adopted = adopt.adopt(tmp_path, predictions=None, embeddings=tmp_path / "mine.npz")
    assert adopted.sentences[0].startswith(f"Embeddings of {COUNT} items from mine.npz")
    relate.run(data, relate.Params(threads=1))
    report = audit.run(data, audit.Params(task=Task("text", "pairs")))
    scores = store.read_table(data / "audit" / "scores.parquet", SCORES).sort_values("severity", ascending=False)
    assert set(scores["item"].head(len(SHUFFLED))) == {f"p{n:04d}" for n in SHUFFLED}
    assert report.used["embeddings"] == "mine.npz"
