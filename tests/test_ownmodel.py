"""Does the user's model reach the audit for the right items, folds and classes, and is what it lacks said?

The workspace: drop 0001-a has a.png (item 007, cat), b.png (i2, dog), c.png (i3, cat), d.png (in quarantine, id q1);
drop 0002-b has a.png again as another item (i4, dog) and e.png (i5, dog).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_tables

from tasks import adopt, audit, durable, ownmodel, relate, store, vectors
from tasks.model import (
    ANNOTATIONS,
    DELIVERED,
    DUPLICATES,
    GATE,
    GRAPH_ITEMS,
    MANIFEST,
    PASSED,
    QUARANTINE,
    Mistake,
    label_json,
)

ITEMS = {"007": ("0001-a", "a.png", "cat"), "i2": ("0001-a", "b.png", "dog"), "i3": ("0001-a", "c.png", "cat")}
ITEMS |= {"i4": ("0002-b", "a.png", "dog"), "i5": ("0002-b", "e.png", "dog")}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """What a run has left behind, as far as adopt looks at it."""
    data = tmp_path / "ws" / "data"
    for drop in ("0001-a", "0002-b"):
        own = [(item, path, name) for item, (where, path, name) in ITEMS.items() if where == drop]
        rows = [_row(drop, n, item, path) for n, (item, path, _) in enumerate(own)]
        manifest = [
            {**row, "item": row["id"], "y": label_json(name), "split": "train", "drop": drop}
            for row, (_, _, name) in zip(rows, own, strict=True)
        ]
        lost = _row(drop, 9, "q1", "d.png")
        if drop == "0001-a":
            rows.append(lost)
        _write(data / "drops" / drop / "labels.parquet", DELIVERED, rows)
        _write(data / "ingest" / "manifest" / f"{drop}.parquet", MANIFEST, manifest)
        for name, table in (("annotations", ANNOTATIONS), ("duplicates", DUPLICATES), ("quarantine", QUARANTINE)):
            _write(data / "ingest" / name / f"{drop}.parquet", table, [])
    _write(data / "validate" / "passed.parquet", PASSED, [{"item": item} for item in ITEMS])
    _write(data / "validate" / "gate.parquet", GATE, [])
    store.write_json(data / "validate" / "classes.json", {"version": "1", "classes": ["cat", "dog"]})
    for folder in ("model", "verdicts"):
        (data / folder).mkdir()
    (tmp_path / "ws" / "params.yaml").write_text("task: {modality: image, kind: single}\n")
    return tmp_path / "ws"


def _row(drop: str, n: int, item: str, path: str) -> dict[str, Any]:
    place = {"asset": f"sha-{drop}-{path}", "shard": f"{drop}/assets-0000.parquet", "row": n}
    return {"source": f"labels.csv:{n + 2}", "raw": b"", "path": path, "label": "x", "id": item, **place}


def _write(path: Path, table: Any, rows: list[dict[str, Any]]) -> None:
    known = [{name: row.get(name) for name in table.columns} for row in rows]
    store.write_table(path, table, store.frame(table, known))


def given(workspace: Path, text: str, name: str = "p.csv") -> Path:
    path = workspace / name
    path.write_text(text)
    return path


def adopted(workspace: Path, text: str, **options: Any) -> adopt.Adopted:
    return adopt.adopt(workspace, predictions=given(workspace, text), embeddings=None, **options)


def refused(workspace: Path, text: str, **options: Any) -> str:
    with pytest.raises(Mistake) as caught:
        adopted(workspace, text, **options)
    assert list((workspace / "data" / "model").iterdir()) == []
    said = str(caught.value)
    assert "\n" not in said and "assay " in said
    return said.replace(str(workspace), "WS")


HEAD = "item,fold,dog,cat\n"


def test_columns_are_mapped_by_name_and_rows_by_item_in_any_order(workspace: Path) -> None:
    made = adopted(workspace, HEAD + "i5,1,.875,.125\n007,0,.25,.75\n")
    assert made.sentences == (
        "Predictions of 2 items from p.csv, 2 classes.",
        "3 items of the workspace have no prediction there: not assessable.",
    )
    assert made.said["predictions"]["missing"] == 3
    found = ownmodel.predictions(workspace / "data", ["i5", "i2", "007"])
    assert found is not None
    assert found.classes == ("cat", "dog")
    assert found.p_NK.tolist() == [[0.125, 0.875], [0, 0], [0.75, 0.25]]
    assert found.folds_N.tolist() == [1, -1, 0]
    assert found.known_N.tolist() == [True, False, True]
    assert (found.held_out, found.file) == (False, "p.csv")


def test_the_same_file_gives_the_same_bytes_and_the_folder_is_named_by_them(workspace: Path) -> None:
    text = HEAD + "i5,1,.9,.1\n007,0,.25,.75\n"
    first = adopted(workspace, text)
    home = workspace / "data" / "model" / first.name
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    assert adopted(workspace, text).name == first.name
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before
    assert set(before) == {"predictions.parquet", "folds.parquet", "model.json"}
    assert adopted(workspace, text.replace(".9,.1", ".8,.2")).name != first.name


def test_rows_are_found_by_path_and_by_drop_and_path(workspace: Path) -> None:
    made = adopted(workspace, "path,fold,dog,cat\nb.png,0,1,0\n0002-b/a.png,1,1,0\n0001-a/a.png,0,0,1\nd.png,1,1,0\n")
    assert made.sentences[-1] == "1 rows are of deliveries in quarantine, and left out."
    found = ownmodel.predictions(workspace / "data", list(ITEMS))
    assert found is not None and found.folds_N.tolist() == [0, 0, -1, 1, -1]


def test_a_path_that_is_another_item_in_another_drop_is_refused_with_the_way_out(workspace: Path) -> None:
    assert refused(workspace, "path,fold,dog,cat\nb.png,0,1,0\na.png,1,1,0\n") == (
        "File 'WS/p.csv' has path 'a.png' in line 3, which is another item in each of the drops 0001-a, 0002-b. Write "
        "DROP/PATH, as in '0001-a/a.png', or use a column 'item'. Correct it, then run: assay audit --predictions "
        "WS/p.csv"
    )


def test_two_rows_of_one_item_under_two_paths_are_refused(workspace: Path) -> None:
    said = refused(workspace, "path,fold,dog,cat\nb.png,0,1,0\n0001-a/b.png,1,1,0\n")
    assert "has item 'i2' in line 2 ('b.png') and in line 3 ('0001-a/b.png'). One row an item is allowed." in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            HEAD + "i2,0,1,0\nx9,1,1,0\nx10,1,1,0\n",
            "has item 'x9' in line 3 and 1 more that are unknown. The workspace's are such as '007'; leave rows of "
            "others out.",
        ),
        (
            "path,fold,dog,cat\n/home/me/b.png,0,1,0\nb.png,1,1,0\n",
            "has path '/home/me/b.png' in line 2. The workspace's are such as 'a.png'; leave rows of others out.",
        ),
        (
            "item,fold,dog,cat,cow\ni2,0,1,0,0\ni3,1,1,0,0\n",
            "names the unknown class 'cow'. Classes are: cat, dog. Leave other columns out.",
        ),
        (
            "item,fold,dog,Cat\ni2,0,1,0\ni3,1,1,0\n",
            "names the unknown class 'Cat'. Classes are: cat, dog. Leave other columns out.",
        ),
    ],
)
def test_unknown_items_paths_and_classes_are_refused_by_name(workspace: Path, text: str, says: str) -> None:
    assert f"File 'WS/p.csv' {says}" in refused(workspace, text)


def test_a_class_without_a_column_is_refused_and_one_at_the_gate_is_named_with_its_command(workspace: Path) -> None:
    store.write_json(
        workspace / "data" / "validate" / "classes.json", {"version": "2", "classes": ["cat", "dog", "emu"]}
    )
    assert "lacks a column for class 'dog'. Classes are: cat, dog, emu." in refused(
        workspace, "item,fold,emu,cat\ni2,0,1,0\ni3,1,1,0\n"
    )
    waits = {"subject": "class:yak", "status": "held", "code": "E_CLASS_NEW", "message": "new", "remedy": "accept"}
    _write(workspace / "data" / "validate" / "gate.parquet", GATE, [waits])
    assert "names class 'yak', which waits at the gate. Run: assay accept class:yak." in refused(
        workspace, "item,fold,dog,cat,yak\ni2,0,1,0,0\ni3,1,1,0,0\n"
    )


def test_in_sample_predictions_are_refused_with_the_reason_and_held_out_ones_are_taken(workspace: Path) -> None:
    text = "item,dog,cat\ni2,1,0\ni3,0,1\n"
    assert refused(workspace, text) == (
        "File 'WS/p.csv' does not say in which fold each item was held out, and a model asked about items that it was "
        "trained on repeats their wrong labels. Add a column 'fold', or, if the model never saw any of these items, "
        "run: assay audit --predictions WS/p.csv --held-out"
    )
    assert "has folds, and --held-out says that none are needed" in refused(
        workspace, HEAD + "i2,0,1,0\ni3,1,0,1\n", held_out=True
    )
    made = adopted(workspace, text, held_out=True)
    found = ownmodel.predictions(workspace / "data", ["i2", "i4"])
    assert found is not None and found.held_out and found.folds_N.tolist() == [0, -1]
    assert made.said["predictions"]["folds"] == 0


def test_items_of_one_class_are_refused(workspace: Path) -> None:
    _write(workspace / "data" / "validate" / "passed.parquet", PASSED, [{"item": "i2"}, {"item": "i4"}])
    said = refused(workspace, HEAD + "i2,0,1,0\n")
    assert "have the one class 'dog'. An audit needs two classes." in said


def test_before_the_first_run_the_sentence_says_so(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("task: {}\n")
    with pytest.raises(Mistake, match=r"No item has come through the gate in '.*' yet. Run: assay run"):
        adopt.adopt(tmp_path, predictions=tmp_path / "p.csv", embeddings=None)


def test_copies_in_several_folds_are_told(workspace: Path) -> None:
    path = workspace / "data" / "ingest" / "manifest" / "0002-b.parquet"
    rows = store.read_table(path, MANIFEST)
    rows["asset"] = "the same"
    store.write_table(path, MANIFEST, rows)
    made = adopted(workspace, HEAD + "i4,0,1,0\ni5,1,1,0\n007,1,0,1\n")
    assert made.doubts == (
        "1 assets have copies in several folds: of a copy the model may know the label. Hold copies out together.",
    )


def test_a_model_that_agrees_with_every_label_is_told_to_look_trained_on_them() -> None:
    from tasks.modelfile import Given

    names = [f"i{n}" for n in range(100)]
    p_NK = np.tile([0.9, 0.1], (100, 1))
    file = Given(Path("p.csv"), "predictions", "item", names, ("cat", "dog"), p_NK)
    there = adopt.Workspace(tuple(names), dict.fromkeys(names, "cat"), ("cat", "dog"), {})
    rows = list(enumerate(names))
    assert adopt.doubtful(file, rows, there) == [
        "The model agrees with 100.0% of the labels, as one does that was trained on them: see that its folds are what "
        "they say."
    ]
    less = adopt.Workspace(tuple(names), {**there.given, "i0": "dog"}, ("cat", "dog"), {})
    assert adopt.doubtful(file, rows, less) == []


# --- embeddings ------------------------------------------------------------------------------------------------------


def test_the_users_vectors_take_the_place_of_ours_and_what_has_none_is_named(workspace: Path) -> None:
    data = workspace / "data"
    store.write_vectors(data / "embed" / "vectors" / "0001-a.parquet", ["007"], {"ours": np.ones((1, 3), np.float32)})
    assert vectors.of(data, ["007", "i2"]).faults == (None, "it has no vector in data/embed")
    path = workspace / "e.npz"
    np.savez(path, items=["i2", "007"], embeddings=np.array([[0, 5], [3, 4]], np.float32))
    made = adopt.adopt(workspace, predictions=None, embeddings=path)
    assert made.said["embeddings"] | {"sha256": ""} == {
        "file": "e.npz",
        "sha256": "",
        "rows": 2,
        "items": 2,
        "missing": 3,
        "left_out": 0,
        "width": 2,
    }
    place = vectors.of(data, ["007", "i5", "i2"])
    assert place.x_ND.tolist() == np.array([[0.6, 0.8], [0, 0], [0, 1]], np.float32).tolist()
    assert place.faults == (None, "it has no vector in e.npz", None)
    assert ownmodel.predictions(data, ["007"]) is None
    report = relate.run(data, relate.Params(k=1))
    assert report.used == {"graph": "exact", "vectors": "e.npz"}
    assert store.read_table(data / "relate" / "items.parquet", GRAPH_ITEMS)["item"].tolist() == ["007", "i2"]


def test_without_a_model_nothing_is_there_and_a_recorded_one_that_is_absent_is_never_passed_over(
    tmp_path: Path,
) -> None:
    assert ownmodel.about(tmp_path) == {} and ownmodel.folder(tmp_path) is None
    durable.write_text(tmp_path / "model" / "abc.dvc", "outs: []\n")
    with pytest.raises(Mistake, match=r"Your model '.*abc' is recorded but not here. Run: assay run"):
        ownmodel.predictions(tmp_path, ["i"])


def test_two_models_are_refused(tmp_path: Path) -> None:
    for name in ("abc", "def"):
        store.write_json(tmp_path / "model" / name / "model.json", {})
    with pytest.raises(Mistake, match=r"holds 2 models, and one is allowed. Run: assay run"):
        ownmodel.folder(tmp_path)


# --- in the audit ----------------------------------------------------------------------------------------------------


def own(
    labels: list[str], p_NK: np.ndarray[Any, Any], folds: list[int], *, held_out: bool = False
) -> ownmodel.Predictions:
    return ownmodel.Predictions(tuple(sorted(set(labels))), p_NK, np.array(folds), held_out, "p.csv")


def test_the_queue_ranks_by_the_users_model_and_folds_and_says_what_it_lacks(tmp_path: Path) -> None:
    """Our vectors are blind here, the user's model is right; item 0 is labelled wrong, of item 7 it says nothing."""
    labels = ["cat"] * 20 + ["dog"] * 20
    p_NK = np.array([[0.9, 0.1]] * 20 + [[0.1, 0.9]] * 20)
    p_NK[0] = [0.05, 0.95]
    folds = [n % 2 for n in range(40)]
    folds[7], p_NK[7] = -1, 0
    place = toy_tables.located(np.random.default_rng(0).normal(size=(40, 4)))
    ys = toy_tables.labels([*labels])
    items = toy_tables.names(40)
    found = audit.audit(items, ys, place, toy_tables.graph(place), audit.Params(), own=own(labels, p_NK, folds))
    scores = found.scores.set_index("item")
    assert scores["severity"].astype(float).idxmax() == "i0000"
    assert scores.loc["i0000", "suggestion"] == '"dog"'
    assert scores.loc["i0007", "note"] == "not assessable: p.csv has no prediction of it"
    assert scores["fold"].tolist() == folds
    plain = found.plain.set_index("item")
    assert plain["severity"].astype(float).idxmax() == "i0000"
    assert plain["flagged"].tolist() == [item == "i0000" for item in items]


def test_held_out_predictions_need_no_folds_and_a_class_that_the_model_lacks_is_said() -> None:
    labels = ["cat"] * 10 + ["dog"] * 10
    p_NK = np.array([[0.9, 0.1]] * 10 + [[0.1, 0.9]] * 10)
    theirs = own(labels, p_NK, [0] * 20, held_out=True)
    place = toy_tables.located(np.random.default_rng(0).normal(size=(20, 4)))
    ys = toy_tables.labels([*labels[:-2], "emu", "emu"])
    found = audit.audit(toy_tables.names(20), ys, place, toy_tables.graph(place), audit.Params(), own=theirs)
    assert found.scores["fold"].tolist() == [0] * 18 + [-1] * 2
    assert found.scores["note"].tolist()[-2:] == ["not assessable: p.csv has no class 'emu'"] * 2
    assert found.figures["accuracy_out_of_fold"] == 1.0
