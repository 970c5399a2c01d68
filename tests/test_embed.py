"""Does every item get its vector once, the same whatever comes later, and is what has none written down?"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks import embed, embed_rows, store
from tasks.embed import Params, fit_rows
from tasks.model import MANIFEST, SKIPPED, Mistake, StageFailed, label_json
from tasks.params import section
from tasks.store import FloatArray
from tasks.unit_vectors import unit_views

SMALL = Params(fit_items=12, fit_min=6, batch=4, threads=1)


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def add_drop(data: Path, drop: str, contents: Sequence[bytes]) -> list[str]:
    """A drop whose manifest runs against the order of its shard; returns its items in manifest order."""
    folder = data / "drops" / drop
    folder.mkdir(parents=True)
    shas = [hashlib.sha256(content).hexdigest() for content in contents]
    where = store.write_assets(folder, drop, zip(shas, contents, strict=True))
    rows = [
        {"item": sha[:16], "asset": sha, "shard": where[sha][0], "row": where[sha][1], "y": label_json("a")}
        | {"split": "train", "drop": drop, "source": f"labels.csv:{n + 2}"}
        for n, sha in enumerate(shas)
    ][::-1]
    manifest = data / "ingest" / "manifest"
    manifest.mkdir(parents=True, exist_ok=True)
    store.write_table(manifest / f"{drop}.parquet", MANIFEST, store.frame(MANIFEST, rows))
    return [str(row["item"]) for row in rows]


def skipped(data: Path) -> list[dict[Any, Any]]:
    return store.read_table(data / "embed" / "skipped.parquet", SKIPPED).to_dict("records")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    add_drop(tmp_path / "data", "0001-first", [png(n) for n in range(10)])
    return tmp_path / "data"


def test_every_item_has_a_unit_vector_a_view_in_manifest_order(data: Path) -> None:
    report = embed.run(data, SMALL)
    items, views = store.read_vectors(data / "embed" / "vectors" / "0001-first.parquet")
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST)
    assert items == list(manifest["item"])
    about = json.loads((data / "embed" / "embedder.json").read_text())
    assert {name: x_ND.shape[1] for name, x_ND in views.items()} == about["views"]
    assert (about["name"], about["fitted_on"]) == ("patches", 10)
    for x_ND in views.values():
        assert x_ND.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(x_ND, axis=1), 1, atol=1e-6)
    assert report.counts == {"items": 10, "embedded": 10, "skipped": 0}
    assert report.used == {"embedder": f"patches fitted on 10 items ({about['fingerprint'][:12]})"}
    assert report.notes == ()


def test_a_vector_belongs_to_its_item_and_not_to_its_place_in_the_shard(data: Path) -> None:
    embed.run(data, SMALL)
    items, views = store.read_vectors(data / "embed" / "vectors")
    from tasks.modalities.image.patches import Patches

    with np.load(data / "embed" / "state.npz", allow_pickle=False) as arrays:
        state = dict(arrays)
    for seed in range(10):
        item = hashlib.sha256(png(seed)).hexdigest()[:16]
        alone, _ = unit_views(Patches().transform([np.asarray(Image.open(io.BytesIO(png(seed))))], state))
        for name, x_ND in views.items():
            np.testing.assert_allclose(x_ND[items.index(item)], alone[name][0], rtol=0, atol=1e-4)


def test_a_second_drop_embeds_its_own_items_and_leaves_the_first_as_it_was(data: Path) -> None:
    embed.run(data, SMALL)
    first = (data / "embed" / "vectors" / "0001-first.parquet").read_bytes()
    state = (data / "embed" / "state.npz").read_bytes()
    add_drop(data, "0002-second", [png(n) for n in range(100, 103)])
    assert embed.run(data, SMALL).counts == {"items": 13, "embedded": 3, "skipped": 0}
    assert (data / "embed" / "vectors" / "0001-first.parquet").read_bytes() == first
    assert (data / "embed" / "state.npz").read_bytes() == state
    assert embed.run(data, SMALL).counts == {"items": 13, "embedded": 0, "skipped": 0}


def test_what_is_lost_from_the_cache_is_computed_again_and_is_the_same(data: Path) -> None:
    embed.run(data, SMALL)
    _, before = store.read_vectors(data / "embed" / "vectors")
    for piece in (data.parent / ".assay" / "cache" / "embed").iterdir():
        for file in piece.iterdir():
            file.unlink()
        piece.rmdir()
    assert embed.run(data, SMALL).counts["embedded"] == 10
    _, after = store.read_vectors(data / "embed" / "vectors")
    for name, x_ND in before.items():
        np.testing.assert_allclose(after[name], x_ND, atol=1e-6)


def test_a_new_stage_version_computes_again_and_another_batch_does_not(data: Path) -> None:
    embed.run(data, SMALL)
    assert embed.run(data, Params(fit_items=12, fit_min=6, batch=3, threads=2)).counts["embedded"] == 0
    (data.parent / "code.yaml").write_text("embed: 'f00'\n")
    assert embed.run(data, SMALL).counts["embedded"] == 10


def test_batches_change_no_vector(data: Path) -> None:
    embed.run(data, SMALL)
    _, before = store.read_vectors(data / "embed" / "vectors")
    (data.parent / "code.yaml").write_text("embed: again\n")
    embed.run(data, Params(fit_items=12, fit_min=6, batch=1, threads=1))
    _, after = store.read_vectors(data / "embed" / "vectors")
    for name, x_ND in before.items():
        np.testing.assert_allclose(after[name], x_ND, rtol=0, atol=1e-4)


def test_nothing_delivered_gives_empty_outs(tmp_path: Path) -> None:
    (tmp_path / "ingest" / "manifest").mkdir(parents=True)
    report = embed.run(tmp_path, SMALL)
    assert report.counts == {"items": 0, "embedded": 0, "skipped": 0}
    assert sorted(path.name for path in (tmp_path / "embed").iterdir()) == [
        "embedder.json",
        "skipped.parquet",
        "vectors",
    ]
    assert skipped(tmp_path) == []


def test_one_item_alone_gets_a_vector(tmp_path: Path) -> None:
    (item,) = add_drop(tmp_path, "0001-one", [png(0)])
    embed.run(tmp_path, SMALL)
    assert store.read_vectors(tmp_path / "embed" / "vectors")[0] == [item]


def test_an_asset_that_cannot_be_decoded_has_no_vector_and_says_so(tmp_path: Path) -> None:
    items = add_drop(tmp_path, "0001-a", [png(0), b"<html>", png(1)])
    report = embed.run(tmp_path, SMALL)
    assert store.read_vectors(tmp_path / "embed" / "vectors")[0] == [items[0], items[2]]
    (row,) = skipped(tmp_path)
    assert (row["item"], row["drop"], row["code"]) == (items[1], "0001-a", "E_EMBED")
    assert row["message"]
    assert report.counts == {"items": 3, "embedded": 2, "skipped": 1}
    assert report.notes[0].startswith(f"Without a vector: 1, '{items[1]}' first.")


def test_a_drop_of_which_nothing_can_be_decoded_leaves_the_others_alone(tmp_path: Path) -> None:
    add_drop(tmp_path, "0001-bad", [b"a", b"b"])
    good = add_drop(tmp_path, "0002-good", [png(0), png(1), png(2)])
    assert embed.run(tmp_path, SMALL).counts == {"items": 5, "embedded": 3, "skipped": 2}
    assert store.read_vectors(tmp_path / "embed" / "vectors" / "0002-good.parquet")[0] == good


def test_if_nothing_at_all_can_be_decoded_there_is_nothing_to_learn_from(tmp_path: Path) -> None:
    add_drop(tmp_path, "0001-bad", [b"a", b"b"])
    with pytest.raises(
        StageFailed, match=r"None of the first 2 items can be decoded, so embedder 'patches' has nothing"
    ):
        embed.run(tmp_path, SMALL)
    assert not (tmp_path / "embed").exists()


def test_black_images_have_no_vector_and_the_reason_is_written_down(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "PNG")
    (item,) = add_drop(tmp_path, "0001-black", [buffer.getvalue()])
    embed.run(tmp_path, SMALL)
    assert skipped(tmp_path) == [
        {"item": item, "drop": "0001-black", "code": "E_EMBED", "message": "The embedding is all zeros."}
    ]


def rows(*items: str) -> pd.DataFrame:
    return pd.DataFrame({"item": list(items)})


@pytest.mark.parametrize(
    ("fit_min", "fit_items", "learnt"),
    [(1, 9, "ab"), (2, 9, "ab"), (3, 9, "abcd"), (4, 3, "abc"), (5, 9, "abcde"), (9, 9, "abcde"), (9, 1, "a")],
)
def test_the_fit_set_is_the_start_of_the_fewest_first_drops_that_hold_enough(
    fit_min: int, fit_items: int, learnt: str
) -> None:
    drops = {"0001-x": rows("a", "b"), "0002-y": rows("c", "d"), "0003-z": rows("e")}
    assert "".join(fit_rows(drops, fit_min=fit_min, fit_items=fit_items)["item"]) == learnt


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_embedding_that_is_not_finite_costs_its_own_item_only(bad: float) -> None:
    x_ND = np.array([[3, 4], [bad, 1], [0, 2]], np.float32)
    unit, reasons = unit_views({"x": x_ND, "y": np.ones((3, 1), np.float32)})
    assert reasons == [None, "has values that are not finite", None]
    assert unit["x"][[0, 2]].tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 1]]


def test_an_item_needs_a_direction_in_one_view_at_least() -> None:
    unit, reasons = unit_views({"x": np.array([[0, 0], [0, 0]], np.float32), "y": np.array([[-2], [0]], np.float32)})
    assert reasons == [None, "is all zeros"]
    assert unit["x"].tolist() == [[0, 0], [0, 0]] and unit["y"].tolist() == [[-1], [0]]


def test_huge_values_do_not_overflow() -> None:
    unit, reasons = unit_views({"x": np.array([[3e38, 0], [3e38, 3e38]], np.float32)})
    assert reasons == [None, None]
    np.testing.assert_allclose(unit["x"], [[1, 0], [0.5**0.5, 0.5**0.5]], atol=1e-6)


class Wide:
    """An embedder that gives one value more than it says."""

    name = "wide"

    def views(self, state: embed_rows.State) -> dict[str, int]:
        return {"x": 2}

    def transform(self, images: Sequence[Any], state: embed_rows.State) -> dict[str, FloatArray]:
        return {"x": np.ones((len(images), 3), np.float32)}


def test_an_embedder_that_breaks_its_promise_is_stopped(data: Path) -> None:
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST)
    with pytest.raises(StageFailed, match=r"Embedder 'wide' gave view 'x' as \(4, 3\); \(4, 2\) is what it promised"):
        embed_rows.embed_rows(manifest, Wide(), {}, lambda content: np.zeros(1), data / "drops", size=len, batch=4)


def test_batches_end_at_their_number_of_items_or_bytes(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST)

    def sizes(batch: int) -> list[int]:
        read = embed_rows.batches(
            manifest, lambda content: np.zeros(1000, np.uint8), data / "drops", size=len, batch=batch
        )
        return [len(places) for places, _, _ in read]

    assert sizes(4) == [4, 4, 2]
    monkeypatch.setattr(embed_rows, "BATCH_BYTES", 3000)
    assert sizes(4) == [3, 3, 3, 1]


def test_an_unknown_model_is_named_with_the_known_ones(data: Path) -> None:
    with pytest.raises(Mistake, match=r"Unknown embed.model 'resnet' in params.yaml. Models are: patches, .*resnet18"):
        embed.run(data, Params(model="resnet"))
    assert not (data / "embed").exists()


def test_weights_are_looked_for_in_the_workspace(data: Path) -> None:
    with pytest.raises(Mistake, match=rf"Weights '{data.parent}/nets/mine.pt' of model 'resnet18' cannot be read"):
        embed.run(data, Params(model="resnet18", weights="nets/mine.pt", device="cpu"))
    assert not (data / "embed").exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("model: auto", "model 'auto' is resolved once, by `assay init`"),
        ("device: tpu", "device 'tpu' is none of the allowed: auto, cpu, cuda"),
        ("fit_min: 0", "fit_min 0 is too small; 1 or more is allowed"),
        ("fitmin: 3", "unknown key 'embed.fitmin'"),
    ],
)
def test_a_wrong_param_is_one_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    (tmp_path / "params.yaml").write_text(f"embed:\n  {line}\n")
    with pytest.raises(Mistake, match=sentence):
        section(tmp_path / "params.yaml", "embed", Params)
