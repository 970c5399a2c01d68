"""Is what a labelling tool gets of an item what a person needs to see, and nothing else of the file?"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deliveries import landing, take
from PIL import Image

from tasks import exchange, handout, ingest, store
from tasks.model import QUEUE, SCORES, Task

SECRET = b"GPS of somebody's home"


def photo(width: int, height: int) -> bytes:
    """A JPEG with noise, rotated by EXIF, with a secret in its metadata."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = SECRET.decode()
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", exif=exif)
    return out.getvalue()


def queued(item: str, rank: int, y: str, suggestion: str | None) -> dict[str, Any]:
    told = {"p_wrong": 0.9, "severity": 0.9, "checks": "label_noise_v2", "reason": f"Reason {rank}."}
    return {"item": item, "rank": rank, "y": y, "suggestion": suggestion, **told}


def scored(item: str, suggestion: str, p: float | None) -> dict[str, Any]:
    told = {"severity": 0.9, "p_wrong": 0.9, "flagged": True, "fold": 0, "note": None}
    return {"item": item, "suggestion": suggestion, "p_suggestion": p, **told}


def workspace(folder: Path, task: Task, files: dict[str, str | bytes], rows: list[dict[str, Any]]) -> Path:
    """A drop that was ingested, and a queue."""
    ws = folder / "ws"
    take(landing(folder / "in", files), ws)
    ingest.run(ws / "data", ingest.Params(task=task, cores=1))
    (ws / "params.yaml").write_text(f"task: {{modality: {task.modality}, kind: {task.kind}}}\n")
    (ws / "data" / "verdicts").mkdir(exist_ok=True)
    store.write_table(ws / "data" / "triage" / "queue.parquet", QUEUE, store.frame(QUEUE, rows))
    return ws


def exported(ws: Path) -> list[dict[str, Any]]:
    count = exchange.export_queue(ws, "label-studio", ws / "queue.json")
    tasks: list[dict[str, Any]] = json.loads((ws / "queue.json").read_text(encoding="utf-8"))
    assert count == len(tasks)
    return tasks


def test_an_image_travels_as_pixels_upright_small_and_without_its_metadata(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.jpg": photo(900, 300),
        "b.jpg": photo(40, 40),
        "labels.csv": "path,label,id\na.jpg,cat,a\nb.jpg,dog,b\n",
    }
    rows = [queued("b", 1, '"dog"', '"cat"'), queued("a", 2, '"cat"', None)]
    ws = workspace(tmp_path, Task("image", "single"), files, rows)
    scores = [scored("b", '"cat"', 0.8), scored("a", '"dog"', 0.7)]
    store.write_table(ws / "data" / "audit" / "scores.parquet", SCORES, store.frame(SCORES, scores))
    first, second = exported(ws)
    assert [task["data"]["assay_item"] for task in (first, second)] == ["b", "a"], "worst first"
    assert first["predictions"][0]["score"] == 0.8 and "predictions" not in second
    assert second["data"]["given"] == "cat" and second["data"]["assay_given"] == '"cat"'
    kind, content = second["data"]["image"].split(",")
    assert kind == "data:image/jpeg;base64"
    data = base64.b64decode(content)
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (171, handout.SIDE) and not image.getexif(), "upright: it was 300 wide, 900 high"
    content = first["data"]["image"].split(",")[1]
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert image.size == (480, 480), "40 pixels a side, twelve times"
    assert SECRET not in data and SECRET not in (ws / "queue.json").read_bytes()


def test_a_suggestion_without_a_probability_has_no_score(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"labels.csv": 'text,label,id\n"one, two",cat,a\nthree,dog,b\n'}
    rows = [queued("a", 1, '"cat"', '"dog"'), queued("b", 2, '"dog"', '"cat"')]
    ws = workspace(tmp_path, Task("text", "single"), files, rows)
    assert ["score" in task["predictions"][0] for task in exported(ws)] == [False, False]
    scores = [scored("a", '"another"', 0.8), scored("b", '"cat"', None)]
    store.write_table(ws / "data" / "audit" / "scores.parquet", SCORES, store.frame(SCORES, scores))
    assert ["score" in task["predictions"][0] for task in exported(ws)] == [False, False]


def test_a_text_travels_whole_and_a_huge_one_by_its_beginning(tmp_path: Path) -> None:
    plain = "=1+1 <b>&amp;</b>\r\n\u202ebidi \U0001f600"
    files: dict[str, str | bytes] = {
        "plain.txt": plain,
        "huge.txt": "word " * 50_000,
        "labels.csv": "path,label,id\nplain.txt,a pair,a\nhuge.txt,another,b\n",
    }
    rows = [queued("a", 1, '"a pair"', '"a better one"'), queued("b", 2, '"another"', None)]
    ws = workspace(tmp_path, Task("text", "pairs"), files, rows)
    first, second = exported(ws)
    assert first["data"]["text"] == plain
    assert first["predictions"][0]["result"][0]["value"] == {"text": ["a better one"]}
    assert len(second["data"]["text"]) == handout.LONGEST_TEXT and second["data"]["text"].endswith("…")
    assert "<TextArea" in (ws / "queue.xml").read_text() and 'value="$text"' in (ws / "queue.xml").read_text()


@pytest.mark.parametrize("name", ["queue.json", "queue.tasks.json"])
def test_the_tasks_themselves_are_no_answers(tmp_path: Path, name: str) -> None:
    files: dict[str, str | bytes] = {"labels.csv": "text,label,id\none,cat,a\n"}
    ws = workspace(tmp_path, Task("text", "single"), files, [queued("a", 1, '"cat"', None)])
    exchange.export_queue(ws, "label-studio", ws / name)
    assert (ws / name).with_suffix(".xml").exists()
    outcome = exchange.answer_file(ws, ws / name, reviewer="ann", at="2024-05-01T10:00:00Z")
    assert outcome.accepted == 0
    assert outcome.refused == (
        f"Row '{name}:task number 1' has no 'data' with 'annotations', as a task of Label Studio has. "
        "Export the project as JSON or JSON-MIN.",
    )
