"""What does a file of the user's own model say: predictions or embeddings, as Parquet, CSV, TSV or npz?

    item,fold,cat,dog    predictions: a row an item, found by `item` or by `path`; a column a class; the fold that the
    007,2,.93,.07        item was held out in
    item,e0,e1,..        embeddings: every other column of numbers is a value; in Parquet also one list, `embedding`

npz: `probabilities` (N, K), `classes` (K,), `items` or `paths` (N,), `folds` (N,); `embeddings` (N, D).
Pure of the workspace: whether the items and classes exist is adopt.py's question. A file that cannot be used ends in
one sentence; none is mended by guessing.

Shapes: N rows, D values of a vector or classes
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import store
from .model import Mistake

IntArray = NDArray[np.int64]

ENDINGS = (".parquet", ".pq", ".csv", ".tsv", ".npz")
KEYS = ("item", "path")
TEXTS = (*KEYS, "fold")
LABELS = ("label", "y", "target", "class")  # an embedding that holds the label knows the answer
MOST_FOLDS = 1_000_000
TINY = 1e-6  # below 0: somebody's rounding
ROUNDING = 0.02  # by how much probabilities may miss 1: half-precision, or two decimals written down

Option = Literal["predictions", "embeddings"]


@dataclass(frozen=True)
class Given:
    """A file as it was given, row n of each part belonging together."""

    path: Path
    option: Option
    key: Literal["item", "path"]  # what the rows are found by
    names: list[str]
    columns: tuple[str, ...]  # the classes, or the columns of values; () where they came as one list
    x_ND: NDArray[Any]
    folds_N: IntArray | None = None
    ignored: tuple[str, ...] = ()  # columns that are no numbers

    def where(self, row: int) -> str:
        """Row `row` (from 0) as a person finds it in the file."""
        if self.path.suffix.lower() in (".csv", ".tsv"):
            return f"line {store.line_of(self.path, row)}"
        return f"row {row} (the first is 0)"

    def wrong(self, says: str) -> Mistake:
        """What is wrong with the file, with what to do."""
        return wrong(self.path, self.option, says)


def wrong(path: Path, option: Option, says: str) -> Mistake:
    """`says` begins with a verb and ends with what is allowed."""
    return Mistake(f"File '{path}' {says} Correct it, then run: assay audit --{option} {path}")


def predictions(path: Path) -> Given:
    """Probabilities by class name, float64, rows summing to 1; Mistake for whatever is none."""
    given = _checked(_npz(path, "predictions") if _is_npz(path, "predictions") else _table(path, "predictions"))
    p_NK = given.x_ND
    if len(given.columns) < 2:
        one = given.columns[0] if given.columns else "none"
        raise given.wrong(f"has one class ({one}). Two or more columns, each named for a class, are needed.")
    for n in np.flatnonzero(((p_NK < -TINY) | (p_NK > 1 + ROUNDING)).any(axis=1))[:1]:
        k = int(np.flatnonzero((p_NK[n] < -TINY) | (p_NK[n] > 1 + ROUNDING))[0])
        raise given.wrong(
            f"has {p_NK[n, k]:g} for class '{given.columns[k]}' in {given.where(int(n))}. Probabilities from 0 to 1 "
            "are needed; take the softmax of logits."
        )
    for n in np.flatnonzero(np.abs(p_NK.sum(axis=1) - 1) > ROUNDING)[:1]:
        raise given.wrong(
            f"has probabilities that sum to {p_NK[n].sum():.4g} in {given.where(int(n))}. Each row must sum to 1."
        )
    return given


def embeddings(path: Path) -> Given:
    """Vectors, float32, finite and not zero; Mistake for whatever is none."""
    given = _checked(_npz(path, "embeddings") if _is_npz(path, "embeddings") else _table(path, "embeddings"))
    if labels := [name for name in given.columns if name.lower() in LABELS]:
        raise given.wrong(
            f"has the column '{labels[0]}' among the values. A vector that holds the label knows the answer: leave "
            "that column out."
        )
    if given.x_ND.shape[1] == 0:
        raise given.wrong("has no values. Columns of numbers, or in Parquet one list column 'embedding', are needed.")
    for n in np.flatnonzero(~given.x_ND.any(axis=1))[:1]:
        raise given.wrong(f"has a vector of zeros in {given.where(int(n))}. Leave such rows out.")
    return given


# --- what both must be -----------------------------------------------------------------------------------------------


def _checked(given: Given) -> Given:
    if not given.names:
        raise given.wrong("has no rows. One row an item is needed.")
    first: dict[str, int] = {}
    for n, name in enumerate(given.names):
        if not name:
            raise given.wrong(f"has no {given.key} in {given.where(n)}. Each row needs one.")
        if first.setdefault(name, n) != n:
            raise given.wrong(
                f"has {given.key} '{name}' in {given.where(first[name])} and in {given.where(n)}. One row an item is "
                "allowed."
            )
    for n in np.flatnonzero(~np.isfinite(given.x_ND).all(axis=1))[:1]:
        d = int(np.flatnonzero(~np.isfinite(given.x_ND[n]))[0])
        column = f"column '{given.columns[d]}'" if given.columns else f"value {d}"
        value = "nothing or NaN" if np.isnan(given.x_ND[n, d]) else f"{given.x_ND[n, d]}"
        raise given.wrong(f"has {value} in {given.where(int(n))}, {column}. A finite number is needed.")
    return given


def _folds(given: Given, cells: Sequence[object]) -> IntArray:
    """Fold ids, (N,), each 0 or more."""
    folds = []
    for n, cell in enumerate(cells):
        try:
            number = float(str(cell)) if cell is not None else -1.0
        except ValueError:
            number = -1.0
        if not (number.is_integer() and 0 <= number < MOST_FOLDS):
            shown = "no fold" if cell in (None, "") else f"fold '{cell}'"
            allowed = f"Whole numbers from 0 to {MOST_FOLDS - 1:,} are allowed."
            raise given.wrong(f"has {shown} in {given.where(n)}. {allowed}")
        folds.append(int(number))
    folds_N = np.array(folds, dtype=np.int64)
    if len(np.unique(folds_N)) < 2:
        raise given.wrong(
            f"has the one fold {folds[0]}: held out all at once, no item is left to learn from. Two or more folds are "
            "needed; if the model never saw any of these items, leave the column out and say --held-out."
        )
    return folds_N


# --- the formats -----------------------------------------------------------------------------------------------------


def _is_npz(path: Path, option: Option) -> bool:
    if not path.is_file():
        raise Mistake(f"No file '{path}'. Name one: assay audit --{option} FILE")
    if path.suffix.lower() not in ENDINGS:
        raise Mistake(f"File '{path}' has the ending '{path.suffix}'. Allowed are: {', '.join(ENDINGS)}.")
    return path.suffix.lower() == ".npz"


def _table(path: Path, option: Option) -> Given:
    dtype: type[np.floating[Any]] = np.float64 if option == "predictions" else np.float32
    lists = "embedding" if option == "embeddings" else None
    try:
        read = store.read_foreign(path, text=TEXTS, keys=KEYS, dtype=dtype, lists=lists)
    except store.NotNumbers as error:
        raise wrong(path, option, str(error)) from None
    except MemoryError:
        raise wrong(path, option, "does not fit into memory. Reduce its width.") from None
    key: Literal["item", "path"] = "item" if "item" in read.texts else "path"
    if option == "predictions" and read.others:
        raise wrong(path, option, f"has text in column '{read.others[0]}'. Only classes may stand beside {_or(TEXTS)}.")
    given = Given(path, option, key, [name or "" for name in read.texts[key]], read.columns, read.x_ND)
    folds = read.texts.get("fold") if option == "predictions" and given.names else None
    return Given(
        *(path, option, key, given.names, read.columns, read.x_ND),
        folds_N=None if folds is None else _folds(given, folds),
        ignored=read.others,
    )


def _npz(path: Path, option: Option) -> Given:
    values = "probabilities" if option == "predictions" else "embeddings"
    arrays = _arrays(path, option, (values, "items", "paths", "classes", "folds"))
    key: Literal["item", "path"] = "item" if "items" in arrays else "path"
    needed = [values, f"{key}s", *(["classes"] if option == "predictions" else [])]
    if lacking := [name for name in needed if name not in arrays]:
        told = "'items' or 'paths'" if lacking[0] == "paths" else f"'{lacking[0]}'"
        raise wrong(path, option, f"lacks the array {told}. Needed are: {values}, items or paths{_classes(option)}.")
    x_ND, names = arrays[values], _texts(path, option, f"{key}s", arrays[f"{key}s"])
    if x_ND.ndim != 2 or x_ND.dtype.kind not in "fiu" or len(x_ND) != len(names):
        raise wrong(
            path,
            option,
            f"has '{values}' as {x_ND.shape} of {x_ND.dtype} beside {len(names)} {key}s. Numbers, one row an item, "
            "are needed.",
        )
    columns: tuple[str, ...] = ()
    if option == "predictions":
        columns = tuple(_texts(path, option, "classes", arrays["classes"]))
        if len(columns) != x_ND.shape[1] or len(set(columns)) != len(columns):
            raise wrong(
                path,
                option,
                f"has {x_ND.shape[1]} columns of probabilities for {len(columns)} classes ({len(set(columns))} "
                "different). One different class a column is needed.",
            )
    given = Given(path, option, key, names, columns, x_ND.astype(np.float64 if columns else np.float32, copy=False))
    folds_N = None
    if option == "predictions" and "folds" in arrays and names:
        if arrays["folds"].shape != (len(names),):
            raise given.wrong(f"has 'folds' as {arrays['folds'].shape} for {len(names)} items. One an item is needed.")
        folds_N = _folds(given, arrays["folds"].tolist())
    return Given(path, option, key, names, columns, given.x_ND, folds_N)


def _arrays(path: Path, option: Option, wanted: Sequence[str]) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path):
            pass  # np.load takes what is no archive for a single array, or a pickle
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in wanted if name in file.files}
    except MemoryError:
        raise wrong(path, option, "does not fit into memory. Reduce its width.") from None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        if "Object arrays" in said:
            said = "it holds Python objects; save names as text: np.array(items, dtype=str)"
        raise wrong(path, option, f"cannot be read as npz ({said}).") from None


def _texts(path: Path, option: Option, name: str, array: NDArray[Any]) -> list[str]:
    if array.ndim != 1 or array.dtype.kind not in "USiu":
        raise wrong(path, option, f"has '{name}' as {array.shape} of {array.dtype}. One text each is needed.")
    try:
        return [cell.decode() if isinstance(cell, bytes) else str(cell) for cell in array.tolist()]
    except UnicodeDecodeError:
        raise wrong(path, option, f"has '{name}' that are not UTF-8 text. Save them as text.") from None


def _or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _classes(option: Option) -> str:
    return ", classes; and folds, unless the model never saw the items" if option == "predictions" else ""
