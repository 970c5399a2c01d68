"""What does a pretrained sentence model make of a text?

Reads   a folder in the layout of sentence-transformers: modules.json, config.json, model.safetensors, tokenizer.json

The library is an extra (`pip install 'assay[sentence-transformers]'`), the model a folder that `embed.weights` names:
nothing is fetched, and no code from the folder runs. Of a text longer than the model takes, it reads the beginning.
"""

# N texts, D values

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model import Mistake
from .tfidf import LONGEST, FloatArray, State

NAME = "sentence-transformers"
VIEW = "sentences"
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")  # may run code when they are loaded
ELSE = "or set embed.model: tfidf in params.yaml."


class Sentences:
    """A local sentence-transformers model in evaluation mode; see image/embed.py for what an embedder is."""

    name = NAME
    learns = False

    def __init__(self, folder: Path | None, *, device: str, threads: int, batch: int) -> None:
        self._folder, self._batch, self._threads = checked(folder), batch, threads
        try:
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging as bars
        except ImportError:
            raise Mistake(
                f"Model '{NAME}' needs the library of that name. Install it with: pip install 'assay[{NAME}]', {ELSE}"
            ) from None
        torch.set_num_threads(threads)
        bars.disable_progress_bar()  # a stage's lines are no terminal
        if device == "cuda" and not torch.cuda.is_available():
            raise Mistake("Param embed.device is 'cuda', and no CUDA device can be used. Set embed.device: cpu.")
        self._device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        try:
            self._model = SentenceTransformer(
                str(self._folder), device=self._device, local_files_only=True, trust_remote_code=False
            ).eval()
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise Mistake(
                f"Weights '{self._folder}' of model '{NAME}' cannot be read ({reason}). Mend them, {ELSE}"
            ) from None
        self._width = int(self._encode(["a"]).shape[1])

    def fit(self, texts: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Nothing to learn."""
        return {}

    def views(self, state: State) -> dict[str, int]:
        return {VIEW: self._width}

    def transform(self, texts: Sequence[str], state: State) -> dict[str, FloatArray]:
        return {
            VIEW: self._encode([text[:LONGEST] for text in texts]) if texts else np.zeros((0, self._width), np.float32)
        }

    def fingerprint(self, state: Mapping[str, Any]) -> str:
        return fingerprint(self._folder)

    def on_cpu(self) -> Sentences:
        if self._device == "cpu":
            return self
        return Sentences(self._folder, device="cpu", threads=self._threads, batch=self._batch)

    def _encode(self, texts: Sequence[str]) -> FloatArray:
        x_ND = self._model.encode(list(texts), batch_size=self._batch, show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(x_ND, np.float32)


def checked(folder: Path | None) -> Path:
    """The folder of a model; Mistake where there is none, or where loading it could run code."""
    if folder is None:
        raise Mistake(f"Model '{NAME}' needs a folder with a model. Name it in embed.weights of params.yaml, {ELSE}")
    if not (folder / "modules.json").is_file():
        raise Mistake(f"Weights '{folder}' of model '{NAME}' have no modules.json. Put a model's folder there, {ELSE}")
    if found := sorted(path.name for path in folder.rglob("*") if path.suffix in PICKLES):
        raise Mistake(
            f"Weights '{folder}' of model '{NAME}' hold '{found[0]}', which may run code. Safetensors are allowed: "
            f"save the model with them, {ELSE}"
        )
    return folder


def fingerprint(folder: Path) -> str:
    """sha256 over the names and bytes of the folder's files."""
    digest = hashlib.sha256(NAME.encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()
