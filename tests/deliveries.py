"""What a supplier delivers, received into a fresh workspace: for the tests of receive."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks import receive, store
from tasks.model import DELIVERED, DropRejected

AT = "2024-05-01T12:00:00Z"
ONE, TWO = hashlib.sha256(b"one").hexdigest(), hashlib.sha256(b"two").hexdigest()


def landing(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def again(landed: Path, folder: Path) -> None:
    """The same delivery under another name, its _SUCCESS last, as every sender's: copytree goes by no order."""
    shutil.copytree(landed, folder, ignore=shutil.ignore_patterns("_SUCCESS"))
    (folder / "_SUCCESS").touch()


def take(folder: Path, workspace: Path) -> receive.Receipt:
    return receive.receive(folder, workspace, received_at=AT)


def rows(workspace: Path, drop: str) -> list[dict[str, Any]]:
    table = store.read_table(workspace / "data" / "drops" / drop / "labels.parquet", DELIVERED)
    return [{str(k): v for k, v in row.items() if v is not None} for row in table.to_dict("records")]


def refusal(folder: Path, workspace: Path) -> tuple[str, str]:
    with pytest.raises(DropRejected) as caught:
        take(folder, workspace)
    assert list((workspace / "data" / "drops").iterdir()) == []
    assert list((workspace / ".assay" / "staging").iterdir()) == []
    return caught.value.code, str(caught.value)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
