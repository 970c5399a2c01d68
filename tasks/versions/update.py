"""How does this clone follow the others?

Fetches the git remote's branch and puts our own unpublished commits (drops, answers, runs) on top of it; what a stage
can make again (dvc.lock, code.yaml, revision.json) gives way, answers merge line by line, drops come from the remote.
"""

from __future__ import annotations

from pathlib import Path

from .. import store
from ..model import Mistake, RevisionConflict
from . import git
from .adopting import settle_models
from .code import write_code_versions
from .data import RemoteDown
from .history import ensure_shards
from .publishing import fetch
from .sharing import commit_answers, own_changes, restore, share_drop, unshared_drops
from .upgrade import upgrade
from .workspace import ready, require_clean


def prepare_run(workspace: Path) -> str | None:
    """What comes before the first stage: repaired, clean, up to date, no drop left unshared, code.yaml right.

    A git remote that does not answer is no reason to stop: the work is done here and published later. Returns the
    sentence about it, None where all is well.
    """
    unreachable = None
    with ready(workspace) as workspace:
        git.identify(workspace)
        upgrade(workspace)
        require_clean(workspace)
        settle_models(workspace)
        try:
            update(workspace)
        except RemoteDown as down:
            unreachable = f"The git remote does not answer ({down}); going on with what is here."
        bring_drops(workspace)
        for drop in unshared_drops(workspace):
            share_drop(workspace, drop)
        write_code_versions(workspace)
    return unreachable


def update(workspace: Path) -> int:
    """Bring the clone up to its git remote (0 commits if there is none); raises RemoteDown, RevisionConflict."""
    with ready(workspace) as workspace:
        require_clean(workspace)
        remote, branch = git.remote(workspace), git.branch(workspace)
        upstream = fetch(workspace, remote, branch) if remote else None
        if upstream is None or git.is_ancestor(workspace, upstream, "HEAD"):
            return 0
        commit_answers(workspace)
        restore(workspace, [path for path in own_changes(workspace) if not path.endswith(".dvc")])
        new = int(git.git(workspace, "rev-list", "--count", f"HEAD..{upstream}"))
        try:
            # no renames: to git two models that took the place of one are one file with two new names
            options = ("--strategy-option", "ours", "--strategy-option", "no-renames")
            git.change(workspace, "rebase", "--quiet", *options, upstream)
        except git.GitFailed as failure:
            git.call(workspace, "rebase", "--abort")
            raise RevisionConflict(
                f"The commits of '{workspace}' and of '{remote}/{branch}' cannot be put together by themselves "
                f"({failure.output.splitlines()[0]}). Run: git rebase {remote}/{branch}"
            ) from None
        bring_drops(workspace)
        settle_models(workspace)
        return new


def bring_drops(workspace: Path) -> None:
    """Pull the recorded drops that are not here, or not whole; Mistake where one cannot be had.

    A fresh clone has none of them, a broken-off pull some: the stages would take what is absent for withdrawn, and
    publish a revision without it.
    """
    for path in sorted((workspace / "data" / "drops").glob("*.dvc")):
        if absent := _absent(path.with_suffix("")):
            ensure_shards(workspace, [f"{path.stem}/{name}" for name in absent])
            if still := _absent(path.with_suffix("")):
                raise Mistake(
                    f"Drop '{path.stem}' is not whole: '{still[0]}' is absent. Run: dvc pull data/drops/{path.name}"
                )


def _absent(folder: Path) -> list[str]:
    receipt = folder / "receipt.json"
    if not receipt.exists():
        return ["receipt.json"]
    return [name for name in store.read_json(receipt)["files"] if not (folder / name).exists()]
