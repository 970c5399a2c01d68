"""Does the page know of every item what the tables say, in the order and at the place that it thinks?"""

from __future__ import annotations

import io
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_review import reviewable, truth, workspace
from toy_written import write

from flows.digits import Digits
from tasks import sample, store
from tasks.answers import ItemState, State
from tasks.modalities import modality
from tasks.model import FINDINGS, QUEUE, SCORES, Mistake, Task
from tasks.review import arrange, catalogue, plan, tiles
from tasks.review.arrange import Arrangement
from tasks.review.tiles import Tiles

__all__ = ["reviewable", "workspace"]  # fixtures
pytestmark = pytest.mark.slow


def read(workspace: Path, state: State | None = None) -> catalogue.Catalogue:
    return catalogue.read(workspace / "data", Task(), state or State(), "v1")


def test_every_column_is_that_of_the_tables(workspace: Path, toy_digits: Digits) -> None:
    found = read(workspace)
    assert set(found.items) == set(truth(toy_digits))
    assert found.classes == tuple(str(k) for k in range(10))
    queue = store.read_table(workspace / "data/triage/queue.parquet", QUEUE)
    ranks = {item: int(rank) for item, rank in zip(found.items, found.columns["rank"], strict=True) if rank}
    assert ranks == dict(zip(queue["item"], queue["rank"], strict=True))
    scores = store.read_table(workspace / "data/audit/scores.parquet", SCORES).set_index("item")
    n = int(np.argmin(np.where(found.columns["rank"] > 0, found.columns["rank"], 10_000)))
    assert found.columns["p_wrong"][n] == pytest.approx(queue["p_wrong"].iloc[0], abs=1e-6)
    assert f'"{found.classes[found.columns["suggested"][n]]}"' == scores.loc[found.items[n], "suggestion"]
    assert np.isfinite(found.columns["loss"]).sum() == (scores["fold"] >= 0).sum()
    drawn = [found.place[item] for item in queue.loc[queue["checks"] == sample.CHECK, "item"]]
    assert drawn and set(found.columns["suggested"][drawn].tolist()) == {catalogue.NONE}
    flagged = {item for item in found.items if scores.loc[item, "flagged"]}
    bit = found.checks.index("label_noise_v2")
    assert {i for i, bits in zip(found.items, found.columns["checks"], strict=True) if bits >> bit & 1} >= flagged
    assert dict(found.groups) == {"drop": ("0001-toy",), "split": ("train",)}


def test_an_answer_moves_the_label_and_the_version(workspace: Path) -> None:
    item = read(workspace).items[5]
    moved = read(workspace, State({item: ItemState(y='"3"', answered=True)}))
    assert moved.classes[moved.columns["given"][5]] == "3"
    assert moved.version != read(workspace).version == read(workspace).version


def test_a_server_that_begins_again_goes_on_with_the_labels_of_before(workspace: Path, tmp_path: Path) -> None:
    first = catalogue.read(workspace / "data", Task(), State(), "f1")
    assert catalogue.begun("f1", tmp_path) is None
    catalogue.keep(first, "f1", tmp_path)
    moved = State({first.items[5]: ItemState(y='"3"', answered=True)})
    before = catalogue.begun("f1", tmp_path)
    assert before is not None and before.version == first.version
    assert catalogue.read(workspace / "data", Task(), moved, "f1", before).version == first.version
    assert catalogue.begun("f2", tmp_path) is None
    (torn,) = tmp_path.glob("places-f1-*.json.gz")
    torn.write_bytes(torn.read_bytes()[:100])
    assert catalogue.begun("f1", tmp_path) is None


def test_the_packed_columns_come_out_as_they_went_in(workspace: Path) -> None:
    found = read(workspace)
    raw = found.packed({"state": np.arange(160).astype("u1")}, {"seq": 7})
    length = int.from_bytes(raw[:4], "little")
    header = json.loads(raw[4 : 4 + length])
    assert (header["n"], header["version"], header["seq"]) == (160, found.version, 7)
    kinds = {"u8": "<u1", "u16": "<u2", "u32": "<u4"}
    sent = {**found.columns, "state": np.arange(160), "p_wrong": np.round(found.columns["p_wrong"] * 65_535)}
    assert {column["name"] for column in header["columns"]} == {*sent} - {"loss"}
    for column in header["columns"]:
        start = 4 + length + column["offset"]
        assert start % 4 == 0
        values = np.frombuffer(raw, kinds[column["type"]], 160, start)
        np.testing.assert_array_equal(values, sent[column["name"]])
        assert column["type"] == ("u8" if sent[column["name"]].max() < 256 else "u16")


def test_before_the_first_run_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="Nothing has come through the gate"):
        catalogue.read(tmp_path, Task(), State(), "v")


@pytest.mark.parametrize(
    ("one", "parked", "back", "number"),
    [
        (None, False, False, 0),
        (ItemState(answered=True), False, False, 1),
        (ItemState(answered=True, unsure=True), False, False, 2),
        (ItemState(answered=True, disputed=True), False, False, 3),
        (ItemState(answered=True, removed=True), False, False, 4),
        (ItemState(answered=True), True, False, 5),
        (None, False, True, 6),
    ],
)
def test_a_state_is_a_number(one: ItemState | None, parked: bool, back: bool, number: int) -> None:
    assert catalogue.state_of(one, parked, back) == number


def test_what_looks_alike_lies_together(workspace: Path, toy_digits: Digits, tmp_path: Path) -> None:
    found = read(workspace)
    arrangement = Arrangement(workspace / "data", found.items, tmp_path / "order.npy")
    order_N = arrangement.order()
    assert sorted(order_N.tolist()) == list(range(160))
    right = truth(toy_digits)
    row = [right[found.items[n]] for n in order_N]
    beside = np.mean([a == b for a, b in pairwise(row)])
    assert beside > 0.45  # one in ten by chance
    again = Arrangement(workspace / "data", found.items, tmp_path / "order.npy")
    np.testing.assert_array_equal(again.order(), order_N)
    same = np.flatnonzero(found.columns["given"] == found.columns["given"][7])
    like = arrangement.like(7, same, 5)
    assert like[0] == 7 and len(set(like)) == 5 and set(like) <= set(same.tolist())


def test_equal_rows_and_none_are_arranged() -> None:
    assert sorted(arrange.arranged(np.ones((20, 3), np.float32)).tolist()) == list(range(20))
    assert arrange.arranged(np.zeros((0, 3), np.float32)).tolist() == []


def test_a_sheet_shows_each_item_at_its_place_and_is_made_once(workspace: Path) -> None:
    found = read(workspace)
    image = modality("image")
    sheets = Tiles(workspace, image)
    wanted = [(found.assets[n], *found.shards[n]) for n in range(25)]
    raw = sheets.sheet(wanted)
    with Image.open(io.BytesIO(raw)) as picture:
        assert picture.size == (10 * tiles.SIDE, 3 * tiles.SIDE)
        shown = np.asarray(picture.convert("L"), dtype=float)
    reader = store.AssetReader(workspace / "data/drops")
    for n in (0, 13, 24):
        with Image.open(io.BytesIO(image.tile(reader(*found.shards[n]), tiles.SIDE))) as one:
            expected = np.asarray(one.convert("L"), dtype=float)
        top, left = n // 10 * tiles.SIDE, n % 10 * tiles.SIDE
        assert np.abs(shown[top : top + tiles.SIDE, left : left + tiles.SIDE] - expected).mean() < 8
    size = (workspace / f".assay/cache/review/tiles-{tiles.SIDE}.pack").stat().st_size
    assert Tiles(workspace, image).sheet(wanted) == raw
    assert (workspace / f".assay/cache/review/tiles-{tiles.SIDE}.pack").stat().st_size == size
    with pytest.raises(Mistake, match="1 to 60 are allowed"):
        sheets.sheet(wanted * 3)


def test_a_torn_pack_is_mended_and_what_cannot_be_read_is_an_empty_place(workspace: Path) -> None:
    found = read(workspace)
    wanted = [(found.assets[n], *found.shards[n]) for n in range(160)]
    assert Tiles(workspace, modality("image")).fill(wanted) == len(set(found.assets))
    folder = workspace / ".assay/cache/review"
    index = folder / f"tiles-{tiles.SIDE}.index"
    index.write_bytes(index.read_bytes()[: 100 * tiles.RECORD.size + 7])
    raw = Tiles(workspace, modality("image")).sheet(wanted[100:160])
    assert raw == Tiles(workspace, modality("image")).sheet(wanted[100:160])
    assert index.stat().st_size % tiles.RECORD.size == 0
    gone = [("00" * 32, "0001-toy/assets-0099.parquet", 0)]
    with Image.open(io.BytesIO(Tiles(workspace, modality("image")).sheet(gone))) as picture:
        assert np.asarray(picture).max() < 40  # empty, and nothing false


def test_the_plan_puts_the_slice_with_the_most_expected_errors_first(workspace: Path) -> None:
    found = read(workspace)
    open_N = np.zeros(160, dtype="u1")
    today = plan.plan(found, open_N)
    assert today["items"] == int((found.columns["rank"] > 0).sum()) > 0
    expected = [one["expected"] for one in today["slices"]]
    assert expected == sorted(expected, reverse=True)
    first = today["slices"][0]
    rows = (found.columns["given"] == first["filter"]["given"]) & (found.columns["rank"] > 0)
    assert (first["items"], first["filter"]["queued"]) == (rows.sum(), True)
    assert plan.plan(found, np.ones(160, dtype="u1"))["slices"] == []


def test_answers_reach_the_stop_rule(workspace: Path) -> None:
    told = plan.stop_rule(workspace)
    assert told is not None and told["seen"] == 0
    assert "are expected to hold" in told["sentence"]


def test_where_labels_are_texts_the_whole_queue_comes_first_and_the_drawn_items_have_no_slice(tmp_path: Path) -> None:
    """Of six pairs two were drawn and are not doubted: who takes the first slice sees them among the others."""
    made = write(tmp_path / "ws", list("abcdef"), list("bcdefa"), texts=list("uvwxyz"))
    table = store.read_table(made / "data/triage/queue.parquet", QUEUE)
    table["checks"] = ["pair_mismatch_v1", sample.CHECK, "pair_mismatch_v1", sample.CHECK, "other_v1", "other_v1"]
    store.write_table(made / "data/triage/queue.parquet", QUEUE, table)
    store.write_table(made / "data/audit/findings.parquet", FINDINGS, store.frame(FINDINGS))
    found = catalogue.read(made / "data", Task("text", "pairs"), State(), "v1")
    today = plan.plan(found, np.zeros(6, dtype="u1"))
    assert [(one["title"], one["items"]) for one in today["slices"]] == [("the queue, drawn items mixed in", 6)]
    assert [one["filter"] for one in today["slices"]] == [{"queued": True}]


def test_the_order_by_suspicion_is_the_queue_and_then_the_most_suspicious(tmp_path: Path) -> None:
    made = write(tmp_path / "ws", list("abcd"), list("bcda"))
    found = catalogue.read(made / "data", Task(), State(), "v1")
    columns = {
        "rank": np.array([0, 2, 1, 0], "<u4"),
        "p_wrong": np.array([0.2, 0.1, 0.1, 0.9], "<f4"),
        "loss": np.array([1.0, np.nan, 3.0, 2.0], "<f4"),
    }
    shown = replace(found, columns={**found.columns, **columns})
    assert shown.suspicion.tolist() == [2, 1, 3, 0]
    assert shown.by_loss.tolist() == [2, 3, 0, 1]
