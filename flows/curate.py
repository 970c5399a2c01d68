"""New drops -> a queue of doubtful items, worst first.

The flow ends at the queue and never waits for people: they take days. What the gate holds is named in the result, and
does not block the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefect import flow, get_run_logger

from tasks import check_params, receive, steps, versions
from tasks.model import DropRejected, Report

from .artifacts import publish_summary
from .clock import now


@dataclass(frozen=True, slots=True)
class Curated:
    """What a curate run did: a Report a stage, the drops that came in, and what waits for somebody."""

    reports: tuple[Report, ...]
    received: tuple[str, ...]
    rejected: tuple[str, ...]  # one sentence a drop that could not be read as a whole
    held: tuple[str, ...]  # one sentence a subject that waits at the gate

    @property
    def waits(self) -> bool:
        return bool(self.rejected or self.held)


@flow(name="curate", flow_run_name="curate", persist_result=False)
def curate(workspace: Path, landings: tuple[Path, ...] | None = None) -> Curated:
    """Receive `landings` (default: every complete drop in data/incoming), then run what follows from them."""
    with versions.lock(workspace):
        if unreachable := versions.prepare_run(workspace):
            get_run_logger().warning(unreachable)
        check_params(workspace)
        received, rejected = _receive(workspace, receive.waiting(workspace) if landings is None else landings)
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
    reports = (manifest, gate, vectors, graph, noise, odd, queue)
    curated = Curated(reports, drops, rejected, tuple(gate.notes))
    publish_summary("curate", workspace, (*received, *reports), held=(*rejected, *gate.notes))
    return curated


def _receive(workspace: Path, landings: tuple[Path, ...] | list[Path]) -> tuple[list[Report], tuple[str, ...]]:
    """Each landing folder as a received drop; one that cannot be read does not stop the others."""
    received, rejected = [], []
    for landing in landings:
        try:
            received.append(steps.receive_drop(workspace, landing, now()))
        except DropRejected as error:
            rejected.append(str(error))
    return received, tuple(rejected)
