"""What must wait for a person, and why?

The gate of `validate`: plain checks of rows, classes and drops, pure functions. Great Expectations is the report; a
drop is held when one of its drop-level expectations fails or raises, or a row-level fault is systematic in it.

A rejection of any kind leaves out what it names; an acceptance lifts the hold of exactly its own subject: an accepted
drop still waits for its new class. Each of drop, class and row waits alone and blocks no other.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .model import CODES

if TYPE_CHECKING:
    from .validate import Params

STATUS = {"accept": "passed", "reject": "rejected", None: "held"}
SHOWN = 8  # names in a sentence; the rest is a number
WIDEST = 40  # characters of a name in a sentence


@dataclass(frozen=True, slots=True)
class Line:
    """One row of gate.parquet: a subject, whether it passes, and what a person can do about it."""

    subject: str  # drop:NAME, class:NAME, row:DROP/SOURCE, item:ID
    status: str  # passed | held | rejected
    code: str = ""
    message: str = ""

    @property
    def argument(self) -> str:
        """The subject as a shell takes it."""
        return shlex.quote(self.subject)

    @property
    def remedy(self) -> str:
        """The remedy of the code, with the subject as a shell takes it in place of `class:NAME`."""
        if not self.code:
            return ""
        kind, name = self.subject.partition(":")[0], self.argument
        text = CODES[self.code].replace("row:DROP/SOURCE", name).replace(f"{kind}:NAME", name)
        return text if name in text else f"{text} Or: assay accept {name} or assay reject {name}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One row breaks one row-level expectation."""

    row: int  # ordinal in the drop
    expectation: str
    code: str
    reason: str  # "split 'tst'. Splits are: train, val, test."


@dataclass(frozen=True, slots=True)
class Judged:
    """One drop after its suite: what each expectation said, the row-level faults, and whether it passes as a whole."""

    drop: str
    rows: pd.DataFrame  # item, source
    classes: tuple[tuple[str, ...], ...]  # with the decided labels applied
    checks: Sequence[Mapping[str, Any]]
    figures: Mapping[str, float | None]
    faults: Sequence[Fault]
    many: Mapping[str, int]
    line: Line


def shown(name: str) -> str:
    """A name from the data as it may stand in a sentence: printable and short."""
    text = name if name.isprintable() else name.encode("unicode_escape").decode("ascii")
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def listed(names: Sequence[str]) -> str:
    """`cat, dog`, or the first few and how many more."""
    some = ", ".join(shown(name) for name in names[:SHOWN])
    return some if len(names) <= SHOWN else f"{some} and {len(names) - SHOWN:,} more"


def spelling(name: str) -> str:
    """What two spellings of one class have in common: NFKC, case and white space aside. Idempotent."""
    while True:
        plain = " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())
        if plain == name:
            return name
        name = plain


def first_classes(counts: Mapping[str, int]) -> tuple[str, ...]:
    """The vocabulary that a first drop gives: of several spellings of one class only the most frequent."""
    chosen: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        chosen.setdefault(spelling(name), name)
    return tuple(sorted(chosen.values()))


def share_change(now: Mapping[str, int], before: Mapping[str, int], classes: Sequence[str], least: int) -> float | None:
    """Total variation of the class shares, sum |p - q| / 2 in [0, 1]; None when either side has too few items.

    `least` is the number of items a class that both sides must have on average: with 10 the change expected from
    chance alone is about 0.13 whatever the number of classes.
    """
    now_K = np.array([now.get(name, 0) for name in classes], dtype=np.float64)
    before_K = np.array([before.get(name, 0) for name in classes], dtype=np.float64)
    if not len(classes) or min(now_K.sum(), before_K.sum()) < max(1, least * len(classes)):
        return None
    return round(float(np.abs(now_K / now_K.sum() - before_K / before_K.sum()).sum() / 2), 9)


def row_faults(rows: pd.DataFrame, params: Params) -> list[Fault]:
    """Every row-level fault of one drop, in the order of its rows; a null is the business of the drop-level guards."""
    faults = []
    splits = ", ".join(params.splits)
    for row in np.flatnonzero(~rows["split"].isin(params.splits)):
        reason = f"split '{shown(str(rows['split'].iloc[row]))}'. Splits are: {splits}."
        faults.append(Fault(int(row), "split_known", "E_SPLIT", reason))
    for fact, bounds in params.bounds().items():
        values_N = rows[fact].to_numpy(dtype=np.float64, na_value=np.nan)
        enough_N = values_N > bounds.low if bounds.above else values_N >= bounds.low
        remark = f"; {bounds.remark}" if bounds.remark else ""
        for row in np.flatnonzero(~(enough_N & (values_N <= bounds.high)) & ~np.isnan(values_N)):
            reason = f"{fact} '{values_N[row]:.10g}'. Allowed are {bounds.says}{remark}."
            faults.append(Fault(int(row), f"{fact}_between", "E_RANGE", reason))
    return sorted(faults, key=lambda fault: fault.row)


def systematic(faults: Iterable[Fault], rows: int, params: Params) -> dict[str, int]:
    """Row-level expectations that so many rows break that the drop waits as a whole -> how many."""
    counts: dict[str, int] = {}
    for fault in faults:
        counts[fault.expectation] = counts.get(fault.expectation, 0) + 1
    return {
        name: count
        for name, count in counts.items()
        if count > params.max_held_rows and count > params.max_held_share * rows
    }


def drop_line(
    drop: str,
    checks: Sequence[Mapping[str, Any]],
    faults: Iterable[Fault],
    many: Mapping[str, int],
    verdict: str | None,
) -> Line:
    """Whether the drop as a whole passes.

    It does not when a drop-level expectation failed, any raised, a row-level fault is systematic, or a row-level
    expectation failed for which the row checks found no row: a failure is never without a line that waits.
    """
    single = {fault.expectation for fault in faults} - set(many)
    failed = [
        check
        for check in checks
        if check["result"] == "raised"
        or (check["result"] == "failed" and check["level"] == "drop")
        or (check["result"] == "failed" and check["level"] == "row" and check["name"] not in single)
    ]
    subject = f"drop:{drop}"
    if not failed:
        if verdict == "reject":
            return Line(subject, "rejected", "", f"Drop '{drop}' was rejected.")
        return Line(subject, "passed")
    reasons = "; ".join(f"'{check['name']}' ({check['says']}): {check['observed']}" for check in failed[:SHOWN])
    more = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    code = "E_EMPTY" if any(check["name"] == "row_count" for check in failed) else "E_EXPECTATION"
    return Line(subject, STATUS[verdict], code, f"Drop '{drop}' fails the expectation {reasons}{more}.")


def class_lines(
    places: Mapping[str, Sequence[tuple[str, str]]], known: Sequence[str], subjects: Mapping[str, str]
) -> Iterator[Line]:
    """One line for each class that is new or was settled. `places`: class -> (drop, source) of its rows."""
    by_spelling = {spelling(name): name for name in reversed(known)}
    for name in sorted(places):
        verdict = subjects.get(f"class:{name}")
        if name in known and verdict is None:
            continue
        drops = list(dict.fromkeys(drop for drop, _ in places[name]))
        sources = [source if len(drops) == 1 else f"{drop}/{source}" for drop, source in places[name]]
        word = f"Drop '{drops[0]}' has" if len(drops) == 1 else f"Drops {listed(drops)} have"
        items = "1 item" if len(sources) == 1 else f"{len(sources):,} items"
        others = [other for other in known if other != name]
        near = by_spelling.get(spelling(name))
        merge = f" Merge into '{shown(near)}'?" if near is not None and near != name else ""
        message = (
            f"{word} {items} with class '{shown(name)}'. Classes are: {listed(others)}.{merge} See {listed(sources)}."
        )
        yield Line(f"class:{name}", STATUS[verdict], "E_CLASS_NEW", message)


def row_lines(
    drop: str, rows: pd.DataFrame, faults: Iterable[Fault], many: Mapping[str, int], subjects: Mapping[str, str]
) -> Iterator[tuple[int, Line]]:
    """(ordinal, line) of each row that is held or was settled; a systematic fault is the drop's business."""
    reasons: dict[int, list[Fault]] = {}
    for fault in faults:
        if fault.expectation not in many:
            reasons.setdefault(fault.row, []).append(fault)
    items, sources = rows["item"].tolist(), rows["source"].tolist()
    for row, (item, source) in enumerate(zip(items, sources, strict=True)):
        # a row merged from several people's labels has no line of its own in the delivery
        subject = f"item:{item}" if source == "annotations" else f"row:{drop}/{source}"
        said = {subjects.get(f"item:{item}"), subjects.get(subject)}
        if row in reasons:
            first, *others = reasons[row]
            verdict = "reject" if "reject" in said else "accept" if "accept" in said else None
            also = "".join(f" Also {other.reason}" for other in others)
            message = f"Row '{shown(source)}' of drop '{drop}' has {first.reason}{also}"
            yield row, Line(subject, STATUS[verdict], first.code, message)
        elif "reject" in said:
            yield row, Line(subject, "rejected", "", f"Row '{shown(source)}' of drop '{drop}' was rejected.")


def settle(judged: Sequence[Judged], known: Sequence[str], subjects: Mapping[str, str]) -> tuple[list[Line], list[str]]:
    """The lines of the gate (drops, classes, rows), and the items that pass all three."""
    places: dict[str, list[tuple[str, str]]] = {}
    single: list[Line] = []
    passed: list[str] = []
    vocabulary = frozenset(known)
    for drop in judged:
        if drop.line.status == "rejected":
            continue
        held = dict(row_lines(drop.drop, drop.rows, drop.faults, drop.many, subjects))
        single += held.values()
        sources = drop.rows["source"].tolist()
        for row, (item, names) in enumerate(zip(drop.rows["item"], drop.classes, strict=True)):
            for name in names:
                places.setdefault(name, []).append((drop.drop, sources[row]))
            row_passes = row not in held or held[row].status == "passed"
            if drop.line.status == "passed" and row_passes and all(name in vocabulary for name in names):
                passed.append(item)
    # while no drop has passed there is no vocabulary that a class could be new to
    of_classes = list(class_lines(places, known, subjects)) if known else []
    return [*(drop.line for drop in judged), *of_classes, *single], passed
