"""How is a workspace told on one page? Plain values for dashboard.html.j2 from what sight.py and runs.py saw.

Pure functions; panels.py has those of labels, queue and people. Times are seconds since 1970; an unknown is a dash.
"""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.versions.manifest import short

from . import charts, panels
from .charts import Heat, shade
from .confusion import heat_of, is_dense
from .exporter import samples
from .links import in_grid
from .noise_history import NOW, OTHER, folded, largest
from .state import Arrival, Run, Server, State

UNKNOWN = "\N{EN DASH}"
MOST = 30  # rows of a list; the rest are counted
RECENT = 12  # revisions
RAISED = "Flow run encountered an exception: "  # Prefect's words before those of the error
FULL = 0.25  # the share of wrong labels that gets the darkest shade, or the largest there is
NEXT = {"complete": "assay run", "held": "assay receive"}  # a growing delivery needs nobody
SHAPES = {  # a state is told by word and shape as well as by colour: page.css has a class for each
    "completed": "●",
    "online": "●",
    "complete": "●",
    "running": "◐",
    "growing": "◐",
    "pending": "○",
    "late": "▲",
    "held": "▲",
    "failed": "▲",
    "crashed": "▲",
    "cancelled": "■",
    "pass": "●",
    "unclear": "○",
    "fail": "▲",
    "offline": "■",
}
PAGES = (
    ("report.html", "Report"),
    ("validation.html", "Validation"),
    ("noise.json", "Noise"),
    ("confusions.csv", "Confusions"),
)


def overview(
    state: State, server: Server, workspace: Path, now: float, place: Callable[[str], str | None] = lambda item: None
) -> dict[str, Any]:
    """Everything that the page shows; `place`: item -> its address in the review."""
    newest = state.revisions[0] if state.revisions else None
    return {
        "name": state.name,
        "shapes": SHAPES,
        "pages": PAGES,
        "workspace": str(workspace),
        "at": clock(now),
        "newest": newest,
        "tiles": tiles(state, now),
        "held": state.held[:MOST],
        "held_more": max(0, len(state.held) - MOST),
        "arrivals": [_arrival(one, now) for one in state.arrivals[:MOST]],
        "arrivals_more": max(0, len(state.arrivals) - MOST),
        "looked": None if state.looked is None else age(now - state.looked),
        "unapplied": state.unapplied,
        "unread": state.unread,
        "revisions": revisions(state),
        "revisions_more": max(0, len(state.revisions) - RECENT),
        "classes": by_class(state),
        "noise": panels.noise(state),
        "promises": panels.promises(state),
        "confusion": heat_of(state.confused, linked=True),
        "dense": is_dense(state.confused),
        "pairs": panels.pairs(state),
        "backlog": panels.backlog(state, now, age),
        "people": panels.people(state),
        "detectors": panels.detectors(state),
        "opened": panels.waiting(state, now, age, place),
        "studies": state.studies,
        "accuracies": charts.dots({short(tag): seeds for tag, seeds in state.accuracy.items()}),
        "drops": list(reversed(state.drops))[:MOST],
        "drops_more": max(0, len(state.drops) - MOST),
        "server": server,
        "runs": [_run(run, server, now) for run in server.recent],
        "workers": [
            (one.pool, one.name, one.online, UNKNOWN if one.seen is None else f"{age(now - one.seen)} ago")
            for one in server.workers
            if one.seen is not None and now - one.seen < 86_400
        ],
        "idle": [pool for pool in server.pools if not any(one.online for one in server.workers if one.pool == pool)],
        "stages": stages(state, server, now),
        "quarantine": sorted(state.quarantine.items()),
    }


def tiles(state: State, now: float) -> list[tuple[str, str, bool]]:
    """(figure, what it is, whether it asks for somebody)."""
    rate = state.noise[0].rate if state.noise else None
    waiting = sum(one.state != "growing" for one in state.arrivals)
    free = state.disk_free / max(state.disk_total, 1)
    queue = UNKNOWN if state.queue is None else f"{state.queue:,}"
    oldest = "" if state.queue_since is None else f", the oldest for {age(now - state.queue_since)}"
    return [
        (UNKNOWN if rate is None else f"{100 * rate:.1f} %", "of the labels estimated wrong, now", False),
        (queue, f"items in the queue{oldest}", False),
        (f"{len(state.held) + waiting:,}", "drops, classes and rows wait", bool(state.held or waiting)),
        (f"{state.unapplied:,}", "answers not yet applied", False),
        (f"{sum(state.quarantine.values()):,}", "rows quarantined", False),
        (size(state.disk_free), f"of disk free, {100 * free:.0f} %", free < 0.1),
    ]


def revisions(state: State) -> list[dict[str, Any]]:
    """One row a revision, newest first, what is not published yet above them."""
    told = {noise.revision: noise for noise in state.noise}
    rows: list[dict[str, Any]] = []
    if NOW in told:
        rows.append({"tag": NOW, "at": "not published", "counts": {}, "noise": told[NOW], "accuracy": "", "diff": None})
    for one in state.revisions[:RECENT]:
        accuracy = percent(state.accuracy.get(one.tag, ()))
        at = one.at[:16].replace("T", " ")
        parent = None if one.parent is None else short(one.parent)
        diff = None if parent is None else f"/revisions/{parent}..{short(one.tag)}"
        told_ = {"noise": told.get(one.tag), "accuracy": accuracy, "diff": diff}
        rows.append({"tag": one.tag, "at": at, "counts": one.counts, **told_})
    return rows


def by_class(state: State) -> Heat:
    """Class x revision, oldest revision on the left, now on the right: the estimated share of wrong labels."""
    chosen = largest(state.noise)
    columns = [short(noise.revision) for noise in reversed(state.noise) if noise.classes]
    cells: dict[tuple[str, str], float] = {}
    for noise in state.noise:
        for name, (_, rate) in folded(noise, chosen).items():
            cells[name, short(noise.revision)] = rate
    rows = list(dict.fromkeys([*chosen, *(name for name, _ in cells)]))
    most = max([FULL, *cells.values()])
    shown = {key: ("0" if rate == 0 else f"{100 * rate:.1f}", shade(rate, most)) for key, rate in cells.items()}
    links = {name: in_grid(given=name) for name in rows if name != OTHER}
    return Heat(
        rows, columns, shown, "class", "revision", {(row, one): links[row] for row, one in shown if row in links}, links
    )


def stages(state: State, server: Server, now: float) -> list[Mapping[str, str]]:
    """One row a stage: did the newest run of its flow need it, when did it last work, and how long?"""
    ran = {labels[0]: value for name, labels, value in samples(state, server, now) if name == "assay_stage_ran"}
    return [
        {
            "name": one.name,
            "state": {True: "ran", False: "nothing new"}.get(bool(ran[one.name]), "") if one.name in ran else UNKNOWN,
            "seconds": age(one.seconds) if one.seconds >= 10 else f"{one.seconds:.1f} s",
            "since": f"{age(now - one.ended)} ago",
        }
        for one in state.stages
    ]


def _arrival(one: Arrival, now: float) -> Mapping[str, str]:
    command = NEXT.get(one.state, "")
    folder = shlex.quote(f"data/incoming/{one.name}")
    return {
        "name": one.name,
        "state": one.state,
        "why": one.why,
        "since": UNKNOWN if one.since is None else age(now - one.since),
        "next": f"{command} {folder}" if one.state == "held" else command,
    }


def _run(run: Run, server: Server, now: float) -> Mapping[str, str]:
    seconds = run.seconds(now)
    return {
        "flow": f"{run.flow} {run.name}" if run.flow == "work" else run.flow,
        "state": run.state,
        "at": UNKNOWN if run.started is None else clock(run.started),
        "seconds": UNKNOWN if seconds is None else age(seconds),
        "message": run.message.removeprefix(RAISED)[:200] if run.state in ("failed", "crashed") else "",
        "link": f"{server.ui}/runs/flow-run/{run.id}" if server.ui else "",
    }


def percent(seeds: tuple[float, ...]) -> str:
    """Mean and standard deviation over the seeds: 97.9 % ± 0.6."""
    if not seeds:
        return ""
    spread = f" ± {100 * statistics.stdev(seeds):.1f}" if len(seeds) > 1 else ""
    return f"{100 * statistics.fmean(seeds):.1f} %{spread}"


def clock(at: float) -> str:
    """2026-11-21 07:34, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def age(seconds: float) -> str:
    """A length of time in its largest unit: 12 s, 5 min, 3 h, 4 d."""
    seconds = max(0.0, seconds)
    for unit, length, least in (("d", 86_400, 172_800), ("h", 3_600, 7_200), ("min", 60, 120)):
        if seconds >= least:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(count: float) -> str:
    """Bytes in their largest decimal unit: 312 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
