"""Which drops does the demo deliver, and what is wrong with them?

scikit-learn's digits (1,797 real 8x8 scans of handwritten digits that ship with the library; E. Alpaydin, C. Kaynak,
UCI 1998) written out as PNG files with a labels.csv, as a supplier would. What is planted is returned as the truth, for
the simulated reviewer and for the figures; the chain never sees it.

    d0007.png,3,d0007      one row of labels.csv: path,label,id
"""

from __future__ import annotations

import csv
import hashlib
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

TEST = 400  # digits that are never delivered: the clean yardstick
DROPS = {"january-acme": 700, "february-bolt": 550, "march-core": 130, "april-core": 14}
NOISE = {"january-acme": 0.05, "february-bolt": 0.10, "march-core": 0.0, "april-core": 0.0}
FAULTS = {
    "E_ASSET_TRUNCATED": 2,  # images cut in half
    "E_ASSET_MISSING": 1,  # a row without a file
    "E_ID_CONFLICT": 2,  # one image with two labels: both rows
}
UNKNOWN_CLASS = "ten"


@dataclass(frozen=True, slots=True)
class Digits:
    """The digits in delivery order: images (N, 8, 8) uint8, true labels (N,), and which drop each belongs to."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    drops: Mapping[str, NDArray[np.int64]]  # drop name -> rows of `images`
    test: NDArray[np.int64]

    def names(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """The item ids of rows: d0007."""
        return [f"d{row:04d}" for row in rows]


def digits(seed: int = 0) -> Digits:
    """All digits, shuffled by `seed` and dealt out to the drops and the test set."""
    data = load_digits()
    order = np.random.default_rng(seed).permutation(len(data.target))
    images = np.round(data.images[order] * (255 / 16)).astype(np.uint8)
    drops, start = {}, TEST
    for name, size in DROPS.items():
        drops[name] = np.arange(start, start + size)
        start += size
    return Digits(images, data.target[order].astype(np.int64), drops, np.arange(TEST))


def plant(truth: Digits, drop: str, *, noise: float, seed: int) -> dict[int, str]:
    """Row -> wrong label, for a share `noise` of the drop's rows: another class, uniformly."""
    rng = np.random.default_rng([seed, zlib.crc32(drop.encode())])
    rows = truth.drops[drop]
    wrong = rng.choice(rows, size=round(noise * len(rows)), replace=False)
    return {int(row): str((truth.labels[row] + rng.integers(1, 10)) % 10) for row in sorted(wrong)}


def write_drop(
    truth: Digits, drop: str, folder: Path, *, noise: float, seed: int, faults: bool = False
) -> dict[int, str]:
    """Write the drop's images, labels.csv and _SUCCESS into `folder`; returns what `plant` planted.

    With `faults`: two truncated images, a row without a file, a duplicated row, an unknown class on three rows, and one
    image with two labels; none of them on a row whose label was planted wrong.
    """
    planted = plant(truth, drop, noise=noise, seed=seed)
    folder.mkdir(parents=True)
    rows = [int(row) for row in truth.drops[drop]]
    labels = {row: planted.get(row, str(truth.labels[row])) for row in rows}
    sound = [row for row in rows if row not in planted]
    lines = []
    for row in rows:
        name = f"d{row:04d}"
        (folder / f"{name}.png").write_bytes(png(truth.images[row]))
        lines.append([f"{name}.png", labels[row], name])
    if faults:
        for row in sound[:2]:
            path = folder / f"d{row:04d}.png"
            path.write_bytes(path.read_bytes()[:-30])
        lines.append(["d9999.png", "4", "d9999"])
        lines.append(list(next(line for line in lines if line[2] == f"d{sound[2]:04d}")))
        for row in sound[3:6]:
            lines[rows.index(row)][1] = UNKNOWN_CLASS
        twice = f"d{sound[6]:04d}"
        lines.append([f"{twice}.png", str((truth.labels[sound[6]] + 1) % 10), twice])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([["path", "label", "id"], *lines])
    (folder / "labels.csv").write_text(text.getvalue(), encoding="utf-8")
    files = sorted(path for path in folder.iterdir())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (folder / "_SUCCESS").write_text(sums, encoding="utf-8")
    return planted


def png(image_HW: NDArray[np.uint8]) -> bytes:
    """A grey image, (H, W) uint8, as PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(image_HW).save(buffer, "PNG")
    return buffer.getvalue()
