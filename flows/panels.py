"""What do the dashboards say of labels, queue and people? Plain values for dashboard.html.j2, in the order of the page.

Pure functions of what sight.py saw. Times are seconds since 1970; shares are text with one decimal; an unknown is a
dash. Lists are cut and say how much they leave out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tasks import answers
from tasks.estimate import Interval
from tasks.review.plan import SECONDS
from tasks.versions.manifest import short

from . import charts
from .links import in_grid
from .noise_history import NOW
from .slices import FAIL, OPEN, PASS, Slice, counted
from .state import State
from .tally import PEOPLE, WEEK, Check, Person

UNKNOWN = "\N{EN DASH}"
WORST = 12  # classes, and slices, told one by one
PAIRS = 15
DROPS = 12
OPENED = 20  # questions and issues
ENOUGH = 20  # answers of the last seven days from which on they tell when the queue will be done
AGES = (("under a day", 86_400.0), ("1 to 7 days", 7 * 86_400.0), ("7 to 30 days", 30 * 86_400.0), ("older", 1e18))
KINDS = {"given": "class", "drop": "drop", "split": "split"}


def noise(state: State) -> Mapping[str, Any]:
    """The course of the estimated noise, oldest revision first, and how it stands to the promise."""
    points = [(short(one.revision), one.rate, one.interval) for one in reversed(state.noise) if one.rate is not None]
    newest = points[-1] if points else None
    return {
        "chart": charts.course(points, promise=state.sla.noise, y="estimated share of wrong labels by revision"),
        "promise": share(state.sla.noise),
        "now": None if newest is None else share(newest[1]),
        "between": None if newest is None or newest[2] is None else between(Interval(newest[1], *newest[2])),
        "when": "now" if newest and newest[0] == NOW else newest and newest[0],
        "verdict": None if newest is None else _verdict(newest[1], newest[2], state.sla.noise),
    }


def _verdict(rate: float, interval: tuple[float, float] | None, most: float) -> str:
    low, high = interval or (rate, rate)
    return PASS if high <= most else FAIL if low > most else OPEN


def promises(state: State) -> Mapping[str, Any]:
    """Classes and other slices against the promise, the worst first."""
    classes = [one for one in state.slices if one.kind == "given"]
    others = [one for one in state.slices if one.kind != "given"]
    return {"classes": _kept(classes, state.sla.noise), "slices": _kept(others, state.sla.noise)}


def _kept(slices: Sequence[Slice], most: float) -> Mapping[str, Any]:
    order = {FAIL: 0, OPEN: 1, PASS: 2}
    worst = sorted(slices, key=lambda one: (order[one.verdict(most)], -one.share, one.kind, one.name))
    rows = [
        {
            "kind": KINDS.get(one.kind, one.kind.removeprefix("meta_")),
            "name": one.name,
            "count": one.items,
            "share": share(one.share),
            "between": between(Interval(one.share, one.low, one.high)),
            "verdict": one.verdict(most),
            "address": one.address,
        }
        for one in worst[:WORST]
    ]
    return {"rows": rows, "more": max(0, len(slices) - WORST), "counts": counted(slices, most), "all": len(slices)}


def pairs(state: State) -> Mapping[str, Any]:
    """The confusions, each with the place of its items."""
    most = max((count for _, _, count in state.confused), default=1)
    rows = [
        {
            "given": given,
            "suggested": suggested,
            "count": count,
            "level": charts.shade(count, most),
            "address": in_grid(given=given, suggested=suggested),
        }
        for given, suggested, count in state.confused[:PAIRS]
    ]
    return {"rows": rows, "more": max(0, len(state.confused) - PAIRS)}


def backlog(state: State, now: float, age: Callable[[float], str]) -> Mapping[str, Any]:
    """The open items by age, the oldest drops, how long they will take, and when they will be done at this pace."""
    open_ = sum(one.open for one in state.backlog)
    ages: dict[str, int] = {name: 0 for name, _ in AGES}
    for one in state.backlog:
        past = 0.0 if one.since is None else now - one.since
        ages[next(name for name, most in AGES if past < most)] += one.open
    waiting = [one for one in state.backlog if one.open]
    oldest = next((one.since for one in waiting if one.since is not None), None)
    a_day = state.tally.week / (WEEK / 86_400)
    return {
        "queue": state.queue,
        "open": open_,
        "ages": charts.bars(
            [(name, float(count)) for name, count in ages.items()], unit="items", label="open items by age", whole=True
        ),
        "oldest": None if oldest is None else age(now - oldest),
        "late": oldest is not None and now - oldest > state.sla.days * 86_400,
        "days": f"{state.sla.days:g}",
        "work": age(open_ * SECONDS),
        "done": None if not open_ or state.tally.week < ENOUGH else age(open_ / a_day * 86_400),
        "week": state.tally.week,
        "a_day": f"{a_day:,.0f}" if a_day >= 1 or not a_day else f"{a_day:.1f}",
        "rows": [
            {
                "drop": one.drop,
                "age": UNKNOWN if one.since is None else age(now - one.since),
                "open": one.open,
                "queued": one.queued,
                "address": in_grid(drop=one.drop, queued="1"),
            }
            for one in waiting[:DROPS]
        ],
        "more": max(0, len(waiting) - DROPS),
    }


def people(state: State) -> Mapping[str, Any]:
    """One row a person, the busiest first."""
    return {
        "rows": [_person(one) for one in state.tally.people[:PEOPLE]],
        "more": max(0, len(state.tally.people) - PEOPLE),
        "disputed": state.tally.disputed,
    }


def _person(one: Person) -> Mapping[str, Any]:
    return {
        "name": one.name,
        "answers": one.answers,
        "week": one.week,
        "an_hour": UNKNOWN if one.an_hour is None else f"{one.an_hour:,.0f}",
        "gold": UNKNOWN if one.gold is None else _of(*one.gold),
        "agreement": _of(one.agreed, one.compared),
        "reversed": _of(one.reversed, one.answers),
        "returned": one.returned,
    }


def detectors(state: State) -> Sequence[Mapping[str, Any]]:
    """One row a check, the least right first."""
    return [_check(one) for one in state.tally.checks]


def _check(one: Check) -> Mapping[str, Any]:
    return {
        "name": one.name,
        "found": one.found,
        "decided": one.decided,
        "wrong": one.wrong,
        "precision": UNKNOWN if one.precision is None else f"{100 * one.precision.value:.0f} %",
        "between": "" if one.precision is None else whole(one.precision),
        "address": in_grid(check=one.name),
    }


def waiting(
    state: State, now: float, age: Callable[[float], str], place: Callable[[str], str | None]
) -> Mapping[str, Any]:
    """Open questions and issues, the oldest first; `place`: item -> its address in the review."""
    rows = [
        {
            "kind": one.kind,
            "who": one.who,
            "text": one.text,
            "age": age(now - answers.moment(one.at).timestamp()),
            "address": None if one.item is None else place(one.item),
        }
        for one in state.tally.waiting[:OPENED]
    ]
    return {"rows": rows, "all": len(state.tally.waiting), "more": max(0, len(state.tally.waiting) - OPENED)}


def share(value: float) -> str:
    """6.8 %, or 0.02 % where one decimal would say 0."""
    return f"{100 * value:.2f} %" if 0 < value < 0.001 else f"{100 * value:.1f} %"


def between(interval: Interval) -> str:
    """Its ends as one text, the unit once."""
    return f"{share(interval.low).removesuffix(' %')} \N{EN DASH} {share(interval.high)}"


def whole(interval: Interval) -> str:
    """Its ends in whole per cent, the unit once."""
    return f"{100 * interval.low:.0f} \N{EN DASH} {100 * interval.high:.0f} %"


def _of(count: int, of: int) -> str:
    return UNKNOWN if not of else f"{100 * count / of:.0f} % of {of:,}"
