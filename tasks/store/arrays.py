"""How are arrays kept in files of numpy's own format? Read without pickle, which could run code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import durable


def write_array(path: Path, array: NDArray[Any]) -> None:
    """One array as a .npy file."""
    durable.write_with(path, lambda place: _save(place, array))


def read_array(path: Path) -> NDArray[Any]:
    """What `write_array` has written."""
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Arrays by name as a .npz file."""
    durable.write_with(path, lambda place: _save_all(place, arrays))


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """What `write_arrays` has written."""
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _save(path: Path, array: NDArray[Any]) -> None:
    with open(path, "wb") as file:  # a name would get .npy appended
        np.save(file, array, allow_pickle=False)


def _save_all(path: Path, arrays: Mapping[str, Any]) -> None:
    with open(path, "wb") as file:
        np.savez(file, **arrays)
