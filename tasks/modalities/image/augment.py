"""How is an image varied without changing what it shows?

Noise, rotation, translation, homothety, random resized crop, elastic transform and grid distortion, each image with
parameters of its own. The six geometric ones are composed into ONE map from output pixels to source pixels, so that an
image is interpolated once (torchvision v2's `elastic`, CPU or GPU) however many are switched on; then noise is added.

A batch goes through torchvision as one tall image: `elastic` takes one displacement a call, and stacked images with
stacked displacements are exactly that, which gives parameters per image at the price of one call.

Same bytes whatever the order, batch, thread count or device: parameters come from the item's own seed; positions are
rounded to 1/32 pixel, so that interpolated values are multiples of 1/1024 grey level, computed in float64 (error below
1e-6) and rounded half a step above the ties, where no last bit of any machine decides; noise is whole levels.
Covered: permuted items, any batch, any thread count, CPU and GPU. Not covered: another numpy whose normal or uniform
stream differs (requirements.lock names ours), another Pillow whose PNG compressor differs (the pixels stay the same).

Source: elastic transform: Simard, Steinkraus & Platt 2003 (here with a cubic B-spline lattice for the smoothing);
grid distortion: one monotone piecewise linear map per axis.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

ImageArray = NDArray[np.uint8]  # (H, W, 3)
Vector = NDArray[np.float64]

# B images in a batch, H W pixels, C channels, G lattice points and S cells a side; coordinates are (x, y)

STEPS = 32  # positions are rounded to 1/STEPS pixel
LATTICE = 7  # control points a side of the elastic transform: 4 spans of a cubic B-spline
CELLS = 5  # cells a side of the grid distortion
DRAWS = 7 + 2 * LATTICE * LATTICE + 2 * CELLS
"""Numbers drawn for every image, whatever is on, so that switching one operation off leaves the others as they were."""


@dataclass(frozen=True, slots=True)
class Strengths:
    """How far each operation may go; 0 switches it off."""

    noise: float = 0.0  # standard deviation, share of the full range, [0, 1]
    rotation: float = 0.0  # degrees either way, [0, 180]
    translation: float = 0.0  # share of the side either way, [0, 1]
    homothety: float = 0.0  # 0.2: scaled by a factor between 1 / 1.2 and 1.2, [0, 4]
    crop: float = 0.0  # largest share of the side cut off before scaling back, [0, 0.9]
    elastic: float = 0.0  # largest displacement, share of the shorter side, [0, 0.5]
    grid: float = 0.0  # cells stretched or shrunk by up to this share, [0, 0.9]

    @property
    def moves(self) -> bool:
        """Whether any geometric operation is on."""
        return any((self.rotation, self.translation, self.homothety, self.crop, self.elastic, self.grid))


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where each image of a batch is sampled: rotated, scaled and moved, then cropped, then bent."""

    angle_B: Vector  # degrees, counter-clockwise
    scale_B: Vector  # > 1 enlarges
    move_B2: Vector  # (x, y), share of the side; positive: right, down
    window_B3: Vector  # left, top and side of the crop window, shares in [0, 1]
    bend_B2GG: Vector  # elastic control points (x, y), share of the shorter side
    cells_B2S: Vector  # widths of the cells along x and along y, any positive scale


def still(count: int) -> Geometry:
    """The geometry that leaves `count` images as they are."""
    return _geometry(np.zeros((count, DRAWS)), Strengths())


def _geometry(u_BN: Vector, strengths: Strengths) -> Geometry:
    """The geometry from DRAWS numbers an image in [-1, 1]."""
    count = len(u_BN)
    share_B3 = (u_BN[:, 4:7] + 1) / 2  # how much of the crop, where its left edge, where its top edge
    side_B = 1 - strengths.crop * share_B3[:, 0]
    bend, cells = u_BN[:, 7 : -2 * CELLS], u_BN[:, -2 * CELLS :]
    return Geometry(
        angle_B=strengths.rotation * u_BN[:, 0],
        scale_B=(1 + strengths.homothety) ** u_BN[:, 1],
        move_B2=strengths.translation * u_BN[:, 2:4],
        window_B3=np.stack([(1 - side_B) * share_B3[:, 1], (1 - side_B) * share_B3[:, 2], side_B], axis=1),
        bend_B2GG=strengths.elastic * bend.reshape(count, 2, LATTICE, LATTICE),
        cells_B2S=1 + strengths.grid * cells.reshape(count, 2, CELLS),
    )


def _b_spline(size: int) -> Vector:
    """The cubic B-spline weights, (size, G), of the control points for each of `size` pixel centres; rows sum to 1."""
    at = (np.arange(size) + 0.5) / size * (LATTICE - 3)
    first = at.astype(np.int64)
    t = at - first
    weights_SG = np.zeros((size, LATTICE))
    for tap, weight in enumerate(((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)):
        weights_SG[np.arange(size), first + tap] = weight / 6
    return weights_SG


def _stretch(cells_BS: Vector, size: int) -> Vector:
    """The grid distortion of one axis: (B, size) positions in (0, 1), piecewise linear and rising."""
    knots = np.zeros((len(cells_BS), CELLS + 1))
    for cell in range(CELLS):  # a plain running sum: the same additions for every batch
        knots[:, cell + 1] = knots[:, cell] + cells_BS[:, cell]
    knots = knots / knots[:, -1:]
    at = (np.arange(size) + 0.5) / size * CELLS
    cells = at.astype(np.int64)
    t = at - cells
    stretched: Vector = knots[:, cells] * (1 - t) + knots[:, cells + 1] * t
    return stretched


def positions(geometry: Geometry, height: int, width: int, device: str = "cpu") -> torch.Tensor:
    """The source position of every output pixel, (2, B, H, W) float64, x then y, in pixels, inside the image.

    An image sees rotation, homothety, translation, crop, elastic transform, grid distortion, in this order; the map
    here runs it backwards. All of it is linear but the bending of each axis, so that x and y are each a part that
    varies with the column, one that varies with the row, and the elastic lattice turned with the image: two sums over
    full size. Positions are centred in pixels, so that a rotation does not shear an oblong image.
    """
    left_B1, top_B1, side_B1 = np.split(geometry.window_B3, 3, axis=1)
    move_x_B1, move_y_B1 = np.split(geometry.move_B2, 2, axis=1)
    x_BW = (_stretch(geometry.cells_B2S[:, 0], width) * side_B1 + left_B1 - 0.5 - move_x_B1) * width
    y_BH = (_stretch(geometry.cells_B2S[:, 1], height) * side_B1 + top_B1 - 0.5 - move_y_B1) * height
    cos_B1 = (np.cos(np.deg2rad(geometry.angle_B)) / geometry.scale_B)[:, None]
    sin_B1 = (np.sin(np.deg2rad(geometry.angle_B)) / geometry.scale_B)[:, None]
    by_column_2BW = np.stack([cos_B1 * x_BW + (width - 1) / 2, sin_B1 * x_BW])
    by_row_2BH = np.stack([-sin_B1 * y_BH, cos_B1 * y_BH + (height - 1) / 2])
    at_2BHW = torch.from_numpy(by_column_2BW).to(device)[:, :, None, :]
    at_2BHW = at_2BHW + torch.from_numpy(by_row_2BH).to(device)[:, :, :, None]
    if geometry.bend_B2GG.any():
        bend_x_BGG, bend_y_BGG = geometry.bend_B2GG[:, 0], geometry.bend_B2GG[:, 1]
        cos_B11, sin_B11 = cos_B1[:, :, None], sin_B1[:, :, None]
        turned = np.stack([cos_B11 * bend_x_BGG - sin_B11 * bend_y_BGG, sin_B11 * bend_x_BGG + cos_B11 * bend_y_BGG])
        lattice_2BGG = torch.from_numpy(turned * (side_B1[:, :, None] * min(height, width))).to(device)
        rows_HG, columns_WG = (torch.from_numpy(_b_spline(size)).to(device) for size in (height, width))
        at_2BHW += rows_HG @ lattice_2BGG @ columns_WG.T
    sizes_2111 = torch.tensor([width, height], dtype=torch.float64, device=device).reshape(2, 1, 1, 1)
    from_edge = at_2BHW.mul_(STEPS).round_().div_(STEPS).add_(0.5)
    from_edge -= torch.floor(from_edge / (2 * sizes_2111)).mul_(2 * sizes_2111)  # a mirror at each edge
    mirrored = from_edge.sub_(sizes_2111).abs_().neg_().add_(sizes_2111 - 0.5)
    return torch.minimum(mirrored.clamp_(min=0), sizes_2111 - 1)


def resample(images_BHWC: ImageArray, at_2BHW: torch.Tensor) -> ImageArray:
    """Each image read at its positions, bilinearly, by torchvision on the device of the positions; uint8 again."""
    count, height, width, channels = images_BHWC.shape
    device = at_2BHW.device
    tall = count * height
    tall_1HWC = torch.from_numpy(np.ascontiguousarray(images_BHWC)).to(device).reshape(1, tall, width, channels)
    column_W = torch.arange(width, dtype=torch.float64, device=device)
    row_BH1 = torch.arange(tall, dtype=torch.float64, device=device).reshape(count, height, 1)
    top_B11 = row_BH1[:, :1]
    displacement_BHW2 = torch.empty((count, height, width, 2), dtype=torch.float64, device=device)
    displacement_BHW2[..., 0] = (at_2BHW[0] - column_W).mul_(2 / width)
    displacement_BHW2[..., 1] = (at_2BHW[1] + (top_B11 - row_BH1)).mul_(2 / tall)
    values = v2.functional.elastic(
        tall_1HWC.permute(0, 3, 1, 2).to(torch.float64), displacement_BHW2.reshape(1, tall, width, 2)
    )
    # values are multiples of 1 / STEPS^2: half such a step above the tie, no error of 1e-6 decides
    levels = values.add_(0.5 + 0.5 / STEPS**2).to(torch.uint8)
    out: ImageArray = levels.permute(0, 2, 3, 1).reshape(count, height, width, channels).cpu().numpy()
    return out


def augment_batch(
    images: Sequence[ImageArray], strengths: Strengths, seeds: Sequence[int], *, device: str = "cpu"
) -> list[ImageArray]:
    """Images of one size, each varied by its own seed; the n-th result depends on the n-th image and seed only."""
    assert len(images) == len(seeds) and len({image.shape for image in images}) <= 1, "one size, one seed an image"
    if not images:
        return []
    generators = [np.random.default_rng(seed) for seed in seeds]
    u_BN = np.stack([generator.uniform(-1, 1, DRAWS) for generator in generators])
    images_BHWC = np.stack(images)
    if strengths.moves:
        images_BHWC = _moved(images_BHWC, u_BN, strengths, device)
    if strengths.noise:
        out = []
        for image, generator in zip(images_BHWC, generators, strict=True):
            noise = generator.standard_normal(image.shape, dtype=np.float32) * np.float32(255 * strengths.noise)
            out.append(np.clip(np.rint(noise).astype(np.int16) + image, 0, 255).astype(np.uint8))
        return out
    return list(images_BHWC)


def _moved(images_BHWC: ImageArray, u_BN: Vector, strengths: Strengths, device: str) -> ImageArray:
    _, height, width, _ = images_BHWC.shape
    return resample(images_BHWC, positions(_geometry(u_BN, strengths), height, width, device))


def augment(image: ImageArray, strengths: Strengths, seed: int) -> ImageArray:
    """One image (H, W, 3) uint8 varied by its seed: the same bytes as in any batch."""
    return augment_batch([image], strengths, [seed])[0]


def encode(image: ImageArray, form: str) -> bytes:
    """The image as a file: `png` (lossless, small) or `bmp` (no compressor, so the same bytes with any Pillow)."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, form, **({"compress_level": 4} if form == "png" else {}))
    return out.getvalue()
