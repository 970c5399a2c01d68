"""What is a stage, and which are there?

A stage is a module with two names: `Params`, a frozen dataclass, and `run(data, params) -> Report`. One name in five
places: module tasks/audit.py = section `audit:` of params.yaml = stage `audit:` of dvc.yaml = folder data/audit/ = the
task `audit` in steps.py. A stage writes only its own folder, and meets the others only in data/.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from . import durable, labels, modalities, params, policy, store
from .model import Mistake, Report, StageFailed, Task

if TYPE_CHECKING:
    from .dataset import RevisionDataset

STAGES: tuple[str, ...] = (
    "ingest",
    "validate",
    "embed",
    "relate",
    "audit",
    "detect",
    "triage",
    "revise",
    "augment",
)
"""In the order of the DAG that dvc.yaml declares."""


def stage_module(stage: str) -> ModuleType:
    """The module of a stage; Mistake for a name that is none."""
    if stage not in STAGES:
        raise Mistake(f"Unknown stage '{stage}'. Stages are: {', '.join(STAGES)}.")
    return importlib.import_module(f"{__name__}.{stage}")


def run(stage: str, workspace: Path) -> Report:
    """Run one stage in `workspace` and write its report last; what dvc.yaml calls through `python -P -m tasks STAGE`.

    DVC hashes a stage's inputs after the command, so an answer appended meanwhile would be recorded as used though it
    was not. Therefore the inputs are fingerprinted before and after: StageFailed if one moved.
    """
    module = stage_module(stage)
    started = time.perf_counter()
    before = fingerprint(stage, workspace)
    section = params.section(workspace / "params.yaml", stage, module.Params)
    report: Report = module.run(workspace / "data", section)
    if fingerprint(stage, workspace) != before:
        raise StageFailed(
            f"An input of stage '{stage}' changed while it ran. Nothing is lost; run it again: assay run",
            transient=True,
        )
    report = dataclasses.replace(report, seconds=round(time.perf_counter() - started, 3))
    store.write_report(workspace / "data" / f"{stage}.json", report)
    return report


def check_params(workspace: Path) -> None:
    """Every section of params.yaml against its stage, before a run begins; Mistake names the key and what is allowed.

    Importing all stages takes seconds and a gigabyte: in a process of its own, and a content found right is remembered.
    """
    path = workspace / "params.yaml"
    checked = workspace / ".assay" / "cache" / "params.checked"
    digest = hashlib.sha256(path.read_bytes() + (workspace / "code.yaml").read_bytes()).hexdigest()
    if checked.exists() and checked.read_text(encoding="utf-8") == digest:
        return
    command = [sys.executable, "-P", "-m", "tasks", "params"]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Mistake(done.stderr.strip().rpartition("error: ")[2] or f"File '{path}' cannot be checked.")
    durable.write_text(checked, digest)


def compare_params(path: Path) -> None:
    """The work of `check_params`, in its process."""
    params.sections(path, {stage: stage_module(stage).Params for stage in STAGES} | policy.SECTIONS)
    for name in {"task", *STAGES} - params.read(path).keys():  # all have defaults, but DVC has each as an input
        raise Mistake(f"File '{path}' lacks section '{name}'. Add the line: {name}: {{}}")
    task = params.section(path, "task", Task)
    modalities.modality(task.modality)
    labels.kind(task.kind)


def fingerprint(stage: str, workspace: Path) -> str:
    """A hash over the stage's params and the names, sizes and times (contents for the verdict logs) of its deps."""
    declared = params.parse(workspace / "dvc.yaml")["stages"][stage]
    digest = hashlib.sha256((workspace / "params.yaml").read_bytes())
    for dep in declared["deps"]:
        root = workspace / dep
        for path in sorted([root, *root.rglob("*")] if root.is_dir() else [root]):
            if not path.is_file():
                continue
            stat = path.stat()
            digest.update(f"{path.relative_to(workspace)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
            if path.suffix == ".jsonl":
                digest.update(path.read_bytes())
    return digest.hexdigest()


def load(rev: str, workspace: Path | str = ".", *, split: str | None = None) -> RevisionDataset:
    """A published revision as a torch Dataset of (image tensor or text, class index).

    `rev` is a tag (`dataset@v1.0.0`, or just `v1.0.0`); `split` keeps one split. Items are in the revision's order.
    """
    from .dataset import RevisionDataset  # torch costs seconds: only those who train pay

    return RevisionDataset(rev, Path(workspace), split=split)
