"""How is an image read, shown, embedded and augmented?

Submodules are imported on first use (PEP 562), so that a stage pays only for the libraries it needs: decoding needs
Pillow, embedding and augmentation torchvision, which costs seconds.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_HOMES = {
    "facts": "decode",
    "load": "decode",
    "size": "decode",
    "thumbnail": "decode",
    "preview": "decode",
    "tile": "tiles",
    "picture": "tiles",
    "sheet": "tiles",
    "example": "example",
    "FACTS": "measures",
    "RANGES": "measures",
    "EMBEDDERS": "embed",
    "resolve_auto": "embed",
    "augment": "augment",
}
PREVIEW = "sheet"
DECODER = "pillow"
OFFLINE = "patches"  # the embedder that needs no download
OBJECT = "Image"  # the element of Label Studio that shows it
cell = None  # an image is a file


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # The import system binds each submodule to its package: `augment` the module would hide `augment` the function.
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
