"""Parquet labels: every type as text by the stated rule, and a half-written file says so."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.formats import Record, parquet
from tasks.model import DropRejected


def written(folder: Path, **columns: Any) -> Path:
    path = folder / "labels.parquet"
    pq.write_table(pa.table(columns), path, use_deprecated_int96_timestamps=True)
    return path


def refusal(path: Path) -> tuple[str, str]:
    with pytest.raises(DropRejected) as caught:
        list(parquet.records(path))
    return caught.value.code, str(caught.value)


REMEDY = "Write the file again, to its end, with text columns `path` (or `text`) and `label`."


def test_a_row_is_numbered_from_one_and_its_cells_are_kept(tmp_path: Path) -> None:
    path = written(tmp_path, path=["é.png"], label=["007"])
    fields = {"path": "é.png", "label": "007"}
    assert list(parquet.records(path)) == [Record("labels.parquet:1", json.dumps(fields).encode(), fields)]
    assert parquet.matches(tmp_path) == path


NOON = datetime.datetime(2024, 5, 1, 12)


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array(["NA", None]), ["NA", None]),
        (pa.array(["cat", "dog"]).dictionary_encode(), ["cat", "dog"]),
        (pa.array([9007199254740993, None], pa.int64()), ["9007199254740993", None]),
        (pa.array([0, 1], pa.uint8()), ["0", "1"]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([1.0, 0.1]), ["1", "0.1"]),
        (pa.array([b"cat", None]), ["cat", None]),
        (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
        (pa.array([datetime.date(2024, 5, 1), None]), ["2024-05-01", None]),
        (pa.array([NOON, None], pa.timestamp("ns")), ["2024-05-01 12:00:00.000000000", None]),  # written as int96
        (pa.nulls(2), [None, None]),
    ],
)
def test_each_type_becomes_text_by_the_stated_rule(tmp_path: Path, column: Any, texts: list[str | None]) -> None:
    path = written(tmp_path, path=["a", "b"], label=column)
    assert [record.fields.get("label") for record in parquet.records(path)] == texts


def test_pandas_integers_with_a_blank_stay_integers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"path": ["a", "b"], "label": pd.array([0, None], dtype="Int64")})
    frame.to_parquet(tmp_path / "labels.parquet")
    assert [dict(record.fields) for record in parquet.records(tmp_path / "labels.parquet")] == [
        {"path": "a", "label": "0"},
        {"path": "b"},
    ]


def test_bytes_that_are_not_utf_8_lose_their_row_alone(tmp_path: Path) -> None:
    path = written(tmp_path, path=["a", "b"], label=[b"caf\xe9", b"cat"])
    first, second = parquet.records(path)
    assert (first.source, first.code, first.message) == (
        "labels.parquet:1",
        "E_ENCODING",
        "Row 'labels.parquet:1' has bytes that are not UTF-8 in column 'label'.",
    )
    assert second.fields == {"path": "b", "label": "cat"}


def test_unwanted_characters_and_long_fields_lose_their_row_alone(tmp_path: Path) -> None:
    path = written(tmp_path, path=["a\0", "b" * 70_000, "c"], label=["x", "x", "x"])
    assert [(record.code, record.message) for record in parquet.records(path)] == [
        ("E_CHARACTER", "Row 'labels.parquet:1' has the character U+0000 in field 'path'."),
        (
            "E_TOO_LONG",
            "Row 'labels.parquet:2' has a field 'path' of 70,000 characters. At most 64 KiB are allowed.",
        ),
        (None, None),
    ]


@pytest.mark.parametrize("keep", [-1, -8, 100, 4])
def test_a_file_that_ends_early_may_still_be_being_written(tmp_path: Path, keep: int) -> None:
    path = written(tmp_path, path=["a"] * 1000, label=["x"] * 1000)
    path.write_bytes(path.read_bytes()[:keep])
    if keep == 4:  # four bytes of magic alone look like a footer's end
        assert refusal(path)[0] == "E_PARQUET"
        return
    assert refusal(path) == (
        "E_PARQUET",
        f"File 'labels.parquet' cannot be read: footer missing: file still being written? {REMEDY}",
    )


def test_something_else_under_the_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.parquet").write_text("path,label\na,b\n")
    assert refusal(tmp_path / "labels.parquet")[0] == "E_PARQUET"
    (tmp_path / "labels.parquet").write_bytes(b"")
    assert refusal(tmp_path / "labels.parquet") == (
        "E_EMPTY",
        "File 'labels.parquet' has 0 bytes. The file holds no rows: deliver it again.",
    )


def test_a_nested_column_is_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, path=["a"], label=["x"], boxes=[[1, 2]])
    code, message = refusal(path)
    assert code == "E_PARQUET"
    assert message.startswith("File 'labels.parquet' cannot be read: column 'boxes' is nested (list<")
    assert message.endswith(REMEDY)


def test_no_rows_a_missing_and_a_double_column_are_refused(tmp_path: Path) -> None:
    assert refusal(written(tmp_path, path=pa.array([], pa.string()), label=pa.array([], pa.string()))) == (
        "E_EMPTY",
        "File 'labels.parquet' has no rows. The file holds no rows: deliver it again.",
    )
    assert refusal(written(tmp_path, path=["a"], klass=["x"])) == (
        "E_HEADER",
        "File 'labels.parquet' has no column 'label'. Columns found: path, klass. "
        "Columns are: path or text, label, and if you have them id, split, annotator, meta_*.",
    )
    double = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["path", "label", "label"])
    pq.write_table(double, tmp_path / "labels.parquet")
    assert refusal(tmp_path / "labels.parquet") == (
        "E_HEADER",
        "File 'labels.parquet' has the column 'label' twice: column 2 and 3. "
        "Name each column once; `path` (or `text`) and `label` are required.",
    )


def test_flipped_bytes_never_end_in_a_traceback(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = written(tmp_path, path=[f"{n}.png" for n in range(50)], label=["x", "y"] * 25)
    whole = path.read_bytes()
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            content[at] = rng.integers(0, 256)
        path.write_bytes(content)
        try:
            list(parquet.records(path))
        except DropRejected as error:
            assert error.code in ("E_PARQUET", "E_HEADER", "E_EMPTY")
            refused += 1
    assert refused > 50
