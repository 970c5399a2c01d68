"""How do the pieces of a sharded stage travel between clones?

Writes  <DVC remote>/pieces/<stage>/<name>/<file>, and piece.json with the sha256 of each file, last
        <DVC remote>/pieces/runs/<branch>/<number>.json: which pieces a shard has made

A piece is named by a hash over all that it follows from, so one that is there is right to reuse; what is fetched is
hashed again. Covered: a killed sender (without a whole piece.json there is no piece), wrong bytes on the remote (the
piece is left out, and made again here). Not covered: pruning; pieces of old code stay until somebody removes `pieces/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import durable, store
from . import data
from .workspace import ready

LIST = "piece.json"


def send(clone: Path, stage: str, names: list[str], *, branch: str, number: int) -> None:
    """Put pieces of .assay/cache/<stage>/ on the remote, those that it lacks, then the list of this shard."""
    with ready(clone) as clone, _remote(clone) as (fs, root):
        for name in names:
            folder = clone / ".assay" / "cache" / stage / name
            place = fs.join(root, stage, name)
            if _listed(fs, place) is not None:
                continue
            durable.step(f"send piece {name[:8]}")
            fs.makedirs(place, exist_ok=True)
            files = sorted(path for path in folder.iterdir() if path.is_file())
            for path in files:
                fs.put_file(str(path), fs.join(place, path.name))
            _write(fs, fs.join(place, LIST), {path.name: store.sha256_file(path) for path in files})
        place = fs.join(root, "runs", branch)
        fs.makedirs(place, exist_ok=True)
        _write(fs, fs.join(place, f"{number}.json"), {"pieces": names})


def fetch(clone: Path, stage: str, *, branch: str, shards: int) -> int:
    """Bring here the pieces that the shards of a run have made; returns how many were fetched."""
    fetched = 0
    with ready(clone) as clone, _remote(clone) as (fs, root):
        for number in range(shards):
            listed = json.loads(fs.cat_file(fs.join(root, "runs", branch, f"{number}.json")))
            for name in listed["pieces"]:
                folder = clone / ".assay" / "cache" / stage / name
                if not folder.exists():
                    fetched += _fetch_one(fs, fs.join(root, stage, name), folder)
    return fetched


def _fetch_one(fs: Any, place: str, folder: Path) -> bool:
    files = _listed(fs, place)
    if files is None:
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    hidden = folder.with_name(f".fetched-{folder.name}")
    hidden.mkdir(exist_ok=True)
    for name, sha256 in files.items():
        fs.get_file(fs.join(place, name), str(hidden / name))
        if store.sha256_file(hidden / name) != sha256:
            return False
    with durable.fresh_folder(folder) as fresh:
        for name in files:
            (hidden / name).rename(fresh / name)
    hidden.rmdir()
    return True


def _listed(fs: Any, place: str) -> dict[str, str] | None:
    """File -> sha256 of a piece; None where there is none, also where a killed sender has left half a list."""
    try:
        files = json.loads(fs.cat_file(fs.join(place, LIST)))
    except (FileNotFoundError, ValueError):
        return None
    plain = isinstance(files, dict) and all(name == Path(name).name for name in files)
    return files if plain else None


def _write(fs: Any, path: str, content: Any) -> None:
    fs.pipe_file(path, json.dumps(content).encode())


@contextmanager
def _remote(clone: Path) -> Iterator[tuple[Any, str]]:
    with data.repository(clone) as repo, data.down_means_remote_down():
        remote = repo.cloud.get_remote()
        yield remote.fs, remote.fs.join(remote.path, "pieces")
