"""What does the user's own model say of the items?

Reads   data/model/<digest>/: model.json, predictions.parquet (item, p: one number a class), folds.parquet (item, fold),
        vectors/embeddings.parquet (item, own: the vector); each but model.json only where it was given
Writes  nothing: adopt.py has written these, out of a file that it has checked

Without a model of the user's own data/model holds no folder, and everything is as if this module were not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import store
from .model import FOLDS, Mistake

ProbabilityArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# shapes: N items asked for, K classes of the file


@dataclass(frozen=True)
class Predictions:
    """The probabilities of the user's model, in the order of the items asked for."""

    classes: tuple[str, ...]  # the columns, sorted
    p_NK: ProbabilityArray  # rows sum to 1; zeros where there is no prediction
    folds_N: IntArray  # the fold in which the item was held out; -1 = no prediction; all 0 where held_out
    held_out: bool  # the user says that the model never saw any of these items
    file: str  # the name of the file that was given

    @property
    def known_N(self) -> NDArray[np.bool_]:
        """Which items have a prediction."""
        return np.asarray(self.folds_N >= 0)

    def faults(self, labels: Sequence[str | None]) -> list[str | None]:
        """Why the model says nothing of an item, or nothing of its label; None where it does."""
        why: list[str | None] = []
        for name, known in zip(labels, self.known_N.tolist(), strict=True):
            foreign = f"{self.file} has no class '{name}'" if name is not None and name not in self.classes else None
            why.append(foreign if known else f"{self.file} has no prediction of it")
        return why


def folder(data: Path) -> Path | None:
    """Where the user's model lies; None where there is none. Mistake where a recorded one is not here."""
    home = data / "model"
    for record in sorted(home.glob("*.dvc")):
        if not (record.with_suffix("") / "model.json").exists():
            raise Mistake(f"Your model '{record.with_suffix('')}' is recorded but not here. Run: assay run")
    found = [path.parent for path in sorted(home.glob("[!.]*/model.json"))]
    if len(found) > 1:
        raise Mistake(f"Folder '{home}' holds {len(found)} models, and one is allowed. Run: assay run")
    return found[0] if found else None


def about(data: Path) -> dict[str, Any]:
    """model.json: `predictions` and `embeddings`, each with its file, sha256 and counts; {} without a model."""
    home = folder(data)
    return {} if home is None else dict(store.read_json(home / "model.json"))


def predictions(data: Path, items: Sequence[str]) -> Predictions | None:
    """What the model says of `items`; None where no predictions were given."""
    home, said = folder(data), about(data).get("predictions")
    if home is None or said is None:
        return None
    names, views = store.read_vectors(home / "predictions.parquet")
    folds = store.read_table(home / "folds.parquet", FOLDS)
    fold = dict(zip(folds["item"], folds["fold"], strict=True))
    row = {name: n for n, name in enumerate(names)}
    p_NK = np.zeros((len(items), len(said["classes"])))
    folds_N = np.full(len(items), -1, dtype=np.int64)
    there = [n for n, item in enumerate(items) if item in row]
    p_NK[there] = views["p"][[row[items[n]] for n in there]]
    folds_N[there] = [fold[items[n]] for n in there]
    p_NK /= np.where(folds_N >= 0, p_NK.sum(axis=1), 1.0)[:, None]
    return Predictions(tuple(said["classes"]), p_NK, folds_N, bool(said["held_out"]), str(said["file"]))


def vectors_folder(data: Path) -> tuple[Path, str]:
    """The folder of the vectors that count, and why an item that it lacks has none."""
    home, said = folder(data), about(data).get("embeddings")
    if home is None or said is None:
        return data / "embed" / "vectors", "it has no vector in data/embed"
    return home / "vectors", f"it has no vector in {said['file']}"
