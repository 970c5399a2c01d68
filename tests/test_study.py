"""Does the small model show what wrong labels cost, and give the same figures twice?"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch.utils.data import Dataset

from tasks import study


class Digits(Dataset[tuple[torch.Tensor, int]]):
    def __init__(self, images: NDArray[np.float32], y: NDArray[np.int64]) -> None:
        self._images, self._y = images, y

    def __len__(self) -> int:
        return len(self._y)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.tensor(self._images[index]), int(self._y[index])


def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    bunch = load_digits()
    images = np.repeat((bunch.images / 16).astype(np.float32)[:, None], 3, axis=1)
    order = np.random.default_rng(0).permutation(len(images))
    return images[order], bunch.target.astype(np.int64)[order]


def with_wrong(y: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    random = np.random.default_rng(1)
    wrong = random.permutation(len(y))[: round(share * len(y))]
    out = y.copy()
    out[wrong] = (out[wrong] + random.integers(1, 10, len(wrong))) % 10
    return out


def test_five_percent_of_wrong_labels_cost_more_than_the_spread_of_the_seeds() -> None:
    images, y = digits()
    clean = study.accuracy(Digits(images[:1200], y[:1200]), images[1200:1600], y[1200:1600], seeds=range(3))
    noisy = study.accuracy(
        Digits(images[:1200], with_wrong(y[:1200], 0.05)), images[1200:1600], y[1200:1600], seeds=range(3)
    )
    assert study.summary(clean)[0] > 0.975
    assert study.summary(clean)[0] - study.summary(noisy)[0] > 0.008
    assert min(clean) > max(noisy)


def test_a_seed_gives_the_same_figure_twice_and_the_global_generator_is_left_alone() -> None:
    images, y = digits()
    train = Digits(images[:200], y[:200])
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    first = study.accuracy(train, images[200:400], y[200:400], seeds=[3, 4])
    assert torch.equal(torch.rand(1), wanted)
    assert study.accuracy(train, images[200:400], y[200:400], seeds=[4, 3]) == first[::-1]


def test_a_class_that_is_plain_to_see_is_learnt_whatever_the_sizes_of_the_images() -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 60)
    images = [torch.full((3, 20 + n % 5, 24), 0.2 + 0.6 * float(k)) for n, k in enumerate(y)]

    class Sizes(Dataset[tuple[torch.Tensor, int]]):
        def __len__(self) -> int:
            return 40

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return images[index], int(y[index])

    assert study.accuracy(Sizes(), images[40:], y[40:], seeds=[0]) == [1.0]


def test_summary_is_the_mean_and_the_standard_deviation_of_the_sample() -> None:
    assert study.summary([0.25, 0.75]) == pytest.approx((0.5, 0.125**0.5))
    assert study.summary([0.9]) == (0.9, 0.0)
