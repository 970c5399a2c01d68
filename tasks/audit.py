"""Which labels are wrong, how surely, and what should they be?

Reads   data/ingest/manifest, data/validate/passed.parquet, data/verdicts, data/embed/vectors, data/relate, data/model
Writes  data/audit: scores.parquet (every passed item), findings.parquet (the flagged ones), plain.parquet (scores of
        plain confident learning, to compare with), probabilities.parquet (item, p: one value a class of noise.json),
        noise.json, confusions.csv (given, suggested, count), and for DVC's plots confusion.csv (one row a flag),
        severity.csv
Method  label_noise_v2: several views, asked by leave-one-out kernel ridge, neighbours and logistic regression
        (combined.py), judged by expectation-maximisation (posterior.py); ranking.py puts them together, and `rank` does
        the same on arrays. label_noise_quick_v1 (audit.method: quick): a ridge by sums and the neighbours' vote, which
        a further drop refreshes at its own price (quick.py). label_noise_v1: confident learning (Northcutt et al. 2021)
        on the logistic regression, or on that ridge.

A flag is a reason to look, never a verdict: on data that the embedding separates badly (accuracy_out_of_fold below .8)
the noise rate is uncertain, its interval is wide, and most flags are hard items, not errors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import answers, canaries, durable, noise, ownmodel, pairing_stage, ranking_canaries, store, sums, vectors
from . import labels as label_kinds
from .confidence import Judged
from .model import FINDINGS, MANIFEST, PASSED, SCORES, Report, Task
from .outoffold import fold_ids, out_of_fold
from .pairing_rank import PairParams
from .ranking import Method, Ranking, rank

__all__ = ["Judged", "Method", "Params", "Ranking", "audit", "fold_ids", "out_of_fold", "rank", "run"]


@dataclass(frozen=True)
class Params(Method):
    task: Task = field(default_factory=Task)
    neighbours: int = 5  # neighbours named in a reason, >= 1
    top_confusions: int = 10  # class pairs in noise.json, >= 1
    canaries: float = 0.05  # share of the labels that are planted wrong in a shadow copy, 0 (none) to .3
    least_recall: float = 0.3  # of the canaries that must be flagged, [0, 1]; below it the run says so and ends red
    pairs: PairParams = field(default_factory=PairParams)  # of label kinds whose Y is an item of its own

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.neighbours, self.top_confusions) < 1:
            raise ValueError("neighbours and top_confusions of 1 or more is allowed")
        if not 0 <= self.canaries <= 0.3:
            raise ValueError("canaries: 0 to .3 is allowed")
        if not 0 <= self.least_recall <= 1:
            raise ValueError("least_recall: 0 to 1 is allowed")


@dataclass(frozen=True)
class Audit:
    """What an audit found, in the order of the items it was given."""

    scores: pd.DataFrame  # model.SCORES
    plain: pd.DataFrame  # model.SCORES, of label_noise_v1
    findings: pd.DataFrame  # model.FINDINGS
    noise: Mapping[str, Any]
    figures: Mapping[str, float]
    notes: tuple[str, ...]
    ranking: Ranking


def audit(
    items: Sequence[str],
    ys: Sequence[str],
    place: vectors.Vectors,
    near: vectors.Neighbours,
    params: Params,
    *,
    shows: Sequence[str] | None = None,
    confirmed: Collection[str] = (),
    own: ownmodel.Predictions | None = None,
    cache: Path | None = None,
) -> Audit:
    """Score every item; those that cannot be assessed get severity 0, fold -1, and a note that says why.

    `shows` is what each item shows (asset and region; default: each item something else): copies share a fold.
    `confirmed`: items of whose labels people have spoken; a reason names only such neighbours and those not in doubt.
    `own`: what the user's own model predicts; an item of which it says nothing cannot be assessed. `cache`: the folder
    of what the next drop only adds to (method `quick`).
    """
    kind = label_kinds.kind(params.task.kind)
    names = [kind.target(y) for y in ys]
    faults = place.faults if own is None else [a or b for a, b in zip(own.faults(names), place.faults, strict=True)]
    ranking = rank(
        names,
        predictions=None if own is None else own.p_NK,
        folds=None if own is None else own.folds_N,
        held_out=own is not None and own.held_out,
        classes=None if own is None else own.classes,
        embeddings=place.views,
        faults=faults,
        shows=items if shows is None else shows,
        near=near,
        method=params,
        cache=cache,
    )
    counted = dict(Counter(reason for reason in ranking.notes if reason).most_common())
    if not len(ranking.rows_M):
        notes = [f"No label was audited: {count:,} items {reason}." for reason, count in counted.items()]
        figures = {"assessed_share": 0.0}
        if ranking.accuracy:
            figures["accuracy_out_of_fold"] = round(ranking.accuracy, 6)
        notes = notes or ["No item has passed the gate."]
        told: dict[str, Any] = {**figures, "not_assessable": counted}
        nothing = scores(items, ranking, ranking.chosen, kind.parse)
        return Audit(nothing, nothing, store.frame(FINDINGS), told, figures, tuple(notes), ranking)
    chosen, plain = ranking.chosen, ranking.plain
    low, high = chosen.interval
    figures = {
        "noise_rate": round(chosen.noise_rate, 6),
        "noise_low": round(low, 6),
        "noise_high": round(high, 6),
        "accuracy_out_of_fold": round(ranking.accuracy, 6),
        "flagged_share": round(float(chosen.flagged_N.mean()), 6),
        "assessed_share": round(len(ranking.rows_M) / len(items), 6),
        "plain_noise_rate": round(plain.noise_rate, 6),
        "plain_flagged_share": round(float(plain.flagged_N.mean()), 6),
    }
    flags = np.flatnonzero(chosen.flagged_N)
    pairs = [(ranking.classes[ranking.given_M[m]], ranking.classes[chosen.suggestion_N[m]]) for m in flags]
    told = {
        **figures,
        **ranking.fit,
        "check": chosen.check,
        "checks": [noise.of_check(one) for one in ranking.judged.values()],
        "classes": noise.by_class(ranking.classes, ranking.given_M, chosen.flagged_N, chosen.noise_by_class_K),
        "top_confusions": noise.confusions(pairs, params.top_confusions),
        "not_assessable": counted,
    }
    notes = [f"{count:,} items {reason}." for reason, count in counted.items()]
    if ranking.accuracy < 0.8:
        notes.append(
            f"The model agrees with {ranking.accuracy:.0%} of the labels only: most flags are hard items, and the "
            f"noise rate may lie anywhere from {low:.0%} to {high:.0%}, or outside: only answers can settle it."
        )
    return Audit(
        scores(items, ranking, chosen, kind.parse),
        scores(items, ranking, plain, kind.parse),
        findings(items, names, ranking, near, params, set(confirmed), kind.parse),
        told,
        figures,
        tuple(notes),
        ranking,
    )


def scores(items: Sequence[str], ranking: Ranking, judged: Judged, parse: Any) -> pd.DataFrame:
    """model.SCORES: a row an item, in their order."""
    nothing = {"severity": 0.0, "suggestion": None, "p_suggestion": None, "p_wrong": 0.0, "flagged": False, "fold": -1}
    rows = [{"item": item, **nothing, "note": note} for item, note in zip(items, ranking.notes, strict=True)]
    ys = [parse(name) for name in ranking.classes]
    for m, n in enumerate(ranking.rows_M.tolist()):
        rows[n] |= {
            "severity": float(judged.severity_N[m]),
            "suggestion": ys[judged.suggestion_N[m]],
            "p_suggestion": float(judged.p_suggestion_N[m]),
            "p_wrong": float(judged.p_wrong_N[m]),
            "flagged": bool(judged.flagged_N[m]),
            "fold": int(ranking.folds_M[m]),
        }
    return store.frame(SCORES, rows)


def findings(
    items: Sequence[str],
    names: Sequence[str | None],
    ranking: Ranking,
    near: vectors.Neighbours,
    params: Params,
    confirmed: set[str],
    parse: Any,
) -> pd.DataFrame:
    """model.FINDINGS: a row a flag, with the evidence for it."""
    chosen, flagged_N = ranking.chosen, ranking.flagged_N
    sure_N = [name is not None and (not flagged_N[n] or items[n] in confirmed) for n, name in enumerate(names)]
    rows = []
    for m in np.flatnonzero(chosen.flagged_N).tolist():
        n, k, new = int(ranking.rows_M[m]), int(ranking.given_M[m]), int(chosen.suggestion_N[m])
        close = [j for j in near.index_Nk[n].tolist() if j >= 0 and sure_N[j]][: params.neighbours]
        p_K = ranking.p_MK[m]
        sentence = noise.reason(
            ranking.classes[k],
            ranking.classes[new],
            float(p_K[k]),
            float(p_K[new]),
            [str(names[j]) for j in close],
            confirmed=all(items[j] in confirmed for j in close),
        )
        rows.append(
            {
                "item": items[n],
                "check": chosen.check,
                "severity": float(chosen.severity_N[m]),
                "reason": sentence,
                "suggestion": parse(ranking.classes[new]),
            }
        )
    return store.frame(FINDINGS, rows)


def run(data: Path, params: Params) -> Report:
    passed = set(store.read_table(data / "validate" / "passed.parquet", PASSED)["item"])
    state = answers.state(answers.read(data / "verdicts"))
    manifest = answers.current(store.read_table(data / "ingest" / "manifest", MANIFEST), state)
    manifest = manifest[manifest["item"].isin(passed)]
    if label_kinds.is_paired(params.task.kind):
        how = {"folds": params.folds, "width": params.width, "seed": params.seed}
        least = params.least_recall
        return pairing_stage.run(data, manifest, params.task.kind, params.pairs, **how, least_recall=least)
    items, ys = manifest["item"].tolist(), manifest["y"].tolist()
    place, own, given = vectors.of(data, items), ownmodel.predictions(data, items), ownmodel.about(data)
    near = vectors.neighbours(data / "relate", items)
    shows = [f"{asset} {region or ''}" for asset, region in zip(manifest["asset"], manifest["region"], strict=True)]
    spoken = {item for item, one in state.items.items() if one.answered}
    version = store.stage_version(data.parent, "audit")
    cache = data.parent / ".assay" / "cache" / "audit" / f"{sums.FAMILY}-{version}"
    found = audit(items, ys, place, near, params, shows=shows, confirmed=spoken, own=own, cache=cache)
    chosen = found.ranking.chosen
    print(f"audit: {', '.join([chosen.check, *(f'{name} {value}' for name, value in found.ranking.fit.items())])}")
    planted = ranking_canaries.tried(found.ranking, params, share=params.canaries)
    notes = (*given.get("doubts", ()), *found.notes, *canaries.notes(planted, chosen.check, params.least_recall))
    with durable.fresh_folder(data / "audit") as folder:
        store.write_table(folder / "scores.parquet", SCORES, found.scores)
        store.write_table(folder / "plain.parquet", SCORES, found.plain)
        store.write_table(folder / "findings.parquet", FINDINGS, found.findings)
        assessed = [items[n] for n in found.ranking.rows_M.tolist()]
        views = {"p": found.ranking.p_MK.astype(np.float32)} if assessed else {}
        store.write_vectors(folder / "probabilities.parquet", assessed, views)
        store.write_json(folder / "noise.json", {**found.noise, "canaries": [one.told() for one in planted]})
        flagged = found.findings.merge(manifest[["item", "y"]], on="item")
        kind = label_kinds.kind(params.task.kind)
        pairs = [(kind.show(y), kind.show(new)) for y, new in zip(flagged["y"], flagged["suggestion"], strict=True)]
        durable.write_text(folder / "confusion.csv", noise.csv_text(["given", "suggested"], pairs))
        cells = [tuple(cell.values()) for cell in noise.confusions(pairs)]
        durable.write_text(folder / "confusions.csv", noise.csv_text(["given", "suggested", "count"], cells))
        points = noise.curve(found.scores["severity"].to_numpy(dtype=np.float64))
        durable.write_text(folder / "severity.csv", noise.csv_text(["rank", "severity"], points))
    assessed_count = int((found.scores["fold"] >= 0).sum())
    counts = {"items": len(items), "assessed": assessed_count, "flagged": len(found.findings)}
    figures = {**found.figures, **canaries.figures(planted, chosen.check)}
    used = {"cleanlab": metadata.version("cleanlab")}
    used |= {part: str(given[part]["file"]) for part in ("predictions", "embeddings") if part in given}
    return Report("audit", counts, figures, used, notes)
