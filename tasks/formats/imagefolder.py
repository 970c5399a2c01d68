"""What do the folders of a drop say, when each folder is a class?

Reads   one folder a class, with an optional split above it:

            cat/1.png  dog/2.png            ->  label cat, dog
            train/cat/1.png  val/dog/2.png  ->  label cat, dog; split train, val

        The top level is a split level when each folder there is one of train, val, valid, validation, test (valid and
        validation mean val) and at least one of them holds a folder. The class is the folder directly under the (split)
        root, its name taken as it is; deeper folders (cat/2024/1.png) only group the class's files. A row's source is
        the file's relative path.
Writes  <split>/<class>/<item>.<ext>, the layout of torchvision.datasets.ImageFolder; classes.csv (folder, class) when a
        class name had to be changed to be a folder's name.

Hidden files, and the litter of file managers, are no rows. A link is a faulty row and is never followed. Files beside
the class folders are no rows either: the receipt lists them as unlisted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .. import durable
from ..model import label_text
from . import Fault, Record, faulty, shown
from ._assets import Cell, Names, extension
from ._text import records_of
from .csv import csv_line

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
LITTER = ("Thumbs.db", "desktop.ini")


def matches(folder: Path) -> Path | None:
    """The folder itself, if a folder in it holds a file."""
    return folder if any(True for _ in _delivered(folder)) else None


def records(path: Path) -> Iterator[Record]:
    """Every file in a class folder, in the order of the paths' bytes, whatever the order of the directory listing."""
    for parts, split, linked in _delivered(path):
        relative = "/".join(parts)
        raw = os.fsencode(relative)
        source = raw.decode("utf-8", "backslashreplace")
        if linked:
            yield faulty(source, raw, Fault("E_SYMLINK", f"Path '{shown(source)}' is a link. Files are allowed."))
            continue
        try:
            raw.decode()
        except UnicodeDecodeError:
            yield faulty(source, raw, Fault("E_ENCODING", f"Path '{shown(source)}' is not UTF-8."))
            continue
        fields = {"path": relative, "label": parts[1] if split else parts[0]}
        yield Record(source, raw, {**fields, "split": SPLITS[parts[0]]} if split else fields)


def _delivered(root: Path) -> Iterator[tuple[tuple[str, ...], bool, bool]]:
    """(path parts, with a split level?, a link?) of every file and link under the class folders."""
    top = _listed(root)
    folders = [entry for entry in top if entry.is_dir(follow_symlinks=False)]
    split = bool(folders) and all(entry.name in SPLITS for entry in folders)
    split = split and any(inner.is_dir(follow_symlinks=False) for entry in folders for inner in _listed(entry))
    for entry in top:
        if entry.is_symlink() and entry.is_dir():
            yield (entry.name,), split, True
        elif entry.is_dir(follow_symlinks=False):
            for parts, linked in _under(entry):
                if len(parts) > (2 if split else 1):
                    yield parts, split, linked


def _under(top: os.DirEntry[str]) -> Iterator[tuple[tuple[str, ...], bool]]:
    """(path parts, a link?) of every file and link below a folder, depth first, however deep."""
    waiting: list[tuple[os.DirEntry[str], tuple[str, ...]]] = [(top, (top.name,))]
    while waiting:
        folder, parts = waiting.pop()
        if folder.is_dir(follow_symlinks=False):
            waiting += [(entry, (*parts, entry.name)) for entry in reversed(_listed(folder))]
        else:
            yield parts, folder.is_symlink()


def _listed(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        kept = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in LITTER]
    return sorted(kept, key=lambda entry: os.fsencode(entry.name))


def write_dataset(folder: Path, rows: Any, data: Callable[[str, int], bytes], cell: Cell | None = None) -> None:
    """<split>/<class>/<item>.<ext>, ready for torchvision's ImageFolder; classes.csv if a class has another folder.

    An item that could stand in a table (`cell`) is a text: <item>.txt, ready for load_files of scikit-learn.
    """
    splits, classes, items = Names(), Names(), Names()
    renamed: dict[str, str] = {}
    for row in records_of(rows):
        content = data(row["shard"], int(row["row"]))
        label = label_text(row["y"])
        if classes(label) != label:
            renamed[classes(label)] = label
        place = folder / splits(row["split"]) / classes(label) if row["split"] else folder / classes(label)
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{items(row['item'])}.{extension(content) if cell is None else 'txt'}").write_bytes(content)
    if renamed:
        table = [csv_line(("folder", "class")), *map(csv_line, sorted(renamed.items()))]
        durable.write_text(folder / "classes.csv", "".join(table))
