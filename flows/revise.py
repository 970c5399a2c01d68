"""Verdicts -> a tagged revision.

A revision is a pure function of drops, verdicts and params.yaml. The audit runs again before the tag, so that the tag's
metrics are those of the revision, but no float of it decides a label.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefect import flow, get_run_logger

from tasks import check_params, steps, versions
from tasks.model import Report

from . import events
from .artifacts import publish_summary
from .at_work import at_work
from .report import write_report


@dataclass(frozen=True, slots=True)
class Revised:
    """What a revise run did: a Report a stage, and the revision."""

    reports: tuple[Report, ...]
    published: versions.Published


@flow(name="revise", flow_run_name="revise", persist_result=False)
def revise(workspace: Path) -> Revised:
    """Apply whatever verdicts there are, and publish."""
    workspace = workspace.resolve()
    with at_work(workspace, "revise") as outcome:
        if unreachable := versions.prepare_run(workspace):
            get_run_logger().warning(unreachable)
        check_params(workspace)
        answers = steps.take_answers(workspace)
        manifest = steps.ingest(workspace, after=answers)
        gate = steps.validate(workspace, after=manifest)
        table = steps.revise(workspace, after=gate)
        vectors = steps.embed(workspace, after=manifest)
        graph = steps.relate(workspace, after=vectors)
        noise = steps.audit(workspace, after=[gate, graph])
        odd = steps.detect(workspace, after=[gate, graph])
        queue = steps.triage(workspace, after=[noise, odd])
        published = steps.publish(workspace, after=[table, queue])
        outcome.pending = published.note if published.pending else ""
    reports = (answers, manifest, gate, table, vectors, graph, noise, odd, queue)
    write_report(workspace)
    publish_summary("revise", workspace, reports, held=gate.notes, revision=published)
    if published.new and not published.pending:
        events.tell("revision.published", workspace, tag=published.tag)
    return Revised(reports, published)
