"""How do several machines share a stage that maps over pieces?

Such a stage (SHARDED) has `shard(data, params, number, of) -> names`: it computes its share of the pieces into
.assay/cache/<stage>/ and writes nothing else. A piece's name says what it follows from, so who has all pieces only puts
them together, and the result is that of one machine.

Reads   data/, params.yaml, as the stage does
Writes  .assay/cache/<stage>/<name>/, .assay/logs/<stage>.shard.json: the names of this share, written last
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from . import params, store, telemetry
from .model import StageFailed

SHARDED = ("embed", "augment")


def share(sizes: Mapping[str, int], number: int, of: int) -> list[str]:
    """The names that are shard `number`'s, [0, of): the largest first, each to whom has least; the same everywhere."""
    loads = [0] * of
    mine = []
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        lightest = loads.index(min(loads))
        loads[lightest] += sizes[name]
        if lightest == number:
            mine.append(name)
    return mine


def run(stage: str, module: ModuleType, workspace: Path, number: int, of: int) -> None:
    """Compute shard `number` of `of`, in a process of its own: what `python -P -m tasks STAGE --shard 0/2` does."""
    section = params.section(workspace / "params.yaml", stage, module.Params)
    names = module.shard(workspace / "data", section, number, of)
    store.write_json(_made(workspace, stage), {"pieces": sorted(names)})


def start(workspace: Path, stage: str, number: int, of: int, on_line: Callable[[str], None]) -> list[str]:
    """Run it as a child that dies with us, hand on its lines; returns the names of the pieces."""
    made = _made(workspace, stage)
    made.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "tasks", stage, "--shard", f"{number}/{of}"]
    environment = {**os.environ, **telemetry.OFF, "ASSAY_PARENT": str(os.getpid())}
    last = ""
    with subprocess.Popen(
        command,
        cwd=workspace,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            last = line.rstrip()
            on_line(last)
    if child.returncode or not made.exists():
        raise StageFailed(f"Shard {number} of {of} of stage '{stage}' failed: {last.removeprefix('error: ')}")
    names: Sequence[str] = store.read_json(made)["pieces"]
    return list(names)


def _made(workspace: Path, stage: str) -> Path:
    return workspace / ".assay" / "logs" / f"{stage}.shard.json"
