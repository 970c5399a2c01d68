"""What does a model that has never seen an item say of it?

Out-of-fold probabilities: five multinomial logistic regressions over the embeddings, each fitted without one fold and
asked about it. A model asked about what it has learnt by heart agrees with its wrong labels (digits with 5 % planted
errors, scale 5, mean of five seeds: recall .93 out-of-fold, .75 in-sample). Pure functions; the fold of each item is
stored beside its score.

Source: "tuned" baseline: l2-normalised features and the scale by out-of-fold agreement with the given labels; never by
likelihood, which on noisy labels prefers the worse detector.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import logistic

FloatArray = NDArray[np.float32]
ProbabilityArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# shapes: N items, D embedding, K classes; labels_N holds places in the list of classes, folds_N 0 .. folds-1


def fold_ids(keys: Sequence[str], labels_N: IntArray, folds: int, seed: int) -> IntArray:
    """The fold in which each item is held out, (N,); -1 where its class has one key: nothing could be learnt of it.

    A key is what an item shows (its asset and region): copies are held out together, or one would teach the model the
    other's wrong label. A key's fold is sha256(seed, key) mod folds, so it stays the same whatever drops arrive and
    whatever labels are corrected; StratifiedKFold would deal the cards anew each time. Only in a class of fewer than
    4 * folds keys, where chance might put them all into one fold, are they dealt out one by one in the order of that
    hash: a class of two is then in two folds, so each time one of them teaches and the other is asked.
    """
    hashes = {key: int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8], "big") for key in keys}
    fold = {key: value % folds for key, value in hashes.items()}
    members: dict[int, set[str]] = {}
    for key, label in zip(keys, labels_N.tolist(), strict=True):
        members.setdefault(label, set()).add(key)
    dealt: set[str] = set()
    for label in sorted(members):
        own = members[label]
        if 1 < len(own) < 4 * folds:
            order = sorted(own - dealt, key=lambda key: (hashes[key], key))
            taken = [fold[key] for key in own & dealt]  # a key of two classes was dealt with the first
            first = taken[0] + 1 if taken else hashes[order[0]] if order else 0
            fold |= {key: (first + place) % folds for place, key in enumerate(order)}
            dealt |= own
    alone = {label for label, own in members.items() if len(own) == 1}
    return np.array(
        [-1 if label in alone else fold[key] for key, label in zip(keys, labels_N.tolist(), strict=True)],
        dtype=np.int64,
    )


def numbered(keys: Sequence[str]) -> IntArray:
    """The number of each key, (N,): equal keys, which are copies of each other, have equal numbers, from 0 on."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)


def out_of_fold(
    x_ND: FloatArray,
    labels_N: IntArray,
    folds_N: IntArray,
    *,
    classes: int,
    scale: float = 1.5,
    max_iter: int = 200,
    threads: int = 1,
    weights_N: NDArray[np.floating[Any]] | None = None,
) -> ProbabilityArray:
    """P(given label = k | x), (N, K), each row by the model that was fitted without that row's fold.

    `x_ND` has rows of length 1; `scale` multiplies them (a larger scale regularises less); `weights_N`, >= 0, says how
    much each item teaches. A class that a model has never seen gets 0. Raises Mistake for values that are not finite,
    for fewer than two folds and for negative weights.
    """
    return logistic.out_of_fold(
        x_ND, labels_N, folds_N, classes, scale=scale, weights_N=weights_N, max_iter=max_iter, threads=threads
    )


def agreement(p_NK: ProbabilityArray, labels_N: IntArray) -> float:
    """The share of items for which the likeliest class is the given one."""
    return float((p_NK.argmax(axis=1) == labels_N).mean()) if len(labels_N) else 0.0


def best_scale(
    x_ND: FloatArray,
    labels_N: IntArray,
    folds_N: IntArray,
    scales: Sequence[float],
    *,
    classes: int,
    max_iter: int = 200,
    threads: int = 1,
) -> float:
    """The scale whose out-of-fold predictions agree most with the given labels; of equals the smallest.

    All scales are fitted together, and less finely than what is kept: only the likeliest class counts.
    """
    if len(scales) == 1:
        return scales[0]

    told = logistic.each_scale(
        x_ND, labels_N, folds_N, classes, scales=scales, max_iter=max_iter, tolerance=1e-5, threads=threads
    )
    chosen = max(range(len(scales)), key=lambda s: (agreement(told[s], labels_N), -scales[s]))
    return scales[chosen]
