"""Which modalities are there, and what must each one know?

A modality is one module in this folder (a file, or a package when it has much to say). It has:

    facts(data, limits) -> dict        read fully; the columns of FACTS but `asset`; Unreadable if it cannot
    load(data) -> item                 the normalised item: image (H, W, 3) uint8, EXIF orientation applied; text str
    size(item) -> int                  its bytes in memory
    preview(data) -> (type, bytes)     what a page shows of it: a small image/png, or the beginning as text/plain
    PREVIEW                            how a grid shows it: review/static/preview_<name>.js, `sheet` or `card`
    tile(data, side) -> bytes          where items are looked at as tiles: a small JPEG; else the page shows cards
    picture(data, side) -> bytes       where a tile is: the same in its own shape, for a labelling tool
    sheet(tiles, side, columns) -> bytes   tiles side by side as one JPEG, at `None` an empty place
    example(data) -> Any               what a model is trained on: image float32 (3, H, W) in [0, 1]; text str
    DECODER                            the library that facts uses, for the report; None: Python itself
    cell                               a function (data) -> str where the item itself can stand in a table; else None
    OBJECT                             the element of Label Studio that shows it
    FACTS                              model.Table of what is measured of an asset
    RANGES                             fact -> Range: what the gate looks at
    EMBEDDERS                          name -> embedder factory (see image/embed.py)
    OFFLINE                            the embedder that needs no download
    resolve_auto() -> name             the embedder that `assay init` writes into params.yaml
    augment.py                         where it can be varied: Strengths, augment_batch, encode (see image/augment.py)
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from types import ModuleType

from ..model import Mistake


class Unreadable(Exception):
    """An asset cannot be used: a code of model.CODES and one sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Range:
    """What the gate lets through of one measured fact, both bounds finite; `validate.ranges` may set others."""

    low: float
    high: float
    unit: str = ""
    above: bool = False  # `low` itself is too little
    remark: str = ""  # what a person should know about it

    @property
    def says(self) -> str:
        """4 to 10000 px"""
        return f"{'above ' if self.above else ''}{self.low:.10g} to {self.high:.10g} {self.unit}".rstrip()


def modalities() -> tuple[str, ...]:
    """The names of all modalities, one a module."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def modality(name: str) -> ModuleType:
    """The module of a modality; Mistake for a name that is none."""
    if name not in modalities():
        allowed = ", ".join(modalities())
        raise Mistake(f"Unknown modality '{name}'. Modalities are: {allowed}. Change task.modality in params.yaml.")
    return importlib.import_module(f"{__name__}.{name}")
