"""How do `assay review` and `assay up` hear that they are to end, wherever they were started?

A script's shell starts what runs in the background with SIGINT ignored, and Python then leaves it so: `kill -INT` would
do nothing.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def heard() -> Iterator[None]:
    """SIGINT and SIGTERM are a KeyboardInterrupt in here; nothing changes but in the main thread, which hears them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
