"""Where in the review does a figure lead? The address of a slice of the grid, as static/review.js reads it.

/review#given=speed-30&suggested=speed-50&order=suspicion
"""

from __future__ import annotations

from urllib.parse import urlencode

ORDERS = ("suspicion", "similarity", "loss", "newest")


def in_grid(order: str = "suspicion", **slice_: str) -> str:
    """A slice: given, suggested, check, queued="1", drop, split, or a column meta_*.

    >>> in_grid(given="a&b", queued="1")
    '/review#given=a%26b&queued=1&order=suspicion'
    """
    return f"/review#{urlencode({**slice_, 'order': order})}"


def of_place(n: int) -> str:
    """One item, at its place in the page's catalogue, among all."""
    return in_grid(at=str(n))
