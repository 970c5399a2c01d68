"""How does the review page publish a revision? `assay revise` as a child, so that the page goes on meanwhile.

Writes  .assay/logs/publish.log: the child's lines, which are told as they come

The child has a session of its own and outlives the page: a revision that was begun is finished. (It is started without
preexec_fn, which is not safe in a process of several threads.)
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tasks import store, telemetry
from tasks.model import Mistake

LOOK = 0.3  # seconds between two looks at the child's lines
LONGEST = 400  # characters of a line
PLAIN = {"COLUMNS": "200", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}


def republish(workspace: Path, say: Callable[[str], None]) -> str:
    """Publish what was answered: the tag, the old one where nothing has changed. Mistake in the run's own sentence."""
    log = workspace / ".assay" / "logs" / "publish.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    say("A run begins: assay revise")
    with open(log, "wb") as lines:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "flows.cli", "revise", "--workspace", str(workspace)],
            cwd=workspace,
            env={**os.environ, **telemetry.OFF, **PLAIN},
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    told, alive = 0, True
    while alive:
        time.sleep(LOOK)
        alive = child.poll() is None  # before the lines are read: what it wrote last is read too
        found = log.read_text(encoding="utf-8", errors="replace").splitlines()
        ready = found[told : len(found) - alive]  # the last one may be half written
        told += len(ready)
        for line in ready:
            if line.strip():
                say(line.strip()[:LONGEST])
    if child.returncode:
        wrong = [line.removeprefix("error: ") for line in found if line.startswith("error: ")]
        last = next((line.strip() for line in reversed(found) if line.strip()), "It said nothing.")
        raise Mistake((wrong or [last])[-1])
    return str(store.read_json(workspace / "data" / "revision.json")["tag"])
