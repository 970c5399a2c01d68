"""Does a model get better when it is trained on the cleaned labels?

A small network (one hidden layer, tens of thousands of weights) is trained from scratch on a dataset as it stands and
measured on held-out images whose labels are known to be right. It is large enough, and trained long enough, to learn
wrong labels by heart, which is what makes them cost accuracy.

Reads   a torch Dataset such as tasks.load(rev), held-out images and their classes
Writes  nothing

A measure of the labels, not of the best model: no augmentation, no early stopping, no tuning. Several seeds, because
one says little: accuracies of two revisions are compared by their mean and their spread. Two revisions that bring a
test split each are compared item by item (study_cells.py), on what `predictions` says.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from torch.utils.data import Dataset

# N images, T held-out images, S seeds, C channels, D inputs, M hidden units, K classes

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
    side = side_of(pairs[0][0])
    y_N, y_test_T = np.array([y for _, y in pairs]), np.asarray(test_y)
    said_ST = predictions(
        small((image for image, _ in pairs), side),
        y_N,
        small(test_x, side),
        classes=int(max(y_N.max(), y_test_T.max())) + 1,
        seeds=seeds,
        threads=threads,
    )
    return [float((said_T == y_test_T).mean()) for said_T in said_ST]


def predictions(
    x_ND: NDArray[np.float32],
    y_N: NDArray[np.int64],
    x_test_TD: NDArray[np.float32],
    *,
    classes: int,
    seeds: Iterable[int] = range(5),
    threads: int = 1,
    progress: Callable[[], None] = lambda: None,
) -> NDArray[np.int64]:
    """The class that each seed's network, trained on (x, y), gives each held-out row: (S, T), from 0 to classes - 1.

    Inputs may have any scale: they are centred and divided by their one spread. `progress` is called after each seed.
    """
    mean_D, spread = x_ND.mean(axis=0), max(float(x_ND.std()), 1e-12)
    x, x_test = (torch.as_tensor((part - mean_D) / spread) for part in (x_ND, x_test_TD))
    said = []
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for seed in seeds:
            said.append(_one(x, torch.as_tensor(y_N), x_test, classes, seed))
            progress()
    finally:
        torch.set_num_threads(before)
    return np.stack(said)


def summary(accuracies: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (of the sample; 0 for one figure)."""
    return statistics.fmean(accuracies), statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0


def side_of(image: torch.Tensor) -> int:
    """The side to which images like this one, (C, H, W), are averaged down, in pixels."""
    return int(min(SIDE, *image.shape[1:]))


def small(images: Iterable[torch.Tensor | NDArray[np.float32]], side: int) -> NDArray[np.float32]:
    """Images (C, H, W) of any sizes, averaged to `side` x `side` one by one: (N, C * side * side)."""
    sized = [functional.adaptive_avg_pool2d(torch.as_tensor(image), side).flatten().numpy() for image in images]
    return np.stack(sized).astype(np.float32)


def _layer(inputs: int, outputs: int, generator: torch.Generator) -> list[torch.Tensor]:
    """Weights (inputs, outputs) as He et al. 2015 scale them, and a bias of 0."""
    weights = torch.randn(inputs, outputs, generator=generator) * (2 / inputs) ** 0.5
    return [weights.requires_grad_(), torch.zeros(outputs, requires_grad=True)]


def _one(x_ND: torch.Tensor, y_N: torch.Tensor, x_test_TD: torch.Tensor, classes: int, seed: int) -> NDArray[np.int64]:
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
        return np.asarray(scores(x_test_TD).argmax(1).numpy())
