"""Which texts do not belong to their items?

For label kinds whose Y is an item of its own (PAIRED): a translation, a caption. No classifier can be asked, so the
vectors of both sides are compared (pairing_margin.py), with what the characters say (pairing_texts.py); what each
evidence weighs, and when it makes a pair wrong, is learnt from pairs that were made wrong on purpose in a shadow copy
(pairing_canaries.py). What the literature proposes is reported beside it (pairing_baselines.py), method by method.

There is no suggestion: that a text is wrong does not say which one would be right.

    d0042   severity .99  p_wrong .97  "It is nearest to 'A man rides a horse.', which goes with 'Ein Mann reitet ein
            Pferd.'. The given 'Zwei Hunde bellen.' fits 'Two dogs bark.' better."
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from . import store, vectors
from .canaries import Tried
from .model import CANARIES_FELL, FINDINGS, METHODS, SCORES
from .outoffold import IntArray
from .pairing_margin import blocks, predicted, sides, unit
from .pairing_rank import CHECK, PairParams, Pairs, ScoreArray, ranked

__all__ = ["PairAudit", "PairParams", "audit"]

COPIED = "pair_copied_v1"
FEWEST = 20  # pairs, and different texts on either side
SURE = 3.0  # standard errors above chance at which the shuffled canaries must be ranked
SHOWN = 60  # characters of a text in a reason
RARE = 0.05  # a copied text is a finding only where at most this share is copied
MANY = 0.3  # of the pairs wrong: from there on p_wrong is too low

# shapes: N pairs, D width of X, E width of Y, R rows asked about, M competitors


@dataclass(frozen=True)
class PairAudit:
    """What an audit of pairs found, in the order of the items it was given."""

    scores: pd.DataFrame  # model.SCORES
    findings: pd.DataFrame  # model.FINDINGS
    methods: pd.DataFrame  # model.METHODS
    noise: Mapping[str, Any]
    figures: Mapping[str, float]
    notes: tuple[str, ...]


def audit(
    items: Sequence[str],
    texts: Sequence[str | None],
    x: vectors.Vectors,
    y: vectors.Vectors,
    params: PairParams,
    *,
    x_texts: Sequence[str | None] | None = None,
    shows: Sequence[str] | None = None,
    folds: int = 5,
    width: int = 300,
    seed: int = 0,
    least_recall: float = 0.3,
) -> PairAudit:
    """Score every pair; those that cannot be assessed get severity 0, fold -1, and a note that says why.

    `texts` are the Y (None: unknown), `x_texts` the X where they are texts; `shows` is what each item shows (its asset
    and region; default: each item something else): copies share a fold and do not compete.
    """
    shows = items if shows is None else shows
    why = _why_not(texts, shows, x.faults, y.faults, x_texts)
    rows = np.array([n for n, reason in enumerate(why) if reason is None], dtype=np.int64)
    if not len(rows):
        return _unassessed(items, why, {})
    some = [str(texts[n]) for n in rows]
    x_ND, y_NE = vectors.centred(x.x_ND[rows], width), vectors.centred(y.x_ND[rows], width)
    pairs = Pairs(
        sides(x_ND, y_NE, [shows[n] for n in rows], some, folds=folds, seed=seed),
        None if x_texts is None else [str(x_texts[n]) for n in rows],
        some,
    )
    found = ranked(pairs, params, seed)
    told: dict[str, Any] = {
        "check": CHECK,
        "canary_recall": {kind: round(share, 6) for kind, share in found.tried.by_kind.items()},
        "canaries": [found.tried.told()],
        "found_by_method": found.found_by_method,
        "weights": found.weights,
        "above_chance": found.above_chance,
    }
    if found.above_chance < SURE:
        blind = "not assessable: pairs that were shuffled on purpose look to the embeddings like the others"
        fell = f"{CANARIES_FELL} {blind.removeprefix('not assessable: ')}. Give a better embedding (embed.model)."
        return _unassessed(items, [reason or blind for reason in why], told, fell)
    score_N, p_N = found.score_N, found.p_wrong_N
    names = [items[n] for n in rows]
    severity_N = 1 / (1 + np.exp(-np.clip(score_N, -30, 30)))
    scores = [_score(item, reason) for item, reason in zip(items, why, strict=True)]
    table = [{"item": item} for item in items]
    for m, n in enumerate(rows.tolist()):
        scores[n] |= {
            "severity": float(severity_N[m]),
            "p_wrong": float(p_N[m]),
            "flagged": bool(p_N[m] > 0.5),
            "fold": int(pairs.sides.x_fold_N[m]),
        }
        table[n] |= {name: float(value[m]) for name, value in found.methods.items()}
    flagged = np.flatnonzero(p_N > 0.5)
    reasons = explained(pairs, names, flagged, p_N, params)
    rows_found = [
        {"item": names[m], "check": CHECK, "severity": float(severity_N[m]), "reason": reason, "suggestion": None}
        for m, reason in zip(flagged.tolist(), reasons, strict=True)
    ]
    copied = np.flatnonzero(found.methods.get("copied", np.zeros(0)))
    rare = 0 < len(copied) <= RARE * len(rows)
    for m in copied.tolist() if rare else ():
        reason = f"Its text is that of the item itself, word for word: '{clipped(some[m])}'."
        rows_found.append({"item": names[m], "check": COPIED, "severity": 0.5, "reason": reason, "suggestion": None})
    figures = {
        "noise_rate": round(float(p_N.mean()), 6),
        "flagged_share": round(len(flagged) / len(rows), 6),
        "assessed_share": round(len(rows) / len(items), 6),
        "canary_recall": round(found.tried.recall, 6),
        **{f"canary_recall_{kind}": round(share, 6) for kind, share in found.tried.by_kind.items()},
        "canary_precision": round(found.tried.precision, 6),
    }
    told["checks"] = [{"check": CHECK, "flagged": len(flagged)}]
    noise = {**figures, **told} | {"folds": folds, "not_assessable": _counted(why)}
    return PairAudit(
        store.frame(SCORES, scores),
        store.frame(FINDINGS, rows_found),
        store.frame(METHODS, table),
        noise,
        figures,
        tuple(notes(why, found.tried, least_recall, len(copied), float(p_N.mean()))),
    )


def _why_not(
    texts: Sequence[str | None],
    shows: Sequence[str],
    x_faults: Sequence[str | None],
    y_faults: Sequence[str | None],
    x_texts: Sequence[str | None] | None,
) -> list[str | None]:
    """Why each pair cannot be assessed; None where it can."""
    why = [
        "its text is unknown" if text is None else fault if fault is not None else _of_the_text(other)
        for text, fault, other in zip(texts, x_faults, y_faults, strict=True)
    ]
    if x_texts is not None:
        why = [
            reason or (None if text is not None else "it has no text")
            for reason, text in zip(why, x_texts, strict=True)
        ]
    left = [n for n, reason in enumerate(why) if reason is None]
    different = min(len({texts[n] for n in left}), len({shows[n] for n in left}))
    if len(left) < FEWEST:
        why = [reason or f"{len(left):,} pairs can be compared; {FEWEST} are needed" for reason in why]
    elif different < FEWEST:
        what = "texts" if len({texts[n] for n in left}) == different else "items"
        why = [reason or f"of {what} there are {different:,} different ones; {FEWEST} are needed" for reason in why]
    return [None if reason is None else f"not assessable: {reason}" for reason in why]


def _of_the_text(fault: str | None) -> str | None:
    """The fault of a vector of Y: "its vector is zero" -> "the vector of its text is zero"."""
    if fault is None:
        return None
    return fault.replace("its vector", "the vector of its text").replace("it has", "its text has")


def _unassessed(items: Sequence[str], why: Sequence[str | None], told: Mapping[str, Any], *more: str) -> PairAudit:
    """The audit of a workspace in which no pair can be assessed: stated, and the run goes on."""
    scores = store.frame(SCORES, [_score(item, reason) for item, reason in zip(items, why, strict=True)])
    figures = {"assessed_share": 0.0}
    lines = [f"No pair was audited: {count:,} items {reason}." for reason, count in _counted(why).items()]
    noise = {**figures, **told, "not_assessable": _counted(why)}
    methods = store.frame(METHODS, [{"item": item} for item in items])
    return PairAudit(
        scores, store.frame(FINDINGS), methods, noise, figures, (*(lines or ["No item has passed the gate."]), *more)
    )


def _score(item: str, note: str | None) -> dict[str, Any]:
    nothing = {"severity": 0.0, "suggestion": None, "p_wrong": 0.0, "flagged": False, "fold": -1}
    return {"item": item, **nothing, "note": note}


def _counted(why: Sequence[str | None]) -> dict[str, int]:
    """Reason -> number of items, the most frequent first."""
    return dict(sorted(Counter(reason for reason in why if reason).items(), key=lambda entry: (-entry[1], entry[0])))


def notes(why: Sequence[str | None], tried: Tried, least: float, copied: int, wrong: float) -> Iterator[str]:
    """What a person should know of the audit, one sentence each."""
    for reason, count in _counted(why).items():
        yield f"{count:,} items {reason}."
    said = ", ".join(f"{tried.found[kind]} of {count} {kind} ones" for kind, count in tried.planted.items())
    if tried.recall_at_most < least:  # few canaries prove little
        yield (
            f"{CANARIES_FELL} {CHECK} flags {said} among the pairs that were made wrong in a copy of this data; "
            f"audit.least_recall asks for {least:.0%}. Do not take the queue for complete: more pairs help, or a "
            "better embedding (embed.model)."
        )
    else:
        yield f"Of the pairs that were made wrong in a copy of this data {CHECK} flags {said}."
    if wrong > MANY:
        yield f"{wrong:.0%} of the pairs seem wrong: with so many p_wrong is too low rather than too high."
    if copied:
        yield f"In {copied:,} {'pair' if copied == 1 else 'pairs'} both texts are the same."


# --- reasons ---------------------------------------------------------------------------------------------------------


def explained(pairs: Pairs, names: Sequence[str], rows_R: IntArray, p_N: ScoreArray, params: PairParams) -> list[str]:
    """A reason for each of the flagged pairs `rows_R`: the nearest genuine pair, and which one the text fits better."""
    genuine_M = np.flatnonzero(p_N <= 0.5)
    if not len(genuine_M) or not len(rows_R):
        return ["Its text fits it worse than the texts of the others do."] * len(rows_R)
    one = pairs.sides
    near_R, _ = _first(one.x_ND, one.x_ND, pairs, rows_R, genuine_M)
    guess_NE, there_NE = unit(predicted(one.x_ND, one.y_NE, one.x_fold_N, params.ridge)), unit(one.y_NE)
    fits_R, cosine_R = _first(there_NE, guess_NE, pairs, rows_R, genuine_M)
    own_R = np.einsum("re,re->r", there_NE[rows_R], guess_NE[rows_R])

    def item(n: int) -> str:
        return f"item {names[n]}" if pairs.x_texts is None else f"'{clipped(pairs.x_texts[n])}'"

    reasons = []
    for place, n in enumerate(rows_R.tolist()):
        near, fits = int(near_R[place]), int(fits_R[place])
        said = f"It is nearest to {item(near)}, which goes with '{clipped(pairs.y_texts[near])}'."
        given = f"'{clipped(pairs.y_texts[n])}'"
        if cosine_R[place] > own_R[place]:
            reasons.append(f"{said} The given {given} fits {item(fits)} better.")
        else:
            reasons.append(f"{said} The given {given} differs from it in form.")
    return reasons


def _first(
    asked_NE: store.FloatArray, to_NE: store.FloatArray, pairs: Pairs, rows_R: IntArray, among_M: IntArray
) -> tuple[IntArray, ScoreArray]:
    """The competitor with the largest cosine of each row, and that cosine."""
    place_R, cosine_R = np.zeros(len(rows_R), np.int64), np.zeros(len(rows_R))
    for start, cosine_BM in blocks(asked_NE, to_NE, pairs.sides, rows_R, among_M):
        best_B = cosine_BM.argmax(axis=1)
        place_R[start : start + len(best_B)] = among_M[best_B]
        cosine_R[start : start + len(best_B)] = cosine_BM[np.arange(len(best_B)), best_B]
    return place_R, cosine_R


def clipped(text: str) -> str:
    """A text as it may stand in a sentence: one line, at most SHOWN characters, nothing that turns the line around."""
    line = " ".join(
        "".join(c for c in text[: 20 * SHOWN] if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace()).split()
    )
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1].rstrip()}…"
