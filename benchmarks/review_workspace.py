"""A workspace of the size that benchmarks need, written as the stages would leave it, and its server."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from tasks import store, versions
from tasks.model import FINDINGS, MANIFEST, PASSED, QUEUE, SCORES, label_json

IMAGES, CLASSES, SIDE, QUEUED = 2_000, 20, 28, 500
DROP = "0001-made"


def made(folder: Path, items: int) -> Path:
    """A workspace as the stages would leave it, from a seed."""
    versions.init(folder)
    data, rng = folder / "data", np.random.default_rng(0)
    assets = []
    for _ in range(IMAGES):
        out = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (7, 7, 3), dtype=np.uint8)).resize((SIDE, SIDE)).save(out, "PNG")
        assets.append(out.getvalue())
    digests = [hashlib.sha256(content).hexdigest() for content in assets]
    (data / "drops" / DROP).mkdir(parents=True)
    where = store.write_assets(data / "drops" / DROP, DROP, zip(digests, assets, strict=True))
    names = [f"i{n:06d}" for n in range(items)]
    chosen = [digests[n] for n in rng.integers(0, IMAGES, items)]
    ys = [label_json(f"class {k:02d}") for k in rng.integers(0, CLASSES, items)]
    p_N = rng.beta(0.2, 4, items)
    suggested = [label_json(f"class {k:02d}") for k in rng.integers(0, CLASSES, items)]
    rows = [
        {
            "item": item,
            "asset": asset,
            "shard": where[asset][0],
            "row": where[asset][1],
            "y": y,
            "split": "train",
            "drop": DROP,
            "source": f"labels.csv:{n + 2}",
        }
        for n, (item, asset, y) in enumerate(zip(names, chosen, ys, strict=True))
    ]
    store.write_table(data / "ingest" / "manifest" / f"{DROP}.parquet", MANIFEST, store.frame(MANIFEST, rows))
    passed = [{"item": item} for item in names]
    store.write_table(data / "validate" / "passed.parquet", PASSED, store.frame(PASSED, passed))
    scores = [
        {"item": item, "severity": p, "suggestion": y, "p_wrong": p, "flagged": p > 0.5, "fold": n % 5}
        for n, (item, p, y) in enumerate(zip(names, p_N.tolist(), suggested, strict=True))
    ]
    store.write_table(data / "audit" / "scores.parquet", SCORES, store.frame(SCORES, scores))
    store.write_table(data / "audit" / "findings.parquet", FINDINGS, store.frame(FINDINGS))
    queue = [
        {
            "item": names[n],
            "rank": rank,
            "p_wrong": float(p_N[n]),
            "severity": float(p_N[n]),
            "checks": "label_noise_v2",
            "reason": "The model gives another class.",
            "y": ys[n],
            "suggestion": suggested[n],
        }
        for rank, n in enumerate(np.argsort(-p_N)[:QUEUED].tolist(), start=1)
    ]
    store.write_table(data / "triage" / "queue.parquet", QUEUE, store.frame(QUEUE, queue))
    return folder


@contextmanager
def serving(workspace: Path) -> Iterator[str]:
    """`assay review` as a process; its link."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "flows.cli",
        "review",
        "--port",
        "0",
        "--reviewer",
        "owner",
        "--workspace",
        str(workspace),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        link = process.stdout.readline().strip()
        assert link.startswith("http://127.0.0.1:"), link
        try:
            yield link
        finally:
            process.terminate()
            process.wait(30)


def settled(workspace: Path, seconds: float = 120) -> None:
    """Until the server has made its tiles and orders in the background, which it does once for a set of files."""
    end = time.monotonic() + seconds
    while not list((workspace / ".assay" / "cache" / "review").glob("arranged-*.npy")):
        assert time.monotonic() < end
        time.sleep(0.1)
