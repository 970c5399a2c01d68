"""The commands that look at revisions: get, log, diff, verify."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

from tasks.model import Mistake

from .terminal import HERE, Workspace, console, open_workspace

if TYPE_CHECKING:
    from tasks.versions import Revision

app = typer.Typer()

WIDE = 1_000  # columns: more than a row of revisions needs


@app.command()
def get(
    rev: Annotated[str, typer.Argument(metavar="REV", help="dataset@v1.0.0, or just v1.0.0.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty or new folder.")],
    format: Annotated[
        str | None, typer.Option(help="imagefolder, csv or jsonl; default: imagefolder, of pairs csv.")
    ] = None,
    workspace: Workspace = HERE,
) -> None:
    """Write a revision out, ready to train.

    Example: assay get v1.0.0 train-me --format imagefolder
    """
    root = open_workspace(workspace)
    from tasks.export import get as write_out

    with console.status(f"writing {folder} ..."):
        count = write_out(root, rev, folder, format)
    console.print(f"Wrote {count:,} items of {rev} to {folder}.")


@app.command()
def log(workspace: Workspace = HERE) -> None:
    """List the revisions, newest first.

    Example: assay log
    """
    root = open_workspace(workspace)
    from tasks import versions

    revisions = versions.log(root)
    if not revisions:
        raise Mistake("No revision yet. Run: assay revise")
    table, wide = _listed(revisions), console.options.update(width=WIDE)
    room = max(console.width, console.measure(table, options=wide).minimum)  # a terminal breaks lines, rich would cut
    console.print(Segments(console.render(table, wide.update(width=room))))


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A")],
    b: Annotated[str, typer.Argument(metavar="B")],
    items: Annotated[bool, typer.Option("--items", help="Also list each item.")] = False,
    workspace: Workspace = HERE,
) -> None:
    """What changed between two revisions: items added and removed, labels changed by class pair.

    Example: assay diff v1.0.0 v1.0.1
    """
    root = open_workspace(workspace)
    from tasks import versions

    changes = versions.diff(root, a, b)
    console.print(
        f"{a} -> {b}: {len(changes.added):,} items added, {len(changes.removed):,} removed, "
        f"{len(changes.relabelled):,} labels changed."
    )
    for (old, new), count in changes.pairs():
        console.print(Text(f"  {count:>6,}  {old} -> {new}"))
    if items:
        for line in changes.lines():
            console.print(Text(f"  {line}"))


@app.command()
def verify(
    rev: Annotated[str | None, typer.Argument(metavar="REV", help="Default: every revision.")] = None,
    workspace: Workspace = HERE,
) -> None:
    """Read every file of a revision again and compare it with the manifest that was published.

    Example: assay verify v1.0.0
    """
    root = open_workspace(workspace)
    from tasks import versions

    with console.status("reading ..."):
        problems = versions.verify(root, rev)
    if problems:
        raise Mistake("\n".join(problems))
    console.print(f"{rev or 'Every revision'} is intact.")


def _listed(revisions: Sequence[Revision]) -> Table:
    """A revision a row, in 80 columns for what is usual; where that is too narrow the time breaks, and never a tag.

    A parent is told as commands take it, without "dataset@".
    """
    from tasks.versions.manifest import short

    numbers = ("items", "classes", "relabelled", "removed")
    table = Table(box=None, pad_edge=False)
    for heading in ("revision", "when", *numbers, "parent"):
        table.add_column(heading, justify="right" if heading in numbers else "left", no_wrap=heading != "when")
    for each in revisions:
        told = (each.counts.get(name) for name in numbers)
        counts = ["-" if count is None else f"{count:,}" for count in told]  # the first has nothing to differ from
        parent = short(each.parent or "-")
        table.add_row(each.tag, each.at[:16].replace("T", " "), *counts, parent)
    return table
