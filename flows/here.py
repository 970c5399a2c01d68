"""How does the sweeper run a flow in its own process, without workers?"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tasks import versions
from tasks.model import AssayError, Mistake

from . import own_server
from .curate import curate
from .revise import revise
from .watch import Job, Say, Work


class Here:
    """Runs one flow after the other in this process; `say` hears what came of it."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def busy(self, workspace: Path, say: Say) -> bool:
        """Whether another process holds the workspace."""
        try:
            with versions.lock(workspace):
                return False
        except Mistake:
            return True

    def start(self, work: Work, workspace: Path, attempt: int) -> Job:
        """Hold the workspace, so that others see it busy; the job runs the flow and lets go."""
        held = ExitStack()
        held.enter_context(versions.lock(workspace))

        def job() -> None:
            with held:
                try:
                    own_server.start()
                    self._say(_curated(workspace) if work.flow == "curate" else _revised(workspace))
                except AssayError as error:  # the next look decides whether it is tried again
                    self._say(f"error: {error}")

        return job


def _curated(workspace: Path) -> str:
    curated = curate(workspace)
    drops = ", ".join(curated.received) or "no new drop"
    return f"curate: {drops}; the queue holds {curated.reports[-1].counts.get('queued', 0):,} items"


def _revised(workspace: Path) -> str:
    revised = revise(workspace)
    return f"revise: {revised.published.sentence}"
