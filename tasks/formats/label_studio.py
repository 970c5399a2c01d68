"""How does the queue become tasks of Label Studio, and what do its exports say?

Writes  FILE, tasks to import, worst first, each with its suggestion as a prediction; FILE with .xml in place of its
        suffix, the labelling interface to paste into the project

            {"data": {"assay_item": "d0042", "assay_asset": "3fd1..", "assay_given": "\\"1\\"", "assay_revision": "",
              "assay_rank": 1, "assay_reason": "Looks like 7.", "given": "1", "image": "data:image/jpeg;base64,.."},
             "predictions": [{"model_version": "assay", "score": 0.93, "result": [{"from_name": "label",
              "to_name": "item", "type": "choices", "value": {"choices": ["7"]}}]}]}

Reads   its export as JSON or JSON-MIN: one record an annotation, in the order in which they were given, and one for
        each task without. Joined by what `data` carries: the item, the hash of its content, the label that was shown.
Source  https://labelstud.io/guide/task_format, https://labelstud.io/guide/export; seen with 1.23.2

The server checks little: it takes predictions and annotations with labels that no class has, and exports any project as
anything. So what comes back is judged here and by annotated.py, never trusted.

Not covered: boxes, spans (no label kind of ours yet); drafts; comments; its CSV, which cannot say who skipped what.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from .. import durable
from ..model import Mistake
from . import Annotation, Handout, Question, Record, shown
from ._json import DECODER, DEPTH, too_deep

ITEM, LABEL, ACTION = "item", "label", "action"  # the names in the interface
ACTIONS = ("keep", "unsure", "remove")  # what can be said instead of a label
MOST_BYTES = 2**30  # of an export: it is read whole
MODEL = "assay"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "assay:label-studio")


# --- writing ---------------------------------------------------------------------------------------------------------


def interface(handout: Handout) -> str:
    """The labelling interface: the item beside its given label, the kind's control, and what can be said instead."""
    view = Element("View", {"style": "display: flex; flex-wrap: wrap; gap: 24px"})
    left = SubElement(view, "View", {"style": "flex: 1 1 360px; max-width: 560px"})
    right = SubElement(view, "View", {"style": "flex: 1 1 300px"})
    SubElement(left, handout.tag, {"name": ITEM, "value": f"${handout.tag.lower()}"} | _plain(handout.tag))
    _headed(right, "Given label", Element("Text", {"name": "given", "value": "$given"} | _plain("Text")))
    control = Element(handout.control.tag, {"name": LABEL, "toName": ITEM} | handout.control.attrib)
    control.extend(handout.control)
    _headed(right, "The right label", control)
    choices = Element("Choices", {"name": ACTION, "toName": ITEM, "choice": "single", "showInline": "true"})
    for action in ACTIONS:
        SubElement(choices, "Choice", {"value": action})
    _headed(right, "Or, without a label", choices)
    _headed(right, "Why it is asked", Element("Text", {"name": "reason", "value": "$assay_reason"} | _plain("Text")))
    indent(view)
    return tostring(view, encoding="unicode") + "\n"


def _headed(view: Element, words: str, element: Element) -> None:
    SubElement(view, "Header", {"value": words, "size": "6"})
    view.append(element)


def _plain(tag: str) -> dict[str, str]:
    return {"valueType": "text"} if tag == "Text" else {}  # a text is never the address of one


def task(question: Question, handout: Handout) -> dict[str, Any]:
    """One row of the queue as a task."""
    data = {
        "assay_item": question.item,
        "assay_asset": question.asset,
        "assay_given": question.given,
        "assay_revision": handout.revision,
        "assay_rank": question.rank,
        "assay_reason": question.reason,
        "given": question.words,
        handout.tag.lower(): question.shown,
    }
    if question.region is None:
        return {"data": data}
    region = {"id": MODEL, "from_name": LABEL, "to_name": ITEM, **question.region}
    score = {} if question.score is None else {"score": round(question.score, 6)}
    return {"data": data, "predictions": [{"model_version": MODEL, **score, "result": [region]}]}


def write_tasks(path: Path, handout: Handout) -> int:
    """The tasks to `path` and the interface beside it; returns how many."""
    beside = path.with_suffix(".xml")
    if beside == path:
        raise Mistake(f"File '{path}' has the suffix of the interface that is written beside it. Use .json")
    count = 0

    def fill(temporary: Path) -> None:
        nonlocal count
        with open(temporary, "w", encoding="utf-8") as file:
            for question in handout.questions:
                file.write(",\n" if count else "[\n")
                file.write(json.dumps(task(question, handout), ensure_ascii=False, allow_nan=False))
                count += 1
            file.write("\n]\n" if count else "[]\n")

    durable.write_with(path, fill)
    durable.write_text(beside, interface(handout))
    return count


# --- reading ---------------------------------------------------------------------------------------------------------


def annotated(path: Path) -> Iterator[Record]:
    """Every annotation, earlier ones first, after the tasks that have none; Mistake for what is no export."""
    found = [record for n, row in enumerate(_rows(path), 1) for record in _records(path.name, n, row)]
    yield from sorted(found, key=lambda record: record.annotation.at if record.annotation else "")


def asked(path: Path) -> set[tuple[str, str, str]]:
    """(item, content hash, label shown) of every task in an export: what need not be handed out again."""
    keys = ("assay_item", "assay_asset", "assay_given")
    return {_three(row["data"], keys) for row in _rows(path) if isinstance(row.get("data"), Mapping)}


def _three(data: Mapping[str, Any], keys: tuple[str, str, str]) -> tuple[str, str, str]:
    first, second, third = (str(data.get(key, "")) for key in keys)
    return first, second, third


def _rows(path: Path) -> list[Mapping[str, Any]]:
    if (size := path.stat().st_size) > MOST_BYTES:
        raise Mistake(
            f"File '{path.name}' has {size:,} bytes. {MOST_BYTES:,} are allowed: export fewer tasks at a time."
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Mistake(f"File '{path.name}' has a byte at {error.start:,} that is not UTF-8. Export it again.") from None
    if too_deep(text):
        raise Mistake(f"File '{path.name}' has more than {DEPTH} levels of brackets. Export it again as JSON.")
    try:
        rows = DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Mistake(
            f"File '{path.name}' is not JSON: {error.msg} in line {error.lineno:,}. Export it as JSON or JSON-MIN."
        ) from None
    except ValueError as error:
        raise Mistake(f"File '{path.name}' {error}. Export it again as JSON or JSON-MIN.") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Mistake(f"File '{path.name}' is no list of tasks. Export the project as JSON or JSON-MIN.")
    return rows


def _records(name: str, n: int, row: Mapping[str, Any]) -> Iterator[Record]:
    number = _text(row.get("id")) or f"number {n}"
    place = f"{name}:task {shown(number)}"
    if "annotation_id" in row:  # JSON-MIN: a flat row for each annotation
        if row["annotation_id"] is None:
            yield _record(place, row, _of(row, left="has no annotation"))
        else:
            said = tuple((control, row[control], True) for control in (LABEL, ACTION) if control in row)
            by = (_text(row.get("annotator")),)
            yield _record(place, row, _answer(row, row, row["annotation_id"], said, by))
        return
    data, annotations = row.get("data"), row.get("annotations")
    if not isinstance(data, Mapping) or not isinstance(annotations, list):
        yield _faulty(place, row, "has no 'data' with 'annotations', as a task of Label Studio has")
        return
    if not annotations:
        yield _record(place, row, _of(data, left="has no annotation"))
    for annotation in annotations:
        if not isinstance(annotation, Mapping):
            yield _faulty(place, row, "has an annotation that is no JSON object")
            continue
        yield _annotation(f"{place}, annotation {shown(_text(annotation.get('id')))}", data, annotation)


def _annotation(place: str, data: Mapping[str, Any], annotation: Mapping[str, Any]) -> Record:
    raw = {"data": data, "annotation": annotation}
    result = annotation.get("result", [])
    if annotation.get("was_cancelled") is True:
        return _record(place, raw, _of(data, left="was skipped in Label Studio"))
    if not isinstance(result, list) or not all(isinstance(region, Mapping) for region in result):
        return _faulty(place, raw, "has a result that is no list of regions")
    said = tuple(
        (_text(region.get("from_name")), region.get("value"), region.get("origin") != "prediction") for region in result
    )
    who = annotation.get("completed_by")
    by = (_text(who.get("id")), _text(who.get("email"))) if isinstance(who, Mapping) else (_text(who),)
    return _record(place, raw, _answer(data, annotation, annotation.get("id"), said, by))


def _answer(
    data: Mapping[str, Any],
    times: Mapping[str, Any],
    number: Any,
    said: tuple[tuple[str, Any, bool], ...],
    by: tuple[str, ...],
) -> Annotation:
    at = _text(times.get("updated_at"))
    identity = [_text(data.get("assay_item")), _text(number), _text(times.get("created_at")), at]
    op = str(uuid.uuid5(NAMESPACE, json.dumps(identity))) if all(identity) else ""
    ours = tuple(region for region in said if region[0] in (LABEL, ACTION))
    if not ours:
        others = ", ".join(sorted({shown(control) for control, _, _ in said}))
        left = f"answers {others} only; the controls that count are {LABEL} and {ACTION}" if others else ""
        return _of(data, by=by, at=at, op=op, left=left or "was submitted without an answer")
    return _of(data, said=ours, by=by, at=at, op=op)


def _of(data: Mapping[str, Any], **rest: Any) -> Annotation:
    item, asset, given = _three(data, ("assay_item", "assay_asset", "assay_given"))
    by = tuple(name for name in rest.pop("by", ()) if name)
    return Annotation(item, asset, given, _text(data.get("assay_revision")), by=by, **rest)


def _record(place: str, raw: Mapping[str, Any], annotation: Annotation) -> Record:
    return Record(place, _kept(raw), {}, annotation=annotation)


def _faulty(place: str, raw: Mapping[str, Any], what: str) -> Record:
    return Record(place, _kept(raw), {}, "E_JSON", f"Row '{place}' {what}. Export the project as JSON or JSON-MIN.")


def _kept(raw: Mapping[str, Any]) -> bytes:
    """What is kept of a row that is refused: all of it but the item itself."""
    data = raw.get("data")
    flat = {key: value for key, value in raw.items() if key not in ("image", "text")}
    if isinstance(data, Mapping):
        flat["data"] = {key: value for key, value in data.items() if key not in ("image", "text")}
    return json.dumps(flat).encode()


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)
