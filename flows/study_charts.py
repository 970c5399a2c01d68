"""How is a study drawn: the way from one error to the other, step by step, and the four cells?

Inline SVG like charts.py: colours are classes of page.css, text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, ROW, BAR = 520, 50, 20
LEFT, RIGHT, BOTTOM = 150, 16, 26


@dataclass(frozen=True, slots=True)
class Step:
    """A bar from one error to another, in [0, 1]; `kind` is its class in page.css: error, test or model."""

    name: str
    start: float
    end: float
    kind: str
    says: str  # the figure beside it
    whisker: tuple[float, float] | None = None  # where its end lies with 95 %


def steps(rows: Sequence[Step]) -> Markup:
    """A waterfall, one row a step, the error along the x axis from 0; dashed lines join a step's end to the next."""
    top = max([1e-9, *(max(row.start, row.end, *(row.whisker or (0.0, 0.0))) for row in rows)]) * 1.02
    height = ROW * len(rows) + BOTTOM

    def at(error: float) -> float:
        return LEFT + max(error, 0.0) / top * (WIDTH - LEFT - RIGHT)

    parts = []
    for tick in ticks(top):
        parts.append(f'<line class="grid" x1="{at(tick):.1f}" x2="{at(tick):.1f}" y1="0" y2="{height - BOTTOM}"/>')
        parts.append(f'<text x="{at(tick):.1f}" y="{height - 8}" text-anchor="middle">{100 * tick:g} %</text>')
    for index, row in enumerate(rows):
        y = ROW * index + 8
        low, high = sorted((at(row.start), at(row.end)))
        parts.append(f'<text class="name" x="{LEFT - 12}" y="{y + 10}" text-anchor="end">{escape(row.name)}</text>')
        parts.append(f'<text x="{LEFT - 12}" y="{y + 25}" text-anchor="end">{escape(row.says)}</text>')
        parts.append(
            f'<rect class="step {escape(row.kind)}" x="{low:.1f}" y="{y}" width="{max(high - low, 1.5):.1f}" '
            f'height="{BAR}" rx="3"/>'
        )
        if row.whisker:
            a, b, middle = at(row.whisker[0]), at(row.whisker[1]), y + BAR / 2
            parts.append(f'<line class="whisker" x1="{a:.1f}" x2="{b:.1f}" y1="{middle}" y2="{middle}"/>')
            for x in (a, b):
                parts.append(f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 5}" y2="{middle + 5}"/>')
        if index + 1 < len(rows):
            x = at(row.end)
            parts.append(f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{y + BAR}" y2="{y + ROW}"/>')
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="from one error to the other">'
        f"{''.join(parts)}</svg>"
    )


def ticks(top: float) -> list[float]:
    """Four to seven round errors from 0 up to `top`.

    >>> ticks(0.08)
    [0.0, 0.02, 0.04, 0.06, 0.08]
    """
    for step in (s * 10.0**-power for power in range(5, -1, -1) for s in (1, 2, 5)):
        if top / step < 7:
            return [round(step * n, 8) for n in range(int(top / step + 1e-9) + 1)]
    return [0.0, top]
