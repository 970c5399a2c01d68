"""Which columns does a labels file need, and by which other words are they known?

    path or text     the item: a file of the drop, or the text itself
    label            the label as text

A row with both path and text is the file: the words beside an image are no item. Pairs are often delivered in the
columns `source` and `target`: `target` is `label` where there is no label, and `source` is `text` where there is none
of path, text and label (a `source` beside these says something else, and is left alone).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

Required = Sequence[str | tuple[str, ...]]  # a tuple: one of these

NEEDED: Required = (("path", "text"), "label")


def known_as(names: Collection[str]) -> dict[str, str]:
    """Delivered column -> the name that Assay knows it by, in the order given."""
    known = {name: name for name in names}
    if "label" not in known and "target" in known:
        known["target"] = "label"
    if "source" in known and not {"path", "text", "label"} & known.keys():
        known["source"] = "text"
    return known


def standard(fields: Mapping[str, str]) -> dict[str, str]:
    """A row's fields under the names that Assay knows."""
    known = known_as(fields)
    return {known[name]: value for name, value in fields.items()}


def lacking(required: Required, found: Iterable[str]) -> tuple[str, ...] | None:
    """The first that is required and not found, with what would do instead; None where nothing is lacking."""
    there = set(known_as(list(found)).values())
    for one in required:
        choices = (one,) if isinstance(one, str) else one
        if not there & set(choices):
            return choices
    return None
