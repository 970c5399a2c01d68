"""How is an audit told to a person: the sentence of each doubt, the noise figures, the plots?

Pure functions from a ranking to text and plain numbers; audit.py reads and writes the files.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .confidence import Judged

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def share(value: float) -> str:
    """.93, as in "the model gives 7 .93"; 1.00 and .00 at the ends."""
    return f"{value:.2f}".removeprefix("0")


def reason(
    given: str,
    suggested: str,
    p_given: float,
    p_suggested: float,
    neighbours: Sequence[str],
    *,
    confirmed: bool = False,
) -> str:
    """The evidence against one label; `neighbours` are the labels of the nearest undoubted items, nearest first.

    `confirmed`: people have spoken of every one of them.

    >>> reason("1", "7", 0.02, 0.93, ["7", "7", "1", "7", "7"])
    '4 of its 5 nearest undoubted neighbours are 7; the model gives 7 .93 and the given 1 .02.'
    """
    near = "nearest confirmed" if confirmed else "nearest undoubted"
    model = f"model gives {suggested} {share(p_suggested)} and the given {given} {share(p_given)}."
    if not neighbours:
        return f"The {model}"
    if len(neighbours) == 1:
        return f"Its {near} neighbour is {neighbours[0]}; the {model}"
    count = sum(name == suggested for name in neighbours)
    verb = "is" if count < 2 else "are"
    return f"{count or 'None'} of its {len(neighbours)} {near} neighbours {verb} {suggested}; the {model}"


def confusions(pairs: Iterable[tuple[str, str]], top: int | None = None) -> list[dict[str, Any]]:
    """(given, suggested) pairs counted, the most frequent first, names in order among equals: "likely", never "is"."""
    counted = sorted(Counter(pairs).items(), key=lambda entry: (-entry[1], entry[0]))
    return [{"given": given, "suggested": new, "count": count} for (given, new), count in counted[:top]]


def of_check(judged: Judged) -> dict[str, Any]:
    """What one check says as a whole."""
    low, high = judged.interval
    return {
        "check": judged.check,
        "flagged": int(judged.flagged_N.sum()),
        "noise_rate": round(judged.noise_rate, 6),
        "noise_low": round(low, 6),
        "noise_high": round(high, 6),
    }


def by_class(
    classes: Sequence[str], given_N: IntArray, flagged_N: NDArray[np.bool_], noise_K: FloatArray
) -> dict[str, dict[str, float]]:
    """Class -> items, flagged, estimated share of wrong labels."""
    return {
        name: {
            "items": int((given_N == k).sum()),
            "flagged": int(flagged_N[given_N == k].sum()),
            "noise_rate": round(float(noise_K[k]), 6),
        }
        for k, name in enumerate(classes)
    }


def curve(severity_N: FloatArray, points: int = 1000) -> list[tuple[int, float]]:
    """Severity by rank, worst first, at most `points` of them: rank 1 and the last one are always among them."""
    ordered = np.sort(severity_N)[::-1]
    if not len(ordered):
        return []
    ranks = np.linspace(1, len(ordered), min(points, len(ordered))).round().astype(int)
    return [(int(rank), round(float(ordered[rank - 1]), 6)) for rank in ranks]


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV file for plots, with Unix line ends."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
