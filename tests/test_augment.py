"""Does the stage write the same shards whatever the order, batch and threads, and only what changed?"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tasks import augment, params, store
from tasks.augment import Params
from tasks.model import AUGMENTED, DATASET, Mistake, label_json

OFF = Params(noise=0, rotation=0, translation=0, homothety=0, crop=0, elastic=0, grid=0)


def png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png")
    return out.getvalue()


def a_drop(data: Path, drop: str, count: int, *, seed: int = 0, oblong: bool = False) -> list[dict[str, Any]]:
    """A packed drop of random images and its rows of the revision: every fourth item is in the split `test`."""
    random = np.random.default_rng(seed)
    files = [png(random.integers(0, 256, (8 + (n % 2) * oblong, 8, 3), dtype=np.uint8)) for n in range(count)]
    named = [(hashlib.sha256(file).hexdigest(), file) for file in files]
    (data / "drops" / drop).mkdir(parents=True)
    where = store.write_assets(data / "drops" / drop, drop, named)
    return [
        {
            "item": f"{drop[-1]}{n}",
            "asset": asset,
            "shard": where[asset][0],
            "row": where[asset][1],
            "region": None,
            "y": label_json(str(n % 3)),
            "split": "test" if n % 4 == 3 else "train",
            "why": f"drop {drop} labels.csv:{n + 2}",
        }
        for n, (asset, _) in enumerate(named)
    ]


def revision(data: Path) -> list[dict[str, Any]]:
    return [
        {str(name): value for name, value in row.items()}
        for row in store.read_table(data / "revise" / "dataset.parquet", DATASET).to_dict("records")
    ]


def a_revision(data: Path, rows: Sequence[dict[str, Any]]) -> None:
    store.write_table(data / "revise" / "dataset.parquet", DATASET, store.frame(DATASET, rows))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    a_revision(folder, [*a_drop(folder, "0001-a", 12), *a_drop(folder, "0002-b", 5, seed=1, oblong=True)])
    return folder


def hashes(data: Path) -> dict[str, str]:
    return {path.name: store.sha256_file(path) for path in sorted((data / "augment").iterdir())}


def table(data: Path) -> pd.DataFrame:
    return store.read_table(data / "augment", AUGMENTED)


def forget_cache(data: Path) -> None:
    for path in (data.parent / ".assay" / "cache" / "augment").iterdir():
        shutil.rmtree(path)


def test_each_training_item_is_varied_as_often_as_asked_and_keeps_its_label(data: Path) -> None:
    report = augment.run(data, Params(variants=2))
    assert report.counts == {"items": 13, "variants": 26, "shards": 2, "new": 13, "skipped": 0}
    assert report.notes == ()
    rows = table(data)
    assert list(rows["item"][:4]) == ["a0", "a0", "a1", "a1"]
    assert list(rows["variant"][:4]) == [0, 1, 0, 1]
    assert list(rows["y"][:4]) == ['"0"', '"0"', '"1"', '"1"']
    assert set(rows["split"]) == {"train"}
    assert len(set(rows["data"])) == 26
    assert sorted(hashes(data)) == ["0001-a-assets-0000.parquet", "0002-b-assets-0000.parquet", "_skipped.parquet"]


def test_with_every_strength_zero_the_pixels_are_those_of_the_revision(data: Path) -> None:
    augment.run(data, OFF)
    read = store.AssetReader(data / "drops")
    source = {row["item"]: row for row in revision(data)}
    rows = table(data)
    for item, made in zip(rows["item"], rows["data"], strict=True):
        wanted = Image.open(io.BytesIO(read(source[item]["shard"], source[item]["row"])))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(made))), np.asarray(wanted)), item


def test_the_seed_is_the_items_own_and_fits_the_column() -> None:
    digest = hashlib.sha256(b"7:item-1:0").digest()
    assert augment.seed_of(7, "item-1", 0) == int.from_bytes(digest[:8], "big") // 2
    seeds = {augment.seed_of(seed, item, n) for seed in (0, 1) for item in ("a", "b") for n in (0, 1)}
    assert len(seeds) == 8 and all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("changes", [{"batch": 1}, {"batch": 7}, {"threads": 1}, {"device": "cpu"}])
def test_batch_threads_and_device_change_no_byte(data: Path, changes: dict[str, Any]) -> None:
    augment.run(data, Params(variants=3))
    before = hashes(data)
    forget_cache(data)
    report = augment.run(data, dataclasses.replace(Params(variants=3), **changes))
    assert report.counts["new"] == 13
    assert hashes(data) == before


def test_the_order_of_the_revision_changes_no_byte(data: Path) -> None:
    augment.run(data, Params())
    before = hashes(data)
    path = data / "revise" / "dataset.parquet"
    rows = store.read_table(path, DATASET)
    store.write_table(path, DATASET, rows.iloc[np.random.default_rng(0).permutation(len(rows))])
    forget_cache(data)
    assert augment.run(data, Params()).counts["new"] == 13
    assert hashes(data) == before


def test_an_item_has_the_same_bytes_in_another_shard(tmp_path: Path, data: Path) -> None:
    augment.run(data, Params())
    whole = table(data).set_index("item")["data"]
    other = tmp_path / "other" / "data"
    rows = a_drop(other, "0009-z", 12)
    a_revision(other, [{**row, "item": f"a{n}"} for n, row in enumerate(rows) if n in (4, 5, 9)])
    augment.run(other, Params())
    alone = table(other).set_index("item")["data"]
    assert list(alone.index) == ["a4", "a5", "a9"]
    assert [alone[item] == whole[item] for item in alone.index] == [True, True, True]


def test_a_second_run_and_a_new_drop_compute_only_what_is_new(data: Path) -> None:
    augment.run(data, Params())
    before = hashes(data)
    assert augment.run(data, Params()).counts == {"items": 13, "variants": 13, "shards": 2, "new": 0, "skipped": 0}
    assert hashes(data) == before
    a_revision(data, [*revision(data), *a_drop(data, "0003-c", 4, seed=2)])
    assert augment.run(data, Params()).counts == {"items": 16, "variants": 16, "shards": 3, "new": 3, "skipped": 0}
    assert {name: hashes(data)[name] for name in before} == before


def test_a_changed_label_changes_the_rows_of_its_shard_only(data: Path) -> None:
    augment.run(data, Params())
    a_revision(data, [{**row, "y": '"9"'} if row["item"] == "b0" else row for row in revision(data)])
    assert augment.run(data, Params()).counts["new"] == 4
    assert table(data).set_index("item")["y"]["b0"] == '"9"'


def test_another_seed_version_or_strength_computes_anew(data: Path) -> None:
    augment.run(data, Params())
    assert augment.run(data, Params(seed=1)).counts["new"] == 13
    assert augment.run(data, Params(rotation=11)).counts["new"] == 13
    (data.parent / "code.yaml").write_text("augment: abc\n", encoding="utf-8")
    assert augment.run(data, Params()).counts["new"] == 13


def test_splits_that_hold_nothing_are_a_note_that_names_those_there_are(data: Path) -> None:
    report = augment.run(data, Params(splits=("train-extra",)))
    assert report.counts == {"items": 0, "variants": 0, "shards": 0, "new": 0, "skipped": 0}
    assert report.notes == ("No item is in splits train-extra. Splits of the revision are: test, train.",)
    assert list(hashes(data)) == ["_skipped.parquet"]


def test_images_of_a_shard_that_is_too_large_for_one_call_are_cut_into_groups() -> None:
    groups = augment.groups_of_one_size([(8, 8, 3), (1024, 600, 3), (8, 8, 3), (1024, 600, 3), (2000, 2000, 3)])
    assert groups == [[0, 2], [1], [3], [4]]


def test_the_thread_count_of_the_process_is_given_back(data: Path) -> None:
    before = torch.get_num_threads()
    augment.run(data, Params(threads=before + 1))
    assert torch.get_num_threads() == before


def test_a_missing_gpu_is_one_sentence() -> None:
    if torch.cuda.is_available():
        assert augment.device_named("cuda") == augment.device_named("auto") == "cuda"
        return
    with pytest.raises(Mistake, match=r"^Stage 'augment' has device 'cuda', which this machine lacks\. Set "):
        augment.device_named("cuda")
    assert augment.device_named("auto") == "cpu"


@pytest.mark.parametrize(
    "line, sentence",
    [
        ("noise: 2", r"has augment\.noise = 2\. noise in \[0, 1\] is allowed\.$"),
        ("variants: 0", r"variants in \[1, 1000\] is allowed"),
        ("splits: []", "splits with at least one name is allowed"),
        ("rotate: 3", "has unknown key 'augment.rotate'. Keys of 'augment' are: task, variants, seed, splits, noise"),
        ("format: jpeg", "augment.format = 'jpeg'"),
    ],
)
def test_a_wrong_param_is_one_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    (tmp_path / "params.yaml").write_text(f"augment:\n  {line}\n", encoding="utf-8")
    with pytest.raises(Mistake, match=sentence):
        params.section(tmp_path / "params.yaml", "augment", Params)


def test_a_list_of_splits_in_params_yaml_is_read(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("augment:\n  splits: [train, extra]\n", encoding="utf-8")
    assert params.section(tmp_path / "params.yaml", "augment", Params).splits == ("train", "extra")
