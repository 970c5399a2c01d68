"""One folder a class: what is a row, what is a split, and that a link is never followed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tasks.formats import Record, imagefolder


def tree(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def labelled(root: Path) -> list[tuple[str, str, str | None]]:
    return [(r.source, r.fields["label"], r.fields.get("split")) for r in imagefolder.records(root)]


def test_a_folder_is_a_class_its_name_taken_as_it_is(tmp_path: Path) -> None:
    root = tree(tmp_path, "dog/2.png", "dog/10.png", " Cat/1.png", "007/a.png")
    assert imagefolder.matches(root) == root
    assert labelled(root) == [
        (" Cat/1.png", " Cat", None),
        ("007/a.png", "007", None),
        ("dog/10.png", "dog", None),
        ("dog/2.png", "dog", None),
    ]
    assert next(imagefolder.records(root)) == Record(
        " Cat/1.png", b" Cat/1.png", {"path": " Cat/1.png", "label": " Cat"}
    )


def test_the_top_level_is_a_split_when_every_folder_there_names_one(tmp_path: Path) -> None:
    root = tree(tmp_path, "train/cat/1.png", "val/dog/2.png", "train/stray.png")
    assert labelled(root) == [("train/cat/1.png", "cat", "train"), ("val/dog/2.png", "dog", "val")]


def test_a_further_folder_makes_train_a_class_like_the_others(tmp_path: Path) -> None:
    root = tree(tmp_path, "train/cat/1.png", "plane/2.png")
    assert labelled(root) == [("plane/2.png", "plane", None), ("train/cat/1.png", "train", None)]


def test_folders_named_like_splits_but_without_classes_are_classes(tmp_path: Path) -> None:
    root = tree(tmp_path, "train/1.png", "test/2.png")
    assert labelled(root) == [("test/2.png", "test", None), ("train/1.png", "train", None)]


def test_deeper_folders_only_group_a_classs_files(tmp_path: Path) -> None:
    root = tree(tmp_path, "cat/2024/may/1.png", "dog/2.png")
    assert labelled(root) == [("cat/2024/may/1.png", "cat", None), ("dog/2.png", "dog", None)]


def test_hidden_files_litter_and_files_beside_the_classes_are_no_rows(tmp_path: Path) -> None:
    root = tree(tmp_path, "cat/1.png", "cat/.DS_Store", ".git/config", "cat/Thumbs.db", "README.md", "_SUCCESS")
    assert labelled(root) == [("cat/1.png", "cat", None)]


def test_a_folder_without_class_folders_does_not_match(tmp_path: Path) -> None:
    assert imagefolder.matches(tree(tmp_path, "1.png", ".hidden/2.png")) is None


def test_a_link_is_a_faulty_row_and_is_not_followed(tmp_path: Path) -> None:
    secret = tree(tmp_path / "secret", "key.png")
    root = tree(tmp_path / "drop", "cat/1.png")
    (root / "cat" / "2.png").symlink_to(secret / "key.png")
    (root / "cat" / "more").symlink_to(secret)
    (root / "dog").symlink_to(secret)
    rows = list(imagefolder.records(root))
    assert [(r.source, r.code, r.message) for r in rows] == [
        ("cat/1.png", None, None),
        ("cat/2.png", "E_SYMLINK", "Path 'cat/2.png' is a link. Files are allowed."),
        ("cat/more", "E_SYMLINK", "Path 'cat/more' is a link. Files are allowed."),
        ("dog", "E_SYMLINK", "Path 'dog' is a link. Files are allowed."),
    ]


def test_a_name_that_is_not_utf_8_is_a_faulty_row(tmp_path: Path) -> None:
    root = tree(tmp_path, "cat/1.png")
    (root / "cat" / os.fsdecode(b"\xe9.png")).write_bytes(b"x")
    first, second = imagefolder.records(root)
    assert first.code is None
    assert (second.source, second.raw, second.code, second.message) == (
        "cat/\\xe9.png",
        b"cat/\xe9.png",
        "E_ENCODING",
        "Path 'cat/\\xe9.png' is not UTF-8.",
    )


def test_a_thousand_folders_deep_is_a_path_like_any_other(tmp_path: Path) -> None:
    folder = tmp_path / "cat"
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("1.png", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    found = list(imagefolder.records(tmp_path))
    subprocess.run(["rm", "-rf", folder], check=True)  # pytest's own cleaning up would not get so deep
    assert [(record.fields["label"], record.fields["path"].count("/")) for record in found] == [("cat", 1101)]


def test_valid_and_validation_mean_val(tmp_path: Path) -> None:
    for split in ("train", "valid", "validation"):
        (tmp_path / split / "cat").mkdir(parents=True)
        (tmp_path / split / "cat" / f"{split}.png").write_bytes(b"x")
    assert [record.fields["split"] for record in imagefolder.records(tmp_path)] == ["train", "val", "val"]
