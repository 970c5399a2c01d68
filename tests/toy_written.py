"""A workspace written as tables, as the stages would leave it: any names and texts, without a run."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tasks import store, versions
from tasks.model import FINDINGS, MANIFEST, PASSED, QUEUE, SCORES, label_json

DROP = "0001-made"


def write(folder: Path, labels: Sequence[str], suggested: Sequence[str], *, texts: Sequence[str] | None = None) -> Path:
    """One item a label, all queued, in order; images, or pairs of `texts` and labels. Labels are meta too."""
    versions.init(folder)
    if texts is not None:
        params = folder / "params.yaml"
        words = params.read_text().replace("modality: image", "modality: text", 1)
        params.write_text(words.replace("kind: single", "kind: pairs", 1))
    data = folder / "data"
    contents = [_image(n) for n in range(len(labels))] if texts is None else [text.encode() for text in texts]
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    (data / "drops" / DROP).mkdir(parents=True)
    once = dict(zip(digests, contents, strict=True))
    where = store.write_assets(data / "drops" / DROP, DROP, once.items())
    items = [f"i{n:04d}" for n in range(len(labels))]
    rows = [
        {
            "item": item,
            "asset": digest,
            "shard": where[digest][0],
            "row": where[digest][1],
            "y": label_json(label),
            "split": "train",
            "drop": DROP,
            "source": f"{label}.csv:{n + 2}",
            "meta_site": labels[n // 4 * 4],
        }
        for n, (item, digest, label) in enumerate(zip(items, digests, labels, strict=True))
    ]
    store.write_table(data / "ingest" / "manifest" / f"{DROP}.parquet", MANIFEST, store.frame(MANIFEST, rows))
    store.write_table(data / "validate" / "passed.parquet", PASSED, store.frame(PASSED, [{"item": i} for i in items]))
    score = {"severity": 0.9, "p_wrong": 0.9}
    hints = list(zip(items, map(label_json, suggested), strict=True))
    scores = [{"item": item, "suggestion": y, "flagged": True, "fold": 0, **score} for item, y in hints]
    store.write_table(data / "audit" / "scores.parquet", SCORES, store.frame(SCORES, scores))
    found = [
        {"item": item, "check": "label_noise_v2", "severity": 0.9, "reason": f"Not {label}.", "suggestion": y}
        for (item, y), label in zip(hints, labels, strict=True)
    ]
    store.write_table(data / "audit" / "findings.parquet", FINDINGS, store.frame(FINDINGS, found))
    queue = [
        {"item": i, "rank": n, "checks": "label_noise_v2", "reason": "Look.", "y": rows[n - 1]["y"], "suggestion": y}
        | score
        for n, (i, y) in enumerate(hints, start=1)
    ]
    store.write_table(data / "triage" / "queue.parquet", QUEUE, store.frame(QUEUE, queue))
    return folder


def _image(n: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), n * 5 % 255, dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()
