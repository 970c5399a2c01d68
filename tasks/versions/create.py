"""How does a folder become a workspace?

Writes git and DVC repositories, params.yaml, dvc.yaml, prefect.yaml, code.yaml, ignore files, data/; commits them.
Source: tasks/workspace/*.template (with another ending, so that neither git nor DVC takes them for their own).

The rule for files that are there already: params.yaml and dvc.yaml must be equal to what would be written; lines that
the ignore files lack are added at their end; everything else in the folder is left alone and not committed.
"""

from __future__ import annotations

import re
from pathlib import Path

from .. import durable
from ..labels import kind
from ..modalities import modality
from ..model import Mistake, Task
from . import data, git
from .code import write_code_versions
from .workspace import lock

TEMPLATES = Path(__file__).resolve().parents[1] / "workspace"
WHOLE = ("params.yaml", "dvc.yaml")  # must be ours to the letter
OFFERED = ("prefect.yaml",)  # written where there is none; another one is its owner's
LINES = (".gitignore", ".gitattributes", ".dvcignore")  # may hold more
KEPT = {  # the file that keeps each folder in git: a stage's input must never be absent
    "data/drops/.gitkeep": "",
    "data/incoming/.gitkeep": "",
    "data/model/.gitignore": "/*/\n",  # always the same, so that two clones' models do not differ in it
    "data/verdicts/.gitkeep": "",
}
LOCAL_REMOTE = "../.assay/remote"  # relative to .dvc/config: in the workspace, so the only copy until you add another


def init(
    folder: Path, *, embed_model: str | None = None, remote: Path | str | None = None, task: Task | None = None
) -> list[str]:
    """Make a workspace at `folder`; returns the files made, none if it is one already. Safe to repeat after a crash.

    `task`: what is labelled; by default images with one class each. `embed_model`: by default the modality's offline
    one. `remote`: where DVC keeps the bytes, a folder or an address such as s3://bucket/path; by default .assay/remote.
    """
    if folder.exists() and not folder.is_dir():
        raise Mistake(f"'{folder}' is a file. Choose a folder: assay init DIR")
    texts = {name: template(name) for name in (*WHOLE, *OFFERED, *LINES)}
    task = task or Task()
    kind(task.kind)
    texts["params.yaml"] = with_task(texts["params.yaml"], task)
    texts["params.yaml"] = with_embedder(texts["params.yaml"], embed_model or modality(task.modality).OFFLINE)
    if _is_complete(folder):
        return []
    _refuse_other_content(folder, texts)
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    if git.ask(root, "rev-parse", "--show-prefix") != "" or not (root / ".git").exists():
        git.change(root, "init", "--quiet", "--initial-branch", "main")
    git.identify(root)
    with lock(root):
        return _fill(root, texts, str(remote) if remote is not None else LOCAL_REMOTE)


def template(name: str) -> str:
    """The packaged text of a workspace file."""
    return (TEMPLATES / f"{name.removeprefix('.')}.template").read_text(encoding="utf-8")


def with_embedder(text: str, model: str) -> str:
    """params.yaml with `embed.model` set: the one choice that init makes, written down where people look."""
    line = re.compile(r"^(embed:\n(?:[ #].*\n)*?  model: *)\S+", re.MULTILINE)
    if line.search(text):
        return line.sub(rf"\g<1>{model}", text)
    return re.sub(r"^embed:( \{\})?$", f"embed:\n  model: {model}", text, flags=re.MULTILINE)


def with_task(text: str, task: Task) -> str:
    """params.yaml with `task.modality` and `task.kind` set."""
    for key, value in (("modality", task.modality), ("kind", task.kind)):
        text = re.sub(rf"^(  {key}: )\S+", rf"\g<1>{value}", text, count=1, flags=re.MULTILINE)
    return text


def _is_complete(folder: Path) -> bool:
    if not folder.is_dir() or git.ask(folder, "rev-parse", "--show-prefix") != "":
        return False
    return all(git.ask(folder, "cat-file", "-e", f"HEAD:{name}") is not None for name in (*WHOLE, ".dvc/config"))


def _refuse_other_content(folder: Path, texts: dict[str, str]) -> None:
    other = [name for name in WHOLE if (folder / name).exists() and (folder / name).read_text() != texts[name]]
    if other:
        verb = "it differs" if len(other) == 1 else "they differ"
        raise Mistake(
            f"Folder '{folder}' has {' and '.join(other)} already, and {verb} from what init would write. "
            "Move the file away, or choose another folder: assay init DIR"
        )


def _fill(root: Path, texts: dict[str, str], remote: str) -> list[str]:
    made = []
    for name in (*WHOLE, *OFFERED):
        if not (root / name).exists():
            durable.write_text(root / name, texts[name])
            made.append(name)
    for name in LINES:
        present = (root / name).read_text(encoding="utf-8") if (root / name).exists() else ""
        missing = [line for line in texts[name].splitlines() if line not in present.splitlines()]
        if missing:
            gap = "" if present.endswith("\n") or not present else "\n"
            durable.write_text(root / name, present + gap + "\n".join(missing) + "\n")
            made.append(name)
    for name, text in KEPT.items():
        if not (root / name).exists():
            durable.write_text(root / name, text)
            made.append(name)
    if not (root / ".dvc" / "config").exists() or "[core]" not in (root / ".dvc" / "config").read_text():
        data.init(root)
        data.configure(root, remote)
    made += [".dvc/.gitignore", ".dvc/config"]
    write_code_versions(root)
    made.append("code.yaml")
    git.commit(root, "init: an Assay workspace", sorted({*made, *WHOLE, *LINES}))
    return sorted(made)
