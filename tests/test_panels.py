"""Do the panels say what the figures are, cut long lists and count what they leave out?"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from flows import charts, panels
from flows.noise_history import Noise
from flows.overview import age
from flows.slices import FAIL, OPEN, PASS, Slice
from flows.state import Backlog, State
from flows.tally import Tally, Waiting
from tasks.policy import Sla

DAY = 86_400.0
EMPTY = State("ws", (), (), None, None, None, (), (), {}, (), (), {}, 0, 0, 1, 1)


def test_a_slice_passes_fails_or_is_open_by_its_whole_interval() -> None:
    assert Slice("given", "a", 10, 0.01, 0.0, 0.02).verdict(0.02) == PASS
    assert Slice("given", "a", 10, 0.03, 0.021, 0.04).verdict(0.02) == FAIL
    assert Slice("given", "a", 10, 0.02, 0.01, 0.03).verdict(0.02) == OPEN


def test_a_thousand_classes_are_cut_with_the_worst_first_and_counted() -> None:
    slices = tuple(Slice("given", f"c{n:03d}", 5, n / 1000, n / 1000, n / 1000) for n in range(1000))
    told = panels.promises(replace(EMPTY, slices=slices, sla=Sla(noise=0.5)))["classes"]
    assert [row["name"] for row in told["rows"]] == [f"c{n}" for n in range(999, 987, -1)]
    assert (told["more"], told["all"], told["counts"]) == (988, 1000, {PASS: 501, OPEN: 0, FAIL: 499})
    assert told["rows"][0]["address"] == "/review#given=c999&order=suspicion"


def test_the_queue_is_told_by_age_with_what_it_takes_at_this_pace() -> None:
    waiting = (Backlog("old", 0.0, 40, 30), Backlog("done", 5 * DAY, 9, 0), Backlog("new", 9.5 * DAY, 20, 12))
    state = replace(EMPTY, queue=69, backlog=waiting, tally=Tally(week=70))
    told = panels.backlog(state, 10 * DAY, age)
    assert (told["open"], told["oldest"], told["late"]) == (42, "10 d", True)
    assert (told["work"], told["a_day"], told["done"]) == ("88 s", "10", "4 d")
    assert [(row["drop"], row["open"]) for row in told["rows"]] == [("old", 30), ("new", 12)]
    nobody = panels.backlog(replace(state, tally=Tally()), 10 * DAY, age)
    assert nobody["done"] is None
    few = panels.backlog(replace(state, tally=Tally(week=19)), 10 * DAY, age)
    assert (few["done"], few["week"]) == (None, 19)


def test_the_course_of_the_noise_ends_with_now_and_a_verdict() -> None:
    noise = (Noise("now", 0.01, None, {}, (0.005, 0.015)), Noise("dataset@v1.0.0", 0.1, None))
    told = panels.noise(replace(EMPTY, noise=noise))
    assert (told["now"], told["between"], told["when"], told["verdict"]) == (
        "1.0 %",
        "0.5 \N{EN DASH} 1.5 %",
        "now",
        PASS,
    )
    chart = str(told["chart"])
    assert chart.index(">v1.0.0<") < chart.index(">now<")
    assert (chart.count('class="broken"'), chart.count('class="kept"'), chart.count('class="whisker"')) == (1, 1, 1)
    assert panels.noise(EMPTY)["now"] is None


def test_questions_are_cut_and_a_gone_item_has_no_link() -> None:
    asked = [Waiting("question", f"i{n}", "ann", "?", "1970-01-01T00:00:00Z") for n in range(25)]
    told = panels.waiting(replace(EMPTY, tally=Tally(waiting=asked)), 2 * DAY, age, {"i0": "/review#at=0"}.get)
    assert (len(told["rows"]), told["more"], told["all"]) == (20, 5, 25)
    assert [row["address"] for row in told["rows"][:2]] == ["/review#at=0", None]
    assert told["rows"][0]["age"] == "2 d"


def test_the_ticks_of_a_chart_are_round_and_reach_what_is_shown() -> None:
    assert charts._round_ticks(0.0824) == [0, 0.02, 0.04, 0.06, 0.08, 0.1]
    assert charts._round_ticks(0.02) == [0, 0.005, 0.01, 0.015, 0.02]
    assert charts._round_ticks(1.0)[-1] == 1.0


def test_a_share_too_small_for_one_decimal_is_not_told_as_nothing() -> None:
    assert [panels.share(value) for value in (0.0, 0.0004, 0.001, 0.068)] == ["0.0 %", "0.04 %", "0.1 %", "6.8 %"]


@pytest.mark.parametrize(
    ("wrong", "allowed"), [({"noise": 0.0}, "(0, 1)"), ({"noise": 1.5}, "(0, 1)"), ({"days": 0}, "above 0")]
)
def test_a_promise_that_nobody_can_keep_or_break_is_refused(wrong: dict[str, float], allowed: str) -> None:
    with pytest.raises(ValueError, match=re.escape(allowed)):
        Sla(**wrong)


def test_a_few_items_keep_no_promise_and_break_none() -> None:
    assert Slice("given", "a", 4, 0.9, 0.8, 1.0).verdict(0.02) == OPEN
    assert Slice("given", "a", 4, 0.0, 0.0, 0.0).verdict(0.02) == OPEN
