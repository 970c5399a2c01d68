"""How are arrays that a further drop only adds to kept between two runs?

A piece is a folder of .npy files and known.json, which is written last and holds the sha256 of each. There is one piece
of a family: the newest. Covered: a crash anywhere leaves the whole piece or none; bytes that are not as written are
not used. Not covered: whether a piece fits what is asked; its owner compares the digests in `told`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import durable, store
from .model import Mistake

Arrays = Mapping[str, NDArray[Any]]

KNOWN = "known.json"


def read(folder: Path, names: Sequence[str]) -> tuple[Arrays, Mapping[str, Any]] | None:
    """The arrays of these names and what was told of them; None where there is no piece, or it is torn."""
    try:
        told = store.read_json(folder / KNOWN)
        if any(store.sha256_file(folder / f"{name}.npy") != told[name] for name in names):
            return None
        return {name: store.read_array(folder / f"{name}.npy") for name in names}, told
    except (Mistake, OSError, ValueError, KeyError, TypeError):
        return None


def keep(folder: Path, arrays: Arrays, told: Mapping[str, Any], *, family: str) -> None:
    """Leave a piece as `folder`, FAMILY-..., in the place of every other one of its family."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    durable.sweep(folder.parent)
    for other in folder.parent.glob(f"{family}-*"):
        if other != folder:
            shutil.rmtree(other)
    with durable.fresh_folder(folder) as fresh:
        known = dict(told)
        for name, array in arrays.items():
            store.write_array(fresh / f"{name}.npy", array)
            known[name] = store.sha256_file(fresh / f"{name}.npy")
        store.write_json(fresh / KNOWN, known)


def digests(x_ND: NDArray[Any], *counts: int) -> list[str]:
    """For each of these ascending counts the width, and the sha256 of so many of the first rows, read once."""
    running, done, found = hashlib.sha256(), 0, []
    for count in counts:
        running.update(np.ascontiguousarray(x_ND[done:count]).data)
        found.append(f"{count} x {x_ND.shape[1]} {running.hexdigest()}")
        done = count
    return found
