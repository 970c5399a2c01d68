"""Which items are each other's neighbours? The one graph that audit and detect share.

Reads   data/embed/vectors/<drop>.parquet, or the user's own vectors in data/model
Writes  data/relate/items.parquet     item: what row n stands for
        data/relate/neighbours.npy    (N, k) int32 row numbers, self excluded, nearest first, ties by row number
        data/relate/distances.npy     (N, k) float32, Euclidean between joint vectors, in [0, 2]

A joint vector is all views of an item, each of length 1, side by side, divided by the root of their number.
Up to `exact_below` items every distance is computed (nearest.py), of a further drop those to its items only
(refresh.py); above, nearest-neighbour descent (descent.py), which compiles for half a minute once in a workspace, and
whose recall on a sample is measured against exact rows and printed.
"""

# N items, B rows of a block, D values of a joint vector, k neighbours, M candidates

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from . import durable, nearest, ownmodel, refresh, store
from .model import GRAPH_ITEMS, Mistake, Report
from .store import FloatArray

IntArray = NDArray[np.int32]

BLOCK_BYTES = 64 * 2**20  # of distances in memory at once
TIE = 2e-6  # squared distances nearer than this to each other are the GEMM's rounding: a tie


@dataclass(frozen=True, slots=True)
class Params:
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    k: int = 20  # neighbours an item, 1 to 200
    exact_below: int = 40_000  # items; up to this many the graph is exact; 0 or more
    sample: int = 1_000  # items whose exact neighbours the recall is measured on, 1 or more
    threads: int = 2  # 1 or more
    seed: int = 0  # 0 or more

    def __post_init__(self) -> None:
        if not 1 <= self.k <= 200:
            raise ValueError(f"k {self.k} is outside 1 to 200, which is allowed")
        for name, least in (("exact_below", 0), ("sample", 1), ("threads", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} {getattr(self, name)} is too small; {least} or more is allowed")


def joint_vectors(folder: Path) -> tuple[list[str], FloatArray]:
    """The items and their joint vectors, (N, D), of a folder of vectors; Mistake if two drops disagree on the views."""
    items: list[str] = []
    parts: list[FloatArray] = []
    first: tuple[str, dict[str, int]] | None = None
    for file in sorted(folder.glob("*.parquet")):
        here, views = store.read_vectors(file)
        if not here:
            continue
        widths = {name: x_ND.shape[1] for name, x_ND in views.items()}
        first = first or (file.stem, widths)
        if widths != first[1]:
            raise Mistake(
                f"Vectors of drop '{file.stem}' have views {widths}, those of drop '{first[0]}' have {first[1]}. "
                "All drops need the same embedder. Run: assay run"
            )
        x_ND = np.asarray(np.concatenate(list(views.values()), axis=1) / np.sqrt(len(views)), dtype=np.float32)
        if not np.isfinite(x_ND).all():
            item = here[int(np.flatnonzero(~np.isfinite(x_ND).all(axis=1))[0])]
            raise Mistake(
                f"Vector of item '{item}' has values that are not finite. Finite ones are needed. Run: assay run"
            )
        items += here
        parts.append(x_ND)
    return items, np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def exact_neighbours(
    x_ND: FloatArray, k: int, *, rows: NDArray[np.int64] | None = None, threads: int = 1
) -> tuple[IntArray, FloatArray]:
    """The k nearest other rows of each row (or of `rows` only) and their distances: (B, min(k, N-1)), nearest first.

    Rows are told apart by number: an identical vector under another number is a neighbour at distance 0. Where more
    rows tie for the last places than there are places, the lowest numbers get them.
    """
    chosen = np.arange(len(x_ND)) if rows is None else rows
    k = min(k, len(x_ND) - 1)
    if k < 1 or not len(chosen):
        k = max(0, k)
        return np.zeros((len(chosen), k), np.int32), np.zeros((len(chosen), k), np.float32)
    found = nearest.neighbours(nearest.points(x_ND), k, rows=chosen, threads=threads)
    return found.index_Qk.astype(np.int32), found.distance_Qk.astype(np.float32)


def nearest_first(x_ND: FloatArray, rows: NDArray[np.int64], idx_BM: IntArray) -> tuple[IntArray, FloatArray]:
    """Candidates idx_BM of `rows` sorted by (distance, number), with distances from the differences themselves.

    The GEMM's |a|^2 - 2ab + |b|^2 loses half the digits of small distances; here identical vectors are exactly 0 apart.
    """
    d_BM = np.empty(idx_BM.shape, np.float32)
    step = max(1, BLOCK_BYTES // (4 * max(1, x_ND.shape[1] * idx_BM.shape[1])))
    for start in range(0, len(rows), step):
        gap = x_ND[idx_BM[start : start + step]] - x_ND[rows[start : start + step], None]
        d_BM[start : start + step] = np.sqrt(np.einsum("bmd,bmd->bm", gap, gap))
    order = np.lexsort((idx_BM, d_BM), axis=1)
    return np.take_along_axis(idx_BM, order, axis=1), np.take_along_axis(d_BM, order, axis=1)


def approximate_neighbours(
    x_ND: FloatArray, k: int, *, seed: int, threads: int, cache: Path | None = None
) -> tuple[IntArray, FloatArray]:
    """As exact_neighbours, by nearest-neighbour descent (its machine code is in `cache`); rows left short are exact."""
    from . import descent  # seconds to import, more to compile: only those above the crossover pay

    k = min(k, len(x_ND) - 1)
    wanted = min(k + 11, len(x_ND))  # itself, and some to spare: the wider search is what the recall comes from
    found_NM = descent.neighbours(x_ND, wanted, seed=seed, threads=threads, cache=cache)
    own_NM = (found_NM == np.arange(len(x_ND), dtype=np.int32)[:, None]) | (found_NM < 0)
    order = np.argsort(own_NM, axis=1, kind="stable")[:, :k]  # pynndescent's own order, the item itself moved last
    idx_Nk = np.take_along_axis(found_NM, order, axis=1)
    short = np.flatnonzero(np.take_along_axis(own_NM, order, axis=1).any(axis=1))
    idx_Nk[short] = exact_neighbours(x_ND, k, rows=short)[0]
    return nearest_first(x_ND, np.arange(len(x_ND)), idx_Nk)


def recall_at_10(x_ND: FloatArray, distances_Nk: FloatArray, *, rows: NDArray[np.int64]) -> float:
    """Share of the first ten neighbours of `rows` that are as near as the true tenth, computed in float64.

    Counted by distance, so that one of several equally near neighbours is as good as another.
    """
    first = min(10, distances_Nk.shape[1])
    if not first or not len(rows):
        return 1.0
    own_RD = x_ND[rows].astype(np.float64)
    best = np.full((len(rows), first), np.inf)
    for start in range(0, len(x_ND), 4096):
        block = x_ND[start : start + 4096].astype(np.float64)
        d = np.sum(own_RD**2, axis=1)[:, None] - 2 * own_RD @ block.T + np.sum(block**2, axis=1)
        d[rows[:, None] == np.arange(start, start + len(block))] = np.inf
        best = np.partition(np.concatenate([best, d], axis=1), first - 1, axis=1)[:, :first]
    limit = np.sqrt(np.maximum(best.max(axis=1, keepdims=True), 0) + TIE) + 1e-6
    return float(np.mean(distances_Nk[rows, :first] <= limit))


def run(data: Path, params: Params) -> Report:
    """Relate every item that has a vector to its neighbours."""
    folder, _ = ownmodel.vectors_folder(data)
    own = ownmodel.about(data).get("embeddings")
    items, x_ND = joint_vectors(folder)
    exact = len(items) <= params.exact_below or len(items) < 3
    method = "exact" if exact else "pynndescent"
    print(f"relate: {len(items):,} items, {x_ND.shape[1]} values each, {method}")
    with threadpool_limits(params.threads):
        cache = data.parent / ".assay" / "cache" / "relate"
        if exact and len(items) > 1:
            version = store.stage_version(data.parent, "relate")
            k = min(params.k, len(items) - 1)
            graph, known = refresh.exact_graph(x_ND, k, cache=cache, version=version, threads=params.threads)
            neighbours_Nk, distances_Nk = graph.index_Qk.astype(np.int32), graph.distance_Qk.astype(np.float32)
            print(f"relate: {known:,} items were related before")
        elif exact:
            neighbours_Nk, distances_Nk = exact_neighbours(x_ND, params.k)
        else:
            neighbours_Nk, distances_Nk = approximate_neighbours(
                x_ND, params.k, seed=params.seed, threads=params.threads, cache=cache
            )
        rng = np.random.default_rng(params.seed)
        rows = np.sort(rng.choice(len(items), min(len(items), params.sample), replace=False))
        recall = recall_at_10(x_ND, distances_Nk, rows=rows)
    print(f"relate: recall at 10 is {recall:.4f} on {len(rows):,} items")
    with durable.fresh_folder(data / "relate") as folder:
        store.write_table(folder / "items.parquet", GRAPH_ITEMS, pd.DataFrame({"item": pd.Series(items, dtype=object)}))
        for name, array in (("neighbours.npy", neighbours_Nk), ("distances.npy", distances_Nk)):
            store.write_array(folder / name, array)
    return Report(
        "relate",
        counts={"items": len(items), "neighbours": neighbours_Nk.shape[1]},
        figures={"recall_at_10": round(recall, 6)},
        used={"graph": method} | ({"vectors": str(own["file"])} if own else {}),
    )
