"""A decoder that does what the item says: for the sandbox to survive."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def decode(data: bytes, limits: Mapping[str, int]) -> Mapping[str, Any]:
    """b"abort", b"spin", b"swell" and b"write" misbehave; anything else gives its length."""
    if data == b"abort":
        os.abort()
    while data == b"spin":
        pass
    if data == b"swell":
        return {"length": len(bytearray(8 * 2**30))}
    if data == b"write":
        with open("/tmp/assay-poison", "wb") as file:
            file.write(data)
    return {"length": len(data)}
