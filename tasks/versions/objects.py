"""Which stored objects is a revision made of, and are their bytes right?

DVC keeps bytes under their md5, in the workspace's cache and on the remote, and names them in dvc.lock,
data/drops/*.dvc and data/model/*.dvc; a folder is a list of (md5, relative path) that is itself an object. DVC does
not prove bytes: a flipped bit is checked out and pushed without a word, so who publishes or reads a revision hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from .. import durable
from ..model import Mistake
from . import data
from .git import git, show

ADDED = ("data/drops/", "data/model/")  # what lies here was put under DVC one by one, each with a .dvc file beside it


def outs_at(workspace: Path, revision: str | None) -> dict[str, str]:
    """Path -> oid of every tracked out (a folder's oid ends in .dir), in the work tree (None) or at a revision."""
    if revision is None:
        added = [path.relative_to(workspace).as_posix() for home in ADDED for path in (workspace / home).glob("*.dvc")]
        texts = {name: _text(workspace / name) for name in ["dvc.lock", *added]}
    else:
        names = git(workspace, "ls-tree", "-z", "--name-only", revision, *ADDED, "dvc.lock").split("\0")
        chosen = [name for name in names if name == "dvc.lock" or name.endswith(".dvc")]
        texts = {name: show(workspace, revision, f"./{name}") for name in chosen}
    found: dict[str, str] = {}
    for name, text in texts.items():
        content = mapping(name, text) if text else {}
        for out in [*content.get("outs", ()), *(o for s in content.get("stages", {}).values() for o in s["outs"])]:
            if "md5" in out:
                base = name.rpartition("/")[0]
                found[f"{base}/{out['path']}" if base else out["path"]] = out["md5"]
    return found


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def mapping(name: str, text: str) -> dict[str, Any]:
    """The YAML mapping that `text` of file `name` holds."""
    content = YAML(typ="safe", pure=True).load(text)
    if not isinstance(content, dict):
        raise Mistake(f"File '{name}' is not a YAML mapping. Run: git checkout -- {name}")
    return content


class Store:
    """The two places where objects lie: this workspace's cache, and the remote."""

    def __init__(self, repo: Any) -> None:
        self._repo = repo
        self._cache = repo.cache.local
        self._remote: Any = None

    def cached(self, oid: str) -> Path:
        """Where the cache keeps this object, if it has it."""
        return Path(self._cache.oid_to_path(oid))

    @property
    def remote(self) -> Any:
        if self._remote is None:
            if "remote" not in self._repo.config["core"]:
                raise Mistake("The workspace has no DVC remote. Run: dvc remote add --default NAME URL")
            with data.down_means_remote_down():
                self._remote = self._repo.cloud.get_remote_odb()
        return self._remote

    @property
    def remote_is_a_folder(self) -> bool:
        return bool(self.remote.fs.protocol == "local")

    def remote_size(self, oid: str) -> int | None:
        """Bytes of the object on the remote; None if it is not there."""
        with data.down_means_remote_down():
            try:
                return int(self.remote.fs.info(self.remote.oid_to_path(oid))["size"])
            except FileNotFoundError:
                return None

    def remote_hash(self, oid: str, algorithm: str) -> str | None:
        """The object's bytes on the remote, read and hashed; None if it is not there."""
        digest = hashlib.new(algorithm, usedforsecurity=False)
        with data.down_means_remote_down():
            try:
                with self.remote.fs.open(self.remote.oid_to_path(oid), "rb") as file:
                    while chunk := file.read(2**20):
                        digest.update(chunk)
            except FileNotFoundError:
                return None
        return digest.hexdigest()

    def listing(self, oid: str) -> dict[str, str]:
        """Relative path -> oid of a folder object, from the cache, else from the remote."""
        path = self.cached(oid) if self.is_right_in_cache(oid) else self.fetch(oid)
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {entry["relpath"]: entry["md5"] for entry in entries}

    def files(self, outs: Mapping[str, str]) -> dict[str, str]:
        """Path -> oid of every file in `outs`; a folder's own listing is under its path with a slash behind."""
        found: dict[str, str] = {}
        for path, oid in outs.items():
            if oid.endswith(".dir"):
                found[path + "/"] = oid
                found |= {f"{path}/{name}": file for name, file in self.listing(oid).items()}
            else:
                found[path] = oid
        return found

    def fetch(self, oid: str) -> Path:
        """Bring an object from the remote into the cache, and prove its bytes; Mistake if it is not there or wrong."""
        durable.step(f"fetch {oid[:8]}")
        with data.down_means_remote_down():
            present = self.remote.exists(oid)
            if present:
                self._cache.add(self.remote.oid_to_path(oid), self.remote.fs, oid, check_exists=False)
        path = self.cached(oid)
        if not self.is_right_in_cache(oid):
            self.forget(oid)
            state = "has wrong bytes" if present else "is not there"
            raise Mistake(f"Object '{oid}' on the DVC remote {state}. Restore it there, then run: assay verify")
        return path

    def is_right_in_cache(self, oid: str) -> bool:
        """Whether the cache's bytes are those that the name says (an absent object is not right)."""
        path = self.cached(oid)
        return path.exists() and data.md5_file(path) == oid.removesuffix(".dir")

    def forget(self, oid: str) -> None:
        """Take an object with wrong bytes out of the cache."""
        durable.step(f"forget {oid[:8]}")
        with suppress(FileNotFoundError):
            self.cached(oid).unlink()

    def send_again(self, oid: str) -> None:
        """Put the cache's object in place of whatever the remote has under its name."""
        if not self.is_right_in_cache(oid):
            raise Mistake(f"Object '{oid}' is right neither here nor on the DVC remote. Run: assay verify")
        durable.step(f"send {oid[:8]}")
        with data.down_means_remote_down():
            self.remote.add(str(self.cached(oid)), self._cache.fs, oid, check_exists=False)

    def remove_torn_listings(self, oids: Iterable[str]) -> None:
        """Take folder listings with wrong bytes off the remote: DVC writes them there in place (3.67, a folder remote),
        and after a kill in that moment every later push fails on the half one. The push sends them again."""
        for oid in oids if self.remote_is_a_folder else ():
            if oid.endswith(".dir") and self.remote_hash(oid, "md5") not in (None, oid.removesuffix(".dir")):
                durable.step(f"remove {oid[:8]} from the remote")
                Path(self.remote.oid_to_path(oid)).unlink(missing_ok=True)

    def sync_remote(self, oids: Iterable[str]) -> None:
        """fsync objects and their folders where the remote is a folder: DVC leaves that to chance (power loss)."""
        durable.step("fsync remote objects")
        paths = [Path(self.remote.oid_to_path(oid)) for oid in oids] if self.remote_is_a_folder else []
        for path in sorted({*paths, *(path.parent for path in paths)}):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def wrong_on_remote(self, oids: Iterable[str]) -> list[str]:
        """Those of `oids` that the remote lacks or holds with other bytes (a folder is read, elsewhere sizes count)."""
        wrong = []
        for oid in sorted(set(oids)):
            if self.remote_is_a_folder:
                right = self.remote_hash(oid, "md5") == oid.removesuffix(".dir")
            else:
                size = self.cached(oid).stat().st_size if self.cached(oid).exists() else None
                right = self.remote_size(oid) in ((size,) if size is not None else (0,))
            if not right:
                wrong.append(oid)
        return wrong


def send(workspace: Path, path: str | None = None) -> None:
    """Send what the remote lacks, of all outs or of one (`data/drops/<drop>`); RemoteDown if it does not answer."""
    with store(workspace) as objects:
        objects.remove_torn_listings(oid for out, oid in outs_at(workspace, None).items() if path in (None, out))
    data.push(workspace, None if path is None else f"{path}.dvc")


@contextmanager
def store(workspace: Path) -> Iterator[Store]:
    with data.repository(workspace) as repo:
        yield Store(repo)
