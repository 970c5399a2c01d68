"""How is one class an item checked, shown and turned into a vector?

A label is a JSON string. Delivered text stays the text it was: `007`, `NA`, `1e5` and `None` are class names.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..model import label_json

LONGEST = 200  # characters in a class name


def parse(text: str) -> str:
    """Delivered text -> '"7"'. ValueError with a reason for an empty, overlong or unprintable name."""
    if not text.strip():
        raise ValueError("the label is empty")
    if len(text) > LONGEST:
        raise ValueError(f"the label has {len(text)} characters; {LONGEST} are allowed")
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise ValueError(f"the label has the control character {character!r}")
    return label_json(text)


def show(y: str) -> str:
    """'"7"' -> 7"""
    return str(json.loads(y))


def classes_of(y: str) -> tuple[str, ...]:
    """'"dog"' -> ("dog",)"""
    return (show(y),)


def target(y: str) -> str | None:
    """The class that an audit checks: '"dog"' -> dog; None for the unknown label, JSON null."""
    return None if y == "null" else show(y)


def encode(ys: Sequence[str], classes: Sequence[str]) -> NDArray[np.float32]:
    """One-hot rows, (N, K) float32; K classes in the order given, which must contain every label."""
    column = {name: k for k, name in enumerate(classes)}
    y_NK = np.zeros((len(ys), len(classes)), dtype=np.float32)
    y_NK[np.arange(len(ys)), [column[show(y)] for y in ys]] = 1.0
    return y_NK
