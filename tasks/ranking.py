"""Which labels are wrong, worst first? The same on arrays, in a notebook, as in the stage `audit`.

    >>> ranking = rank(labels, embeddings=x_ND)                              # doctest: +SKIP
    >>> ranking.order[:10], ranking.suggestions[:10], ranking.noise_rate     # doctest: +SKIP

With embeddings: the combined method (combined.py), judged by label_noise_v2 (posterior.py) and, beside it, by plain
confident learning, label_noise_v1 (confidence.py). With predictions of the user's own model: the same on those, blended
with what the embeddings say if there are any. For data that grow by many small drops: method="quick" (quick.py).

Nothing is skipped in silence: what cannot be assessed has fold -1, severity 0 and a note that says why.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import combined, nearest, outoffold, posterior, quick, vectors, vote
from .confidence import FLAG_RULES, BoolArray, Judged, checked, confident_learning, in_sample
from .model import Mistake
from .outoffold import FloatArray, IntArray, ProbabilityArray

METHODS = {"combined": posterior.CHECK, "quick": "label_noise_quick_v1", "confident": "label_noise_v1"}
NEIGHBOURS = 20  # of an item, where no graph is given

Again = Callable[[IntArray], combined.Combined]

# shapes: N labels given, M of them assessed, K classes, D values of a vector, k neighbours


@dataclass(frozen=True)
class Method:
    """How labels are ranked."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    method: str = "combined"  # combined: label_noise_v2; quick: label_noise_quick_v1, refreshed at the price of a drop;
    #                           confident: label_noise_v1, which is always reported beside (of it, combined is)
    folds: int = 5  # 2..20
    seed: int = 0  # of the folds and of the landmarks
    scales: tuple[float, ...] = (0.7, 1.5, 3.0, 5.0)  # > 0; candidates for the length of the unit vectors
    tune_items: int = 3000  # items, >= 100; the scale is chosen on at most so many
    width: int = 300  # principal directions, >= 2
    max_iter: int = 200  # steps of each fit, >= 1
    flag_by: str = "p_wrong"  # of `confident`: p_wrong > .5, or the name of one of cleanlab's filters
    threads: int = 2  # >= 1; moves a score by rounding only

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method: one of {', '.join(METHODS)} is allowed")
        if not 2 <= self.folds <= 20:
            raise ValueError("2 to 20 is allowed")
        if not self.scales or min(self.scales) <= 0:
            raise ValueError("scales: one or more numbers above 0 is allowed")
        if self.flag_by not in FLAG_RULES:
            raise ValueError(f"flag_by: one of {', '.join(FLAG_RULES)} is allowed")
        if self.tune_items < 100 or self.width < 2:
            raise ValueError("tune_items of 100 or more and width of 2 or more is allowed")
        if min(self.max_iter, self.threads) < 1:
            raise ValueError("max_iter and threads of 1 or more is allowed")


@dataclass(frozen=True)
class Ranking:
    """What an audit makes of N labels; the arrays of the methods are about the M that it could assess."""

    classes: tuple[str, ...]
    notes: tuple[str | None, ...]  # of each of the N: why it was not assessed
    rows_M: IntArray  # places of the assessed ones
    given_M: IntArray  # their labels, as places in `classes`
    folds_M: IntArray  # the fold in which each was held out
    p_MK: ProbabilityArray  # P(given label = k), by models that have not seen the item
    plain_MK: ProbabilityArray  # the same by the logistic regression alone, or by the user's model
    judged: Mapping[str, Judged]  # check -> its judgement of the M
    check: str  # the one that was asked for
    accuracy: float  # the share of the M whose likeliest class is the given one
    fit: Mapping[str, Any] = field(default_factory=dict)  # what was chosen on the way
    again: Again | None = None  # for who asks once more, with other labels of the M (ranking_canaries.py)

    @property
    def chosen(self) -> Judged:
        return self.judged[self.check]

    @property
    def plain(self) -> Judged:
        """Plain confident learning on the same predictions, to compare with."""
        return self.judged[METHODS["confident"]]

    @property
    def noise_rate(self) -> float:
        return self.chosen.noise_rate

    @property
    def noise_interval(self) -> tuple[float, float]:
        return self.chosen.interval

    @property
    def severity_N(self) -> ProbabilityArray:
        return self._spread(self.chosen.severity_N, 0.0)

    @property
    def p_wrong_N(self) -> ProbabilityArray:
        return self._spread(self.chosen.p_wrong_N, 0.0)

    @property
    def flagged_N(self) -> BoolArray:
        return np.asarray(self._spread(self.chosen.flagged_N, False))

    @property
    def suggestions(self) -> list[str | None]:
        """The likeliest other class of each of the N; None where there was no assessment."""
        found: list[str | None] = [None] * len(self.notes)
        for n, k in zip(self.rows_M.tolist(), self.chosen.suggestion_N.tolist(), strict=True):
            found[n] = self.classes[k]
        return found

    @property
    def order(self) -> IntArray:
        """Places of the assessed labels, worst first."""
        return np.asarray(self.rows_M[np.argsort(-self.chosen.severity_N, kind="stable")])

    def _spread(self, values_M: NDArray[Any], otherwise: float | bool) -> NDArray[Any]:
        whole = np.full(len(self.notes), otherwise, dtype=values_M.dtype)
        whole[self.rows_M] = values_M
        return whole


def rank(
    labels: Iterable[Any],
    *,
    predictions: ProbabilityArray | None = None,
    embeddings: FloatArray | Mapping[str, FloatArray] | None = None,
    folds: Sequence[int] | IntArray | None = None,
    held_out: bool = False,
    classes: Iterable[Any] | None = None,
    method: Method | None = None,
    faults: Sequence[str | None] | None = None,
    shows: Sequence[str] | None = None,
    near: vectors.Neighbours | None = None,
    cache: Path | None = None,
) -> Ranking:
    """Rank N labels (text or numbers; None, nan: unknown) by how surely each is wrong.

    `embeddings`: (N, D), or view -> (N, D). `predictions`: (N, K), a column for each of `classes` (default: all labels
    there are, sorted: 2 before 10, "10" before "2"), each row by a model that was not trained on it: give the fold in
    which it was held out (-1: no prediction), or `held_out=True` if no row was in training. In-sample predictions agree
    with wrong labels and are refused.
    `faults`: why an item cannot be assessed; `shows`: what it shows (equal ones are copies and are held out together;
    default: equal vectors); `near`: neighbours among the N (default: looked for, exactly); `cache`: the folder in which
    `quick` keeps its sums.

    Raises Mistake for arrays that do not fit or are not finite, and where neither kind of evidence is given.
    """
    method = method or Method()
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
    if not given:
        return _nothing(notes, names, check=METHODS[method.method])
    if predictions is None and (unknown := sorted(set(given) - set(names))):
        raise Mistake(f"Label '{unknown[0]}' is not among the classes. Classes are: {', '.join(names[:20])}.")
    own_MK: ProbabilityArray | None = None
    if predictions is not None:
        folds_M = np.arange(len(rows_M)) % 2 if folds_N is None else folds_N[rows_M]
        own_MK = checked(given, predictions, rows_M, names)
    column = {name: k for k, name in enumerate(names)}
    given_M = np.array([column[name] for name in given], dtype=np.int64)
    if own_MK is None:
        folds_M = outoffold.fold_ids([shows[n] for n in rows_M], given_M, method.folds, method.seed)
    fit: dict[str, Any] = {"folds": 0 if held_out else len(np.unique(folds_M))}
    again: Again | None = None
    parts: tuple[ProbabilityArray, ...] = ()
    if views:
        mine = {name: x_ND[rows_M] for name, x_ND in views.items()}
        shown = [shows[n] for n in rows_M.tolist()]
        voting = _near(mine, near, rows_M, method)
        if method.method == "quick":
            # the user's folds may be as many as items: the ridge has its own
            held_M = folds_M if own_MK is None else outoffold.fold_ids(shown, given_M, method.folds, method.seed)
            voters = vote.voters(voting, outoffold.numbered(shown))
            looked = quick.look(combined.joint(mine), np.maximum(held_M, 0), voters, cache=cache)
            again = partial(quick.combine, looked, classes=len(names), own_NK=own_MK)
        else:
            looks = combined.look(
                mine, outoffold.numbered(shown), voting, width=method.width, threads=method.threads, seed=method.seed
            )
            logistic = _logistic(looks, given_M, folds_M, len(names), method, own=own_MK is not None)
            again = partial(
                combined.combine, looks, folds_N=folds_M, classes=len(names), logistic=logistic, own_NK=own_MK
            )
            fit |= {"scale": logistic.scale}
        found = again(given_M)
        p_MK, plain_MK, parts = found.p_NK, found.plain_NK, (found.near_NK, found.fitted_NK)
        fit |= {"refitted": found.refitted}
    elif own_MK is not None:
        p_MK = plain_MK = own_MK
    accuracy = outoffold.agreement(p_MK, given_M)
    if held_out:
        folds_M = np.zeros(len(rows_M), dtype=np.int64)
    commonest = float(np.bincount(given_M).max() / len(rows_M))
    margin = 2 * math.sqrt(commonest * (1 - commonest) / len(rows_M)) if own_MK is None else 0.0
    if accuracy <= commonest + margin:  # every rarer label would be called an error
        blind = "not assessable: the model tells the classes no better than always naming the commonest one"
        return _nothing([reason or blind for reason in notes], names, accuracy, check=METHODS[method.method])
    judged = judge(p_MK, plain_MK, parts, given_M, method)
    check = METHODS[method.method]
    return Ranking(names, tuple(notes), rows_M, given_M, folds_M, p_MK, plain_MK, judged, check, accuracy, fit, again)


def judge(
    p_MK: ProbabilityArray,
    plain_MK: ProbabilityArray,
    parts: Sequence[ProbabilityArray],
    given_M: IntArray,
    method: Method,
) -> Mapping[str, Judged]:
    """Check -> its judgement: the method's own, and plain confident learning beside it."""
    own = METHODS["quick" if method.method == "quick" else "combined"]
    return {
        own: posterior.judge(p_MK, parts, given_M, check=own),
        METHODS["confident"]: confident_learning(plain_MK, given_M, method.flag_by),
    }


def _named(labels: Iterable[Any]) -> tuple[list[str | None], list[str]]:
    """The labels as text, None where unknown, and the different ones, in the order of their own type."""
    given = [None if label is None or label is pd.NA or label != label else label for label in labels]
    different = {label for label in given if label is not None}
    try:
        ordered = sorted(different)
    except TypeError:  # text and numbers
        ordered = sorted(different, key=str)
    return [None if label is None else str(label) for label in given], list(dict.fromkeys(map(str, ordered)))


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


def _missing(predictions: ProbabilityArray, folds: IntArray | None, held_out: bool, count: int) -> Sequence[str | None]:
    """Which items have no prediction; Mistake where nobody says that the model had not seen them."""
    shape = np.shape(predictions)
    if len(shape) != 2 or shape[0] != count:
        raise Mistake(f"Probabilities have shape {shape}. {count} labels need ({count}, K).")
    if held_out:
        return (None,) * count
    if folds is None or len(folds) != count or len(np.unique(folds[folds >= 0])) < 2:
        raise in_sample()
    return ["it has no prediction" if fold < 0 else None for fold in folds.tolist()]


def _digests(views: Mapping[str, FloatArray], count: int) -> list[str]:
    """What each item shows, where nobody says: its vectors; without vectors each shows something else."""
    if not views:
        return [str(n) for n in range(count)]
    joint_ND = np.ascontiguousarray(np.concatenate(list(views.values()), axis=1))
    return [hashlib.sha256(row.tobytes()).hexdigest() for row in joint_ND]


def _near(
    mine: Mapping[str, FloatArray], near: vectors.Neighbours | None, rows_M: IntArray, method: Method
) -> vectors.Neighbours:
    """The neighbours of the M among themselves."""
    if near is not None:
        return near.among(rows_M)
    found = nearest.neighbours(
        nearest.points(combined.joint(mine)), min(NEIGHBOURS, len(rows_M) - 1), threads=method.threads
    )
    return vectors.Neighbours(found.index_Qk, found.distance_Qk.astype(np.float32))


def _logistic(
    looks: combined.Looks, given_M: IntArray, folds_M: IntArray, classes: int, method: Method, *, own: bool
) -> combined.Logistic:
    fit = {"classes": classes, "max_iter": method.max_iter, "threads": method.threads}
    few = np.random.default_rng(method.seed).permutation(len(given_M))[: method.tune_items]
    scale = 0.0  # the user's model stands in its place
    if not own:
        scale = outoffold.best_scale(looks.joint_ND[few], given_M[few], folds_M[few], method.scales, **fit)
    return combined.Logistic(scale, method.max_iter, method.threads)


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


def _nothing(notes: Sequence[str | None], classes: tuple[str, ...], accuracy: float = 0.0, *, check: str) -> Ranking:
    """The ranking where no label could be assessed."""
    none, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
    by_class_K = np.zeros(len(classes))
    judged = {
        check: Judged(check, none, none, whole, none, np.zeros(0, dtype=bool), 0.0, (0.0, 1.0), by_class_K)
        for check in METHODS.values()
    }
    p_MK = np.zeros((0, len(classes)))
    return Ranking(classes, tuple(notes), whole, whole, whole, p_MK, p_MK, judged, check, accuracy)
