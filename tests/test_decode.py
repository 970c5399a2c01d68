"""Does each kind of image follow its stated rule, and does what cannot be decoded say why?"""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks.modalities import Unreadable
from tasks.modalities.image import decode

LIMITS = {"max_pixels": 50_000_000, "max_bytes": 64 * 2**20}


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def corner_image() -> Image.Image:
    """12 wide, 8 high, black with a white upper left quarter."""
    array = np.zeros((8, 12), dtype=np.uint8)
    array[:4, :6] = 255
    return Image.fromarray(array)


ORIENTED = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    loaded = decode.load(encoded(corner_image(), "PNG", exif=exif))
    assert loaded.shape == ((8, 12, 3) if orientation < 5 else (12, 8, 3))
    assert loaded[ORIENTED[orientation]].tolist() == [255, 255, 255]
    assert int((loaded > 0).sum()) == 4 * 6 * 3


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    array = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    assert decode.load(encoded(Image.fromarray(array)))[0, :, 0].tolist() == [0, 100, 255]


def test_alpha_is_laid_over_white() -> None:
    assert decode.load(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0))))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_each_mode_becomes_rgb(mode: str) -> None:
    assert decode.load(encoded(Image.new(mode, (5, 4)))).shape == (4, 5, 3)


def test_cmyk_becomes_rgb() -> None:
    white = decode.load(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG"))
    assert white.min() > 250


def test_an_animated_image_gives_its_first_frame_and_says_so() -> None:
    frames = [Image.new("L", (6, 6), shade) for shade in (0, 255)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    facts = decode.facts(data, LIMITS)
    assert facts["frames"] == 2
    assert "frame 0 of 2" in facts["note"]
    assert decode.load(data).max() == 0


def test_facts_say_what_decoding_saw() -> None:
    facts = decode.facts(encoded(corner_image()), LIMITS)
    assert (facts["format"], facts["mode"], facts["width"], facts["height"]) == ("PNG", "L", 12, 8)
    assert facts["brightness"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "E_ASSET_EMPTY"),
        (b"<html><body>404</body></html>", "E_ASSET_FORMAT"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "E_ASSET_FORMAT"),
        (encoded(Image.effect_noise((64, 64), 90), "JPEG")[:900], "E_ASSET_TRUNCATED"),
        (encoded(Image.effect_noise((64, 64), 90))[:900], "E_ASSET_TRUNCATED"),
    ],
)
def test_what_is_no_whole_image_is_refused_with_its_code(data: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        decode.facts(data, LIMITS)
    assert caught.value.code == code


def test_an_image_over_the_pixel_limit_is_refused_before_it_is_decoded() -> None:
    bomb = encoded(Image.new("1", (20_000, 20_000)))
    with pytest.raises(Unreadable, match="20,000 x 20,000") as caught:
        decode.facts(bomb, LIMITS)
    assert caught.value.code == "E_ASSET_TOO_LARGE"


def test_a_thumbnail_is_a_png_within_its_size() -> None:
    thumbnail = Image.open(io.BytesIO(decode.thumbnail(encoded(Image.new("RGB", (300, 100))), 96)))
    assert (thumbnail.format, max(thumbnail.size)) == ("PNG", 96)


def test_mutated_files_are_read_or_refused_never_worse() -> None:
    chance = random.Random(0)
    seeds = [encoded(corner_image()), encoded(Image.effect_noise((32, 32), 60), "JPEG"), encoded(corner_image(), "GIF")]
    for _ in range(300):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            assert decode.facts(bytes(data), LIMITS)["width"] > 0
        except Unreadable as refused:
            assert refused.code.startswith("E_")
