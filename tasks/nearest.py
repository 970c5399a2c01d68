"""Who are the nearest points, exactly, and how far from them is each (KNN, LOF)?

The search that detect shares between its neighbour detectors: distances as products in float32, the few smallest of
each row by the minima of groups of columns, then those few again as differences in float64. Scores are pyod's (its
KNN with method "mean", its LOF, which is scikit-learn's) from the neighbour table; a test compares with pyod itself.

Pairs (x, y) lie |x - x'|^2 + |y - y'|^2 apart. Pairs with the same y are searched among themselves first: whoever has k
of them nearer than any two different y are from each other needs no other search, and that is nearly everybody.

Covered: copies (exactly 0 apart), and rows so crowded that float32 cannot order them (searched again in float64). Of
points that tie for the last places the lowest numbers get them; scikit-learn takes any: no distance depends on it, but
LOF may.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .store import FloatArray

DoubleArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BLOCK_ROWS = 512  # asked at once; a block of distances is this times the number of points
BLOCK_BYTES = 2**27  # fewer rows where the points are many
GROUP = 16  # columns that share a minimum
SPARE = 6  # candidates beyond k that are looked at in float64
ROUNDING = 2e-6  # of a squared distance in float32, times the largest squared length
TIE = 1e-13  # the same in float64: squared distances nearer to each other are equal
CHUNK = 2**16  # pairs whose differences are in memory at once

# shapes: N points, Q asked ones, D width, K width of y, k neighbours, B rows of a block, M candidates


@dataclass(frozen=True)
class Table:
    """The k nearest points of each one, nearest first: places, (Q, k), and Euclidean distances, (Q, k)."""

    index_Qk: IntArray
    distance_Qk: DoubleArray


@dataclass(frozen=True)
class Points:
    """Points of float32, all as wide; `y_NK` is the other half of pairs, without columns where there is none."""

    x_ND: FloatArray
    y_NK: FloatArray

    def __len__(self) -> int:
        return len(self.x_ND)

    def __getitem__(self, rows: IntArray) -> Points:
        return Points(self.x_ND[rows], self.y_NK[rows])

    @property
    def whole_NE(self) -> FloatArray:
        return np.concatenate([self.x_ND, self.y_NK], axis=1) if self.y_NK.shape[1] else self.x_ND


def points(x_ND: FloatArray, y_NK: FloatArray | None = None) -> Points:
    """Points from vectors, or pairs from vectors and their encoded labels."""
    return Points(
        np.asarray(x_ND, np.float32), np.zeros((len(x_ND), 0), np.float32) if y_NK is None else y_NK.astype(np.float32)
    )


def neighbours(
    base: Points, k: int, *, asked: Points | None = None, rows: IntArray | None = None, threads: int = 1
) -> Table:
    """The k nearest of `base` to each asked point, or to each of its own points (or `rows` of them) but itself.

    k is below their number. `threads` blocks are searched at once, each on one BLAS thread; no bit depends on it.
    """
    own_Q = np.arange(len(base)) if rows is None else rows
    points_asked = base[own_Q] if asked is None else asked
    own_Q = own_Q if asked is None else np.full(len(asked), -1)
    with threadpool_limits(limits=1), ThreadPoolExecutor(threads) as pool:
        if base.y_NK.shape[1]:
            return _pairs(points_asked, base, k, own_Q, pool)
        return _nearest(points_asked.x_ND, base.x_ND, k, own_Q, pool)


def extended(base: Points, known: Table, *, threads: int = 1) -> Table:
    """What neighbours gives for all of `base`, from what it gave for the first of them: `known`, (M, k), M > k.

    New rows are searched among all. An old row gets a new neighbour only from among the new points; as these have the
    higher numbers, who ties with an old one comes after it, as in a whole search.
    """
    old, k = known.index_Qk.shape
    new = np.arange(old, len(base))
    if not len(new):
        return known
    found = neighbours(base, k, rows=new, threads=threads)
    index_Qk = np.concatenate([known.index_Qk, found.index_Qk])
    distance_Qk = np.concatenate([known.distance_Qk, found.distance_Qk])
    whole_NE = base.whole_NE
    square_N = np.einsum("ne,ne->n", whole_NE, whole_NE)
    slack = ROUNDING * float(square_N.max(initial=1.0))
    step = max(1, BLOCK_BYTES // (16 * len(new)))
    with threadpool_limits(limits=threads):
        for start in range(0, old, step):
            block = slice(start, min(start + step, old))
            d_BN = -2 * whole_NE[block] @ whole_NE[new].T + square_N[new]
            limit_B = distance_Qk[block, -1] ** 2 - square_N[block] + slack
            near_P, which_P = np.nonzero(d_BN <= limit_B[:, None])
            _merge(index_Qk, distance_Qk, start + near_P, new[which_P], whole_NE)
    return Table(index_Qk, distance_Qk)


def _merge(
    index_Qk: IntArray, distance_Qk: DoubleArray, row_P: IntArray, other_P: IntArray, whole_NE: FloatArray
) -> None:
    """Put each pair's other point into its row where it is nearer than the last; rows are in ascending order."""
    k = index_Qk.shape[1]
    d_P = np.empty(len(row_P))
    for start in range(0, len(row_P), CHUNK):
        gap = whole_NE[row_P[start : start + CHUNK]].astype(np.float64) - whole_NE[other_P[start : start + CHUNK]]
        d_P[start : start + CHUNK] = np.sqrt(np.einsum("pe,pe->p", gap, gap))
    rows, first_R, count_R = np.unique(row_P, return_index=True, return_counts=True)
    for count in np.unique(count_R).tolist():  # rows with as many newcomers are merged together
        chosen = count_R == count
        pairs = first_R[chosen, None] + np.arange(count)
        index = np.concatenate([index_Qk[rows[chosen]], other_P[pairs]], axis=1)
        distance = np.concatenate([distance_Qk[rows[chosen]], d_P[pairs]], axis=1)
        order = np.lexsort((index, distance), axis=1)[:, :k]
        index_Qk[rows[chosen]] = np.take_along_axis(index, order, axis=1)
        distance_Qk[rows[chosen]] = np.take_along_axis(distance, order, axis=1)


def _pairs(asked: Points, base: Points, k: int, own_Q: IntArray, pool: ThreadPoolExecutor) -> Table:
    """As neighbours: first among those with the same y, then, for whom that does not settle it, among all."""
    kinds, group = np.unique(np.concatenate([base.y_NK, asked.y_NK]), axis=0, return_inverse=True)
    group = group.reshape(-1)
    base_group, asked_group = group[: len(base)], group[len(base) :]
    index_Qk = np.zeros((len(asked), k), np.int64)
    distance_Qk = np.full((len(asked), k), np.inf)
    sizes = np.bincount(base_group, minlength=len(kinds))
    if len(kinds) <= max(2, len(base) // (k + 1)):
        apart = _least_distance(kinds)
        by_base, by_asked = np.argsort(base_group, kind="stable"), np.argsort(asked_group, kind="stable")
        ends_base = np.searchsorted(base_group[by_base], np.arange(len(kinds) + 1))
        ends_asked = np.searchsorted(asked_group[by_asked], np.arange(len(kinds) + 1))
        for g in np.flatnonzero(sizes > k):
            here = by_base[ends_base[g] : ends_base[g + 1]]
            those = by_asked[ends_asked[g] : ends_asked[g + 1]]
            if not len(those):
                continue
            place = np.where(own_Q[those] < 0, -1, np.searchsorted(here, own_Q[those]))
            found = _nearest(asked.x_ND[those], base.x_ND[here], k, place, pool)
            settled = found.distance_Qk[:, -1] < apart
            index_Qk[those[settled]] = here[found.index_Qk[settled]]
            distance_Qk[those[settled]] = found.distance_Qk[settled]
    rest = np.flatnonzero(np.isinf(distance_Qk[:, -1]))
    if len(rest):
        found = _nearest(asked[rest].whole_NE, base.whole_NE, k, own_Q[rest], pool)
        index_Qk[rest], distance_Qk[rest] = found.index_Qk, found.distance_Qk
    return Table(index_Qk, distance_Qk)


def _least_distance(kinds_GK: FloatArray) -> float:
    """The distance of the two nearest of several different rows; inf for one row."""
    kinds = kinds_GK.astype(np.float64)
    square_G = (kinds**2).sum(axis=1)
    least = np.inf
    for start in range(0, len(kinds), BLOCK_ROWS):
        block = kinds[start : start + BLOCK_ROWS]
        d_BG = square_G[start : start + BLOCK_ROWS, None] - 2 * block @ kinds.T + square_G
        d_BG[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        least = min(least, float(d_BG.min()))
    return float(np.sqrt(max(least - 1e-9, 0.0)))


def _nearest(asked_QD: FloatArray, base_ND: FloatArray, k: int, own_Q: IntArray, pool: ThreadPoolExecutor) -> Table:
    """As neighbours, for plain points: in float32, and again in float64 for rows that float32 cannot order."""
    index_Qk, distance_Qk = np.empty((len(asked_QD), k), np.int64), np.empty((len(asked_QD), k))
    crowded = _searched(asked_QD, base_ND, k, own_Q, pool, np.dtype(np.float32), index_Qk, distance_Qk)
    if len(crowded):
        again_Ck, apart_Ck = np.empty((len(crowded), k), np.int64), np.empty((len(crowded), k))
        double = np.dtype(np.float64)
        _searched(asked_QD[crowded], base_ND, k, own_Q[crowded], pool, double, again_Ck, apart_Ck)
        index_Qk[crowded], distance_Qk[crowded] = again_Ck, apart_Ck
    return Table(index_Qk, distance_Qk)


def _searched(
    asked_QD: FloatArray,
    base_ND: FloatArray,
    k: int,
    own_Q: IntArray,
    pool: ThreadPoolExecutor,
    precision: np.dtype[np.float32] | np.dtype[np.float64],
    index_Qk: IntArray,
    distance_Qk: DoubleArray,
) -> IntArray:
    """Fill index and distance, block by block; returns the rows whose k-th place the precision does not decide."""
    base: NDArray[np.floating[Any]] = base_ND.astype(precision, copy=False)
    square_N = np.einsum("nd,nd->n", base, base)
    base_NE = np.concatenate([base, square_N[:, None]], axis=1)  # so that one product gives |b|^2 - 2ab
    most = min(k + SPARE, len(base))
    slack = ROUNDING * float(square_N.max(initial=1.0))
    step = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (precision.itemsize * max(1, len(base)))))

    def one(start: int) -> IntArray:
        asked_BD, own_B = asked_QD[start : start + step], own_Q[start : start + step]
        asked = asked_BD.astype(precision, copy=False)
        asked_BE = np.concatenate([-2 * asked, np.ones((len(asked), 1), precision)], axis=1)
        index_BM, order_BM = _smallest(asked_BE, base_NE, most, own_B, k if precision == np.float64 else None)
        gap = base_ND[index_BM].astype(np.float64) - asked_BD[:, None].astype(np.float64)
        d_BM = np.sqrt(np.einsum("bmd,bmd->bm", gap, gap))
        d_BM[index_BM == own_B[:, None]] = np.inf
        order = np.lexsort((index_BM, d_BM), axis=1)[:, :k]
        index_Qk[start : start + step] = np.take_along_axis(index_BM, order, axis=1)
        distance_Qk[start : start + step] = np.take_along_axis(d_BM, order, axis=1)
        sorted_BM = np.sort(order_BM, axis=1)
        close_B = sorted_BM[:, -1] - sorted_BM[:, k - 1] <= slack
        return np.asarray(start + np.flatnonzero(close_B)) if most < len(base) else np.zeros(0, np.int64)

    crowded = list(pool.map(one, range(0, len(asked_QD), step)))
    return np.concatenate(crowded) if crowded else np.zeros(0, np.int64)


def _smallest(
    asked_BE: NDArray[np.floating[Any]],
    base_NE: NDArray[np.floating[Any]],
    most: int,
    own_B: IntArray,
    decide: int | None,
) -> tuple[IntArray, NDArray[np.floating[Any]]]:
    """Columns and values of the `most` smallest products of each row, in no order; a row's own column is infinite.

    The `most` smallest lie in the `most` groups of columns with the smallest minima: one pass over the products finds
    them, where a selection among all would take several. With `decide` the first so many places are settled: of
    columns that tie for the last of them, the lowest numbers are among those returned.
    """
    groups = -(-len(base_NE) // GROUP)
    d_BP = np.full((len(asked_BE), groups * GROUP), np.inf, asked_BE.dtype)
    np.matmul(asked_BE, base_NE.T, out=d_BP[:, : len(base_NE)])
    itself = np.flatnonzero(own_B >= 0)
    d_BP[itself, own_B[itself]] = np.inf
    if groups <= most:
        index_BM = np.argpartition(d_BP, most - 1, axis=1)[:, :most]
        value_BM = np.take_along_axis(d_BP, index_BM, axis=1)
    else:
        least_BG = d_BP.reshape(len(d_BP), GROUP, groups).min(axis=1)  # column c is in group c % groups
        chosen_BM = np.argpartition(least_BG, most - 1, axis=1)[:, :most]
        columns = (chosen_BM[:, None, :] + (np.arange(GROUP) * groups)[:, None]).reshape(len(d_BP), -1)
        values = np.take_along_axis(d_BP, columns, axis=1)
        few = np.argpartition(values, most - 1, axis=1)[:, :most]
        index_BM, value_BM = np.take_along_axis(columns, few, axis=1), np.take_along_axis(values, few, axis=1)
    if decide is not None:
        slack = TIE * float(base_NE[:, -1].max(initial=1.0))
        last_B = np.partition(value_BM, decide - 1, axis=1)[:, decide - 1]
        for b in np.flatnonzero(value_BM.max(axis=1) <= last_B + slack):
            sure = np.flatnonzero(d_BP[b] < last_B[b] - slack)
            tied = np.flatnonzero(np.abs(d_BP[b] - last_B[b]) <= slack)
            index_BM[b] = np.concatenate([sure, tied])[:most]
            value_BM[b] = d_BP[b, index_BM[b]]
    return index_BM, value_BM


def knn(near: Table, k: int) -> DoubleArray:
    """pyod's KNN(method="mean"), (Q,): the mean distance to the k nearest; larger = odder."""
    return np.asarray(near.distance_Qk[:, :k].mean(axis=1))


def lof(near: Table, k: int, asked: Table | None = None) -> DoubleArray:
    """pyod's LOF, (N,), about 1 where it is as dense as around the neighbours, larger = odder.

    `near` holds the points' neighbours among themselves, `asked` those that other points have among them: then theirs
    are the scores. Source: Breunig et al. 2000, with scikit-learn's 1e-10 against division by 0.
    """
    reach_N = near.distance_Qk[:, k - 1]

    def density(table: Table) -> DoubleArray:
        far_Qk = np.maximum(table.distance_Qk[:, :k], reach_N[table.index_Qk[:, :k]])
        return np.asarray(1 / (far_Qk.mean(axis=1) + 1e-10))

    dense_N = density(near)
    table, own_Q = (near, dense_N) if asked is None else (asked, density(asked))
    return np.asarray((dense_N[table.index_Qk[:, :k]] / own_Q[:, None]).mean(axis=1))
