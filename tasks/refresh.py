"""What does a further drop change in the exact graph?

A drop of d % more items costs about d % of a graph: its rows against all, and for the old rows the new columns only
(nearest.extended), with the result of a whole search. What is known is one piece in the cache: the neighbours of the
first M vectors, with the sha256 of those vectors. Other vectors in these places (an item withdrawn, another embedder)
get a whole search.

Cache   .assay/cache/relate/exact-<k>-<version>/: neighbours.npy, distances.npy, known.json with their sha256, last
Covered: a crash anywhere leaves the whole piece or none; bytes that are not as written are not used.
"""

from __future__ import annotations

import hashlib
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import durable, nearest, store
from .model import Mistake
from .store import FloatArray

ARRAYS = ("neighbours", "distances")
NAME = "exact"

# shapes: N items, M of them known, D width, k neighbours


def exact_graph(x_ND: FloatArray, k: int, *, cache: Path, version: str, threads: int = 1) -> tuple[nearest.Table, int]:
    """The k nearest other rows of each row, k < N, and the number of rows that were known; leaves the new piece."""
    piece = cache / f"{NAME}-{k}-{version}"
    known = _known(piece, x_ND)
    if known is None or len(known.index_Qk) <= k:
        table, count = nearest.neighbours(nearest.points(x_ND), k, threads=threads), 0
    else:
        table, count = nearest.extended(nearest.points(x_ND), known, threads=threads), len(known.index_Qk)
    if count < len(x_ND):
        _keep(piece, x_ND, table)
    return table, count


def _known(piece: Path, x_ND: FloatArray) -> nearest.Table | None:
    """The piece's table; None if there is none, it is torn, or its vectors are not the first of these."""
    try:
        told = store.read_json(piece / "known.json")
        if any(store.sha256_file(piece / f"{name}.npy") != told[name] for name in ARRAYS):
            return None
        index, distance = (np.load(piece / f"{name}.npy", allow_pickle=False) for name in ARRAYS)
    except (Mistake, OSError, KeyError, TypeError):
        return None
    if len(index) > len(x_ND) or told["vectors"] != _digest(x_ND[: len(index)]):
        return None
    return nearest.Table(index.astype(np.int64), distance)


def _keep(piece: Path, x_ND: FloatArray, table: nearest.Table) -> None:
    piece.parent.mkdir(parents=True, exist_ok=True)
    durable.sweep(piece.parent)
    for other in piece.parent.glob(f"{NAME}-*"):
        if other != piece:  # there is one piece
            shutil.rmtree(other)
    with durable.fresh_folder(piece) as fresh:
        told = {"vectors": _digest(x_ND)}
        arrays: tuple[NDArray[Any], ...] = (table.index_Qk.astype(np.int32), table.distance_Qk)
        for name, array in zip(ARRAYS, arrays, strict=True):
            durable.write_with(fresh / f"{name}.npy", partial(_save, array))
            told[name] = store.sha256_file(fresh / f"{name}.npy")
        store.write_json(fresh / "known.json", told)


def _save(array: NDArray[Any], path: Path) -> None:
    with open(path, "wb") as file:  # a name would get .npy appended
        np.save(file, array, allow_pickle=False)


def _digest(x_ND: FloatArray) -> str:
    return f"{x_ND.shape} {hashlib.sha256(np.ascontiguousarray(x_ND).data).hexdigest()}"
