"""The data that benchmarks/audit.py ranks: vectors, true labels, and labels that went wrong in a stated way.

digits      scikit-learn's 1,797, embedded by our offline image embedder; always there
cifar10n    10,000 CIFAR-10 images with people's labels; from the folder of packs
banking77   25 classes of BANKING77 (the first by name, training split), TF-IDF of words and of characters -> SVD 300

    uniform 10 %      one label in ten becomes any other class
    pair 20 %         one label in five becomes the next class: k -> k + 1
    class 10 %        one in ten on average, classes unequally (Dirichlet, at most .4), each into two classes of its own
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from flows.digits import digits
from tasks.modalities import image

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Views = dict[str, FloatArray]

CLASSES = 25  # of BANKING77


@dataclass(frozen=True)
class Case:
    """One set of labels; N items, K classes."""

    name: str
    seed: int
    views: Views  # name -> (N, D)
    true_N: IntArray
    given_N: IntArray

    @property
    def wrong_N(self) -> NDArray[np.bool_]:
        return np.asarray(self.true_N != self.given_N)


def uniform(true_N: IntArray, classes: int, rng: np.random.Generator) -> IntArray:
    wrong_N = rng.random(len(true_N)) < 0.1
    return np.where(wrong_N, (true_N + rng.integers(1, classes, len(true_N))) % classes, true_N)


def pair(true_N: IntArray, classes: int, rng: np.random.Generator) -> IntArray:
    return np.where(rng.random(len(true_N)) < 0.2, (true_N + 1) % classes, true_N)


def by_class(true_N: IntArray, classes: int, rng: np.random.Generator) -> IntArray:
    rate_K = np.minimum(rng.dirichlet(np.ones(classes)) * classes * 0.1, 0.4)
    away_K2 = np.array([rng.choice(np.arange(1, classes), 2, replace=False) for _ in range(classes)])
    into_N = (true_N + away_K2[true_N, rng.integers(0, 2, len(true_N))]) % classes
    return np.where(rng.random(len(true_N)) < rate_K[true_N], into_N, true_N)


NOISES: dict[str, Callable[[IntArray, int, np.random.Generator], IntArray]] = {
    "uniform 10 %": uniform,
    "pair 20 %": pair,
    "class 10 %": by_class,
}


def cases(packs: Path | None, seeds: int) -> Iterator[Case]:
    """Every set, seed by seed; those of the packs where their folder is given."""
    planted = {"digits": _digits()}
    if packs is not None:
        planted["banking77"] = _banking(packs)
    for name, (views, true_N) in planted.items():
        for noise, spoil in NOISES.items():
            for seed in range(seeds):
                rng = np.random.default_rng(seed)
                yield Case(f"{name}, {noise}", seed, views, true_N, spoil(true_N, int(true_N.max()) + 1, rng))
    if packs is not None:
        views, table = _cifar(packs)
        for labels in ("aggregate", "random1"):
            for seed in range(seeds):
                given_N = table[labels].to_numpy(dtype=np.int64)
                yield Case(f"cifar10n, {labels}", seed, views, table["clean"].to_numpy(dtype=np.int64), given_N)


def _embedded(images: list[NDArray[np.uint8]]) -> Views:
    """By the offline embedder, fitted on the first 2,000, as the stage `embed` does it."""
    embedder = image.EMBEDDERS["patches"](weights=None, device="cpu", threads=1, batch=256, seed=0)
    state = embedder.fit(iter(images[:2000]))
    parts = [embedder.transform(images[n : n + 256], state) for n in range(0, len(images), 256)]
    return {name: _unit(np.concatenate([part[name] for part in parts])) for name in parts[0]}


def _unit(x_ND: NDArray[np.floating]) -> FloatArray:
    return np.asarray(x_ND / np.maximum(np.linalg.norm(x_ND, axis=1, keepdims=True), 1e-9), dtype=np.float32)


def _digits() -> tuple[Views, IntArray]:
    whole = digits()
    images = [np.repeat(np.asarray(one, dtype=np.uint8)[..., None], 3, axis=-1) for one in whole.images]
    return _embedded(images), np.asarray(whole.labels, dtype=np.int64)


def _cifar(packs: Path) -> tuple[Views, pd.DataFrame]:
    table = pd.read_parquet(packs / "cifar10n_10k" / "train_images_10000.parquet")
    return _embedded([image.load(data) for data in table["jpg"]]), table


def _banking(packs: Path) -> tuple[Views, IntArray]:
    table = pd.read_parquet(packs / "text_ccby" / "banking77.parquet")
    names = sorted(table["category"].unique())[:CLASSES]
    table = table[(table["split"] == "train") & table["category"].isin(names)]
    words = TfidfVectorizer(sublinear_tf=True).fit_transform(table["text"])
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True).fit_transform(table["text"])
    views = {
        name: _unit(TruncatedSVD(300, random_state=0).fit_transform(counts))
        for name, counts in (("words", words), ("characters", letters))
    }
    return views, np.array([names.index(name) for name in table["category"]], dtype=np.int64)
