"""How do many images lie on one sheet, so that a page asks once for a screenful?

A tile is a small JPEG, made once for each content; a sheet is tiles side by side, made for the order on the screen.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from .decode import load, thumbnail

QUALITY = 82
GROUND = (18, 22, 28)  # around an image that is not square


def tile(data: bytes, side: int) -> bytes:
    """The image as a JPEG of `side` x `side` pixels, whole, in the middle; a tiny one is enlarged in whole pixels."""
    with Image.open(io.BytesIO(thumbnail(data, side))) as image:
        times = max(1, side // max(image.size))
        grown = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
        return _jpeg(_centred(grown, side))


def picture(data: bytes, side: int) -> bytes:
    """The image as a JPEG of at most `side` pixels a side, in its own shape; a tiny one is enlarged in whole pixels."""
    image = Image.fromarray(load(data))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    times = max(1, side // max(image.size))
    return _jpeg(image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST))


def sheet(tiles: Sequence[bytes | None], side: int, columns: int) -> bytes:
    """Tiles in rows of `columns`, as one JPEG; a place without a tile stays empty."""
    rows = max(1, -(-len(tiles) // columns))
    whole = Image.new("RGB", (columns * side, rows * side), GROUND)
    for n, content in enumerate(tiles):
        if content is not None:
            with Image.open(io.BytesIO(content)) as image:
                whole.paste(image, (n % columns * side, n // columns * side))
    return _jpeg(whole)


def _centred(image: Image.Image, side: int) -> Image.Image:
    whole = Image.new("RGB", (side, side), GROUND)
    whole.paste(image.convert("RGB"), ((side - image.width) // 2, (side - image.height) // 2))
    return whole


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
