"""Which pairs of an item and its label are odd, and which items are odd, doubled or in two splits?

Reads   data/ingest/manifest, data/ingest/duplicates, data/validate/passed.parquet, data/verdicts, data/relate,
        data/embed/vectors or the user's own vectors in data/model
Writes  data/detect/findings.parquet: the notable ones only; the report counts them by check
        data/detect/canaries.json: how the checks that speak of a label did on planted errors (canaries.py)

    xy_<detector>_v1           on the concatenation of X (centred, <= `width` principal directions) and one-hot Y
    neighbour_disagreement_v1  the nearest items have another label
    outlier_v1                 on X alone
    exact_duplicate_v1, near_duplicate_v1, leakage_v1, label_conflict_v1: see copies.py

The scores come from detectors.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import answers, canaries, copies, detectors, durable, store, targets, vectors
from . import labels as label_kinds
from .detectors import ScoreArray, anomaly, notable, scores, severity
from .model import DUPLICATES, FINDINGS, MANIFEST, PASSED, Mistake, Report, Task
from .store import FloatArray

# shapes: N items, D embedding, K classes, k neighbours

FEWEST = 3  # items that a neighbour detector can say anything about


@dataclass(frozen=True)
class Params(detectors.Settings):
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    task: Task = field(default_factory=Task)
    detectors: tuple[str, ...] = ("KNN", "LOF")  # names of pyod classes for the (X, Y) pairs
    outlier: str = "KNN"  # pyod class for X alone
    y_weight: float = 1.0  # length of the one-hot label beside X of length 1, 0..10; from 1 on, labels never mix
    width: int = 64  # principal directions of X, 2..1000
    contamination: float = 0.1  # at most this share of the items for each check of pairs, above 0 to .5
    outlier_share: float = 0.02  # the same for outlier_v1
    least_severity: float = 0.5  # 0..1; .5 = three robust standard deviations above the median
    disagreement: float = 0.6  # 0..1; the weighted share of neighbours with another label
    near_distance: float = 0.05  # 0..2 between unit vectors; nearer ones are near-duplicates
    canaries: float = 0.05  # share of the labels that are planted wrong in a shadow copy, 0 (none) to .3

    def __post_init__(self) -> None:
        for name in (*self.detectors, self.outlier):
            if name not in detectors.DETECTORS:
                raise ValueError(f"detector '{name}': one of {', '.join(detectors.DETECTORS)} is allowed")
        for name, low, high in (
            ("neighbours", 1, 100),
            ("y_weight", 0, 10),
            ("width", 2, 1000),
            ("contamination", 1e-9, 0.5),
            ("outlier_share", 1e-9, 0.5),
            ("least_severity", 0, 1),
            ("disagreement", 0, 1),
            ("near_distance", 0, 2),
            ("canaries", 0, 0.3),
            ("max_items", 100, 10**9),
            ("threads", 1, 1024),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} {getattr(self, name)}: {low:g} to {high:g} is allowed")


def disagreement(near: vectors.Neighbours, names: Sequence[str | None], k: int) -> tuple[ScoreArray, list[str | None]]:
    """The weighted share of the k nearest with another label, (N,) in [0, 1], and the label with the largest weight.

    Weight: the squared cosine, (1 - distance^2 / 2)^2, never below 1e-6. Neighbours without a label do not vote; an
    item without a label, or without voters, has share 0 and no label.
    """
    share_N, leaders = np.zeros(len(names)), list[str | None]([None] * len(names))
    weight_Nk = np.maximum(np.clip(1 - np.minimum(near.distance_Nk, 2.0) ** 2 / 2, 0, None) ** 2, 1e-6)
    for n, given in enumerate(names):
        votes: dict[str, float] = {}
        for m, weight in zip(near.index_Nk[n, :k].tolist(), weight_Nk[n, :k].tolist(), strict=True):
            if m >= 0 and (name := names[m]) is not None:
                votes[name] = votes.get(name, 0.0) + weight
        if given is not None and votes:
            share_N[n] = 1 - votes.get(given, 0.0) / sum(votes.values())
            leaders[n] = min(votes, key=lambda name: (-votes[name], name))
    return share_N, leaders


def odd(
    items: Sequence[str],
    ys: Sequence[str],
    place: vectors.Vectors,
    near: vectors.Neighbours,
    params: Params,
    texts: vectors.Vectors | None = None,
    *,
    labels_only: bool = False,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Findings of xy_*, outlier_v1 and neighbour_disagreement_v1, and notes on what could not be looked at.

    `texts` are the vectors of the Y where it is an item of its own. `labels_only`: without outlier_v1, which asks X.
    """
    kind = label_kinds.kind(params.task.kind)
    names = [kind.target(y) for y in ys]
    k = params.neighbours
    share_N, leaders = disagreement(near, names, k)
    found, notes = [], []

    def add(n: int, check: str, how_odd: float, reason: str, suggested: str | None) -> None:
        suggestion = None if suggested is None or suggested == names[n] else kind.parse(suggested)
        found.append(
            {"item": items[n], "check": check, "severity": how_odd, "reason": reason, "suggestion": suggestion}
        )

    def crowd(n: int) -> str:
        voters = [names[m] for m in near.index_Nk[n, :k].tolist() if m >= 0 and names[m] is not None]
        leader, count = Counter(voters).most_common(1)[0] if voters else (None, 0)
        return f"; {count} of its {len(voters)} nearest neighbours are {leader}" if voters else ""

    told_N = np.where(
        [leader is not None and leader != name for leader, name in zip(leaders, names, strict=True)], share_N, 0
    )
    for n in notable(told_N, params.disagreement, params.contamination):
        reason = f"Weighed by closeness, {share_N[n]:.0%} of its nearest neighbours are not {names[n]}{crowd(n)}."
        add(n, "neighbour_disagreement_v1", float(share_N[n]), reason, leaders[n])

    usable = np.flatnonzero(place.usable_N)
    if len(usable) < len(items):
        for fault, count in Counter(fault for fault in place.faults if fault).most_common(3):
            notes.append(f"{count:,} items were not looked at: {fault}.")
    if len(usable) < FEWEST:
        return found, [*notes, f"Only {len(usable)} items have vectors; {FEWEST} are needed to call one odd."]
    x_ND = vectors.centred(place.x_ND[usable], params.width)
    how_odd_N = np.zeros(len(x_ND)) if labels_only else severity(anomaly(x_ND, params.outlier, params))
    for rank, m in enumerate(notable(how_odd_N, params.least_severity, params.outlier_share), 1):
        reason = f"It is unlike the other items: number {rank} of {len(usable):,} to {params.outlier}."
        add(int(usable[m]), "outlier_v1", float(how_odd_N[m]), reason, None)

    if texts is not None:
        more, said = odd_texts(items, usable, x_ND, texts, params)
        return found + more, notes + said
    paired = np.array([m for m, n in enumerate(usable.tolist()) if names[n] is not None], dtype=np.int64)
    classes = sorted({str(names[usable[m]]) for m in paired})
    if len(paired) < FEWEST or len(classes) < 2:
        return found, [*notes, "Pairs were not looked at: they need three labelled items and two classes."]
    y_NK = kind.encode([ys[usable[m]] for m in paired], classes) * np.float32(params.y_weight)
    for name, score in scores(x_ND[paired], y_NK, params.detectors, params).items():
        if name in detectors.AT_CHANCE:
            notes.append(f"{name} is at chance on pairs: a wrong label is normal in each marginal. Prefer KNN or LOF.")
        if isinstance(score, Mistake):  # the other detectors have run
            notes.append(str(score))
            continue
        how_odd_N = severity(score)
        chosen = notable(how_odd_N, params.least_severity, params.contamination)
        for rank, m in enumerate(chosen, 1):
            n = int(usable[paired[m]])
            reason = f"With the label {names[n]} it is number {rank} of {len(paired):,} odd pairs to {name}{crowd(n)}."
            add(n, f"xy_{name.lower()}_v1", float(how_odd_N[m]), reason, leaders[n])
    return found, notes


def odd_texts(
    items: Sequence[str],
    usable: NDArray[np.int64],
    x_ND: FloatArray,
    texts: vectors.Vectors,
    params: Params,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Findings of xy_* where Y is a text with a vector of its own, (N,) places `usable` with vectors `x_ND` in order.

    What the literature proposes, shown beside the audit of pairs, which finds many more (docs/benchmarks.md).
    """
    both = np.array([m for m, n in enumerate(usable.tolist()) if texts.faults[n] is None], dtype=np.int64)
    notes = []
    if len(both) < len(usable):
        notes.append(f"{len(usable) - len(both):,} pairs were not looked at: their text has no usable vector.")
    if len(both) < FEWEST:
        return [], [*notes, f"Only {len(both)} pairs have vectors on both sides; {FEWEST} are needed to call one odd."]
    y_ND = vectors.centred(texts.x_ND[usable[both]], params.width) * np.float32(params.y_weight)
    found = []
    for name, score in scores(np.concatenate([x_ND[both], y_ND], axis=1), None, params.detectors, params).items():
        if isinstance(score, Mistake):  # the other detectors have run
            notes.append(str(score))
            continue
        how_odd_N = severity(score)
        for rank, m in enumerate(notable(how_odd_N, params.least_severity, params.contamination), 1):
            reason = f"With its text it is number {rank} of {len(both):,} odd pairs to {name}."
            row = {"item": items[int(usable[both[m]])], "check": f"xy_{name.lower()}_v1", "reason": reason}
            found.append(row | {"severity": float(how_odd_N[m]), "suggestion": None})
    return found, notes


def doubled(
    manifest: pd.DataFrame, delivered: pd.DataFrame, near: vectors.Neighbours, params: Params
) -> tuple[list[dict[str, Any]], list[str]]:
    """Findings on copies and contradictions; a note where near_distance seems too wide for the embedder."""
    show = label_kinds.kind(params.task.kind).show
    assets, regions = manifest["asset"].tolist(), manifest["region"].tolist()
    exact = copies.exact_pairs(assets, regions)
    alike = copies.near_pairs(near, assets, regions, params.near_distance) if params.near_distance else []
    found = copies.duplicates(manifest, [*exact, *alike], show)
    found += copies.leakage(manifest, [*exact, *alike], delivered)
    found += copies.conflicts(manifest, delivered, show)
    touched = len({n for pair in alike for n in (pair.first, pair.second)})
    if touched > len(manifest) / 5:
        return found, [f"{touched:,} of {len(manifest):,} items have a near-duplicate: lower detect.near_distance."]
    return found, []


def _canaries(
    items: Sequence[str],
    ys: Sequence[str],
    place: vectors.Vectors,
    near: vectors.Neighbours,
    params: Params,
    found: Sequence[Mapping[str, Any]],
) -> tuple[canaries.Tried, ...]:
    """How the checks that speak of a label do on planted errors; `found`: what `odd` says of the labels as they are."""
    kind = label_kinds.kind(params.task.kind)
    names = [kind.target(y) if fault is None else None for y, fault in zip(ys, place.faults, strict=True)]
    checks = ("neighbour_disagreement_v1", *(f"xy_{name.lower()}_v1" for name in params.detectors))

    def ask(shadow: Sequence[str | None]) -> Sequence[Mapping[str, Any]]:
        turned = [y if name is None else kind.parse(name) for y, name in zip(ys, shadow, strict=True)]
        return odd(items, turned, place, near, params, labels_only=True)[0]

    _, leaders = disagreement(near, names, params.neighbours)
    return canaries.of_findings(
        items, names, leaders, found, ask, checks=checks, share=params.canaries, seed=params.seed
    )


def run(data: Path, params: Params) -> Report:
    passed = set(store.read_table(data / "validate" / "passed.parquet", PASSED)["item"])
    state = answers.state(answers.read(data / "verdicts"))
    manifest = answers.current(store.read_table(data / "ingest" / "manifest", MANIFEST), state)
    manifest = manifest[manifest["item"].isin(passed)].reset_index(drop=True)
    items = manifest["item"].tolist()
    delivered = store.read_table(data / "ingest" / "duplicates", DUPLICATES)
    place = vectors.of(data, items)
    near = vectors.neighbours(data / "relate", items)
    ys = manifest["y"].tolist()
    texts = targets.located(data, items, ys) if label_kinds.is_paired(params.task.kind) else None
    strange, notes = odd(items, ys, place, near, params, texts)
    double, more = doubled(manifest, delivered, near, params)
    planted = () if texts is not None else _canaries(items, ys, place, near, params, strange)
    order = {item: n for n, item in enumerate(items)}
    found = sorted([*strange, *double], key=lambda row: (row["check"], -row["severity"], order[row["item"]]))
    with durable.fresh_folder(data / "detect") as folder:
        store.write_table(folder / "findings.parquet", FINDINGS, store.frame(FINDINGS, found))
        store.write_json(folder / "canaries.json", {"canaries": [one.told() for one in planted]})
    counts: Mapping[str, int] = {"items": len(items), "findings": len(found)}
    counts = {**counts, **Counter(row["check"] for row in found)}
    figures = {"found_share": round(len({row["item"] for row in found}) / len(items), 6)} if items else {}
    used = {"pyod": version("pyod"), "detectors": ", ".join(params.detectors), "outlier": params.outlier}
    return Report("detect", counts, figures, used, tuple(notes + more))
