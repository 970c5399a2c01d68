"""What do the nearest items vote for? Each neighbour with the square of its cosine; copies of an item have no voice.

A table of neighbours grows with a further drop by what is new (refresh.py), and a vote costs N k K: nothing is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import vectors

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

# shapes: N items, K classes, k neighbours

LEAST = 1e-6  # the voice of a neighbour at a right angle


@dataclass(frozen=True)
class Voters:
    """Who votes on each item, and with how much."""

    index_Nk: IntArray
    weight_Nk: FloatArray  # the squared cosine; 0 for a copy and where nobody is

    def vote(self, target_NK: FloatArray) -> FloatArray:
        """The weighted mean of the neighbours' targets, (N, K); an even spread where nobody votes."""
        sum_NK = np.zeros_like(target_NK)
        for column in range(self.index_Nk.shape[1]):  # one neighbour at a time: (N, k, K) would not fit
            sum_NK += self.weight_Nk[:, column, None] * target_NK[self.index_Nk[:, column]]
        total_N = self.weight_Nk.sum(axis=1)
        heard_N = total_N > 0
        sum_NK[heard_N] /= total_N[heard_N, None]
        sum_NK[~heard_N] = 1 / target_NK.shape[1]
        return sum_NK


def voters(near: vectors.Neighbours, copy_N: IntArray) -> Voters:
    """The voters among these items; `copy_N` numbers the groups of identical items."""
    cosine_Nk = np.clip(1 - np.minimum(near.distance_Nk, 2.0) ** 2 / 2, 0, None)
    weight_Nk = np.maximum(cosine_Nk**2, LEAST).astype(np.float32)
    weight_Nk[(near.index_Nk < 0) | (copy_N[near.index_Nk] == copy_N[:, None])] = 0
    return Voters(near.index_Nk, weight_Nk)
