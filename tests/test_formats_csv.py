"""CSV and TSV: what is read, what is refused and in which words, and that what is written comes back."""

from __future__ import annotations

import csv as reference
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_csv import faults, read, refusal, written

from tasks.formats import Record, csv
from tasks.model import DropRejected

# pandas' default words for a missing value
NA_WORDS = (
    "#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null|inf|True|007"
).split("|")

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\x1a"), max_size=12
)  # what a cell may hold, line breaks and quotes included


def test_a_row_keeps_its_fields_its_bytes_and_its_line(tmp_path: Path) -> None:
    assert read(tmp_path, "path,label,id\r\na.png,7,x1\r\n\r\nb.png, cat ,\r\n") == [
        Record("labels.csv:2", b"a.png,7,x1", {"path": "a.png", "label": "7", "id": "x1"}),
        Record("labels.csv:4", b"b.png, cat ,", {"path": "b.png", "label": " cat ", "id": ""}),
    ]


@pytest.mark.parametrize("word", [*NA_WORDS, "1e5", "9007199254740993", "12345678901234567890", "0", "1.0"])
def test_every_value_stays_the_text_it_was(tmp_path: Path, word: str) -> None:
    rows = read(tmp_path, f"path,label,id\na.png,{word},{word}\nb.png,,\n")
    assert [dict(row.fields) for row in rows] == [
        {"path": "a.png", "label": word, "id": word},
        {"path": "b.png", "label": "", "id": ""},
    ]


@settings(deadline=None, max_examples=60)
@given(table=st.lists(st.lists(TEXT, min_size=2, max_size=2), min_size=1, max_size=6), which=st.sampled_from(",;\t|"))
def test_what_pythons_csv_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], which: str
) -> None:
    buffer = io.StringIO()
    writer = reference.writer(buffer, delimiter=which, lineterminator="\r\n", quoting=reference.QUOTE_ALL)
    writer.writerows([["path", "label"], *table])
    path = written(tmp_path_factory.mktemp("csv"), buffer.getvalue())
    assert [[row.fields["path"], row.fields["label"]] for row in csv.records(path)] == table
    assert csv.dialect(path) == {"encoding": "utf-8", "delimiter": which}


def test_a_ragged_row_loses_itself_alone_by_its_physical_line(tmp_path: Path) -> None:
    rows = read(tmp_path, 'path,label\n"a\n\nb.png",cat\nc.png,dog,extra\nd.png\ne.png,cat\n')
    assert faults(rows) == [
        ("labels.csv:5", "E_FIELDS", "Row 'labels.csv:5' has 3 fields. The header has 2: path, label."),
        ("labels.csv:6", "E_FIELDS", "Row 'labels.csv:6' has 1 field. The header has 2: path, label."),
    ]
    assert rows[0] == Record("labels.csv:2", b'"a\n\nb.png",cat', {"path": "a\n\nb.png", "label": "cat"})
    assert rows[3].source == "labels.csv:7"


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=12))
def test_good_and_ragged_rows_add_up(tmp_path_factory: pytest.TempPathFactory, grid: list[tuple[int, bool]]) -> None:
    rows = [",".join(['"x\ny"' if multiline else "x"] * width) for width, multiline in grid]
    path = written(tmp_path_factory.mktemp("csv"), "path,label,id\n" + "\n".join(rows) + "\n")
    if len({width for width, _ in grid}) == 1 and grid[0][0] > 3:
        with pytest.raises(DropRejected, match="in its header"):
            list(csv.records(path))
        return
    found = list(csv.records(path))
    assert [record.code is None for record in found] == [width == 3 for width, _ in grid]
    assert [record.raw.decode() for record in found] == rows
    line = 2
    for record, row in zip(found, rows, strict=True):
        assert record.source == f"labels.csv:{line}"
        line += 1 + row.count("\n")


def test_rows_that_all_have_one_field_too_many_are_refused_and_never_shifted(tmp_path: Path) -> None:
    # pandas makes the paths an index here, and every label a path
    assert refusal(tmp_path, "path,label\na.png,cat,x\nb.png,dog,y\n") == (
        "E_HEADER_WIDTH",
        "File 'labels.csv' has 2 columns in its header and 3 fields in every row (2). "
        "Give the header as many fields as the rows.",
    )


def test_a_header_that_names_a_column_twice_is_refused_with_both_places(tmp_path: Path) -> None:
    assert refusal(tmp_path, "path,label,id,label\na,b,c,d\n") == (
        "E_HEADER",
        "File 'labels.csv' has the column 'label' twice: column 2 and 4. "
        "Name each column once; `path` (or `text`) and `label` are required.",
    )


def test_a_header_without_a_needed_column_names_those_there_are(tmp_path: Path) -> None:
    assert refusal(tmp_path, "file,label\na,b\n") == (
        "E_HEADER",
        "File 'labels.csv' has no column 'path' or 'text'. Columns found: file, label. "
        "Columns are: path or text, label, and if you have them id, split, annotator, meta_*.",
    )
    with pytest.raises(DropRejected) as caught:
        list(csv.records(tmp_path / "labels.csv", required=("item", "action")))
    assert str(caught.value) == (
        "File 'labels.csv' has no column 'item'. Columns found: file, label. Required are: item, action."
    )


def test_other_columns_are_read_too_and_a_nameless_one_gets_a_name(tmp_path: Path) -> None:
    rows = read(tmp_path, " path , label ,,size\na,b,,7\n")
    assert rows[0].fields == {"path": "a", "label": "b", "unnamed column 3": "", "size": "7"}


@pytest.mark.parametrize("content", ["path:label\na:b\n", "path label\na b\n"])
def test_a_header_that_none_of_the_four_delimiters_splits_is_refused(tmp_path: Path, content: str) -> None:
    assert refusal(tmp_path, content) == (
        "E_DELIMITER",
        f"File 'labels.csv' has a header that no delimiter splits: '{content.splitlines()[0]}'. "
        "Use one of: comma, semicolon, tab, pipe; the same one in every row.",
    )


def test_a_header_and_rows_with_different_delimiters_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "path,label\na.png;cat\nb.png;dog\n") == (
        "E_DELIMITER",
        "File 'labels.csv' has a header split by comma and rows split by semicolon. "
        "Use one of: comma, semicolon, tab, pipe; the same one in every row.",
    )


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    assert refusal(tmp_path, content) == (
        "E_EMPTY",
        "File 'labels.csv' is empty. The file holds no rows: deliver it again.",
    )


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "path,label\n\n") == (
        "E_EMPTY",
        "File 'labels.csv' has a header and no rows. The file holds no rows: deliver it again.",
    )


def test_an_unclosed_quote_names_the_line_it_opened_in_and_the_rows_before_stand(tmp_path: Path) -> None:
    rows = read(tmp_path, 'path,label\na.png,cat\n"b\n1.png","dog\nc.png,cat\n')
    assert rows[0].fields == {"path": "a.png", "label": "cat"}
    assert faults(rows) == [
        ("labels.csv:3", "E_QUOTE", "Row 'labels.csv:3' has a quote, opened in line 4, that is not closed."),
        ("labels.csv:4", "E_QUOTE", "Row 'labels.csv:4' stands after a quote, opened in line 4, that is not closed."),
        ("labels.csv:5", "E_QUOTE", "Row 'labels.csv:5' stands after a quote, opened in line 4, that is not closed."),
    ]
    assert [row.raw for row in rows[1:]] == [b'"b', b'1.png","dog', b"c.png,cat"]


def test_a_quote_that_stays_open_for_more_than_a_mebibyte_is_not_closed(tmp_path: Path) -> None:
    filler = "x" * 1000 + "\n"
    rows = read(tmp_path, 'path,label\n"a,cat\n' + filler * 1100 + '",dog\n')
    assert rows[0].message == "Row 'labels.csv:2' has a quote, opened in line 2, that is not closed."
    assert {row.code for row in rows} == {"E_QUOTE"} and len(rows) == 1102


def test_text_after_a_closed_quote_loses_its_row_alone(tmp_path: Path) -> None:
    rows = read(tmp_path, 'path,label\n"a"b.png,cat\nc.png,5" disk\n')
    assert faults(rows) == [
        ("labels.csv:2", "E_QUOTE", "Row 'labels.csv:2' has text after the closing quote of field 1.")
    ]
    assert rows[1].fields["label"] == '5" disk'


def test_a_quote_left_open_in_the_header_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, '"path,label\na,b\n') == (
        "E_QUOTE",
        "File 'labels.csv' has a quote in its header that is not closed in that line. Close the quote.",
    )


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_no_bytes_at_all_end_in_a_traceback_and_every_line_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    content = b"path,label\n" + content
    try:
        rows = read(tmp_path_factory.mktemp("csv"), content)
    except DropRejected as error:
        assert error.code in ("E_EMPTY", "E_HEADER_WIDTH", "E_DELIMITER")
        return
    kept = b"".join(row.raw for row in rows)
    assert sorted(kept.replace(b"\r", b"").replace(b"\n", b"")) == sorted(
        content[11:].replace(b"\r", b"").replace(b"\n", b"")
    )


def test_the_labels_file_is_found_and_two_are_refused(tmp_path: Path) -> None:
    assert csv.matches(tmp_path) is None
    (tmp_path / "classes.csv").touch()
    assert csv.matches(tmp_path) is None
    (tmp_path / "acme.tsv").touch()
    assert csv.matches(tmp_path) == tmp_path / "acme.tsv"
    (tmp_path / "other.csv").touch()
    with pytest.raises(DropRejected) as caught:
        csv.matches(tmp_path)
    assert caught.value.code == "E_FORMAT"
    assert str(caught.value).startswith(
        f"Folder '{tmp_path.name}' has several labels files: acme.tsv, other.csv. One is allowed."
    )
    (tmp_path / "labels.csv").touch()
    assert csv.matches(tmp_path) == tmp_path / "labels.csv"
