"""What does Assay do for translations? The story of `assay demo --kind pairs`, on sentences that it makes itself.

Drops of English sentences with their French (phrases.py), some with another sentence's, go through the real chain in a
workspace of their own: curated, published as delivered, the queue answered by a simulated reviewer, published again;
then a rerun with nothing new and a small further drop. Every figure is computed in the run that prints it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from tasks import exchange, store
from tasks.model import FINDINGS, METHODS, QUEUE, SCORES, Report, label_json

from .clock import now
from .curate import curate
from .demo import chapter
from .pair_figures import measured
from .phrases import NOISE, NOISY, SEED, Phrases, phrases, write_drop
from .report import doubts, write_report
from .revise import revise

REVIEWER = "simulated"
REVIEWER_ERRS = 0.03
SHOWN = 3  # flags that the story prints


@dataclass(slots=True)
class PairDemo:
    """The story so far."""

    folder: Path
    console: Console
    truth: Phrases
    planted: dict[int, tuple[int, str]] = field(default_factory=dict)  # row -> whose French it has, kind
    seen: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # the audit's tables before any answer
    noise: Mapping[str, Any] = field(default_factory=dict)
    queue: list[str] = field(default_factory=list)  # items that were answered, worst first
    doubts: dict[str, Any] = field(default_factory=dict)
    reports: dict[str, tuple[Report, ...]] = field(default_factory=dict)  # chapter -> a Report a stage


def tell(folder: Path, console: Console, *, seeds: int = 5) -> None:
    """Run the whole story in the new workspace `folder`; writes its report.html."""
    started = time.perf_counter()
    demo = PairDemo(folder.resolve(), console, phrases())
    console.print(f"A workspace of its own in {folder}: git, DVC and a local remote. No server, no network.")
    with chapter(demo, "1 · Two drops of English sentences with their French: 5 % have another sentence's"):
        deliver(demo, *NOISY)
        remember(demo)
    with chapter(demo, "2 · Published as delivered, to have something to compare with"):
        before = revise(demo.folder).published.tag
    with chapter(demo, "3 · A simulated reviewer answers the queue from the truth, errs 3 %"):
        review(demo)
    with chapter(demo, "4 · The answers become a revision"):
        after = revise(demo.folder).published.tag
    with chapter(demo, "5 · A drop of 1 %: only what is new is embedded"):
        deliver(demo, "march-lingua")
    with chapter(demo, f"6 · What it was worth, against what was planted ({seeds} seeds)"):
        story = measured(demo, before, after, seeds=seeds)
    page = write_report(demo.folder, story)
    console.print(Text(f"\n{time.perf_counter() - started:.0f} seconds in all. The story as one page: {page}", "bold"))
    console.print("Next, try:")
    for command in ("log", f"diff {before} {after}", "verify", f"get {after} train-me --format jsonl"):
        console.print(Text(f"  .venv/bin/assay {command} --workspace {folder}", "green"))


def deliver(demo: PairDemo, *names: str) -> None:
    """Write the named drops into data/incoming, as a supplier would, and run what follows."""
    for name in names:
        landing = demo.folder / "data" / "incoming" / name
        faults = name == NOISY[-1]
        demo.planted |= write_drop(demo.truth, name, landing, noise=NOISE[name], seed=SEED, faults=faults)
    curated = curate(demo.folder)
    demo.console.print(Text(f"  {sum(one.status == 'ran' for one in curated.reports)} stages ran."))
    demo.reports[" ".join(names)] = curated.reports


def remember(demo: PairDemo) -> None:
    """What the audit says before any answer; prints its worst flags."""
    folder = demo.folder / "data" / "audit"
    tables = {"scores": SCORES, "findings": FINDINGS, "methods": METHODS}
    demo.seen = {name: store.read_table(folder / f"{name}.parquet", table) for name, table in tables.items()}
    demo.noise = store.read_json(folder / "noise.json")
    for row in demo.seen["findings"].sort_values("severity", ascending=False).head(SHOWN).itertuples():
        demo.console.print(Text(f"  {row.item}  ", "bold") + Text(str(row.reason)))


def review(demo: PairDemo) -> None:
    """Answer the whole queue through what `assay answer` runs: the right French where it was wrong."""
    queue = store.read_table(demo.folder / "data" / "triage" / "queue.parquet", QUEUE)
    demo.queue, demo.doubts = list(queue["item"]), doubts(demo.folder)
    rng = np.random.default_rng(SEED)
    lines = []
    for item, given in zip(queue["item"], queue["y"], strict=True):
        right = demo.truth.french[int(item[1:])]
        wrong = label_json(right) != given
        if rng.random() < REVIEWER_ERRS:
            wrong = False  # nods at what stands there
        lines.append(
            json.dumps(
                {"item": item, "action": "relabel", "label": right} if wrong else {"item": item, "action": "keep"}
            )
        )
    answers = demo.folder / ".assay" / "answers.jsonl"
    answers.write_text("\n".join(lines) + "\n", encoding="utf-8")
    outcome = exchange.answer_file(demo.folder, answers, reviewer=REVIEWER, at=now())
    demo.console.print(Text(f"  assay answer answers.jsonl --reviewer {REVIEWER}", "green"))
    demo.console.print(f"  {outcome.accepted} answers taken, {len(outcome.refused)} refused.")
