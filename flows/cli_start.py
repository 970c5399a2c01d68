"""The commands that make a workspace, and look after it: init, demo, doctor."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from tasks.model import Mistake, Task

from . import environment
from .terminal import HERE, Workspace, console, open_workspace, print_next

app = typer.Typer()

DEMOS = ("single", "pairs")
MARK = ".assay/demo"  # a folder with this file is an earlier demo, and may be replaced


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make or fill.")],
    remote: Annotated[str | None, typer.Option(help="The DVC remote; default: a local folder.", metavar="URL")] = None,
    modality: Annotated[str, typer.Option(help="What the items are: image or text.")] = "image",
    kind: Annotated[str, typer.Option(help="What a label is: single (one class) or pairs (a text).")] = "single",
) -> None:
    """Make a workspace: git, DVC, params.yaml, dvc.yaml, code.yaml; prints the tree.

    Example: assay init cats-and-dogs

    Example: assay init questions --modality text
    """
    environment.prepare(folder)
    from tasks import versions
    from tasks.labels import kind as kind_named
    from tasks.modalities import modality as modality_named

    kind_named(kind)
    model = modality_named(modality).resolve_auto()
    made = versions.init(folder, embed_model=model, remote=remote, task=Task(modality, kind))
    console.print(Text(f"{folder}", "bold"))
    for name in made:
        console.print(Text(f"  {name}"))
    console.print(f"\nItems of modality '{modality}' are embedded with '{model}' (embed.model in params.yaml).")
    console.print("\nPut a labelled folder in, then run the chain:")
    print_next(folder, "receive FOLDER", "run")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an earlier demo.")] = Path(
        "demo-workspace"
    ),
    seeds: Annotated[int, typer.Option(help="How many noise seeds to measure the audit over.")] = 5,
    kind: Annotated[str, typer.Option(help="single: images with a class each. pairs: sentences with translations.")] = (
        "single"
    ),
) -> None:
    """A complete story on images of digits or on translations: planted errors found, reviewed, published. No servers.

    Example: assay demo --kind pairs
    """
    if kind not in DEMOS:
        raise Mistake(f"Unknown demo '{kind}'. Demos are: {', '.join(DEMOS)}. Run: assay demo --kind {DEMOS[-1]}")
    make_room(folder)
    environment.prepare(folder)
    from tasks import versions

    versions.init(folder, task=Task("text" if kind == "pairs" else "image", kind))
    versions.write_note(folder, MARK, "made by assay demo\n")
    # Prefect makes its home at import: the workspace must be there
    if kind == "pairs":
        from .demo_pairs import tell
    else:
        from .demo import tell

    tell(folder, console, seeds=seeds)


@app.command()
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Remove what killed processes have left.")] = False,
    workspace: Workspace = HERE,
) -> None:
    """Check versions, locks, telemetry, passwords, cache, disk and clock; with --repair mend what is safe.

    Example: assay doctor --repair
    """
    root = open_workspace(workspace)
    from . import doctor as checks

    for done in checks.repair(root) if repair else ():
        console.print(Text(f"  {done}", "green"))
    lines = checks.examine(root)
    marks = {"well": ("✓", "green"), "note": ("!", "yellow"), "ill": ("✗", "red")}
    for line in lines:
        mark, colour = marks[line.state]
        console.print(Text(f"  {mark} ", colour) + Text(f"{line.check:<11}", "bold") + Text(line.says))
    if ill := [line.says for line in lines if line.state == "ill"]:
        raise Mistake(" ".join(ill))


def make_room(folder: Path) -> None:
    """Remove an earlier demo; anything else that is not empty is refused."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not (folder / MARK).exists():
            raise Mistake(f"'{folder}' is not empty and is no earlier demo. Name another folder: assay demo DIR")
        shutil.rmtree(folder)
