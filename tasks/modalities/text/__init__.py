"""How is a text read, shown and embedded?

Submodules are imported on first use (PEP 562), so that a stage pays only for the libraries it needs: reading needs
none, embedding scikit-learn, or sentence-transformers where a model is named.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "facts": "decode",
    "load": "decode",
    "size": "decode",
    "preview": "decode",
    "example": "decode",
    "cell": "decode",
    "FACTS": "measures",
    "RANGES": "measures",
    "EMBEDDERS": "embed",
    "resolve_auto": "embed",
}
PREVIEW = "card"
DECODER = None
OFFLINE = "tfidf"  # the embedder that needs no download
OBJECT = "Text"  # the element of Label Studio that shows it


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
