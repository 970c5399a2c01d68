"""How fast does a folder of small files become a drop, and in how much memory?

    python benchmarks/receive.py RESULT.json [--files 60000] [--rounds 3]

Side by side in each round, on fresh copies of nothing but the workspace, the same files in the page cache:

    receive   receive.receive of a folder with labels.csv: hashed, packed into shards, synced, receipt written
    floor     every file opened, read and hashed with sha256, nothing kept: what no tool can do without
    dvc       `dvc add` of the same folder, one object a file: what a DVC user would run

Each contender is a child process; its CPU seconds and peak memory are the system's own. Asserted, not assumed: every
row and every asset is in the drop, and a sample of 100 assets has the bytes of its file. Aim: 2,000 files a second and
core, peak below 1.5 GiB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import described

from tasks import receipts, store, versions
from tasks.model import DELIVERED

BYTES = (400, 2400)  # a file, as a small PNG is
PEAK = """
import atexit, re, sys
peak = sys.argv.pop(1)
atexit.register(lambda: open(peak, "w").write(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]))
"""
DVC = """
sys.argv = ["dvc", "add", "--quiet", "images"]
from dvc.cli import main; sys.exit(main())
"""
RECEIVE = """
from pathlib import Path; from tasks import receive
receive.receive(Path(sys.argv[1]), Path(sys.argv[2]), received_at="2026-01-01T00:00:00Z")
"""
FLOOR = """
import hashlib, os
for entry in os.scandir(sys.argv[1]):
    with open(entry.path, "rb") as file:
        hashlib.sha256(file.read()).hexdigest()
"""


def deliver(folder: Path, files: int) -> None:
    """`files` small files of random bytes and their labels.csv."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    sizes = rng.integers(*BYTES, files)
    lines = ["path,label"]
    for n, size in enumerate(sizes.tolist()):
        (folder / f"{n:06d}.png").write_bytes(rng.bytes(size))
        lines.append(f"{n:06d}.png,{n % 10}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def measured(code: str, arguments: list[Path], cwd: Path) -> dict[str, float]:
    """Wall and CPU seconds and peak MiB of a fresh Python that runs `code`."""
    peak = cwd / "peak"
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-P", "-c", PEAK + code, str(peak), *map(str, arguments)], cwd=cwd)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = status
    assert status == 0, code
    kib = int(peak.read_text(encoding="ascii"))
    peak.unlink()
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mib": kib / 1024}


def check(workspace: Path, folder: Path, files: int) -> None:
    """Every row and asset is there, and the bytes of a sample are those of their files."""
    (drop,) = (workspace / "data" / "drops").glob("0*/")
    receipt = receipts.read(drop / "receipt.json")
    assert (receipt.rows, receipt.assets, receipt.faulty) == (files, files, 0)
    rows = store.read_table(drop / "labels.parquet", DELIVERED)
    read = store.AssetReader(workspace / "data" / "drops")
    for n in np.sort(np.random.default_rng(1).choice(files, min(100, files), replace=False)).tolist():
        content = read(rows["shard"][n], int(rows["row"][n]))
        assert hashlib.sha256(content).digest() == hashlib.sha256((folder / rows["path"][n]).read_bytes()).digest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--files", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds: list[dict[str, dict[str, float]]] = []
    about = described("dvc", "pyarrow", "pandas")
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        deliver(root / "drop", options.files)
        versions.init(root / "empty")
        for number in range(options.rounds):
            workspace, peer = root / f"ws-{number}", root / f"peer-{number}"
            shutil.copytree(root / "empty", workspace, symlinks=True)
            shutil.copytree(root / "empty", peer, symlinks=True)
            shutil.copytree(root / "drop", peer / "images")
            took = {
                "floor": measured(FLOOR, [root / "drop"], root),
                "receive": measured(RECEIVE, [root / "drop", workspace], root),
                "dvc": measured(DVC, [], peer),
            }
            check(workspace, root / "drop", options.files)
            rounds.append(took)
            shutil.rmtree(workspace)
            shutil.rmtree(peer)
            print(told(f"round {number + 1}", took), flush=True)
    summary: dict[str, Any] = {
        name: {key: round(statistics.median(one[name][key] for one in rounds), 3) for key in rounds[0][name]}
        for name in rounds[0]
    }
    rate = options.files / summary["receive"]["cpu_s"]
    ratios = [one["dvc"]["cpu_s"] / one["receive"]["cpu_s"] for one in rounds]
    print(told("median", summary))
    print(f"{rate:,.0f} files a CPU-second (aim 2,000), peak {summary['receive']['peak_mib']:,.0f} MiB (aim 1,536)")
    print(f"dvc add takes {statistics.median(ratios):.1f} times the CPU ({min(ratios):.1f} to {max(ratios):.1f})")
    content = {"machine": about, "files": options.files, "rounds": rounds, "median": summary, "files_per_cpu_s": rate}
    options.result.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def told(title: str, took: dict[str, dict[str, float]]) -> str:
    parts = [
        f"{name} {one['wall_s']:.1f} s ({one['cpu_s']:.1f} CPU-s, {one['peak_mib']:,.0f} MiB)"
        for name, one in took.items()
    ]
    return f"{title}: {'; '.join(parts)}"


if __name__ == "__main__":
    main()
