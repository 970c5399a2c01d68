"""A PostgreSQL server of our own (Debian's package), on loopback, gone after the test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.address import free_port


def _tool(name: str) -> str:
    found = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)]
    if found:
        return str(found[0])
    if (path := shutil.which(name)) is None:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    return path


@contextmanager
def postgres() -> Iterator[str]:
    """Its address for Prefect. PostgreSQL refuses to run as root: then it runs as the user `postgres`."""
    initdb, pg_ctl = _tool("initdb"), _tool("pg_ctl")
    folder = Path(tempfile.mkdtemp(prefix="assay-postgres-"))  # pytest's folders are closed to other users
    as_other: list[str] = []
    if os.getuid() == 0:
        as_other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        who = pwd.getpwnam("postgres")
        os.chown(folder, who.pw_uid, who.pw_gid)
    port = free_port(0)

    def run(*command: str) -> None:
        subprocess.run([*as_other, *command], check=True, cwd="/", stdout=subprocess.DEVNULL)

    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    try:
        run(initdb, "-D", str(folder / "data"), "-U", "assay", "--auth=trust", "--no-sync")
        run(pg_ctl, "-D", str(folder / "data"), "-w", "-l", str(folder / "log"), "-o", settings, "start")
        yield f"postgresql+asyncpg://assay@127.0.0.1:{port}/postgres"
        run(pg_ctl, "-D", str(folder / "data"), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
