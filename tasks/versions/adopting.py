"""How does the user's own model enter the record, and leave it?

data/model/<digest>/ (tasks/adopt.py fills it) is put under DVC beside data/model/<digest>.dvc and committed as
`model: FILE`, with whatever it replaces taken away. The commit is what counts: what lies in data/model and stands in no
commit was left by a killed call, and goes; what a commit names and is not here is pulled.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from .. import durable, store
from ..model import Mistake
from . import data, git
from .objects import send
from .sharing import own_changes, restore
from .workspace import ready

HOME = "data/model"


def share_model(workspace: Path, name: str | None, message: str) -> bool:
    """Make data/model/<name> the one model of the record; None: there is none any more.

    Its bytes are sent too. False: they wait, because the remote does not answer.
    """
    with ready(workspace) as workspace:
        if name is not None:
            data.add(workspace, f"{HOME}/{name}")
        _commit_only(workspace, name, message)
        if name is None:
            return True
        try:
            send(workspace, f"{HOME}/{name}")
        except data.RemoteDown:
            return False  # publishing sends everything again
        return True


def settle_models(workspace: Path) -> None:
    """Bring data/model to what HEAD says; Mistake where the recorded model cannot be had.

    Two clones may each have recorded one: the later commit counts.
    """
    with ready(workspace) as workspace:
        restore(workspace, [path for path in own_changes(workspace) if path.startswith(f"{HOME}/")])
        if len(_recorded(workspace)) > 1:
            added = git.git(workspace, "log", "--format=", "--name-only", "--diff-filter=A", "--", HOME).splitlines()
            newest = next(Path(path).stem for path in added if Path(path).stem in _recorded(workspace))
            _commit_only(workspace, newest, f"model: {newest}")
        known = _recorded(workspace)
        for path in sorted((workspace / HOME).iterdir()) if (workspace / HOME).is_dir() else ():
            if path.is_dir() and path.name not in known:
                durable.step(f"remove model {path.name}")
                shutil.rmtree(path)
        for name in known:
            _bring(workspace, name)


def _commit_only(workspace: Path, name: str | None, message: str) -> None:
    """Commit data/model with no record but that of `name`; the folders of the others go after it."""
    others = [path for path in sorted((workspace / HOME).glob("*.dvc")) if path.stem != name]
    for path in others:
        durable.step(f"remove {path.name}")
        path.unlink()
    changed = [path for path in own_changes(workspace) if path.startswith(f"{HOME}/")]
    git.commit(workspace, message, changed)
    for path in others:
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)


def _recorded(workspace: Path) -> list[str]:
    """The models that HEAD names."""
    names = git.lines(workspace, "ls-tree", "-z", "--name-only", "HEAD", f"{HOME}/")
    return sorted(Path(name).stem for name in names if name.endswith(".dvc"))


def _bring(workspace: Path, name: str) -> None:
    if _is_whole(workspace / HOME / name):
        return
    try:
        data.pull(workspace, f"{HOME}/{name}.dvc")
    except (data.RemoteDown, Mistake) as reason:
        raise Mistake(
            f"Your model '{HOME}/{name}' is not here, and cannot be had from the DVC remote ({reason}). "
            "Mend that, or take your model away: assay audit --none"
        ) from None
    if not _is_whole(workspace / HOME / name):
        raise Mistake(f"Your model '{HOME}/{name}' is not whole. Run: dvc pull {HOME}/{name}.dvc")


def _is_whole(folder: Path) -> bool:
    """Whether every file is there: a broken-off pull may leave some."""
    listed = folder / "model.json"
    return listed.exists() and all((folder / file).exists() for file in store.read_json(listed)["files"])
