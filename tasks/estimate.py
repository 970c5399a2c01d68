"""How many labels are wrong, how many of them are left, and is it worth going on?

Three sources, told apart: the model's own noise rate; the answers to the audit sample (sample.py), which need no model
to be right; and the answers to the doubted rows, which say how far p_wrong can be believed.

Reads   data/{audit.json, audit/scores.parquet}, data/triage/{queue,sample}.parquet, data/ingest/manifest,
        data/validate/passed.parquet, every answer that was acknowledged
Writes  nothing

A label was wrong when what people decided changes the delivered one: another label, a removal, or several labels
without it. Unsure and disputed items are unknown, and said to be. Bulk changes are no answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from . import answers, calibration, journal, sample, store
from .answers import ItemState
from .calibration import FloatArray
from .model import MANIFEST, PASSED, QUEUE, SAMPLE, SCORES, Mistake, Verdict
from .sample import Drawn

REACHED = 0.95  # the share of the drawn ones, in order of place, that must be answered for the answers to count
ENOUGH = 30  # answers to doubted rows from which on p_wrong is recalibrated by them
BANDS = (0.9, 0.75, 0.5, 0.25, 0.1, 0.0)  # lower edges of p_wrong, for the precision by depth
NEXT = 50  # rows of the stop rule


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and where it lies in 95 of 100 cases."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SampleSays:
    """What the answers to the audit sample say."""

    items: int  # of which it speaks
    drawn: int
    answered: int  # with a decision
    unknown: int  # answered unsure, or disputed
    used: int  # of the answered: those up to the place to which nearly all are answered
    wrong: Interval | None  # labels; None: too few answers
    guessed: int = 0  # of the items: those whose stratum has no answer yet, such as a further drop's


@dataclass(frozen=True, slots=True)
class Band:
    """The answered doubted rows of a range of p_wrong."""

    above: float
    answered: int
    expected: float  # wrong labels, by p_wrong
    found: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """All that `assay estimate` says."""

    items: int
    model_rate: float | None  # the share of wrong labels, by the model, at the last run
    sample: SampleSays
    found: int  # wrong labels, by people
    bands: tuple[Band, ...]
    answered: int  # doubted rows with a decision, the sum of the bands
    recalibrated: bool
    left: Interval | None  # wrong labels that nobody has found yet, by the sample
    model_left: float  # the same by the model: the sum of p_wrong over what nobody has answered
    next_rows: int
    next_wrong: Interval


def was_wrong(one: ItemState | None, delivered: str) -> bool | None:
    """Did people change the label `delivered`? None: nobody knows."""
    if one is None or not one.answered or one.unsure or one.disputed:
        return None
    if one.removed:
        return True
    return delivered not in (one.accepted or (delivered if one.y is None else one.y,))


def from_sample(rows: Sequence[Drawn], truth: Mapping[str, bool | None], asked: Mapping[str, bool]) -> SampleSays:
    """The stratified estimate of the wrong labels and its interval; `asked`: item -> did anybody answer.

    The estimate is the sum over strata of items * wrong / answered, unbiased whatever the audit says; a stratum without
    an answer takes the share of the one with the nearest mean p_wrong (`guessed` counts its items). The interval is
    that of calibration.totals. In a queue answered in part, the doubted of the drawn were answered first: those beyond
    `reach` are left out.
    """
    strata: dict[tuple[int, int], list[Drawn]] = {}
    for row in sorted(rows, key=lambda row: (sample.sequence(row.round), row.stratum)):
        strata.setdefault((sample.sequence(row.round), row.stratum), []).append(row)
    limit = reach(rows, asked)
    known = {
        row.item: wrong
        for row in rows
        if (wrong := truth.get(row.item)) is not None and row.place <= limit.get(row.round, 0)
    }
    people = [row for row in rows if row.place]
    decided = [row for row in people if truth.get(row.item) is not None]
    says = SampleSays(
        items=sum(group[0].stratum_items for group in strata.values()),
        drawn=len(people),
        answered=len(decided),
        unknown=sum(asked.get(row.item, False) for row in people) - len(decided),
        used=sum(row.item in known for row in people),
        wrong=None,
    )
    if not says.used:
        return says
    fresh = [group for (_, stratum), group in strata.items() if stratum != sample.ANSWERED]
    before = sum(known.get(row.item, False) for row in rows if not row.place)
    items_H = np.array([group[0].stratum_items for group in fresh])
    asked_H = np.array([sum(row.item in known for row in group) for group in fresh])
    wrong_H = np.array([sum(known.get(row.item, False) for row in group) for group in fresh])
    p_H = np.array([np.mean([row.p_wrong for row in group]) for group in fresh])
    value = before + float((items_H * _shares(asked_H, wrong_H, p_H)).sum())
    low, high = before + np.quantile(calibration.totals(items_H, asked_H, wrong_H, p_H), calibration.TAILS)
    guessed = int(items_H[asked_H == 0].sum())
    return replace(says, guessed=guessed, wrong=Interval(value, min(low, value), max(high, value)))


def reach(rows: Sequence[Drawn], asked: Mapping[str, bool]) -> dict[str, int]:
    """Round -> the last place up to which REACHED of the drawn are answered; 0 where there is none."""
    found = {row.round: 0 for row in rows}
    done = dict.fromkeys(found, 0)
    for row in sorted(rows, key=lambda row: row.place):
        if row.place:
            done[row.round] += asked.get(row.item, False)
            if done[row.round] >= REACHED * row.place:
                found[row.round] = row.place
    return found


def _shares(asked_H: calibration.IntArray, wrong_H: calibration.IntArray, p_H: FloatArray) -> FloatArray:
    """wrong / asked of each stratum, (H,); where nobody was asked, that of the one with the nearest p_wrong."""
    some = np.flatnonzero(asked_H)
    nearest_H = np.where(asked_H > 0, np.arange(len(asked_H)), some[np.abs(p_H[some] - p_H[:, None]).argmin(axis=1)])
    return np.asarray(wrong_H[nearest_H] / asked_H[nearest_H], dtype=np.float64)


def by_band(p_N: FloatArray, wrong_N: calibration.IntArray) -> tuple[Band, ...]:
    """Expected against found in each range of p_wrong that has answers, the worst first."""
    bands, upper = [], np.inf
    for edge in BANDS:
        inside_N = (p_N >= edge) & (p_N < upper)
        if inside_N.any():
            found = int(wrong_N[inside_N].sum())
            bands.append(Band(edge, int(inside_N.sum()), float(p_N[inside_N].sum()), found))
        upper = edge
    return tuple(bands)


def chances(
    p_N: FloatArray, wrong_N: calibration.IntArray, p_M: FloatArray, *, draws: int = calibration.DRAWS
) -> FloatArray:
    """Draws, (S, M), of the chance that each of `p_M` is wrong: by the answers if there are ENOUGH, else p itself."""
    if len(p_N) < ENOUGH:
        return np.broadcast_to(p_M, (draws, len(p_M)))
    return calibration.recalibrated(p_N, wrong_N, draws=draws)(p_M)


def counted(chance_SM: FloatArray, seed: int = 0) -> Interval:
    """How many of M items are wrong: the expected number, and in which range it lies in 95 of 100 cases."""
    if not chance_SM.shape[1]:
        return Interval(0.0, 0.0, 0.0)
    drawn_S = (np.random.default_rng(seed).random(chance_SM.shape) < chance_SM).sum(axis=1)
    low, high = np.quantile(drawn_S, (0.025, 0.975), method="inverted_cdf")
    return Interval(float(chance_SM.mean(axis=0).sum()), float(low), float(high))


# --- a workspace -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answers:
    """What people have said so far, and about which probabilities."""

    delivered: Mapping[str, str]  # item -> label as delivered, of those that passed the gate
    people: Mapping[str, ItemState]
    said: tuple[Verdict, ...]  # bulk changes included
    p_queue: Mapping[str, float]  # doubted item -> p_wrong of the last queue, in its order
    drawn: tuple[Drawn, ...]

    @property
    def truth(self) -> dict[str, bool | None]:
        """Item -> was its label wrong; of the answered ones."""
        return {
            item: was_wrong(one, self.delivered[item]) for item, one in self.people.items() if item in self.delivered
        }

    @property
    def doubted(self) -> tuple[FloatArray, calibration.IntArray]:
        """p_wrong as it was shown and whether the label was wrong, of each doubted item that people decided."""
        shown = dict(self.p_queue)
        for verdict in answers.by_people(self.said):
            p = (verdict.seen or {}).get("p_wrong")
            if isinstance(p, int | float) and (item := answers.item_of(verdict.subject)) is not None:
                shown[item] = float(p)
        pairs = [(shown[item], wrong) for item, wrong in self.truth.items() if wrong is not None and item in shown]
        return np.array([p for p, _ in pairs]), np.array([int(wrong) for _, wrong in pairs], dtype=np.int64)


def read(workspace: Path) -> Answers:
    """The workspace after its last triage, with every answer that was acknowledged since; Mistake before the first."""
    data = workspace / "data"
    if not (data / "triage" / "sample.parquet").exists():
        raise Mistake(f"No audit sample in '{data / 'triage'}'. Run: assay run")
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST, columns=["item", "y"])
    passed = frozenset(store.read_table(data / "validate" / "passed.parquet", PASSED)["item"])
    queue = store.read_table(data / "triage" / "queue.parquet", QUEUE)
    doubted = queue[queue["checks"] != sample.CHECK]
    said = tuple(journal.everything(workspace))
    return Answers(
        {item: y for item, y in zip(manifest["item"], manifest["y"], strict=True) if item in passed},
        answers.state(answers.by_people(said)).items,
        said,
        dict(zip(doubted["item"], map(float, doubted["p_wrong"]), strict=True)),
        tuple(sample.from_table(store.read_table(data / "triage" / "sample.parquet", SAMPLE))),
    )


def of(workspace: Path) -> Estimate:
    """Everything that the answers in `workspace` say."""
    given = read(workspace)
    truth, (p_N, wrong_N) = given.truth, given.doubted
    asked = {item: one.answered for item, one in given.people.items()}
    found = sum(wrong is True for wrong in truth.values())
    says = from_sample(given.drawn, truth, asked)
    says = replace(says, wrong=_at_least(says.wrong, found))
    settled = {item for item, one in answers.state(given.said).items.items() if one.answered}
    scores = store.read_table(workspace / "data" / "audit" / "scores.parquet", SCORES, columns=["item", "p_wrong"])
    ahead = [p for item, p in given.p_queue.items() if item not in settled]
    report = workspace / "data" / "audit.json"
    return Estimate(
        len(given.delivered),
        store.read_report(report).figures.get("noise_rate") if report.exists() else None,
        says,
        found,
        by_band(p_N, wrong_N),
        len(p_N),
        len(p_N) >= ENOUGH,
        says.wrong and Interval(says.wrong.value - found, says.wrong.low - found, says.wrong.high - found),
        sum(p for item, p in zip(scores["item"], scores["p_wrong"], strict=True) if item not in settled),
        len(ahead[:NEXT]),
        counted(chances(p_N, wrong_N, np.array(ahead[:NEXT]))),
    )


def _at_least(wrong: Interval | None, found: int) -> Interval | None:
    """No fewer labels can be wrong than people have found."""
    return None if wrong is None else Interval(*(max(float(found), v) for v in (wrong.value, wrong.low, wrong.high)))
