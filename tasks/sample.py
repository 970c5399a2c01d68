"""Which items are drawn, so that people's answers to them say how many labels are wrong?

A stratified random sample: the deciles of the audit's p_wrong, half of the items in proportion to the strata, half by
Neyman's rule (most where p_wrong (1 - p_wrong) is large), two or more a stratum. Who is drawn follows from sha256 of
seed and item, so the same inputs draw the same items and similar inputs nearly the same.

What was drawn, from how many, must outlive the audit, whose p_wrong moves with every answer; and a stage may not read
its own last result. So the draw stays open, and is made again by every triage, until somebody answers one of its items:
the lines that bring that answer into data/verdicts bring the whole draw with it (journal.py), and triage reads it from
there. A recorded draw covers the drops up to the one in its name, and stays; drops after it are a draw of their own.

Reads   data/verdicts/drawn/<drop>-<hash>.jsonl, one line an item that was drawn; data/triage/sample.parquet
Writes  data/verdicts/drawn, through `record`

    {"item":"d0042","p_wrong":0.31,"place":7,"round":"0003-march-core","stratum":8,"stratum_drawn":24,"stratum_items":137}

Covered: answers in any order, new drops, two clones (the first recorded draw of a drop counts, by name). Not covered:
items of an old drop that pass the gate after its draw was recorded; an estimate says of how many items it speaks.
Source: permanent random numbers, Ohlsson 1995; Neyman 1934.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import durable, store
from .model import SAMPLE, label_json

CHECK = "audit_sample_v1"
STRATA = 10
ANSWERED = -1  # the stratum of what had been answered before the draw: all of it is known, nobody is asked
LEAST = 2  # items a stratum
SHARE = 10  # at most one item in so many is drawn
EVERY = 5  # every so many rows of the queue one is a drawn one

# shapes: H strata


@dataclass(frozen=True, slots=True)
class Drawn:
    """One item of the sample."""

    item: str
    round: str  # the newest drop at the draw, which covers the drops since the round before
    place: int  # in the round's random order, from 1; 0: known before the draw
    stratum: int  # from 0, the least p_wrong first; ANSWERED
    stratum_items: int
    stratum_drawn: int
    p_wrong: float  # by the audit at the draw, [0, 1]


def sequence(drop: str) -> int:
    """The place of a drop in the order of arrival: 0003-march-core is the third."""
    return int(drop.partition("-")[0])


def draw(
    p_wrong: Mapping[str, float | None], answered: Iterable[str], *, round: str, size: int, seed: int
) -> list[Drawn]:
    """Draw `size` of the items of `p_wrong` (None: not assessable, a stratum of its own) that are not `answered`.

    At most one item in SHARE is drawn; the answered ones are added as known. In order of place, the known ones first.
    """
    known = sorted(set(answered) & p_wrong.keys())
    rows = [Drawn(item, round, 0, ANSWERED, len(known), len(known), p_wrong[item] or 0.0) for item in known]
    fresh = {item: p for item, p in p_wrong.items() if item not in set(known)}
    size = min(size, len(p_wrong) // SHARE, len(fresh))
    if not size:
        return rows
    lot = {item: _hash(seed, "draw", item) for item in fresh}
    strata = _strata(fresh, lot, size)
    expected = [np.array([fresh[item] or 0.0 for item in stratum]) for stratum in strata]
    spread_H = np.array([np.sqrt((p * (1 - p)).mean()) for p in expected])
    numbers = allocation(np.array([len(stratum) for stratum in strata]), spread_H, size)
    chosen = [
        (item, h, len(stratum), int(number))
        for h, (stratum, number) in enumerate(zip(strata, numbers, strict=True))
        for item in sorted(stratum, key=lot.__getitem__)[:number]
    ]
    chosen.sort(key=lambda row: _hash(seed, "order", row[0]))
    return rows + [
        Drawn(item, round, place, h, items, number, fresh[item] or 0.0)
        for place, (item, h, items, number) in enumerate(chosen, 1)
    ]


def completed(
    rows: Sequence[Drawn],
    drops: Mapping[str, str],
    p_wrong: Mapping[str, float],
    answered: frozenset[str],
    *,
    size: int,
    seed: int,
) -> list[Drawn]:
    """The recorded draws `rows` and one of what they do not cover; `drops`: item -> its drop, of all that passed.

    `size` is of the whole: a later draw takes its share of it, size * (new items) / (all items), rounded up.
    """
    covered = max((sequence(row.round) for row in rows), default=0)
    fresh = {item: p_wrong.get(item) for item, drop in drops.items() if sequence(drop) > covered}
    if not fresh or not size:
        return list(rows)
    newest = max((drops[item] for item in fresh), key=sequence)
    share = -(-size * len(fresh) // len(drops))
    return [*rows, *draw(fresh, answered, round=newest, size=share, seed=seed)]


def _hash(seed: int, purpose: str, item: str) -> int:
    return int.from_bytes(hashlib.sha256(label_json([seed, purpose, item]).encode()).digest()[:8])


def _strata(fresh: Mapping[str, float | None], lot: Mapping[str, int], size: int) -> list[list[str]]:
    """The items by p_wrong in groups of one size, as many as `size` fills; those without p_wrong are the last group."""
    if size < 2 * LEAST:
        return [sorted(fresh)]
    assessed = sorted((item for item, p in fresh.items() if p is not None), key=lambda item: (fresh[item], lot[item]))
    rest = sorted(item for item, p in fresh.items() if p is None)
    count = max(1, min(STRATA, size // LEAST - bool(rest)))
    groups = [group.tolist() for group in np.array_split(np.array(assessed, dtype=object), count)]
    return [group for group in (*groups, rest) if group]


def allocation(items_H: NDArray[np.int64], spread_H: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """How many to draw from each stratum, (H,): half by Neyman's rule (items * spread), half by items.

    Half and half because p_wrong may be wrong itself: Neyman alone drew 2 from the strata that a useless p_wrong held
    for clean, and erred twice as far as a simple random sample (benchmarks/calibration.py).
    LEAST or more of each, where `size` allows, and never more than it has; the sum is `size`.
    """
    proportion_H = items_H / items_H.sum()
    neyman_H = items_H * spread_H
    neyman_H = neyman_H / neyman_H.sum() if neyman_H.sum() > 0 else proportion_H
    weight_H = (neyman_H + proportion_H) / 2
    number_H = np.minimum(items_H, LEAST if size >= LEAST * len(items_H) else 0).astype(np.int64)
    while (left := size - int(number_H.sum())) > 0:
        lack_H = np.where(number_H < items_H, weight_H * size - number_H, -np.inf)
        number_H[int(np.argmax(lack_H))] += min(1, left)
    return number_H


def mixed(doubted: Sequence[str], drawn: Sequence[str]) -> list[str]:
    """Both lists as one, each in its own order: every EVERY-th row is a drawn one, until one of the two runs out.

    An item of both stands where it comes first. Whoever stops after 50 rows has seen the 40 worst and 10 drawn at
    random, so that the order is kept and an estimate is possible at any depth.
    """
    total = len({*doubted, *drawn})
    order: dict[str, None] = {}
    first, second = iter(doubted), iter(drawn)
    while len(order) < total:
        strands = (first, second) if (len(order) + 1) % EVERY else (second, first)
        order[next(item for strand in strands for item in strand if item not in order)] = None
    return list(order)


# --- the record ------------------------------------------------------------------------------------------------------


def recorded(verdicts: Path) -> list[Drawn]:
    """What data/verdicts/drawn holds, the oldest round first. Of two draws over one drop the first by name counts."""
    rounds: list[list[Drawn]] = []
    for path in sorted((verdicts / "drawn").glob("*.jsonl"), key=lambda path: (sequence(path.name), path.name)):
        rows = [Drawn(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        if rows and (not rounds or sequence(rows[0].round) > sequence(rounds[-1][0].round)):
            rounds.append(rows)
    return [row for rows in rounds for row in rows]


def record(data: Path, answered: Iterable[str]) -> None:
    """Keep the open draw of data/triage for good, if one of its items is among `answered`.

    Called before the answers themselves are brought into data/verdicts: a kill in between records a draw early, which
    harms nothing. The name says what is in the file, so that a second call changes nothing.
    """
    path = data / "triage" / "sample.parquet"
    if not path.exists():
        return
    rows = from_table(store.read_table(path, SAMPLE))
    covered = max((sequence(row.round) for row in recorded(data / "verdicts")), default=0)
    fresh = [row for row in rows if sequence(row.round) > covered]
    if {row.item for row in fresh if row.place}.isdisjoint(answered):
        return
    content = b"".join(label_json(asdict(row)).encode() + b"\n" for row in fresh)
    name = f"{fresh[0].round}-{hashlib.sha256(content).hexdigest()[:8]}.jsonl"
    durable.write_bytes(data / "verdicts" / "drawn" / name, content)


def table(rows: Iterable[Drawn]) -> Any:
    """The rows as model.SAMPLE."""
    return store.frame(SAMPLE, [asdict(row) for row in rows])


def from_table(frame: Any) -> list[Drawn]:
    """The rows of data/triage/sample.parquet."""
    return [Drawn(**{str(name): value for name, value in row.items()}) for row in frame.to_dict("records")]
