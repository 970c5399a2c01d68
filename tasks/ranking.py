"""Which labels are wrong, worst first? The same on arrays, in a notebook, as in the stage `audit`.

    >>> ranking = rank(labels, embeddings=x_ND)                              # doctest: +SKIP
    >>> ranking.order[:10], ranking.suggestions[:10], ranking.noise_rate     # doctest: +SKIP

With embeddings: the combined method (combined.py), judged by label_noise_v2 (posterior.py) and, beside it, by plain
confident learning, label_noise_v1 (confidence.py). With predictions of the user's own model: the same on those, blended
with what the embeddings say if there are any. For data that grow by many small drops: method="quick" (quick.py).

What may be given, and what is refused: ranking_inputs.py. Nothing is skipped in silence: what cannot be assessed has
fold -1, severity 0 and a note that says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import combined, outoffold, posterior, quick, vectors, vote
from .confidence import FLAG_RULES, BoolArray, Judged, confident_learning
from .outoffold import FloatArray, IntArray, ProbabilityArray
from .ranking_inputs import inputs

METHODS = {"combined": posterior.CHECK, "quick": "label_noise_quick_v1", "confident": "label_noise_v1"}

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
    check = METHODS[method.method]
    given = inputs(
        labels,
        predictions=predictions,
        embeddings=embeddings,
        folds=folds,
        held_out=held_out,
        classes=classes,
        faults=faults,
        shows=shows,
        near=near,
        threads=method.threads,
    )
    notes, names, rows_M, given_M, own_MK = given.notes, given.classes, given.rows_M, given.given_M, given.own_MK
    if not len(rows_M):
        return _nothing(notes, names, check=check)
    folds_M = given.folds_M
    if folds_M is None:
        folds_M = outoffold.fold_ids(given.shown, given_M, method.folds, method.seed)
    fit: dict[str, Any] = {"folds": 0 if held_out else len(np.unique(folds_M))}
    again: Again | None = None
    parts: tuple[ProbabilityArray, ...] = ()
    if given.near is not None:
        copies_M = outoffold.numbered(given.shown)
        if method.method == "quick":
            # the user's folds may be as many as items: the ridge has its own
            held_M = folds_M if own_MK is None else outoffold.fold_ids(given.shown, given_M, method.folds, method.seed)
            voters = vote.voters(given.near, copies_M)
            looked = quick.look(combined.joint(given.views), np.maximum(held_M, 0), voters, cache=cache)
            again = partial(quick.combine, looked, classes=len(names), own_NK=own_MK)
        else:
            looks = combined.look(
                given.views, copies_M, given.near, width=method.width, threads=method.threads, seed=method.seed
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
    folds_M = np.zeros_like(folds_M) if held_out else folds_M
    commonest = float(np.bincount(given_M).max() / len(rows_M))
    margin = 2 * math.sqrt(commonest * (1 - commonest) / len(rows_M)) if own_MK is None else 0.0
    if accuracy <= commonest + margin:  # every rarer label would be called an error
        blind = "not assessable: the model tells the classes no better than always naming the commonest one"
        return _nothing([reason or blind for reason in notes], names, accuracy, check=check)
    judged = judge(p_MK, plain_MK, parts, given_M, method)
    return Ranking(names, notes, rows_M, given_M, folds_M, p_MK, plain_MK, judged, check, accuracy, fit, again)


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


def _logistic(
    looks: combined.Looks, given_M: IntArray, folds_M: IntArray, classes: int, method: Method, *, own: bool
) -> combined.Logistic:
    fit = {"classes": classes, "max_iter": method.max_iter, "threads": method.threads}
    few = np.random.default_rng(method.seed).permutation(len(given_M))[: method.tune_items]
    scale = 0.0  # the user's model stands in its place
    if not own:
        scale = outoffold.best_scale(looks.joint_ND[few], given_M[few], folds_M[few], method.scales, **fit)
    return combined.Logistic(scale, method.max_iter, method.threads)


def _nothing(notes: Sequence[str | None], classes: tuple[str, ...], accuracy: float = 0.0, *, check: str) -> Ranking:
    """The ranking where no label could be assessed."""
    none, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
    by_class_K = np.zeros(len(classes))
    nobody = (none, none, whole, none, np.zeros(0, dtype=bool), 0.0, (0.0, 1.0), by_class_K)
    judged = {name: Judged(name, *nobody) for name in METHODS.values()}
    p_MK = np.zeros((0, len(classes)))
    return Ranking(classes, tuple(notes), whole, whole, whole, p_MK, p_MK, judged, check, accuracy)
