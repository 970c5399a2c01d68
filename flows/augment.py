"""A revision -> augmented shards, on the GPU pool where there is one."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from tasks import check_params, steps, versions
from tasks.model import Report

from .artifacts import publish_summary


@flow(name="augment", flow_run_name="augment", persist_result=False)
def augment(workspace: Path) -> Report:
    """Augment the current revision's table; only shards whose rows changed are made again."""
    with versions.lock(workspace):
        versions.prepare_run(workspace)
        check_params(workspace)
        table = steps.revise(workspace)
        report: Report = steps.augment(workspace, after=table)
        versions.commit_run(workspace, "augment: refresh")
    publish_summary("augment", workspace, (table, report))
    return report
