"""The commands that stay and work by themselves: up, watch, worker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from tasks.model import Mistake

from . import environment
from .clock import now
from .terminal import HERE, Workspace, console, open_workspace

app = typer.Typer()


@app.command()
def up(
    workspace: Workspace = HERE,
    port: Annotated[int, typer.Option(help="Of the Prefect server; another one if it is taken.")] = 4200,
    page_port: Annotated[int, typer.Option(help="Of the pages; another one if it is taken.")] = 8710,
    reviewer: Annotated[
        str | None, typer.Option(help="Who sits at this machine.", envvar="ASSAY_REVIEWER", metavar="NAME")
    ] = None,
) -> None:
    """Server, cpu and gpu workers, watcher, dashboards and review on loopback; prints the links. Ctrl-C ends all.

    A complete drop put into data/incoming runs by itself, and ends as a queue.

    Example: assay up
    """
    root = open_workspace(workspace)
    from .up import up as stay

    stay(root, _say, port=port, page_port=page_port, reviewer=reviewer)


@app.command()
def watch(
    workspace: Workspace = HERE,
    once: Annotated[bool, typer.Option("--once", help="Do what is due, then end; for cron.")] = False,
) -> None:
    """Look for complete drops and for answers, and run what is due; in this process, or on the server of `assay up`.

    What it waits for is said in `watch:` of params.yaml. With --once it ends with 3 when something is held, 1 after a
    mistake; on a server it does not wait for the runs that it has started.

    Example: assay watch --once
    """
    root = open_workspace(workspace)
    from . import address
    from .watch import watch as stay

    if address.find(root) is not None or "ASSAY_WORKSPACE" in os.environ:  # told by `assay up`, or by a person
        from .submit import OnServer

        code = stay(root, OnServer(), _say, once=once)
    else:
        from .here import Here

        code = stay(root, Here(_say), _say, once=once)
    _say("Nothing more is due.")
    if code:
        raise typer.Exit(code)


@app.command()
def worker(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="The workspace: its git URL, or a path.")],
    pool: Annotated[str, typer.Option(help="cpu or gpu; place: in params.yaml says which stages go there.")] = "gpu",
    clone: Annotated[Path, typer.Option(help="The worker's own clone; kept and used again.", metavar="DIR")] = Path(
        "assay-worker"
    ),
) -> None:
    """Take the stages of a pool, on this machine, in a clone of its own. PREFECT_API_URL names the server.

    Example: assay worker git@example.org:team/cats.git --pool gpu
    """
    environment.prepare(None)
    from tasks import versions

    from .server import POOLS
    from .up import worker_of

    if pool not in POOLS:
        raise Mistake(f"Unknown pool '{pool}'. Pools are: {', '.join(POOLS)}.")
    if not os.environ.get("PREFECT_API_URL"):
        raise Mistake("No server is named. Set PREFECT_API_URL (and PREFECT_API_AUTH_STRING), then run: assay worker")
    place = str(Path(origin).resolve()) if Path(origin).is_dir() else origin
    shown = versions.placing.without_password(place)
    command, settings = worker_of(pool, clone.resolve(), {"ASSAY_ORIGIN": place}, queues=("stages",))
    _say(f"A worker of pool '{pool}' for {shown}, in {clone}. Ctrl-C ends it.")
    os.execvpe(command[0], command, {**os.environ, **settings})


def _say(line: str) -> None:
    console.print(Text(f"{now()}  {line}"))
