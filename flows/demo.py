"""What does Assay do, told on real images in a few minutes, without a server?

Drops of scikit-learn's digits with planted mistakes (digits.py) go through the real chain in a workspace of their own:
curated, published as delivered, the queue answered by a simulated reviewer, published again; then a rerun with nothing
new and a small further drop. Every figure is computed in the run that prints it, against what was planted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from tasks import exchange, sample, settling, store
from tasks.model import QUEUE, Report, label_json

from . import show
from .clock import now
from .curate import curate
from .demo_figures import measure
from .digits import DROPS, NOISE, UNKNOWN_CLASS, Digits, digits, write_drop
from .report import doubts, write_report
from .revise import revise

REVIEWER = "simulated"
REVIEWER_ERRS = 0.03
SEED = 0


@dataclass(slots=True)
class Demo:
    """The story so far."""

    folder: Path
    console: Console
    truth: Digits
    planted: dict[int, str] = field(default_factory=dict)  # row of the digits -> wrong label
    queue: list[str] = field(default_factory=list)  # doubted items of the answered queue, worst first
    doubts: dict[str, Any] = field(default_factory=dict)  # what the report shows of it
    reports: dict[str, tuple[Report, ...]] = field(default_factory=dict)  # chapter -> a Report a stage


class Chaptered(Protocol):
    """A story that can be told: where it happens, and where it is printed."""

    folder: Path
    console: Console


@contextmanager
def chapter(story: Chaptered, title: str) -> Iterator[None]:
    """A heading, the lines of the runs inside it, and the seconds that they took."""
    story.console.print()
    story.console.print(Rule(Text(title, "bold"), align="left", style="dim"))
    started = time.perf_counter()
    with show.run_lines(story.console, quiet=False, log_file=story.folder / ".assay/logs/demo.log"):
        yield
    story.console.print(Text(f"  {time.perf_counter() - started:.1f} s", "dim"))


def tell(folder: Path, console: Console, *, seeds: int = 5) -> None:
    """Run the whole story in the new workspace `folder`; writes its report.html."""
    started = time.perf_counter()
    demo = Demo(folder.resolve(), console, digits())
    console.print(f"A workspace of its own in {folder}: git, DVC and a local remote. No server, no network.")
    with chapter(demo, "1 · A drop arrives: 700 scans, 5 % of the labels planted wrong"):
        deliver(demo, "january-acme")
    with chapter(demo, "2 · Published as delivered, to have something to compare with"):
        publish(demo)
    with chapter(demo, "3 · Two more drops: one 10 % wrong with broken files, one clean"):
        deliver(demo, "february-bolt", "march-core")
    with chapter(demo, "4 · Published as delivered; what is held does not block the rest"):
        before = publish(demo)
    with chapter(demo, "5 · A simulated reviewer answers the queue from the truth, errs 3 %"):
        review(demo)
    with chapter(demo, "6 · The answers become a revision"):
        after = publish(demo)
    with chapter(demo, "7 · The same again, with nothing new"):
        deliver(demo)
    with chapter(demo, "8 · A drop of 1 %: only what is new is computed"):
        deliver(demo, "april-core")
    with chapter(demo, f"9 · What it was worth, against what was planted ({seeds} seeds)"):
        story = measure(demo, before, after, seeds=seeds)
    page = write_report(demo.folder, story)
    console.print(Text(f"\n{time.perf_counter() - started:.0f} seconds in all. The story as one page: {page}", "bold"))
    console.print("Next, try:")
    compared = f"{before} {after}"
    on_revisions = [f"diff {compared}", f"study before-after {compared}", f"get {after} train-me"]
    for command in ("log", "verify", *on_revisions, "export csv queue.csv"):
        console.print(Text(f"  .venv/bin/assay {command} --workspace {folder}", "green"))


def deliver(demo: Demo, *names: str) -> None:
    """Write the named drops into data/incoming, as a supplier would, and run what follows."""
    for name in names:
        landing = demo.folder / "data" / "incoming" / name
        faults = name == "february-bolt"
        demo.planted |= write_drop(demo.truth, name, landing, noise=NOISE[name], seed=SEED, faults=faults)
    curated = curate(demo.folder)
    ran = sum(report.status == "ran" for report in curated.reports)
    demo.console.print(Text(f"  {ran} of {len(curated.reports)} stages ran."))
    for sentence in curated.rejected:
        demo.console.print(Text(f"  {sentence}", "yellow"))
    demo.reports[" ".join(names) or "nothing new"] = curated.reports


def publish(demo: Demo) -> str:
    """`assay revise`; returns the tag."""
    return revise(demo.folder).published.tag


def review(demo: Demo) -> None:
    """Answer the whole queue through what `assay answer` runs, and settle the class that nobody knows."""
    settling.settle(demo.folder, f"class:{UNKNOWN_CLASS}", "reject", reviewer="owner", at=now())
    demo.console.print(Text(f"  assay reject class:{UNKNOWN_CLASS}", "green"))
    queue = store.read_table(demo.folder / "data" / "triage" / "queue.parquet", QUEUE)
    demo.queue, demo.doubts = list(queue.loc[queue["checks"] != sample.CHECK, "item"]), doubts(demo.folder)
    rng = np.random.default_rng(SEED)
    lines = []
    for item, given in zip(queue["item"], queue["y"], strict=True):
        says = int(demo.truth.labels[int(item[1:])])
        if rng.random() < REVIEWER_ERRS:
            says = int((says + rng.integers(1, 10)) % 10)
        action = "keep" if label_json(str(says)) == given else "relabel"
        lines.append(json.dumps({"item": item, "action": action, "label": str(says)}))
    answers = demo.folder / ".assay" / "answers.jsonl"
    answers.write_text("\n".join(lines) + "\n", encoding="utf-8")
    outcome = exchange.answer_file(demo.folder, answers, reviewer=REVIEWER, at=now())
    demo.console.print(Text(f"  assay answer answers.jsonl --reviewer {REVIEWER}", "green"))
    demo.console.print(f"  {outcome.accepted} answers taken, {len(outcome.refused)} refused.")


__all__ = ["DROPS", "Demo", "tell"]
