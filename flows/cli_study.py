"""The commands that measure what a revision was worth: study before-after, study agreement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from tasks.model import Mistake

from .terminal import HERE, Workspace, console, open_workspace, print_next

app = typer.Typer(
    help="Measure what a revision was worth, and what would help next.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

STUDIES = ".assay/studies"
CLASSES, REMEDIES = 20, 10  # printed; the rest are counted
FIGURE = {"items": 5, "% of given": 13, "% of called": 13, "% wrong": 7}  # characters: 97.1 (93-100)
Out = Annotated[Path | None, typer.Option(help=f"The JSON file; default: one in {STUDIES}.", metavar="FILE")]


@app.command("before-after")
def before_after(
    a: Annotated[str, typer.Argument(metavar="A", help="The older revision.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The newer revision.")],
    seeds: Annotated[int, typer.Option(help="Trainings of each model, 3 or more.")] = 5,
    split: Annotated[str | None, typer.Option(help="The split to test on; default: test.", metavar="NAME")] = None,
    hold_out: Annotated[
        float | None,
        typer.Option(
            help="Test on this share of the items instead; default, without a test split: 0.2.", metavar="SHARE"
        ),
    ] = None,
    on: Annotated[
        str | None, typer.Option(help="What the model sees: pixels (images) or embeddings.", metavar="WHAT")
    ] = None,
    out: Out = None,
    workspace: Workspace = HERE,
) -> None:
    """Did the model get better from A to B, or only the test that it is measured by?

    A small network is trained on both revisions and scored on the test split of both; the step in error is divided into
    the test's part and the model's. No gain is claimed when its 95 % interval crosses 0. Writes a page and a picture.

    Example: assay study before-after v1.0.0 v1.1.0
    """
    root = open_workspace(workspace)
    from tasks.study_revisions import Options
    from tasks.study_revisions import before_after as study

    from .study_page import write_study

    options = Options(seeds=seeds, split=split, hold_out=hold_out, on=on)
    path = _place(out, root / STUDIES / f"before-after-{_plain(a)}-{_plain(b)}.json")
    with console.status(Text("reading ...")) as status:
        document = study(root, a, b, options, progress=lambda words: status.update(Text(f"{words} ...")))
    written = write_study(document, path)
    _print_cells(document)
    for name in written:
        console.print(Text(f"  {name}", "dim"))


@app.command()
def agreement(
    out: Out = None,
    workspace: Workspace = HERE,
) -> None:
    """Where do people and the model disagree, class by class, and what would help most?

    Three remedies, ranked by what they are expected to bring: answer the queue of a class, label more of it, or say
    more clearly where one class ends and another begins. Shown in report.html from the next run on.

    Example: assay study agreement
    """
    root = open_workspace(workspace)
    from tasks import store
    from tasks.study_agreement import agreement_now

    path = _place(out, root / STUDIES / "agreement.json")
    with console.status(Text("measuring ...")):
        document = agreement_now(root)
    store.write_json(path, document)
    _print_agreement(document)
    console.print(Text(f"  {path}", "dim"))
    if any(one["kind"] == "relabel" for one in document["remedies"]):
        print_next(workspace, "export csv queue.csv")


def _place(out: Path | None, usual: Path) -> Path:
    if out is None:
        return usual
    if out.suffix != ".json":
        raise Mistake(f"Option --out is '{out}'. A file name that ends in .json is allowed.")
    return out


def _plain(revision: str) -> str:
    """A revision as a part of a file name: dataset@v1.0.0 -> v1.0.0"""
    from tasks.versions.manifest import short

    return re.sub(r"[^A-Za-z0-9.]+", "-", short(revision)).strip("-.") or "revision"


def _print_cells(document: Mapping[str, Any]) -> None:
    from tasks.study_cells import points

    a, b = document["a"], document["b"]
    table = Table(box=None, pad_edge=False)
    table.add_column("error, 95 % interval")
    for name in (a, b):
        table.add_column(f"test of {name}", justify="right")
    for model, name in (("a", a), ("b", b)):
        cells = [document["cells"][f"{model} on {test}"] for test in "ab"]
        said = [f"{points(c['value'])} % ({points(c['low'])} to {points(c['high'])})" for c in cells]
        table.add_row(f"model of {name}", *said)
    console.print(table)
    console.print()
    for index, sentence in enumerate(document["sentences"]):
        console.print(Text(sentence, "bold" if index == 0 else ""))
    test, train = document["test"], document["train"]
    console.print(
        Text(
            f"Tested on {document['tested_on']}: {test['a']:,} and {test['b']:,} items, {test['both']:,} in both, "
            f"{test['relabelled']:,} of them with another label. Trained on {train['a']:,} and {train['b']:,} items "
            f"({document['on']}), {document['seeds']} seeds.",
            "dim",
        )
    )


def _print_agreement(document: Mapping[str, Any]) -> None:
    whole = document["agreement"]
    console.print(
        Text(f"The model agrees with {100 * whole['value']:.1f} % of {document['items']:,} labels.", "bold"),
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("class", "items", "% of given", "% of called", "% wrong", "confused with"):
        if heading in ("class", "confused with"):  # long names are broken before a figure is
            table.add_column(heading, overflow="fold")
        else:
            table.add_column(heading, justify="right", no_wrap=True, min_width=FIGURE[heading])
    for one in document["classes"][:CLASSES]:
        noise = "-" if one["noise"] is None else f"{100 * one['noise']:.1f}"
        other = "-" if one["other"] is None else f"{one['other']}: {one['there']} there, {one['back']} back"
        table.add_row(
            Text(one["name"]), f"{one['items']:,}", _percent(one["given"]), _percent(one["said"]), noise, Text(other)
        )
    console.print(table)
    console.print(Text("Of those given the class, and of those that the model calls so; 95 % intervals.", "dim"))
    if (more := len(document["classes"]) - CLASSES) > 0:
        console.print(f"and {more} classes more, with more agreement.")
    console.print()
    if document["caution"]:
        console.print(Text(document["caution"], "yellow"))
    if not document["remedies"]:
        console.print("No remedy can promise a single further agreement.")
    for number, one in enumerate(document["remedies"][:REMEDIES], 1):
        bound = "perhaps " if document["caution"] and one["kind"] != "more data" else ""
        gain = f"{bound}{one['gain']:.0f} ({one['low']:.0f} to {one['high']:.0f}) further agreements"
        console.print(Text(f"{number:>2}. {one['kind']}: {gain}", "bold"))
        console.print(Text(f"    {one['says']}"))
        if one["examples"]:
            console.print(Text(f"    Such as {', '.join(one['examples'][:4])}.", "dim"))
    if (more := len(document["remedies"]) - REMEDIES) > 0:
        console.print(f"    and {more} more in the file.")


def _percent(share: Mapping[str, Any]) -> str:
    """A share with its 95 % interval, in per cent: 97.1 (93-99)."""
    if share["value"] is None:
        return "-"
    return f"{100 * share['value']:.1f} ({100 * share['low']:.0f}-{100 * share['high']:.0f})"
