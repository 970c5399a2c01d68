"""From how many items on is an approximate neighbour graph faster than the exact one, compiling included?

    python -P benchmarks/graph_crossover.py RESULT.json [ITEMS ...]

Each timing is a whole fresh process, as a stage is one: imports, compilation, graph. Vectors are a mixture of 100
clusters, 300 values, length 1. Prints a table; writes the same figures as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tasks import store

WIDTH, THREADS = 300, 2
CHILD = """
import sys
from pathlib import Path
from tasks.relate import Params, run
run(Path(sys.argv[1]), Params(exact_below=int(sys.argv[2]), threads=int(sys.argv[3])))
"""


def vectors(data: Path, items: int) -> None:
    """Write `items` vectors as embed does."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(100, WIDTH))
    x_ND = centres[rng.integers(0, 100, items)] + rng.normal(size=(items, WIDTH))
    x_ND /= np.linalg.norm(x_ND, axis=1, keepdims=True)
    (data / "embed" / "vectors").mkdir(parents=True)
    names = [f"{n:06d}" for n in range(items)]
    store.write_vectors(data / "embed" / "vectors" / "0001-x.parquet", names, {"x": x_ND.astype(np.float32)})


def timed(data: Path, exact_below: int) -> tuple[float, float]:
    """Wall seconds of a whole process, and the recall at 10 that it measured."""
    before = time.perf_counter()
    command = [sys.executable, "-c", CHILD, str(data), str(exact_below), str(THREADS)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds = time.perf_counter() - before
    return seconds, float(out.rpartition("recall at 10 is ")[2].split()[0])


def main(arguments: list[str]) -> None:
    result, sizes = Path(arguments[0]), [int(size) for size in arguments[1:]] or [5_000, 10_000, 20_000]
    rows = []
    print(f"{'items':>8} {'exact s':>9} {'pynndescent s':>14} {'recall':>7}")
    for items in sizes:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder)
            vectors(data, items)
            exact, _ = timed(data, items)
            approximate, recall = timed(data, 0)
        rows.append({"items": items, "exact_s": exact, "pynndescent_s": approximate, "recall_at_10": recall})
        print(f"{items:>8,} {exact:>9.1f} {approximate:>14.1f} {recall:>7.4f}", flush=True)
    result.write_text(json.dumps({"width": WIDTH, "threads": THREADS, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
