"""How does a workspace that an older Assay made get what the stages need now?

Reads   tasks/workspace/*.template
Writes  dvc.yaml (deps that a stage of ours lacks), .gitignore (lines), data/*/.gitkeep; commits them

Covered: a kill at any moment (the next call finds its own unfinished edits and commits them), stages and deps that the
user has added (they stay). Not covered: a stage that is new altogether, or whose command or `deps: [...]` line the user
has written anew: it is left as it is.
"""

from __future__ import annotations

import re
from pathlib import Path

from .. import durable
from . import git
from .create import KEPT, template

_STAGE = re.compile(r"^  (\w+):\n    cmd: (.+)\n    deps: \[(.*)\]$", re.MULTILINE)


def upgrade(workspace: Path) -> bool:
    """Bring the files of the workspace up to date, and commit; True if anything had to be done.

    A file that the user has changed and not committed is left alone.
    """
    wanted = {"dvc.yaml": with_deps, ".gitignore": with_lines}
    changed = []
    for name, bring_up in wanted.items():
        before, path = git.show(workspace, "HEAD", f"./{name}"), workspace / name
        if before is None or not path.exists():
            continue
        before += "\n"  # git.show takes the last one away
        after, now = bring_up(before, template(name)), path.read_text(encoding="utf-8")
        if after == before or now not in (before, after):
            continue
        if now != after:
            durable.write_text(path, after)
        changed.append(name)
    for name, text in KEPT.items():
        if not (workspace / name).exists():
            durable.write_text(workspace / name, text)
            changed.append(name)
    return git.commit(workspace, "upgrade: what the stages of this Assay need", changed)


def with_deps(text: str, newest: str) -> str:
    """dvc.yaml with the deps that `newest` gives a stage with the same name and command, added behind its own."""
    ours = {(name, command): deps.split(", ") for name, command, deps in _STAGE.findall(newest)}

    def complete(found: re.Match[str]) -> str:
        name, command, deps = found.groups()
        have = [dep.strip() for dep in deps.split(",") if dep.strip()]
        lacking = [dep for dep in ours.get((name, command), ()) if dep not in have]
        return f"  {name}:\n    cmd: {command}\n    deps: [{', '.join([*have, *lacking])}]" if lacking else found[0]

    return _STAGE.sub(complete, text)


def with_lines(text: str, newest: str) -> str:
    """An ignore file with the lines of `newest` that it lacks, at its end."""
    present = text.splitlines()
    return text + "".join(f"{line}\n" for line in newest.splitlines() if line not in present)
