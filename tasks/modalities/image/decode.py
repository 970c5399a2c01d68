"""What is in this image file, in one normalised form?

The real type is read from the content, never from the name; the file is decoded to its end (Pillow's `verify()` accepts
half a JPEG). Every image becomes (H, W, 3) uint8 RGB by these rules, each written into the `note` where it applied:

    size          above max_bytes or max_pixels: refused from the header, before anything is allocated
    orientation   EXIF orientation is applied once; a damaged EXIF block counts as upright
    16-bit grey   scaled by 1/257 and rounded, never clipped; 16-bit colour: Pillow keeps each value's high byte
    int, float    32-bit modes have no fixed white: the image's own minimum..maximum becomes 0..255; NaN is refused
    alpha         laid over white, also a palette's transparent entry; a palette is replaced by its colours
    CMYK, YCbCr   Pillow's conversion; ICC profiles are ignored
    animated      frame 0 of GIF, APNG, WebP and of a TIFF with pages; a phone's second picture (MPO) is not read
    SVG, HTML     refused, as is whatever is not PNG, JPEG, WEBP, BMP, GIF or TIFF

Covered: empty, mislabelled, truncated and damaged files, decompression bombs, all with a code and a sentence.
Not covered: a JPEG damaged in the middle, which decodes to grey blocks without an error; a missing end marker after the
last pixel, which loses nothing; memory corruption in a codec, for which ingest decodes in a child (sandbox.py).
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from .. import Unreadable

MOST_PIXELS = 89_478_485  # where Pillow begins to warn of a decompression bomb; `load` has no other limit
MOST_BYTES = 2**31 - 1
PREVIEW = 96  # pixels a side

# The readers are called themselves, not through Image.open: the type is known, and no other parser sees the bytes.
READERS: Mapping[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
_BITMAP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_REFUSED = {b"%PDF": "a PDF", b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "gzip data", b"8BPS": "a Photoshop file"}

# What Pillow's parsers raise on damaged bytes. MemoryError is not among them: it ends the child, which is then retried.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, ArithmeticError, RuntimeError)
_BROKEN_TOO = (AttributeError, AssertionError, struct.error, Image.DecompressionBombError)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class _Decoded:
    rgb: Image.Image
    format: str
    mode: str
    frames: int
    notes: tuple[str, ...]


def facts(data: bytes, limits: Mapping[str, int]) -> dict[str, Any]:
    """Decode fully; the columns of FACTS but `asset`. Limits: `max_pixels`, `max_bytes`. Unreadable if not."""
    decoded = _decode(data, limits["max_pixels"], limits["max_bytes"])
    counts = decoded.rgb.convert("L").histogram()
    pixels = decoded.rgb.width * decoded.rgb.height
    # Whole numbers until the last step, so that the same image gives the same floats anywhere.
    total = sum(level * count for level, count in enumerate(counts))
    squares = sum(level * level * count for level, count in enumerate(counts))
    return {
        "format": decoded.format,
        "mode": decoded.mode,
        "width": decoded.rgb.width,
        "height": decoded.rgb.height,
        "bytes": len(data),
        "brightness": total / (255 * pixels),
        "contrast": math.sqrt(pixels * squares - total * total) / (255 * pixels),
        "frames": decoded.frames,
        "note": "; ".join(decoded.notes) or None,
    }


def load(data: bytes) -> NDArray[np.uint8]:
    """The image as (H, W, 3) uint8 RGB by the rules above; Unreadable if it is none."""
    return np.array(_decode(data, MOST_PIXELS, MOST_BYTES).rgb, dtype=np.uint8)


def size(image: NDArray[np.uint8]) -> int:
    """Its bytes in memory."""
    return int(image.nbytes)


def preview(data: bytes) -> tuple[str, bytes]:
    """("image/png", a thumbnail)"""
    return "image/png", thumbnail(data, PREVIEW)


def thumbnail(data: bytes, size: int) -> bytes:
    """The image as a PNG of at most `size` pixels a side, without the file's metadata; never enlarged."""
    rgb = _decode(data, MOST_PIXELS, MOST_BYTES).rgb
    rgb.thumbnail((size, size), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    Image.fromarray(np.asarray(rgb)).save(out, "PNG")
    return out.getvalue()


def sniff(data: bytes) -> str | None:
    """The format that the first bytes declare, one of READERS; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BITMAP_HEADERS:
        return "BMP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "TIFF"
    return None


def _looks_like(data: bytes) -> str:
    for signature, name in _REFUSED.items():
        if data.startswith(signature):
            return name
    if data[:256].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "HTML, SVG or other markup"
    if data[4:8] == b"ftyp":
        return "HEIC, AVIF or a film"
    return "of an unknown type"


def _decode(data: bytes, max_pixels: int, max_bytes: int) -> _Decoded:
    if not data:
        raise Unreadable("E_ASSET_EMPTY", "The file has 0 bytes.")
    if len(data) > max_bytes:
        raise Unreadable("E_ASSET_TOO_LARGE", f"The file has {len(data):,} bytes; {max_bytes:,} are allowed.")
    name = sniff(data)
    if name is None:
        raise Unreadable("E_ASSET_FORMAT", f"By its content the file is {_looks_like(data)}, not an image we read.")
    try:
        opened = _open(name, data)
        if opened.width * opened.height > max_pixels:
            raise Unreadable(
                "E_ASSET_TOO_LARGE",
                f"The {name} image is {opened.width:,} x {opened.height:,} pixels; {max_pixels:,} in all are allowed.",
            )
        frames = int(getattr(opened, "n_frames", 1))
        mode = opened.mode
        image, notes = _upright(opened, name)
    except (*_BROKEN, *_BROKEN_TOO) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the machine's trouble, not the file's
        if "ecompressed data too large" in str(error):
            raise Unreadable(
                "E_ASSET_TOO_LARGE", f"The {name} file has a text or profile block that explodes."
            ) from None
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise Unreadable(
            "E_ASSET_TRUNCATED", f"The file begins as {name} but cannot be decoded to its end ({reason})."
        ) from None
    rgb, rule = _rgb(image)
    if frames > 1:
        notes = (f"frame 0 of {frames} used", *notes)
    return _Decoded(rgb, name, mode, frames, (*notes, rule) if rule else notes)


def _open(name: str, data: bytes) -> ImageFile.ImageFile:
    """The image, its header read; Pillow's warning about a bomb is a refusal here, before anything is allocated."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return READERS[name](io.BytesIO(data))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            sentence = f"The {name} image is too large: {' '.join(str(error).split())}"
            raise Unreadable("E_ASSET_TOO_LARGE", sentence) from None


def _upright(image: ImageFile.ImageFile, name: str) -> tuple[Image.Image, tuple[str, ...]]:
    """The fully decoded image with its EXIF orientation applied once, and what was done."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (*_BROKEN, *_BROKEN_TOO):
        orientation = None
    image.load()
    if orientation is None:
        return image, ("damaged EXIF block ignored",)
    if orientation not in _UPRIGHT:
        return image, ()
    note = (f"EXIF orientation {orientation} applied",)
    # Pillow's TIFF reader turns the image itself while loading.
    return (image if name == "TIFF" else image.transpose(_UPRIGHT[orientation])), note


def _rgb(image: Image.Image) -> tuple[Image.Image, str | None]:
    """The image as RGB, and the rule that made it so."""
    if image.mode.startswith("I;16"):
        grey_HW = (np.asarray(image).astype(np.uint32) * 255 + 32767) // 65535
        return Image.fromarray(grey_HW.astype(np.uint8)).convert("RGB"), "16-bit scaled to 8"
    if image.mode in ("I", "F"):
        return _stretched(image), "32-bit scaled from its own minimum..maximum to 0..255"
    if image.mode == "RGB" and not image.has_transparency_data:
        return image, None
    try:
        if image.has_transparency_data:
            over = Image.new("RGBA", image.size, "white")
            return Image.alpha_composite(over, image.convert("RGBA")).convert("RGB"), "alpha laid over white"
        rgb = image.convert("RGB")
    except ValueError:
        raise Unreadable(
            "E_ASSET_FORMAT", f"The image has mode {image.mode}, which has no conversion to RGB."
        ) from None
    named = {"CMYK": "CMYK converted to RGB", "YCbCr": "YCbCr converted to RGB", "P": "palette replaced by its colours"}
    return rgb, named.get(image.mode)


def _stretched(image: Image.Image) -> Image.Image:
    x_HW = np.asarray(image).astype(np.float64)
    if not np.isfinite(x_HW).all():
        raise Unreadable("E_ASSET_FORMAT", "The image has pixels that are not finite numbers.")
    low, high = float(x_HW.min()), float(x_HW.max())
    scaled_HW = np.zeros_like(x_HW) if high == low else np.rint((x_HW - low) / (high - low) * 255)
    return Image.fromarray(scaled_HW.astype(np.uint8)).convert("RGB")
