"""How is one class an item checked, shown and turned into a vector?

A label is a JSON string. Delivered text stays the text it was: `007`, `NA`, `1e5` and `None` are class names.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from numpy.typing import NDArray

from ..model import label_json

WIDGET = "classes"
LONGEST = 200  # characters in a class name
BUTTONS = 30  # classes; with more of them Label Studio shows a list


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


def control(classes: Sequence[str]) -> Element:
    """One choice among the classes."""
    choices = Element("Choices", {"choice": "single"})
    choices.attrib |= {"layout": "select"} if len(classes) > BUTTONS else {"showInline": "true"}
    digits = all(name in "0123456789" and len(name) == 1 for name in classes)  # their own key, not their place
    for name in classes:
        SubElement(choices, "Choice", _plainly(name) | ({"hotkey": name} if digits else {}))
    return choices


def _plainly(name: str) -> dict[str, str]:
    """`$text` would be shown, and given back, as that field of the task: an invisible mark parts it, an alias is it."""
    return {"value": name.replace("$", "$\u2060"), "alias": name} if "$" in name else {"value": name}


def region(y: str) -> dict[str, Any]:
    """'"dog"' -> {"type": "choices", "value": {"choices": ["dog"]}}"""
    return {"type": "choices", "value": {"choices": [show(y)]}}


def spoken(value: Any) -> tuple[str, ...]:
    """{"choices": ["dog"]}, or "dog" as JSON-MIN has it, -> ("dog",); two choices are two labels."""
    names = value.get("choices") if isinstance(value, Mapping) else [value]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("it is no choice among classes")
    return tuple(names)
