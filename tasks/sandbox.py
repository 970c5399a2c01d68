"""How is a file from a stranger decoded, so that it can harm nothing but itself?

In a child process that can use so much memory and processor time, and can open no file and no socket. The child lives
long and handles many items; when one kills it (a crash in a codec, an endless loop, too much memory), it is replaced,
the item is tried again, and after `attempts` it is E_POISON. Its neighbours never notice.

Reads   (name, bytes) pairs; the decoder is named "module:function", a function (data, limits) -> dict
Writes  the journal: how often each unfinished item was begun, written before it is begun. An item that takes down this
        process too (the machine ran out of memory) is alone when it is tried again, and is given up like any other.

Frames on the pipes are a 4-byte length and the bytes; replies are JSON, never pickle: the child may be taken over.
Covered, on Linux: RLIMIT_AS, RLIMIT_CPU, RLIMIT_FSIZE = 0, no new descriptors, no core file, none of our environment.
Not covered: system calls other than those (no seccomp in the standard library), fork among them; on other systems there
is no RLIMIT_AS. Only `ingest` decodes in here: what has passed is decoded by the later stages in their own process.
"""

from __future__ import annotations

import json
import os
import selectors
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from . import durable, sandbox_child
from .model import StageFailed

CHUNK_ITEMS, CHUNK_BYTES = 256, 32 * 2**20  # begun together: one line in the journal
WINDOW = 8  # items in a child's pipe at once, so that it never waits for us
START_SECONDS = 120.0  # for the child's imports on a busy machine
PATIENCE = 4  # wall clock over processor time: a busy machine must not turn a good file into poison
LONGEST_REPLY = 2**20  # bytes; a reply is a few hundred

Item = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item: what the decoder returned, or a code of model.CODES and one sentence."""

    result: Mapping[str, Any] | None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Confinement:
    """What one item may use."""

    seconds: float = 10.0  # processor time; wall clock: PATIENCE times as much
    memory_mb: int = 2048  # MiB of address space above what the child has after its imports
    attempts: int = 3


@dataclass(eq=False)
class _Child:
    process: subprocess.Popen[bytes]
    deadline: float  # on the monotonic clock, for the item at the head, or for the start
    ready: bool = False
    waiting: deque[Item] = field(default_factory=deque)  # sent and unanswered; the first one is in work
    outbox: bytearray = field(default_factory=bytearray)
    inbox: bytearray = field(default_factory=bytearray)


class Sandbox:
    """A few children that decode. Use it as a context manager: they start with the first item and end with it."""

    def __init__(
        self, decoder: str, limits: Mapping[str, int], *, confinement: Confinement | None = None, cores: int = 0
    ) -> None:
        self.decoder, self.limits = decoder, dict(limits)
        self.confinement = confinement or Confinement()
        self._cores = cores or len(os.sched_getaffinity(0))
        self._children: list[_Child] = []

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children:
            _end(child)
        self._children = []

    def decode(self, items: Iterable[Item], *, journal: Path) -> Iterator[tuple[str, Outcome]]:
        """(name, Outcome) for each item, in order; a name is unique. The caller removes the journal once it has saved
        what came out."""
        begun: dict[str, int] = json.loads(journal.read_text()) if journal.exists() else {}
        for chunk in _chunks(items, begun):
            outcomes = self._decode_chunk(chunk, begun, journal)
            for name, _ in chunk:
                begun.pop(name, None)
            yield from ((name, outcomes[name]) for name, _ in chunk)

    def _decode_chunk(self, chunk: list[Item], begun: dict[str, int], journal: Path) -> dict[str, Outcome]:
        outcomes = {name: self._poison() for name, _ in chunk if begun.get(name, 0) >= self.confinement.attempts}
        todo = deque(item for item in chunk if item[0] not in outcomes)
        if not todo:
            return outcomes
        for name, _ in todo:
            begun[name] = begun.get(name, 0) + 1
        durable.write_text(journal, json.dumps(begun))
        while len(self._children) < min(self._cores, len(todo)):
            self._children.append(self._start())
        while len(outcomes) < len(chunk):
            for child in self._children:
                while todo and len(child.waiting) < WINDOW:
                    _give(child, todo.popleft(), self.confinement.seconds)
            for child in self._exchange(outcomes):
                self._children[self._children.index(child)] = self._start()
                if not child.waiting:
                    continue
                name = child.waiting[0][0]  # it answers in order: what stands first was in work
                if begun[name] >= self.confinement.attempts:
                    outcomes[name] = self._poison()
                    child.waiting.popleft()
                else:
                    begun[name] += 1
                    durable.write_text(journal, json.dumps(begun))  # before the risky work, not after
                todo.extendleft(reversed(child.waiting))
        return outcomes

    def _poison(self) -> Outcome:
        return Outcome(None, "E_POISON", f"The file stopped the decoder {self.confinement.attempts} times.")

    def _start(self) -> _Child:
        settings = {
            "decoder": self.decoder,
            "limits": self.limits,
            "seconds": self.confinement.seconds,
            "wall": PATIENCE * self.confinement.seconds,
            "memory_mb": self.confinement.memory_mb,
        }
        # None of our environment but where the modules are: what takes over the child finds no secrets there.
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", sandbox_child.__name__, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**kept, "PYTHONPATH": _import_path(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
        return _Child(process, time.monotonic() + START_SECONDS)

    def _exchange(self, outcomes: dict[str, Outcome]) -> list[_Child]:
        """Write and read what the pipes take and hold; returns the children that died, or had to be killed."""
        dead = []
        with selectors.DefaultSelector() as selector:
            for child in self._children:
                assert child.process.stdin is not None and child.process.stdout is not None
                selector.register(child.process.stdout, selectors.EVENT_READ, child)
                if child.outbox:
                    selector.register(child.process.stdin, selectors.EVENT_WRITE, child)
            first = min((child.deadline for child in self._children if child.waiting), default=0.0)
            events = selector.select(max(0.0, first - time.monotonic()))
        for key, event in events:
            child = key.data
            if event & selectors.EVENT_WRITE:
                _write(child)
            elif not self._read(child, outcomes):
                dead.append(child)
        now = time.monotonic()
        late = [child for child in self._children if child.waiting and now > child.deadline and child not in dead]
        for child in (*dead, *late):
            _end(child)
            if not child.ready:
                raise StageFailed(
                    f"The decoder '{self.decoder}' does not start. Install again: remove .venv, then run make setup"
                )
        return [*dead, *late]

    def _read(self, child: _Child, outcomes: dict[str, Outcome]) -> bool:
        """Take the replies that are there; False when there will be none any more."""
        assert child.process.stdout is not None
        try:
            piece = os.read(child.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return True
        child.inbox += piece
        while len(child.inbox) >= 4:
            (length,) = struct.unpack_from("!I", child.inbox)
            if length > LONGEST_REPLY:
                return False
            if len(child.inbox) < 4 + length:
                break
            try:
                reply = json.loads(bytes(child.inbox[4 : 4 + length]))
                outcome = Outcome(reply["result"], reply["code"], reply["message"])
            except (ValueError, KeyError, TypeError):
                return False
            del child.inbox[: 4 + length]
            child.deadline = time.monotonic() + PATIENCE * self.confinement.seconds
            if not child.ready:
                child.ready = True
            elif child.waiting:
                outcomes[child.waiting.popleft()[0]] = outcome
            else:
                return False  # it answers what nobody asked
        return bool(piece)


def _chunks(items: Iterable[Item], begun: Mapping[str, int]) -> Iterator[list[Item]]:
    """Items in chunks; one that was begun before and not finished stands alone, so that only the guilty is counted."""
    suspects = frozenset(begun)
    chunk: list[Item] = []
    size = 0
    for item in items:
        alone = item[0] in suspects
        if chunk and (alone or len(chunk) >= CHUNK_ITEMS or size + len(item[1]) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += len(item[1])
        if alone:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _give(child: _Child, item: Item, seconds: float) -> None:
    if not child.waiting and child.ready:
        child.deadline = time.monotonic() + PATIENCE * seconds
    child.waiting.append(item)
    child.outbox += struct.pack("!I", len(item[1])) + item[1]


def _write(child: _Child) -> None:
    assert child.process.stdin is not None
    try:
        written = os.write(child.process.stdin.fileno(), memoryview(child.outbox)[: 2**20])
    except BlockingIOError:
        return
    except BrokenPipeError:
        written = len(child.outbox)  # it is dead: reading finds that out
    del child.outbox[:written]


def _end(child: _Child) -> None:
    child.process.kill()
    child.process.wait()
    for pipe in (child.process.stdin, child.process.stdout):
        assert pipe is not None
        pipe.close()


def _import_path() -> str:
    """Where this process finds its modules, without the current folder: a user's own tasks.py must not win."""
    return os.pathsep.join(path for path in sys.path if path)
