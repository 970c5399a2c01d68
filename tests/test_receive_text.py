"""Does a text that stands in the labels file itself become an asset like any file?"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
from deliveries import landing, refusal, rows, take

from tasks import store


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def assets(workspace: Path, drop: str) -> dict[str, bytes]:
    packed = workspace / "data" / "drops" / drop
    return {asset: data for shard in packed.glob("assets-*") for asset, data in store.iterate_assets(shard)}


QUOTED = 'He said "no",\nthen left.\r\n  '


def deliver(folder: Path, form: str, texts: list[str]) -> Path:
    """The same texts as labels.<form>, each with the label x."""
    table = pd.DataFrame({"text": texts, "label": "x"})
    folder.mkdir()
    if form == "csv":
        table.to_csv(folder / "labels.csv", index=False, lineterminator="\n")
    elif form == "tsv":
        table.to_csv(folder / "labels.tsv", index=False, sep="\t", lineterminator="\n")
    elif form == "jsonl":
        (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_dict("records")))
    else:
        table.to_parquet(folder / "labels.parquet")
    return folder


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet"])
def test_a_text_with_quotes_and_line_ends_arrives_byte_for_byte(tmp_path: Path, form: str) -> None:
    texts = ["plain", QUOTED, "naïve 你好 \u202e👍", "007", "=1+1"]
    receipt = take(deliver(tmp_path / "in", form, texts), tmp_path / "ws")
    assert (receipt.rows, receipt.faulty, receipt.assets, receipt.ignored) == (5, 0, 5, ())
    assert assets(tmp_path / "ws", receipt.drop) == {sha(text): text.encode() for text in texts}
    assert [row["asset"] for row in rows(tmp_path / "ws", receipt.drop)] == [sha(text) for text in texts]
    assert all("path" not in row for row in rows(tmp_path / "ws", receipt.drop))


def test_equal_texts_are_one_asset_and_an_empty_one_is_the_fault_of_its_row(tmp_path: Path) -> None:
    folder = landing(tmp_path / "in", {"labels.csv": "text,label\nhi,a\nhi,b\n,c\n"})
    receipt = take(folder, tmp_path / "ws")
    assert assets(tmp_path / "ws", receipt.drop) == {sha("hi"): b"hi"}
    found = rows(tmp_path / "ws", receipt.drop)
    assert [row.get("code") for row in found] == [None, None, "E_ASSET_EMPTY"]
    assert found[2]["message"] == "Row 'labels.csv:4': Its text is empty."


def test_a_path_comes_before_a_text_and_a_row_may_have_either(tmp_path: Path) -> None:
    table = "path,text,label\na.txt,a caption,x\n,inline,y\n,,z\n"
    receipt = take(landing(tmp_path / "in", {"labels.csv": table, "a.txt": "from a file"}), tmp_path / "ws")
    assert assets(tmp_path / "ws", receipt.drop) == {sha("from a file"): b"from a file", sha("inline"): b"inline"}
    assert receipt.ignored == ("text",)  # the caption beside a path, and nothing else
    assert receipt.faults == {"E_ASSET_EMPTY": 1}


def test_source_and_target_are_text_and_label(tmp_path: Path) -> None:
    receipt = take(landing(tmp_path / "in", {"labels.tsv": "source\ttarget\nhello\tbonjour\n"}), tmp_path / "ws")
    (row,) = rows(tmp_path / "ws", receipt.drop)
    assert (row["asset"], row["label"], row["source"]) == (sha("hello"), "bonjour", "labels.tsv:2")
    assert receipt.ignored == ()


def test_folders_of_text_files_are_classes(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"ham/1.txt": "hello", "spam/2.txt": "win"}
    receipt = take(landing(tmp_path / "in", files), tmp_path / "ws")
    found = rows(tmp_path / "ws", receipt.drop)
    assert [(row["path"], row["label"], row["asset"]) for row in found] == [
        ("ham/1.txt", "ham", sha("hello")),
        ("spam/2.txt", "spam", sha("win")),
    ]


def test_a_header_without_an_item_names_both_ways(tmp_path: Path) -> None:
    code, message = refusal(landing(tmp_path / "in", {"labels.csv": "words,label\na,b\n"}), tmp_path / "ws")
    assert code == "E_HEADER"
    assert "has no column 'path' or 'text'. Columns found: words, label. Columns are: path or text, label" in message


def test_a_text_over_the_limit_of_a_field_loses_its_row_alone(tmp_path: Path) -> None:
    lines = ["text,label", "x" * 70_000 + ",a", "y" * 2_000_000 + ",b", "fine,c"]
    receipt = take(landing(tmp_path / "in", {"labels.csv": "\n".join(lines) + "\n"}), tmp_path / "ws")
    assert (receipt.rows, receipt.faults, receipt.assets) == (3, {"E_TOO_LONG": 2}, 1)


def test_control_characters_and_surrogates_lose_their_row_alone(tmp_path: Path) -> None:
    lines = [r'{"text": "a\u0000", "label": "x"}', r'{"text": "\ud800", "label": "x"}', r'{"text": "b", "label": "x"}']
    receipt = take(landing(tmp_path / "in", {"labels.jsonl": "\n".join(lines) + "\n"}), tmp_path / "ws")
    assert (receipt.faults, receipt.assets) == ({"E_CHARACTER": 2}, 1)
