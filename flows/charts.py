"""How is a figure drawn without a script or a library in the page? As a small inline SVG.

Colours come from the page's CSS variables, so that light and dark both read. Text from the data never enters an SVG.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

WIDTH, HEIGHT = 520, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 34
LEVELS = 8  # shades of a heat map: the classes h1 to h8 of page.css


@dataclass(frozen=True, slots=True)
class Heat:
    """A coloured table for the macro `heat` of parts.html.j2; the number is in the cell, so that colour is not all."""

    rows: Sequence[str]
    columns: Sequence[str]
    cells: Mapping[tuple[str, str], tuple[str, int]]  # (row, column) -> what it says, its shade (0: none)
    row_word: str  # "given": what a row's name is
    column_word: str
    links: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (row, column) -> where it leads
    row_links: Mapping[str, str] = field(default_factory=dict)


def shade(value: float, most: float) -> int:
    """0 for nothing, else 1 to LEVELS."""
    return 0 if value <= 0 or most <= 0 else min(LEVELS, 1 + int(value / most * LEVELS * 0.999))


def line(
    points: Sequence[tuple[float, float]], *, x: str, y: str, percent: bool = False, diagonal: bool = False
) -> Markup:
    """A line chart of (x, y); `percent`: both axes are shares; `diagonal`: the random order as a dashed line."""
    if len(points) < 2:
        return Markup("")
    x_top = 1.0 if percent else max(px for px, _ in points)
    x_low = 0.0 if percent else min(px for px, _ in points)
    y_top = 1.0 if percent else max(max(py for _, py in points), 1e-9)

    def at(px: float, py: float) -> str:
        across = (px - x_low) / max(x_top - x_low, 1e-9)
        return (
            f"{LEFT + across * (WIDTH - LEFT - RIGHT):.1f},{HEIGHT - BOTTOM - py / y_top * (HEIGHT - TOP - BOTTOM):.1f}"
        )

    parts = [_axes(x_low, x_top, y_top, percent)]
    if diagonal:
        parts.append(f'<polyline class="rule" points="{at(0, 0)} {at(1, 1)}"/>')
    parts.append(f'<polyline class="curve" points="{" ".join(at(px, py) for px, py in points)}"/>')
    parts.append(_titles(x, y))
    return _svg(parts, f"{y} against {x}")


def _axes(x_low: float, x_top: float, y_top: float, percent: bool) -> str:
    lines = []
    for share in (0, 0.25, 0.5, 0.75, 1.0):
        y = HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
        x = LEFT + share * (WIDTH - LEFT - RIGHT)
        y_label = f"{share:.0%}" if percent else f"{share * y_top:.2g}"
        x_label = f"{share:.0%}" if percent else f"{x_low + share * (x_top - x_low):,.0f}"
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{y_label}</text>')
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        lines.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="{anchor}">{x_label}</text>')
    return "".join(lines)


def _titles(x: str, y: str) -> str:
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    return f'<text class="title" x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x)}</text>'


def course(points: Sequence[tuple[str, float, tuple[float, float] | None]], *, promise: float, y: str) -> Markup:
    """Shares with their intervals in the order of time, a promise as a dashed line: (short name, share, interval)."""
    if not points:
        return Markup("")
    ticks = _round_ticks(max([promise, *(interval[1] if interval else value for _, value, interval in points)]))
    top = ticks[-1]
    step = (WIDTH - LEFT - 2 * RIGHT) / len(points)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    parts = []
    for value in ticks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(value):.1f}" y2="{up(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{up(value) + 4:.1f}" text-anchor="end">{100 * value:g} %</text>')
    parts.append(
        f'<line class="promise" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(promise):.1f}" y2="{up(promise):.1f}"/>'
    )
    places = [LEFT + RIGHT / 2 + step * (n + 0.5) for n in range(len(points))]
    line_ = " ".join(f"{x:.1f},{up(value):.1f}" for x, (_, value, _) in zip(places, points, strict=True))
    parts.append(f'<polyline class="curve" points="{line_}"/>')
    for x, (name, value, interval) in zip(places, points, strict=True):
        if interval:
            low, high = interval
            parts.append(f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{up(high):.1f}" y2="{up(low):.1f}"/>')
        kept = "kept" if value <= promise else "broken"
        parts.append(f'<circle class="{kept}" cx="{x:.1f}" cy="{up(value):.1f}" r="5"/>')
        parts.append(
            f'<text class="name" x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{escape(name)}</text>'
        )
    return _svg(parts, y)


def _round_ticks(most: float) -> list[float]:
    """From 0 in steps of 1, 2 or 5 to the first that is not below `most`, in three to six steps."""
    step = 10.0 ** math.floor(math.log10(most))
    step *= next(part for part in (0.2, 0.5, 1.0, 2.0) if most / (step * part) <= 5.5)
    return [round(step * n, 12) for n in range(math.ceil(most / step * (1 - 1e-9)) + 1)]


def dots(groups: Mapping[str, Sequence[float]]) -> Markup:
    """One row a group: a dot a value, a bar at the mean; for accuracies over seeds."""
    values = [value for group in groups.values() for value in group]
    if not values:
        return Markup("")
    low, high = min(values), max(values)
    margin = max((high - low) * 0.15, 0.002)
    low, high = low - margin, high + margin
    row_height = 44
    height = row_height * len(groups) + BOTTOM
    left = 170

    def at(value: float) -> float:
        return left + (value - low) / (high - low) * (WIDTH - left - RIGHT)

    parts = []
    for tick in range(5):
        value = low + (high - low) * tick / 4
        parts.append(f'<line class="grid" x1="{at(value):.1f}" x2="{at(value):.1f}" y1="0" y2="{height - BOTTOM}"/>')
        anchor = "end" if tick == 4 else "middle"
        parts.append(f'<text x="{at(value):.1f}" y="{height - BOTTOM + 16}" text-anchor="{anchor}">{value:.1%}</text>')
    for index, (name, group) in enumerate(groups.items()):
        y = row_height * index + row_height / 2
        mean = statistics.fmean(group)
        parts.append(f'<text class="name" x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        parts += [f'<circle class="dot" cx="{at(value):.1f}" cy="{y}" r="5"/>' for value in group]
        parts.append(f'<line class="mean" x1="{at(mean):.1f}" x2="{at(mean):.1f}" y1="{y - 14}" y2="{y + 14}"/>')
    return _svg(parts, "accuracy by revision", height)


def bars(rows: Sequence[tuple[str, float]], *, unit: str, label: str = "", whole: bool = False) -> Markup:
    """Horizontal bars with their values; for seconds a stage, or, `whole`, for counts."""
    if not rows:
        return Markup("")
    top = max(value for _, value in rows) or 1.0
    row_height, left = 24, 112 if whole else 80
    parts = []
    for index, (name, value) in enumerate(rows):
        y = index * row_height
        width = value / top * (WIDTH - left - (110 if whole else 70))
        said = f"{value:,.0f}" if whole else f"{value:.1f}"
        parts.append(f'<text class="name" x="{left - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect class="bar" x="{left}" y="{y + 5}" width="{max(width, 1):.1f}" height="14" rx="3"/>')
        parts.append(f'<text x="{left + width + 6:.1f}" y="{y + 16}">{said} {escape(unit)}</text>')
    return _svg(parts, label or f"{unit} a stage", row_height * len(rows))


def _svg(parts: Sequence[str], label: str, height: float = HEIGHT) -> Markup:
    inside = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">{inside}</svg>')
