"""What can be ranked of the arrays that somebody gives: do they fit together, and which labels can be assessed?

Arrays come from a notebook as well as from the stage: labels as text, numbers or a column of pandas, vectors as one
array or several views, predictions with the folds of whoever made them. What does not fit is refused, naming the row;
what fits but cannot be judged, such as the only example of a class, keeps its place with a note that says why.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from . import combined, nearest, vectors
from .confidence import BoolArray
from .model import Mistake
from .outoffold import FloatArray, IntArray, ProbabilityArray

NEIGHBOURS = 20  # of an item, where no graph is given

# shapes: N labels given, M of them to be assessed, K classes, D values of a vector


@dataclass(frozen=True)
class Inputs:
    """N labels and what is known of the M that can be assessed."""

    classes: tuple[str, ...]
    notes: tuple[str | None, ...]  # of each of the N: why it cannot be assessed
    rows_M: IntArray  # places of those that can
    given_M: IntArray  # their labels, as places in `classes`
    shown: tuple[str, ...]  # what each of the M shows; equal ones are copies
    views: Mapping[str, FloatArray]  # view -> (M, D), rows of length 1 or 0; {} without embeddings
    own_MK: ProbabilityArray | None  # the user's predictions, rows sum to 1
    folds_M: IntArray | None  # the folds in which those were held out
    near: vectors.Neighbours | None  # among the M; None without embeddings


def inputs(
    labels: Iterable[Any],
    *,
    predictions: ProbabilityArray | None,
    embeddings: FloatArray | Mapping[str, FloatArray] | None,
    folds: Sequence[int] | IntArray | None,
    held_out: bool,
    classes: Iterable[Any] | None,
    faults: Sequence[str | None] | None,
    shows: Sequence[str] | None,
    near: vectors.Neighbours | None,
    threads: int,
) -> Inputs:
    """What ranking.rank was given, fitted together; its docstring says what each argument is. Raises Mistake."""
    named, known = _named(labels)
    count = len(named)
    for what, each in (("faults", faults), ("shows", shows)):
        if each is not None and len(each) != count:
            raise Mistake(f"There are {len(each):,} {what} and {count:,} labels. Give one a label.")
    views = _views(embeddings, count, faults)
    shows = shows if shows is not None else _digests(views, count)
    folds_N = None if folds is None or held_out else np.asarray(folds, dtype=np.int64)
    missing = _missing(predictions, folds_N, held_out, count) if predictions is not None else (None,) * count
    if not views and predictions is None:
        raise Mistake("Nothing to rank the labels by. Give embeddings=, predictions=, or both.")
    notes = _why_not(named, [a or b for a, b in zip(faults or missing, missing, strict=True)], shows)
    rows_M = np.array([n for n, reason in enumerate(notes) if reason is None], dtype=np.int64)
    given = [str(named[n]) for n in rows_M.tolist()]
    if classes is not None:
        names = tuple(map(str, classes))
    else:
        names = tuple(known) if predictions is not None else tuple(name for name in known if name in set(given))
    own_MK: ProbabilityArray | None = None
    folds_M: IntArray | None = None
    if given and predictions is not None:
        own_MK = _checked(given, predictions, rows_M, names)
        folds_M = np.arange(len(rows_M)) % 2 if folds_N is None else folds_N[rows_M]
    elif unknown := sorted(set(given) - set(names)):
        raise Mistake(f"Label '{unknown[0]}' is not among the classes. Classes are: {', '.join(names[:20])}.")
    column = {name: k for k, name in enumerate(names)}
    mine = {name: x_ND[rows_M] for name, x_ND in views.items()}
    return Inputs(
        names,
        tuple(notes),
        rows_M,
        np.array([column[name] for name in given], dtype=np.int64),
        tuple(shows[n] for n in rows_M.tolist()),
        mine,
        own_MK,
        folds_M,
        _near(mine, near, rows_M, threads) if mine and given else None,
    )


def _named(labels: Iterable[Any]) -> tuple[list[str | None], list[str]]:
    """The labels as text, None where unknown, and the different ones, in the order of their own type."""
    given = [None if label is None or label is pd.NA or label != label else label for label in labels]
    different = {label for label in given if label is not None}
    try:
        ordered = sorted(different)
    except TypeError:  # text and numbers
        ordered = sorted(different, key=str)
    return [None if label is None else str(label) for label in given], list(dict.fromkeys(map(str, ordered)))


def _why_not(labels: Sequence[str | None], faults: Sequence[str | None], shows: Sequence[str]) -> list[str | None]:
    """Why each label cannot be assessed; None where it can."""
    why = ["its label is unknown" if name is None else fault for name, fault in zip(labels, faults, strict=True)]
    different = {(name, show) for name, show, reason in zip(labels, shows, why, strict=True) if reason is None}
    counts, rows = Counter(name for name, _ in different), Counter(labels)
    why = [
        ("1 example of its class" if rows[name] == 1 else "all examples of its class show the same")
        if reason is None and counts[name] == 1
        else reason
        for name, reason in zip(labels, why, strict=True)
    ]
    left = sorted({str(name) for name, reason in zip(labels, why, strict=True) if reason is None})
    if len(left) == 1:
        why = [reason or f"the only class with two examples is {left[0]}" for reason in why]
    return [None if reason is None else f"not assessable: {reason}" for reason in why]


def _views(
    embeddings: FloatArray | Mapping[str, FloatArray] | None, count: int, faults: Sequence[str | None] | None
) -> dict[str, FloatArray]:
    """Each view with rows of length 1; Mistake for a wrong shape, and for values that are not finite or all zero."""
    if embeddings is None or (isinstance(embeddings, Mapping) and not embeddings):
        return {}
    given = embeddings if isinstance(embeddings, Mapping) else {"embedding": embeddings}
    views: dict[str, FloatArray] = {}
    for name, x in given.items():
        x_ND = np.asarray(x, dtype=np.float32)
        if x_ND.ndim != 2 or len(x_ND) != count:
            raise Mistake(f"Embeddings '{name}' have shape {x_ND.shape}. {count} labels need ({count}, D).")
        sound_N: BoolArray = np.asarray(np.isfinite(x_ND).all(axis=1))
        for n in np.flatnonzero(~sound_N).tolist():
            if faults is None or faults[n] is None:
                raise Mistake(f"Embedding of row {n} is not finite. Leave the row out, or embed it again.")
        views[name] = vectors.unit(np.where(sound_N[:, None], x_ND, np.float32(0)))
    empty_N = np.logical_and.reduce([(x_ND == 0).all(axis=1) for x_ND in views.values()])
    for n in np.flatnonzero(empty_N).tolist():
        if faults is None or faults[n] is None:
            raise Mistake(f"Embedding of row {n} is all zeros. Leave the row out, or embed it again.")
    return views


def _digests(views: Mapping[str, FloatArray], count: int) -> list[str]:
    """What each item shows, where nobody says: its vectors; without vectors each shows something else."""
    if not views:
        return [str(n) for n in range(count)]
    joint_ND = np.ascontiguousarray(np.concatenate(list(views.values()), axis=1))
    return [hashlib.sha256(row.tobytes()).hexdigest() for row in joint_ND]


def _near(
    mine: Mapping[str, FloatArray], near: vectors.Neighbours | None, rows_M: IntArray, threads: int
) -> vectors.Neighbours:
    """The neighbours of the M among themselves: of the graph that was given, or looked for, exactly."""
    if near is not None:
        return near.among(rows_M)
    found = nearest.neighbours(nearest.points(combined.joint(mine)), min(NEIGHBOURS, len(rows_M) - 1), threads=threads)
    return vectors.Neighbours(found.index_Qk, found.distance_Qk.astype(np.float32))


def _missing(predictions: ProbabilityArray, folds: IntArray | None, held_out: bool, count: int) -> Sequence[str | None]:
    """Which items have no prediction; Mistake where nobody says that the model had not seen them."""
    shape = np.shape(predictions)
    if len(shape) != 2 or shape[0] != count:
        raise Mistake(f"Probabilities have shape {shape}. {count} labels need ({count}, K).")
    if held_out:
        return (None,) * count
    if folds is None or len(folds) != count or len(np.unique(folds[folds >= 0])) < 2:
        raise _in_sample()
    return ["it has no prediction" if fold < 0 else None for fold in folds.tolist()]


def _in_sample() -> Mistake:
    """What is said of probabilities that may come from a model that has learnt the labels by heart."""
    return Mistake(
        "Probabilities come without the fold in which each item was held out. In-sample ones agree with wrong labels "
        "and are refused; give two or more fold ids, from 0 on. See tasks.outoffold.out_of_fold."
    )


def _checked(
    labels: Sequence[str], probabilities: ProbabilityArray, rows: IntArray, classes: tuple[str, ...]
) -> ProbabilityArray:
    """The probabilities of the labels, by (N,) places `rows` of what was given, or Mistake.

    cleanlab takes NaN for "no issues" and a swapped column for a discovery, both in silence.
    """
    whole_NK = np.asarray(probabilities, dtype=np.float64)
    p_NK = whole_NK[rows]
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise Mistake(f"Classes are {', '.join(classes) or 'none'}. Two or more different names are needed.")
    if p_NK.shape != (len(labels), len(classes)):
        raise Mistake(
            f"Probabilities have shape {whole_NK.shape}. {len(whole_NK)} labels and {len(classes)} classes need "
            f"({len(whole_NK)}, {len(classes)}): a column for each of {', '.join(classes[:20])}."
        )
    if unknown := sorted(set(labels) - set(classes)):
        raise Mistake(f"Label '{unknown[0]}' has no column. Columns are: {', '.join(classes)}.")
    for n in np.flatnonzero(~np.isfinite(p_NK).all(axis=1)):
        raise Mistake(f"Probabilities of row {rows[n]} are not finite. Leave the row out, or predict it again.")
    for n in np.flatnonzero((p_NK < 0).any(axis=1) | (np.abs(p_NK.sum(axis=1) - 1) > 1e-3)):
        raise Mistake(
            f"Probabilities of row {rows[n]} sum to {p_NK[n].sum():.4f}. Numbers from 0 to 1 that sum to 1 are needed."
        )
    return np.asarray(p_NK / p_NK.sum(axis=1, keepdims=True))
