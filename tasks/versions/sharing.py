"""Which facts enter the record, and under which message?

Drops (`receive: <drop>`), answers (`answers: <n>`) and the state of a run (`curate: <drop>`). Each call commits exactly
the files it made, and may be killed anywhere: the next one finishes.
"""

from __future__ import annotations

from pathlib import Path

from ..model import Mistake
from . import data, git
from .manifest import MANIFEST
from .objects import send
from .workspace import is_own, ready


def share_drop(workspace: Path, drop: str) -> bool:
    """Put a packed drop under DVC and commit it as `receive: <drop>`; send its bytes. False: they wait, remote down."""
    folder = workspace / "data" / "drops" / drop
    if not (folder / "receipt.json").exists():
        raise Mistake(f"Drop '{drop}' is not in {folder.parent}. Run: assay receive FOLDER")
    with ready(workspace) as workspace:
        if drop in unshared_drops(workspace):
            data.add(workspace, f"data/drops/{drop}")
            git.commit(workspace, f"receive: {drop}", [f"data/drops/{drop}.dvc", "data/drops/.gitignore"])
        try:
            send(workspace, f"data/drops/{drop}")
        except data.RemoteDown:
            return False  # publishing sends everything again
        return True


def unshared_drops(workspace: Path) -> list[str]:
    """Packed drops that no commit holds yet, in order of arrival: what a killed receive has left to share."""
    drops = workspace / "data" / "drops"
    committed = set(git.lines(workspace, "ls-tree", "-z", "--name-only", "HEAD", "data/drops/"))
    changed = {path for _, path in git.changed(workspace, untracked=True)}
    names = sorted(receipt.parent.name for receipt in drops.glob("*/receipt.json") if receipt.parent.name[0] != ".")
    return [n for n in names if (p := f"data/drops/{n}.dvc") not in committed or p in changed]


def take_answers(workspace: Path) -> int:
    """Move what people have answered from their journals into data/verdicts and commit it; the number of new lines.

    Called before a flow's first stage. Lines that a killed call had moved but not committed are counted here.
    """
    from ..journal import transfer  # the answers' own module: only who takes answers needs it

    with ready(workspace) as workspace:
        transfer(workspace)
        return commit_answers(workspace)


def commit_answers(workspace: Path) -> int:
    """Commit data/verdicts/*.jsonl as `answers: <n>` if they have grown, and with them which items were drawn."""
    logs = [p for _, p in git.changed(workspace, untracked=True) if p.startswith("data/verdicts/") and is_own(p)]
    if not logs:
        return 0
    git.stage(workspace, logs)
    counts = git.git(workspace, "diff", "--cached", "--numstat", "HEAD", "--", *logs).splitlines()
    new = sum(int(line.split("\t")[0]) for line in counts if "/verdicts/drawn/" not in line)
    git.commit(workspace, f"answers: {new}", logs)
    return new


def commit_run(workspace: Path, message: str) -> bool:
    """Commit what a run has written of ours (dvc.lock, code.yaml, ...) under `message`; False if nothing changed.

    Not data/revision.json: while a revision is pending it names a tag that does not exist yet.
    """
    with ready(workspace) as workspace:
        return git.commit(workspace, message, [path for path in own_changes(workspace) if path != MANIFEST])


def push_record(workspace: Path) -> str | None:
    """Send the branch to the git remote, so that drops and answers outlive this disk before the next revision.

    Returns why it did not go, in one sentence: the remote is silent, or somebody else was first; the next run goes on
    from theirs. None where it went, or where there is no remote.
    """
    with ready(workspace) as workspace:
        if (remote := git.remote(workspace)) is None:
            return None
        branch = git.branch(workspace)
        try:
            git.change(workspace, "push", "--quiet", remote, f"HEAD:refs/heads/{branch}")
        except git.GitFailed as failure:
            said = next((line for line in failure.output.splitlines() if not line.startswith("To ")), "no answer")
            return f"The git remote did not take branch '{branch}' ({said.strip()}). The next run sends it again."
    return None


def own_changes(workspace: Path) -> list[str]:
    """Our files that differ from HEAD, without the answers, which have a commit of their own."""
    changes = {path for _, path in git.changed(workspace, untracked=True)}
    return sorted(path for path in changes if is_own(path) and not path.startswith("data/verdicts/"))


def restore(workspace: Path, paths: list[str]) -> None:
    """Give up uncommitted changes of ours that can be made again: back to what HEAD has, or away."""
    if not paths:
        return
    tracked = git.lines(workspace, "ls-tree", "-z", "--name-only", "-r", "HEAD", "--", *paths)
    git.change(workspace, "reset", "--quiet", "--", *paths)
    if tracked:
        git.change(workspace, "checkout", "--quiet", "HEAD", "--", *tracked)
    for path in set(paths) - set(tracked):
        (workspace / path).unlink(missing_ok=True)
