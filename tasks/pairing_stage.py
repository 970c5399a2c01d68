"""How do the pairs of a workspace reach their audit, and what does `audit` leave behind for them?

Reads   data/embed/{vectors,targets,texts}, data/ingest/manifest, the user's own vectors of X in data/model
Writes  data/audit: scores.parquet, findings.parquet, methods.parquet (what every method says of every pair),
        noise.json, severity.csv, and the confusion tables with their header alone: texts have no classes to confuse

Part of the stage `audit` for label kinds that are PAIRED. A text that people have corrected has no vector, since
data/embed knows what was delivered; such a pair is left out with that reason, and has been looked at already.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from . import durable, noise, ownmodel, pairing, store, targets, vectors
from . import labels as label_kinds
from .model import FINDINGS, METHODS, SCORES, Report
from .pairing_rank import PairParams


def run(
    data: Path,
    manifest: pd.DataFrame,
    kind: str,
    params: PairParams,
    *,
    folds: int,
    width: int,
    seed: int,
    least_recall: float,
) -> Report:
    """Audit the pairs of `manifest`: those that passed the gate, with people's answers applied."""
    items, ys = manifest["item"].tolist(), manifest["y"].tolist()
    show = label_kinds.kind(kind).show
    found = pairing.audit(
        items,
        [None if y == "null" else show(y) for y in ys],
        vectors.of(data, items),
        targets.located(data, items, ys),
        params,
        x_texts=targets.texts(data, items),
        shows=[f"{asset} {region or ''}" for asset, region in zip(manifest["asset"], manifest["region"], strict=True)],
        folds=folds,
        width=width,
        seed=seed,
        least_recall=least_recall,
    )
    with durable.fresh_folder(data / "audit") as folder:
        store.write_table(folder / "scores.parquet", SCORES, found.scores)
        store.write_table(folder / "findings.parquet", FINDINGS, found.findings)
        store.write_table(folder / "methods.parquet", METHODS, found.methods)
        store.write_json(folder / "noise.json", found.noise)
        durable.write_text(folder / "confusion.csv", noise.csv_text(["given", "suggested"], []))
        durable.write_text(folder / "confusions.csv", noise.csv_text(["given", "suggested", "count"], []))
        points = noise.curve(found.scores["severity"].to_numpy(dtype=np.float64))
        durable.write_text(folder / "severity.csv", noise.csv_text(["rank", "severity"], points))
    assessed = int((found.scores["fold"] >= 0).sum())
    flagged = int(found.scores["flagged"].sum())
    counts = {"items": len(items), "assessed": assessed, "flagged": flagged}
    used = {"pyod": version("pyod")}
    if own := ownmodel.about(data).get("embeddings"):
        used["embeddings"] = str(own["file"])
    return Report("audit", counts, found.figures, used, found.notes)
