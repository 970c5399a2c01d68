"""Does each delivered row end in exactly one of manifest, annotations, duplicates, quarantine, for the right reason?"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks import copies, ingest, store
from tasks.model import DELIVERED, DUPLICATES, MANIFEST, QUARANTINE, Report


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), shade).save(buffer, "PNG")
    return buffer.getvalue()


def a_drop(data: Path, seq: int, rows: Sequence[dict[str, Any]]) -> str:
    """A packed drop as receive writes it: each row names its image by `shade` (None: no asset), or brings `bytes`."""
    drop = f"{seq:04d}-toy"
    folder = data / "drops" / drop
    folder.mkdir(parents=True)
    contents = [row.get("bytes") or (png(row["shade"]) if row.get("shade") is not None else None) for row in rows]
    named = {hashlib.sha256(content).hexdigest(): content for content in contents if content}
    where = store.write_assets(folder, drop, named.items())
    delivered = []
    for n, (row, content) in enumerate(zip(rows, contents, strict=True)):
        asset = hashlib.sha256(content).hexdigest() if content else None
        shard, place = where[asset] if asset else (None, None)
        fields = {key: row.get(key) for key in ("label", "id", "split", "annotator", "code", "message")}
        line = {"source": f"labels.csv:{n + 2}", "raw": repr(row).encode(), "path": f"{n}.png"}
        delivered.append({**line, **fields, "asset": asset, "shard": shard, "row": place})
    store.write_table(folder / "labels.parquet", DELIVERED, store.frame(DELIVERED, delivered))
    content_sha = hashlib.sha256(repr(rows).encode()).hexdigest()
    receipt = {"drop": drop, "seq": seq, "name": "toy", "content": content_sha, "rows": len(rows)}
    store.write_json(folder / "receipt.json", receipt)
    return drop


def run(data: Path) -> Report:
    return ingest.run(data, ingest.Params(cores=1))


def ended(data: Path) -> dict[str, list[str]]:
    """Where each row ended: kind -> sources, over all drops."""
    found: dict[str, list[str]] = {}
    for kind, table in ingest.ROWS.items():
        rows = store.read_table(data / "ingest" / kind, table)
        kept = [s for s in rows["source"] if s != "annotations"] if kind == "manifest" else list(rows["source"])
        found[kind] = sorted(kept)
    return found


def codes(data: Path) -> dict[str, str]:
    rows = store.read_table(data / "ingest" / "quarantine", QUARANTINE)
    assert all(rows["remedy"])
    return dict(zip(rows["source"], rows["code"], strict=True))


def test_a_sound_row_is_an_item_under_its_own_id_and_without_one_under_its_asset(tmp_path: Path) -> None:
    a_drop(tmp_path, 1, [{"shade": 1, "label": "007", "id": "a"}, {"shade": 2, "label": "NA"}])
    run(tmp_path)
    manifest = store.read_table(tmp_path / "ingest" / "manifest", MANIFEST)
    assert list(manifest["item"]) == ["a", hashlib.sha256(hashlib.sha256(png(2)).hexdigest().encode()).hexdigest()[:16]]
    assert list(manifest["y"]) == ['"007"', '"NA"']
    assert list(manifest["split"]) == ["train", "train"]


def test_the_same_id_and_content_twice_is_one_item_and_a_duplicate(tmp_path: Path) -> None:
    a_drop(tmp_path, 1, [{"shade": 1, "label": "x", "id": "a"}, {"shade": 1, "label": "x", "id": "a"}])
    run(tmp_path)
    expected = {"manifest": ["labels.csv:2"], "annotations": [], "duplicates": ["labels.csv:3"], "quarantine": []}
    assert ended(tmp_path) == expected


@pytest.mark.parametrize("second", [{"shade": 1, "label": "y"}, {"shade": 2, "label": "x"}])
def test_one_id_with_two_labels_or_two_assets_in_a_drop_is_quarantined_whole(
    second: dict[str, Any], tmp_path: Path
) -> None:
    a_drop(tmp_path, 1, [{"shade": 1, "label": "x", "id": "a"}, {**second, "id": "a"}, {"shade": 3, "label": "x"}])
    run(tmp_path)
    assert codes(tmp_path) == {"labels.csv:2": "E_ID_CONFLICT", "labels.csv:3": "E_ID_CONFLICT"}
    assert ended(tmp_path)["manifest"] == ["labels.csv:4"]


def test_one_image_with_two_labels_and_no_id_is_a_conflict(tmp_path: Path) -> None:
    a_drop(tmp_path, 1, [{"shade": 1, "label": "x"}, {"shade": 1, "label": "y"}])
    run(tmp_path)
    assert codes(tmp_path) == {"labels.csv:2": "E_ID_CONFLICT", "labels.csv:3": "E_ID_CONFLICT"}


def test_a_known_item_delivered_again_keeps_the_published_row(tmp_path: Path) -> None:
    a_drop(tmp_path, 1, [{"shade": 1, "label": "x", "id": "a"}])
    a_drop(tmp_path, 2, [{"shade": 1, "label": "y", "id": "a"}, {"shade": 2, "label": "x", "id": "a"}])
    run(tmp_path)
    manifest = store.read_table(tmp_path / "ingest" / "manifest", MANIFEST)
    assert list(zip(manifest["item"], manifest["y"], strict=True)) == [("a", '"x"')]
    found = ended(tmp_path)
    assert len(found["duplicates"]) + len(found["quarantine"]) == 2


def test_equal_bytes_under_two_ids_are_two_items(tmp_path: Path) -> None:
    a_drop(tmp_path, 1, [{"shade": 1, "label": "x", "id": "a"}, {"shade": 1, "label": "x", "id": "b"}])
    run(tmp_path)
    assert ended(tmp_path)["manifest"] == ["labels.csv:2", "labels.csv:3"]


def test_several_peoples_labels_become_annotations_and_their_majority(tmp_path: Path) -> None:
    said = [("x", "ann"), ("y", "bob"), ("y", "cem")]
    a_drop(tmp_path, 1, [{"shade": 1, "id": "a", "label": label, "annotator": who} for label, who in said])
    run(tmp_path)
    manifest = store.read_table(tmp_path / "ingest" / "manifest", MANIFEST)
    assert list(zip(manifest["item"], manifest["y"], manifest["source"], strict=True)) == [("a", '"y"', "annotations")]
    assert ended(tmp_path)["annotations"] == ["labels.csv:2", "labels.csv:3", "labels.csv:4"]


def test_faulty_blank_and_undecodable_rows_are_quarantined_with_their_code(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"shade": None, "label": "x", "code": "E_ASSET_MISSING", "message": "No file '0.png'."},
        {"shade": 1, "label": "  "},
        {"bytes": png(2)[:-30], "label": "x"},
        {"bytes": b"<html>not an image</html>", "label": "x"},
        {"shade": 3, "label": "0"},
    ]
    a_drop(tmp_path, 1, rows)
    run(tmp_path)
    assert codes(tmp_path) == {
        "labels.csv:2": "E_ASSET_MISSING",
        "labels.csv:3": "E_LABEL_EMPTY",
        "labels.csv:4": "E_ASSET_TRUNCATED",
        "labels.csv:5": "E_ASSET_FORMAT",
    }
    assert ended(tmp_path)["manifest"] == ["labels.csv:6"]


def test_a_second_run_gives_the_same_bytes_and_decodes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    a_drop(data, 1, [{"shade": shade, "label": "x"} for shade in range(5)])
    assert run(data).counts["decoded"] == 5
    first = {path.name: path.read_bytes() for path in (data / "ingest").rglob("*.parquet")}
    assert run(data).counts["decoded"] == 0
    assert {path.name: path.read_bytes() for path in (data / "ingest").rglob("*.parquet")} == first


a_row = st.fixed_dictionaries(
    {"shade": st.sampled_from([None, 1, 2, 3]), "label": st.sampled_from(["x", "y", "", None])},
    optional={"id": st.sampled_from(["a", "b"]), "annotator": st.sampled_from(["ann", "bob"])},
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drops=st.lists(st.lists(a_row, min_size=1, max_size=6), min_size=1, max_size=3))
def test_every_row_ends_exactly_once_whatever_is_delivered(
    drops: list[list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("drops")
    for seq, rows in enumerate(drops, 1):
        missing = {"code": "E_ASSET_MISSING", "message": "No file."}
        a_drop(data, seq, [row if row["shade"] else {**row, **missing} for row in rows])
    run(data)
    assert sum(len(sources) for sources in ended(data).values()) == sum(map(len, drops))


def test_what_ingest_calls_a_duplicate_the_copies_know_as_a_conflict_and_a_leak(tmp_path: Path) -> None:
    a_drop(tmp_path, 1, [{"shade": 1, "label": "x", "id": "a"}, {"shade": 2, "label": "y", "split": "test"}])
    a_drop(tmp_path, 2, [{"shade": 1, "label": "z", "id": "a"}, {"shade": 2, "label": "y", "split": "train"}])
    run(tmp_path)
    manifest = store.read_table(tmp_path / "ingest" / "manifest", MANIFEST)
    again = store.read_table(tmp_path / "ingest" / "duplicates", DUPLICATES)
    assert list(again["duplicate_of"]) == ["0001-toy/labels.csv:2", "0001-toy/labels.csv:3"]
    assert [row["item"] for row in copies.conflicts(manifest, again, str)] == ["a"]
    assert [row["item"] for row in copies.leakage(manifest, [], again)] == [manifest["item"][1]]
