"""Does every table and file come back as it was written, and is everything else a sentence?"""

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import store
from tasks.model import ANNOTATIONS, Mistake, Report, Table
from tasks.store import assets, delivered, tables

TOY = Table(
    "toy",
    {"text": "text", "int": "int", "float": "float", "bool": "bool", "bytes": "bytes"}
    | {"text0": "text?", "int0": "int?", "float0": "float?", "bool0": "bool?", "bytes0": "bytes?"},
    extra="meta_",
)
ROW = {"text": "a", "int": 1, "float": 0.5, "bool": True, "bytes": b"x"}
NA_WORDS = ["", " ", "NA", "N/A", "nan", "NaN", "null", "None", "<NA>", "-inf", "007", "1e5", "\x00", "\ufeff"]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(NA_WORDS)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "bytes": st.binary(max_size=8),
}
NULLABLE = {f"{name}0": st.none() | values for name, values in VALUES.items()}
ROWS = st.lists(st.fixed_dictionaries(VALUES | NULLABLE, optional={"meta_site": st.none() | TEXT}), max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain values; a missing number, which pandas calls NaN, as None."""
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    return [{name: None if value != value else value for name, value in row.items()} for row in rows]


def mistake(call: Any) -> str:
    with pytest.raises(Mistake) as caught:
        call()
    return str(caught.value)


# --- tables ----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=150)
@given(ROWS)
def test_every_value_of_every_type_comes_back_as_itself(folder: Path, rows: list[dict[str, Any]]) -> None:
    path = folder / "toy.parquet"
    store.write_table(path, TOY, store.frame(TOY, rows))
    back = store.read_table(path, TOY)
    site = ["meta_site"] if any("meta_site" in row for row in rows) else []
    assert list(back.columns) == [*TOY.columns, *site]
    assert records(back) == [{name: row.get(name) for name in [*TOY.columns, *site]} for row in rows]
    for name in ("text", "text0", "bytes", "bytes0", *site):
        assert back[name].dtype == object and not any(value is pd.NA or value != value for value in back[name])


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_the_same_rows_give_the_same_bytes_also_after_a_round_trip(folder: Path, rows: list[dict[str, Any]]) -> None:
    first, second, third = (folder / f"{name}.parquet" for name in ("first", "second", "third"))
    store.write_table(first, TOY, store.frame(TOY, rows))
    store.write_table(second, TOY, store.frame(TOY, rows))
    store.write_table(third, TOY, store.read_table(first, TOY))
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.fixed_dictionaries(VALUES | NULLABLE), max_size=6), st.integers(1, 20))
def test_rows_written_one_by_one_are_the_same_table_in_groups(
    folder: Path, rows: list[dict[str, Any]], limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "ROW_GROUP_BYTES", limit)
        store.write_rows(folder / "rows.parquet", TOY, iter(rows))
        again = (folder / "rows.parquet").read_bytes()
        store.write_rows(folder / "rows.parquet", TOY, iter(rows))
    back = records(store.read_table(folder / "rows.parquet", TOY))
    assert back == [{name: row[name] for name in TOY.columns} for row in rows]
    assert (folder / "rows.parquet").read_bytes() == again


def test_a_frame_has_the_columns_of_its_table_in_order_and_extras_sorted_behind() -> None:
    frame = store.frame(TOY, [{"int": 1, "meta_b": "x"}, {"text": "a", "meta_a": "y"}])
    assert list(frame.columns) == [*TOY.columns, "meta_a", "meta_b"]
    assert frame["text"].tolist() == [None, "a"] and frame["meta_a"].tolist() == [None, "y"]
    assert list(store.frame(TOY).columns) == list(TOY.columns)


def test_a_folder_is_read_in_the_order_of_its_names_and_only_its_parquet_files(tmp_path: Path) -> None:
    for name, text, extra in [("0010-b", "second", {}), ("0002-a", "first", {"meta_a": "1"})]:
        row = {**ROW, "text": text, **extra}
        store.write_table(tmp_path / "t" / f"{name}.parquet", TOY, store.frame(TOY, [row]))
    (tmp_path / "t" / "notes.txt").write_text("no table")
    back = store.read_table(tmp_path / "t", TOY)
    assert back[["text", "meta_a"]].to_dict("list") == {"text": ["first", "second"], "meta_a": ["1", None]}
    assert store.read_table(tmp_path / "t", TOY, columns=["text"]).to_dict("list") == {"text": ["first", "second"]}


def test_an_empty_folder_is_an_empty_table(tmp_path: Path) -> None:
    assert list(store.read_table(tmp_path, ANNOTATIONS).columns) == list(ANNOTATIONS.columns)
    assert len(store.read_table(tmp_path, ANNOTATIONS)) == 0


COLUMNS = "text, int, float, bool, bytes, text0, int0, float0, bool0, bytes0, meta_*"


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT])
def test_a_null_where_none_is_allowed_names_table_column_and_row(tmp_path: Path, value: object) -> None:
    rows = store.frame(TOY, [ROW, ROW, {**ROW, "float": value}])
    sentence = "Table 'toy' has a null in column 'float', row 2 of 't.parquet'."
    assert mistake(lambda: store.write_table(tmp_path / "t.parquet", TOY, rows)) == sentence
    assert mistake(lambda: store.write_rows(tmp_path / "t.parquet", TOY, records(rows))) == sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("column", "value", "shown", "kind"),
    [
        ("text", 7, "7", "string"),
        ("text", "\ud800", r"'\ud800'", "string"),  # a lone surrogate has no UTF-8
        ("text0", b"\xff", r"b'\xff'", "string"),
        ("text", "x" * 99 + "\ud800", "'" + "x" * 59, "string"),  # clipped
        ("int", 1.5, "1.5", "int64"),  # not cut to 1
        ("int", 2**63, "9223372036854775808", "int64"),
        ("int0", "1", "'1'", "int64"),
        ("int", True, "True", "int64"),
        ("float", "0.5", "'0.5'", "double"),
        ("bool", 1, "1", "bool"),
        ("bytes", 1, "1", "binary"),
        ("meta_site", 1, "1", "string"),
    ],
)
def test_a_value_of_another_type_names_table_column_and_row(
    tmp_path: Path, column: str, value: object, shown: str, kind: str
) -> None:
    rows = store.frame(TOY, [ROW, {**ROW, column: value}])
    sentence = f"Table 'toy' has the value {shown} in column '{column}', row 1 of 't.parquet'."
    expected = f"{sentence} The type of the column is {kind}."
    assert mistake(lambda: store.write_table(tmp_path / "t.parquet", TOY, rows)) == expected
    assert list(tmp_path.iterdir()) == []


def test_rows_in_a_later_group_are_counted_from_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP_BYTES", 4)
    rows = [*[ROW] * 9, {**ROW, "int": 0.1}]
    sentence = mistake(lambda: store.write_rows(tmp_path / "t.parquet", TOY, rows))
    assert sentence.startswith("Table 'toy' has the value 0.1 in column 'int', row 9 of 't.parquet'.")


def test_a_whole_float_is_an_int_because_pandas_makes_them_of_ints_beside_blanks(tmp_path: Path) -> None:
    store.write_table(tmp_path / "t.parquet", TOY, store.frame(TOY, [{**ROW, "int": 3.0, "int0": 4.0}]))
    assert store.read_table(tmp_path / "t.parquet", TOY)[["int", "int0"]].to_dict("list") == {"int": [3], "int0": [4]}


def test_a_missing_and_an_unknown_column_name_the_table_and_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    rows = store.frame(TOY, [ROW])
    assert mistake(lambda: store.write_table(path, TOY, rows.drop(columns="bool"))) == (
        f"Table 'toy' for 't.parquet' lacks column 'bool'. Columns are: {COLUMNS}."
    )
    unknown = f"Table 'toy' has unknown column 'site'. Columns are: {COLUMNS}."
    assert mistake(lambda: store.write_table(path, TOY, rows.assign(site="x"))) == unknown
    assert mistake(lambda: store.write_rows(path, TOY, [{**ROW, "site": "x"}])) == unknown
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_other_columns_or_types_is_told_on_reading(tmp_path: Path) -> None:
    path, other = tmp_path / "t.parquet", Table("other", {"text": "int"})
    store.write_table(path, TOY, store.frame(TOY, [ROW]))
    assert mistake(lambda: store.read_table(path, other)) == (
        f"File '{path}' has column 'text' as string; table 'other' wants int64."
    )
    assert mistake(lambda: store.read_table(path, Table("more", {"text": "text", "more": "text"}))) == (
        f"File '{path}' lacks column 'more' of table 'more'. Columns are: text, more."
    )


# --- torn and absent files -------------------------------------------------------------------------------------------


def test_an_absent_file_is_a_sentence_with_the_next_command(tmp_path: Path) -> None:
    path = tmp_path / "none"
    again = f"No file '{path}'. Run: assay run"
    assert mistake(lambda: store.read_table(path, TOY)) == again
    assert mistake(lambda: store.read_vectors(path)) == again
    assert mistake(lambda: store.read_json(path)) == again
    assert mistake(lambda: store.AssetReader(tmp_path)("none", 0)) == f"No asset shard '{path}'. Run: dvc pull"
    assert mistake(lambda: list(store.iterate_assets(path))) == f"No asset shard '{path}'. Run: dvc pull"


def test_a_file_cut_at_any_byte_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "assets-0000.parquet"
    store.write_assets(tmp_path, "d", [("a", b"one")])
    content = path.read_bytes()
    start = f"File '{path}' is not a readable Parquet file ("
    for end in range(len(content)):
        path.write_bytes(content[:end])
        for call in (
            lambda: store.read_table(path, TOY),
            lambda: store.read_vectors(path),
            lambda: store.AssetReader(tmp_path)(path.name, 0),
            lambda: list(store.iterate_assets(path)),
        ):
            sentence = mistake(call)
            assert sentence.startswith(start) and sentence.endswith("). Run: assay verify"), end


def test_a_damaged_row_group_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "assets-0000.parquet"
    store.write_assets(tmp_path, "d", [("a", b"one")])
    content = bytearray(path.read_bytes())
    content[4:12] = b"\xff" * 8  # the header of the first page; the footer is whole
    path.write_bytes(content)
    assert mistake(lambda: list(store.iterate_assets(path))).startswith(f"File '{path}' is not a readable Parquet file")


def test_a_delivered_row_group_that_unpacks_to_too_much_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "labels.parquet"
    store.write_table(path, TOY, store.frame(TOY, [{**ROW, "text": "x" * 10_000}] * 100))
    assert path.stat().st_size < 10_000 and store.text_columns(path) == list(TOY.columns)
    monkeypatch.setattr(delivered, "DELIVERED_GROUP_BYTES", 1000)
    with pytest.raises(store.NotText, match=r"^row group 0 unpacks to more than 1,000 bytes\.$"):
        store.text_columns(path)


# --- vectors ---------------------------------------------------------------------------------------------------------


def views(seed: int, items: int, widths: Sequence[int]) -> dict[str, store.FloatArray]:
    rng = np.random.default_rng(seed)
    found = {f"view{n}": rng.normal(size=(items, width)).astype(np.float32) for n, width in enumerate(widths)}
    for x_ND in found.values():
        x_ND.ravel()[:3] = [np.nan, -np.inf, -0.0][: x_ND.size]
    return found


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 99), st.integers(0, 5), st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_vectors_come_back_bit_by_bit(folder: Path, seed: int, count: int, widths: list[int]) -> None:
    path, given_ = folder / "v.parquet", views(seed, count, widths)
    items = [f"i{n}" for n in range(count)]
    store.write_vectors(path, items, given_)
    found_items, found = store.read_vectors(path)
    assert (found_items, list(found)) == (items, list(given_))
    for name, x_ND in given_.items():
        assert (found[name].shape, str(found[name].dtype)) == (x_ND.shape, "float32")
        assert found[name].tobytes() == x_ND.tobytes()
    again = path.read_bytes()
    store.write_vectors(path, items, given_)
    assert path.read_bytes() == again


def test_a_folder_of_vectors_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    second, first = np.full((1, 2), 2, np.float32), np.full((2, 2), 1, np.float32)
    store.write_vectors(tmp_path / "0010.parquet", ["c"], {"v": second})
    store.write_vectors(tmp_path / "0002.parquet", ["a", "b"], {"v": first})
    items, found = store.read_vectors(tmp_path)
    assert (items, found["v"].tolist()) == (["a", "b", "c"], [[1, 1], [1, 1], [2, 2]])
    assert store.read_vectors(tmp_path / "0010.parquet")[0] == ["c"]
    (tmp_path / "empty").mkdir()
    assert store.read_vectors(tmp_path / "empty") == ([], {})


def test_float64_and_strided_vectors_are_stored_as_what_they_show(tmp_path: Path) -> None:
    x_ND = np.arange(12, dtype=np.float64).reshape(3, 4)[:, ::2]
    store.write_vectors(tmp_path / "v.parquet", ["a", "b", "c"], {"v": x_ND})  # type: ignore[dict-item]
    assert store.read_vectors(tmp_path / "v.parquet")[1]["v"].tolist() == [[0, 2], [4, 6], [8, 10]]


# --- assets ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two items of 4 bytes fill a row group, five a shard."""
    monkeypatch.setattr(assets, "ROW_GROUP_BYTES", 8)
    monkeypatch.setattr(assets, "SHARD_BYTES", 20)
    yield


def groups(path: Path) -> list[int]:
    """The number of rows of each row group of a shard."""
    file = pq.ParquetFile(path)
    return [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]


def test_assets_fill_row_groups_and_shards_to_their_limits(tmp_path: Path, small: None) -> None:
    given_ = [(f"{n}", f"{n:04d}".encode()) for n in range(7)]
    where = store.write_assets(tmp_path, "d", [*given_, given_[0]])
    rows = [(0, n) for n in range(5)] + [(1, 0), (1, 1)]
    assert where == {f"{n}": (f"d/assets-{shard:04d}.parquet", row) for n, (shard, row) in enumerate(rows)}
    assert [groups(tmp_path / f"assets-{n:04d}.parquet") for n in (0, 1)] == [[2, 2, 1], [2]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["assets-0000.parquet", "assets-0001.parquet"]
    assert list(store.iterate_assets(tmp_path / "assets-0000.parquet")) == given_[:5]


CONTENTS = st.lists(st.binary(max_size=30), unique=True, max_size=12)


@settings(deadline=None, max_examples=80)
@given(CONTENTS, st.integers(1, 12), st.integers(1, 40), st.integers(1, 3), st.randoms(use_true_random=False))
def test_any_asset_is_found_again_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], group: int, shard: int, keep: int, random: Any
) -> None:
    drops = tmp_path_factory.mktemp("drops")
    (drops / "d").mkdir()
    given_ = [(hashlib.sha256(content).hexdigest(), content) for content in contents]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "ROW_GROUP_BYTES", group)
        patch.setattr(assets, "SHARD_BYTES", shard)
        where = store.write_assets(drops / "d", "d", given_)
        before = {path.name: path.read_bytes() for path in (drops / "d").iterdir()}
        store.write_assets(drops / "d", "d", given_)
    assert {path.name: path.read_bytes() for path in (drops / "d").iterdir()} == before
    read, order = store.AssetReader(drops, groups=keep), given_ * 2
    random.shuffle(order)
    assert [read(*where[asset]) for asset, _ in order] == [content for _, content in order]
    packed = [pair for path in sorted((drops / "d").iterdir()) for pair in store.iterate_assets(path)]
    assert packed == given_
    for path in sorted((drops / "d").iterdir()):
        inside = [content for _, content in store.iterate_assets(path)]
        assert sum(map(len, inside)) <= shard or len([content for content in inside if content]) == 1


def test_a_reader_keeps_the_groups_used_last(tmp_path: Path, small: None) -> None:
    (tmp_path / "d").mkdir()
    contents = [f"{n:04d}".encode() for n in range(5)]
    names = [hashlib.sha256(content).hexdigest() for content in contents]
    where = store.write_assets(tmp_path / "d", "d", zip(names, contents, strict=True))
    read = store.AssetReader(tmp_path, groups=2)
    for n in (0, 2, 1, 4):  # groups 0, 1, 0, 2: of 0 and 1 the latter goes
        assert read(*where[names[n]]) == contents[n]
    assert list(read._groups) == [("d/assets-0000.parquet", 0), ("d/assets-0000.parquet", 2)]


def test_bytes_that_are_not_those_of_their_sha256_are_never_handed_out(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    store.write_assets(tmp_path / "d", "d", [(hashlib.sha256(b"whole").hexdigest(), b"holed")])
    assert mistake(lambda: store.AssetReader(tmp_path)("d/assets-0000.parquet", 0)) == (
        f"Asset shard '{tmp_path / 'd' / 'assets-0000.parquet'}' has wrong bytes in row 0. Run: assay verify"
    )


@pytest.mark.parametrize("row", [-1, 5, 99])
def test_a_row_that_a_shard_lacks_is_a_sentence(tmp_path: Path, small: None, row: int) -> None:
    (tmp_path / "d").mkdir()
    store.write_assets(tmp_path / "d", "d", [(f"{n}", f"{n:04d}".encode()) for n in range(5)])
    assert mistake(lambda: store.AssetReader(tmp_path)("d/assets-0000.parquet", row)) == (
        f"Asset shard '{tmp_path / 'd' / 'assets-0000.parquet'}' has no row {row}. Run: assay verify"
    )


# --- documents -------------------------------------------------------------------------------------------------------


def test_a_report_comes_back_without_its_status_which_is_the_steps_business(tmp_path: Path) -> None:
    report = Report("audit", {"items": 3}, {"noise": 0.1}, {"model": "x"}, ("Zwölf fehlen.",), 1.5, status="cached")
    store.write_report(tmp_path / "audit.json", report)
    back = store.read_report(tmp_path / "audit.json")
    assert back == Report("audit", {"items": 3}, {"noise": 0.1}, {"model": "x"}, ("Zwölf fehlen.",), 1.5, status="ran")
    assert "status" not in json.loads((tmp_path / "audit.json").read_text())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(JSON)
def test_json_comes_back_and_the_order_of_keys_does_not_matter(folder: Path, content: Any) -> None:
    path = folder / "x.json"
    store.write_json(path, content)
    assert store.read_json(path) == content
    before = path.read_bytes()
    store.write_json(path, dict(reversed(content.items())) if isinstance(content, dict) else content)
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_no_json_is_never_written_and_the_old_file_stays(tmp_path: Path, value: float) -> None:
    store.write_json(tmp_path / "x.json", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json(tmp_path / "x.json", value)
    assert store.read_json(tmp_path / "x.json") == 1


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe"])
def test_what_is_no_json_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    sentence = mistake(lambda: store.read_json(path))
    assert sentence.startswith(f"File '{path}' is not JSON: ") and sentence.endswith(". Run: assay verify")


def test_the_version_of_a_stage_is_its_line_in_code_yaml(tmp_path: Path) -> None:
    assert store.stage_version(tmp_path, "audit") == "0"
    (tmp_path / "code.yaml").write_text("# none\n")
    assert store.stage_version(tmp_path, "audit") == "0"
    (tmp_path / "code.yaml").write_text('audit: "12e4567890ab"\nembed: "000000000001"\n')
    assert [store.stage_version(tmp_path, s) for s in ("audit", "embed", "x")] == ["12e4567890ab", "000000000001", "0"]


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"one")
    assert store.sha256_file(tmp_path / "x") == hashlib.sha256(b"one").hexdigest()


def test_a_few_bytes_that_repeat_a_long_value_stay_small(tmp_path: Path) -> None:
    """460 bytes of such a file, read without the dictionary, asked for 2.5 GB."""
    path = tmp_path / "labels.parquet"
    label = pa.DictionaryArray.from_arrays(pa.array([0] * 4096, pa.int32()), pa.array(["x" * 2**21]))
    pq.write_table(pa.table({"path": ["1.png"] * 4096, "label": label}), path, compression="zstd")
    assert path.stat().st_size < 10_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lengths = {len(row["label"]) for row in store.iterate_text_rows(path)}
    assert lengths == {2**20 + 1}  # long enough to be refused as too long
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 * 1024  # KiB
