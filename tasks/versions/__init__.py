"""How does the record come about, and what is in it? The only place that runs DVC and git.

workspace.py: open, lock, repair. create.py: init. code.py: code.yaml. data.py: DVC. git.py: git. sharing.py: drops,
answers and runs into git. publishing.py, seal.py, manifest.py, objects.py: a revision. history.py: what was published.
Every operation that changes anything takes the workspace lock and repairs first, and may be killed anywhere.
"""

from __future__ import annotations

from .code import write_code_versions
from .create import init
from .data import RemoteDown
from .history import Diff, Revision, diff, ensure_shards, log, read_dataset, read_past, verify
from .publishing import Published, publish, require_published
from .sharing import commit_run, share_drop, take_answers, unshared_drops
from .update import prepare_run, update
from .workspace import lock, open_workspace, repair, reproduce, require_clean, write_note

__all__ = [
    "Diff",
    "Published",
    "RemoteDown",
    "Revision",
    "commit_run",
    "diff",
    "ensure_shards",
    "init",
    "lock",
    "log",
    "open_workspace",
    "prepare_run",
    "publish",
    "read_dataset",
    "read_past",
    "repair",
    "reproduce",
    "require_clean",
    "require_published",
    "share_drop",
    "take_answers",
    "unshared_drops",
    "update",
    "verify",
    "write_code_versions",
    "write_note",
]
