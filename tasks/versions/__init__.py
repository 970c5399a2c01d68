"""How does the record come about, and what is in it? The only place that runs DVC and git.

workspace.py: open, lock, repair. create.py: init. code.py: code.yaml. data.py: DVC. git.py: git. sharing.py: drops,
answers and runs into git. publishing.py, seal.py, manifest.py, objects.py: a revision. history.py: what was published.
due.py: what has not been done yet. placing.py, pieces.py: stages elsewhere. adopting.py: the user's own model.
upgrade.py: a workspace that an older Assay made.
Every operation that changes anything takes the workspace lock and repairs first, and may be killed anywhere.
"""

from __future__ import annotations

from . import pieces, placing
from .adopting import share_model
from .code import write_code_versions
from .create import init
from .data import MustRun, RemoteDown
from .due import curate_due, published_ops, revise_due
from .history import (
    Diff,
    Revision,
    compare,
    diff,
    ensure_shards,
    identity,
    log,
    read_dataset,
    read_past,
    read_removed,
    verify,
)
from .manifest import resolve
from .publishing import Published, publish, require_published
from .sharing import commit_run, push_record, share_drop, take_answers, unshared_drops
from .update import prepare_run, update
from .workspace import lock, open_workspace, repair, reproduce, require_clean, write_note

__all__ = [
    "Diff",
    "MustRun",
    "Published",
    "RemoteDown",
    "Revision",
    "commit_run",
    "compare",
    "curate_due",
    "diff",
    "ensure_shards",
    "identity",
    "init",
    "lock",
    "log",
    "open_workspace",
    "pieces",
    "placing",
    "prepare_run",
    "publish",
    "published_ops",
    "push_record",
    "read_dataset",
    "read_past",
    "read_removed",
    "repair",
    "reproduce",
    "require_clean",
    "require_published",
    "resolve",
    "revise_due",
    "share_drop",
    "share_model",
    "take_answers",
    "unshared_drops",
    "update",
    "verify",
    "write_code_versions",
    "write_note",
]
