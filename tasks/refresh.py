"""What does a further drop change in the exact graph?

A drop of d % more items costs about d % of a graph: its rows against all, and for the old rows the new columns only
(nearest.extended), with the result of a whole search. What is known is one piece in the cache (piece.py): the
neighbours of the first M vectors, with the sha256 of those vectors. Other vectors in these places (an item withdrawn,
another embedder) get a whole search.

Cache   .assay/cache/relate/exact-<k>-<version>/: neighbours.npy, distances.npy
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import nearest, piece
from .store import FloatArray

ARRAYS = ("neighbours", "distances")
FAMILY = "exact"

# shapes: N items, M of them known, D width, k neighbours


def exact_graph(x_ND: FloatArray, k: int, *, cache: Path, version: str, threads: int = 1) -> tuple[nearest.Table, int]:
    """The k nearest other rows of each row, k < N, and the number of rows that were known; leaves the new piece."""
    folder = cache / f"{FAMILY}-{k}-{version}"
    known, digest = _known(folder, x_ND)
    if known is None or len(known.index_Qk) <= k:
        table, count = nearest.neighbours(nearest.points(x_ND), k, threads=threads), 0
    else:
        table, count = nearest.extended(nearest.points(x_ND), known, threads=threads), len(known.index_Qk)
    if count < len(x_ND):
        arrays: piece.Arrays = {"neighbours": table.index_Qk.astype(np.int32), "distances": table.distance_Qk}
        piece.keep(folder, arrays, {"vectors": digest}, family=FAMILY)
    return table, count


def _known(folder: Path, x_ND: FloatArray) -> tuple[nearest.Table | None, str]:
    """The piece's table, None if there is none or its vectors are not the first of these; the digest of these."""
    found = piece.read(folder, ARRAYS)
    index, distance = (found[0][name] for name in ARRAYS) if found else (np.zeros((0, 0)), np.zeros((0, 0)))
    first, whole = piece.digests(x_ND, min(len(index), len(x_ND)), len(x_ND))
    if found is None or len(index) > len(x_ND) or found[1].get("vectors") != first:
        return None, whole
    return nearest.Table(index.astype(np.int64), distance), whole
