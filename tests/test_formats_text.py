"""Encodings, unwanted characters and overlong lines: each loses its own row, or the file is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_csv import faults, read, refusal, written

from tasks.formats import csv


@pytest.mark.parametrize(
    ("encoding", "recorded"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16")],
)
def test_an_encoding_with_its_mark_is_read_and_recorded(tmp_path: Path, encoding: str, recorded: str) -> None:
    path = written(tmp_path, "path,label\né.png,日本\n".encode(encoding))
    assert [dict(row.fields) for row in csv.records(path)] == [{"path": "é.png", "label": "日本"}]
    assert csv.dialect(path) == {"encoding": recorded, "delimiter": ","}


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_both_byte_orders_of_utf_16_are_read(tmp_path: Path, mark: str) -> None:
    rows = read(tmp_path, ("\ufeff" + "path;label\na;é\n").encode(mark))
    assert [dict(row.fields) for row in rows] == [{"path": "a", "label": "é"}]


def test_one_latin_1_row_loses_itself_alone_and_names_the_byte(tmp_path: Path) -> None:
    rows = read(tmp_path, b"path,label\na.png,cat\nb.png,caf\xe9\nc.png,caf\xc3\xa9\n")
    assert [row.fields.get("label") for row in rows] == ["cat", None, "café"]
    assert rows[1].raw == b"b.png,caf\xe9"
    assert faults(rows) == [
        ("labels.csv:3", "E_ENCODING", "Row 'labels.csv:3' has byte 0xE9 at offset 30 of the file, which is not UTF-8.")
    ]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_row_may_be_latin_1_without_harm_to_the_others(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    latin = data.draw(st.lists(st.booleans(), min_size=1, max_size=8))
    rows = [f"{n}.png,é".encode("latin-1" if odd else "utf-8") for n, odd in enumerate(latin)]
    read_rows = read(tmp_path_factory.mktemp("csv"), b"path,label\n" + b"\n".join(rows))
    assert [row.code == "E_ENCODING" for row in read_rows] == latin
    assert [row.raw for row in read_rows] == rows


def test_utf_16_that_ends_early_is_refused(tmp_path: Path) -> None:
    code, message = refusal(tmp_path, "path,label\na,b\n".encode("utf-16")[:-1])
    assert (code, message) == (
        "E_ENCODING",
        "File 'labels.csv' is broken UTF-16 at byte 30: truncated data. Save the file as UTF-8.",
    )


def test_utf_16_without_a_mark_and_utf_32_are_refused_by_name(tmp_path: Path) -> None:
    assert refusal(tmp_path, "path,label\na,b\n".encode("utf-16-le")) == (
        "E_ENCODING",
        "File 'labels.csv' begins with a NUL byte, as UTF-16 without a BOM does. Save the file as UTF-8.",
    )
    assert refusal(tmp_path, "path,label\na,b\n".encode("utf-32")) == (
        "E_ENCODING",
        "File 'labels.csv' is UTF-32. UTF-8, or UTF-16 with a BOM, is allowed. Save the file as UTF-8.",
    )


def test_nul_and_ctrl_z_lose_their_row_alone(tmp_path: Path) -> None:
    rows = read(tmp_path, b"path,label\na.png,c\0t\nb.png,dog\n\x1a")
    assert faults(rows) == [
        ("labels.csv:2", "E_CHARACTER", "Row 'labels.csv:2' has the character U+0000."),
        ("labels.csv:4", "E_CHARACTER", "Row 'labels.csv:4' has the character U+001A."),
    ]


def test_a_lone_surrogate_loses_its_row_alone(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-16"):
        rows = read(tmp_path, "path,label\na,\ud800\nb,dog\n".encode(encoding, "surrogatepass"))
        assert faults(rows) == [("labels.csv:2", "E_CHARACTER", "Row 'labels.csv:2' has the lone surrogate U+D800.")], (
            encoding
        )


def test_bidi_controls_are_text_like_any_other(tmp_path: Path) -> None:
    assert read(tmp_path, "path,label\na,\u202edog\n")[0].fields["label"] == "\u202edog"


def test_a_line_and_a_field_that_are_too_long_lose_their_row_alone(tmp_path: Path) -> None:
    rows = read(tmp_path, f"path,label\na,{'x' * 2**20}\nb,{'x' * 65537}\nc,{'x' * 65536}\n")
    assert faults(rows) == [
        (
            "labels.csv:2",
            "E_TOO_LONG",
            "Row 'labels.csv:2' has a line of 1,048,578 bytes. Lines of at most 1 MiB are allowed; "
            "its first 64 KiB are kept.",
        ),
        (
            "labels.csv:3",
            "E_TOO_LONG",
            "Row 'labels.csv:3' has a field 'label' of 65,537 characters. At most 64 KiB are allowed.",
        ),
    ]
    assert [len(row.raw) for row in rows] == [65536, 65539, 65538]
    assert rows[2].fields["label"] == "x" * 65536


def test_a_line_of_many_mebibytes_is_passed_over(tmp_path: Path) -> None:
    rows = read(tmp_path, b"path,label\na," + b"x" * (5 * 2**20) + b"\nb,cat\n")
    assert [(row.source, row.code) for row in rows] == [("labels.csv:2", "E_TOO_LONG"), ("labels.csv:3", None)]


def test_old_line_ends_are_refused_by_name(tmp_path: Path) -> None:
    assert refusal(tmp_path, "path,label\ra,b\r") == (
        "E_FORMAT",
        "File 'labels.csv' ends its lines with a carriage return alone. End them with a newline. "
        "Deliver labels.csv, labels.tsv, labels.jsonl or labels.parquet, or one folder a class.",
    )
