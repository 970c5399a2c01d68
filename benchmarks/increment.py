"""What does a further drop cost, beside the same content from an empty workspace?

    python benchmarks/increment.py RESULT.json [--items 60000] [--shares 0.1 1 10 100]
    python benchmarks/increment.py RESULT.json --items 3000 --shares 1    # whether it works: two minutes

A base of small PNG images, made here, is received, curated and published. Then, each on a copy of that workspace, a
further drop of 0.1, 1, 10 and 100 % of it (--shares), end to end: `assay run` (receive -> queue), then `assay revise`.
Beside them:

    nothing   the same command with nothing new, on the same copy: the fixed start-up
    full      the same drops from an empty workspace; below 10 % the base's own run stands in for it

A copy has other inodes, which DVC takes for other files, so one unmeasured run comes first on each. Every command is a
process of its own (watched.py): CPU seconds are the system's, ended children included; the peak is that of the largest
process; pushed is the size of the objects that are new on the remote. No answers are given, so `revise` publishes what
was delivered. Asserted: only the new items are decoded and embedded, and the outs of ingest, embed and revise are byte
for byte those of the full run. Aim: a drop of 1 % at 2 % of the full run's CPU, above the start-up.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import described
from PIL import Image
from ruamel.yaml import YAML

SHARES = (0.1, 1.0, 10.0, 100.0)  # per cent of the base
FULL_FROM = 10.0  # per cent; smaller drops are compared with the full run of the base alone
SIDE, CLASSES, WRONG = 28, 10, 0.03
STAGES = ("ingest", "validate", "embed", "relate", "audit", "detect", "triage", "revise")
EXACT = ("ingest", "embed", "revise")
AROUND = ("receive", "share_drop", "prepare_run", "check_params", "take_answers", "commit_run", "publish")
WATCHED = Path(__file__).parent / "watched.py"

Took = dict[str, Any]


def deliver(landing: Path, first: int, count: int) -> None:
    """Images number `first` and the `count - 1` after it, and their labels.csv, in which WRONG of the labels are wrong.

    A class is a smooth field of its own; an image of it is that field moved a little, another field over it, and noise.
    """
    landing.mkdir(parents=True)
    fields = np.random.default_rng(0).normal(size=(CLASSES, 6, 6))
    lines = ["path,label,id"]
    for n in range(first, first + count):
        rng = np.random.default_rng([1, n])
        true = int(rng.integers(CLASSES))
        field = fields[true] + 0.5 * rng.normal(size=(6, 6))
        scaled = Image.fromarray(field.astype(np.float32)).resize((SIDE + 4, SIDE + 4), Image.Resampling.BICUBIC)
        x, y = rng.integers(0, 5, 2)
        grey = 128 + 40 * np.asarray(scaled)[y : y + SIDE, x : x + SIDE] + rng.normal(0, 8, (SIDE, SIDE))
        Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(landing / f"{n:06d}.png", compress_level=1)
        given = (true + int(rng.integers(1, CLASSES))) % CLASSES if rng.random() < WRONG else true
        lines.append(f"{n:06d}.png,{given},i{n:06d}")
    (landing / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (landing / "_SUCCESS").touch()


def land(workspace: Path, *landings: Path) -> None:
    """Into data/incoming, in this order, as links to the same files."""
    for number, landing in enumerate(landings):
        target = workspace / "data" / "incoming" / landing.name
        shutil.copytree(landing, target, copy_function=os.link)
        (target / "_SUCCESS").unlink()
        (target / "_SUCCESS").touch()
        os.utime(target / "_SUCCESS", (time.time() + number, time.time() + number))


def assay(workspace: Path, command: str) -> Took:
    """One `assay` command on the workspace, with what it cost."""
    record, remote = workspace.parent / "record.json", workspace / ".assay" / "remote"
    before = {path for path in remote.rglob("*") if path.is_file()}
    arguments = [sys.executable, "-P", str(WATCHED), str(record), command, "--workspace", str(workspace), "--quiet"]
    started = time.perf_counter()
    process = subprocess.Popen(arguments)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    parts = json.loads(record.read_text(encoding="utf-8"))
    new = [path for path in remote.rglob("*") if path.is_file() and path not in before]
    return {
        "wall_s": round(wall, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mib": usage.ru_maxrss // 1024,
        "hashed_mib": round(sum(parts["all"][key] for key in ("hashed", "hashed_own")) / 2**20, 2),
        "dvc_hashed_mib": round(parts["all"]["hashed"] / 2**20, 2),
        "pushed_mib": round(sum(path.stat().st_size for path in new) / 2**20, 2),
        "parts": {name: part | {"inside_s": inside(workspace, name)} for name, part in parts.items()},
    }


def inside(workspace: Path, stage: str) -> float:
    """The wall seconds that the stage itself reports, without its imports and without DVC."""
    report = workspace / "data" / f"{stage}.json"
    return float(json.loads(report.read_text(encoding="utf-8"))["seconds"]) if report.exists() else 0.0


def outs(workspace: Path) -> dict[str, str]:
    """Stage -> md5 of its folder, as DVC recorded it."""
    lock = YAML(typ="safe", pure=True).load((workspace / "dvc.lock").read_text(encoding="utf-8"))
    return {stage: lock["stages"][stage]["outs"][0]["md5"] for stage in EXACT}


def check(workspace: Path, items: int, new: int) -> None:
    """Every item is there, and only the new ones were computed."""
    report = {s: json.loads((workspace / "data" / f"{s}.json").read_text(encoding="utf-8")) for s in STAGES}
    assert report["ingest"]["counts"]["items"] == report["revise"]["counts"]["items"] == items, report["ingest"]
    assert report["ingest"]["counts"]["decoded"] == report["embed"]["counts"]["embedded"] == new, report["embed"]


def copied(workspace: Path, target: Path) -> Path:
    """A copy that DVC knows: the first run on it is not measured."""
    shutil.copytree(workspace, target, symlinks=True)
    assay(target, "run")
    return target


def increments(root: Path, items: int, shares: Sequence[float]) -> dict[str, Any]:
    """Every run, by share: nothing, run, revise, nothing_revise, full, full_revise."""
    empty, base = root / "empty", root / "base"
    init = [sys.executable, "-P", "-m", "flows.cli", "init", str(empty)]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
    deliver(root / "0-base", 0, items)
    shutil.copytree(empty, base, symlinks=True)
    land(base, root / "0-base")
    full, full_revise = assay(base, "run"), assay(base, "revise")
    check(base, items, items)
    shutil.rmtree(base / "data" / "incoming" / "0-base")
    told("full", full)
    told("full_revise", full_revise)
    runs: dict[str, Any] = {"base": {"items": items, "full": full, "full_revise": full_revise}}
    for share in shares:
        new, name = max(1, round(items * share / 100)), f"{share:g} %"
        deliver(root / "1-more", items, new)
        workspace = copied(base, root / "copy")
        one: dict[str, Any] = {"items": new, "nothing": assay(workspace, "run")}
        land(workspace, root / "1-more")
        one |= {"run": assay(workspace, "run"), "revise": assay(workspace, "revise")}
        check(workspace, items + new, new)
        one["nothing_revise"] = assay(workspace, "revise")
        one |= {"full": full, "full_revise": full_revise}
        if share >= FULL_FROM:
            from_empty = root / "full"
            shutil.copytree(empty, from_empty, symlinks=True)
            land(from_empty, root / "0-base", root / "1-more")
            one |= {"full": assay(from_empty, "run"), "full_revise": assay(from_empty, "revise")}
            check(from_empty, items + new, items + new)
            assert outs(workspace) == outs(from_empty), "another result than from an empty workspace"
            shutil.rmtree(from_empty)
        runs[name] = one | {"ratio": ratio(one)}
        for what in ("nothing", "run", "revise", "nothing_revise", "full", "full_revise"):
            told(f"+{name} {what}", one[what])
        shutil.rmtree(workspace)
        shutil.rmtree(root / "1-more")
    return runs


def ratio(one: Took) -> dict[str, float]:
    """CPU above the start-up, as a share of the full run's CPU."""
    pairs = {"run": ("run", "nothing", "full"), "revise": ("revise", "nothing_revise", "full_revise")}
    return {
        name: round((one[new]["cpu_s"] - one[old]["cpu_s"]) / one[full]["cpu_s"], 4)
        for name, (new, old, full) in pairs.items()
    }


def told(name: str, took: Took) -> None:
    print(
        f"{name:<22} {took['wall_s']:7.1f} s {took['cpu_s']:7.1f} CPU-s {took['peak_mib']:6,} MiB peak "
        f"{took['hashed_mib']:8.1f} MiB hashed {took['pushed_mib']:7.1f} MiB pushed",
        flush=True,
    )


def cpu(took: Took, part: str) -> float:
    one = took["parts"].get(part)
    return float(one["own_cpu_s"] + one["child_cpu_s"]) if one else 0.0


def table(runs: dict[str, Any]) -> str:
    """CPU seconds of each part of `assay run`: the increments, nothing new (the first), the full run of the base."""
    columns = {name: one["run"] for name, one in runs.items() if "run" in one}
    columns |= {
        "nothing": next(one["nothing"] for one in runs.values() if "nothing" in one),
        "full": runs["base"]["full"],
    }
    lines = [f"{'CPU s, run':<14}" + "".join(f"{name:>9}" for name in columns)]
    for part in (*STAGES[:-1], *AROUND):
        if any(part in took["parts"] for took in columns.values()):
            lines.append(f"{part:<14}" + "".join(f"{cpu(took, part):9.1f}" for took in columns.values()))
    named = [sum(cpu(took, part) for part in (*STAGES, *AROUND)) for took in columns.values()]
    rest = [took["cpu_s"] - known for took, known in zip(columns.values(), named, strict=True)]
    lines.append(f"{'start and rest':<14}" + "".join(f"{value:9.1f}" for value in rest))
    lines.append(f"{'in all':<14}" + "".join(f"{took['cpu_s']:9.1f}" for took in columns.values()))
    lines.append("")
    for name, one in runs.items():
        if "ratio" in one:
            said = "; ".join(f"{what} {value:.1%}" for what, value in one["ratio"].items())
            lines.append(f"+{name}: of the full run's CPU, above the start-up: {said}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--items", type=int, default=60_000)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="per cent of the base, one or more")
    options = parser.parse_args()
    about = described("dvc", "prefect", "pyarrow", "pyod", "pynndescent", "scikit-learn", "great_expectations")
    with tempfile.TemporaryDirectory() as place:
        runs = increments(Path(place), options.items, options.shares)
    print(table(runs))
    content = {"machine": about, "items": options.items, "runs": runs}
    options.result.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
