"""The commands by which people answer elsewhere: export, answer; with a Label Studio server: --push, --pull."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from tasks.model import Mistake

from . import events
from .terminal import HERE, Reviewer, Workspace, console, open_workspace, print_next

app = typer.Typer()

LABEL_STUDIO = "label-studio"
URL = "URL"
SHOWN = 20  # refused rows that are printed
NOTED = 5  # other rows about which there is something to say


@app.command()
def export(
    format: Annotated[
        str, typer.Argument(metavar="FORMAT", help="csv (safe in a spreadsheet), jsonl (exact) or label-studio.")
    ],
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The file to write.", show_default=False)
    ] = None,
    push: Annotated[
        str | None, typer.Option("--push", metavar=URL, help="label-studio: send the tasks to the server at URL.")
    ] = None,
    workspace: Workspace = HERE,
) -> None:
    """Write the queue out, for people to answer elsewhere.

    label-studio writes the tasks, and beside them the labelling interface as .xml; or --push makes a project on a
    server, or adds to it what is new. The token is read from LABEL_STUDIO_API_KEY.

    Example: assay export csv queue.csv
    """
    if push is not None and format != LABEL_STUDIO:
        raise Mistake(f"Format '{format}' is not pushed. Run: assay export label-studio --push {push}")
    if push is None and file is None:
        raise Mistake(f"No file is named. Run: assay export {shlex.quote(format)} FILE")
    root = open_workspace(workspace)
    from tasks import exchange

    if file is not None:
        count = exchange.export_queue(root, format, file)
        console.print(Text(f"Wrote {count:,} rows to {file}: doubtful items, worst first, and drawn ones."))
        if format == LABEL_STUDIO:
            console.print(Text(f"The labelling interface is in {file.with_suffix('.xml')}."))
            console.print("In Label Studio: Create Project, import the tasks, paste the interface as custom template.")
            if push is None:
                print_next(workspace, "answer EXPORT.json --reviewer YOU")
        else:
            console.print("Fill the columns `action` and `label`.")
            print_next(workspace, f"answer {shlex.quote(str(file))} --reviewer YOU")
    if push is not None:
        from . import label_studio, label_studio_http

        _warn(label_studio_http.exposed(push))
        with console.status(Text("sending tasks ...")) as status:
            pushed = label_studio.push(
                root, push, progress=lambda sent: status.update(Text(f"sending tasks: {sent:,} ..."))
            )
        made = "Made" if pushed.made else "Found"
        console.print(Text(f"{made} the project '{pushed.title}': {pushed.page}"))
        console.print(f"{pushed.new:,} tasks are new, {pushed.already:,} were there.")
        print_next(workspace, f"answer --pull {shlex.quote(push)} --reviewer YOU")


@app.command()
def answer(
    reviewer: Reviewer,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="CSV or JSONL with the columns item, action, label; or Label Studio's export as JSON or JSON-MIN.",
            show_default=False,
        ),
    ] = None,
    pull: Annotated[
        str | None, typer.Option("--pull", metavar=URL, help="Take them from the Label Studio server at URL.")
    ] = None,
    person: Annotated[
        list[str] | None,
        typer.Option("--person", metavar="WHO=NAME", help="Who somebody in Label Studio is here: number or e-mail."),
    ] = None,
    workspace: Workspace = HERE,
) -> None:
    """Take people's answers: keep, relabel, remove, unsure or ambiguous. The same file twice is taken once.

    From Label Studio each annotation counts for who gave it: --person bob@acme.org=bob names them, --reviewer is the
    one who is not named. --pull reads the token from LABEL_STUDIO_API_KEY.

    Example: assay answer queue.csv --reviewer maria
    """
    if (file is None) == (pull is None):
        raise Mistake("One of FILE and --pull URL is needed. Run: assay answer FILE, or: assay answer --pull URL")
    root = open_workspace(workspace)
    from tasks import annotated, exchange

    from .clock import now

    people = annotated.people(person or ())
    addresses: Mapping[str, str] = {}
    if pull is not None:
        from . import label_studio, label_studio_http

        _warn(label_studio_http.exposed(pull))
        with console.status("reading annotations ..."):
            pulled = label_studio.pull(root, pull)
        file, addresses = pulled.file, pulled.addresses
    assert file is not None, "one of the two"
    outcome = exchange.answer_file(root, file, reviewer=reviewer, at=now(), people=people, addresses=addresses)
    if outcome.accepted:
        events.tell("answers.arrived", root, answers=outcome.accepted)
    console.print(
        f"Taken: {outcome.accepted:,} new, {outcome.already:,} already there, {len(outcome.refused):,} refused, "
        f"{outcome.unanswered:,} left empty."
    )
    _print_some(outcome.notes, NOTED, "dim")
    _print_some(outcome.refused, SHOWN, "red")
    if outcome.refused:
        console.print(Text(f"  Refused lines are kept in {outcome.kept_aside}."))
    print_next(workspace, "revise")
    if outcome.refused:
        raise typer.Exit(3)


def _warn(sentence: str | None) -> None:
    if sentence is not None:
        console.print(Text(f"  {sentence}", "yellow"))


def _print_some(sentences: tuple[str, ...], most: int, style: str) -> None:
    for sentence in sentences[:most]:
        console.print(Text(f"  {sentence}", style))
    if len(sentences) > most:
        console.print(f"  and {len(sentences) - most:,} more.")
