"""What is measured of a text, and what of that does the gate look at? Nothing here depends on a language."""

from __future__ import annotations

from collections.abc import Mapping

from ...model import Table
from .. import Range

FACTS = Table(
    "asset facts",  # data/ingest/facts/<drop>.parquet: what reading saw, one row a text
    {
        "asset": "text",
        "bytes": "int",
        "characters": "int",  # code points, a byte order mark left out
        "words": "int",  # runs of letters, digits and underscores; a language without spaces has few
        "lines": "int",
        "letters": "float",  # share of letters among the characters that are no white space, [0, 1]
        "distinct": "float",  # distinct words / words, case aside, [0, 1]; 0 without words
        "note": "text?",  # what a person should know: "has bidirectional controls"
    },
)
RANGES: Mapping[str, Range] = {
    "characters": Range(1, 100_000),
    "words": Range(1, 20_000, remark="emoji and punctuation are no words"),
}
