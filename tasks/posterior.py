"""How likely is each label wrong, and how many are, when it is not known how labels go wrong?

A model's probabilities tell of the given labels; an error is told apart from a hard item by how the errors are spread.
So the two are fitted together, by expectation-maximisation on the given labels alone:

    P(true = k | x)            q_nk = p_nk^a / sum_k p_nk^a      one power a, because p is flatter than the truth
    P(given = g | true = k)    T_kg                              learnt, shrunk towards an even spread by PRIOR items
    P(wrong | x, given)        1 - q_ng T_gg / sum_k q_nk T_kg

The power is the one under which the given labels are likeliest; of several about as likely the largest. Where a model
says .7 of every item, "all items are hard" and "3 of 10 labels are wrong" are equally likely, and confident learning's
assumption decides: somewhere there are items of which one can be sure. Measured (digits, BANKING77, CIFAR-10N): the
mean is within .02 of the true share of wrong labels where cleanlab's joint is up to .16 above it (docs/benchmarks.md).

Source: Dawid & Skene 1979, with a classifier's probabilities for the prior of each item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .confidence import Judged, chance, likeliest_other
from .outoffold import IntArray, ProbabilityArray
from .subset import some

# shapes: N items, K classes

CHECK = "label_noise_v2"
TILT = 0.3  # of the log-odds of p_wrong in a severity, beside the score
PRIOR = 10.0  # items a class
POWERS = tuple(np.geomspace(0.5, 5.6, 15).tolist())
LEAST = 0.01  # of the PRIOR items are wrong, at least: a rate of exactly 0 could never be left again
ROUNDS = 40  # of a fit, at most; each power begins where the last one ended
STILL = 1e-6  # a change of the mean log-likelihood below which a fit has ended
AS_LIKELY = 2.0  # nats below the best that are no worse: of such powers the largest is taken (see below)
CELLS = 100_000  # of the sample that the power is chosen on, N * K
MANY_CELLS = 2_000_000  # of the one that the spread is learnt on


@dataclass(frozen=True)
class Posterior:
    """What the labels given and a model's probabilities say of each label."""

    wrong_N: ProbabilityArray  # P(the given label is wrong), [0, 1]
    other_N: IntArray  # the likeliest other class
    share_N: ProbabilityArray  # its share of wrong_N, [0, 1]
    spread_KK: ProbabilityArray  # P(given = column | true = row)
    power: float

    @property
    def rate(self) -> float:
        """The expected share of wrong labels."""
        return float(self.wrong_N.mean()) if len(self.wrong_N) else 0.0


def posterior(p_NK: ProbabilityArray, given_N: IntArray) -> Posterior:
    """Fit power and spread on the labels given, and judge every item. Each row of `p_NK` sums to 1; K >= 2."""
    log_NK = np.log(np.clip(p_NK, 1e-12, 1.0))
    sample = some(len(given_N), CELLS // p_NK.shape[1])
    fits: list[tuple[float, float, ProbabilityArray]] = []
    for power in POWERS:
        told, last_KK = _fit(log_NK[sample], given_N[sample], power, fits[-1][2] if fits else None)
        fits.append((told, power, last_KK))
    enough = max(told for told, _, _ in fits) - AS_LIKELY / max(1, len(sample))
    _, best, spread_KK = max((fit for fit in fits if fit[0] >= enough), key=lambda fit: fit[1])
    if len(sample) < len(given_N):
        more = some(len(given_N), MANY_CELLS // p_NK.shape[1])
        spread_KK = _fit(log_NK[more], given_N[more], best, spread_KK)[1]
    likely_NK = _sharpened(log_NK, best) * spread_KK[:, given_N].T
    likely_NK /= np.maximum(likely_NK.sum(axis=1, keepdims=True), 1e-300)
    right_N = likely_NK[np.arange(len(given_N)), given_N]
    return Posterior(np.clip(1 - right_N, 0.0, 1.0), *likeliest_other(likely_NK, given_N), spread_KK, best)


def judge(
    p_NK: ProbabilityArray, parts: Sequence[ProbabilityArray], given_N: IntArray, *, check: str = CHECK
) -> Judged:
    """The judgement of `check` on the combined probabilities and on those of its parts, each (N, K).

    The mean of the posteriors of all is calibrated; the noise rate is its mean, and its interval spans what each of
    them alone would say, widened by chance. Severity ranks better where errors are hard to see:
    log(max other p) / 2 - log(p given) + TILT * log-odds(posterior), as a number in [0, 1]. So p_wrong is the
    posteriors' values in the order of the severity: as many are likely wrong, and the worst come first.
    """
    own = posterior(p_NK, given_N)
    each = [own, *(posterior(part_NK, given_N) for part_NK in parts)]
    wrong_N = np.mean([one.wrong_N for one in each], axis=0)
    rows = np.arange(len(given_N))
    log_NK = np.log(np.clip(p_NK, 1e-9, 1.0))
    given_log_N = log_NK[rows, given_N]
    log_NK[rows, given_N] = -np.inf
    inside_N = np.clip(wrong_N, 1e-9, 1 - 1e-9)
    odds_N = 0.5 * log_NK.max(axis=1) - given_log_N + TILT * np.log(inside_N / (1 - inside_N))
    counts_K = np.bincount(given_N, minlength=p_NK.shape[1])
    rates = [one.rate for one in each]
    p_wrong_N = np.empty_like(wrong_N)
    p_wrong_N[np.argsort(-odds_N, kind="stable")] = np.sort(wrong_N)[::-1]
    by_class_K = np.bincount(given_N, weights=p_wrong_N, minlength=p_NK.shape[1]) / np.maximum(counts_K, 1)
    return Judged(
        check,
        1 / (1 + np.exp(-odds_N)),
        p_wrong_N,
        own.other_N,
        p_wrong_N * own.share_N,
        p_wrong_N > 0.5,
        float(wrong_N.mean()),
        chance(min(rates), max(rates), len(given_N)),
        by_class_K,
    )


def _sharpened(log_NK: ProbabilityArray, power: float) -> ProbabilityArray:
    q_NK = np.exp(power * (log_NK - log_NK.max(axis=1, keepdims=True)))
    q_NK /= q_NK.sum(axis=1, keepdims=True)
    return np.asarray(q_NK)


def _fit(
    log_NK: ProbabilityArray, given_N: IntArray, power: float, start_KK: ProbabilityArray | None
) -> tuple[float, ProbabilityArray]:
    """(mean log-likelihood of the given labels, spread) for one power."""
    classes = log_NK.shape[1]
    q_NK = _sharpened(log_NK, power)
    order = np.argsort(given_N, kind="stable")
    q_NK, given_N = q_NK[order], given_N[order]
    present, starts = np.unique(given_N, return_index=True)
    spread_KK = _shrunk(0.9 * np.eye(classes), 0.1) if start_KK is None else start_KK
    before = -np.inf
    for _ in range(ROUNDS):
        likely_NK = q_NK * spread_KK.T[given_N]
        sum_N = likely_NK.sum(axis=1)
        told = float(np.log(np.maximum(sum_N, 1e-300)).mean())
        likely_NK /= np.maximum(sum_N, 1e-300)[:, None]
        counts_KK = np.zeros((classes, classes))
        counts_KK[:, present] = np.add.reduceat(likely_NK, starts, axis=0).T
        away = 1 - float(np.trace(counts_KK)) / max(float(counts_KK.sum()), 1e-300)
        spread_KK = _shrunk(counts_KK, away)
        if told - before < STILL:
            break
        before = told
    return told, spread_KK


def _shrunk(counts_KK: ProbabilityArray, away: float) -> ProbabilityArray:
    """Counts as P(given | true), with PRIOR items a class that are right as often as all are, else evenly wrong."""
    classes, away = len(counts_KK), max(away, LEAST)
    even_KK = np.full((classes, classes), away / (classes - 1))
    np.fill_diagonal(even_KK, 1 - away)
    return np.asarray((counts_KK + PRIOR * even_KK) / (counts_KK.sum(axis=1, keepdims=True) + PRIOR))
