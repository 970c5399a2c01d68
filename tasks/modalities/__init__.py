"""Which modalities are there, and what must each one know?

A modality is one module in this folder (a file, or a package when it has much to say). It has:

    facts(data, limits) -> dict        decode fully; the columns of model.FACTS but `asset`; Unreadable if it cannot
    load(data) -> array                the normalised item: image (H, W, 3) uint8, EXIF orientation applied
    thumbnail(data, size) -> bytes     a PNG at most `size` pixels a side
    EMBEDDERS                          name -> embedder factory (see image/embed.py)
    augment.py                         where it can be varied: Strengths, augment_batch, encode (see image/augment.py)

What is measured of an item (model.FACTS) and the ranges that the gate knows are those of images today.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from ..model import Mistake


class Unreadable(Exception):
    """An asset cannot be used: a code of model.CODES and one sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def modalities() -> tuple[str, ...]:
    """The names of all modalities, one a module."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def modality(name: str) -> ModuleType:
    """The module of a modality; Mistake for a name that is none."""
    if name not in modalities():
        allowed = ", ".join(modalities())
        raise Mistake(f"Unknown modality '{name}'. Modalities are: {allowed}. Change task.modality in params.yaml.")
    return importlib.import_module(f"{__name__}.{name}")
