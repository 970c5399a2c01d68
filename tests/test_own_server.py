"""A run without a named server gets one of its own, though another's answers at the port that it was given."""

from __future__ import annotations

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from flows import address, own_server
from tasks.model import Mistake

CODE = """
import sys
from flows import environment, own_server
environment.prepare(None)
ports = iter([int(port) for port in sys.argv[1:]])
free = own_server.free_port
own_server.free_port = lambda wanted: next(ports, None) or free(wanted)
from prefect.client.orchestration import get_client
own_server.start()
own_server.start()  # a second call keeps it
with get_client(sync_client=True) as client:
    print(client.api_url.port, client.hello().text)
"""


class Healthy(BaseHTTPRequestHandler):
    """Another's server: it says that it is well, and is not ours."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, *_: object) -> None:
        pass


def talk(home: Path, *ports: int) -> subprocess.CompletedProcess[str]:
    environment = {"PREFECT_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-P", "-c", CODE, *map(str, ports)]
    return subprocess.run(command, env=environment, cwd=Path.cwd(), capture_output=True, text=True, check=False)


@pytest.mark.prefect
def test_a_server_that_answers_at_our_port_is_not_taken_for_ours(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as other:
        taken = other.server_address[1]
        Thread(target=other.serve_forever, daemon=True).start()
        done = talk(tmp_path, taken)
        port, said = done.stdout.split(maxsplit=1)
        assert int(port) != taken
        assert "👋" in said
        lost = talk(tmp_path, *[taken] * own_server.ATTEMPTS)
        other.shutdown()
    assert "cannot keep a port" in lost.stderr


def test_a_server_that_goes_away_is_a_sentence() -> None:
    with pytest.raises(Mistake, match=r"went away during the run \(.*refused.*\).*run the same command again"):
        with own_server.is_there(), httpx.Client() as client:
            client.get(f"http://127.0.0.1:{address.free_port(0)}")
