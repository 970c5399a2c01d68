"""New drops -> a queue of doubtful items, worst first.

The flow ends at the queue and never waits for people: they take days. What the gate holds is named in the result, and
does not block the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect import flow, get_run_logger

from tasks import arrivals, check_params, params, policy, steps, versions
from tasks.model import CANARIES_FELL, AssayError, DropRejected, Report

from . import events
from .artifacts import publish_summary
from .at_work import at_work
from .clock import now
from .report import write_report


@dataclass(frozen=True, slots=True)
class Curated:
    """What a curate run did: a Report a stage, the drops that came in, and what waits for somebody."""

    reports: tuple[Report, ...]
    received: tuple[str, ...]
    rejected: tuple[str, ...]  # one sentence a drop that could not be read as a whole
    held: tuple[str, ...]  # one sentence a subject that waits at the gate
    growing: tuple[str, ...] = ()  # one sentence a delivery that is not complete yet

    @property
    def waits(self) -> bool:
        return bool(self.rejected or self.held)


class CanariesFell(AssayError):
    """The audit misses what it should find. The run is complete, and its queue stands; it ends red."""

    exit_code = 3

    def __init__(self, message: str, curated: Curated) -> None:
        super().__init__(message)
        self.curated = curated


@flow(name="curate", flow_run_name="curate", persist_result=False)
def curate(workspace: Path, landings: tuple[Path, ...] | None = None) -> Curated:
    """Receive `landings` (default: every complete drop in data/incoming), then run what follows from them."""
    workspace = workspace.resolve()
    with at_work(workspace, "curate"):
        if unreachable := versions.prepare_run(workspace):
            get_run_logger().warning(unreachable)
        check_params(workspace)
        received, rejected = _receive(workspace, _complete(workspace) if landings is None else landings)
        answers = steps.take_answers(workspace)
        manifest = steps.ingest(workspace, after=[*received, answers])
        gate = steps.validate(workspace, after=manifest)
        vectors = steps.embed(workspace, after=manifest)
        graph = steps.relate(workspace, after=vectors)
        noise = steps.audit(workspace, after=[gate, graph])
        odd = steps.detect(workspace, after=[gate, graph])
        queue = steps.triage(workspace, after=[noise, odd])
        drops = tuple(report.used["drop"] for report in received if report.status == "ran")
        versions.commit_run(workspace, f"curate: {', '.join(drops) or 'refresh'}")
        if waits := versions.push_record(workspace):
            get_run_logger().warning(waits)
    reports = (manifest, gate, vectors, graph, noise, odd, queue)
    growing = tuple(
        f"Drop '{arrival.name}' still grows: {arrival.why}"
        for arrival in arrivals.seen(workspace)
        if arrival.state == "growing"
    )
    curated = Curated(reports, drops, rejected, tuple(gate.notes), growing)
    write_report(workspace)
    publish_summary("curate", workspace, (*received, *reports), held=(*rejected, *growing, *gate.notes))
    events.tell("queue.ready", workspace, items=queue.counts.get("queued", 0), drops=", ".join(drops))
    for note in noise.notes:
        if note.startswith(CANARIES_FELL):
            raise CanariesFell(note, curated)
    return curated


def _complete(workspace: Path) -> list[Path]:
    settle = params.section(workspace / "params.yaml", "watch", policy.Watch).settle
    return arrivals.folders(workspace, arrivals.look(workspace, now=now(), settle=settle))


def _receive(workspace: Path, landings: Sequence[Path]) -> tuple[list[Report], tuple[str, ...]]:
    """Each landing folder as a received drop; one that cannot be read is held, and does not stop the others."""
    received: list[Report] = []
    rejected: list[str] = []
    for landing in landings:
        of_incoming, tried = landing.parent == workspace / "data" / "incoming", arrivals.fingerprint(landing)
        if of_incoming and not tried:
            continue  # taken away, or no longer readable: the next look says so
        try:
            received.append(steps.receive_drop(workspace, landing, now()))
        except DropRejected as error:
            if of_incoming:
                arrivals.hold(workspace, landing, error, now=now(), tried=tried)
            else:
                rejected.append(str(error))
    held = [arrival.why for arrival in arrivals.seen(workspace) if arrival.state == "held"]
    return received, (*rejected, *held)
