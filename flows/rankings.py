"""How does the ranking in the queue stand beside plain cleanlab's? Two sentences for the terminal.

Reads   data/audit/scores.parquet (the queue's), data/audit/plain.parquet (plain cleanlab on the same model's
        probabilities), data/audit/noise.json, data/model
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tasks import ownmodel, store
from tasks.model import SCORES

WORST = 50  # items of each ranking that are compared


def sentences(data: Path) -> list[str]:
    """What both rankings say, and how far they agree; one sentence where nothing could be audited."""
    scores = store.read_table(data / "audit" / "scores.parquet", SCORES)
    noise = store.read_json(data / "audit" / "noise.json")
    assessed = int((scores["fold"] >= 0).sum())
    if not assessed:
        why = next(iter(noise.get("not_assessable", {})), "there is no item")
        return [f"No label was audited: {why}."]
    told = [
        f"In the queue: {int(scores['flagged'].sum()):,} of {assessed:,} labels flagged, noise rate "
        f"{noise['noise_rate']:.1%}; the model agrees with {noise['accuracy_out_of_fold']:.0%} of the labels."
    ]
    path = data / "audit" / "plain.parquet"
    if path.exists():
        plain = store.read_table(path, SCORES)
        most = min(WORST, assessed)
        same = len(set(_worst(scores, most)) & set(_worst(plain, most)))
        said = ownmodel.about(data).get("predictions")
        of = f"on {said['file']}" if said else "on our model"
        told.append(
            f"Plain cleanlab {of}: {int(plain['flagged'].sum()):,} flagged; of the worst {most} of each, "
            f"{same} are the same."
        )
    return told


def _worst(scores: pd.DataFrame, most: int) -> list[str]:
    return list(scores.sort_values(["severity", "item"], ascending=[False, True])["item"][:most])
