"""`python -P -m tasks STAGE`: one stage in the current workspace, as dvc.yaml calls it; `params` checks params.yaml.

With `--shard 0/2` only the pieces of one share are made (shards.py).

Its lines go to standard output and, for whoever watches, to .assay/logs/<stage>.log; a failure ends in one sentence,
in .assay/logs/<stage>.error too. It dies with the process that started it (ASSAY_PARENT), so that a killed run leaves
nobody writing.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TextIO

SHARD = re.compile(r"--shard (\d+)/([1-9]\d*)")


class Tee:
    """A text stream that writes each piece to two streams at once."""

    def __init__(self, first: TextIO, second: TextIO) -> None:
        self._streams = (first, second)

    def write(self, text: str) -> int:
        for stream in self._streams:
            stream.write(text)
            stream.flush()
        return len(text)

    def flush(self) -> None:
        for stream in self._streams:
            stream.flush()

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._streams[0].fileno()


def die_with(parent: int) -> None:
    """End this process, hard, within a second of the process `parent` going away."""

    def watch() -> None:
        while True:
            try:
                os.kill(parent, 0)
            except ProcessLookupError:
                os.kill(os.getpid(), 9)
            time.sleep(0.5)

    threading.Thread(target=watch, daemon=True).start()


def main(arguments: list[str]) -> int:
    if parent := os.environ.get("ASSAY_PARENT"):
        die_with(int(parent))
    from . import STAGES

    if arguments == ["params"]:
        return _params()
    shard = SHARD.fullmatch(" ".join(arguments[1:]))
    if not arguments or arguments[0] not in STAGES or (arguments[1:] and not shard):
        print(f"usage: python -P -m tasks STAGE [--shard 0/2]    (stages: {', '.join(STAGES)})", file=sys.stderr)
        return 2
    stage = arguments[0]
    logs = Path(".assay/logs")
    logs.mkdir(parents=True, exist_ok=True)
    error_file = logs / f"{stage}.error"
    error_file.unlink(missing_ok=True)
    with open(logs / f"{stage}.log", "w", encoding="utf-8") as log:
        sys.stdout, sys.stderr = Tee(sys.__stdout__, log), Tee(sys.__stderr__, log)  # type: ignore[arg-type]
        try:
            return _run(stage, error_file, (int(shard[1]), int(shard[2])) if shard else None)
        finally:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def _params() -> int:
    from . import compare_params
    from .model import AssayError

    try:
        compare_params(Path.cwd() / "params.yaml")
    except AssayError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _run(stage: str, error_file: Path, shard: tuple[int, int] | None) -> int:
    from . import run, shards, stage_module
    from .model import AssayError, StageFailed, counted

    try:
        if shard is not None:
            shards.run(stage, stage_module(stage), Path.cwd(), *shard)
            return 0
        report = run(stage, Path.cwd())
    except AssayError as error:
        transient = isinstance(error, StageFailed) and error.transient
        error_file.write_text(json.dumps({"message": str(error), "transient": transient}), encoding="utf-8")
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BaseException as error:
        # Our own mistake: the sentence goes up, the traceback stays in the log for whoever mends it.
        sentence = (
            f"Stage '{stage}' failed: {type(error).__name__}: {str(error).rstrip('.')}. See .assay/logs/{stage}.log"
        )
        error_file.write_text(json.dumps({"message": sentence, "transient": False}), encoding="utf-8")
        traceback.print_exc()
        print(f"error: {sentence}", file=sys.stderr)
        return 1
    print(f"{stage}: {counted(report.counts)} in {report.seconds:.1f} s")
    for note in report.notes:
        print(f"{stage}: {note}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
