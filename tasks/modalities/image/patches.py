"""What does an image look like, when no pretrained network can be had?

Three views, learnt from the user's own images without labels, in NumPy alone (seconds for 10,000 small images):

    patches   k-means over whitened 6x6 patches, triangle activation, summed in 2x2 quadrants, square root, PCA
    hog       histograms of oriented gradients, PCA
    pixels    the colours themselves, PCA

Source: Coates, Ng, Lee, "An analysis of single-layer networks in unsupervised feature learning" (2011); Dalal, Triggs
(2005). Images are first resized to a common square; colour is kept if any image of the fit set has some.
"""

# N images, P patches of an image, Q values in a patch, K centroids, H W C height, width, channels, D features, V view

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

FloatArray = NDArray[np.float32]
Pixels = NDArray[np.uint8]
State = Mapping[str, NDArray[np.generic]]
Views = dict[str, FloatArray]

SIDES = (8, 16, 32, 48)
WIDTHS = {"patches": 256, "hog": 128, "pixels": 64}  # values a view, at most
PATCH = 6  # pixels a side
CENTROIDS = 400
ROUNDS = 10  # of Lloyd's algorithm
FIT_PATCHES = 60_000  # patches that the centroids are learnt from, at most
CHUNK = 64  # images whose patches are in memory at once
COLOUR = 8  # grey levels between two channels, below which a difference is taken for the JPEG's


@dataclass(frozen=True, slots=True)
class Patches:
    """The offline embedder; see embed.py for what an embedder is.

    `threads` chunks are computed at once, each on one BLAS thread: no bit depends on it.
    """

    seed: int = 0
    threads: int = 1
    name: str = "patches"
    learns: bool = True

    def fit(self, images: Iterable[Pixels]) -> dict[str, NDArray[np.generic]]:
        """Learn whitening, centroids and PCA from at least one (H, W, 3) uint8 image; one pass, small copies kept."""
        small: dict[int, list[Pixels]] = {side: [] for side in SIDES}
        edges: list[float] = []
        colour = False
        for image in images:
            edges.append(float(np.sqrt(image.shape[0] * image.shape[1])))
            for side in SIDES:
                small[side].append(_resize(image, side))
            spread = small[8][-1].max(axis=2).astype(np.int16) - small[8][-1].min(axis=2)
            colour = colour or bool(spread.max() > COLOUR)
        side = common_side(edges)
        x_NHWC = _channels(np.stack(small[side]), colour)
        state: dict[str, NDArray[np.generic]] = {"side": np.int64(side).reshape(1), "colour": np.array([colour])}
        rng = np.random.default_rng(self.seed)
        state |= _learn_filters(x_NHWC, rng)
        chunks = self._each(
            range(0, len(x_NHWC), CHUNK), lambda start: _raw_views(x_NHWC[start : start + CHUNK], state)
        )
        found = {name: _principal(np.concatenate([raw[name] for raw in chunks]), WIDTHS[name]) for name in WIDTHS}
        # A view in which all images agree tells nothing; if all do, one stays, and says so by being zero.
        told = {name: parts for name, parts in found.items() if parts[1].any()} or {"pixels": found["pixels"]}
        for name, (mean_D, basis_DV) in told.items():
            state[f"{name}.mean"], state[f"{name}.basis"] = mean_D, basis_DV
        return state

    def views(self, state: State) -> dict[str, int]:
        """View -> number of values."""
        return {name: state[f"{name}.basis"].shape[1] for name in WIDTHS if f"{name}.basis" in state}

    def transform(self, images: Sequence[Pixels], state: State) -> dict[str, FloatArray]:
        """View -> (N, D) float32, each image by itself: order and batch change nothing beyond 1e-4 of a unit's length.

        How a BLAS sums a row depends on the place of the row, and where a patch is its centroid |a|² + |b|² - 2ab
        cancels: its root is rounding, .003 of some ten. Measured: at most 1e-5.
        """
        side, colour = int(state["side"][0]), bool(state["colour"][0])
        widths = self.views(state)

        def project(start: int) -> dict[str, FloatArray]:
            small_NHWC = np.stack([_resize(image, side) for image in images[start : start + CHUNK]])
            raw = _raw_views(_channels(small_NHWC, colour), state)
            mean, basis = ({name: _floats(state[f"{name}.{part}"]) for name in widths} for part in ("mean", "basis"))
            return {name: np.asarray((raw[name] - mean[name]) @ basis[name], dtype=np.float32) for name in widths}

        chunks = self._each(range(0, len(images), CHUNK), project)
        none = {name: np.zeros((0, width), np.float32) for name, width in widths.items()}
        return {name: np.concatenate([chunk[name] for chunk in [none, *chunks]]) for name in widths}

    def _each(self, starts: Iterable[int], work: Callable[[int], Views]) -> list[Views]:
        """`work` on each chunk, in order."""
        with threadpool_limits(1), ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(work, starts))

    def on_cpu(self) -> Patches:
        """It never leaves the CPU."""
        return self

    def fingerprint(self, state: State) -> str:
        """sha256 over everything that was learnt."""
        digest = hashlib.sha256(b"patches-1")
        for key in sorted(state):
            digest.update(f"{key} {state[key].dtype} {state[key].shape}".encode() + state[key].tobytes())
        return digest.hexdigest()


def common_side(edges: Sequence[float]) -> int:
    """The square that images of these edge lengths are resized to: 16, 32 or 48, the first not below the median.

    8x8 images are enlarged to 16: six-pixel patches then see strokes, not whole digits.
    """
    median = float(np.median(edges))
    return next((side for side in SIDES[1:] if side >= median), SIDES[-1])


def _resize(image: Pixels, side: int) -> Pixels:
    if image.shape[:2] == (side, side):
        return image
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))


def _channels(x_NHWC: Pixels, colour: bool) -> FloatArray:
    """uint8 RGB as float32 in [0, 255]: three channels, or grey."""
    x = x_NHWC.astype(np.float32)
    return x if colour else (x @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]


def _floats(array: NDArray[np.generic]) -> FloatArray:
    return np.asarray(array, dtype=np.float32)


def _patches(x_NHWC: FloatArray) -> FloatArray:
    """(N, rows, columns, Q): every PATCH x PATCH window at the stride, its own brightness and contrast taken out."""
    stride = 1 if x_NHWC.shape[1] < 16 else 2
    windows = sliding_window_view(x_NHWC, (PATCH, PATCH), axis=(1, 2))[:, ::stride, ::stride]
    p = windows.reshape(*windows.shape[:3], -1)
    p = p - p.mean(axis=-1, keepdims=True)
    # + 10: a flat patch stays near zero instead of becoming amplified noise
    return np.asarray(p / np.sqrt(np.mean(p * p, axis=-1, keepdims=True) + 10.0), dtype=np.float32)


def _learn_filters(x_NHWC: FloatArray, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    p_NHWQ = _patches(x_NHWC)
    p_PQ = p_NHWQ.reshape(-1, p_NHWQ.shape[-1])
    if len(p_PQ) > FIT_PATCHES:
        p_PQ = p_PQ[np.sort(rng.choice(len(p_PQ), FIT_PATCHES, replace=False))]
    mean_Q = p_PQ.mean(axis=0, dtype=np.float64)
    centred = p_PQ.astype(np.float64) - mean_Q
    values_Q, vectors_QQ = np.linalg.eigh(centred.T @ centred / len(centred))
    whiten_QQ = (vectors_QQ / np.sqrt(np.maximum(values_Q, 0) + 0.1)) @ vectors_QQ.T  # ZCA
    white_PQ = (centred @ whiten_QQ).astype(np.float32)
    return {
        "patch.mean": mean_Q.astype(np.float32),
        "patch.whiten": whiten_QQ.astype(np.float32),
        "patch.centroids": _lloyd(white_PQ, rng),
    }


def _lloyd(white_PQ: FloatArray, rng: np.random.Generator) -> FloatArray:
    """k-means from random patches; a centroid that loses all its patches stays where it was."""
    centres_KQ: FloatArray = white_PQ[rng.choice(len(white_PQ), min(CENTROIDS, len(white_PQ)), replace=False)]
    for _ in range(ROUNDS):
        sums_KQ, counts_K = np.zeros(centres_KQ.shape, np.float64), np.zeros(len(centres_KQ))
        half_K = 0.5 * np.sum(centres_KQ**2, axis=1)
        for start in range(0, len(white_PQ), 8192):
            block = white_PQ[start : start + 8192]
            nearest = np.argmax(block @ centres_KQ.T - half_K, axis=1)
            order = np.argsort(nearest, kind="stable")
            ks, firsts = np.unique(nearest[order], return_index=True)
            sums_KQ[ks] += np.add.reduceat(block[order].astype(np.float64), firsts, axis=0)
            counts_K += np.bincount(nearest, minlength=len(centres_KQ))
        moved = np.divide(sums_KQ, counts_K[:, None], where=counts_K[:, None] > 0, out=centres_KQ.astype(np.float64))
        centres_KQ = moved.astype(np.float32)
    return centres_KQ


def _raw_views(x_NHWC: FloatArray, state: State) -> dict[str, FloatArray]:
    """View -> (N, D) before PCA."""
    return {"patches": _activations(x_NHWC, state), "hog": _hog(x_NHWC), "pixels": _pixels(x_NHWC)}


def _activations(x_NHWC: FloatArray, state: State) -> FloatArray:
    """max(0, mean distance - distance to centroid k), summed over each quadrant, square root: (N, 4K)."""
    centres_KQ = _floats(state["patch.centroids"])
    p = _patches(x_NHWC)
    n, rows, columns, width = p.shape
    white_PQ = (p.reshape(-1, width) - _floats(state["patch.mean"])) @ _floats(state["patch.whiten"])
    z_PK = white_PQ @ (-2.0 * centres_KQ.T)
    z_PK += np.sum(white_PQ**2, axis=1, keepdims=True)
    z_PK += np.sum(centres_KQ**2, axis=1)
    np.sqrt(np.maximum(z_PK, 0, out=z_PK), out=z_PK)
    np.subtract(z_PK.mean(axis=1, keepdims=True), z_PK, out=z_PK)
    np.maximum(z_PK, 0, out=z_PK)
    a = z_PK.reshape(n, rows, columns, -1)
    r, c = rows // 2, columns // 2
    quadrants = [a[:, :r, :c], a[:, :r, c:], a[:, r:, :c], a[:, r:, c:]]
    pooled: FloatArray = np.concatenate([quadrant.sum(axis=(1, 2)) for quadrant in quadrants], axis=1)
    return np.sqrt(pooled)


def _hog(x_NHWC: FloatArray) -> FloatArray:
    """Nine unsigned orientations in an 8x8 grid of cells, normalised in overlapping blocks of 2x2 cells."""
    grey = x_NHWC.mean(axis=3)
    down = np.zeros_like(grey)
    right = np.zeros_like(grey)
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    right[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    size = np.sqrt(down**2 + right**2)
    turn = (np.arctan2(down, right) % np.pi) * (9 / np.pi)
    n, side, _ = grey.shape
    cells = []
    for b in range(9):
        away = np.abs((turn - b + 4.5) % 9 - 4.5)  # in bins, around the circle; each pixel votes for its two nearest
        vote = size * np.maximum(0, 1 - away)
        cells.append(vote.reshape(n, 8, side // 8, 8, side // 8).sum(axis=(2, 4)))
    h = np.stack(cells, axis=-1)
    blocks = np.concatenate([h[:, :-1, :-1], h[:, :-1, 1:], h[:, 1:, :-1], h[:, 1:, 1:]], axis=-1)
    # + 1: what the gradient of a flat block amounts to is noise
    blocks = blocks / np.sqrt(np.sum(blocks**2, axis=-1, keepdims=True) + 1.0)
    return np.asarray(np.sqrt(blocks).reshape(n, -1), dtype=np.float32)


def _pixels(x_NHWC: FloatArray) -> FloatArray:
    """The pixels in [0, 1], at 16 a side: what is finer than that is the other views' to see."""
    n, side, _, channels = x_NHWC.shape
    step = max(1, side // 16)
    small = x_NHWC.reshape(n, side // step, step, side // step, step, channels).mean(axis=(2, 4))
    return np.asarray(small.reshape(n, -1) / 255, dtype=np.float32)


def _principal(x_ND: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """Mean (D,) and basis (D, V) of a half-whitened PCA, scaled so that the fit set's mean square length is 1.

    Half-whitened: each component divided by the fourth root of its variance, so that the few strongest (overall light
    and colour) do not drown the rest; nearest neighbours of the same class rise from .53 to .57 on CIFAR-10.
    Where all rows agree the mean is left in (a fit set of one image still has a direction); basis 0 if all are zero.
    """
    x = x_ND.astype(np.float64)
    mean_D = x.mean(axis=0)
    if np.abs(x - mean_D).max() <= 1e-5 * max(1.0, float(np.abs(mean_D).max())):
        mean_D = np.zeros_like(mean_D)
    x = (x - mean_D) / np.sqrt(len(x))
    wide = x.shape[1] > x.shape[0]
    values, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
    if values[-1] <= 0:
        return mean_D.astype(np.float32), np.zeros((x.shape[1], 1), np.float32)
    keep = np.flatnonzero(values > values[-1] * 1e-7)[::-1][:width]
    basis_DV = x.T @ vectors[:, keep] / np.sqrt(values[keep]) if wide else vectors[:, keep]
    # An eigenvector's sign is free: the largest entry is made positive, so that machines agree.
    basis_DV = basis_DV * np.sign(basis_DV[np.abs(basis_DV).argmax(axis=0), np.arange(len(keep))])
    return mean_D.astype(np.float32), (basis_DV / values[keep] ** 0.25 / np.sqrt(np.sqrt(values[keep]).sum())).astype(
        np.float32
    )
