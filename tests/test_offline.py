"""Does the chain run, children included, with no network but loopback?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.digits import Digits, write_drop
from tasks import telemetry

LOOPBACK_UP = """
import fcntl, socket, struct
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
"""
CHAIN = """
set -e
"$0" -P -m flows.cli init ws
"$0" -P -m flows.cli receive toy -w ws
"$0" -P -m flows.cli run -w ws
"$0" -P -m flows.cli revise -w ws
"""


@pytest.mark.slow
@pytest.mark.prefect
def test_the_chain_needs_no_network_but_loopback(tmp_path: Path, toy_digits: Digits, prefect_home: Path) -> None:
    """In a network namespace of its own, where only loopback exists: whatever asked outside would fail or hang."""
    unshare = shutil.which("unshare")
    script = tmp_path / "loopback_up.py"
    script.write_text(LOOPBACK_UP)
    lo_up = f"{sys.executable} {script}"
    allowed = unshare and subprocess.run([unshare, "-rn", "sh", "-c", lo_up], check=False).returncode == 0
    if not allowed:
        pytest.skip("network namespaces are not allowed here")
    write_drop(toy_digits, "toy", tmp_path / "toy", noise=0.05, seed=0)
    done = subprocess.run(
        [str(unshare), "-rn", "sh", "-c", f"{lo_up}\n{CHAIN}", sys.executable],
        cwd=tmp_path,
        env={**os.environ, **telemetry.OFF, "PREFECT_HOME": str(prefect_home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done
    assert "dataset@v1.0.0" in done.stdout
