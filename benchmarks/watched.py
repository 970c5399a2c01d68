"""Where does one `assay` command spend its time, and what does DVC hash and copy on the way?

    python -P benchmarks/watched.py RECORD.json run --workspace DIR

Runs the command as it is, in this process, with a clock around each of its parts: a stage (its child process and what
DVC does before and after it), receiving, sharing a drop, publishing. Writes what it saw, last:

    {"embed": {"wall_s": 9.1, "own_cpu_s": 0.2, "child_cpu_s": 11.3, "hashed": 184320, "hashed_own": 0, "ran": true}}

`hashed` counts the bytes that go through DVC's own hasher (HashStreamFile.read); `hashed_own` those of files that Assay
itself hashes in this process, on the disk and on the remote, to prove a revision. Both count what is read, not what is
recorded. What a stage's child hashes is not in them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from dvc_data.hashfile import hash as dvc_hash

PARTS = ("prepare_run", "share_drop", "take_answers", "commit_run", "publish")
seen: dict[str, dict[str, Any]] = {}
hashed = {"dvc": 0, "own": 0}


def clock() -> dict[str, float]:
    """Wall seconds, processor seconds of this process and of its ended children, bytes hashed; all since the start."""
    times = psutil.Process().cpu_times()
    return {
        "wall_s": time.perf_counter(),
        "own_cpu_s": times.user + times.system,
        "child_cpu_s": times.children_user + times.children_system,
        "hashed": hashed["dvc"],
        "hashed_own": hashed["own"],
    }


def timed(name: str, before: dict[str, float], **more: Any) -> None:
    """Add what has passed since `before` to part `name`."""
    after = clock()
    part = seen.setdefault(name, dict.fromkeys(before, 0.0))
    part |= {key: round(part[key] + after[key] - before[key], 3) for key in before} | more


def watch(owner: Any, name: str, part: str) -> None:
    """Put the clock around `owner.name`."""
    inner: Callable[..., Any] = getattr(owner, name)

    def outer(*arguments: Any, **options: Any) -> Any:
        before = clock()
        try:
            return inner(*arguments, **options)
        finally:
            timed(part, before)

    setattr(owner, name, outer)


def count_bytes() -> None:
    """Count what DVC's hasher reads, and what Assay itself hashes of whole files."""
    read = dvc_hash.HashStreamFile.read

    def counted(self: Any, n: int = -1) -> bytes:
        chunk: bytes = read(self, n)
        hashed["dvc"] += len(chunk)
        return chunk

    dvc_hash.HashStreamFile.read = counted
    from tasks import store
    from tasks.versions import data, objects

    for owner, name in ((store, "sha256_file"), (data, "md5_file")):
        inner = getattr(owner, name)

        def whole(path: Path, inner: Callable[[Path], str] = inner) -> str:
            hashed["own"] += path.stat().st_size
            return inner(path)

        setattr(owner, name, whole)

    remote_hash = objects.Store.remote_hash

    def remote(self: objects.Store, oid: str, algorithm: str) -> str | None:
        hashed["own"] += self.remote_size(oid) or 0
        return remote_hash(self, oid, algorithm)

    objects.Store.remote_hash = remote  # type: ignore[method-assign]


def main() -> None:
    record = Path(sys.argv[1])
    started = clock()
    import tasks
    from flows import cli
    from tasks import receive, versions

    count_bytes()
    watch(tasks, "check_params", "check_params")
    watch(receive, "receive", "receive")
    for name in PARTS:
        watch(versions, name, name)
    reproduce = versions.reproduce

    def reproduced(
        workspace: Path, stage: str, on_line: Callable[[str], None], *, run: bool = True, pull: bool = False
    ) -> bool:
        before = clock()
        ran = reproduce(workspace, stage, on_line, run=run, pull=pull)
        timed(stage, before, ran=ran)
        return ran

    versions.reproduce = reproduced
    sys.argv = ["assay", *sys.argv[2:]]
    try:
        cli.main()
    finally:
        timed("all", started)
        record.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
