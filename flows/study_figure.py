"""How does a study of before and after look on a slide? One PNG, 1600 x 900. The one home of matplotlib.

Drawn on a canvas of its own: no global state, no display, no font but the one that matplotlib brings along.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tasks.study_cells import points

from .study_charts import Step, ticks

INK, SOFT, LINE = "#1c2330", "#5b6577", "#e3e7ee"  # the light colours of page.css
COLOURS = {"error": "#a9b2c1", "test": "#b4541a", "model": "#0b6e6e"}


def write_figure(document: Mapping[str, Any], steps: Sequence[Step], path: Path) -> None:
    """Draw the way from one error to the other into `path` as a PNG; names are text, never mathematics."""
    figure = Figure(figsize=(16, 9), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    text: dict[str, Any] = {"parse_math": False, "color": INK}
    figure.text(0.06, 0.925, f"{document['a']} to {document['b']}", fontsize=17, **{**text, "color": SOFT})
    claim = textwrap.fill(document["sentences"][0], 82)
    figure.text(0.06, 0.895, claim, fontsize=21, fontweight="bold", va="top", linespacing=1.35, **text)
    axes = figure.add_axes((0.25, 0.16, 0.69, 0.58))
    for row, step in enumerate(steps):
        low, width = min(step.start, step.end), abs(step.end - step.start)
        axes.barh(row, width, left=low, height=0.52, color=COLOURS[step.kind], zorder=2)
        if step.whisker:
            a, b = (max(end, 0.0) for end in sorted(step.whisker))
            axes.plot([a, b], [row, row], color=INK, linewidth=2, zorder=3)
            for end in (a, b):
                axes.plot([end, end], [row - 0.1, row + 0.1], color=INK, linewidth=2, zorder=3)
        if row + 1 < len(steps):
            axes.plot([step.end, step.end], [row + 0.26, row + 0.74], color=SOFT, linestyle=(0, (3, 3)), zorder=1)
        axes.text(-0.02, row - 0.1, step.name, transform=axes.get_yaxis_transform(), ha="right", fontsize=17, **text)
        axes.text(
            -0.02,
            row + 0.19,
            step.says,
            transform=axes.get_yaxis_transform(),
            ha="right",
            fontsize=15,
            **{**text, "color": SOFT},
        )
    top = max(max(step.start, step.end, *(step.whisker or (0.0, 0.0))) for step in steps) * 1.04 or 0.01
    axes.set(xlim=(0, top), ylim=(len(steps) - 0.5, -0.5), yticks=[])
    axes.set_xticks(ticks(top), [f"{100 * tick:g} %" for tick in ticks(top)], fontsize=14, color=SOFT)
    axes.tick_params(length=0, pad=10)
    axes.grid(axis="x", color=LINE, zorder=0)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    whole = document["gains"]["whole"]
    figure.text(
        0.06,
        0.055,
        f"{points(whole['value'])} points = {points(document['gains']['yardstick']['value'])} of the test "
        f"+ {points(document['gains']['model']['value'])} of the model. {document['seeds']} seeds, "
        f"{document['test']['b']:,} test items, on {document['on']}; the whisker is the 95 % interval "
        "over items and seeds.",
        fontsize=14,
        **{**text, "color": SOFT},
    )
    figure.savefig(path, format="png", metadata={"Software": None})
