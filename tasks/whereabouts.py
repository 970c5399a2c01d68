"""Which item does a name in the user's file stand for?

Reads   data/drops/<drop>/labels.parquet (paths and ids as delivered), data/ingest (where each delivered row ended)

A row is named by the item, or by the path as delivered: PATH where it is the same item in every drop that has it, else
DROP/PATH. A delivered row that is no item because it is in quarantine is known too, and left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import store
from .model import ANNOTATIONS, DELIVERED, DUPLICATES, MANIFEST
from .modelfile import Given


def find(given: Given, items: Sequence[str], data: Path) -> tuple[list[tuple[int, str]], int]:
    """(row, item) of every row, in the order of `items` (the manifest's), and how many rows are of quarantined ones.

    Mistake for a row of an unknown item, a path that means several, or two rows of one item.
    """
    places = _places(data, given.key)
    row_of: dict[str, int] = {}
    unknown, left_out = [], 0
    there = set(items)
    for n, name in enumerate(given.names):
        meant = {name} & there if given.key == "item" else places.items.get(name, set())
        if len(meant) > 1:
            raise given.wrong(_ambiguous(given, n, places.drops[name], meant))
        if meant:
            (item,) = meant
            if item in row_of:
                first = row_of[item]
                raise given.wrong(
                    f"has item '{item}' in {given.where(first)} ('{given.names[first]}') and in {given.where(n)} "
                    f"('{name}'). One row an item is allowed."
                )
            row_of[item] = n
        elif name in places.quarantined:
            left_out += 1
        else:
            unknown.append(n)
    if unknown:
        example = next(iter(places.items), "") if given.key == "path" else items[0]
        more = f" and {len(unknown) - 1:,} more that are unknown" if len(unknown) > 1 else ""
        raise given.wrong(
            f"has {given.key} '{given.names[unknown[0]]}' in {given.where(unknown[0])}{more}. The workspace's are such "
            f"as '{example}'; leave rows of others out."
        )
    return [(row_of[item], item) for item in items if item in row_of], left_out


@dataclass(frozen=True)
class _Places:
    items: dict[str, set[str]]  # path, and DROP/path -> the items that it was delivered for
    drops: dict[str, list[str]]
    quarantined: set[str]  # ids or paths of rows that are no items


def _places(data: Path, key: str) -> _Places:
    """Where the delivered names ended; of ids only the quarantined ones are looked for."""
    ended: dict[tuple[str, str], str] = {}
    for name, table in (("manifest", MANIFEST), ("annotations", ANNOTATIONS), ("duplicates", DUPLICATES)):
        rows = store.read_table(data / "ingest" / name, table, columns=["item", "drop", "source"])
        ended |= dict(zip(zip(rows["drop"], rows["source"], strict=True), rows["item"], strict=True))
    places = _Places(defaultdict(set), defaultdict(list), set())
    column = "id" if key == "item" else "path"
    for path in sorted((data / "drops").glob("*/labels.parquet")):
        drop = path.parent.name
        rows = store.read_table(path, DELIVERED, columns=["source", column])
        for source, name in zip(rows["source"], rows[column], strict=True):
            if name is None:
                continue
            names = (name, f"{drop}/{name}") if key == "path" else (name,)
            if (item := ended.get((drop, source))) is None:
                places.quarantined.update(names)
            elif key == "path":
                for each in names:
                    places.items[each].add(item)
                    if drop not in places.drops[each]:
                        places.drops[each].append(drop)
    return places


def _ambiguous(given: Given, row: int, drops: Sequence[str], items: set[str]) -> str:
    name, where = given.names[row], given.where(row)
    if len(drops) == 1:
        several = ", ".join(f"'{item}'" for item in sorted(items)[:3])
        return f"has path '{name}' in {where}, which stands for {len(items)} items ({several}). Use a column 'item'."
    return (
        f"has path '{name}' in {where}, which is another item in each of the drops {', '.join(drops[:5])}. Write "
        f"DROP/PATH, as in '{drops[0]}/{name}', or use a column 'item'."
    )
