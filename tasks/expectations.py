"""Does a drop look as expected?

The one home of Great Expectations. It writes the report; the gate (gate.py) decides what waits.

Great Expectations 1.24 passes an all-null column, an empty frame, and +inf for a bound on one side; a missing column or
mixed types give an exception and no rows. Hence a null guard beside every value check, a row count, bounds on both
sides or a finite guard, an ordinal `_row` as index (two rows with one id stay two), and a result of its own: `raised`.

Source: Great Expectations 1.24, https://docs.greatexpectations.io
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when it is imported, so it must stand before
with warnings.catch_warnings():
    # great_expectations/datasource/fluent imports two deprecated modules of the standard library
    for _name in ("sre_constants", "sre_parse"):
        warnings.filterwarnings("ignore", f"module '{_name}' is deprecated", DeprecationWarning)
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.data_context.types.base import ProgressBarsConfig

from .modalities import Range

if TYPE_CHECKING:
    from .validate import Params

COLUMNS = ("_row", "item", "asset", "shard", "row", "y", "class", "split", "drop", "source")
"""What a drop's rows must have, with the measured facts of their assets: the manifest and its class."""

EXAMPLES = 20  # sources kept for a person; the ordinals are complete


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation: what it says to a person, and what the gate holds when it fails."""

    name: str
    says: str
    level: str  # drop | class | row
    expectation: Any  # of great_expectations; None = not judged, and `says` tells why
    of: str = "rows"  # rows | figures: the frame that it looks at


def checks(
    params: Params, classes: Sequence[str], figures: Mapping[str, float | None], *, duplicates: int
) -> list[Check]:
    """The suite of one drop, in the order of the report.

    `classes` is the vocabulary; `figures` are those of the drop as a whole (None = not to be judged); a drop of which
    every row is a known duplicate is not empty.
    """
    fewest = 0 if duplicates else 1
    ranges = params.bounds()
    suite = [
        Check(
            "columns",
            "every column is there",
            "drop",
            gxe.ExpectTableColumnsToMatchSet(column_set=[*COLUMNS, *ranges], exact_match=False),
        ),
        Check(
            "row_count", "at least one row can be used", "drop", gxe.ExpectTableRowCountToBeBetween(min_value=fewest)
        ),
        _filled("item", "drop"),
        Check("item_unique", "no item comes twice", "drop", gxe.ExpectColumnValuesToBeUnique(column="item")),
        _of_type("item", "text", "str"),
        _of_type("row", "a whole number", "int64"),
        _filled("y", "drop"),
        _of_type("y", "text", "str"),
        Check(
            "class_known",
            f"the class is one of the {len(classes):,} known",
            "class",
            gxe.ExpectColumnValuesToBeInSet(column="class", value_set=[*classes]),
        ),
        _filled("split", "drop"),
        Check(
            "split_known",
            f"the split is one of {', '.join(params.splits)}",
            "row",
            gxe.ExpectColumnValuesToBeInSet(column="split", value_set=[*params.splits]),
        ),
    ]
    for fact, bounds in ranges.items():
        suite += [_filled(fact, "drop"), _between(fact, bounds)]
    suite += [
        _at_most("quarantined_share", "share of quarantined rows", params.max_quarantined_share, figures),
        _at_most(
            "class_share_change",
            "change of the class shares since the earlier drops",
            params.max_class_share_change,
            figures,
        ),
    ]
    return suite


def _filled(column: str, level: str) -> Check:
    return Check(
        f"{column}_not_null", f"{column} is never null", level, gxe.ExpectColumnValuesToNotBeNull(column=column)
    )


def _of_type(column: str, word: str, type_: str) -> Check:
    return Check(
        f"{column}_type", f"{column} is {word}", "drop", gxe.ExpectColumnValuesToBeOfType(column=column, type_=type_)
    )


def _between(fact: str, bounds: Range) -> Check:
    return Check(
        f"{fact}_between",
        f"{fact} is {bounds.says}",
        "row",
        gxe.ExpectColumnValuesToBeBetween(
            column=fact, min_value=bounds.low, max_value=bounds.high, strict_min=bounds.above
        ),
    )


def _at_most(name: str, words: str, limit: float, figures: Mapping[str, float | None]) -> Check:
    if figures[name] is None:
        return Check(name, f"{words}: too few items to judge", "drop", None, "figures")
    expectation = gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0, max_value=limit)
    return Check(name, f"{words} is at most {limit:g}", "drop", expectation, "figures")


class Judge:
    """One context for all drops of a run: making it and importing this module cost seconds, a drop a tenth of one."""

    def __init__(self) -> None:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("assay").add_dataframe_asset("rows")
        self._batches = asset.add_batch_definition_whole_dataframe("drop")

    def __call__(
        self, rows: pd.DataFrame, figures: Mapping[str, float | None], suite: Sequence[Check]
    ) -> list[dict[str, Any]]:
        """One JSON-able result a check, in the order of `suite`, without ids and times: same rows, same bytes."""
        whole = pd.DataFrame({"_row": [0], **{name: [value] for name, value in figures.items()}})
        found = {**self._validate(rows, suite, "rows"), **self._validate(whole, suite, "figures")}
        results = []
        for check in suite:
            frame = rows if check.of == "rows" else whole
            results.append(_result(check, frame, found.get(check.name)))
        return results

    def _validate(self, frame: pd.DataFrame, suite: Sequence[Check], of: str) -> dict[str, dict[str, Any]]:
        wanted = [check for check in suite if check.of == of and check.expectation is not None]
        if not wanted:
            return {}
        for check in wanted:
            check.expectation.meta = {"name": check.name}  # results come back in another order
        batch = self._batches.get_batch(batch_parameters={"dataframe": frame})
        answer = batch.validate(
            gx.ExpectationSuite(name=of, expectations=[check.expectation for check in wanted]),
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["_row"]},
        )
        results = [result.to_json_dict() for result in answer.results]
        return {result["expectation_config"]["meta"]["name"]: result for result in results}


def _result(check: Check, frame: pd.DataFrame, found: Mapping[str, Any] | None) -> dict[str, Any]:
    result: dict[str, Any] = {"name": check.name, "says": check.says, "level": check.level, "rows": [], "sources": []}
    if found is None:
        return {**result, "result": "not judged", "observed": "", "expectation": None}
    config = found["expectation_config"]
    kwargs = {key: value for key, value in config["kwargs"].items() if key != "batch_id"}
    result["expectation"] = {"type": config["type"], "kwargs": kwargs}
    if found["exception_info"].get("raised_exception") is not False:
        # which of several exceptions comes first varies: the reason is read off the frame instead
        return {**result, "result": "raised", "observed": _why_raised(frame, kwargs.get("column"))}
    result["result"] = "passed" if found["success"] else "failed"
    result["observed"] = _observed(check, frame, found["result"])
    rows = sorted({int(place["_row"]) for place in found["result"].get("unexpected_index_list") or ()})
    if check.of == "rows" and rows and "source" in frame.columns:
        source = dict(zip(frame["_row"], frame["source"], strict=True))
        result |= {"rows": rows, "sources": [str(source[row]) for row in rows[:EXAMPLES]]}
    return result


def _why_raised(frame: pd.DataFrame, column: str | None) -> str:
    if column is not None and column not in frame.columns:
        return f"could not be judged: column '{column}' is missing"
    kinds = sorted({type(value).__name__ for value in frame[column] if value is not None}) if column else []
    return f"could not be judged: column '{column}' mixes the types {', '.join(kinds)}"


def _observed(check: Check, frame: pd.DataFrame, result: Mapping[str, Any]) -> str:
    if check.of == "figures":
        return f"{frame[check.name].iloc[0]:.4g}"
    if check.name == "columns":
        wanted = check.expectation.column_set
        missing = [column for column in wanted if column not in frame.columns]
        return f"missing: {', '.join(missing)}" if missing else f"{len(wanted)} columns"
    if "element_count" not in result:
        value = result["observed_value"]
        return f"{value:,} rows" if isinstance(value, int) else str(value)
    total, count = result["element_count"], result["unexpected_count"]
    if not count:
        return f"{total:,} rows"
    values = list(dict.fromkeys(_clipped(value) for value in result["unexpected_list"] if value is not None))
    some = f": {', '.join(values[:5])}{', ...' if len(values) > 5 else ''}" if values else ""
    return f"{count:,} of {total:,} rows{some}"


def _clipped(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
