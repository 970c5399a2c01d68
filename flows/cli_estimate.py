"""The commands that say what the answers are worth: estimate, and apply with its damage meter."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tasks.model import Mistake

from . import events
from .terminal import HERE, Workspace, console, open_workspace, print_next

if TYPE_CHECKING:
    from tasks.bulk import Damage
    from tasks.estimate import Estimate, Interval

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]


@app.command()
def estimate(workspace: Workspace = HERE, json_: Json = False) -> None:
    """How many labels are wrong, how many are left, and what the next rows of the queue hold.

    From the answers to the items drawn at random (triage.audit_sample), which need no model to be right, and from those
    to the doubted rows.

    Example: assay estimate --workspace pets
    """
    root = open_workspace(workspace)
    from tasks import estimate as estimating

    found = estimating.of(root)
    if json_:
        console.print(json.dumps(asdict(found), indent=1))
        return
    for line in told(found):
        console.print(Text(line))
    if found.sample.wrong is None:
        print_next(workspace, "export csv queue.csv", "answer queue.csv --reviewer YOU")


def told(found: Estimate) -> list[str]:
    """The estimate in words, a line each."""
    says = found.sample
    lines = [f"Labels: {found.items:,}; wrong by people's answers so far: {found.found:,}."]
    if found.model_rate is not None:
        lines.append(f"By the model         {found.model_rate:.1%} of the labels as they were at the last run.")
    unknown = f", {says.unknown:,} unsure or disputed" if says.unknown else ""
    answered = f"{says.answered:,} of {says.drawn:,} drawn items answered{unknown}"
    if says.wrong is None:
        lines.append(f"By the audit sample  nothing yet: {answered}. They stand among the first rows of the queue.")
    else:
        share = _of(says.wrong, says.items, "{:.1%}")
        lines.append(f"By the audit sample  {share} wrong; {answered}.")
        beside = [
            (says.answered - says.used, "answered ones are left out, because drawn ones before them are not answered"),
            (says.guessed, "items stand for no answer yet: they are taken to be like those of their p_wrong"),
            (found.items - says.items, "items came through the gate after the draw, and are not spoken of"),
        ]
        lines += [f"                     {count:,} {what}." for count, what in beside if count > 0]
    if found.left is not None:
        lines.append(f"Left                 {_of(found.left, 1, '{:,.0f}')} wrong labels that nobody has found.")
    lines.append(f"                     By the model {found.model_left:,.0f} among the items that nobody has answered.")
    for band in found.bands:
        wrong = f"{band.found:,} of {band.answered:,} were wrong, {band.expected:,.1f} expected"
        lines.append(f"p_wrong from {band.above:<7.2f} {wrong}.")
    if found.next_rows:
        basis = "corrected by" if found.recalibrated else "as the model has it; too few answers to correct it:"
        lines.append(
            f"The next {found.next_rows:,} doubted rows are expected to hold {_of(found.next_wrong, 1, '{:,.0f}')} "
            f"wrong labels (p_wrong {basis} {found.answered:,} answers)."
        )
    else:
        lines.append("No doubted row waits in the queue.")
    return lines


def _of(figure: Interval, whole: int, form: str) -> str:
    """2 (0 to 5)"""
    value, low, high = (form.format(v / max(1, whole)) for v in (figure.value, figure.low, figure.high))
    return f"{value} ({low} to {high})"


@app.command()
def apply(
    suggestions: Annotated[bool, typer.Option("--suggestions", help="Give flagged items the suggested label.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove flagged items.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take every bulk change back.")] = False,
    above: Annotated[float, typer.Option(help="Only items of at least this p_wrong.", metavar="P")] = 0.0,
    class_: Annotated[str | None, typer.Option("--class", help="Only items labelled so.", metavar="NAME")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the surest so many.", metavar="N")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this the damage is only shown.")] = False,
    trust_model: Annotated[bool, typer.Option("--trust-model", help="Do it without answers to check it by.")] = False,
    workspace: Workspace = HERE,
    json_: Json = False,
) -> None:
    """Change many labels at once, after showing how many that would mend and how many it would break.

    Nothing happens without --yes, and never what breaks as many labels as it mends. Items that people have answered,
    and the audit sample, are left alone; a person's later answer wins over a bulk change.

    Example: assay apply --suggestions --above 0.9
    """
    root = open_workspace(workspace)
    if suggestions + remove + undo != 1:
        raise Mistake("Name one of --suggestions, --remove, --undo, as in: assay apply --suggestions --above 0.9")
    from tasks import bulk

    from .clock import now

    if undo:
        console.print(f"Taken back: {bulk.undo(root, at=now()):,} bulk changes.")
        print_next(workspace, "run")
        return
    choice = bulk.Choice("remove" if remove else "relabel", above, class_, limit)
    found = bulk.meter(root, choice)
    refused = bulk.refusal(found, trusted=trust_model) if found.changes else None
    if json_:
        console.print(json.dumps(asdict(found) | {"refused": refused}, indent=1))
    else:
        for line in _damage(found):
            console.print(Text(line))
    if not found.changes:
        return
    if refused is not None and (yes or found.balance.value <= 0):
        raise Mistake(refused)
    if not yes:
        if not json_:
            console.print(f"Nothing is changed. {refused or 'To do it, say the same again with --yes.'}")
        return
    count = bulk.apply(root, found, at=now())
    events.tell("answers.arrived", root, answers=count)
    if not json_:
        console.print(f"Applied: {count:,} bulk changes. To take them back: assay apply --undo")
        print_next(workspace, "revise")


def _damage(found: Damage) -> list[str]:
    if not found.changes:
        return [
            f"No flagged item fits that nobody has answered ({found.kept_out:,} of the audit sample are left alone)."
        ]
    relabel = found.action == "relabel"
    outcomes = [
        ("wrong -> right" if relabel else "wrong ones removed", found.mended),
        ("right -> wrong" if relabel else "right ones lost", found.broken),
        *([("wrong -> other wrong", found.moved)] if relabel else []),
    ]
    lines = [f"{'Relabel' if relabel else 'Remove'} {len(found.changes):,} items. Expected:"]
    lines += [f"  {name:<22}{count:>10,.1f}" for name, count in outcomes]
    lines.append(f"  {'balance':<22}{_of(found.balance, 1, '{:+,.1f}'):>10}")
    basis = f"p_wrong is corrected by {found.answers:,} answers" if found.checked else "p_wrong is the model's own word"
    lines.append(f"({basis}; {found.kept_out:,} flagged items of the audit sample are left alone.)")
    if found.bounded:
        lines.append("(How surely the suggestions are right is not known: wrong -> right is the most that it can be.)")
    return lines
