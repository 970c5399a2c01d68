"""Does a model get better when it is trained on the cleaned labels?

A small network (one hidden layer, tens of thousands of weights) is trained from scratch on a dataset as it stands and
measured on held-out images whose labels are known to be right. It is large enough, and trained long enough, to learn
wrong labels by heart, which is what makes them cost accuracy.

Reads   a torch Dataset such as tasks.load(rev), held-out images and their classes
Writes  nothing

A measure of the labels, not of the best model: no augmentation, no early stopping, no tuning. Several seeds, because
one says little: accuracies of two revisions are compared by their mean and their spread.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from torch.utils.data import Dataset

# N images, C channels, D inputs, M hidden units, K classes

SIDE = 16  # larger images are averaged down to this side, in pixels
HIDDEN = 128
EPOCHS = 40
BATCH = 64
RATE = 3e-3  # of Adam, falling to 0 along a half cosine


def accuracy(
    train: Dataset[tuple[torch.Tensor, int]],
    test_x: Sequence[torch.Tensor] | NDArray[np.float32],
    test_y: Sequence[int] | NDArray[np.int64],
    *,
    seeds: Iterable[int] = range(5),
    threads: int = 1,
) -> list[float]:
    """The share of held-out images classified right, one figure a seed, each in [0, 1].

    Images are float32 (C, H, W) in [0, 1], of any size; `test_y` are class indices as in `train`. The same seeds and
    threads give the same figures on one machine.
    """
    pairs = [train[n] for n in range(len(train))]  # type: ignore[arg-type]
    side = min(SIDE, *pairs[0][0].shape[1:])
    x_ND, x_test_ND = _inputs([image for image, _ in pairs], side), _inputs(test_x, side)
    y_N, y_test_N = torch.tensor([y for _, y in pairs]), torch.as_tensor(test_y)
    classes = int(max(y_N.max(), y_test_N.max())) + 1
    mean_D, spread = x_ND.mean(0), x_ND.std()
    x_ND, x_test_ND = (x_ND - mean_D) / spread, (x_test_ND - mean_D) / spread
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return [_one(x_ND, y_N, x_test_ND, y_test_N, classes, seed) for seed in seeds]
    finally:
        torch.set_num_threads(before)


def summary(accuracies: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (of the sample; 0 for one figure)."""
    return statistics.fmean(accuracies), statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0


def _inputs(images: Sequence[torch.Tensor] | NDArray[np.float32], side: int) -> torch.Tensor:
    sized = [functional.adaptive_avg_pool2d(torch.as_tensor(image)[None], side) for image in images]
    return torch.cat(sized).to(torch.float32).flatten(1)


def _layer(inputs: int, outputs: int, generator: torch.Generator) -> list[torch.Tensor]:
    """Weights (inputs, outputs) as He et al. 2015 scale them, and a bias of 0."""
    weights = torch.randn(inputs, outputs, generator=generator) * (2 / inputs) ** 0.5
    return [weights.requires_grad_(), torch.zeros(outputs, requires_grad=True)]


def _one(
    x_ND: torch.Tensor, y_N: torch.Tensor, x_test_ND: torch.Tensor, y_test_N: torch.Tensor, classes: int, seed: int
) -> float:
    generator = torch.Generator().manual_seed(seed)
    into_DM, bias_M = _layer(x_ND.shape[1], HIDDEN, generator)
    out_MK, bias_K = _layer(HIDDEN, classes, generator)

    def scores(x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x @ into_DM + bias_M) @ out_MK + bias_K

    steps = EPOCHS * -(-len(x_ND) // BATCH)
    optimiser = torch.optim.Adam([into_DM, bias_M, out_MK, bias_K], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(EPOCHS):
        for chosen in torch.split(torch.randperm(len(x_ND), generator=generator), BATCH):
            optimiser.zero_grad()
            torch.autograd.backward(functional.cross_entropy(scores(x_ND[chosen]), y_N[chosen]))
            optimiser.step()
            schedule.step()
    with torch.no_grad():
        return float((scores(x_test_ND).argmax(1) == y_test_N).float().mean())
