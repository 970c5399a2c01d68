"""Is there a Label Studio for `make test-label-studio`? If not, make one under .assay-cache/label-studio.

    venv/         a virtual environment of its own with the version below: about 800 MB, from the package registry
    data-VERSION/ its data folder after the first start, which takes minutes; each test module works on a copy
    home/         its HOME, so that it writes nothing elsewhere

Runs on the Python of .venv. Label Studio is no dependency of Assay: it is pinned here by version, not by hash.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "1.23.2"
ROOT = Path(__file__).resolve().parent.parent / ".assay-cache" / "label-studio"
DATA = ROOT / f"data-{VERSION}"
STAMP = ROOT / "venv" / f"label-studio-{VERSION}.stamp"
PROGRAM = ROOT / "venv" / "bin" / "label-studio"
USER, PASSWORD = "assay@localhost", "no-secret-1"
LEGACY_TOKEN = "0123456789abcdef0123456789abcdef01234567"
SILENT = {
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "DO_NOT_TRACK": "1",
}


def environment(data: Path) -> dict[str, str]:
    """What its process gets: no telemetry, nothing of ours but the way to programs."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE") if name in os.environ}
    return {**kept, **SILENT, "HOME": str(ROOT / "home"), "LABEL_STUDIO_BASE_DATA_DIR": str(data)}


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    done = subprocess.run([str(part) for part in command], env=env, check=False)
    if done.returncode:
        sys.exit(f"Label Studio could not be set up, at: {' '.join(map(str, command))}. Remove {ROOT} and try again.")


def main() -> None:
    (ROOT / "home").mkdir(parents=True, exist_ok=True)
    if not STAMP.exists():
        print(f"set-up: installing label-studio {VERSION} into {ROOT / 'venv'} (about 800 MB)", flush=True)
        shutil.rmtree(ROOT / "venv", ignore_errors=True)
        run(sys.executable, "-m", "venv", ROOT / "venv")
        pip = (ROOT / "venv" / "bin" / "python", "-m", "pip")
        run(*pip, "install", "--quiet", "--disable-pip-version-check", f"label-studio=={VERSION}")
        STAMP.touch()
    if not DATA.exists():
        print("set-up: its first start, which makes its database (about two minutes)", flush=True)
        making = DATA.with_name(f"{DATA.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        who = ("--username", USER, "--password", PASSWORD, "--user-token", LEGACY_TOKEN)
        run(PROGRAM, "init", "--no-browser", "--data-dir", making, *who, env=environment(making))
        making.rename(DATA)  # last, so its existence means complete


if __name__ == "__main__":
    main()
