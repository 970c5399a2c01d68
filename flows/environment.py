"""Which switches must be set before Prefect, DVC and Great Expectations are imported?

Telemetry off, Prefect's console quiet (show.py shows its lines, the run's logs keep them), the server that `assay up`
keeps for the workspace, else a Prefect home in the workspace, so that a run needs no server started by hand and leaves
nothing outside. What a user has set stays.
"""

from __future__ import annotations

import os
from pathlib import Path

from tasks import telemetry

from .address import find

PREFECT = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_CLI_PROMPT": "false",
}


def prepare(workspace: Path | None) -> None:
    """Set the switches for this process and its children; before prefect, dvc or great_expectations is imported."""
    os.environ.update(telemetry.OFF)
    for name, value in PREFECT.items():
        os.environ.setdefault(name, value)
    if workspace is None:
        return
    if "PREFECT_API_URL" not in os.environ and (server := find(workspace)) is not None:
        os.environ.update(server.environment)  # `assay up` is at work here: runs show in its UI
    if not {"PREFECT_HOME", "PREFECT_API_URL", "PREFECT_PROFILE"} & os.environ.keys():
        os.environ["PREFECT_HOME"] = str((workspace / ".assay" / "prefect").resolve())
