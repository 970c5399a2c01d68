"""Which tasks does Prefect see, and what is the policy of each: retries, timeout?

The only Prefect file in tasks/, with pools.py for what runs elsewhere. A stage's task is one `dvc repro` of that stage
through versions/: DVC decides whether it runs, Python does the work, Prefect gives retries, logs and sight, and keeps
no cache of its own. Stages never import this file. Pass the Report of what comes before as `after`, so that Prefect
draws the edge. No tags: each costs two seconds a task run, in which Prefect 3.8 asks the server for a concurrency slot.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import task_run
from prefect.tasks import Task

from . import params, policy, pools, receive, store, versions
from .model import Report, StageFailed, counted

COUNTING = re.compile(r"^\w+: ([\d,]+) of ([\d,]+) ")
PROGRESS_SECONDS = 2.0  # between two words to the server
PUBLISH_RETRIES = 2  # of a remote that does not answer; then the revision is pending

After = Report | Sequence[Report] | None


def _worth_retrying(task_: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Bad data stays bad: only what can pass by waiting is tried again (an input that moved, a remote, a lock)."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, StageFailed) and error.transient


def _stage(name: str, *, retries: int = 1, timeout_seconds: float = 6 * 3600) -> Any:
    """The task of one stage: reproduce it, send its lines to the run's log, return its Report."""

    @task(
        name=name,
        task_run_name=name,
        retries=retries,
        retry_delay_seconds=2,
        retry_condition_fn=_worth_retrying,
        timeout_seconds=timeout_seconds,
        cache_policy=NO_CACHE,
    )
    def reproduce(workspace: Path, after: After = None) -> Report:
        logger = get_run_logger()
        shown = Progress(name, logger.info)
        place = params.section(workspace / "params.yaml", "place", policy.Place)
        if (pool := getattr(place, name)) == "here":
            ran = versions.reproduce(workspace, name, on_line=shown)
        else:
            ran = pools.run_on(pool, workspace, name, shown, shards=place.shards)
        report = store.read_report(workspace / "data" / f"{name}.json")
        report = dataclasses.replace(report, status="ran" if ran else "cached")
        if not ran:
            logger.info(f"{name}: nothing new")
        return report

    return reproduce


class Progress:
    """Hands a stage's lines to the log, and shows "embed: 1,000 of 60,000 items" as a progress artifact of the run."""

    def __init__(self, stage: str, log: Callable[[str], None]) -> None:
        self._stage, self._log = stage, log
        self._artifact: UUID | None = None
        self._next = 0.0  # when the server is told again

    def __call__(self, line: str) -> None:
        if not line.strip():
            return
        self._log(line.rstrip())
        counted_ = COUNTING.match(line)
        if counted_ is None:
            return
        done, whole = (int(number.replace(",", "")) for number in counted_.groups())
        if time.monotonic() < self._next and done < whole:
            return
        self._next = time.monotonic() + PROGRESS_SECONDS
        self._show(100.0 * done / max(whole, 1), line.strip())

    def _show(self, percent: float, said: str) -> None:
        try:
            if self._artifact is not None:
                update_progress_artifact(self._artifact, percent, said)
            elif percent < 100.0:  # what is done at once needs no bar
                key = f"assay-progress-{self._stage}"
                self._artifact = cast(UUID, create_progress_artifact(percent, key, said))
        except httpx.HTTPError:
            self._next = time.monotonic() + 60.0  # a server that does not answer stops no stage


# The table: one line a stage.
ingest = _stage("ingest")
validate = _stage("validate")
embed = _stage("embed")
relate = _stage("relate")
audit = _stage("audit")
detect = _stage("detect")
triage = _stage("triage")
revise = _stage("revise")
augment = _stage("augment")


@task(name="receive", task_run_name="receive {landing.name}", cache_policy=NO_CACHE)
def receive_drop(workspace: Path, landing: Path, received_at: str) -> Report:
    """Pack one landing folder and share it; a known drop changes nothing. DropRejected if unreadable."""
    logger = get_run_logger()
    receipt = receive.receive(landing, workspace, received_at=received_at)
    versions.share_drop(workspace, receipt.drop)
    counts = {"rows": receipt.rows, "assets": receipt.assets, "faulty": receipt.faulty}
    if receipt.known:
        logger.info(f"receive: '{landing.name}' was already received as {receipt.drop}")
    else:
        logger.info(f"receive: {receipt.drop}: {counted(counts)}")
    return Report("receive", counts, used={"drop": receipt.drop}, status="cached" if receipt.known else "ran")


@task(name="take-answers", task_run_name="take answers", cache_policy=NO_CACHE)
def take_answers(workspace: Path) -> Report:
    """Bring the answers that the journal holds into data/verdicts, in one commit."""
    taken = versions.take_answers(workspace)
    if taken:
        get_run_logger().info(f"answers: {taken:,} taken")
    return Report("answers", counts={"taken": taken})


@task(
    name="publish",
    task_run_name="publish",
    retries=PUBLISH_RETRIES,
    retry_delay_seconds=[2, 10],
    retry_condition_fn=_worth_retrying,
    cache_policy=NO_CACHE,
)
def publish(workspace: Path, after: After = None) -> versions.Published:
    """The revision, published: objects on the remote, then the tag. A dead remote leaves it pending."""
    published = versions.publish(workspace)
    if published.pending and (task_run.run_count or 0) <= PUBLISH_RETRIES:
        raise StageFailed(published.note, transient=True)
    get_run_logger().info(f"publish: {published.sentence}")
    return published
