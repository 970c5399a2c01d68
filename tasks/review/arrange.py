"""Which items lie beside each other on the page, and which are like this one?

Both from the vectors that the audit uses. The order cuts the items in two halves along the direction in which they
differ most, and each half again, down to a few: neighbours on the page look alike, and near-copies lie together.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import durable, store, vectors
from ..store import FloatArray

# shapes: N items, D values of a vector

WIDTH = 48  # principal directions that are looked at
FEW = 6  # items that are not cut any further
TURNS = 8  # of the power iteration

IntArray = NDArray[np.int64]


class Arrangement:
    """Order and likeness of the items of one catalogue; the vectors are read when somebody first asks."""

    def __init__(self, data: Path, items: tuple[str, ...], cache: Path) -> None:
        self._data, self._items, self._cache = data, items, cache
        self._lock = threading.RLock()
        self._x_ND: FloatArray | None = None
        self._order_N: NDArray[np.uint32] | None = None
        self._usable_N: NDArray[np.bool_] = np.zeros(len(items), dtype=bool)

    def order(self) -> NDArray[np.uint32]:
        """The items' numbers, like ones beside each other, (N,); those without a vector come last. Kept in `cache`."""
        with self._lock:
            if self._order_N is None:
                self._order_N = self._kept()
            return self._order_N

    def _kept(self) -> NDArray[np.uint32]:
        if self._cache.exists():
            kept = store.read_array(self._cache)
            if kept.shape == (len(self._items),) and kept.dtype == np.uint32:
                return np.asarray(kept)
        x_ND = self.vectors()
        usable = np.flatnonzero(self._usable_N)
        rows = usable[arranged(x_ND[usable])], np.flatnonzero(~self._usable_N)
        order_N = np.concatenate(rows).astype(np.uint32)
        self._cache.parent.mkdir(parents=True, exist_ok=True)
        durable.sweep(self._cache.parent)
        store.write_array(self._cache, order_N)
        return order_N

    def vectors(self) -> FloatArray:
        """(N, at most WIDTH), of length 1; zeros where an item has no vector."""
        with self._lock:
            if self._x_ND is None:
                self._x_ND = self._read()
            return self._x_ND

    def _read(self) -> FloatArray:
        found = vectors.of(self._data, self._items)
        self._usable_N = found.usable_N
        if not self._usable_N.any():
            return np.zeros((len(self._items), 1), np.float32)
        centred = vectors.centred(found.x_ND[self._usable_N], WIDTH)
        x_ND = np.zeros((len(self._items), centred.shape[1]), np.float32)
        x_ND[self._usable_N] = centred
        return x_ND

    def like(self, n: int, among: IntArray, most: int) -> list[int]:
        """The places of the `most` items of `among` that are nearest to item `n`, itself first."""
        x_ND = self.vectors()
        near = among[np.argsort(-(x_ND[among] @ x_ND[n]), kind="stable")]
        return [n, *(m for m in near.tolist() if m != n)][:most]


def arranged(x_ND: FloatArray) -> IntArray:
    """The order of the rows in which like ones lie together, (N,)."""
    order = np.arange(len(x_ND))
    waiting = [(0, len(order))]
    while waiting:
        low, high = waiting.pop()
        if high - low <= FEW:
            continue
        rows = order[low:high]
        along_N = (x_ND[rows] - x_ND[rows].mean(axis=0)) @ _direction(x_ND[rows])
        order[low:high] = rows[np.argsort(along_N, kind="stable")]
        middle = (low + high) // 2
        waiting += [(low, middle), (middle, high)]
    return order


def _direction(x_ND: FloatArray) -> FloatArray:
    """The direction of length 1 in which the rows differ most, by power iteration from a fixed start."""
    some_MD = x_ND[:: max(1, len(x_ND) // 2_000)]
    away_MD = some_MD - some_MD.mean(axis=0)
    spread_DD = away_MD.T @ away_MD
    direction_D = spread_DD[int(np.argmax(np.diag(spread_DD)))]
    for _ in range(TURNS):
        length = float(np.linalg.norm(direction_D))
        if length == 0:
            break
        direction_D = spread_DD @ (direction_D / length)
    found: FloatArray = (direction_D / max(float(np.linalg.norm(direction_D)), 1e-30)).astype(np.float32)
    return found
