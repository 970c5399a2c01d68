"""kill -9 before every numbered step of receive, answer and revise; then the same call again.

After the second call the bytes are those of a run that nobody disturbed. That the harness would see it otherwise:
test_kills_planted.py. Publishing and sharing by themselves: test_kills.py.
"""

from __future__ import annotations

import errno
from pathlib import Path

import crash
import pytest
from chain_looks import (
    answered_once,
    left_over,
    no_answer_lost,
    no_half_drop,
    no_half_table,
    received_once,
    revised_once,
)
from toy_chain import (
    answer,
    answered,
    bytes_in,
    make_revision,
    stages_run_here,
    start,
    steps_of,
    take_bolt,
    undisturbed,
    unsynced_drop,
)

import tasks
from tasks import versions

__all__ = ["answered", "stages_run_here", "start"]

pytestmark = [
    pytest.mark.kills,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
]


def test_receive_survives_a_kill_before_each_of_its_steps(start: Path) -> None:
    done = received_once(undisturbed(start, take_bolt, "data/drops"))
    points, problems = crash.go_through(start, take_bolt, at_rest=no_half_drop, when_done=done)
    assert (problems, points >= 20) == ([], True), points


def test_answer_survives_a_kill_before_each_of_its_steps(start: Path) -> None:
    done = answered_once(undisturbed(start, answer, "data/verdicts", ".assay/journal/refused"))
    points, problems = crash.go_through(start, answer, at_rest=no_answer_lost, when_done=done)
    assert (problems, points >= 15) == ([], True), points


def test_revise_and_publish_survive_a_kill_before_each_of_their_steps(answered: Path) -> None:
    done = revised_once(undisturbed(answered, make_revision, "data/revise"))
    points, problems = crash.go_through(answered, make_revision, at_rest=no_half_table, when_done=done)
    assert (problems, points >= 30) == ([], True), points


def revise_by_hand(workspace: Path) -> None:
    """The stage upon an older result, without DVC, which would have taken that away first."""
    tasks.run("revise", workspace)


def test_the_stage_by_itself_survives_a_kill_while_it_replaces_its_result(answered: Path) -> None:
    expected = undisturbed(answered, revise_by_hand, "data/revise")

    def at_rest(workspace: Path) -> list[str]:
        (workspace / "data" / "revise.json").unlink()  # the older report, which DVC would have taken away too
        return no_half_table(workspace)

    def done(workspace: Path) -> list[str]:
        versions.repair(workspace)
        problems = no_half_table(workspace) + [one for one in left_over(workspace) if "is left over" in one]
        return problems + ["other bytes"] * (bytes_in(workspace, ("data/revise",)) != expected)

    points, problems = crash.go_through(answered, revise_by_hand, at_rest=at_rest, when_done=done)
    assert (problems, points >= 20) == ([], True), points


def test_a_failing_disk_at_any_step_of_receive_is_a_sentence_and_loses_nothing(start: Path) -> None:
    fault = crash.Fault("EIO", crash.raise_at(errno.EIO))
    done = received_once(undisturbed(start, take_bolt, "data/drops"))
    points, problems = crash.go_through(start, take_bolt, at_rest=no_half_drop, when_done=done, fault=fault)
    assert (problems, points >= 20) == ([], True), points


def test_a_full_disk_at_any_step_of_answer_is_a_sentence_and_loses_nothing(start: Path) -> None:
    fault = crash.Fault("ENOSPC", crash.raise_at(errno.ENOSPC))
    done = answered_once(undisturbed(start, answer, "data/verdicts", ".assay/journal/refused"))
    points, problems = crash.go_through(
        start,
        answer,
        at_rest=no_answer_lost,
        when_done=done,
        fault=fault,
        only=lambda name: not name.startswith("acknowledge"),
    )
    assert (problems, points >= 15) == ([], True), points


def test_a_power_cut_takes_back_nothing_that_a_later_step_relies_on(start: Path, answered: Path) -> None:
    received = steps_of(start, take_bolt)
    assert unsynced_drop(received) == crash.lost_by_power(received) == []
    assert crash.lost_by_power(steps_of(start, answer)) == []
    assert crash.lost_by_power(steps_of(answered, make_revision)) == []
