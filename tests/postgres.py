"""A PostgreSQL server of our own (Debian's package), on loopback, gone after the test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fleet import free_port


def _tool(name: str) -> str:
    found = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)]
    if found:
        return str(found[0])
    if (path := shutil.which(name)) is None:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    return path


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Its address for Prefect. PostgreSQL refuses to run as root: then it runs as the user `postgres`."""
    initdb, pg_ctl = _tool("initdb"), _tool("pg_ctl")
    as_other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    folder.mkdir(parents=True)
    if as_other:
        who = pwd.getpwnam("postgres")
        os.chown(folder, who.pw_uid, who.pw_gid)
        for parent in folder.parents:
            if parent.stat().st_uid == 0 and parent != Path("/") and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)  # the way to it
    port = free_port()

    def run(*command: str) -> None:
        subprocess.run([*as_other, *command], check=True, cwd="/", stdout=subprocess.DEVNULL)

    run(initdb, "-D", str(folder / "data"), "-U", "assay", "--auth=trust", "--no-sync")
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    run(pg_ctl, "-D", str(folder / "data"), "-w", "-l", str(folder / "log"), "-o", settings, "start")
    try:
        yield f"postgresql+asyncpg://assay@127.0.0.1:{port}/postgres"
    finally:
        run(pg_ctl, "-D", str(folder / "data"), "-m", "immediate", "stop")
