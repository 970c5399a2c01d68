"""How do rows of the manifest become unit vectors, with few of the items in memory at a time?

Items are read in the order of the shards and decoded a batch at a time; a batch that does not fit the device's memory
is halved (memory.py). An item without a vector, because it cannot be decoded, has no direction or needs more memory
than there is, costs nobody else theirs and keeps its reason.
"""

# N items, D values of a view

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import store
from .memory import Halving
from .modalities import Unreadable
from .model import StageFailed
from .store import FloatArray
from .unit_vectors import unit_views

if TYPE_CHECKING:
    from .embed import Params

BATCH_BYTES = 64 * 2**20  # decoded items in memory at once, at most (one item may be larger)
RESULT_FREE = ("threads", "batch")  # params that change no vector beyond rounding, and so no cached piece
TOO_LARGE = "It needs more memory than this machine has."

State = Mapping[str, Any]  # what an embedder has learnt: arrays by name


def made(factory: Callable[..., Any], workspace: Path, params: Params) -> Any:
    """The embedder that a modality's factory makes under these params; weights are a path in the workspace."""
    return factory(
        weights=None if params.weights is None else workspace / params.weights,
        device=params.device,
        threads=params.threads,
        batch=params.batch,
        seed=params.seed,
    )


def batches(
    rows: pd.DataFrame, load: Callable[[bytes], Any], drops: Path, *, size: Callable[[Any], int], batch: int
) -> Iterator[tuple[list[int], list[Any], list[tuple[int, str]]]]:
    """(places in `rows`, decoded items, [(place, why not decoded)]) in the order of the shards, a row group at a time.

    `load` and `size` are those of a modality. A batch ends at `batch` items or BATCH_BYTES of decoded data.
    """
    read = store.AssetReader(drops)
    shards, numbers = list(rows["shard"]), [int(row) for row in rows["row"]]
    places: list[int] = []
    decoded: list[Any] = []
    faulty: list[tuple[int, str]] = []
    taken = 0
    for place in sorted(range(len(rows)), key=lambda n: (shards[n], numbers[n])):
        try:
            item = load(read(shards[place], numbers[place]))
        except Unreadable as error:
            faulty.append((place, str(error)))
            continue
        places.append(place)
        decoded.append(item)
        taken += size(item)
        if len(places) >= batch or taken >= BATCH_BYTES:
            yield places, decoded, faulty
            places, decoded, faulty, taken = [], [], [], 0
    if places or faulty:
        yield places, decoded, faulty


def embed_rows(
    rows: pd.DataFrame,
    embedder: Any,
    state: State,
    load: Callable[[bytes], Any],
    drops: Path,
    *,
    size: Callable[[Any], int],
    batch: int,
) -> tuple[dict[str, FloatArray], dict[int, str]]:
    """View -> (N, D) unit vectors in the order of `rows`, and place -> why the item there has no vector (its row is 0).

    StageFailed if the embedder gives another shape than it says.
    """
    widths = embedder.views(state)
    x = {name: np.zeros((len(rows), width), np.float32) for name, width in widths.items()}
    without: dict[int, str] = {}
    fits: Halving[Any, dict[str, FloatArray]] = Halving(
        lambda part: embedder.transform(part, state), lambda part: embedder.on_cpu().transform(part, state)
    )
    for places, decoded, faulty in batches(rows, load, drops, size=size, batch=batch):
        without |= dict(faulty)
        if not places:
            continue
        for group, views in fits(decoded):
            at = [places[n] for n in group]
            if views is None:
                without[at[0]] = TOO_LARGE
                continue
            for name, width in widths.items():
                if views[name].shape != (len(at), width):
                    raise StageFailed(
                        f"Embedder '{embedder.name}' gave view '{name}' as {views[name].shape}; "
                        f"{(len(at), width)} is what it promised."
                    )
            unit, reasons = unit_views({name: views[name] for name in widths})
            for name, x_ND in unit.items():
                x[name][at] = x_ND
            for place, reason in zip(at, reasons, strict=True):
                if reason:
                    without[place] = f"The embedding {reason}."
    return x, without
