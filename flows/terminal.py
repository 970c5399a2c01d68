"""What do all commands share? The console, the workspace option, the next commands to try."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from . import environment

console = Console(highlight=False, soft_wrap=True, markup=False)

HERE = Path(".")
Workspace = Annotated[Path, typer.Option("--workspace", "-w", help="The workspace folder.", metavar="DIR")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but mistakes, for schedulers.")]
LogFile = Annotated[Path | None, typer.Option("--log-file", help="Keep the run's lines in FILE.", metavar="FILE")]
Reviewer = Annotated[str, typer.Option("--reviewer", help="Who says so.", envvar="ASSAY_REVIEWER", metavar="NAME")]


def open_workspace(workspace: Path) -> Path:
    """The workspace, checked, with its switches set; heavy imports come after this."""
    environment.prepare(workspace)
    from tasks import versions

    root = versions.open_workspace(workspace)
    (root / ".assay").mkdir(exist_ok=True)  # a fresh clone has none, and Prefect makes no parents of its home
    return root


def print_next(workspace: Path, *commands: str) -> None:
    """The next commands to try, with the workspace that was asked for."""
    where = "" if workspace == HERE else f" --workspace {shlex.quote(str(workspace))}"
    for command in commands:
        console.print(Text(f"  assay {command}{where}", "green"))


def print_waiting(sentences: tuple[str, ...]) -> None:
    """What waits for somebody, a sentence each; also for a scheduler, to whom nothing else is said."""
    for sentence in sentences:
        console.print(Text(f"  waits: {sentence}", "yellow"))
