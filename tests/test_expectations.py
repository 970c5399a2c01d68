"""Does each expectation fail for the drop that breaks it, alone, and do our guards catch what GX passes?"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import pytest

from tasks.expectations import COLUMNS, Check, Judge, checks
from tasks.validate import Params

CLASSES = ("cat", "dog")
FIGURES: dict[str, float | None] = {"quarantined_share": 0.02, "class_share_change": 0.1}


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


def clean() -> pd.DataFrame:
    """Six good rows: three cats, three dogs."""
    names = ["cat", "dog"] * 3
    text = {
        "item": [f"i{n}" for n in range(6)],
        "asset": [f"{n:064x}" for n in range(6)],
        "shard": ["0001-a/assets-0000.parquet"] * 6,
        "y": [f'"{name}"' for name in names],
        "class": names,
        "split": ["train", "train", "train", "train", "val", "test"],
        "drop": ["0001-a"] * 6,
        "source": [f"labels.csv:{n + 2}" for n in range(6)],
    }
    numbers = {"width": [8] * 6, "height": [8] * 6, "brightness": [0.3] * 6, "contrast": [0.2] * 6}
    columns = {name: pd.Series(values, dtype=object) for name, values in text.items()}
    return pd.DataFrame({"_row": range(6), "row": range(6), **columns, **numbers})


def judged(
    judge: Judge, rows: pd.DataFrame, figures: dict[str, float | None] = FIGURES, *, duplicates: int = 0
) -> list[dict[str, Any]]:
    return judge(rows, figures, checks(Params(), CLASSES, figures, duplicates=duplicates))


def missed(results: Iterable[dict[str, Any]]) -> list[str]:
    """The names of the expectations that are not plainly met."""
    return [result["name"] for result in results if result["result"] != "passed"]


def plant(column: str, value: Any) -> Callable[[], pd.DataFrame]:
    """A drop that is clean but for one value in its third row."""

    def drop() -> pd.DataFrame:
        rows = clean()
        kind = float if isinstance(value, float) else object
        rows[column] = pd.Series([value if n == 2 else old for n, old in enumerate(rows[column])], dtype=kind)
        return rows

    return drop


PLANTED: dict[str, Callable[[], pd.DataFrame]] = {
    "columns": lambda: clean().drop(columns="source"),
    "row_count": lambda: clean().iloc[:0],
    "item_not_null": plant("item", None),
    "item_unique": plant("item", "i0"),
    "item_type": plant("item", 7),
    "row_type": plant("row", 2.0),
    "y_not_null": plant("y", None),
    "y_type": plant("y", 7),
    "class_known": plant("class", "dgo"),
    "split_not_null": plant("split", None),
    "split_known": plant("split", "tst"),
    "width_not_null": plant("width", math.nan),
    "width_between": plant("width", 3),
    "height_not_null": plant("height", math.nan),
    "height_between": plant("height", 10_001),
    "brightness_not_null": plant("brightness", math.nan),
    "brightness_between": plant("brightness", math.inf),
    "contrast_not_null": plant("contrast", math.nan),
    "contrast_between": plant("contrast", 0.0),
}
PLANTED_FIGURES = {"quarantined_share": 0.11, "class_share_change": 0.31}


def test_a_clean_drop_meets_every_expectation(judge: Judge) -> None:
    assert missed(judged(judge, clean())) == []


def test_every_expectation_has_a_planted_drop() -> None:
    names = [check.name for check in checks(Params(), CLASSES, FIGURES, duplicates=0)]
    assert sorted(names) == sorted([*PLANTED, *PLANTED_FIGURES])


@pytest.mark.parametrize("name", PLANTED)
def test_the_planted_drop_fails_its_expectation_alone(judge: Judge, name: str) -> None:
    results = judged(judge, PLANTED[name]())
    assert missed(results) == [name]
    assert next(result["result"] for result in results if result["name"] == name) == "failed"


@pytest.mark.parametrize("name", PLANTED_FIGURES)
def test_the_planted_figure_fails_its_expectation_alone(judge: Judge, name: str) -> None:
    results = judged(judge, clean(), {**FIGURES, name: PLANTED_FIGURES[name]})
    assert missed(results) == [name]


def test_a_failed_expectation_names_its_rows_and_their_sources(judge: Judge) -> None:
    rows = clean()
    rows["split"] = pd.Series(["tst", "train", "tst", "train", "train", "train"], dtype=object)
    found = next(result for result in judged(judge, rows) if result["name"] == "split_known")
    assert found == {
        "name": "split_known",
        "says": "the split is one of train, val, test",
        "level": "row",
        "result": "failed",
        "observed": "2 of 6 rows: tst",
        "rows": [0, 2],
        "sources": ["labels.csv:2", "labels.csv:4"],
        "expectation": {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "split", "value_set": ["train", "val", "test"]},
        },
    }


def test_the_same_rows_give_the_same_bytes(judge: Judge) -> None:
    rows = clean().drop(columns="width")
    assert json.dumps(judged(judge, rows)) == json.dumps(judged(Judge(), rows))


def test_what_cannot_be_judged_is_said_not_passed(judge: Judge) -> None:
    found = judged(judge, clean(), {**FIGURES, "class_share_change": None})[-1]
    assert (found["name"], found["result"]) == ("class_share_change", "not judged")


def test_a_drop_of_known_duplicates_only_is_not_empty(judge: Judge) -> None:
    assert missed(judged(judge, clean().iloc[:0], duplicates=6)) == []


# --- the traps: what Great Expectations passes, and the guard of ours that does not ----------------------------------


def alone(judge: Judge, rows: pd.DataFrame, name: str) -> dict[str, Any]:
    """One expectation without its guards."""
    suite: list[Check] = checks(Params(), CLASSES, FIGURES, duplicates=0)
    return judge(rows, FIGURES, [check for check in suite if check.name == name])[0]


@pytest.mark.parametrize(
    ("column", "value", "trap", "guard"),
    [
        ("split", None, "split_known", "split_not_null"),
        ("brightness", math.nan, "brightness_between", "brightness_not_null"),
        ("contrast", math.nan, "contrast_between", "contrast_not_null"),
    ],
)
def test_a_column_of_nothing_passes_its_value_check_but_not_our_guard(
    judge: Judge, column: str, value: Any, trap: str, guard: str
) -> None:
    rows = clean().assign(**{column: pd.Series([value] * 6, dtype=float if value is not None else object)})
    assert alone(judge, rows, trap)["result"] == "passed"
    assert missed(judged(judge, rows)) == [guard]


def test_an_empty_drop_passes_every_value_check_but_not_our_row_count(judge: Judge) -> None:
    results = {result["name"]: result["result"] for result in judged(judge, clean().iloc[:0])}
    assert results.pop("row_count") == "failed"
    assert set(results.values()) == {"passed"}


def test_a_missing_column_raises_and_is_never_a_pass(judge: Judge) -> None:
    found = {result["name"]: result for result in judged(judge, clean().drop(columns="width"))}
    assert missed(found.values()) == ["columns", "width_not_null", "width_between"]
    assert found["columns"]["observed"] == "missing: width"
    assert found["width_between"]["result"] == "raised"
    assert found["width_between"]["observed"] == "could not be judged: column 'width' is missing"


def test_mixed_types_raise_and_are_never_a_pass(judge: Judge) -> None:
    results = judged(judge, plant("brightness", "dark")())
    found = next(result for result in results if result["name"] == "brightness_between")
    assert missed(results) == ["brightness_between"]
    assert found["result"] == "raised"
    assert found["observed"] == "could not be judged: column 'brightness' mixes the types float, str"


def test_the_ordinal_tells_two_rows_with_one_id_apart(judge: Judge) -> None:
    rows = plant("item", "i0")()
    rows["split"] = pd.Series(["train", "train", "tst", "train", "val", "test"], dtype=object)
    found = {result["name"]: result["rows"] for result in judged(judge, rows)}
    assert (found["item_unique"], found["split_known"]) == ([0, 2], [2])


def test_failing_rows_are_complete_beyond_the_first_twenty(judge: Judge) -> None:
    rows = pd.concat([clean()] * 5, ignore_index=True)
    rows = rows.assign(_row=range(30), item=[f"i{n}" for n in range(30)], contrast=0.0)
    found = next(result for result in judged(judge, rows) if result["name"] == "contrast_between")
    assert found["rows"] == list(range(30))
    assert len(found["sources"]) == 20


def test_every_column_is_in_the_clean_drop() -> None:
    assert {*COLUMNS, *Params().bounds()} == set(clean().columns)


@pytest.mark.parametrize(("value", "fails"), [(0.5, False), (0.0, True), (math.inf, True), (-math.inf, True)])
def test_an_open_bound_and_infinity_on_either_side_fail_the_range(judge: Judge, value: float, fails: bool) -> None:
    assert missed(judged(judge, plant("contrast", value)())) == (["contrast_between"] if fails else [])
