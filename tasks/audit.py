"""Which labels are wrong, how surely, and what should they be?

Reads   data/ingest/manifest, data/validate/passed.parquet, data/verdicts, data/embed/vectors, data/relate
Writes  data/audit: scores.parquet (every passed item), findings.parquet (the flagged ones), noise.json,
        confusions.csv (given, suggested, count), and for DVC's plots confusion.csv (one row a flag), severity.csv
Source: confident learning (Northcutt et al. 2021) through cleanlab's functions, not its Datalab, which reads label
columns row by row and grows quadratically.

A flag is a reason to look, never a verdict: on data that the embedding separates badly (accuracy_out_of_fold below .8)
the noise rate is an upper estimate and most flags are hard items, not errors.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cleanlab.count import compute_confident_joint, estimate_joint
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray

from . import answers, durable, noise, outoffold, store, vectors
from . import labels as label_kinds
from .confidence import checked, posterior_of_error, severity, thresholds
from .model import FINDINGS, MANIFEST, PASSED, SCORES, Report, Task
from .outoffold import IntArray, ProbabilityArray, fold_ids, out_of_fold

__all__ = ["Params", "Ranking", "fold_ids", "out_of_fold", "rank", "run"]

CHECK = "label_noise_v1"
FLAG_RULES = ("p_wrong", "prune_by_noise_rate", "prune_by_class", "both", "confident_learning")

# shapes: N items, K classes, D embedding
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Params:
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    task: Task = field(default_factory=Task)
    folds: int = 5  # 2..20
    seed: int = 0  # of the folds
    scales: tuple[float, ...] = (0.7, 1.5, 3.0, 5.0)  # > 0; candidates for the length of the unit vectors
    tune_items: int = 3000  # items, >= 100; the scale is chosen on at most so many
    width: int = 300  # principal directions, >= 2
    max_iter: int = 200  # steps of each fit, >= 1
    flag_by: str = "p_wrong"  # p_wrong > .5, or the name of one of cleanlab's filters
    neighbours: int = 5  # neighbours named in a reason, >= 1
    top_confusions: int = 10  # class pairs in noise.json, >= 1
    threads: int = 2  # folds fitted at once, >= 1; the result does not depend on it

    def __post_init__(self) -> None:
        if not 2 <= self.folds <= 20:
            raise ValueError("2 to 20 is allowed")
        if not self.scales or min(self.scales) <= 0:
            raise ValueError("scales: one or more numbers above 0 is allowed")
        if self.flag_by not in FLAG_RULES:
            raise ValueError(f"flag_by: one of {', '.join(FLAG_RULES)} is allowed")
        if self.tune_items < 100 or self.width < 2:
            raise ValueError("tune_items of 100 or more and width of 2 or more is allowed")
        if min(self.max_iter, self.neighbours, self.top_confusions, self.threads) < 1:
            raise ValueError("max_iter, neighbours, top_confusions and threads of 1 or more is allowed")


@dataclass(frozen=True)
class Ranking:
    """What confident learning makes of out-of-fold probabilities; each array in the order of the labels given."""

    severity_N: ProbabilityArray  # [0, 1], 1 = surely wrong
    p_wrong_N: ProbabilityArray  # [0, 1]
    suggestion_N: IntArray  # place in `classes` of the likeliest other class
    flagged_N: BoolArray
    classes: tuple[str, ...]
    joint_KK: ProbabilityArray  # estimated P(given = row, true = column), sums to 1

    @property
    def noise_rate(self) -> float:
        """The estimated share of wrong labels: the mass of the joint off its diagonal."""
        return float(max(0.0, 1.0 - np.trace(self.joint_KK)))

    @property
    def noise_by_class_K(self) -> ProbabilityArray:
        """The estimated share of wrong labels among those given as class k; 0 for a class without items."""
        given_K = self.joint_KK.sum(axis=1)
        return np.where(given_K > 0, 1.0 - np.diag(self.joint_KK) / np.where(given_K > 0, given_K, 1.0), 0.0)


def rank(
    labels: Sequence[str],
    probabilities: ProbabilityArray,
    folds: IntArray | None,
    *,
    classes: Sequence[str] | None = None,
    flag_by: str = "p_wrong",
) -> Ranking:
    """Severity, p_wrong, suggestion and flag of each label, from out-of-fold probabilities, (N, K).

    `classes` names the columns (default: the sorted labels). `folds` is the fold in which each item was held out:
    without it, or with one fold only, the probabilities are in-sample, agree with wrong labels, and are refused.
    """
    names = tuple(sorted(set(labels)) if classes is None else classes)
    p_NK = checked(labels, probabilities, folds, names)
    column = {name: k for k, name in enumerate(names)}
    given_N = np.array([column[label] for label in labels], dtype=np.int64)
    counts_KK = compute_confident_joint(given_N, p_NK, thresholds=thresholds(p_NK, given_N))
    joint_KK = np.nan_to_num(np.asarray(estimate_joint(given_N, p_NK, confident_joint=counts_KK), dtype=np.float64))
    p_wrong_N = posterior_of_error(p_NK, given_N, joint_KK)
    quality_N = get_label_quality_scores(given_N, p_NK, method="self_confidence")
    if flag_by == "p_wrong":
        flagged_N = p_wrong_N > 0.5
    else:
        flagged_N = np.asarray(
            find_label_issues(given_N, p_NK, confident_joint=counts_KK, filter_by=flag_by, n_jobs=1), dtype=bool
        )
    others_NK = p_NK.copy()
    others_NK[np.arange(len(given_N)), given_N] = -1.0
    return Ranking(severity(quality_N, p_wrong_N), p_wrong_N, others_NK.argmax(axis=1), flagged_N, names, joint_KK)


@dataclass(frozen=True)
class Audit:
    """What an audit found, in the order of the items it was given."""

    scores: pd.DataFrame  # model.SCORES
    findings: pd.DataFrame  # model.FINDINGS
    noise: Mapping[str, Any]
    figures: Mapping[str, float]
    notes: tuple[str, ...]


def audit(
    items: Sequence[str],
    ys: Sequence[str],
    place: vectors.Vectors,
    near: vectors.Neighbours,
    params: Params,
    *,
    shows: Sequence[str] | None = None,
) -> Audit:
    """Score every item; those that cannot be assessed get severity 0, fold -1, and a note that says why.

    `shows` is what each item shows (asset and region; default: each item something else): copies share a fold.
    """
    shows = items if shows is None else shows
    kind = label_kinds.kind(params.task.kind)
    names = [kind.target(y) for y in ys]
    why = _why_not(names, place.faults, shows)
    rows = np.array([n for n, reason in enumerate(why) if reason is None], dtype=np.int64)
    if not len(rows):
        return _unassessed(items, why, {})
    classes = tuple(sorted({str(names[n]) for n in rows}))
    column = {name: k for k, name in enumerate(classes)}
    given_N = np.array([column[str(names[n])] for n in rows], dtype=np.int64)
    folds_N = fold_ids([shows[n] for n in rows], given_N, params.folds, params.seed)
    x_ND = vectors.centred(place.x_ND[rows], params.width)
    fit: dict[str, int] = {"classes": len(classes), "max_iter": params.max_iter, "threads": params.threads}
    few = np.random.default_rng(params.seed).permutation(len(rows))[: params.tune_items]
    scale = outoffold.best_scale(x_ND[few], given_N[few], folds_N[few], params.scales, **fit)
    p_NK = out_of_fold(x_ND, given_N, folds_N, scale=scale, **fit)
    accuracy = outoffold.agreement(p_NK, given_N)
    commonest = float(np.bincount(given_N).max() / len(rows))
    if accuracy <= commonest + 2 * math.sqrt(commonest * (1 - commonest) / len(rows)):
        # confident learning would call every rarer label an error
        blind = "not assessable: the embedding tells the classes no better than always naming the commonest one"
        return _unassessed(items, [reason or blind for reason in why], {"accuracy_out_of_fold": round(accuracy, 6)})

    ranking = rank([classes[k] for k in given_N], p_NK, folds_N, classes=classes, flag_by=params.flag_by)
    scores = [_score(item, reason) for item, reason in zip(items, why, strict=True)]
    findings = []
    for m, n in enumerate(rows.tolist()):
        k, new = int(given_N[m]), int(ranking.suggestion_N[m])
        scores[n] |= {
            "severity": float(ranking.severity_N[m]),
            "suggestion": kind.parse(classes[new]),
            "p_wrong": float(ranking.p_wrong_N[m]),
            "flagged": bool(ranking.flagged_N[m]),
            "fold": int(folds_N[m]),
        }
        if scores[n]["flagged"]:
            beside = [names[j] for j in near.index_Nk[n].tolist() if j >= 0][: params.neighbours]
            sentence = noise.reason(classes[k], classes[new], float(p_NK[m, k]), float(p_NK[m, new]), beside)
            finding = scores[n] | {"check": CHECK, "reason": sentence}
            findings.append({name: finding[name] for name in FINDINGS.columns})
    flags = np.flatnonzero(ranking.flagged_N)
    pairs = [(classes[given_N[m]], classes[ranking.suggestion_N[m]]) for m in flags]
    figures = {
        "noise_rate": round(ranking.noise_rate, 6),
        "accuracy_out_of_fold": round(accuracy, 6),
        "flagged_share": round(len(flags) / len(rows), 6),
        "assessed_share": round(len(rows) / len(items), 6),
    }
    told = figures | {
        "scale": scale,
        "folds": params.folds,
        "classes": noise.by_class(classes, given_N, ranking.flagged_N, ranking.noise_by_class_K),
        "top_confusions": noise.confusions(pairs, params.top_confusions),
        "not_assessable": _counted(why),
    }
    notes = [f"{count:,} items {reason}." for reason, count in _counted(why).items()]
    if accuracy < 0.8:
        notes.append(
            f"The model agrees with {accuracy:.0%} of the labels only: take the noise rate as an upper estimate, and "
            "most flags as hard items."
        )
    return Audit(store.frame(SCORES, scores), store.frame(FINDINGS, findings), told, figures, tuple(notes))


def _why_not(names: Sequence[str | None], faults: Sequence[str | None], shows: Sequence[str]) -> list[str | None]:
    """Why each item cannot be assessed; None where it can."""
    why = ["its label is unknown" if name is None else fault for name, fault in zip(names, faults, strict=True)]
    different = {(name, show) for name, show, reason in zip(names, shows, why, strict=True) if reason is None}
    counts = Counter(name for name, _ in different)
    why = [
        "1 example of its class" if reason is None and counts[name] == 1 else reason
        for name, reason in zip(names, why, strict=True)
    ]
    left = sorted({str(name) for name, reason in zip(names, why, strict=True) if reason is None})
    if len(left) == 1:
        why = [reason or f"the only class with two examples is {left[0]}" for reason in why]
    return [None if reason is None else f"not assessable: {reason}" for reason in why]


def _unassessed(items: Sequence[str], why: Sequence[str | None], figures: Mapping[str, float]) -> Audit:
    """The audit of a workspace in which no label can be assessed: stated, and the run goes on."""
    scores = store.frame(SCORES, [_score(item, reason) for item, reason in zip(items, why, strict=True)])
    figures = {"assessed_share": 0.0, **figures}
    notes = [f"No label was audited: {count:,} items {reason}." for reason, count in _counted(why).items()]
    told = {**figures, "not_assessable": _counted(why)}
    return Audit(scores, store.frame(FINDINGS), told, figures, tuple(notes or ["No item has passed the gate."]))


def _score(item: str, note: str | None) -> dict[str, Any]:
    nothing = {"severity": 0.0, "suggestion": None, "p_wrong": 0.0, "flagged": False, "fold": -1}
    return {"item": item, **nothing, "note": note}


def _counted(why: Sequence[str | None]) -> dict[str, int]:
    """Reason -> number of items, the most frequent first."""
    return dict(sorted(Counter(reason for reason in why if reason).items(), key=lambda entry: (-entry[1], entry[0])))


def run(data: Path, params: Params) -> Report:
    passed = set(store.read_table(data / "validate" / "passed.parquet", PASSED)["item"])
    state = answers.state(answers.read(data / "verdicts"))
    manifest = answers.current(store.read_table(data / "ingest" / "manifest", MANIFEST), state)
    manifest = manifest[manifest["item"].isin(passed)]
    items, ys = manifest["item"].tolist(), manifest["y"].tolist()
    place = vectors.joint(data / "embed" / "vectors", items)
    near = vectors.neighbours(data / "relate", items)
    shows = [f"{asset} {region or ''}" for asset, region in zip(manifest["asset"], manifest["region"], strict=True)]
    found = audit(items, ys, place, near, params, shows=shows)
    print(f"audit: {found.noise.get('folds', 0)} folds, scale {found.noise.get('scale', 0):g}")
    with durable.fresh_folder(data / "audit") as folder:
        store.write_table(folder / "scores.parquet", SCORES, found.scores)
        store.write_table(folder / "findings.parquet", FINDINGS, found.findings)
        store.write_json(folder / "noise.json", found.noise)
        flagged = found.findings.merge(manifest[["item", "y"]], on="item")
        kind = label_kinds.kind(params.task.kind)
        pairs = [(kind.show(y), kind.show(new)) for y, new in zip(flagged["y"], flagged["suggestion"], strict=True)]
        durable.write_text(folder / "confusion.csv", noise.csv_text(["given", "suggested"], pairs))
        cells = [tuple(cell.values()) for cell in noise.confusions(pairs)]
        durable.write_text(folder / "confusions.csv", noise.csv_text(["given", "suggested", "count"], cells))
        points = noise.curve(found.scores["severity"].to_numpy(dtype=np.float64))
        durable.write_text(folder / "severity.csv", noise.csv_text(["rank", "severity"], points))
    assessed = int((found.scores["fold"] >= 0).sum())
    counts = {"items": len(items), "assessed": assessed, "flagged": len(found.findings)}
    return Report("audit", counts, found.figures, {"cleanlab": version("cleanlab")}, found.notes)
