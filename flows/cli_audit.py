"""The command that puts the user's own model in place of ours: audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from tasks.model import Mistake

from .terminal import HERE, LogFile, Quiet, Workspace, console, open_workspace, print_next, print_waiting

app = typer.Typer()

FILE = "FILE"


@app.command()
def audit(
    predictions: Annotated[
        Path | None, typer.Option("--predictions", metavar=FILE, help="Probabilities, a column a class.")
    ] = None,
    embeddings: Annotated[
        Path | None, typer.Option("--embeddings", metavar=FILE, help="Vectors, a row an item.")
    ] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="The model never saw any of these items: no fold is needed.")
    ] = False,
    none: Annotated[bool, typer.Option("--none", help="Take your model away again.")] = False,
    workspace: Workspace = HERE,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Audit with your own model: its predictions, its embeddings, or both; then bring the queue up to date.

    FILE is Parquet, CSV, TSV or npz, with one row an item, found by a column item (the item's id) or path (as it was
    delivered, or DROP/PATH). Predictions: a column a class, and a column fold, the fold in which the item was held out.
    Embeddings: every other column of numbers, or in Parquet one list column, embedding. npz: the arrays items or
    paths; probabilities, classes, folds; embeddings.

    Each call replaces what an earlier one gave. New items have no prediction until you give a new file.

    Example: assay audit --predictions probabilities.csv --embeddings vectors.npz
    """
    given = predictions is not None or embeddings is not None
    if none and (given or held_out):
        raise Mistake("--none takes your model away and goes with no other option. Run: assay audit --none")
    if not none and not given:
        raise Mistake("No file is named. Run: assay audit --predictions FILE, --embeddings FILE, or --none")
    if held_out and predictions is None:
        raise Mistake("--held-out is about predictions. Run: assay audit --predictions FILE --held-out")
    root = open_workspace(workspace)
    from tasks import adopt, versions

    from . import rankings, show
    from .curate import CanariesFell, curate

    fell: CanariesFell | None = None
    with versions.lock(root):
        if none:
            versions.share_model(root, None, "model: none")
            versions.prepare_run(root)
        else:
            versions.prepare_run(root)
            with console.status("reading ..."):
                adopted = adopt.adopt(root, predictions=predictions, embeddings=embeddings, held_out=held_out)
            names = ", ".join(str(path.name) for path in (predictions, embeddings) if path is not None)
            waits = not versions.share_model(root, adopted.name, f"model: {names}")
            later = ("The DVC remote does not answer; a later run sends it.",) if waits else ()
            for sentence in (*adopted.sentences, *adopted.doubts, *later) if not quiet else ():
                console.print(Text(f"  {sentence}", "yellow" if sentence not in adopted.sentences else ""))
        with show.run_lines(console, quiet=quiet, log_file=log_file):
            try:
                curated = curate(root, ())
            except CanariesFell as error:
                curated, fell = error.curated, error
        told = rankings.sentences(root / "data")
    print_waiting(curated.held if quiet else ())
    if not quiet:
        console.print()
        for sentence in told:
            console.print(Text(f"  {sentence}"))
        print_next(workspace, "export csv queue.csv", *(() if none else ("audit --none",)))
    if fell is not None:
        raise fell
    if curated.held:
        raise typer.Exit(3)
