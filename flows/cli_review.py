"""The commands of the review: the page itself, and who may answer on it."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from rich.text import Text

from .clock import now
from .terminal import HERE, Workspace, console, open_workspace, print_next

app = typer.Typer()
reviewers = typer.Typer(help="Who may answer on the review page.", no_args_is_help=True)
app.add_typer(reviewers, name="reviewer")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Up to 40 of a-z 0-9 . _ -; answers are kept under it.")]


@app.command()
def review(
    workspace: Workspace = HERE,
    port: Annotated[int, typer.Option(help="Of the page.", min=0, max=65535)] = 8711,
    host: Annotated[str, typer.Option(help="The address to bind; others than loopback need reviewers and --allow.")] = (
        "127.0.0.1"
    ),
    allow: Annotated[
        list[str] | None, typer.Option(help="A host name that the page is reached by; may be repeated.", metavar="NAME")
    ] = None,
    reviewer: Annotated[
        str | None, typer.Option(help="Who sits at this machine.", envvar="ASSAY_REVIEWER", metavar="NAME")
    ] = None,
) -> None:
    """The review page and the dashboards: today's doubtful items, worst first; prints the link. Ctrl-C ends it.

    On loopback the link lets you in once; other people get a token each: assay reviewer add NAME. Where the pages are
    served already, by `assay up` or another `assay review`, it prints a new link to them and is done.

    Example: assay review --reviewer maria
    """
    root = open_workspace(workspace)
    from tasks.review import hosts, people

    known = people.people(root)
    if hosts.is_loopback(host):
        reviewer = people.at_this_machine(known, reviewer)
    elif reviewer is not None:
        people.check_person(reviewer)
    names = tuple(allow or ())
    hosts.hosts_of(host, names, known)  # a sentence before anything is loaded
    from tasks.review import served, server

    if (there := served.find(root)) is not None:
        _say(server.link(root, there.url, reviewer))
        _say(f"The pages are served already, by process {there.pid}; that one ends them.")
        return
    from . import dashboard
    from .republish import republish

    server.serve(
        root,
        host=host,
        port=port,
        reviewer=reviewer,
        hosts=names,
        say=_say,
        now=now,
        further=dashboard.further(root, lambda: dashboard.NO_PREFECT),
        publish=partial(republish, root),
    )


def _say(line: str) -> None:
    console.print(Text(line))


@reviewers.command()
def add(
    name: Name,
    role: Annotated[
        str, typer.Option(help="labeler answers; reviewer signs off and settles disputes too.")
    ] = "labeler",
    workspace: Workspace = HERE,
) -> None:
    """Give a person a token, shown once. Somebody who has one gets a new one, and the old one ends.

    Example: assay reviewer add maria --role labeler
    """
    root = open_workspace(workspace)
    from tasks.review import people

    known = name in people.people(root)
    token = people.add(root, name, role, at=now())
    console.print(Text(f"{'Renewed' if known else 'Added'}: {name}, {role}. Their token, which is shown only now:"))
    console.print(Text(f"  {token}", "bold"))
    print_next(workspace, "review")


@reviewers.command("list")
def show(workspace: Workspace = HERE) -> None:
    """Everybody who has a token.

    Example: assay reviewer list
    """
    root = open_workspace(workspace)
    from tasks.review import people

    found = people.people(root)
    for person in found.values():
        console.print(Text(f"  {person.name:<24} {person.role:<9} since {person.added[:10]}"))
    if not found:
        console.print("Nobody has a token yet.")
        print_next(workspace, "reviewer add NAME --role labeler")


@reviewers.command()
def remove(name: Name, workspace: Workspace = HERE) -> None:
    """End a person's token and sessions, at once; their answers stay.

    Example: assay reviewer remove maria
    """
    root = open_workspace(workspace)
    from tasks.review import people

    people.remove(root, name)
    console.print(Text(f"Removed: {name}. Their answers stay."))
