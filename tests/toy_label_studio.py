"""Names that could harm a page, a file or a parser, and tasks as Label Studio exports them, in a few words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HOSTILE = (
    '"><script>alert(1)</script>',
    "<img src=x onerror=alert(1)>",
    "'><svg onload=alert(1)>",
    "]]>",
    "<![CDATA[x]]>",
    "<!-- { -->",
    "-->",
    '<!DOCTYPE x [<!ENTITY y "z">]>',
    "&y;",
    "&",
    "&amp;",
    "&#0;",
    "&lt;b&gt;",
    "<?xml version='1.0'?>",
    "</Choices></View>",
    '" name="label" toName="item',
    "$image",
    "$text",
    "$given",
    "${7*7}",
    "{{7*7}}",
    "{{idx}}",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    '=HYPERLINK("http://evil.example";"x")',
    "a,b;c|d",
    "a|b",
    '["cat","dog"]',
    "null",
    "NA",
    "1e5",
    "007",
    'cat\'s "paw"',
    "back\\slash\\u0041",
    "javascript:alert(1)",
    "\u202egnp.exe",
    "caf\u00e9 and cafe\u0301",
    "two  spaces",
    "../../etc/passwd",
    "\U0001f600",
)
LONG = "x" * 200


def annotation(number: int, result: Sequence[Mapping[str, Any]], *, by: Any = 1, **other: Any) -> dict[str, Any]:
    """As Label Studio 1.23 exports it; the second of its time is its number."""
    at = f"2024-05-01T09:00:{number:02d}.000000Z"
    times = {"created_at": at, "updated_at": at}
    return {"id": number, "completed_by": by, "result": list(result), "was_cancelled": False, **times, **other}


def choice(*names: str, control: str = "label", origin: str = "manual") -> dict[str, Any]:
    return region("choices", list(names), control, origin)


def text(*texts: str, origin: str = "manual") -> dict[str, Any]:
    return region("text", list(texts), "label", origin)


def region(key: str, values: list[str], control: str, origin: str) -> dict[str, Any]:
    kind = {"choices": "choices", "text": "textarea"}[key]
    return {"from_name": control, "to_name": "item", "type": kind, "value": {key: values}, "origin": origin}


def task(number: int, item: str, asset: str, given: str, *annotations: Any, **data: Any) -> dict[str, Any]:
    """`given`: JSON text of a label."""
    ours = {"assay_item": item, "assay_asset": asset, "assay_given": given, "assay_revision": "", **data}
    return {"id": number, "data": ours, "annotations": list(annotations)}


def flat(number: int, item: str, asset: str, given: str, annotated: int | None, **other: Any) -> dict[str, Any]:
    """A row of JSON-MIN."""
    at = None if annotated is None else f"2024-05-01T09:00:{annotated:02d}.000000Z"
    ours = {"assay_item": item, "assay_asset": asset, "assay_given": given, "assay_revision": ""}
    times = {"created_at": at, "updated_at": at, "annotation_id": annotated, "annotator": 1}
    return {**ours, "id": number, **times, **other}


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path
