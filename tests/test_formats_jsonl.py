"""JSON lines: literal text is kept, and a bad line loses itself alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.formats import Record, jsonl
from tasks.model import DropRejected

GOOD = '{"path": "a.png", "label": "cat"}'


def read(folder: Path, content: bytes | str) -> list[Record]:
    path = folder / "labels.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(jsonl.records(path))


def fault(folder: Path, line: bytes | str) -> tuple[str | None, str | None]:
    """Code and message of `line` between two good ones, which must stand."""
    middle = line if isinstance(line, bytes) else line.encode()
    first, faulty, last = read(folder, GOOD.encode() + b"\n" + middle + b"\n" + GOOD.encode())
    assert first.fields == last.fields == {"path": "a.png", "label": "cat"}
    assert (first.source, faulty.source, last.source) == ("labels.jsonl:1", "labels.jsonl:2", "labels.jsonl:3")
    assert faulty.fields == {} and faulty.raw == middle[: 64 * 1024 if len(middle) > 2**20 else None]
    return faulty.code, faulty.message


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"007"', "007"),
        ("7", "7"),
        ("1e5", "1e5"),
        ("-0.10", "-0.10"),
        ("9007199254740993", "9007199254740993"),
        ("true", "true"),
        ('["a",  1.0]', '["a",  1.0]'),
        ('{"b": "007"}', '{"b": "007"}'),
        ('"NA"', "NA"),
        ('"caf\\u00e9"', "café"),
    ],
)
def test_a_value_that_is_no_string_keeps_its_literal_text(tmp_path: Path, value: str, text: str) -> None:
    line = f' {{ "path" : "a.png" , "label" : {value} }} '
    assert read(tmp_path, line) == [Record("labels.jsonl:1", line.encode(), {"path": "a.png", "label": text})]


def test_null_is_as_if_the_key_were_not_there(tmp_path: Path) -> None:
    rows = read(tmp_path, f'{GOOD}\n\n{{"path": "b.png", "label": null}}\n')
    assert (rows[1].source, rows[1].fields) == ("labels.jsonl:3", {"path": "b.png"})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"path": "a.png"', "is not JSON: Expecting ',' or '}' at character 17."),
        ('{"path" "a.png"}', "is not JSON: Expecting ':' at character 9."),
        ("{path: 1}", "is not JSON: Expecting a key in double quotes at character 2."),
        ('{"path": 007}', "is not JSON: Expecting ',' or '}' at character 11."),
        ('{"path": }', "is not JSON: Expecting value at character 10."),
        ('{"path": "a"} {}', "is not JSON: Something stands after the object at character 15."),
        ('{"path": "a\tb"}', "is not JSON: Invalid control character at at character 12."),
        ("[1]", "is not a JSON object."),
        ("hello", "is not JSON: Expecting value at character 1."),
        ('{"path": "a", "label": "x", "path": "b"}', "has the key 'path' twice."),
        ('{"path": "a", "meta_x": {"k": 1, "k": 2}}', "has the key 'k' twice."),
        ('{"path": "a", "label": NaN}', "has the value NaN, which JSON does not know."),
        ('{"path": "a", "label": [-Infinity]}', "has the value -Infinity, which JSON does not know."),
        ('{"path": "a", "label": ' + "9" * 5000 + "}", "has an integer of 5,000 digits; 4,300 are allowed."),
        ('{"path": ' + "[" * 100_000 + "}", "has more than 64 levels of brackets."),
        ('{"path": ' + '{"a":' * 100_000 + "}", "has more than 64 levels of brackets."),
    ],
)
def test_a_bad_line_says_what_is_wrong(tmp_path: Path, line: str, reason: str) -> None:
    assert fault(tmp_path, line) == ("E_JSON", f"Row 'labels.jsonl:2' {reason}")


def test_brackets_inside_a_string_and_64_levels_are_fine(tmp_path: Path) -> None:
    deep = "[" * 63 + "]" * 63
    (row,) = read(tmp_path, '{"path": "' + "[" * 100 + '\\"{", "label": ' + deep + "}")
    assert row.fields == {"path": "[" * 100 + '"{', "label": deep}


def test_characters_encoding_and_length_have_their_own_codes(tmp_path: Path) -> None:
    assert fault(tmp_path, '{"path": "a", "label": "\\ud800"}') == (
        "E_CHARACTER",
        "Row 'labels.jsonl:2' has the character U+D800 in field 'label'.",
    )
    assert fault(tmp_path, '{"path": "a\\u0000"}') == (
        "E_CHARACTER",
        "Row 'labels.jsonl:2' has the character U+0000 in field 'path'.",
    )
    assert fault(tmp_path, b'{"path": "\xe9"}') == (
        "E_ENCODING",
        "Row 'labels.jsonl:2' has byte 0xE9 at offset 44 of the file, which is not UTF-8.",
    )
    assert fault(tmp_path, '{"path": "' + "x" * 2**21 + '"}') == (
        "E_TOO_LONG",
        "Row 'labels.jsonl:2' has a line of 2,097,164 bytes. Lines of at most 1 MiB are allowed; "
        "its first 64 KiB are kept.",
    )
    assert fault(tmp_path, '{"path": "' + "x" * 70_000 + '"}') == (
        "E_TOO_LONG",
        "Row 'labels.jsonl:2' has a field 'path' of 70,000 characters. At most 64 KiB are allowed.",
    )


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(DropRejected) as caught:
        read(tmp_path, content)
    assert (caught.value.code, str(caught.value)) == (
        "E_EMPTY",
        "File 'labels.jsonl' is empty. The file holds no rows: deliver it again.",
    )


def test_a_key_that_no_row_has_is_a_missing_column(tmp_path: Path) -> None:
    with pytest.raises(DropRejected) as caught:
        read(tmp_path, '{"file": "a", "label": "b"}\n{"size": 1}')
    assert (caught.value.code, str(caught.value)) == (
        "E_HEADER",
        "File 'labels.jsonl' has no column 'path' or 'text'. Columns found: file, label, size. "
        "Columns are: path or text, label, and if you have them id, split, annotator, meta_*.",
    )


def test_utf_16_by_its_mark_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD.encode("utf-16"))[0].fields == {"path": "a.png", "label": "cat"}
    assert jsonl.dialect(tmp_path / "labels.jsonl") == {"encoding": "utf-16"}
    assert jsonl.matches(tmp_path) == tmp_path / "labels.jsonl"


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 10))
def test_a_mutated_line_never_ends_in_a_traceback_or_harms_its_neighbours(
    tmp_path_factory: pytest.TempPathFactory, inserted: bytes, at: int, cut: int
) -> None:
    base = b'{"path": "a.png", "label": [1e5, {"k": null}], "id": "\\u00e9"}'
    line = (base[:at] + inserted + base[at + cut :]).replace(b"\n", b" ")
    rows = read(tmp_path_factory.mktemp("jsonl"), GOOD.encode() + b"\n" + line + b"\n" + GOOD.encode())
    assert rows[0].code is None and rows[-1].code is None
    assert [row.raw for row in rows[1:-1]] == ([line.removesuffix(b"\r")] if line.strip() else [])
    assert all(row.code in (None, "E_JSON", "E_ENCODING", "E_CHARACTER") for row in rows)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.dictionaries(st.text(max_size=6), VALUES, max_size=5), max_size=5))
def test_the_queue_comes_back_exactly(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    path = tmp_path_factory.mktemp("queue") / "queue.jsonl"
    jsonl.write_queue(path, rows)
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]] == rows


def test_answers_are_read_through_the_same_reader(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"item": "-1", "action": "relabel", "label": "=7", "op": "u1"}\n')
    (record,) = jsonl.records(path, required=("item", "action"))
    assert record.fields == {"item": "-1", "action": "relabel", "label": "=7", "op": "u1"}
