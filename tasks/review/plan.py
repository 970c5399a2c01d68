"""What is worth an hour of somebody's time today?

The queue's open items by given label, by check and by drop, the ones with the most expected errors first, and what they
will take at the pace that was measured. The audit sample has no slice: its items are among those of every class, or,
where labels are texts, in the whole queue, which comes first there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .. import estimate, sample
from ..model import Mistake
from .catalogue import NONE, Catalogue, Column

SECONDS = 2.1  # an item, of a person with the keyboard: benchmarks/review.py counts keys, review.md the pace
FEWEST = 3  # items that make a slice
SLICES = 24


def plan(catalogue: Catalogue, state_N: Column) -> dict[str, Any]:
    """{"items", "minutes", "slices": [{"title", "filter", "items", "expected"}]} of what is queued and open."""
    queued_N = (catalogue.columns["rank"] > 0) & np.isin(state_N, (0, 6))
    slices = sorted(
        _slices(catalogue, queued_N), key=lambda one: (-one["expected"], "check" in one["filter"], one["title"])
    )[:SLICES]
    items = int(queued_N.sum())
    return {"items": items, "minutes": round(items * SECONDS / 60, 1), "slices": slices}


def _slices(catalogue: Catalogue, queued_N: Column) -> Iterator[dict[str, Any]]:
    given_N, p_N = catalogue.columns["given"], catalogue.columns["p_wrong"]
    for k, name in enumerate(catalogue.classes):
        if one := _slice(f"given: {name}", {"given": k}, queued_N & (given_N == k), p_N):
            yield one
    if not catalogue.classes or (given_N == NONE).all():
        if one := _slice("the queue, drawn items mixed in", {}, queued_N, p_N):
            yield one
        for bit, check in enumerate(catalogue.checks):
            if check == sample.CHECK:
                continue  # drawn to be mixed in, as nobody should be able to tell them apart: no slice of its own
            found_N = (catalogue.columns["checks"] >> np.uint32(bit)) & 1 == 1
            if one := _slice(f"check: {check}", {"check": check}, queued_N & found_N, p_N):
                yield one
    for v, drop in enumerate(catalogue.groups.get("drop", ())):
        inside_N = queued_N & (catalogue.columns["group:drop"] == v)
        if len(catalogue.groups["drop"]) > 1 and (
            one := _slice(f"drop: {drop}", {"group": {"drop": drop}}, inside_N, p_N)
        ):
            yield one


def _slice(title: str, choice: dict[str, Any], rows_N: Column, p_N: Column) -> dict[str, Any] | None:
    count = int(rows_N.sum())
    if count < FEWEST:
        return None
    return {
        "title": title,
        "filter": {**choice, "queued": True},
        "items": count,
        "expected": round(float(p_N[rows_N].sum()), 1),
    }


def stop_rule(workspace: Path) -> dict[str, Any] | None:
    """What the next rows are expected to hold, by the answers so far; None before the first audit."""
    try:
        found = estimate.of(workspace)
    except Mistake:
        return None
    if not found.next_rows:
        return None
    wrong = sum(band.found for band in found.bands)
    low, high = round(found.next_wrong.low), round(found.next_wrong.high)
    sentence = (
        f"The next {found.next_rows:,} doubted items are expected to hold {found.next_wrong.value:.0f} "
        f"({low} to {high}) wrong labels."
    )
    return {"seen": found.answered, "wrong": wrong, "next": asdict(found.next_wrong), "sentence": sentence}
