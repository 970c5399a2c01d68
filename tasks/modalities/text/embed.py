"""How does a text become vectors? The embedders, by name; see image/embed.py for what an embedder is.

`tfidf` (tfidf.py) learns from the user's own texts and needs no download. `sentence-transformers` (sentences.py) is
used when params.yaml names it and a local model in `embed.weights`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import OFFLINE, sentences
from .tfidf import Tfidf


def resolve_auto() -> str:
    """The model that `assay init` writes into params.yaml: a pretrained one is chosen by naming its folder."""
    return OFFLINE


def _tfidf(*, seed: int, **_: object) -> Tfidf:
    return Tfidf(seed=seed)  # weights, device and threads do not concern it


def _sentences(*, weights: Path | None, device: str, threads: int, batch: int, seed: int) -> sentences.Sentences:
    return sentences.Sentences(weights, device=device, threads=threads, batch=batch)


EMBEDDERS: Mapping[str, Callable[..., Any]] = {OFFLINE: _tfidf, sentences.NAME: _sentences}
