"""What does a person see while a run works? A line a stage, a spinner with the progress, and nothing with --quiet.

The lines are those of the run's own log (Prefect's loggers), so that terminal, log file and Prefect UI agree.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.status import Status
from rich.text import Text

from tasks import STAGES

from . import own_server

PROGRESS = re.compile(r"^\w+: [\d,]+ of [\d,]+ ")
ENDED = re.compile(r" in [\d.]+ s$|^nothing new$")  # the last line of a stage, with its counts
OURS = ("steps.py", "curate.py", "revise.py", "augment.py")
LOGGERS = ("prefect.task_runs", "prefect.flow_runs")


class RunLines(logging.Handler):
    """Shows our own records: progress ("embed: 1,000 of 10,000 items") in the spinner, everything else as a line.

    What a stage says on its way is dim, its counts and notes are not.
    """

    def __init__(self, console: Console, status: Status) -> None:
        super().__init__(logging.INFO)
        self._console = console
        self._status = status
        self._ended: str | None = None  # the stage whose counts were shown last

    def emit(self, record: logging.LogRecord) -> None:
        if Path(record.pathname).name not in OURS:
            return
        line = record.getMessage()
        if PROGRESS.search(line):
            self._status.update(Text(line))
            return
        stage, separator, rest = line.partition(": ")
        if not separator:
            self._console.print(Text(f"  {line}"))
            return
        detail = stage in STAGES and stage != self._ended and not ENDED.search(rest)
        style = "dim" if detail else "yellow" if stage in STAGES and stage == self._ended else ""
        self._ended = None if detail else stage  # what a stage says after its counts are notes for a person
        self._console.print(Text(f"  {stage:<9}", "cyan dim" if detail else "bold cyan") + Text(rest, style))
        self._status.update(Text(f"{stage} ..." if detail else "..."))


@contextmanager
def run_lines(console: Console, *, quiet: bool, log_file: Path | None) -> Iterator[None]:
    """Show the lines of the flows that run inside, and keep them in `log_file`.

    Import the flows first: Prefect's import sets up logging, and drops handlers that are there already. The server is
    started here, not by the first flow, so that the spinner turns meanwhile.
    """
    handlers: list[logging.Handler] = []
    with ExitStack() as stack:
        if not quiet:
            status = stack.enter_context(console.status("starting ...")) if console.is_terminal else Status("")
            handlers.append(RunLines(console, status))
        if log_file is not None:
            log_file.parent.mkdir(parents=True, exist_ok=True)
            kept = logging.FileHandler(log_file, encoding="utf-8")
            kept.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            handlers.append(kept)
        for handler in handlers:
            for name in LOGGERS:
                logging.getLogger(name).addHandler(handler)
        try:
            own_server.start()
            with own_server.is_there():
                yield
        finally:
            for handler in handlers:
                for name in LOGGERS:
                    logging.getLogger(name).removeHandler(handler)
                handler.close()
