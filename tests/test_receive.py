"""A landing folder becomes a drop: once, whole, and with every row accounted for."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pandas as pd
import pytest
from deliveries import AT, ONE, TWO, landing, refusal, rows, take
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import receive, store
from tasks.model import DropRejected, Mistake

TABLE = "path,label,id,split,annotator,meta_site,size\na/1.png,007,x1,train,,lab,9\n./a/2.png,NA,,,maria,,\n"


def test_a_drop_is_packed_with_its_rows_its_assets_and_a_receipt(tmp_path: Path) -> None:
    folder = landing(tmp_path / "ACME Été 1", {"labels.csv": TABLE, "a/1.png": "one", "a/2.png": "two", "notes": "x"})
    seen: list[int] = []
    receipt = receive.receive(folder, tmp_path / "ws", received_at=AT, progress=seen.append)
    packed = tmp_path / "ws" / "data" / "drops" / "0001-acme-ete-1"
    assert sorted(p.name for p in packed.iterdir()) == ["assets-0000.parquet", "labels.parquet", "receipt.json"]
    assert list(store.iterate_assets(packed / "assets-0000.parquet")) == [(ONE, b"one"), (TWO, b"two")]
    shard = "0001-acme-ete-1/assets-0000.parquet"
    assert rows(tmp_path / "ws", receipt.drop) == [
        {
            "source": "labels.csv:2",
            "raw": b"a/1.png,007,x1,train,,lab,9",
            "path": "a/1.png",
            "label": "007",
            "id": "x1",
            "split": "train",
            "asset": ONE,
            "shard": shard,
            "row": 0,
            "meta_site": "lab",
        },
        {
            "source": "labels.csv:3",
            "raw": b"./a/2.png,NA,,,maria,,",
            "path": "./a/2.png",
            "label": "NA",
            "annotator": "maria",
            "asset": TWO,
            "shard": shard,
            "row": 1,
            "meta_site": "",
        },
    ]
    stored = json.loads((packed / "receipt.json").read_text())
    assert stored == {
        "drop": "0001-acme-ete-1",
        "seq": 1,
        "name": "ACME Été 1",
        "content": receipt.content,
        "rows": 2,
        "faulty": 0,
        "faults": {},
        "assets": 2,
        "bytes": 6,
        "format": "csv",
        "delimiter": ",",
        "encoding": "utf-8",
        "unlisted": ["notes"],
        "unlisted_count": 1,
        "ignored": ["size"],
        "checked": 0,
        "received_at": AT,
        "files": {p.name: store.sha256_file(p) for p in packed.iterdir() if p.name != "receipt.json"},
    }
    assert receipt.notes == (
        "Ignored columns: size. Name a column meta_* to keep it.",
        "Left out, without a row: 1 file: notes.",
    )
    assert seen == [2]


def test_a_faulty_row_travels_with_its_code_and_the_others_are_packed(tmp_path: Path) -> None:
    table = (
        "path,label\n1.png,cat\nno.png,cat\n../x.png,cat\n0.png,cat\nm.pkl,cat\nlink.png,cat\n"
        "1.png,dog,extra\nhttp://h/1.png,cat\n,cat\n"
    )
    folder = landing(tmp_path / "acme", {"labels.csv": table, "1.png": "one", "0.png": "", "m.pkl": "pickle"})
    (folder / "link.png").symlink_to("1.png")
    receipt = take(folder, tmp_path / "ws")
    assert (receipt.rows, receipt.faulty, receipt.assets, receipt.bytes, receipt.unlisted) == (9, 8, 1, 3, ("m.pkl",))
    faulty = [row for row in rows(tmp_path / "ws", receipt.drop) if "code" in row]
    assert [(row["source"], row["code"], row["message"]) for row in faulty] == [
        ("labels.csv:3", "E_ASSET_MISSING", "Row 'labels.csv:3': File 'no.png' is not in the drop."),
        (
            "labels.csv:4",
            "E_ASSET_PATH",
            "Row 'labels.csv:4': Path '../x.png' has '..'. A relative path inside the drop is allowed.",
        ),
        (
            "labels.csv:5",
            "E_ASSET_EMPTY",
            "Row 'labels.csv:5': File '0.png' has 0 bytes. An image or a text is allowed.",
        ),
        (
            "labels.csv:6",
            "E_ASSET_FORMAT",
            "Row 'labels.csv:6': Path 'm.pkl' names a '.pkl' file, which is never opened. Images and texts are "
            "allowed.",
        ),
        (
            "labels.csv:7",
            "E_SYMLINK",
            "Row 'labels.csv:7': Path 'link.png' has a link in it. Files and folders are allowed.",
        ),
        ("labels.csv:8", "E_FIELDS", "Row 'labels.csv:8' has 3 fields. The header has 2: path, label."),
        (
            "labels.csv:9",
            "E_ASSET_PATH",
            "Row 'labels.csv:9': Path 'http://h/1.png' has a scheme or drive. "
            "A relative path inside the drop is allowed.",
        ),
        (
            "labels.csv:10",
            "E_ASSET_PATH",
            "Row 'labels.csv:10': The row has no path. A relative path inside the drop is allowed.",
        ),
    ]
    assert faulty[0]["path"] == "no.png" and faulty[0]["label"] == "cat" and "asset" not in faulty[0]
    assert receipt.notes[0] == "Faulty with E_ASSET_EMPTY: 1 row."


def test_one_file_named_by_several_rows_is_packed_once(tmp_path: Path) -> None:
    table = "path,label,annotator\n1.png,cat,a\n./1.png,dog,b\nsame.png,cat,a\n"
    folder = landing(tmp_path / "acme", {"labels.csv": table, "1.png": "one", "same.png": "one"})
    receipt = take(folder, tmp_path / "ws")
    assert (receipt.rows, receipt.assets, receipt.bytes, receipt.faulty) == (3, 1, 3, 0)
    assert [(row["asset"], row["row"]) for row in rows(tmp_path / "ws", receipt.drop)] == [(ONE, 0)] * 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.tsv", "path\tlabel\n1.png\tcat\n"),
        ("acme.csv", "path|label\n1.png|cat\n"),
        ("labels.jsonl", '{"path": "1.png", "label": "cat"}\n'),
    ],
)
def test_each_text_format_is_found(tmp_path: Path, name: str, content: str) -> None:
    receipt = take(landing(tmp_path / "acme", {name: content, "1.png": "one"}), tmp_path / "ws")
    (row,) = rows(tmp_path / "ws", receipt.drop)
    assert (row["label"], row["asset"], receipt.encoding) == ("cat", ONE, "utf-8")


def test_parquet_labels_are_found_and_a_null_label_is_left_to_ingest(tmp_path: Path) -> None:
    folder = landing(tmp_path / "acme", {"1.png": "one"})
    frame = pd.DataFrame({"path": ["1.png", "1.png"], "label": pd.array([7, None], dtype="Int64")})
    frame.to_parquet(folder / "labels.parquet")
    receipt = take(folder, tmp_path / "ws")
    assert [row.get("label") for row in rows(tmp_path / "ws", receipt.drop)] == ["7", None]
    assert (receipt.format, receipt.faulty) == ("parquet", 0)


def test_no_labels_several_labels_and_no_folder_are_said(tmp_path: Path) -> None:
    remedy = "Deliver labels.csv, labels.tsv, labels.jsonl or labels.parquet, or one folder a class."
    assert refusal(landing(tmp_path / "bare", {"1.png": "one"}), tmp_path / "ws") == (
        "E_FORMAT",
        f"Drop 'bare' cannot be received. It has no labels file and no class folders with files. {remedy}",
    )
    both = landing(tmp_path / "both", {"labels.csv": "path,label\n", "labels.jsonl": "{}", "cat/1.png": "one"})
    assert refusal(both, tmp_path / "ws") == (
        "E_FORMAT",
        "Drop 'both' cannot be received. It has several labels files: labels.csv, labels.jsonl. One is allowed. "
        + remedy,
    )
    with pytest.raises(Mistake) as caught:
        take(tmp_path / "nowhere", tmp_path / "ws")
    assert str(caught.value) == (f"No folder '{tmp_path / 'nowhere'}'. Name a landing folder: assay receive FOLDER")


def test_what_the_reader_refuses_is_refused_with_the_drops_name(tmp_path: Path) -> None:
    folder = landing(tmp_path / "acme", {"labels.csv": "path,label\n1.png,cat,x\n", "1.png": "one"})
    assert refusal(folder, tmp_path / "ws") == (
        "E_HEADER_WIDTH",
        "Drop 'acme' cannot be received. File 'labels.csv' has 2 columns in its header and 3 fields in every row (1). "
        "Give the header as many fields as the rows.",
    )


def test_a_labels_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    secret = landing(tmp_path, {"secret.csv": "path,label\n1.png,cat\n"}) / "secret.csv"
    folder = landing(tmp_path / "acme", {"1.png": "one"})
    (folder / "labels.csv").symlink_to(secret)
    assert refusal(folder, tmp_path / "ws") == (
        "E_SYMLINK",
        "Drop 'acme' cannot be received. Its labels file 'labels.csv' is a link. Deliver the file itself, not a link.",
    )


def test_a_delivery_that_disagrees_with_its_checksums_is_refused_with_all_of_them(tmp_path: Path) -> None:
    table = "path,label\n1.png,cat\n2.png,cat\n"
    sums = {"1.png": ONE, "2.png": ONE, "3.png": TWO, "labels.csv": hashlib.sha256(table.encode()).hexdigest()}
    listed = "".join(f"{sha}  {name}\n" for name, sha in sums.items())
    folder = landing(tmp_path / "acme", {"labels.csv": table, "1.png": "one", "2.png": "two", "_SUCCESS": listed})
    assert refusal(folder, tmp_path / "ws") == (
        "E_MANIFEST",
        "Drop 'acme' cannot be received. 2 of 4 files in _SUCCESS disagree: "
        f"2.png (sha256 {TWO[:8]}.., listed {ONE[:8]}..), 3.png (cannot be read: E_ASSET_MISSING). "
        "Deliver the listed files again, or correct the checksums in _SUCCESS.",
    )
    landing(folder, {"2.png": "one", "3.png": "two"})
    receipt = take(folder, tmp_path / "ws")
    assert (receipt.checked, receipt.assets, receipt.unlisted) == (4, 1, ("3.png",))


def test_a_folder_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    table = "path,label\n1.png,cat\n"
    folder = landing(tmp_path / "acme", {"labels.csv": table, "1.png": "one"})

    def another_file_arrives(_: int) -> None:
        (folder / "2.png").write_bytes(b"two")

    with pytest.raises(DropRejected) as caught:
        receive.receive(folder, tmp_path / "ws", received_at=AT, progress=another_file_arrives)
    assert caught.value.code == "E_MANIFEST"
    assert str(caught.value).startswith(
        "Drop 'acme' cannot be received. Its files changed while they were read; wait until it is complete."
    )
    assert take(folder, tmp_path / "ws").unlisted == ("2.png",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    folder = landing(tmp_path / "acme", {"cat/1.png": "one"})
    (folder / "cat").chmod(0)
    try:
        code, message = refusal(folder, tmp_path / "ws")
    finally:
        (folder / "cat").chmod(0o700)
    assert (code, message) == (
        "E_ASSET_MISSING",
        f"Drop 'acme' has something that may not be read: '{folder / 'cat'}'.",
    )


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.sampled_from(["1.png,cat", "2.png,", "gone.png,x", "1.png", "1.png,a,b", '"1.png', "\x00,"]), max_size=8
    )
)
def test_every_delivered_line_is_in_the_drop_exactly_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    base = tmp_path_factory.mktemp("partition")
    table = "path,label\n1.png,first\n" + "".join(line + "\n" for line in lines)
    folder = landing(base / "acme", {"labels.csv": table, "1.png": "one", "2.png": "two"})
    receipt = take(folder, base / "ws")
    found = rows(base / "ws", receipt.drop)
    # two open quotes make one record of two lines, so the bytes are compared, not the count
    assert "\n".join(row["raw"].decode() for row in found) == "\n".join(["1.png,first", *lines])
    assert receipt.faulty == sum("code" in row for row in found) == sum("asset" not in row for row in found)
    assert len({row["source"] for row in found}) == len(found) == receipt.rows
