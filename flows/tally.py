"""How fast and how well do people answer, how right is each check, and what still waits for an answer?

Pure functions on verdicts in the order in which they count. Machines' bulk changes are no answers.

Speed: answers an hour of the time in which a person was answering, once that is ENOUGH; a pause of more than PAUSE is
none of it.
Agreement: of the pairs of people who decided the same item, the share that decided alike. Reversed: an answer of
theirs where the item was decided otherwise. A check's precision: of its findings that people decided, the share whose
label was wrong (estimate.was_wrong), with Wilson's interval; which checks had found the item stands in the answer
(`seen.checks`). The findings of today cannot say: they have forgotten every label that was mended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from tasks import answers, estimate, sample
from tasks.estimate import Interval
from tasks.interval import wilson
from tasks.model import Verdict
from tasks.review import signoff, threads
from tasks.review.gold import gold

PAUSE = 120.0  # seconds between two answers that are one spell of work
ENOUGH = 300.0  # seconds of work from which on a figure an hour is told
WEEK = 7 * 86_400.0
PEOPLE = 30  # told one by one


@dataclass(frozen=True, slots=True)
class Person:
    """What one person has done."""

    name: str
    answers: int  # items whose latest answer counts
    week: int  # answers of the last seven days
    an_hour: float | None  # None: too little work to say
    agreed: int  # of `compared` pairs with somebody else on an item
    compared: int
    reversed: int
    returned: int
    gold: tuple[int, int] | None = None  # right, asked; None: no gold items have been asked


@dataclass(frozen=True, slots=True)
class Check:
    """How right the findings of one check were."""

    name: str
    found: int  # findings of today
    decided: int
    wrong: int  # of these: the label was wrong
    precision: Interval | None  # of the decided; None: none is


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question without an answer, or an issue that nobody has taken back."""

    kind: str  # question | issue
    item: str | None
    who: str
    text: str
    at: str  # UTC, ISO 8601


@dataclass(frozen=True, slots=True)
class Tally:
    """All of it."""

    people: Sequence[Person] = ()
    checks: Sequence[Check] = ()
    waiting: Sequence[Waiting] = ()  # the oldest first
    answered: Collection[str] = field(default_factory=frozenset)  # items with an answer
    week: int = 0  # answers of the last seven days, of all people
    disputed: int = 0


def tally(
    said: Sequence[Verdict], delivered: Mapping[str, str], found: Mapping[str, Collection[str]], now: float
) -> Tally:
    """`delivered`: item -> its label as delivered; `found`: check -> the items that it finds today."""
    counted = answers.by_people(said)
    items = answers.state(counted).items
    latest = _latest(counted)
    moments = _moments(counted)
    alike = agreement(latest)
    asked = gold(said, answers.state(said).items)
    told = {one["name"]: one for one in signoff.signoff(said, items, sorted(latest))["labelers"]}
    people = [
        Person(
            name,
            len(latest[name]),
            sum(at > now - WEEK for at in moments[name]),
            pace(moments[name]),
            *alike.get(name, (0, 0)),
            reversed=sum(is_reversed(items.get(item), one, delivered.get(item)) for item, one in latest[name].items()),
            returned=told[name]["returned"],
            gold=(asked[name].right, asked[name].n) if name in asked else None,
        )
        for name in latest
    ]
    return Tally(
        sorted(people, key=lambda one: (-one.week, -one.answers, one.name)),
        checks(counted, items, delivered, found),
        sorted(_waiting(counted), key=lambda one: one.at),
        frozenset(item for item, one in items.items() if one.answered),
        sum(one.week for one in people),
        sum(one.disputed for one in items.values()),
    )


def _latest(said: Iterable[Verdict]) -> dict[str, dict[str, Verdict]]:
    """Person -> item -> their answer that counts."""
    verdicts = list(said)
    undone = answers.undone_ops(verdicts)
    found: dict[str, dict[str, Verdict]] = {}
    for verdict in verdicts:
        item = answers.item_of(verdict.subject)
        if item is not None and verdict.op not in undone and verdict.action in answers.OPINIONS:
            found.setdefault(verdict.reviewer, {})[item] = verdict
    return found


def _moments(said: Iterable[Verdict]) -> dict[str, list[float]]:
    """Person -> when they answered, seconds since 1970, in order."""
    found: dict[str, list[float]] = defaultdict(list)
    for verdict in said:
        if verdict.action in answers.OPINIONS:
            found[verdict.reviewer].append(answers.moment(verdict.at).timestamp())
    return {name: sorted(moments) for name, moments in found.items()}


def pace(moments: Sequence[float]) -> float | None:
    """Answers an hour, from the gaps up to PAUSE between them; None where these are less than ENOUGH together.

    >>> pace([0, 100, 200, 4000, 4100]), pace([0, 2, 4])
    (36.0, None)
    """
    gaps = [after - before for before, after in pairwise(moments) if after - before <= PAUSE]
    return 3600 * len(gaps) / sum(gaps) if sum(gaps) >= ENOUGH else None


def is_reversed(one: answers.ItemState | None, verdict: Verdict, delivered: str | None) -> bool:
    """Was the item decided, and otherwise than this answer says? `delivered`: its label as it came."""
    decision = answers.decision_of(verdict)
    if one is None or decision is None or not one.answered or one.disputed or one.unsure:
        return False
    if one.removed or decision.removed:
        return one.removed != decision.removed
    mine = {delivered if label is None else label for label in decision.labels}
    return mine.isdisjoint(one.accepted or (delivered if one.y is None else one.y,))


def agreement(latest: Mapping[str, Mapping[str, Verdict]]) -> dict[str, tuple[int, int]]:
    """Person -> (pairs that agree, pairs) over the items that somebody else has decided too."""
    by_item: dict[str, dict[str, object]] = defaultdict(dict)
    for name, mine in latest.items():
        for item, verdict in mine.items():
            if (decision := answers.decision_of(verdict)) is not None:
                by_item[item][name] = (decision.removed, frozenset(decision.labels))
    found: dict[str, tuple[int, int]] = {}
    for decided in by_item.values():
        for one, other in combinations(decided, 2):
            same = decided[one] == decided[other]
            for name in (one, other):
                agreed, compared = found.get(name, (0, 0))
                found[name] = agreed + same, compared + 1
    return found


def checks(
    said: Iterable[Verdict],
    items: Mapping[str, answers.ItemState],
    delivered: Mapping[str, str],
    found: Mapping[str, Collection[str]],
) -> list[Check]:
    """Every check that finds something now or did in the eyes of whoever answered, the least right first."""
    of: dict[str, set[str]] = {name: set() for name in found}
    for verdict in said:
        named = (verdict.seen or {}).get("checks")
        if isinstance(named, list) and (item := answers.item_of(verdict.subject)) is not None:
            for name in named:
                of.setdefault(str(name), set()).add(item)
    of.pop(sample.CHECK, None)  # drawn, not doubted
    rows = []
    for name, ones in of.items():
        known = [
            wrong
            for item in ones
            if item in delivered and (wrong := estimate.was_wrong(items.get(item), delivered[item])) is not None
        ]
        right = sum(known)
        share = wilson(right, len(known))
        precision = Interval(right / len(known), share.low, share.high) if known else None
        rows.append(Check(name, len(found.get(name, ())), len(known), right, precision))
    return sorted(rows, key=lambda one: (one.precision is None, one.precision and one.precision.value, one.name))


def _waiting(said: Sequence[Verdict]) -> Iterable[Waiting]:
    by_item: dict[str | None, list[Verdict]] = defaultdict(list)
    for verdict in said:
        by_item[answers.item_of(verdict.subject)].append(verdict)
    undone = answers.undone_ops(said)
    closed = {verdict.of for verdict in said if verdict.action in ("answer", "resolve") and verdict.op not in undone}
    for item, verdicts in by_item.items():
        for asked in threads.open_questions(verdicts):
            yield Waiting("question", item, asked.reviewer, asked.note or "", asked.at)
        for raised in verdicts:
            if raised.action == "issue" and raised.op not in undone and raised.op not in closed:
                yield Waiting("issue", item, raised.reviewer, raised.note or "", raised.at)
