"""Are images varied as asked, each operation alone, and with the same bytes however they are batched?"""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torchvision.transforms import v2

from tasks.modalities.image.augment import (
    CELLS,
    DRAWS,
    LATTICE,
    Geometry,
    ImageArray,
    Strengths,
    _geometry,
    augment,
    augment_batch,
    encode,
    positions,
    resample,
    still,
)

ALL = Strengths(noise=0.05, rotation=30, translation=0.1, homothety=0.2, crop=0.2, elastic=0.05, grid=0.3)


def random_images(count: int, height: int = 9, width: int = 12) -> list[ImageArray]:
    return list(np.random.default_rng(3).integers(0, 256, (count, height, width, 3), dtype=np.uint8))


def smooth_image(height: int = 40, width: int = 40) -> ImageArray:
    """Waves a dozen pixels long: what two interpolations of it must agree on."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 3 + c) * np.cos(y / 4 - c) for c in range(3)]
    return (127.5 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)


def moved(image: ImageArray, **changes: object) -> ImageArray:
    """The image under the still geometry with some parts changed."""
    geometry = dataclasses.replace(still(1), **changes)  # type: ignore[arg-type]
    out: ImageArray = resample(image[None], positions(geometry, *image.shape[:2]))[0]
    return out


def error(one: ImageArray, other: NDArrayLike, *, margin: int = 0) -> float:
    inner = slice(margin, -margin or None)
    return float(np.abs(one.astype(float) - np.asarray(other, dtype=float))[inner, inner].max())


NDArrayLike = ImageArray | torch.Tensor


def tv(image: ImageArray) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1).to(torch.float64)


def hwc(image: torch.Tensor) -> torch.Tensor:
    return image.permute(1, 2, 0)


def test_strengths_of_zero_give_the_same_bytes() -> None:
    for image in random_images(3):
        assert np.array_equal(augment(image, Strengths(), seed=1), image)


def test_the_still_geometry_gives_the_same_bytes_through_the_interpolation() -> None:
    image = random_images(1, 7, 13)[0]
    assert np.array_equal(moved(image), image)


def test_a_translation_by_one_pixel_moves_the_columns_and_mirrors_the_border() -> None:
    image = random_images(1)[0]
    right = moved(image, move_B2=np.array([[1 / 12, 0.0]]))
    assert np.array_equal(right[:, 1:], image[:, :-1])
    assert np.array_equal(right[:, 0], image[:, 0])
    down = moved(image, move_B2=np.array([[0.0, 2 / 9]]))
    assert np.array_equal(down[2:], image[:-2])
    assert np.array_equal(down[:2], image[1::-1])


def test_a_rotation_by_90_degrees_is_that_of_numpy() -> None:
    image = random_images(1, 8, 8)[0]
    assert np.array_equal(moved(image, angle_B=np.array([90.0])), np.rot90(image))
    assert np.array_equal(moved(image, angle_B=np.array([180.0])), image[::-1, ::-1])


def test_a_homothety_by_two_shows_the_middle_half() -> None:
    image = random_images(1, 8, 8)[0]
    enlarged = moved(image, scale_B=np.array([2.0])).astype(int)
    quarter = image.astype(int)[2:6, 2:6]
    # output pixel (1, 1) lies at source (2.25, 2.25): a quarter of the way from pixel 2 to pixel 3
    wanted = (9 * quarter[0, 0] + 3 * quarter[0, 1] + 3 * quarter[1, 0] + quarter[1, 1]) / 16
    assert np.array_equal(enlarged[1, 1], np.floor(wanted + 0.5).astype(int))


def test_a_crop_of_a_quarter_is_that_window_scaled_back() -> None:
    image = smooth_image()
    window = moved(image, window_B3=np.array([[0.25, 0.5, 0.5]]))
    wanted = v2.functional.resized_crop(tv(image), 20, 10, 20, 20, [40, 40], antialias=False)
    assert error(window, hwc(wanted), margin=1) <= 0.51


@pytest.mark.parametrize("angle, scale, right, down", [(17.0, 1.0, 0, 0), (0.0, 1.3, 0, 0), (-40.0, 0.9, 3, -2)])
def test_rotation_homothety_and_translation_agree_with_torchvision_affine(
    angle: float, scale: float, right: int, down: int
) -> None:
    image = smooth_image(40, 30)
    ours = moved(
        image,
        angle_B=np.array([angle]),
        scale_B=np.array([scale]),
        move_B2=np.array([[right / 30, down / 40]]),
    )
    bilinear = v2.InterpolationMode.BILINEAR
    theirs = v2.functional.affine(tv(image), -angle, [right, down], scale, [0.0, 0.0], bilinear)
    inside = v2.functional.affine(torch.ones_like(tv(image)), -angle, [right, down], scale, [0.0, 0.0], bilinear)
    difference = (torch.from_numpy(ours.astype(float)) - hwc(theirs)).abs()[hwc(inside) > 0.999]
    assert len(difference) > 1000
    assert float(difference.max()) < 2.0  # rounding to 1/32 pixel on slopes of 40 levels a pixel, and to whole levels


def test_an_elastic_lattice_pushed_to_the_left_moves_the_whole_image() -> None:
    image = random_images(1, 10, 10)[0]
    lattice = np.zeros((1, 2, LATTICE, LATTICE))
    lattice[0, 0] = 0.2  # two of ten pixels: the weights of a B-spline sum to 1 everywhere
    assert np.array_equal(moved(image, bend_B2GG=lattice)[:, :8], image[:, 2:])


def test_an_elastic_transform_bends_smoothly_and_not_beyond_its_strength() -> None:
    u_BN = np.random.default_rng(0).uniform(-1, 1, (5, DRAWS))
    bent_2BHW = positions(_geometry(u_BN, Strengths(elastic=0.1)), 50, 50).numpy()
    offset_x = bent_2BHW[0] - np.arange(50)
    assert 0.5 < np.abs(offset_x[:, 5:-5, 5:-5]).max() <= 5.0
    assert np.abs(np.diff(bent_2BHW[0][:, 5:-5, 5:-5], axis=2) - 1).max() < 0.6
    assert not np.allclose(bent_2BHW[0][0], bent_2BHW[0][1])


def test_a_grid_distortion_stretches_the_first_cell_and_keeps_the_order_of_columns() -> None:
    cells = np.ones((1, 2, CELLS))
    cells[0, 0] = [2, 0.75, 0.75, 0.75, 0.75]  # along x the first fifth of the output reads two fifths of the source
    at_2HW = positions(dataclasses.replace(still(1), cells_B2S=cells), 20, 20).numpy()[:, 0]
    assert np.allclose(at_2HW[0, 0, :4], [0.5, 2.5, 4.5, 6.5])
    assert np.array_equal(at_2HW[1, :, 0], np.arange(20))
    assert (np.diff(at_2HW[0], axis=1) > 0).all()


def test_noise_has_the_asked_standard_deviation_and_stays_in_range() -> None:
    grey = np.full((100, 100, 3), 128, np.uint8)
    noisy = augment(grey, Strengths(noise=0.05), seed=4).astype(float) - 128
    assert abs(noisy.std() / 255 - 0.05) < 0.001
    assert abs(noisy.mean()) < 0.25
    black = augment(np.zeros((50, 50, 3), np.uint8), Strengths(noise=0.5), seed=4)
    assert black.min() == 0 and 50 < black.max() <= 255


@pytest.mark.parametrize("name", ["noise", "rotation", "translation", "homothety", "crop", "elastic", "grid"])
def test_every_operation_alone_changes_an_image_and_two_seeds_differ(name: str) -> None:
    image = smooth_image()
    alone = Strengths(**{name: getattr(ALL, name)})
    first, second = augment(image, alone, seed=1), augment(image, alone, seed=2)
    assert first.shape == image.shape and first.dtype == np.uint8
    assert not np.array_equal(first, image)
    assert not np.array_equal(first, second)


def test_switching_one_operation_off_leaves_the_parameters_of_the_others() -> None:
    u_BN = np.random.default_rng(0).uniform(-1, 1, (4, DRAWS))
    with_crop, without = _geometry(u_BN, ALL), _geometry(u_BN, dataclasses.replace(ALL, crop=0.0))
    for name in ("angle_B", "scale_B", "move_B2", "bend_B2GG", "cells_B2S"):
        assert np.array_equal(getattr(with_crop, name), getattr(without, name)), name
    assert np.array_equal(without.window_B3, np.tile([0.0, 0.0, 1.0], (4, 1)))


def test_the_drawn_geometry_stays_within_the_strengths() -> None:
    geometry: Geometry = _geometry(np.random.default_rng(0).uniform(-1, 1, (500, DRAWS)), ALL)
    assert np.abs(geometry.angle_B).max() <= 30 < np.abs(geometry.angle_B).max() + 2
    assert 1 / 1.2 <= geometry.scale_B.min() < 1 < geometry.scale_B.max() <= 1.2
    assert np.abs(geometry.move_B2).max() <= 0.1
    left, top, side = geometry.window_B3.T
    assert 0.8 <= side.min() < 0.82 and (left >= 0).all() and (top >= 0).all()
    assert (left + side <= 1 + 1e-12).all() and (top + side <= 1 + 1e-12).all()


def test_the_bytes_do_not_depend_on_the_batch_the_order_or_the_threads() -> None:
    images, seeds = random_images(20, 33, 31), list(range(100, 120))
    alone = [augment(image, ALL, seed) for image, seed in zip(images, seeds, strict=True)]
    by_seven = [result for n in range(0, 20, 7) for result in augment_batch(images[n : n + 7], ALL, seeds[n : n + 7])]
    order = np.random.default_rng(0).permutation(20)
    permuted = augment_batch([images[n] for n in order], ALL, [seeds[n] for n in order])
    before = torch.get_num_threads()
    by_threads = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            by_threads.append(augment_batch(images, ALL, seeds))
    finally:
        torch.set_num_threads(before)
    for n in range(20):
        for other in (by_seven[n], permuted[list(order).index(n)], by_threads[0][n], by_threads[1][n]):
            assert np.array_equal(alone[n], other), n


def test_values_are_multiples_of_a_thousandth_so_that_no_last_bit_decides_a_rounding() -> None:
    images_BHWC = np.stack(random_images(30, 37, 41))
    at_2BHW = positions(_geometry(np.random.default_rng(1).uniform(-1, 1, (30, DRAWS)), ALL), 37, 41)
    first = resample(images_BHWC, at_2BHW)
    nudged = resample(images_BHWC, at_2BHW + 1e-9 * torch.sign(torch.sin(1e6 * at_2BHW)))
    assert np.array_equal(first, nudged)
    assert torch.equal(at_2BHW * 32, torch.round(at_2BHW * 32))


def test_an_images_neighbours_in_the_batch_do_not_bleed_into_it() -> None:
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    strengths = dataclasses.replace(ALL, noise=0.0, translation=0.9)
    out = augment_batch([black, white, black, white], strengths, [1, 2, 3, 4])
    assert [image.min() for image in out] == [0, 255, 0, 255]
    assert [image.max() for image in out] == [0, 255, 0, 255]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU; its CPU twin is the batch test above")
def test_a_gpu_gives_the_bytes_of_the_cpu() -> None:
    images, seeds = random_images(64, 40, 50), list(range(64))
    on_gpu = augment_batch(images, ALL, seeds, device="cuda")
    on_cpu = augment_batch(images, ALL, seeds)
    assert all(np.array_equal(a, b) for a, b in zip(on_gpu, on_cpu, strict=True))


@pytest.mark.parametrize("form", ["png", "bmp"])
def test_an_encoded_image_is_the_same_bytes_twice_and_decodes_to_the_same_pixels(form: str) -> None:
    grey = load_digits().images[0] * 15
    image = np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    data = encode(image, form)
    assert data == encode(image.copy(), form)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), image)
