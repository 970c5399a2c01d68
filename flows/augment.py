"""A revision -> augmented shards, on the GPU pool where there is one."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, get_run_logger

from tasks import check_params, steps, versions
from tasks.model import Report

from .artifacts import publish_summary
from .at_work import at_work


@flow(name="augment", flow_run_name="augment", persist_result=False)
def augment(workspace: Path) -> Report:
    """Augment the newest revision, and nothing that is not published; only shards whose rows changed are made again."""
    workspace = workspace.resolve()
    with at_work(workspace, "augment"):
        if unreachable := versions.prepare_run(workspace):
            get_run_logger().warning(unreachable)
        check_params(workspace)
        table = steps.revise(workspace)
        tag = versions.require_published(workspace)
        report: Report = steps.augment(workspace, after=table)
        versions.commit_run(workspace, f"augment: {tag}")
    publish_summary("augment", workspace, (table, report))
    return report
