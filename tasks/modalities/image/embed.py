"""How does an image become vectors?

`EMBEDDERS[name](weights=, device=, threads=, batch=, seed=)` makes an embedder: `weights` is the Path of a local
state_dict or None, `device` auto, cpu or cuda, `batch` images a forward pass. An embedder has

    name, learns                       `learns` is False where there is nothing to fit
    fit(images) -> State               one pass over (H, W, 3) uint8 images; State is name -> array, saved as npz
                                       without pickle ({} where there is nothing to learn)
    views(state) -> {view: width}
    transform(images, state) -> {view: (N, width) float32}     each image by itself, in the order given
    fingerprint(state) -> text         changes when vectors do
    on_cpu() -> embedder               its twin for what a card has not the memory for; itself where it has no card

`patches` (patches.py) needs no download. The others are torchvision's classifiers with their last linear layer taken
off; torch and torchvision, which cost seconds to import, are imported when such a model is made.
"""

# N images, D features

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...model import Mistake
from . import OFFLINE
from .patches import FloatArray, Patches, Pixels, State

if TYPE_CHECKING:
    import torch

PRETRAINED = "resnet18"  # what `auto` becomes where its weights can be had: small, and good enough to audit with


class Embedder(Protocol):
    """See the module's docstring."""

    @property
    def name(self) -> str: ...
    @property
    def learns(self) -> bool: ...
    def fit(self, images: Iterable[Pixels]) -> State: ...
    def views(self, state: State) -> dict[str, int]: ...
    def transform(self, images: Sequence[Pixels], state: State) -> dict[str, FloatArray]: ...
    def fingerprint(self, state: State) -> str: ...
    def on_cpu(self) -> Embedder: ...


class Torchvision:
    """A torchvision classifier up to its last linear layer; its weights' own transforms; evaluation mode."""

    learns = False

    def __init__(self, name: str, *, weights: Path | None, device: str, threads: int, batch: int) -> None:
        import torch
        from torchvision.models import get_model, get_model_weights

        self.name = name
        self._batch = batch
        torch.set_num_threads(threads)
        self._device = _device(device)
        self._twin: Torchvision | None = None
        published = get_model_weights(name).DEFAULT
        self._prepare = published.transforms()
        # An unpublished state_dict has the number of classes it was trained with, not ImageNet's thousand.
        path = weights or _published_file(name, published.url)
        state = _read_state(name, path)
        network = get_model(name, weights=None, num_classes=len(state[list(state)[-1]]))
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            first = " ".join(str(error).split())[:200]
            raise Mistake(
                f"Weights '{path}' do not fit model '{name}': {first}. Change embed.weights in params.yaml."
            ) from None
        last, linear = [(n, m) for n, m in network.named_modules() if isinstance(m, torch.nn.Linear)][-1]
        parent, _, attribute = last.rpartition(".")
        setattr(network.get_submodule(parent), attribute, torch.nn.Identity())
        self._width = int(linear.in_features)
        self._network = network.eval().to(self._device, memory_format=torch.channels_last)
        digest = hashlib.sha256(f"{name} {self._prepare}".encode())
        for key, tensor in state.items():
            digest.update(key.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        self._fingerprint = digest.hexdigest()

    def fit(self, images: Iterable[Pixels]) -> State:
        """Nothing to learn."""
        return {}

    def views(self, state: State) -> dict[str, int]:
        return {self.name: self._width}

    def transform(self, images: Sequence[Pixels], state: State) -> dict[str, FloatArray]:
        import torch

        parts = [np.zeros((0, self._width), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(images), self._batch):
                chunk = images[start : start + self._batch]
                ready = [self._prepare(torch.from_numpy(np.array(image)).permute(2, 0, 1)) for image in chunk]
                x = torch.stack(ready).to(self._device, memory_format=torch.channels_last)
                parts.append(self._network(x).float().cpu().numpy())
        return {self.name: np.concatenate(parts)}

    def fingerprint(self, state: State) -> str:
        return self._fingerprint

    def on_cpu(self) -> Torchvision:
        import torch

        if self._twin is None:
            self._twin = self if self._device.type == "cpu" else copy.deepcopy(self)
            self._twin._device = torch.device("cpu")
            self._twin._network = self._twin._network.to("cpu")
        return self._twin


def _device(wanted: str) -> torch.device:
    import torch

    if wanted == "cuda" and not torch.cuda.is_available():
        raise Mistake("Param embed.device is 'cuda', and no CUDA device can be used. Set embed.device: cpu.")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _read_state(name: str, path: Path) -> dict[str, torch.Tensor]:
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise Mistake(
            f"Weights '{path}' of model '{name}' cannot be read ({reason}). "
            f"Put a state_dict there, or set embed.model: {OFFLINE} in params.yaml."
        ) from None
    tensors = isinstance(state, dict) and state and all(isinstance(v, torch.Tensor) for v in state.values())
    if not tensors or not state[list(state)[-1]].ndim:
        raise Mistake(
            f"Weights '{path}' of model '{name}' are no state_dict. Save them with: torch.save(m.state_dict())."
        )
    return dict(state)


def _published_file(name: str, url: str) -> Path:
    """torchvision's weights in torch's own cache, fetched if need be; Mistake names the ways out."""
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file() and (reason := fetch(url, path, seconds=600)):
        raise Mistake(
            f"The weights of model '{name}' cannot be fetched ({reason}). Put {url} at '{path}', name a file in "
            f"embed.weights, or set embed.model: {OFFLINE} in params.yaml."
        )
    return path


def fetch(url: str, path: Path, *, seconds: float) -> str | None:
    """Download `url` to `path` within `seconds`, whole or not at all; None, or the reason why not.

    torchvision's file names end in the first digits of their sha256, which are checked.
    """
    deadline = time.monotonic() + seconds
    content = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=min(5.0, seconds)) as answer:
            while chunk := answer.read(2**20):
                content += chunk
                if time.monotonic() > deadline:
                    return f"not done after {seconds:.0f} s"
    except (OSError, ValueError) as error:  # URLError, timeouts and refused connections are OSErrors
        return str(getattr(error, "reason", error)) or type(error).__name__
    digest, wanted = hashlib.sha256(content).hexdigest(), path.stem.rpartition("-")[2]
    if not digest.startswith(wanted):
        return f"what came has sha256 {digest[:8]}, not {wanted}"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    temporary.write_bytes(content)
    os.replace(temporary, path)  # the cache is torch's, no state of ours: whole or absent is enough
    return None


def resolve_auto(*, seconds: float = 60.0) -> str:
    """The model that `assay init` writes into params.yaml: pretrained if its weights can be had now, else offline.

    Asked once, so that the model of a workspace does not change with the weather of a network.
    """
    import torch
    from torchvision.models import get_model_weights

    url = str(get_model_weights(PRETRAINED).DEFAULT.url)
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    return PRETRAINED if path.is_file() or fetch(url, path, seconds=seconds) is None else OFFLINE


def _patches(*, seed: int, threads: int, **_: object) -> Embedder:
    return Patches(seed=seed, threads=threads)  # weights and device do not concern it


def _torchvision(name: str) -> Callable[..., Embedder]:
    def make(*, weights: Path | None, device: str, threads: int, batch: int, seed: int) -> Embedder:
        return Torchvision(name, weights=weights, device=device, threads=threads, batch=batch)

    return make


TORCHVISION = (
    "convnext_base",
    "convnext_tiny",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "mobilenet_v3_large",
    "regnet_y_3_2gf",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "swin_t",
    "vit_b_16",
    "vit_l_16",
)
EMBEDDERS: Mapping[str, Callable[..., Embedder]] = {
    OFFLINE: _patches,
    **{name: _torchvision(name) for name in TORCHVISION},
}
