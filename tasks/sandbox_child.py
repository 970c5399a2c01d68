"""What does the child of the sandbox do? It confines itself, then answers items until its input ends.

Started by sandbox.py as `python -P -m tasks.sandbox_child SETTINGS`; frames are described there.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import signal
import struct
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from .modalities import Unreadable

Decoder = Callable[[bytes, Mapping[str, int]], Mapping[str, Any]]


def serve(decode: Decoder, limits: Mapping[str, int], *, seconds: float, wall: float, memory_mb: int) -> None:
    """Answer each item on standard input with one reply on standard output; ends with the input.

    Whatever a decoder raises but Unreadable ends this process, MemoryError too: a fresh child tries the item again.
    """
    items, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # what a codec prints must not look like a reply
    os.close(nowhere)
    warnings.simplefilter("ignore")  # showing one would read source files
    confine(memory_mb)
    _reply(replies, None)
    while header := items.read(4):
        (length,) = struct.unpack("!I", header)
        data = items.read(length)
        _allow(seconds, wall)
        try:
            result = decode(data, limits)
        except Unreadable as reason:
            _reply(replies, None, reason.code, str(reason))
        else:
            _reply(replies, result)
        signal.setitimer(signal.ITIMER_REAL, 0)


def confine(memory_mb: int) -> None:
    """Give up, for good, what decoding does not need: memory, files, sockets, core files."""
    taken = _address_space()
    free = os.open(os.devnull, os.O_RDONLY)  # the lowest free descriptor: none from here on can be opened
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if taken:
        most = taken + memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _address_space() -> int:
    """Bytes of address space that the interpreter and its libraries have taken; 0 where it cannot be known."""
    try:
        with open("/proc/self/statm", encoding="ascii") as status:
            return int(status.read().split()[0]) * resource.getpagesize()
    except FileNotFoundError:
        return 0


def _allow(seconds: float, wall: float) -> None:
    """The next item's share: processor time, and wall time in case nobody is left to watch. Both end the process."""
    soft = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    signal.setitimer(signal.ITIMER_REAL, wall)


def _reply(replies: BinaryIO, result: Mapping[str, Any] | None, code: str | None = None, message: str = "") -> None:
    content = json.dumps({"result": result, "code": code, "message": message}).encode()
    replies.write(struct.pack("!I", len(content)) + content)
    replies.flush()


def main(settings: Mapping[str, Any]) -> None:
    module, _, function = settings["decoder"].partition(":")
    decode = getattr(importlib.import_module(module), function)
    serve(
        decode,
        settings["limits"],
        seconds=settings["seconds"],
        wall=settings["wall"],
        memory_mb=settings["memory_mb"],
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
