"""What is measured of an image, and what of that does the gate look at?"""

from __future__ import annotations

from collections.abc import Mapping

from ...model import Table
from .. import Range

FACTS = Table(
    "asset facts",  # data/ingest/facts/<drop>.parquet: what decoding saw, one row an asset
    {
        "asset": "text",
        "format": "text",  # PNG, JPEG, ...
        "mode": "text",  # as delivered: L, RGB, CMYK, I;16 ...
        "width": "int",  # pixels, after EXIF orientation
        "height": "int",
        "bytes": "int",
        "brightness": "float",  # mean of the grey image, [0, 1]
        "contrast": "float",  # standard deviation of the grey image, [0, 0.5]
        "frames": "int",  # > 1: animated, the first one is used
        "note": "text?",  # the rule that was applied: "16-bit scaled to 8", "EXIF orientation 6 applied"
    },
)
RANGES: Mapping[str, Range] = {
    "width": Range(4, 10_000, "px"),
    "height": Range(4, 10_000, "px"),
    "brightness": Range(0.01, 0.99),
    "contrast": Range(0, 0.5, above=True, remark="a blank image has 0"),
}
