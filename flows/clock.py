"""What time is it? The one place that asks; everything else takes time as an argument."""

from __future__ import annotations

import datetime


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
