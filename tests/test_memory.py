"""Does a lack of memory cost time only: halves, then the CPU, then the one item that fits nowhere?"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_augment import a_drop, a_revision, revision
from torchvision.transforms import v2

from tasks import augment, embed, store
from tasks.embed_rows import TOO_LARGE, State, embed_rows
from tasks.memory import Halving, is_out_of_memory
from tasks.model import AUGMENTED, DATASET, MANIFEST, SKIPPED
from tasks.store import FloatArray

OOM = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def card(memory: int, sizes: list[int]) -> Any:
    """Doubles numbers, while their sum is at most `memory`; notes how many it was given."""

    def work(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        if sum(items) > memory:
            raise OOM
        return [2 * item for item in items]

    return work


def test_a_batch_is_halved_until_it_fits_and_grows_again() -> None:
    sizes: list[int] = []
    fits: Halving[int, list[int]] = Halving(card(4, sizes), card(10**9, []))
    done = list(fits([1] * 16))
    assert [place for places, _ in done for place in places] == list(range(16))
    assert all(result == [2] * len(places) for places, result in done)
    assert sizes[:3] == [16, 8, 4]
    sizes.clear()
    assert sum(len(places) for places, _ in fits([1] * 16)) == 16
    assert max(sizes) <= 8  # it remembers, and tries twice as many


def test_what_does_not_fit_alone_goes_to_the_cpu_and_then_nowhere() -> None:
    on_cpu: list[int] = []
    fits: Halving[int, list[int]] = Halving(card(4, []), card(100, on_cpu))
    done = {n: result for places, result in fits([1, 50, 1, 1000, 1]) for n in places}
    assert [done[n] for n in (1, 3)] == [[100], None]
    assert on_cpu == [1, 1]
    assert all(done[n] is not None for n in (0, 2, 4))
    assert list(fits([])) == []


@pytest.mark.parametrize(
    ("error", "lacking"),
    [
        (OOM, True),
        (RuntimeError("CUDA out of memory."), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (MemoryError(), True),
        (RuntimeError("shapes differ"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_only_a_lack_of_memory_is_taken_for_one(error: Exception, lacking: bool) -> None:
    assert is_out_of_memory(error) is lacking
    if isinstance(error, RuntimeError) and not lacking:

        def work(items: Sequence[int]) -> list[int]:
            raise error

        with pytest.raises(RuntimeError, match="shapes differ"):
            list(Halving(work, work)([1, 2]))


class Small:
    """An embedder whose card holds two items; one of the items fits nowhere."""

    name = "small"

    def __init__(self, memory: int = 2, giant: int | None = None) -> None:
        self.memory, self.giant = memory, giant
        self.calls: list[int] = []

    def views(self, state: State) -> dict[str, int]:
        return {"x": 2}

    def transform(self, images: Sequence[Any], state: State) -> dict[str, FloatArray]:
        self.calls.append(len(images))
        if len(images) > self.memory or any(image[0] == self.giant for image in images):
            raise OOM
        return {"x": np.array([[image[0] + 1, 1] for image in images], np.float32)}

    def on_cpu(self) -> Small:
        return Small(1, self.giant)


def test_embedding_loses_only_the_item_that_fits_nowhere(tmp_path: Path) -> None:
    data = tmp_path / "data"
    rows = a_drop(data, "0001-a", 7)
    store.write_table(
        data / "manifest.parquet",
        MANIFEST,
        store.frame(
            MANIFEST, [{**{k: v for k, v in r.items() if k != "why"}, "drop": "0001-a", "source": "s"} for r in rows]
        ),
    )
    manifest = store.read_table(data / "manifest.parquet", MANIFEST)
    number = iter(range(7))

    def load(content: bytes) -> Any:
        return np.array([next(number)], np.float32)

    embedder = Small(giant=4)
    x, without = embed_rows(manifest, embedder, {}, load, data / "drops", size=len, batch=7)
    assert without == {4: "It needs more memory than this machine has."}
    assert embedder.calls[:2] == [7, 3]
    wanted = np.array([[n + 1, 1] for n in range(7)], np.float32)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    wanted[4] = 0
    np.testing.assert_allclose(x["x"], wanted, atol=1e-6)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    a_revision(folder, a_drop(folder, "0001-a", 12))
    return folder


def varied(data: Path, device: str) -> tuple[list[bytes], dict[str, str]]:
    rows = store.read_table(data / "revise" / "dataset.parquet", DATASET)
    skipped: dict[str, str] = {}
    with ThreadPoolExecutor(1) as pool:
        read = store.AssetReader(data / "drops")
        made = list(augment.augmented(rows, read, augment.Params(), device, pool, skipped))
    return [row["data"] for row in made], skipped


def test_augmenting_gives_the_same_bytes_however_little_memory_the_card_has(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, _ = varied(data, "cpu")
    elastic = v2.functional.elastic
    heights: list[tuple[str, int]] = []

    def small_memory(tall: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
        heights.append((displacement.device.type, tall.shape[-2] // 8))
        if displacement.device.type == "meta":  # a card that has no memory at all
            raise OOM
        out: torch.Tensor = elastic(tall, displacement)
        return out

    monkeypatch.setattr(v2.functional, "elastic", small_memory)
    assert varied(data, "meta") == (wanted, {})
    assert heights[:5] == [("meta", 12), ("meta", 6), ("meta", 3), ("meta", 1), ("cpu", 1)]
    assert sum(count for kind, count in heights if kind == "cpu") == 12


def test_an_item_that_fits_nowhere_is_written_down_and_its_neighbours_are_varied(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = augment.seed_of(0, "a5", 0)
    module = augment.augmenter("image")
    batch = module.augment_batch

    def too_large(images: Any, strengths: Any, seeds: Sequence[int], *, device: str) -> Any:
        if seed in seeds:
            raise MemoryError
        return batch(images, strengths, seeds, device=device)

    monkeypatch.setattr(module, "augment_batch", too_large)
    a_revision(data, [{**row, "split": "train"} for row in revision(data)])
    report = augment.run(data, augment.Params())
    assert report.counts["skipped"] == 1
    assert report.notes[0].startswith("Not all variants: 1 items, 'a5' first.")
    assert sorted(store.read_table(data / "augment", AUGMENTED)["item"]) == sorted(f"a{n}" for n in range(12) if n != 5)
    (row,) = store.read_table(data / "augment" / "_skipped.parquet", SKIPPED).to_dict("records")
    assert (row["item"], row["drop"], row["code"]) == ("a5", "0001-a", "E_MEMORY")
    assert augment.shard(data, augment.Params(), 0, 1) == []  # no other machine need do without it

    monkeypatch.undo()  # the memory is there now
    report = augment.run(data, augment.Params())
    assert (report.counts["skipped"], report.notes) == (0, ())


def test_a_vector_that_lacked_memory_once_is_computed_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    rows = a_drop(data, "0001-a", 7)
    kept = [{k: v for k, v in row.items() if k != "why"} | {"drop": "0001-a", "source": "s"} for row in rows]
    store.write_table(data / "ingest/manifest/0001-a.parquet", MANIFEST, store.frame(MANIFEST, kept))
    whole = embed_rows

    def lacking(*arguments: Any, **named: Any) -> Any:
        x, without = whole(*arguments, **named)
        return x, without | {4: TOO_LARGE}

    monkeypatch.setattr(embed, "embed_rows", lacking)
    assert embed.run(data, embed.Params()).counts["skipped"] == 1
    names = embed.shard(data, embed.Params(), 0, 1)
    assert len(names) == 1  # what was learnt, and not the drop
    monkeypatch.undo()
    assert embed.run(data, embed.Params()).counts["skipped"] == 0
