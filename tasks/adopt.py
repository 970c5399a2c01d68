"""How does a file of the user's own model become an input of the audit?

Reads   the files that were given (modelfile.py), data/ingest, data/drops/<drop>/labels.parquet (paths as delivered),
        data/validate/{classes.json, gate.parquet}, data/verdicts
Writes  data/model/<digest>/, as ownmodel.py reads it; model.json says whose bytes these are and is written last. The
        digest is of all that the folder follows from: the same files on the same items give the same folder.

Rows are found by item or by path (whereabouts.py), columns by the name of a class. What the file has and the workspace
does not know is refused; what it lacks is counted and said, and is not assessable later.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import answers, durable, labels, modelfile, params, store, whereabouts
from .model import FOLDS, GATE, MANIFEST, PASSED, Mistake, Task
from .modelfile import Given
from .store import FloatArray

BY_HEART = 0.999  # from this agreement with the labels on, the model may have learnt them by heart
CHUNK = 65_536  # rows in memory as float64 at once

# shapes: N rows, D values of a vector, K classes


@dataclass(frozen=True)
class Workspace:
    """What is there for a file to be about."""

    items: tuple[str, ...]  # of the manifest, in its order
    given: dict[str, str]  # item -> its class now; items that an audit cannot look at are left out
    classes: tuple[str, ...]  # that a file may name, sorted
    asset: dict[str, str]
    held: frozenset[str] = frozenset()  # classes that wait at the gate


@dataclass(frozen=True)
class Adopted:
    """What was made of the files."""

    name: str  # the folder in data/model
    sentences: tuple[str, ...]  # for a person: what was read, what is missing
    doubts: tuple[str, ...] = ()  # what looks odd, and does not stop anything
    said: dict[str, Any] = field(default_factory=dict)  # model.json


def adopt(workspace: Path, *, predictions: Path | None, embeddings: Path | None, held_out: bool = False) -> Adopted:
    """Write data/model/<digest> out of what was given; Mistake, and nothing written, for what cannot be used.

    `held_out`: the user says that the model never saw any of these items, so no fold is needed.
    """
    data = workspace / "data"
    kind_name = params.section(workspace / "params.yaml", "task", Task).kind
    if predictions is not None and labels.is_paired(kind_name):
        raise Mistake(
            f"'{predictions}' gives a probability for each class, and the items of '{workspace}' are pairs of texts. "
            "Give vectors of what stands on the left: assay audit --embeddings FILE"
        )
    known = look(data, kind_name)
    said: dict[str, Any] = {}
    sentences, doubts = [], []
    rows_of: dict[str, list[tuple[int, str]]] = {}
    digest = hashlib.sha256(json.dumps(["own model", 1, held_out]).encode())
    files = {}
    for option, path in (("predictions", predictions), ("embeddings", embeddings)):
        if path is None:
            continue
        given = modelfile.predictions(path) if option == "predictions" else modelfile.embeddings(path)
        rows, left_out = whereabouts.find(given, known.items, data)
        rows_of[option], files[option] = rows, given
        there = {item for _, item in rows}
        missing = sum(item not in there for item in known.items)
        entry: dict[str, Any] = {"file": path.name, "sha256": store.sha256_file(path), "rows": len(given.names)}
        said[option] = entry | {"items": len(rows), "missing": missing, "left_out": left_out}
        digest.update(json.dumps([option, entry["sha256"], [item for _, item in rows]]).encode())
        if option == "predictions":
            check_classes(given, known)
            check_folds(given, held_out)
            folds = 0 if given.folds_N is None else len(np.unique(given.folds_N))
            said[option] |= {"classes": sorted(given.columns), "held_out": held_out, "folds": folds}
            doubts += doubtful(given, rows, known)
        else:
            said[option] |= {"width": int(given.x_ND.shape[1])}
        sentences += _told(option, said[option], given)
    said["doubts"] = doubts
    name = digest.hexdigest()[:12]
    with durable.fresh_folder(data / "model" / name, staging=_staging(workspace)) as fresh:
        if "predictions" in files:
            _write_predictions(fresh, files["predictions"], rows_of["predictions"])
        if "embeddings" in files:
            _write_vectors(fresh, files["embeddings"], rows_of["embeddings"])
        written = sorted(path for path in fresh.rglob("*") if path.is_file())
        said["files"] = {path.relative_to(fresh).as_posix(): store.sha256_file(path) for path in written}
        store.write_json(fresh / "model.json", said)
    return Adopted(name, tuple(sentences), tuple(doubts), said)


def _staging(workspace: Path) -> Path:
    """On the same disk, so that a rename will do, and out of sight of who lists data/model."""
    hidden = workspace / ".assay" / "staging"
    hidden.mkdir(parents=True, exist_ok=True)
    durable.sweep(hidden)
    home = workspace / "data" / "model"
    return hidden if hidden.stat().st_dev == home.stat().st_dev else home


# --- the workspace ---------------------------------------------------------------------------------------------------


def look(data: Path, kind_name: str) -> Workspace:
    """Items, their classes as the answers have left them, and the vocabulary; Mistake before the first run."""
    if not (data / "validate" / "passed.parquet").exists():
        raise Mistake(f"No item has come through the gate in '{data.parent}' yet. Run: assay run")
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST)
    passed = set(store.read_table(data / "validate" / "passed.parquet", PASSED)["item"])
    kind = labels.kind(kind_name)
    now = answers.current(manifest, answers.state(answers.read(data / "verdicts")))
    now = now[now["item"].isin(passed)]
    target = {y: kind.target(y) for y in set(now["y"])}
    given = {item: target[y] for item, y in zip(now["item"], now["y"], strict=True) if target[y] is not None}
    if len(needed := set(given.values())) < 2 and not labels.is_paired(kind_name):
        one = f"the one class '{needed.pop()}'" if needed else "no label that can be audited"
        raise Mistake(f"The items of '{data.parent}' have {one}. An audit needs two classes. Run: assay receive FOLDER")
    known = {*store.read_json(data / "validate" / "classes.json")["classes"], *given.values()}
    gate = store.read_table(data / "validate" / "gate.parquet", GATE)
    waiting = gate.loc[(gate["status"] == "held") & gate["subject"].str.startswith("class:"), "subject"]
    return Workspace(
        tuple(manifest["item"]),
        given,
        tuple(sorted(known)),
        dict(zip(manifest["item"], manifest["asset"], strict=True)),
        frozenset(subject.removeprefix("class:") for subject in waiting),
    )


# --- what predictions must be ----------------------------------------------------------------------------------------


def check_classes(given: Given, known: Workspace) -> None:
    """Mistake for a column that is no class, and for a class of the items without a column."""
    listed = ", ".join(known.classes[:20]) + (f" and {len(known.classes) - 20:,} more" * (len(known.classes) > 20))
    for name in given.columns:
        if name in known.held:
            raise given.wrong(f"names class '{name}', which waits at the gate. Run: assay accept class:{name}.")
        if name not in known.classes:
            raise given.wrong(f"names the unknown class '{name}'. Classes are: {listed}. Leave other columns out.")
    if lacking := sorted(set(known.given.values()) - set(given.columns)):
        more = f" and {len(lacking) - 1:,} others" if len(lacking) > 1 else ""
        raise given.wrong(f"lacks a column for class '{lacking[0]}'{more}. Classes are: {listed}.")


def check_folds(given: Given, held_out: bool) -> None:
    """Mistake for predictions of a model that may have been trained on the items."""
    if given.folds_N is None and not held_out:
        fold = "an array 'folds'" if given.path.suffix.lower() == ".npz" else "a column 'fold'"
        raise Mistake(
            f"File '{given.path}' does not say in which fold each item was held out, and a model asked about items "
            f"that it was trained on repeats their wrong labels. Add {fold}, or, if the model never saw any of these "
            f"items, run: assay audit --predictions {given.path} --held-out"
        )
    if given.folds_N is not None and held_out:
        raise Mistake(
            f"File '{given.path}' has folds, and --held-out says that none are needed. One of the two is right: leave "
            f"the folds out, or run: assay audit --predictions {given.path}"
        )


def doubtful(given: Given, rows: Sequence[tuple[int, str]], known: Workspace) -> list[str]:
    """What looks as if the model had seen the items after all: it agrees with every label, or a copy taught it."""
    said = []
    labelled = [(n, item) for n, item in rows if item in known.given]
    likeliest = [given.columns[k] for k in given.x_ND[[n for n, _ in labelled]].argmax(axis=1)] if labelled else []
    same = sum(name == known.given[item] for name, (_, item) in zip(likeliest, labelled, strict=True))
    if len(labelled) >= 100 and same / len(labelled) >= BY_HEART:
        said.append(
            f"The model agrees with {same / len(labelled):.1%} of the labels, as one does that was trained on them: "
            "see that its folds are what they say."
        )
    if given.folds_N is not None:
        folds: dict[str, set[int]] = defaultdict(set)
        for n, item in rows:
            folds[known.asset[item]].add(int(given.folds_N[n]))
        if copies := sum(len(found) > 1 for found in folds.values()):
            said.append(
                f"{copies:,} assets have copies in several folds: of a copy the model may know the label. Hold copies "
                "out together."
            )
    return said


def _told(option: str, entry: dict[str, Any], given: Given) -> list[str]:
    what = f"{len(given.columns)} classes" if option == "predictions" else f"{given.x_ND.shape[1]} values each"
    said = [f"{option.capitalize()} of {entry['items']:,} items from {entry['file']}, {what}."]
    if entry["missing"]:
        without = "prediction" if option == "predictions" else "vector"
        said.append(f"{entry['missing']:,} items of the workspace have no {without} there: not assessable.")
    if entry["left_out"]:
        said.append(f"{entry['left_out']:,} rows are of deliveries in quarantine, and left out.")
    if given.ignored:
        said.append(f"Columns that hold no numbers were left out: {', '.join(given.ignored[:8])}.")
    return said


# --- writing ---------------------------------------------------------------------------------------------------------


def _write_predictions(folder: Path, given: Given, rows: Sequence[tuple[int, str]]) -> None:
    order, items = [n for n, _ in rows], [item for _, item in rows]
    columns = sorted(range(len(given.columns)), key=lambda k: given.columns[k])
    p_NK = np.clip(given.x_ND[np.ix_(order, columns)], 0.0, 1.0)
    p_NK /= p_NK.sum(axis=1, keepdims=True)
    store.write_vectors(folder / "predictions.parquet", items, {"p": p_NK.astype(np.float32)})
    folds_N = np.zeros(len(order), np.int64) if given.folds_N is None else given.folds_N[order]
    table = pd.DataFrame({"item": pd.Series(items, dtype=object), "fold": folds_N})
    store.write_table(folder / "folds.parquet", FOLDS, table)


def _write_vectors(folder: Path, given: Given, rows: Sequence[tuple[int, str]]) -> None:
    """As data/embed/vectors: rows of length 1."""
    x_ND: FloatArray = np.empty((len(rows), given.x_ND.shape[1]), np.float32)
    order = np.array([n for n, _ in rows], dtype=np.int64)
    for start in range(0, len(order), CHUNK):
        some = given.x_ND[order[start : start + CHUNK]].astype(np.float64)
        x_ND[start : start + CHUNK] = some / np.sqrt((some * some).sum(axis=1, keepdims=True))
    (folder / "vectors").mkdir()
    store.write_vectors(folder / "vectors" / "embeddings.parquet", [item for _, item in rows], {"own": x_ND})
