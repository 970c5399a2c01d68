"""How do other programs hear what happened here, and how do we hear from them?

Prefect events about the resource `assay.workspace`: drop.landed and answers.arrived make the sweeper look at once,
queue.ready and revision.published are for whoever listens (prefect.yaml: triggers). They are hints: an event that is
lost costs time and nothing else. Without a server of its own, a run has nobody to tell.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

RESOURCE = "assay.workspace"

Name = Literal["drop.landed", "answers.arrived", "queue.ready", "revision.published"]


def tell(name: Name, workspace: Path, **about: str | int) -> bool:
    """Emit the event; False where no server is configured. `about` names things, it carries no data."""
    if not os.environ.get("PREFECT_API_URL"):
        return False
    from prefect.events import emit_event  # costs a second: only where there is somebody to tell

    resource = {"prefect.resource.id": RESOURCE, "prefect.resource.name": workspace.resolve().name}
    return emit_event(name, resource=resource, payload=dict(about)) is not None
