"""How is a workspace told on one page? Plain values for dashboard.html.j2 from what sight.py and runs.py saw.

Pure functions but for the confusions, which are read here. Times are seconds since 1970; what is unknown is a dash.
"""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import charts
from .charts import Heat, shade
from .confusion import confusion
from .noise_history import NOW, folded, largest
from .state import Arrival, State

if TYPE_CHECKING:  # it imports Prefect
    from .runs import Run, Server

UNKNOWN = "\N{EN DASH}"
MOST = 30  # rows of a list; the rest are counted
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
    "offline": "■",
}
PAGES = (
    ("report.html", "Report"),
    ("validation.html", "Validation"),
    ("noise.json", "Noise"),
    ("confusions.csv", "Confusions"),
)


def overview(state: State, server: Server, workspace: Path, now: float) -> dict[str, Any]:
    """Everything that the page shows."""
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
        "classes": by_class(state),
        "confusion": confusion(workspace / "data" / "audit" / "confusions.csv"),
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
        "seconds": charts.bars([(stage.name, stage.seconds) for stage in state.stages], unit="s"),
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
        rows.append({"tag": NOW, "at": "not published", "counts": {}, "noise": told[NOW], "accuracy": ""})
    for one in state.revisions[:MOST]:
        accuracy = percent(state.accuracy.get(one.tag, ()))
        at = one.at[:16].replace("T", " ")
        rows.append({"tag": one.tag, "at": at, "counts": one.counts, "noise": told.get(one.tag), "accuracy": accuracy})
    return rows


def by_class(state: State) -> Heat:
    """Class x revision, oldest revision on the left, now on the right: the estimated share of wrong labels."""
    chosen = largest(state.noise)
    columns = [noise.revision.removeprefix("dataset@") for noise in reversed(state.noise) if noise.classes]
    cells: dict[tuple[str, str], float] = {}
    for noise in state.noise:
        for name, (_, rate) in folded(noise, chosen).items():
            cells[name, noise.revision.removeprefix("dataset@")] = rate
    rows = list(dict.fromkeys([*chosen, *(name for name, _ in cells)]))
    most = max([FULL, *cells.values()])
    shown = {key: ("0" if rate == 0 else f"{100 * rate:.1f}", shade(rate, most)) for key, rate in cells.items()}
    return Heat(rows, columns, shown, "class", "revision")


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
