"""Where does the text of each pair lie?

For label kinds whose Y is an item of its own (PAIRED): its vectors, and the texts of both sides.

Reads   data/embed/{targets,texts}, data/ingest/manifest (which texts people have changed since); writes nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from . import store, vectors
from .model import MANIFEST, TEXTS

CHANGED = "people have changed its text since it was embedded"


def located(data: Path, items: Sequence[str], ys: Sequence[str]) -> vectors.Vectors:
    """The vectors of the texts `ys` (JSON), which are those of data/embed/targets unless people have changed them."""
    found = vectors.joint(data / "embed" / "targets", items)
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST, columns=["item", "y"])
    delivered = dict(zip(manifest["item"], manifest["y"], strict=True))
    faults = tuple(
        fault if delivered.get(item) == y else CHANGED for item, y, fault in zip(items, ys, found.faults, strict=True)
    )
    changed_N = np.array([fault == CHANGED for fault in faults], dtype=bool)
    return vectors.Vectors(np.where(changed_N[:, None], np.float32(0), found.x_ND), faults)


def texts(data: Path, items: Sequence[str]) -> list[str | None] | None:
    """The texts of the items as data/embed/texts has them; None where the items are no texts."""
    folder = data / "embed" / "texts"
    if not any(folder.glob("*.parquet")):
        return None
    table = store.read_table(folder, TEXTS)
    known = dict(zip(table["item"], table["text"], strict=True))
    return [known.get(item) for item in items]
