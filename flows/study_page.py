"""How is a study of before and after shown: as one self-contained page and as a picture for a talk?

Reads   the document of tasks/study_revisions.py
Writes  NAME.json, NAME.html, NAME.png side by side; no script, no external host
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from tasks import durable, store
from tasks.study_cells import points

from . import charts, study_charts
from .study_charts import Step
from .study_figure import write_figure

STRATA = {
    "kept": "same label in both",
    "relabelled": "label changed",
    "only_a": "not in the newer",
    "only_b": "not in the older",
}


def write_study(document: Mapping[str, Any], path: Path) -> tuple[Path, Path, Path]:
    """Keep the study as JSON, page and picture; `path` is the JSON file, the others lie beside it."""
    page, picture = path.with_suffix(".html"), path.with_suffix(".png")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("flows", "."), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    page_text = environment.get_template("study.html.j2").render(**shown(document), charts=charts)
    store.write_json(path, document)
    durable.write_text(page, page_text)
    durable.write_with(picture, lambda temporary: write_figure(document, steps_of(document), temporary))
    return path, page, picture


def shown(document: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the page shows, in words and figures."""
    a, b = document["a"], document["b"]
    gains = document["gains"]
    names = {"a": a, "b": b}
    return {
        "study": document,
        "a": a,
        "b": b,
        "lead": document["sentences"][0],
        "others": document["sentences"][1:],
        "tiles": [
            (points(gains["whole"]["value"]), f"points apart, {a} to {b}", interval(gains["whole"])),
            (points(gains["yardstick"]["value"]), "of them the test's", interval(gains["yardstick"])),
            (points(gains["model"]["value"]), "of them the model's", interval(gains["model"])),
        ],
        "cells": {name: (f"{points(cell['value'])} %", interval(cell)) for name, cell in document["cells"].items()},
        "steps": study_charts.steps(steps_of(document)),
        "by_seed": {f"{names[name[0]]} on {names[name[-1]]}": seeds for name, seeds in document["by_seed"].items()},
        "parts": [
            (f"labels changed ({document['test']['relabelled']:,} items)", gains["relabelled"]),
            (
                f"items removed ({document['test']['only_a']:,}) and added ({document['test']['only_b']:,})",
                gains["membership"],
            ),
        ],
        "strata": [
            (names[test], STRATA[name], part)
            for test, parts in document["strata"].items()
            for name, part in parts.items()
            if part["items"]
        ],
        "left_out": [
            sentence
            for count, sentence in (
                (document["left_out"]["unknown_label"], "have no known label"),
                (document["left_out"]["copy_of_a_test_item"], "teach neither model, being copies of test items"),
                (document["left_out"]["no_vector"], "have no vector in data/embed now"),
            )
            if count
            for sentence in [f"{count:,} items {sentence}."]
        ],
        "points": points,
        "interval": interval,
    }


def interval(measured: Mapping[str, float]) -> str:
    """The 95 % interval in points: 0.41 to 4.39."""
    return f"{points(measured['low'])} to {points(measured['high'])}"


def steps_of(document: Mapping[str, Any]) -> list[Step]:
    """From the error of A on its own test to that of B on its own: first the test changes, then the model."""
    cells, gains = document["cells"], document["gains"]
    first, middle, last = (cells[name]["value"] for name in ("a on a", "a on b", "b on b"))
    model = gains["model"]
    return [
        Step(f"{document['a']}, its own test", 0.0, first, "error", f"{points(first)} % error"),
        Step("the test's part", first, middle, "test", f"{points(gains['yardstick']['value'])} points"),
        Step(
            "the model's part",
            middle,
            last,
            "model",
            f"{points(model['value'])} points",
            (middle - model["low"], middle - model["high"]),
        ),
        Step(f"{document['b']}, its own test", last, 0.0, "error", f"{points(last)} % error"),
    ]
