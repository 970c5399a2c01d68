"""Are copies, leaks and contradictions found, and told apart?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tasks import copies, store, vectors
from tasks.copies import Pair
from tasks.model import DUPLICATES


def show(y: str) -> str:
    return y.strip('"')


def table(*rows: tuple[str, str, str], assets: str = "") -> pd.DataFrame:
    """(item, label, split) rows with the assets named by one letter each."""
    return pd.DataFrame(
        {
            "item": [row[0] for row in rows],
            "asset": list(assets) or [row[0] for row in rows],
            "region": None,
            "y": [f'"{row[1]}"' for row in rows],
            "split": [row[2] for row in rows],
        }
    )


def short(found: list[dict[str, Any]]) -> list[tuple[str, str, float, str | None]]:
    return [(row["item"], row["check"], round(row["severity"], 6), row["suggestion"]) for row in found]


def test_equal_bytes_with_different_labels_accuse_both_and_with_the_same_label_only_the_later() -> None:
    manifest = table(("p", "a", ""), ("q", "b", ""), ("r", "a", ""), ("s", "a", ""), ("t", "a", ""), assets="xxyyz")
    pairs = copies.exact_pairs(manifest["asset"].tolist(), manifest["region"].tolist())
    assert pairs == [Pair(0, 1, 1.0, True), Pair(2, 3, 1.0, True)]
    found = copies.duplicates(manifest, pairs, show)
    assert short(found) == [
        ("p", "exact_duplicate_v1", 0.9, '"b"'),
        ("q", "exact_duplicate_v1", 0.9, '"a"'),
        ("s", "exact_duplicate_v1", 0.1, None),
    ]
    assert found[0]["reason"] == "It has the bytes of item 'q', whose label is b; its own is a."
    assert found[2]["reason"] == "It has the bytes of item 'r', whose label is a too: one may go."


def test_two_regions_of_one_image_are_no_copies() -> None:
    assert copies.exact_pairs(["x", "x"], ["[0,0,8,8]", "[8,0,8,8]"]) == []


def test_a_thousand_copies_are_not_half_a_million_pairs() -> None:
    pairs = copies.exact_pairs(["x"] * 1000, [None] * 1000)
    assert len(pairs) < 10_000
    assert {pair.second for pair in pairs} == set(range(1, 1000))


def test_near_duplicates_are_pairs_below_the_distance_that_are_not_equal_bytes() -> None:
    index_Nk = np.array([[1, 2], [0, 2], [3, 0], [2, -1]])
    distance_Nk = np.array([[0.02, 0.5], [0.02, 0.5], [0.0, 0.5], [0.0, np.inf]], np.float32)
    near = vectors.Neighbours(index_Nk, distance_Nk)
    pairs = copies.near_pairs(near, ["w", "x", "y", "y"], [None] * 4, 0.05)
    assert [(pair.first, pair.second, round(pair.closeness, 6), pair.exact) for pair in pairs] == [(0, 1, 0.6, False)]
    differ = table(("p", "a", ""), ("q", "b", ""))
    found = copies.duplicates(differ, pairs, show)
    assert short(found) == [("p", "near_duplicate_v1", 0.78, '"b"'), ("q", "near_duplicate_v1", 0.78, '"a"')]
    assert found[0]["reason"] == "It looks nearly the same as item 'q', whose label is b; its own is a."
    assert short(copies.duplicates(table(("p", "a", ""), ("q", "a", "")), pairs, show)) == [
        ("q", "near_duplicate_v1", 0.06, None)
    ]


def test_a_copy_in_another_split_is_a_leak_and_one_without_a_split_is_not() -> None:
    manifest = table(("p", "a", "train"), ("q", "a", "test"), ("r", "a", "train"), ("s", "a", ""), ("t", "b", "test"))
    pairs = [Pair(0, 1, 1.0, True), Pair(0, 2, 1.0, True), Pair(0, 3, 1.0, True), Pair(2, 4, 0.5, False)]
    again = {"drop": "0002-x", "source": "test/a/9.png", "item": "r", "duplicate_of": "0001-a/1.png", "y": '"a"'}
    found = copies.leakage(manifest, pairs, store.frame(DUPLICATES, [{**again, "split": "test"}]))
    assert short(found) == [
        ("q", "leakage_v1", 0.8, None),
        ("t", "leakage_v1", 0.65, None),
        ("r", "leakage_v1", 0.8, None),
    ]
    assert [row["reason"] for row in found] == [
        "This item of split 'test' has the bytes of item 'p' of split 'train'.",
        "This item of split 'test' looks nearly the same as item 'r' of split 'train'.",
        "It is in split 'train', and drop '0002-x' (test/a/9.png) has it in split 'test'.",
    ]


def test_a_redelivery_with_another_label_is_a_conflict_and_one_with_the_same_label_is_not() -> None:
    delivered = store.frame(
        DUPLICATES,
        [
            {"drop": "0002-x", "source": "l.csv:3", "item": "p", "duplicate_of": "0001-a/l.csv:2", "y": '"b"'},
            {"drop": "0003-y", "source": "l.csv:4", "item": "p", "duplicate_of": "0001-a/l.csv:2", "y": '"c"'},
            {"drop": "0004-z", "source": "l.csv:5", "item": "p", "duplicate_of": "0001-a/l.csv:2", "y": '"c"'},
            {"drop": "0004-z", "source": "l.csv:6", "item": "q", "duplicate_of": "0001-a/l.csv:3", "y": '"b"'},
            {"drop": "0004-z", "source": "l.csv:7", "item": "gone", "duplicate_of": "0001-a/l.csv:9", "y": '"b"'},
        ],
    )
    found = copies.conflicts(table(("p", "a", ""), ("q", "b", "")), delivered, show)
    assert short(found) == [("p", "label_conflict_v1", 0.8, '"c"')]
    assert found[0]["reason"] == "Drop '0003-y' (l.csv:4) says c, the manifest says a."
