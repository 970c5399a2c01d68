"""What does git say, and how is it told?

The only place that starts git: argument lists, never a shell; no prompt, no pager, no inherited GIT_DIR. Everything
that changes the repository counts as one durable operation, so that the kill tests stop before it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from .. import durable
from ..model import Mistake

IDENTITY = ("Assay", "assay@localhost")  # set in the workspace alone, and only where the user has none
_INHERITED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")


class GitFailed(Mistake):
    """git refused; the message is its first line, `output` all it said."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output or message  # one that was killed has said nothing


def call(workspace: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run git in `workspace` and return what it said, whatever its exit status."""
    environment = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=workspace,
            env=environment,
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError:
        if shutil.which("git"):
            raise
        raise Mistake("Git is not installed. Install it (https://git-scm.com), then run the command again.") from None


def git(workspace: Path, *arguments: str, stdin: str | None = None) -> str:
    """What git printed, without the last newline; GitFailed with its first line when it refuses."""
    done = call(workspace, *arguments, stdin=stdin)
    if done.returncode:
        output = (done.stderr + done.stdout).strip()
        first = (output.splitlines() or [f"exit status {done.returncode}"])[0].rstrip(".")
        raise GitFailed(f"Git refused '{_verb(arguments)}' in '{workspace}': {first}. Run: git status", output)
    return done.stdout.removesuffix("\n")


def _verb(arguments: Sequence[str]) -> str:
    return arguments[2] if arguments[0] == "-c" else arguments[0]


def change(workspace: Path, *arguments: str, stdin: str | None = None) -> str:
    """`git`, for what changes the repository: one numbered operation, on the disk when it returns."""
    durable.step(f"git {arguments[0]}")
    return git(workspace, "-c", "core.fsync=all", *arguments, stdin=stdin)


def identify(workspace: Path) -> None:
    """Give the workspace a name to commit under, where the user has none."""
    for key, value in zip(("user.name", "user.email"), IDENTITY, strict=True):
        if not ask(workspace, "config", key):
            change(workspace, "config", key, value)


def ask(workspace: Path, *arguments: str) -> str | None:
    """What git printed, or None where it has no answer."""
    done = call(workspace, *arguments)
    return None if done.returncode else done.stdout.removesuffix("\n")


def lines(workspace: Path, *arguments: str) -> list[str]:
    """The NUL-separated names that git printed (give it -z)."""
    return [name for name in git(workspace, *arguments).split("\0") if name]


def folder(workspace: Path) -> Path:
    """The .git folder, also of a linked work tree."""
    plain = workspace / ".git"
    return plain if plain.is_dir() else workspace / git(workspace, "rev-parse", "--git-dir")


def branch(workspace: Path) -> str:
    """The current branch; Mistake on a detached HEAD."""
    name = ask(workspace, "symbolic-ref", "--quiet", "--short", "HEAD")
    if name is None:
        raise Mistake(f"Workspace '{workspace}' is on no branch. Run: git switch -c NAME")
    return name


def commit_of(workspace: Path, revision: str) -> str | None:
    """The commit that `revision` names, or None."""
    return ask(workspace, "rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}")


def tree_of(workspace: Path, revision: str) -> str | None:
    return ask(workspace, "rev-parse", "--quiet", "--verify", f"{revision}^{{tree}}")


def is_ancestor(workspace: Path, older: str, newer: str) -> bool:
    return call(workspace, "merge-base", "--is-ancestor", older, newer).returncode == 0


def show(workspace: Path, revision: str, path: str) -> str | None:
    """The text of `path` at `revision`, None if it is not there."""
    return ask(workspace, "show", f"{revision}:{path}")


def remote(workspace: Path) -> str | None:
    """The git remote that the current branch is published to: its own, else `origin`, else the only one, else none."""
    names = git(workspace, "remote").split()
    if configured := ask(workspace, "config", f"branch.{branch(workspace)}.remote"):
        return configured if configured in names else None
    return "origin" if "origin" in names else names[0] if len(names) == 1 else None


def changed(workspace: Path, *, untracked: bool) -> list[tuple[str, str]]:
    """(status, path) of everything that differs from HEAD, path relative to the workspace."""
    mode = "all" if untracked else "no"
    entries = lines(workspace, "status", "--porcelain=v1", "-z", "--no-renames", f"--untracked-files={mode}", "--", ".")
    prefix = git(workspace, "rev-parse", "--show-prefix")
    return [(entry[:2], entry[3:].removeprefix(prefix)) for entry in entries]


def stage(workspace: Path, paths: Iterable[str]) -> None:
    """Put the present state of exactly these paths into the index."""
    if chosen := sorted(paths):
        change(workspace, "add", "--all", "--", *chosen)


def commit(workspace: Path, message: str, paths: Sequence[str]) -> bool:
    """Commit exactly `paths` as they are now; False if nothing in them has changed."""
    stage(workspace, paths)
    if not paths or call(workspace, "diff", "--cached", "--quiet", "HEAD", "--", *paths).returncode == 0:
        return False
    change(workspace, "commit", "--quiet", "--no-verify", "--message", message, "--only", "--", *paths)
    return True
