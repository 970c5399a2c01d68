"""Which items of two revisions teach, which test, and what came of it? The work of `assay study before-after A B`.

Reads   dataset.parquet of both revisions, params.yaml, and their drops, or (on="embeddings") data/embed/vectors or the
        user's own vectors in data/model
Writes  nothing; the caller keeps the document

An item that either revision tests on teaches neither model, and nor does its copy (another item that shows the same).
An item is the same in both when id and content are. Labels that are unknown (null) neither teach nor test. Of an
ambiguous item every accepted label counts as right, and the first teaches.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import labels, params, study, vectors, versions
from .model import Mistake, Task, label_json
from .study_cells import LEAST_SEEDS, Comparison, compare, sentences
from .versions.manifest import resolve, short

SPLIT = "test"
TRAIN = "train"  # where a revision has this split, no other one teaches
HOLD_OUT = 0.2  # of the items, where neither revision has a test split
ON = ("pixels", "embeddings")

FloatArray = NDArray[np.float32]

# shapes: N items of either revision, S seeds


@dataclass(frozen=True, slots=True)
class Options:
    """What `assay study before-after` may be asked."""

    seeds: int = 5  # trainings of each model, >= 3
    split: str | None = None  # the split to test on; None: `test`, or a held-out share where neither has one
    hold_out: float | None = None  # test on this share of the items instead, (0, 0.5]
    on: str | None = None  # what the model sees: one of ON; None: pixels for images, embeddings for all else
    draws: int = 2000  # of the bootstrap, >= 200
    threads: int = 1

    def __post_init__(self) -> None:
        if self.seeds < LEAST_SEEDS:
            raise Mistake(f"Option --seeds is {self.seeds}. {LEAST_SEEDS} or more are needed to know their spread.")
        if self.hold_out is not None and not 0 < self.hold_out <= 0.5:
            raise Mistake(f"Option --hold-out is {self.hold_out:g}. A share above 0 and up to 0.5 is allowed.")
        if self.hold_out is not None and self.split is not None:
            raise Mistake("Options --hold-out and --split are both given. One of them says what to test on.")
        if self.on is not None and self.on not in ON:
            raise Mistake(f"Option --on is '{self.on}'. Allowed are: {', '.join(ON)}.")
        if self.draws < 200:
            raise Mistake(f"Option --draws is {self.draws}. 200 or more are needed for an interval.")


@dataclass(frozen=True)
class Side:
    """One revision, by the items of the union of both: key -> what it says of it."""

    tag: str
    accepted: Mapping[str, tuple[str, ...]]  # key -> the classes that are right, the one that teaches first
    split: Mapping[str, str]
    unknown: int  # items left out: their label is unknown


@dataclass(frozen=True)
class Division:
    """Who tests and who teaches; keys, each list in the order of its revision."""

    test: tuple[frozenset[str], frozenset[str]]  # of A, of B
    train: tuple[tuple[str, ...], tuple[str, ...]]
    copies: int  # items that teach neither, because a test item shows the same
    said: str  # "split 'test'" or "a fifth held out ..."


def before_after(
    workspace: Path,
    a: str,
    b: str,
    options: Options,
    *,
    progress: Callable[[str], None] = lambda words: None,
) -> dict[str, Any]:
    """Train on both revisions, score on both tests, and tell: the document that is kept as JSON.

    Raises Mistake for revisions without one class an item, without enough test items, or with one class to learn.
    """
    tags = resolve(workspace, a), resolve(workspace, b)
    task = params.section(workspace / "params.yaml", "task", Task)
    tables = [versions.read_dataset(workspace, tag) for tag in tags]
    sides = [side(tag, table, task.kind) for tag, table in zip(tags, tables, strict=True)]
    on = options.on or ("pixels" if task.modality == "image" else "embeddings")
    if on == "pixels" and task.modality != "image":
        raise Mistake(f"Option --on is 'pixels', but task.modality is '{task.modality}'. Leave --on out.")
    keys = list(dict.fromkeys([key for one in sides for key in one.accepted]))
    progress(f"reading {len(keys):,} items")
    if on == "pixels":
        x_ND, left_out = _pixels(workspace, tags, tables, keys)
    else:
        x_ND, left_out = _embeddings(workspace, keys)
    gone = set(left_out)
    sides = [_without(one, gone) for one in sides]
    division = divide(sides[0], sides[1], options)
    found = _train_and_compare(sides, division, {key: n for n, key in enumerate(keys)}, x_ND, options, progress)
    return document(sides, division, found, options, on=on, left_out=len(left_out))


def side(tag: str, table: pd.DataFrame, kind: str) -> Side:
    """A revision's table (model.DATASET) by key; Mistake where an item has not one class."""
    module = labels.kind(kind)
    accepted: dict[str, tuple[str, ...]] = {}
    split, unknown = {}, 0
    columns = table[["y", "split", "accepted"]].itertuples(index=False)
    for key, (y, name, several) in zip(keys_of(table), columns, strict=True):
        if len(module.classes_of(y)) != 1:
            raise Mistake(
                f"Revision '{tag}' has label kind '{kind}'. A study of before and after needs one class an item."
            )
        every = [y]
        if isinstance(several, str):
            every = [label_json(one) for one in json.loads(several)]
        names = tuple(one for one in (module.target(y) for y in every) if one is not None)
        if not names:
            unknown += 1
            continue
        accepted[key], split[key] = names, name
    return Side(tag, accepted, split, unknown)


def keys_of(table: pd.DataFrame) -> list[str]:
    """Each item and what it shows: `d0007`, a line feed, `3fd1.. region`; with another image it is another item."""
    places = zip(table["item"], table["asset"], table["region"], strict=True)
    return [f"{item}\n{asset} {region if isinstance(region, str) else ''}" for item, asset, region in places]


def _shows(key: str) -> str:
    return key.rpartition("\n")[2]


def _without(one: Side, gone: set[str]) -> Side:
    kept = {key: names for key, names in one.accepted.items() if key not in gone}
    return Side(one.tag, kept, one.split, one.unknown)


def divide(a: Side, b: Side, options: Options) -> Division:
    """Who tests and who teaches, by split, or by a seeded hash of what each item shows.

    The hash looks at content only, so that copies are held out together and a rerun holds out the same items.
    """
    has = [set(one.split[key] for key in one.accepted) for one in (a, b)]
    wanted = options.split or SPLIT
    share = options.hold_out
    if share is None and not any(wanted in splits for splits in has):
        if options.split is not None:
            there = ", ".join(sorted(has[0] | has[1])) or "none"
            raise Mistake(f"Neither revision has a split '{wanted}'. Splits are: {there}. Or try: --hold-out 0.2")
        share = HOLD_OUT
    if share is None:
        for one, splits in zip((a, b), has, strict=True):
            if wanted not in splits:
                raise Mistake(
                    f"Revision '{one.tag}' has no split '{wanted}', the other one has. To hold out the same share of "
                    "both: --hold-out 0.2"
                )
        test = tuple(frozenset(key for key in one.accepted if one.split[key] == wanted) for one in (a, b))
        said = f"the split '{wanted}'"
    else:
        test = tuple(frozenset(key for key in one.accepted if _held_out(key, share)) for one in (a, b))
        said = f"{100 * share:g} % of the items, held out of the training of both by their content"
    shown = {_shows(key) for keys in test for key in keys}
    outside = [[key for key in one.accepted if key not in test[0] | test[1]] for one in (a, b)]
    train, copies = [], set()
    for one, keys in zip((a, b), outside, strict=True):
        if options.hold_out is None and share is None and TRAIN in {one.split[key] for key in keys}:
            keys = [key for key in keys if one.split[key] == TRAIN]
        copies |= {key for key in keys if _shows(key) in shown}
        train.append(tuple(key for key in keys if _shows(key) not in shown))
    return Division((test[0], test[1]), (train[0], train[1]), len(copies), said)


def _held_out(key: str, share: float) -> bool:
    digest = hashlib.sha256(f"before-after:{_shows(key)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def _pixels(
    workspace: Path, tags: Sequence[str], tables: Sequence[pd.DataFrame], keys: Sequence[str]
) -> tuple[FloatArray, list[str]]:
    """Each item's image averaged down, (N, D), read once though both revisions have it; none is left out."""
    from .dataset import RevisionDataset

    rows: dict[str, FloatArray] = {}
    width = None
    for tag, table in zip(tags, tables, strict=True):
        images = RevisionDataset(tag, workspace)
        for n, key in enumerate(keys_of(table)):
            if key not in rows:
                image = images[n][0]
                width = width or study.side_of(image)
                rows[key] = study.small([image], width)[0]
    return np.stack([rows[key] for key in keys]) if keys else np.zeros((0, 1), np.float32), []


def _embeddings(workspace: Path, keys: Sequence[str]) -> tuple[FloatArray, list[str]]:
    """Each item's vector, (N, D), and the keys of those that have none now."""
    found = vectors.of(workspace / "data", [key.partition("\n")[0] for key in keys])
    if keys and not found.usable_N.any():
        raise Mistake(f"None of the {len(keys):,} items can be used: {found.faults[0]}. Run: assay run")
    return found.x_ND, [key for key, fault in zip(keys, found.faults, strict=True) if fault]


def _train_and_compare(
    sides: Sequence[Side],
    division: Division,
    place: Mapping[str, int],
    x_ND: FloatArray,
    options: Options,
    progress: Callable[[str], None],
) -> Comparison:
    names = sorted({name for one in sides for accepted in one.accepted.values() for name in accepted})
    column = {name: k for k, name in enumerate(names)}
    tested = [key for key in place if key in division.test[0] | division.test[1]]
    x_test = x_ND[[place[key] for key in tested]]
    right = np.zeros((2, len(tested), len(names)), dtype=bool)
    for t, one in enumerate(sides):
        for u, key in enumerate(tested):
            if key in division.test[t]:
                right[t, u, [column[name] for name in one.accepted[key]]] = True
    wrong = []
    for one, keys in zip(sides, division.train, strict=True):
        y = np.array([column[one.accepted[key][0]] for key in keys], dtype=np.int64)
        if len(np.unique(y)) < 2:
            raise Mistake(
                f"Revision '{one.tag}' has {len(np.unique(y))} classes outside the test. 2 or more are needed."
            )
        done = 0

        def tell(tag: str = one.tag) -> None:
            nonlocal done
            done += 1
            progress(f"trained on {tag}: seed {done} of {options.seeds}")

        said = study.predictions(
            x_ND[[place[key] for key in keys]],
            y,
            x_test,
            classes=len(names),
            seeds=range(options.seeds),
            threads=options.threads,
            progress=tell,
        )
        wrong.append([[~right_UK[np.arange(len(tested)), said_U] for said_U in said] for right_UK in right])
    member = np.array([[key in keys for key in tested] for keys in division.test], dtype=bool)
    changed = np.array([_differs(sides, key) for key in tested], dtype=bool)
    return compare(np.array(wrong), member, changed, draws=options.draws)


def _differs(sides: Sequence[Side], key: str) -> bool:
    old, new = (one.accepted.get(key) for one in sides)
    return old is not None and new is not None and set(old) != set(new)


def document(
    sides: Sequence[Side],
    division: Division,
    found: Comparison,
    options: Options,
    *,
    on: str,
    left_out: int,
) -> dict[str, Any]:
    """The study as plain values: errors and gains are shares in [0, 1]."""
    a, b = (short(one.tag) for one in sides)
    before, after = set(division.train[0]), set(division.train[1])
    test_a, test_b = division.test
    return {
        "study": "before-after",
        "a": a,
        "b": b,
        "on": on,
        "seeds": options.seeds,
        "draws": options.draws,
        "claim": found.claim,
        "sentences": sentences(found, a, b),
        "tested_on": division.said,
        "test": {
            "a": len(test_a),
            "b": len(test_b),
            "both": len(test_a & test_b),
            "relabelled": sum(_differs(sides, key) for key in test_a & test_b),
            "only_a": len(test_a - test_b),
            "only_b": len(test_b - test_a),
        },
        "train": {
            "a": len(before),
            "b": len(after),
            "relabelled": sum(_differs(sides, key) for key in before & after),
            "removed": len(before - after),
            "added": len(after - before),
        },
        "left_out": {
            "unknown_label": sum(one.unknown for one in sides),
            "copy_of_a_test_item": division.copies,
            "no_vector": left_out,
        },
        "cells": {name: asdict(cell) for name, cell in found.cells.items()},
        "by_seed": {name: list(seeds) for name, seeds in found.by_seed.items()},
        "gains": {name: None if gain is None else asdict(gain) for name, gain in found.gains.items()},
        "strata": {test: {name: asdict(one) for name, one in parts.items()} for test, parts in found.strata.items()},
        "different": found.different,
    }
