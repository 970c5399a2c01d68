"""How are reports and other small documents written and read, and what is in a file?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from .. import durable
from ..model import Mistake, Report


def write_report(path: Path, report: Report) -> None:
    """data/<stage>.json: flat and sorted, so that `dvc metrics diff` reads it."""
    content = {key: value for key, value in asdict(report).items() if key != "status"}
    write_json(path, content)


def read_report(path: Path) -> Report:
    """The Report that a stage wrote last; raises Mistake if the stage has not run."""
    content = read_json(path)
    return Report(**{**content, "notes": tuple(content.get("notes", ()))})


def write_json(path: Path, content: Any) -> None:
    durable.write_text(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Mistake(f"No file '{path}'. Run: assay run") from None
    except ValueError as error:
        raise Mistake(f"File '{path}' is not JSON: {error}. Run: assay verify") from None


def sha256_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stage_version(workspace: Path, stage: str) -> str:
    """The stage's version in code.yaml, a flat `stage: version` mapping; "0" where there is none."""
    path = workspace / "code.yaml"
    content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) if path.exists() else None
    return str((content or {}).get(stage, "0"))
