"""Where does each item lie, and who are its neighbours?

Reads data/embed/vectors, or the user's own in data/model, and data/relate; writes nothing. What has no usable vector is
named with its reason, never skipped in silence: one NaN in an embedding would otherwise make a whole audit say "no
issues".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import ownmodel, store
from .model import GRAPH_ITEMS, Mistake
from .store import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Shape = tuple[tuple[str, int], ...]  # (view, D) of each view

CHUNK = 16_384  # rows in memory as float64 at once

# shapes: N items asked for, M rows of the graph, D width of the joint vector, k neighbours


@dataclass(frozen=True)
class Vectors:
    """The joint vector of each item, (N, D) float32 of length 1, or the reason why it has none (its row is then 0)."""

    x_ND: FloatArray
    faults: tuple[str | None, ...]
    shape: Shape = ()  # the views that lie side by side in it; () is one

    @property
    def views(self) -> dict[str, FloatArray]:
        """Each view by itself, its rows of length 1 (zero where the item has no vector)."""
        if len(self.shape) < 2:
            return {"whole": self.x_ND}
        ends = np.cumsum([width for _, width in self.shape])
        names = [name for name, _ in self.shape]
        return {name: unit(x_ND) for name, x_ND in zip(names, np.split(self.x_ND, ends[:-1], axis=1), strict=True)}

    @property
    def usable_N(self) -> BoolArray:
        return np.array([fault is None for fault in self.faults], dtype=bool)


@dataclass(frozen=True)
class Neighbours:
    """The nearest items of each item, nearest first: places in the list of items asked for (-1 = none), distances."""

    index_Nk: IntArray
    distance_Nk: FloatArray  # Euclidean, [0, 2]; inf where the index is -1

    def among(self, rows_M: IntArray) -> Neighbours:
        """The same of some items only, in terms of them; a neighbour that is not among them becomes -1."""
        where_N = np.full(len(self.index_Nk) + 1, -1, dtype=np.int64)  # the last entry stands for "none"
        where_N[rows_M] = np.arange(len(rows_M))
        index_Mk = where_N[self.index_Nk[rows_M]]
        return Neighbours(index_Mk, np.where(index_Mk < 0, np.inf, self.distance_Nk[rows_M]).astype(np.float32))


def of(data: Path, items: Sequence[str]) -> Vectors:
    """The joint vectors of `items`: the user's own where data/model has some, else those of data/embed."""
    folder, absent = ownmodel.vectors_folder(data)
    return joint(folder, items, absent=absent)


def joint(folder: Path, items: Sequence[str], *, absent: str = "it has no vector in data/embed") -> Vectors:
    """The joint vectors of `items`: all views of the files in `folder`, each row l2-normalised, divided by sqrt(views).

    Views and widths are those of most items; an item with others, with NaN, infinity or only zeros, or without a row
    gets a fault (`absent` for the last).
    """
    place = {item: n for n, item in enumerate(items)}
    faults: list[str | None] = [absent] * len(items)
    files = sorted(folder.glob("*.parquet"))
    shapes: Counter[Shape] = Counter()
    for file in files:
        count, widths = store.view_widths(file)
        shapes[tuple(widths.items())] += count
    if not shapes:
        return Vectors(np.zeros((len(items), 0), np.float32), tuple(faults))
    usual = shapes.most_common(1)[0][0]
    x_ND = np.zeros((len(items), sum(width for _, width in usual)), np.float32)
    for file in files:
        names, views = store.read_vectors(file)
        rows = np.array([row for row, name in enumerate(names) if name in place], dtype=np.int64)
        where = np.array([place[names[row]] for row in rows], dtype=np.int64)
        shape = tuple((name, int(view_ND.shape[1])) for name, view_ND in views.items())
        if shape != usual:
            for n in where:
                faults[n] = f"its vector is {_words(shape)}, the others' is {_words(usual)}"
            continue
        for start in range(0, len(rows), CHUNK):
            some, there = rows[start : start + CHUNK], where[start : start + CHUNK]
            whole = np.concatenate([unit(views[name][some]) for name, _ in usual], axis=1) / np.sqrt(len(usual))
            finite = np.isfinite(whole).all(axis=1)
            zero = finite & (whole == 0).all(axis=1)
            for n, is_finite, is_zero in zip(there, finite, zero, strict=True):
                faults[n] = (
                    None if is_finite and not is_zero else f"its vector {'is zero' if is_zero else 'is not finite'}"
                )
            x_ND[there[finite]] = whole[finite]
    return Vectors(x_ND, tuple(faults), usual)


def _words(shape: Shape) -> str:
    return " + ".join(f"{name} ({width} wide)" for name, width in shape)


def unit(x_ND: FloatArray) -> FloatArray:
    """Rows of length 1 (float64 inside, so that large values do not overflow); rows of zeros stay."""
    x = x_ND.astype(np.float64)
    length = np.sqrt((x * x).sum(axis=1, keepdims=True))
    return (x / np.where(length > 0, length, 1)).astype(np.float32)


def centred(x_ND: FloatArray, width: int) -> FloatArray:
    """Rows of length 1 about the mean of all, at most `width` principal directions wide. Looks at X only, never at Y.

    A common offset (as ReLU networks have) would otherwise fill most of each unit vector. Identical rows become 0.
    """
    if not len(x_ND):
        return x_ND
    away = x_ND - x_ND.mean(axis=0, dtype=np.float64).astype(np.float32)
    away[np.abs(away).max(axis=1) < 1e-6] = 0  # rounding of the mean is no direction
    if width < x_ND.shape[1]:
        _, directions = np.linalg.eigh(away.T @ away)  # ascending
        away = away @ directions[:, ::-1][:, :width]
    return unit(away)


def neighbours(folder: Path, items: Sequence[str]) -> Neighbours:
    """The shared graph of data/relate in terms of `items`; a neighbour that is not among them becomes -1."""
    names = store.read_table(folder / "items.parquet", GRAPH_ITEMS)["item"].tolist()
    try:
        graph_Mk, far_Mk = (store.read_array(folder / f"{name}.npy") for name in ("neighbours", "distances"))
    except (FileNotFoundError, ValueError):
        raise Mistake(f"No readable graph in '{folder}'. Run: assay run") from None
    if graph_Mk.shape != far_Mk.shape or graph_Mk.ndim != 2 or len(graph_Mk) != len(names):
        raise Mistake(
            f"Graph '{folder}' has {len(names)} items, neighbours {graph_Mk.shape}, distances {far_Mk.shape}. "
            "They must agree. Run: dvc repro --force relate"
        )
    place = {item: n for n, item in enumerate(items)}
    where_M = np.array([place.get(name, -1) for name in names] + [-1], dtype=np.int64)  # the last row stands for "none"
    index_Nk = np.full((len(items), graph_Mk.shape[1]), -1, dtype=np.int64)
    distance_Nk = np.full(index_Nk.shape, np.inf, dtype=np.float32)
    known = np.flatnonzero(where_M[:-1] >= 0)
    index_Nk[where_M[known]] = where_M[graph_Mk[known]]
    distance_Nk[where_M[known]] = far_Mk[known]
    distance_Nk[(index_Nk < 0) | ~np.isfinite(distance_Nk)] = np.inf
    return Neighbours(np.where(np.isfinite(distance_Nk), index_Nk, -1), distance_Nk)
