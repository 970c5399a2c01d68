"""Embeddings to measure on: like those of real images in shape, made from a seed, because a project may not ship data.

Each class has a centre, each item the centre plus its own noise; both fall off along the directions as rank ** -`fall`
(learnt embeddings: about .5; .75 is fewer directions in truth), the directions are turned at random, and rows get
length 1. `near` is how far the centres lie apart: at .12 logistic regression tells ten classes in 512 directions with
an accuracy of .8. A tenth of the labels is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# shapes: N items, D width, K classes


@dataclass(frozen=True)
class Embedded:
    x_ND: NDArray[np.float32]
    true_N: NDArray[np.int64]
    given_N: NDArray[np.int64]
    folds_N: NDArray[np.int64]  # 0 .. 4, at random

    @property
    def wrong_N(self) -> NDArray[np.bool_]:
        return np.asarray(self.true_N != self.given_N)


def made(
    items: int, *, width: int = 512, classes: int = 10, seed: int = 0, near: float = 0.12, fall: float = 0.5
) -> Embedded:
    """`items` rows, (N, D) of length 1, about their mean."""
    rng = np.random.default_rng(seed)
    spread_D = (1 + np.arange(width)) ** -fall
    turn_DD, _ = np.linalg.qr(rng.normal(size=(width, width)))
    centre_KD = rng.normal(size=(classes, width)) * spread_D * near
    true_N = rng.integers(0, classes, items)
    x_ND = ((centre_KD[true_N] + rng.normal(size=(items, width)) * spread_D) @ turn_DD).astype(np.float32)
    x_ND -= x_ND.mean(axis=0)
    x_ND /= np.linalg.norm(x_ND, axis=1, keepdims=True)
    wrong_N = rng.random(items) < 0.1
    given_N = np.where(wrong_N, (true_N + rng.integers(1, classes, items)) % classes, true_N)
    return Embedded(x_ND, true_N, given_N, rng.integers(0, 5, items))
