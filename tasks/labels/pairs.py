"""How is a text that belongs to an item (its translation, its caption, its answer) checked, shown and made a vector?

A label is a JSON string: the text as it was delivered, line ends and tabs included. There are no classes: the text is
audited as the other half of a pair (pairing.py), and its vectors are those of data/embed/targets.

    a0017   "A man rides a horse."   y "\"Ein Mann reitet ein Pferd.\""
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ..model import label_json

WIDGET = "text"
PAIRED = True  # Y is an item of its own: embed makes vectors of it, audit compares the two
LONGEST = 64 * 2**10  # bytes of UTF-8 in a text
ALLOWED = "\t\n\r"  # control characters
WIDTH = 256  # values of `encode`

# shapes: N texts, C values


def parse(text: str) -> str:
    """Delivered text -> its JSON text. ValueError with a reason for one that is empty, too long or not printable."""
    if not text.strip():
        raise ValueError("the text is empty")
    for character in text:
        if character not in ALLOWED and unicodedata.category(character) in ("Cc", "Cs"):
            raise ValueError(f"the text has the control character {character!r}")
    if (size := len(text.encode())) > LONGEST:
        raise ValueError(f"the text has {size:,} bytes; {LONGEST:,} are allowed")
    return label_json(text)


def show(y: str) -> str:
    """'"Guten Tag"' -> Guten Tag"""
    return str(json.loads(y))


def classes_of(y: str) -> tuple[str, ...]:
    """None: no text is of a class."""
    return ()


def target(y: str) -> str | None:
    """None: no model gives the probability of a text."""
    return None


def encode(ys: Sequence[str], classes: Sequence[str]) -> NDArray[np.float32]:
    """How often which three bytes follow each other, hashed: rows of length 1, (N, WIDTH) float32. `classes` is unused.

    For what needs a vector without an embedder. Two texts without a common trigram are at right angles, but for chance.
    """
    y_NC = np.zeros((len(ys), WIDTH), dtype=np.float32)
    for n, y in enumerate(ys):
        code = np.frombuffer(f"  {show(y).casefold()} ".encode(), np.uint8).astype(np.uint64)
        grams = (code[:-2] << np.uint64(16)) | (code[1:-1] << np.uint64(8)) | code[2:]
        place = (grams * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56)  # Fibonacci hashing, its top eight bits
        y_NC[n] = np.bincount(place.astype(np.int64), minlength=WIDTH)
    return np.asarray(y_NC / np.maximum(np.linalg.norm(y_NC, axis=1, keepdims=True), 1), dtype=np.float32)


def control(classes: Sequence[str]) -> Element:
    """A field for the right text. `classes` is unused."""
    asked = {
        "maxSubmissions": "1",
        "editable": "true",
        "rows": "3",
        "placeholder": "the right text, if the given is wrong",
    }
    return Element("TextArea", asked)


def region(y: str) -> dict[str, Any]:
    """'"Guten Tag"' -> {"type": "textarea", "value": {"text": ["Guten Tag"]}}"""
    return {"type": "textarea", "value": {"text": [show(y)]}}


def spoken(value: Any) -> tuple[str, ...]:
    """{"text": ["Guten Tag"]}, or "Guten Tag" as JSON-MIN has it, -> ("Guten Tag",); not the Enter that ended it."""
    texts = value.get("text") if isinstance(value, Mapping) else value
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("it is no text")
    return tuple(text.removesuffix("\n") for text in texts)
