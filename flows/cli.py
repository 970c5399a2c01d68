"""The `assay` command: the chain by name, one sentence for a mistake, exit codes that scripts can trust.

Exit codes: 0 done, 1 a mistake, 3 done but something is held, 130 stopped by Ctrl-C. The only place that catches what
nothing else does: the traceback goes to assay-crash.log, the person gets one sentence.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.text import Text
from typer.exceptions import TyperException

from tasks.model import AssayError, counted

from . import cli_answers, cli_audit, cli_estimate, cli_history, cli_review, cli_serve, cli_start, cli_study, events
from .terminal import HERE, LogFile, Quiet, Reviewer, Workspace, console, open_workspace, print_next, print_waiting

INTERRUPTED = 130  # the exit code that typer makes of Ctrl-C amid a command

app = typer.Typer(
    help="Turns drops of labelled data into dataset revisions that people can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(cli_start.app)
app.add_typer(cli_answers.app)
app.add_typer(cli_serve.app)
app.add_typer(cli_history.app)
app.add_typer(cli_audit.app)
app.add_typer(cli_study.app, name="study")
app.add_typer(cli_estimate.app)
app.add_typer(cli_review.app)


@app.command()
def receive(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of images or texts with their labels.")],
    workspace: Workspace = HERE,
) -> None:
    """Pack a landing folder into data/drops, and commit it.

    Labels: one folder a class, or labels.csv / .tsv / .jsonl / .parquet with the columns path (or text, the item
    itself), label and, if you have them, id, split, annotator, meta_*.

    Example: assay receive ~/deliveries/2024-05-acme
    """
    root = open_workspace(workspace)
    from tasks import receive as receiving
    from tasks import versions

    from .clock import now

    with versions.lock(root), console.status(Text(f"reading {folder} ...")) as status:
        versions.prepare_run(root)
        receipt = receiving.receive(
            folder,
            root,
            received_at=now(),
            progress=lambda rows: status.update(Text(f"reading {folder}: {rows:,} rows ...")),
        )
        versions.share_drop(root, receipt.drop)
    if receipt.known:
        console.print(f"Nothing new: '{folder}' was already received as {receipt.drop}.")
        return
    console.print(
        f"Received {receipt.drop}: "
        f"{counted({'rows': receipt.rows, 'assets': receipt.assets, 'faulty_rows': receipt.faulty})}."
    )
    for sentence in receipt.notes:
        console.print(Text(f"  {sentence}"))
    print_next(workspace, "run")


@app.command()
def run(workspace: Workspace = HERE, quiet: Quiet = False, log_file: LogFile = None) -> None:
    """Receive what waits in data/incoming, then curate: new drops -> a queue, worst first.

    Ends with 3 when something is held, and names it.

    Example: assay run --workspace cats-and-dogs
    """
    root = open_workspace(workspace)
    from . import show
    from .curate import CanariesFell, curate

    fell: CanariesFell | None = None
    with show.run_lines(console, quiet=quiet, log_file=log_file):
        try:
            curated = curate(root)
        except CanariesFell as error:
            curated, fell = error.curated, error
    gate = next(report for report in curated.reports if report.stage == "validate")
    shown = gate.status == "ran" and not quiet  # in the stage's own lines
    print_waiting((*curated.rejected, *curated.growing, *(() if shown else curated.held)))
    queue = curated.reports[-1]
    if not quiet:
        console.print(f"\nThe queue holds {queue.counts.get('queued', 0):,} items, worst first.")
        console.print(Text(f"The workspace as one page: {root / 'report.html'}"))
        print_next(workspace, "export csv queue.csv", "answer queue.csv --reviewer YOU", "revise")
    if fell is not None:
        raise fell
    if curated.waits:
        raise typer.Exit(3)


def _settle(action: str, subject: str, workspace: Path, reviewer: str) -> None:
    root = open_workspace(workspace)
    from tasks import settling

    from .clock import now

    settling.settle(root, subject, action, reviewer=reviewer, at=now())
    events.tell("answers.arrived", root, answers=1)
    console.print(Text(f"Noted: {action} {subject}."))
    print_next(workspace, "run")


Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="class:NAME, drop:NAME, row:DROP/SOURCE or item:ID.")]


@app.command()
def accept(subject: Subject, workspace: Workspace = HERE, reviewer: Reviewer = "owner") -> None:
    """Let through what the gate holds.

    Example: assay accept class:dog
    """
    _settle("accept", subject, workspace, reviewer)


@app.command()
def reject(subject: Subject, workspace: Workspace = HERE, reviewer: Reviewer = "owner") -> None:
    """Leave out what the gate holds.

    Example: assay reject class:dgo
    """
    _settle("reject", subject, workspace, reviewer)


@app.command()
def revise(workspace: Workspace = HERE, quiet: Quiet = False, log_file: LogFile = None) -> None:
    """Apply the answers and publish a tagged revision.

    Example: assay revise
    """
    root = open_workspace(workspace)
    from . import show
    from .revise import revise as flow

    with show.run_lines(console, quiet=quiet, log_file=log_file):
        revised = flow(root)
    if revised.published.pending:
        print_waiting((revised.published.note,))
        raise typer.Exit(3)
    if not quiet:
        from tasks.export import usual_format

        tag = revised.published.tag
        console.print()
        print_next(workspace, "log", f"get {tag} DIR --format {usual_format(root)}", f"verify {tag}")


@app.command()
def augment(workspace: Workspace = HERE, quiet: Quiet = False, log_file: LogFile = None) -> None:
    """Augment the current revision: noise, rotation, translation, homothety, crop, elastic, grid distortion.

    Example: assay augment
    """
    root = open_workspace(workspace)
    from . import show
    from .augment import augment as flow

    with show.run_lines(console, quiet=quiet, log_file=log_file):
        report = flow(root)
    if not quiet:
        console.print(f"\n{report.counts['variants']:,} augmented items in {root / 'data' / 'augment'}.")


def main() -> NoReturn:
    """Run the command line; the exit code is the contract."""
    try:
        code = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except AssayError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except TyperException as error:
        sentence = error.format_message().rstrip(".")
        print(f"error: {sentence}. Try: assay --help", file=sys.stderr)
        sys.exit(1)
    except SystemExit:  # typer's own, when nobody reads any more (| head)
        raise
    except BaseException as error:
        logs = Path(".assay/logs")
        crash = (logs if os.access(logs, os.W_OK) else Path(tempfile.gettempdir())) / "assay-crash.log"
        crash.write_text(traceback.format_exc(), encoding="utf-8")
        print(
            f"error: {type(error).__name__}: {error}. This is a fault of Assay's; the details are in {crash}.",
            file=sys.stderr,
        )
        sys.exit(1)
    if code == INTERRUPTED:
        print("Stopped. What was done is kept; run the same command again to go on.", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
