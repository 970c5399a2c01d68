"""How odd is each point, or each pair of a point and its label, to a detector of pyod?

The one home of pyod; the scores of its KNN and LOF come from nearest.py and are equal to pyod's. Measured on digits,
5 % wrong labels (AUROC/AP): KNN .99/.96, LOF .98/.85; IForest, ECOD, COPOD, HBOS, PCA and LODA .47-.60/.05-.10, which
is chance: a wrong label is normal in each marginal of the concatenation.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from . import nearest
from .model import Mistake
from .store import FloatArray

# shapes: N items, E embedding or embedding and label side by side, K classes
ScoreArray = NDArray[np.float64]

QUADRATIC = ("KNN", "LOF")  # cost grows with N * N: above max_items they are fitted on a sample
AT_CHANCE = ("COPOD", "ECOD", "HBOS", "IForest", "LODA", "PCA")  # on (X, Y) pairs
DETECTORS = tuple(sorted((*QUADRATIC, *AT_CHANCE, "CBLOF")))


@dataclass(frozen=True)
class Settings:
    """What detectors may be told; a part of the detect stage's params."""

    neighbours: int = 10  # of KNN and of the disagreement (LOF takes twice as many), 1..100
    max_items: int = 40_000  # items, >= 100; more are scored against a seeded sample of so many
    threads: int = 2  # >= 1
    seed: int = 0


def detector(name: str, *, items: int, neighbours: int, threads: int, seed: int) -> Any:
    """An unfitted pyod detector by its class name; Mistake for a name that is not offered."""
    if name not in DETECTORS:
        raise Mistake(f"Unknown detector '{name}'. Detectors are: {', '.join(DETECTORS)}. Change detect.detectors.")
    options: dict[str, dict[str, Any]] = {
        "KNN": {"n_neighbors": min(neighbours, items - 1), "method": "mean", "n_jobs": threads},
        "LOF": {"n_neighbors": min(2 * neighbours, items - 1), "n_jobs": threads},
        "CBLOF": {"n_clusters": min(8, items), "random_state": seed},
        "IForest": {"n_jobs": 1, "random_state": seed},
        "LODA": {"random_state": seed},
        "PCA": {"n_components": 0.99, "random_state": seed},  # one-hot columns sum to 1: the last direction is empty
    }
    return getattr(importlib.import_module(f"pyod.models.{name.lower()}"), name)(**options.get(name, {}))


def anomaly(x_ND: FloatArray, name: str, settings: Settings, y_NK: FloatArray | None = None) -> ScoreArray:
    """One detector's raw scores of the points, or of the pairs, as scores gives them; Mistake where it has none."""
    score = scores(x_ND, y_NK, (name,), settings)[name]
    if isinstance(score, Mistake):
        raise score
    return score


def scores(
    x_ND: FloatArray, y_NK: FloatArray | None, names: Sequence[str], settings: Settings
) -> dict[str, ScoreArray | Mistake]:
    """Detector -> raw scores, (N,), larger = odder, any scale, nan where there is no finite number; or why it has none.

    KNN and LOF share one search for neighbours (nearest.py, equal to pyod's); the others are pyod, on X and Y side by
    side. Above max_items a quadratic detector looks for neighbours in a seeded sample only; items of the sample keep
    the score they have among themselves, because asked anew each would find itself as its nearest neighbour.
    """
    found: dict[str, ScoreArray | Mistake] = {}
    near = _Near(nearest.points(x_ND, y_NK), settings, most=2 if "LOF" in names else 1)
    whole_NE = x_ND if y_NK is None else np.concatenate([x_ND, y_NK], axis=1)
    for name in names:
        try:
            score_N = near.scores(name) if name in QUADRATIC else _pyod(whole_NE.astype(np.float64), name, settings)
        except Mistake as mistake:
            found[name] = mistake
            continue
        found[name] = np.where(np.isfinite(score_N), score_N, np.nan)
        print(f"detect: {name} has scored {len(x_ND):,} {'items' if y_NK is None else 'pairs'}", flush=True)
    return found


class _Near:
    """Neighbours, looked for when the first detector asks: among a sample of max_items, and of the others in it."""

    def __init__(self, points: nearest.Points, settings: Settings, most: int) -> None:
        self._points, self._settings = points, settings
        fitted = np.arange(len(points))
        if len(points) > settings.max_items:
            rng = np.random.default_rng(settings.seed)
            fitted = np.sort(rng.choice(len(points), settings.max_items, replace=False))
        self._fitted, self._rest = fitted, np.setdiff1d(np.arange(len(points)), fitted)
        self._k = min(most * settings.neighbours, len(fitted) - 1)

    @cached_property
    def _tables(self) -> tuple[nearest.Table, nearest.Table]:
        base, threads = self._points[self._fitted], self._settings.threads
        others = nearest.neighbours(base, self._k, asked=self._points[self._rest], threads=threads)
        return nearest.neighbours(base, self._k, threads=threads), others

    def scores(self, name: str) -> ScoreArray:
        own, others = self._tables
        score_N = np.empty(len(self._points))
        if name == "KNN":
            k = min(self._settings.neighbours, self._k)
            score_N[self._fitted], score_N[self._rest] = nearest.knn(own, k), nearest.knn(others, k)
        else:
            score_N[self._fitted] = nearest.lof(own, self._k)
            score_N[self._rest] = nearest.lof(own, self._k, others)
        return score_N


def _pyod(x_ND: ScoreArray, name: str, settings: Settings) -> ScoreArray:
    model = detector(
        name, items=len(x_ND), neighbours=settings.neighbours, threads=settings.threads, seed=settings.seed
    )
    with threadpool_limits(limits=settings.threads), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # identical rows divide by zero in pyod; who calls guards what is not finite
        try:
            model.fit(x_ND)
        except ValueError as error:  # CBLOF, for one, where the clusters are too few or too even
            raise Mistake(
                f"Detector '{name}' cannot fit {len(x_ND):,} items: {error}. Choose another in detect.detectors."
            ) from None
    return np.asarray(model.decision_scores_)


def severity(score_N: ScoreArray) -> ScoreArray:
    """Raw scores, larger = odder, as severity, (N,) in [0, 1): z / (z + 3), z = robust deviations above the median.

    z = (score - median) / (1.4826 * MAD); at or below the median it is 0, at z = 3 it is .5, and it never saturates, so
    the order of the scores is kept. If half the scores are equal, the mean absolute deviation stands in for the MAD; if
    all are, and for nan, the severity is 0.
    """
    known = score_N[np.isfinite(score_N)]
    if not len(known):
        return np.zeros(len(score_N))
    away = np.abs(known - np.median(known))
    spread = 1.4826 * float(np.median(away)) or float(away.mean())
    if spread == 0:
        return np.zeros(len(score_N))
    z_N = np.clip(np.nan_to_num(score_N - np.median(known)) / spread, 0, None)
    return np.asarray(z_N / (z_N + 3))


def notable(severity_N: ScoreArray, least: float, share: float) -> list[int]:
    """Places of the items at `least` or above, worst first, at most ceil(share * N) of them."""
    order = np.argsort(-severity_N, kind="stable")[: int(np.ceil(share * len(severity_N)))]
    return [n for n in order.tolist() if severity_N[n] >= least and severity_N[n] > 0]
