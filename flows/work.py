"""One stage in the clone of a worker: what a deployment of the pools `cpu` and `gpu` runs.

The clone is the worker's own (ASSAY_CLONE, the current folder), the workspace is at ASSAY_ORIGIN: a path or a git URL.
"""

from __future__ import annotations

import os
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Failed

from tasks import versions
from tasks.model import Mistake, StageFailed
from tasks.pools import WAITS
from tasks.shards import start as run_shard


@flow(name="work", flow_run_name="{stage} {shard}", persist_result=False)
def work(stage: str, branch: str, shard: str = "", shards: int = 0) -> State[None] | None:
    """Run `stage` of the run branch, and send its result to the DVC remote.

    With `shard`, as in "0/2", only the pieces of that share; with `shards` the pieces of so many are fetched first.
    What may pass by waiting ends the run in a state of its own name, so that whoever asked for it can tell.
    """
    try:
        _work(stage, branch, shard, shards)
    except versions.RemoteDown as down:
        return Failed(name=WAITS, message=f"Stage '{stage}' waits for the DVC remote: {down}")
    except StageFailed as error:
        if not error.transient:
            raise
        return Failed(name=WAITS, message=str(error))
    return None


def _work(stage: str, branch: str, shard: str, shards: int) -> None:
    origin = os.environ.get("ASSAY_ORIGIN")
    if not origin:
        raise Mistake("This worker does not know its workspace. Start it with: assay worker ORIGIN --pool gpu")
    clone, log = Path.cwd(), get_run_logger().info

    def say(line: str) -> None:
        if line.strip():
            log(line.rstrip())

    with versions.lock(clone, wait=True):
        versions.placing.take(clone, origin, branch, stage)
        if shard:
            number, of = map(int, shard.split("/"))
            names = run_shard(clone, stage, number, of, say)
            versions.pieces.send(clone, stage, names, branch=branch, number=number)
            return
        if shards:
            say(f"{stage}: {versions.pieces.fetch(clone, stage, branch=branch, shards=shards):,} pieces from others")
        if not versions.reproduce(clone, stage, say):
            say(f"{stage}: nothing new")
        versions.placing.give_back(clone, stage)
