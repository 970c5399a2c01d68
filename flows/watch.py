"""What is due, and who starts it? The sweeper: it looks, and what it sees is the truth.

`look` finds the work: complete drops in data/incoming, drops that a killed run has left behind, answers that the policy
of params.yaml (`watch:`) calls enough. `step` starts it, here or on the server; `watch` repeats that. Events, schedules
and eight triggers at once all end in `step`, which one process at a time does: the same drop makes one run.

Covered: a run that failed or was killed (started again, `watch.attempts` times, each attempt counted before it begins),
a remote that is down (again each minute, without end), a clock that is put back, params.yaml half written. Not covered:
two clones of a workspace that both sweep.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
from filelock import FileLock
from prefect import flow, get_run_logger
from prefect.exceptions import PrefectException

from tasks import answers, arrivals, attempts, journal, params, policy, versions
from tasks.formats import shown
from tasks.model import AssayError, counted

from .clock import now

PENDING_SECONDS = 60.0  # between two tries of what waits for a remote

AGO = re.compile(r"\d+ s ago")  # the part of a sentence that is new at each look

TROUBLE = (OSError, ValueError, RuntimeError, httpx.HTTPError, PrefectException)  # of one look, or of one run

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Work:
    """A flow that is due."""

    flow: str  # curate or revise
    why: str  # one sentence
    key: str  # the same work has the same key


Job = Callable[[], None]


class Starter(Protocol):
    """Where flows run: in this process (here.py), or on the server's workers (submit.py)."""

    def busy(self, workspace: Path, say: Say) -> bool:
        """Whether a run is at work in the workspace, or waits for its turn; `say` hears what it waits for."""

    def start(self, work: Work, workspace: Path, attempt: int) -> Job:
        """Make the run known to whoever asks `busy`; what it returns is called afterwards, and does the rest."""


def look(workspace: Path, watch: policy.Watch, at: str) -> tuple[list[Work], list[str]]:
    """(what is due, what waits for somebody: a sentence each). At most one flow: the next look finds the next."""
    found = arrivals.look(workspace, now=at, settle=watch.settle)
    waits = [told(arrival) for arrival in found if arrival.state != "complete"]
    for work in _works(workspace, watch, found, at):
        begins, why = _begins(workspace, watch, work, at)
        waits += [why] if why else []
        if begins:
            return [work], waits
    return [], waits


def _works(workspace: Path, watch: policy.Watch, found: list[arrivals.Arrival], at: str) -> Iterator[Work]:
    """What is to be done, in this order: one that may not begin does not stand in the way of the next."""
    if work := _curate(workspace, found):
        yield work
    if work := _revise(workspace, watch, at):
        yield work


def _begins(workspace: Path, watch: policy.Watch, work: Work, at: str) -> tuple[bool, str]:
    """Whether the work may begin now, and what it waits for."""
    tried = attempts.of(workspace, work.flow)
    if tried is None or (tried.key != work.key and not tried.pending):
        return True, ""
    if tried.pending:
        return not 0 <= _age(tried.at, at) < PENDING_SECONDS, tried.said  # below 0: the clock was put back
    if work.flow == "revise" and tried.done:
        return False, ""  # the answers changed nothing
    if tried.count >= watch.attempts:
        said = f" The last one said: {tried.said}" if tried.said else ""
        return False, f"Flow '{work.flow}' did not end well in {tried.count} attempts.{said} {_by_hand(work)}"
    return True, ""


def told(arrival: arrivals.Arrival) -> str:
    """Why it waits, as one sentence that names it."""
    if arrival.why.startswith("Drop "):
        return arrival.why
    state = "still grows" if arrival.state == "growing" else "is held"
    return f"Drop '{shown(arrival.name)}' {state}: {arrival.why}"


def _by_hand(work: Work) -> str:
    return f"Mend that, then run: assay {'run' if work.flow == 'curate' else 'revise'}"


def _curate(workspace: Path, found: list[arrivals.Arrival]) -> Work | None:
    complete = [arrival for arrival in found if arrival.state == "complete"]
    if complete:
        names = ", ".join(f"'{shown(arrival.name)}'" for arrival in complete[:5])
        more = f" and {len(complete) - 5} more" if len(complete) > 5 else ""
        return Work("curate", f"complete: {names}{more}", _key(*(arrival.fingerprint for arrival in complete)))
    if behind := versions.curate_due(workspace):
        return Work("curate", "drops that no finished run has seen", _key(behind))
    settled = [verdict.op for verdict in journal.waiting(workspace) if verdict.action in ("accept", "reject")]
    if settled:
        return Work("curate", f"{counted({'held_subjects': len(settled)})} settled", _key(*settled))
    return None


def _revise(workspace: Path, watch: policy.Watch, at: str) -> Work | None:
    if watch.publish == "by-hand":
        return None
    published = versions.published_ops(workspace)
    new = [verdict for verdict in journal.everything(workspace) if verdict.op not in published]
    if watch.publish == "always":
        due = versions.revise_due(workspace)
        return (
            Work("revise", "what no revision holds yet", _key(due or "", *(v.op for v in new))) if due or new else None
        )
    oldest = max((_age(verdict.at, at) for verdict in new), default=0.0)
    if len(new) < watch.answers and oldest < watch.hours * 3600:
        return None
    return Work("revise", f"{len(new):,} answers are not in a revision yet", _key(*(verdict.op for verdict in new)))


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _age(then: str, at: str) -> float:
    return (answers.moment(at) - answers.moment(then)).total_seconds()


def step(workspace: Path, starter: Starter, say: Say) -> bool:
    """Look once, and start what is due; whether something was started. Others who step meanwhile wait their turn."""
    watch = params.section(workspace / "params.yaml", "watch", policy.Watch)
    lock = workspace / ".assay" / "sweep.lock"
    lock.parent.mkdir(exist_ok=True)
    with FileLock(lock):
        at = now()
        due, waits = look(workspace, watch, at)
        for sentence in waits:
            say(f"waits: {sentence}")
        if not due or starter.busy(workspace, say):
            return False
        attempt = attempts.begin(workspace, due[0].flow, due[0].key, now=at)
        say(f"{due[0].flow}: {due[0].why}" + (f" (attempt {attempt})" if attempt > 1 else ""))
        try:
            job = starter.start(due[0], workspace, attempt)
        except AssayError:  # no run has begun
            attempts.take_back(workspace, due[0].flow)
            raise
    job()
    return True


def watch(workspace: Path, starter: Starter, say: Say, *, once: bool = False) -> int:
    """Step for ever, `watch.every` seconds apart; with `once` until nothing is due. What waits is said once.

    The exit code, with `once`: that of the last look. 0 nothing is left (what still grows does not count), 3
    something waits for a person, 1 it could not look.
    """
    said: set[str] = set()
    code = 0

    def say_once(sentence: str) -> None:
        nonlocal code
        if sentence.startswith("error: "):
            code = 1
        elif sentence.startswith("waits: ") and "' still grows: " not in sentence:
            code = max(code, 3)
        key = AGO.sub("", sentence)
        if not sentence.startswith("waits: ") or key not in said:
            said.add(key)
            say(sentence)

    while True:
        started, code = False, 0
        try:
            started = step(workspace, starter, say_once)
        except AssayError as error:
            say_once(f"error: {error}")
        except TROUBLE as error:  # the watcher stays: nobody else would begin the next run
            say_once(f"error: {type(error).__name__}: {shown(str(error), 300)}")
        if once and not started:
            return code
        if not started:
            time.sleep(_pause(workspace))


def _pause(workspace: Path) -> float:
    """Seconds until the next look; the default where params.yaml cannot be read just now."""
    try:
        return params.section(workspace / "params.yaml", "watch", policy.Watch).every
    except (AssayError, OSError):
        return policy.Watch().every


@flow(name="sweep", flow_run_name="sweep", persist_result=False)
def sweep(workspace: Path) -> bool:
    """One step, for events and schedules: what is due runs on the server's workers."""
    from .submit import OnServer

    return step(workspace.resolve(), OnServer(), get_run_logger().info)
