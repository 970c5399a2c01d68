"""A revision written out is ready to train, and delivered again it says the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import store
from tasks.formats import csv, format_named, formats_with, imagefolder, jsonl
from tasks.formats._assets import LONGEST, Names, extension, safe_name
from tasks.model import DATASET, Mistake, label_json

PNG = b"\x89PNG\r\n\x1a\n..."
ASSETS = {0: PNG, 1: b"\xff\xd8\xff...", 2: b"RIFF0000WEBP", 3: b"RIFF0000WAVE", 4: b"BM..", 5: b"II*\0", 6: b"?"}


def row(item: str, label: object, split: str = "train", asset: int = 0) -> dict[str, object]:
    return {
        "item": item,
        "asset": "0" * 64,
        "shard": "0001-a/assets-0000.parquet",
        "row": asset,
        "region": None,
        "y": label_json(label),
        "split": split,
        "why": "drop 0001-a labels.csv:2",
    }


def data(shard: str, number: int) -> bytes:
    return ASSETS[number]


def test_the_export_formats_are_those_that_can_write() -> None:
    assert formats_with("write_dataset") == ("csv", "imagefolder", "jsonl")
    assert formats_with("write_queue") == ("csv", "jsonl")
    assert formats_with("records") == ("csv", "imagefolder", "jsonl", "parquet")
    with pytest.raises(Mistake) as caught:
        format_named("xls", "write_queue")
    assert str(caught.value) == "Unknown format 'xls'. Formats are: csv, jsonl."


def test_csv_writes_images_and_a_table(tmp_path: Path) -> None:
    rows = store.frame(DATASET, [row("a/1", "=cat"), row("b", "7", "val", asset=1)])
    csv.write_dataset(tmp_path, rows, data)
    assert (tmp_path / "labels.csv").read_text() == (
        "path,label,id,split,why\n"
        "images/a%2F1.png,=cat,a/1,train,drop 0001-a labels.csv:2\n"
        "images/b.jpg,7,b,val,drop 0001-a labels.csv:2\n"
    )
    assert (tmp_path / "images" / "a%2F1.png").read_bytes() == PNG
    assert (tmp_path / "images" / "b.jpg").read_bytes() == ASSETS[1]


def test_jsonl_writes_the_label_as_the_value_it_is(tmp_path: Path) -> None:
    jsonl.write_dataset(tmp_path, [row("a", "7"), row("b", ["x", 1])], data)
    lines = (tmp_path / "labels.jsonl").read_text().splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["7", ["x", 1]]
    assert json.loads(lines[0]) == {
        "path": "images/a.png",
        "label": "7",
        "id": "a",
        "split": "train",
        "why": "drop 0001-a labels.csv:2",
    }


NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0\x1a"), min_size=1, max_size=20)


@pytest.mark.parametrize("name", ["csv", "jsonl"])
@settings(deadline=None, max_examples=30)
@given(table=st.dictionaries(NAME, st.tuples(NAME, st.sampled_from(["train", "val"])), min_size=1, max_size=6))
def test_what_is_written_is_read_back_with_the_same_labels_and_ids(
    tmp_path_factory: pytest.TempPathFactory, name: str, table: dict[str, tuple[str, str]]
) -> None:
    module, folder = format_named(name, "write_dataset"), tmp_path_factory.mktemp("dataset")
    module.write_dataset(folder, [row(item, label, split) for item, (label, split) in table.items()], data)
    records = list(module.records(module.matches(folder)))
    assert {r.fields["id"]: (r.fields["label"], r.fields["split"]) for r in records} == table
    assert len({r.fields["path"].lower() for r in records}) == len(table)
    assert all((folder / r.fields["path"]).read_bytes() == PNG for r in records)


def test_imagefolder_writes_split_class_item_and_says_which_names_it_changed(tmp_path: Path) -> None:
    imagefolder.write_dataset(tmp_path, [row("a", "cat"), row("../b", "a/b", "val"), row("c", "CON")], data)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == [
        "classes.csv",
        "train/%43ON/c.png",
        "train/cat/a.png",
        "val/a%2Fb/%2E.%2Fb.png",
    ]
    assert (tmp_path / "classes.csv").read_text() == "folder,class\n%43ON,CON\na%2Fb,a/b\n"
    (tmp_path / "classes.csv").unlink()
    assert [(r.fields["label"], r.fields["split"]) for r in imagefolder.records(tmp_path)] == [
        ("%43ON", "train"),
        ("cat", "train"),
        ("a%2Fb", "val"),
    ]


def test_imagefolder_writes_no_table_when_every_class_keeps_its_name(tmp_path: Path) -> None:
    imagefolder.write_dataset(tmp_path, [row("a", "cat")], data)
    assert [p.name for p in tmp_path.iterdir()] == ["train"]


def test_the_extension_is_what_the_bytes_say() -> None:
    assert [extension(content) for content in ASSETS.values()] == ["png", "jpg", "webp", "wav", "bmp", "tif", "bin"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("cat-1_b.png", "cat-1_b.png"),
        ("-rf", "%2Drf"),
        (".hidden", "%2Ehidden"),
        ("..", "%2E%2E"),
        ("a/b\\c", "a%2Fb%5Cc"),
        ("nul.txt", "%6Eul.txt"),
        ("COM1", "%43OM1"),
        ("console", "console"),
        ("a.", "a%2E"),
        ("100%", "100%25"),
        ("é\n", "%C3%A9%0A"),
        ("", "%"),
    ],
)
def test_an_unsafe_name_is_percent_encoded(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(max_size=150), unique=True, max_size=4))
def test_safe_names_are_plain_short_and_different_whatever_the_case(names: list[str]) -> None:
    give = Names()
    given_names = [give(name) for name in names]
    assert [give(name) for name in names] == given_names
    assert len({name.lower() for name in given_names}) == len(names)
    for name in given_names:
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-%~")
        assert 0 < len(name) <= LONGEST and name[0] not in ".-" and name[-1] != "."


def test_names_that_differ_in_case_alone_get_different_files() -> None:
    give = Names()
    assert give("Cat") == "Cat"
    assert give("cat") == "cat~77af778b51abd4a3"
