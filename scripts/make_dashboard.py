"""How does deploy/grafana.json come about? From the table in flows/metrics.py; nobody edits it by hand.

    python -P scripts/make_dashboard.py

Reads   flows/metrics.py
Writes  deploy/grafana.json, to be imported in Grafana 10 or later (made for schema 39; not rendered in a Grafana here)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # with -P the root is not on the path

from flows.metrics import ROWS, Metric  # noqa: E402

TARGET = ROOT / "deploy" / "grafana.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDE, ACROSS = 24, 4  # columns of Grafana's grid, panels in a row
STAT, SERIES = 4, 7  # rows of the grid that a panel is high


def panel(metric: Metric, number: int, x: int, y: int, height: int) -> dict[str, Any]:
    """One figure without labels as a large number with its course behind it, one with labels as lines."""
    labelled = bool(metric.labels)
    options: dict[str, Any] = (
        {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "multi"}}
        if labelled
        else {"graphMode": "area", "colorMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}}
    )
    return {
        "id": number,
        "type": "timeseries" if labelled else "stat",
        "title": metric.title,
        "description": metric.help,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": WIDE // ACROSS, "h": height},
        "fieldConfig": {"defaults": {"unit": metric.unit, "min": 0}, "overrides": []},
        "options": options,
        "targets": [{"refId": "A", "datasource": SOURCE, "expr": metric.query, "legendFormat": metric.legend}],
    }


def dashboard() -> dict[str, Any]:
    """The whole dashboard: a row a group of the table, numbers above lines."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, group in ROWS:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": y, "w": WIDE, "h": 1},
            }
        )
        y += 1
        for height, labelled in ((STAT, False), (SERIES, True)):
            shown = [metric for metric in group if metric.title and bool(metric.labels) is labelled]
            for place, metric in enumerate(shown):
                x = place % ACROSS * (WIDE // ACROSS)
                panels.append(panel(metric, len(panels) + 1, x, y + place // ACROSS * height, height))
            y += -(-len(shown) // ACROSS) * height
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "uid": "assay",
        "title": "Assay",
        "description": "Made by scripts/make_dashboard.py from flows/metrics.py.",
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "timezone": "browser",
        "tags": ["assay"],
        "templating": {"list": [source]},
        "annotations": {"list": []},
        "panels": panels,
    }


def text() -> str:
    """The file, with a newline at its end."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
