"""Do the study commands print what they found, write a page and a picture that stand alone, and end in one line?"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from test_before_after import two
from test_cli import assay, sentence

from flows.study_charts import Step, steps, ticks
from flows.study_page import steps_of, write_study

__all__ = ["two"]  # the fixture: two real revisions


def document(a: str = "v1.0.0", b: str = "v1.0.1") -> dict[str, Any]:
    """The published example: 10.42 -> 8.49 %, of which 1.58 points are the test's."""

    def measured(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.005, "high": value + 0.005}

    errors = {"a on a": 0.1042, "a on b": 0.0884, "b on a": 0.1005, "b on b": 0.0849}
    gains = {"whole": 0.0193, "yardstick": 0.0158, "model": 0.0035, "model_on_a": 0.0037, "yardstick_on_b": 0.0156}
    kept = {"items": 1467, "error_a": 0.0884, "error_b": 0.0849}
    changed = {"items": 45, "error_a": 0.6178, "error_b": 0.6}
    return {
        "study": "before-after",
        "a": a,
        "b": b,
        "on": "pixels",
        "seeds": 3,
        "draws": 2000,
        "claim": "none",
        "sentences": ["No gain can be claimed: .35 points.", "Printed side by side ..."],
        "tested_on": "the split 'test'",
        "test": {"a": 1512, "b": 1467, "both": 1467, "relabelled": 0, "only_a": 45, "only_b": 0},
        "train": {"a": 5000, "b": 4900, "relabelled": 10, "removed": 100, "added": 0},
        "left_out": {"unknown_label": 2, "copy_of_a_test_item": 0, "no_vector": 0},
        "cells": {name: measured(error) for name, error in errors.items()},
        "by_seed": {name: [error - 0.01, error, error + 0.01] for name, error in errors.items()},
        "gains": {name: measured(gain) for name, gain in gains.items()} | {"relabelled": None, "membership": None},
        "strata": {"a": {"kept": kept, "only_a": changed}, "b": {"kept": kept}},
        "different": 40.0,
    }


def test_the_way_from_one_error_to_the_other_is_drawn_without_a_gap() -> None:
    first, test, model, last = steps_of(document())
    assert (first.start, first.end) == (0.0, 0.1042)
    assert (test.start, test.end, test.says) == (0.1042, 0.0884, "1.58 points")
    assert (model.start, model.end, model.says) == (0.0884, 0.0849, "0.35 points")
    assert model.whisker == pytest.approx((0.0884 + 0.0015, 0.0884 - 0.0085))
    assert (last.start, last.end) == (0.0849, 0.0)


@pytest.mark.parametrize("top", [1e-4, 0.0105, 0.0849, 0.3, 1.0])
def test_an_axis_has_round_ticks_within_its_range(top: float) -> None:
    marks = ticks(top)
    assert 2 <= len(marks) <= 8
    assert marks[0] == 0.0 and marks[-1] <= top


def test_names_stay_text_in_the_drawing_and_on_the_page_and_nothing_is_loaded_from_outside(tmp_path: Path) -> None:
    hostile = "<script>window.__xss=1</script>$\\frac{1}{$"
    assert "<script" not in steps([Step(hostile, 0.0, 0.1, "error", hostile)])
    written, page, picture = write_study(document(a=hostile), tmp_path / "study.json")
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;window.__xss=1" in text
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', text) == []
    assert "://" not in text
    assert json.loads(written.read_text(encoding="utf-8")) == document(a=hostile)
    with Image.open(picture) as image:
        assert (image.format, image.size) == ("PNG", (1600, 900))


def test_the_page_tells_the_four_cells_the_two_parts_and_what_was_left_out(tmp_path: Path) -> None:
    text = write_study(document(), tmp_path / "study.json")[1].read_text(encoding="utf-8")
    for words in (
        "10.42 %",
        "8.84 %",
        "10.05 %",
        "8.49 %",
        "1.93",
        "1.58",
        "0.35",
        "61.78 %",
        "No gain can be claimed",
    ):
        assert words in text, words
    assert "2 items have no known label." in text
    assert "items removed (45) and added (0)" in text


def test_the_picture_is_the_same_bytes_twice(tmp_path: Path) -> None:
    one, other = (write_study(document(), tmp_path / name / "study.json")[2] for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("command", ["before-after", "agreement"])
def test_every_study_has_help_with_an_example(command: str, tmp_path: Path) -> None:
    done = assay("study", command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(rf"Example: assay study {command}\b", done.stdout)


@pytest.mark.slow
def test_a_study_by_its_command_prints_the_cells_and_writes_three_files(two: Path) -> None:
    done = assay("study", "before-after", "v1.0.0", "v1.0.1", "--seeds", "3", cwd=two)
    assert done.returncode == 0, done
    assert re.search(r"model of v1\.0\.0 +\d+\.\d\d % \(.*\) +\d+\.\d\d % \(", done.stdout)
    assert "points apart" in done.stdout
    assert "Tested on 20 % of the items" in done.stdout
    folder = two / ".assay" / "studies"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"before-after-v1.0.0-v1.0.1.{suffix}" for suffix in ("html", "json", "png")
    ]
    assert json.loads((folder / "before-after-v1.0.0-v1.0.1.json").read_text())["seeds"] == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["before-after", "v1.0.0", "v9.0.0"], "Unknown revision 'v9.0.0'"),
        (["before-after", "v1.0.0", "v1.0.1", "--seeds", "1"], "Option --seeds is 1. 3 or more are needed"),
        (["before-after", "v1.0.0", "v1.0.1", "--split", "gold"], "Neither revision has a split 'gold'"),
        (["before-after", "v1.0.0", "v1.0.1", "--out", "study.txt"], "A file name that ends in .json is allowed"),
        (["agreement"], "Run: assay run"),
    ],
)
def test_a_mistake_in_a_study_is_one_sentence(two: Path, arguments: list[str], words: str) -> None:
    assert words in sentence(assay("study", *arguments, cwd=two))
