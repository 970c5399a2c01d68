"""Which items are the same thing twice, and do the copies contradict each other?

Pure functions from the manifest and the neighbour graph to rows of findings: exact_duplicate_v1, near_duplicate_v1,
leakage_v1, label_conflict_v1. Where copies have the same label, one finding a pair, on the one that came later: a copy
to drop, not an error. Where they differ, one on each: at most one of the labels is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .vectors import Neighbours

Show = Callable[[str], str]  # a label in words

SAME = 0.1  # severity of a copy that agrees
EXACT_CONFLICT, NEAR_CONFLICT = 0.9, 0.6  # of equal bytes, of the farthest near-duplicates, with different labels
EXACT_LEAK, NEAR_LEAK = 0.8, 0.5  # the same for copies across splits
CLOSER = 0.3  # what a near-duplicate gains as its distance falls from the threshold to 0
CONFLICT = 0.8
LONGEST_SAID = 200  # characters of a label in a sentence


@dataclass(frozen=True)
class Pair:
    """Two rows of the manifest that show the same thing; `first` came before `second`."""

    first: int
    second: int
    closeness: float  # 1 = equal bytes or equal vectors, 0 = at the threshold
    exact: bool


def exact_pairs(assets: Sequence[str], regions: Sequence[str | None]) -> list[Pair]:
    """Each row beside the first row with equal bytes and region, and beside every one before it, up to ten.

    Ten, so that a thousand copies of one black frame are a thousand findings and not half a million pairs.
    """
    seen: dict[tuple[str, str | None], list[int]] = {}
    pairs = []
    for n, key in enumerate(zip(assets, regions, strict=True)):
        before = seen.setdefault(key, [])
        pairs += [Pair(m, n, 1.0, True) for m in before]
        if len(before) < 10:
            before.append(n)
    return pairs


def near_pairs(near: Neighbours, assets: Sequence[str], regions: Sequence[str | None], threshold: float) -> list[Pair]:
    """Rows whose distance in the shared graph is below `threshold`, without those with equal bytes; each pair once."""
    rows, places = np.nonzero((near.index_Nk >= 0) & (near.distance_Nk < threshold))
    found: dict[tuple[int, int], float] = {}
    for n, place in zip(rows.tolist(), places.tolist(), strict=True):
        m = int(near.index_Nk[n, place])
        if n != m and (assets[n], regions[n]) != (assets[m], regions[m]):
            found[min(n, m), max(n, m)] = float(1 - near.distance_Nk[n, place] / threshold)
    return [Pair(first, second, closeness, False) for (first, second), closeness in sorted(found.items())]


def duplicates(manifest: pd.DataFrame, pairs: Sequence[Pair], show: Show) -> list[dict[str, Any]]:
    """exact_duplicate_v1 and near_duplicate_v1: at most one of each an item, against its worst, then closest, copy."""
    items, ys = manifest["item"].tolist(), manifest["y"].tolist()
    worst: dict[tuple[str, int], tuple[float, int]] = {}
    for pair in pairs:
        check = "exact_duplicate_v1" if pair.exact else "near_duplicate_v1"
        differ = ys[pair.first] != ys[pair.second]
        if not differ:
            severity = SAME * pair.closeness
        else:
            severity = EXACT_CONFLICT if pair.exact else NEAR_CONFLICT + CLOSER * pair.closeness
        for one, other in ((pair.first, pair.second), (pair.second, pair.first))[0 if differ else 1 :]:
            if (check, one) not in worst or severity > worst[check, one][0]:
                worst[check, one] = (severity, other)
    found = []
    for (check, one), (severity, other) in sorted(worst.items()):
        how = "It has the bytes of" if check.startswith("exact") else "It looks nearly the same as"
        given, twin = _said(show, ys[one]), _said(show, ys[other])
        differ = ys[one] != ys[other]
        told = f"whose label is {twin}; its own is {given}" if differ else f"whose label is {twin} too: one may go"
        reason = f"{how} item '{items[other]}', {told}."
        found.append(_finding(items[one], check, severity, reason, ys[other] if differ else None))
    return found


def leakage(manifest: pd.DataFrame, pairs: Sequence[Pair], delivered: pd.DataFrame) -> list[dict[str, Any]]:
    """leakage_v1: the later of two copies in different splits: what is learnt from one is no news when the other tests.

    An item whose own row came again with another split (rows of data/ingest/duplicates) has it too. Items without a
    split leak nothing.
    """
    items, splits = manifest["item"].tolist(), manifest["split"].tolist()
    worst: dict[int, tuple[float, Pair]] = {}
    for pair in pairs:
        if not splits[pair.first] or not splits[pair.second] or splits[pair.first] == splits[pair.second]:
            continue
        severity = EXACT_LEAK if pair.exact else NEAR_LEAK + CLOSER * pair.closeness
        if pair.second not in worst or severity > worst[pair.second][0]:
            worst[pair.second] = (severity, pair)
    found = []
    for one, (severity, pair) in sorted(worst.items()):
        how = "has the bytes of" if pair.exact else "looks nearly the same as"
        reason = f"This item of split '{splits[one]}' {how} item '{items[pair.first]}' of split '{splits[pair.first]}'."
        found.append(_finding(items[one], "leakage_v1", severity, reason, None))
    split_of = dict(zip(items, splits, strict=True))
    told = {items[one] for one in worst}
    for drop, source, item, split in delivered[["drop", "source", "item", "split"]].itertuples(index=False):
        if item not in told and split and split_of.get(item) not in (None, "", split):
            told.add(item)
            reason = f"It is in split '{split_of[item]}', and drop '{drop}' ({source}) has it in split '{split}'."
            found.append(_finding(item, "leakage_v1", EXACT_LEAK, reason, None))
    return found


def conflicts(manifest: pd.DataFrame, delivered: pd.DataFrame, show: Show) -> list[dict[str, Any]]:
    """label_conflict_v1: a known item that was delivered again with another label (rows of data/ingest/duplicates)."""
    label = dict(zip(manifest["item"], manifest["y"], strict=True))
    others: dict[str, list[tuple[str, str, str]]] = {}
    for drop, source, item, y in delivered[["drop", "source", "item", "y"]].itertuples(index=False):
        if item in label and y != label[item]:
            others.setdefault(item, []).append((y, drop, source))
    found = []
    for item, rows in sorted(others.items()):
        y = min(Counter(row[0] for row in rows).items(), key=lambda entry: (-entry[1], entry[0]))[0]
        _, drop, source = next(row for row in rows if row[0] == y)
        reason = f"Drop '{drop}' ({source}) says {_said(show, y)}, the manifest says {_said(show, label[item])}."
        found.append(_finding(item, "label_conflict_v1", CONFLICT, reason, y))
    return found


def _said(show: Show, y: str) -> str:
    """A label inside a sentence; one that is a long text is its beginning."""
    text = show(y)
    return text if len(text) <= LONGEST_SAID else text[: LONGEST_SAID - 1] + "…"


def _finding(item: str, check: str, severity: float, reason: str, suggestion: str | None) -> dict[str, Any]:
    return {"item": item, "check": check, "severity": severity, "reason": reason, "suggestion": suggestion}
