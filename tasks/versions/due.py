"""What follows from the record, and has not been done yet?

Read from git and the packed drops: the commits since dvc.lock was last committed, and since the newest revision. A run
that ended well commits dvc.lock, so whatever a killed one has left undone is still due.
"""

from __future__ import annotations

from pathlib import Path

from .. import answers
from ..model import Verdict
from . import git
from .manifest import parent_of_head
from .sharing import unshared_drops


def curate_due(workspace: Path) -> str | None:
    """The newest commit of a drop, or of a user's own model, that no finished run has seen; None if all have.

    A drop that was packed and never committed (the run ended in between) counts too: its landing folder is received.
    """
    if unshared := unshared_drops(workspace):
        return ", ".join(unshared)
    run = git.ask(workspace, "log", "-1", "--format=%H", "--", "dvc.lock")
    return _newest_since(workspace, run, "data/drops", "data/model")


def revise_due(workspace: Path) -> str | None:
    """The newest commit of a drop or an answer that no revision holds; None if the newest revision has them all."""
    tag = parent_of_head(workspace)
    return _newest_since(workspace, git.commit_of(workspace, tag) if tag else None, "data/drops", "data/verdicts")


def _newest_since(workspace: Path, since: str | None, *folders: str) -> str | None:
    files = [f"{folder}/*.{kind}" for folder in folders for kind in ("dvc", "jsonl")]
    span = f"{since}..HEAD" if since else "HEAD"
    return git.ask(workspace, "log", "-1", "--format=%H", span, "--", *files) or None


def published_ops(workspace: Path) -> set[str]:
    """The ops of all answers that the newest revision has taken in."""
    tag = parent_of_head(workspace)
    if tag is None:
        return set()
    names = git.lines(workspace, "ls-tree", "-z", "--name-only", tag, "data/verdicts/")
    found: set[str] = set()
    for name in names:
        if name.endswith(".jsonl"):
            text = git.show(workspace, tag, f"./{name}") or ""
            found |= {verdict.op for verdict in _whole(text)}
    return found


def _whole(text: str) -> list[Verdict]:
    parsed = []
    for raw in text.encode("utf-8", "surrogateescape").splitlines():
        try:
            parsed.append(answers.parse_line(raw))
        except ValueError:
            continue  # a torn line is no answer
    return parsed
