"""Clients of the writer under load, in a process that is killed: what they were told, and whether it is true.

Jepsen's set test: each client sends op after op; after a kill it sends the last acknowledged one again, as a browser
that lost the answer does, and whatever it was not told about. In the end every acknowledged op is in the journal
exactly once, and none that was never sent.
"""

from __future__ import annotations

import os
import random
import select
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasks import answers, durable
from tasks.model import Verdict
from tasks.review.writer import Writer

AT = "2024-05-01T10:00:00Z"
DOG = '"dog"'


def verdict(op: str, who: str, item: str = "a") -> Verdict:
    """A relabel to dog."""
    return Verdict(op, f"item:{item}", "relabel", who, AT, y=DOG, seen={"revision": None, "y": '"cat"'})


@dataclass(frozen=True)
class Told:
    """What came of a storm: the ops that were acknowledged, per client how many were sent, and the number of kills."""

    acknowledged: set[str]
    sent: dict[str, int]
    kills: int


def storm(
    workspace: Path,
    make: Callable[[Path], Writer],
    *,
    clients: int,
    pauses: tuple[float, float],
    kills: int,
    seconds: float = 0.0,
) -> Told:
    """Fork a process with a Writer and clients, kill it (-9) after a random pause (s), and again: `kills` at least."""
    rng = random.Random(7)
    done = {f"c{n}": 0 for n in range(clients)}  # client -> how many of its ops are acknowledged, in order
    acknowledged: set[str] = set()
    killed, ends = 0, time.monotonic() + seconds
    while killed < kills or time.monotonic() < ends:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            try:
                _child(workspace, make, dict(done), writer)
            finally:
                os._exit(1)
        os.close(writer)
        heard = bytearray()
        alive_since: float | None = None
        pause = rng.uniform(*pauses)
        while True:
            if select.select([reader], [], [], 0.005)[0]:
                heard += os.read(reader, 1 << 16)
                alive_since = alive_since or time.monotonic()  # from its first acknowledgement, so each life does work
            if alive_since is not None and time.monotonic() - alive_since > pause:
                break
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "it was to be killed, but ended by itself"
        while chunk := os.read(reader, 1 << 16):
            heard += chunk
        os.close(reader)
        killed += 1
        for op in heard.decode().split("\n")[:-1]:
            acknowledged.add(op)
            client, _, number = op.partition("-")
            done[client] = max(done[client], int(number) + 1)
    return Told(acknowledged, {client: count + 1 for client, count in done.items()}, killed)


def _child(workspace: Path, make: Callable[[Path], Writer], done: dict[str, int], told: int) -> None:
    durable.restart_count()
    writer = make(workspace)

    def client(name: str, number: int) -> None:
        while True:
            op = f"{name}-{number}"
            writer.submit([verdict(op, name, f"i{number}")]).result()
            os.write(told, f"{op}\n".encode())
            number += 1

    for name, number in done.items():
        threading.Thread(target=client, args=(name, max(0, number - 1)), daemon=True).start()
    time.sleep(60)


def untrue(workspace: Path, told: Told) -> list[str]:
    """The checker: what of what the clients were told is not so, one line each."""
    there = Counter(
        op
        for path in sorted((workspace / ".assay" / "journal").glob("*.jsonl"))
        for op in (one.op for _, one in answers.read_log(path))
    )
    sent = {f"{client}-{number}" for client, count in told.sent.items() for number in range(count)}
    return [
        *(f"{op} was acknowledged and is lost" for op in sorted(told.acknowledged - set(there))),
        *(f"{op} is there {count} times" for op, count in sorted(there.items()) if count > 1),
        *(f"{op} was never sent" for op in sorted(set(there) - sent)),
    ]
