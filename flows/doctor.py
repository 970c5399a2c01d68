"""Is this machine fit to run the chain, and what stands in its way?

Each check is a function of the workspace that yields one line or more; nothing is changed, unless `--repair` asks for
what is safe: the leftovers of killed processes, through versions.repair. A failed check names the next command.

Covered: versions against the pins, telemetry, Prefect's bind, password and database, DVC's locks and cache type,
leftovers, free space, the clock. Not covered: what a remote machine sees; whether the password is a good one.
"""

from __future__ import annotations

import configparser
import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

import httpx
from packaging.requirements import Requirement

from tasks import telemetry, versions

from . import address

MIB = 2**20
LEAST_FREE, LITTLE_FREE = 512 * MIB, 4096 * MIB  # bytes: no run may begin; a person should know
SKEW = 5.0  # seconds between the clock of this machine and that of the disk
OWN_WORKERS = 2  # those of `assay up`
LOOPBACK = ("127.0.0.1", "localhost", "::1", "")


@dataclass(frozen=True, slots=True)
class Line:
    """What one check found."""

    check: str
    state: Literal["well", "note", "ill"]  # ill: a run would fail or harm
    says: str


def examine(workspace: Path) -> list[Line]:
    """Every check, in order."""
    return [line for check in CHECKS for line in check(workspace)]


def pins(workspace: Path) -> Iterator[Line]:
    """The installed versions against what Assay asks for: some pairs look healthy and never run anything."""
    wrong = []
    for text in importlib.metadata.requires("assay") or ():
        need = Requirement(text)
        if need.marker is not None and not need.marker.evaluate():
            continue
        try:
            found = importlib.metadata.version(need.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{need.name} is absent")
            continue
        if not need.specifier.contains(found, prereleases=True):
            wrong.append(f"{need.name} {found} is not {need.specifier}")
    if wrong:
        yield Line("versions", "ill", f"{'; '.join(wrong)}. Remove .venv, then run: make setup")
    else:
        names = ("prefect", "dvc", "torch", "cleanlab", "pyod", "great-expectations")
        told = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
        yield Line("versions", "well", told)


def calls_home(workspace: Path, environment: Mapping[str, str] = os.environ) -> Iterator[Line]:
    """Telemetry of the libraries, as this process and its children see it."""
    on = [name for name, value in telemetry.OFF.items() if environment.get(name, "").lower() != value]
    if on:
        yield Line("telemetry", "ill", f"Not switched off: {', '.join(on)}. Export them, or run through: assay")
    else:
        yield Line("telemetry", "well", "off")


def prefect_server(workspace: Path, environment: Mapping[str, str] = os.environ) -> Iterator[Line]:
    """Prefect's server has no password by default, and accepts any host: only on loopback may it stay so."""
    password = environment.get("PREFECT_SERVER_API_AUTH_STRING") or environment.get("PREFECT_API_AUTH_STRING")
    bind = environment.get("PREFECT_SERVER_API_HOST", "")
    url = environment.get("PREFECT_API_URL", "")
    host = urlparse(url).hostname or ""
    if bind not in LOOPBACK and not password:
        yield Line(
            "prefect",
            "ill",
            f"The server would listen on '{bind}' without a password. "
            "Set PREFECT_SERVER_API_AUTH_STRING=user:password, or PREFECT_SERVER_API_HOST=127.0.0.1",
        )
    elif host not in LOOPBACK and not password:
        yield Line("prefect", "note", f"The server at '{host}' is used without a password: PREFECT_API_AUTH_STRING.")
    else:
        where = f"server at {host}" if url else "a server of its own in each run"
        yield Line("prefect", "well", f"{where}, {'with' if password else 'on loopback without'} a password")


def server_database(workspace: Path, environment: Mapping[str, str] = os.environ) -> Iterator[Line]:
    """SQLite behind more workers than those of `assay up` loses patience ("database is locked") and then their calls.

    The server masks its database's address, so it is known only where the server is that of this workspace or is
    configured by this environment.
    """
    url = environment.get("PREFECT_API_URL")
    if not url:
        return
    database = environment.get("PREFECT_SERVER_DATABASE_CONNECTION_URL", "")
    ours = (running := address.find(workspace)) is not None and running.url == url
    workers = _workers_online(url, environment.get("PREFECT_API_AUTH_STRING", ""))
    if workers is None:
        yield Line("server", "ill", f"The Prefect server at {url} does not answer. Start it with: assay up")
    elif workers <= OWN_WORKERS or not (ours or database) or database.startswith("postgresql"):
        yield Line("server", "well", f"answers, {workers} workers online")
    else:
        yield Line(
            "server",
            "ill",
            f"{workers} workers on SQLite: it will refuse some of their calls. Give the server PostgreSQL: "
            "set PREFECT_SERVER_DATABASE_CONNECTION_URL (docs/operations.md)",
        )


def _workers_online(url: str, auth: str) -> int | None:
    """Workers that the server holds to be online; None if it does not answer."""
    user, _, password = auth.partition(":")
    try:
        with httpx.Client(base_url=url, auth=(user, password) if auth else None, timeout=5.0) as client:
            pools = client.post("/work_pools/filter", json={}).raise_for_status().json()
            found = [client.post(f"/work_pools/{pool['name']}/workers/filter", json={}).json() for pool in pools]
    except (httpx.HTTPError, ValueError):
        return None
    return len([worker for workers in found for worker in workers if worker["status"] == "ONLINE"])


def dvc_cache(workspace: Path) -> Iterator[Line]:
    """A linked cache lets a write in data/ change a published object; root can always write."""
    config = configparser.ConfigParser()
    config.read([workspace / ".dvc" / "config", workspace / ".dvc" / "config.local"], encoding="utf-8")
    kinds = config.get("cache", "type", fallback="reflink,copy").strip('"').replace(" ", "")
    linked = sorted({"hardlink", "symlink"} & set(kinds.split(",")))
    if linked:
        who = " and this is root, whom no file mode stops" if os.getuid() == 0 else ""
        yield Line(
            "cache",
            "ill",
            f"cache.type has {' and '.join(linked)}: a write in data/ would change the cache{who}. "
            "Run: dvc config cache.type reflink,copy",
        )
    else:
        yield Line("cache", "well", kinds)


def leftovers(workspace: Path) -> Iterator[Line]:
    """What killed processes left: an unreadable rwlock stops every DVC command, a lock of git every commit."""
    found = []
    rwlock = workspace / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(rwlock.read_text(encoding="utf-8") if rwlock.exists() else "{}")
    except ValueError:
        found.append(rwlock)
    found += [path for path in (workspace / ".git").glob("*.lock") if path.is_file()]
    for folder in (workspace, workspace / ".assay", *(workspace / "data" / name for name in ("", "drops", "verdicts"))):
        found += folder.glob(".*.tmp-*")
    if found:
        names = ", ".join(str(path.relative_to(workspace)) for path in sorted(found))
        yield Line("leftovers", "ill", f"{names}. If no other run is at work: assay doctor --repair")
    else:
        yield Line("leftovers", "well", "none")


def free_space(workspace: Path) -> Iterator[Line]:
    """A run needs room for a copy of what is new, in data/, in the cache and in a local remote."""
    free = shutil.disk_usage(workspace).free
    told = f"{free / 1024 / MIB:.1f} GiB free"
    if free < LEAST_FREE:
        yield Line("disk", "ill", f"{told}; {LEAST_FREE // MIB} MiB are the least. Free some, or move the workspace.")
    else:
        yield Line("disk", "note" if free < LITTLE_FREE else "well", told)


def clock(workspace: Path) -> Iterator[Line]:
    """A disk whose clock runs differently makes a file that was just written look old, or still to come."""
    probe = workspace / ".assay" / f".clock.tmp-{os.getpid()}"
    probe.parent.mkdir(exist_ok=True)
    try:
        probe.touch()
        away = probe.stat().st_mtime - time.time()
    finally:
        probe.unlink(missing_ok=True)
    if abs(away) > SKEW:
        yield Line("clock", "ill", f"The disk's clock is {away:+.0f} s from this machine's. Synchronise them.")
    else:
        yield Line("clock", "well", "agrees with the disk's")


CHECKS: tuple[Callable[[Path], Iterator[Line]], ...] = (
    pins,
    calls_home,
    prefect_server,
    server_database,
    dvc_cache,
    leftovers,
    free_space,
    clock,
)


def repair(workspace: Path) -> list[str]:
    """Do what is safe, under the workspace lock; one sentence each."""
    with versions.lock(workspace):
        return versions.repair(workspace)
