"""What ingest, validate, embed and relate leave behind, written by hand: the inputs of audit and detect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks import relate, store, vectors
from tasks.model import ANNOTATIONS, DUPLICATES, GRAPH_ITEMS, MANIFEST, PASSED, label_json
from tasks.store import FloatArray

DROP = "0001-toy"


def names(count: int) -> list[str]:
    return [f"i{n:04d}" for n in range(count)]


def labels(classes: Sequence[object]) -> list[str]:
    """Class names as the JSON text that tables hold."""
    return [label_json(str(name)) for name in classes]


def located(x_ND: NDArray[np.floating]) -> vectors.Vectors:
    """Vectors as audit and detect get them, all usable."""
    x = x_ND.astype(np.float32)
    return vectors.Vectors(x / np.linalg.norm(x, axis=1, keepdims=True), (None,) * len(x))


def graph(place: vectors.Vectors, k: int = 20) -> vectors.Neighbours:
    index_Nk, distance_Nk = relate.exact_neighbours(place.x_ND, k)
    return vectors.Neighbours(index_Nk.astype(np.int64), distance_Nk)


def clusters(sizes: Mapping[str, int], *, spread: float = 0.2, seed: int = 0) -> tuple[list[str], FloatArray]:
    """Class names and points: each class is a cloud about an axis of its own, in as many dimensions as classes + 2."""
    rng = np.random.default_rng(seed)
    given = [name for name, size in sizes.items() for _ in range(size)]
    order = list(sizes)
    x_ND = rng.normal(0, spread, (len(given), len(order) + 2))
    x_ND[np.arange(len(given)), [order.index(name) for name in given]] += 1
    return given, x_ND.astype(np.float32)


def write(
    data: Path,
    ys: Sequence[str],
    x_ND: FloatArray,
    *,
    assets: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    duplicates: Sequence[Mapping[str, str]] = (),
    passed: Sequence[str] | None = None,
    k: int = 20,
) -> list[str]:
    """Write the inputs under `data`; returns the items, i0000 onwards."""
    items = names(len(ys))
    rows = [
        {
            "item": item,
            "asset": assets[n] if assets else f"sha-{item}",
            "shard": f"{DROP}/assets-0000.parquet",
            "row": n,
            "region": None,
            "y": ys[n],
            "split": splits[n] if splits else "train",
            "drop": DROP,
            "source": f"labels.csv:{n + 2}",
        }
        for n, item in enumerate(items)
    ]
    ingest = data / "ingest"
    store.write_table(ingest / "manifest" / f"{DROP}.parquet", MANIFEST, store.frame(MANIFEST, rows))
    store.write_table(ingest / "duplicates" / f"{DROP}.parquet", DUPLICATES, store.frame(DUPLICATES, duplicates))
    store.write_table(ingest / "annotations" / f"{DROP}.parquet", ANNOTATIONS, store.frame(ANNOTATIONS))
    through = [{"item": item} for item in (items if passed is None else passed)]
    store.write_table(data / "validate" / "passed.parquet", PASSED, store.frame(PASSED, through))
    length = np.linalg.norm(x_ND, axis=1, keepdims=True)
    unit_ND = (x_ND / np.where(length > 0, length, 1)).astype(np.float32)
    store.write_vectors(data / "embed" / "vectors" / f"{DROP}.parquet", items, {"pixels": unit_ND})
    known = np.asarray(np.isfinite(unit_ND).all(axis=1))
    index_Nk, distance_Nk = relate.exact_neighbours(unit_ND[known], k)
    kept = [{"item": item} for item, is_known in zip(items, known.tolist(), strict=True) if is_known]
    (data / "relate").mkdir()
    store.write_table(data / "relate" / "items.parquet", GRAPH_ITEMS, store.frame(GRAPH_ITEMS, kept))
    np.save(data / "relate" / "neighbours.npy", index_Nk)
    np.save(data / "relate" / "distances.npy", distance_Nk)
    (data / "verdicts").mkdir()
    return items
