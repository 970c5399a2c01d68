"""What does a model see of an image?"""

from __future__ import annotations

import torch

from .decode import load


def example(data: bytes) -> torch.Tensor:
    """float32 (3, H, W) in [0, 1]."""
    image_HWC = torch.tensor(load(data))
    return image_HWC.permute(2, 0, 1).to(torch.float32).div_(255).contiguous()
