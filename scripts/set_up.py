"""Is the environment in .venv what requirements.lock and pyproject.toml say? If not, make it so.

Runs on the standard library of any Python 3; builds .venv with a Python 3.11-3.13, puts the uv of the lock into it,
installs exactly the lock (by hash, bytecode compiled: that halves every import), then Assay without dependencies.
A stamp of lock + pyproject + Python makes the next call a matter of milliseconds.

A second `uv pip sync` would uninstall the project itself, so the sync runs only when the stamp differs, and the project
is always installed after it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "assay.stamp"
ALLOWED = ((3, 11), (3, 12), (3, 13))


def version_of(python: str) -> tuple[int, ...] | None:
    """(3, 11, 7) of an interpreter, or None if it does not run."""
    probe = subprocess.run(
        [python, "-c", "import sys; print(*sys.version_info[:3])"], capture_output=True, text=True, check=False
    )
    return tuple(map(int, probe.stdout.split())) if probe.returncode == 0 else None


def find_python() -> tuple[str, tuple[int, ...]]:
    """The first interpreter that is 3.11-3.13: the one running this, else python3.13 .. python3.11 of the PATH."""
    for candidate in (sys.executable, *(shutil.which(f"python3.{minor}") for minor in (13, 12, 11))):
        found = version_of(candidate) if candidate else None
        if candidate and found and found[:2] in ALLOWED:
            return candidate, found
    sys.exit("No Python 3.11, 3.12 or 3.13 found. Install one, then: make demo PYTHON=/path/to/python3")


def stamp_for(version: tuple[int, ...]) -> str:
    digest = hashlib.sha256(repr(version).encode())
    for name in ("requirements.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def install_uv(python: Path) -> None:
    """The uv that the lock names, by its hashes, with the environment's own pip."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("uv=="))
    end = next((n for n in range(start + 1, len(lines)) if not lines[n].startswith(" ")), len(lines))
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write("\n".join(lines[start:end]) + "\n")
    try:
        run(
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            file.name,
        )
    finally:
        os.unlink(file.name)


def run(*command: str | Path) -> None:
    """Run a command with .venv as the environment; its failure ends the set-up with the command named."""
    environment = {**os.environ, "VIRTUAL_ENV": str(VENV)}
    if ssl.create_default_context().get_ca_certs():  # behind a company's proxy uv's own list of authorities fails
        environment.setdefault("UV_SYSTEM_CERTS", "true")
    done = subprocess.run([str(part) for part in command], cwd=ROOT, env=environment, check=False)
    if done.returncode:
        sys.exit(f"Set-up failed at: {' '.join(map(str, command))}. Remove .venv and try again: make demo")


def main() -> None:
    current = VENV / "bin" / "python"
    version = version_of(str(current)) if current.exists() else None
    if version and version[:2] in ALLOWED and STAMP.exists() and STAMP.read_text() == stamp_for(version):
        return
    if not version or version[:2] not in ALLOWED:
        base, version = find_python()
        print(f"set-up: making .venv with Python {'.'.join(map(str, version))}", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        run(base, "-m", "venv", VENV)
    STAMP.unlink(missing_ok=True)
    print("set-up: installing requirements.lock into .venv (about 6 GB with the CUDA libraries of torch)", flush=True)
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        install_uv(current)
    run(uv, "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", "requirements.lock")
    run(uv, "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--offline", "--editable", ".")
    STAMP.write_text(stamp_for(version))
    print("set-up: done", flush=True)


if __name__ == "__main__":
    main()
