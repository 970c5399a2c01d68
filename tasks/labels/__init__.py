"""Which kinds of label are there, and what must each one know?

A kind is one file in this folder. Its module has:

    parse(text) -> y          the delivered text as the JSON text that tables hold; ValueError with a reason
    show(y) -> text           the label as words for a person
    classes_of(y) -> names    the class names in a label: what the vocabulary check looks at
    target(y) -> name or None what an audit checks against a model; None: this label cannot be audited
    encode(ys, classes) -> (N, C) float32     Y as a vector, for (X, Y) anomaly detection
    WIDGET                    how a person gives one: review/static/widget_<name>.js, `classes` or `text`
    control(classes) -> Element  what asks for a label in Label Studio, without name and object
    region(y) -> {type, value}  a label as Label Studio keeps it
    spoken(value) -> labels   what such a value says, in words; ValueError with a reason
    PAIRED = True             where Y is a text of its own: embed makes vectors of show(y), and no class is expected
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from ..model import Mistake


def kinds() -> tuple[str, ...]:
    """The names of all label kinds, one a file."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def kind(name: str) -> ModuleType:
    """The module of a label kind; Mistake for a name that is none."""
    if name not in kinds():
        raise Mistake(f"Unknown label kind '{name}'. Kinds are: {', '.join(kinds())}. Change task.kind in params.yaml.")
    return importlib.import_module(f"{__name__}.{name}")


def is_paired(name: str) -> bool:
    """Whether the Y of a label kind is a text of its own."""
    return bool(getattr(kind(name), "PAIRED", False))
