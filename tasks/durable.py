"""How does a byte reach the disk so that no crash can halve it?

Temp file in the same folder -> write -> fsync -> rename -> fsync of the folder; or append + fsync.
Nothing else in Assay writes state. Every operation is numbered: `ASSAY_KILL_AT=n` in the environment kills the process
(SIGKILL) just before its n-th operation, which is how the tests go through every crash point of a command.

Covered: kill -9 and power loss at any operation, full disk (the temp file is removed, the old content stays).
Not covered: a disk that lies about fsync; bit rot (sha256 manifests and `assay verify` find that).
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .model import Mistake

_operations = itertools.count(1)
_named: set[Path] = set()  # logs whose names this process has brought to the disk


def restart_count() -> None:
    """Number operations from 1 again: a forked child counts its own."""
    global _operations
    _operations = itertools.count(1)


def step(name: str) -> None:
    """Count one durable operation; die here if ASSAY_KILL_AT names it. Called before each operation, never after."""
    n = next(_operations)
    if trace := os.environ.get("ASSAY_TRACE_OPS"):
        with open(trace, "a", encoding="utf-8") as log:
            log.write(f"{os.getpid()} {n} {name}\n")
    if os.environ.get("ASSAY_KILL_AT") == str(n):
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _trouble_is_a_sentence(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Mistake(
                f"The disk is full at '{path}'. Nothing was half written; free space and try again."
            ) from None
        if error.errno == errno.EIO:
            raise Mistake(
                f"The disk fails at '{path}' ({error.strerror}). Nothing was half written; mend it and try again."
            ) from None
        raise


def sync_folder(folder: Path) -> None:
    """fsync a folder, so that the names in it survive power loss."""
    step(f"fsync-folder {folder.name}")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    step(f"fsync {path.name}")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_with(path: Path, writer: Callable[[Path], None]) -> None:
    """Let `writer` fill a temp file beside `path`, then put it in place: readers see the old content or the new one.

    The temp name ends in `.tmp-<pid>`; one left by a crash is overwritten or swept, never read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    with _trouble_is_a_sentence(path):
        try:
            step(f"write {path.name}")
            writer(temporary)
            sync_file(temporary)
            step(f"rename {path.name}")
            os.replace(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, all of it or none."""
    write_with(path, lambda temporary: _fill(temporary, content))


def _fill(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8 to `path`, all of it or none."""
    write_bytes(path, content.encode())


def append(path: Path, content: bytes) -> None:
    """Append whole lines and fsync before returning: what this has returned from survives a crash.

    A torn last line (left by a crash in an earlier append) is cut off first: it was never acknowledged.
    """
    assert content.endswith(b"\n"), "append whole lines"
    path.parent.mkdir(parents=True, exist_ok=True)
    named = path.exists() and path.absolute() in _named
    with _trouble_is_a_sentence(path):
        with open(path, "ab+", buffering=0) as log:  # a buffer would write again, on closing, what had failed
            mend_torn_tail(log.fileno())
            size = os.fstat(log.fileno()).st_size
            try:
                step(f"append {path.name}")
                left = memoryview(content)
                while left:
                    left = left[log.write(left) :]
                step(f"fsync {path.name}")
                os.fsync(log.fileno())
            except OSError:
                os.ftruncate(log.fileno(), size)
                raise
        if not named:  # also when it was there: whoever made it may have been killed before it synced the name
            sync_folder(path.parent)
            _named.add(path.absolute())


def mend_torn_tail(descriptor: int) -> int:
    """Cut what follows the last newline of an open log; returns the number of bytes cut."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) == b"\n":
        return 0
    end = size
    while end > 0:
        start = max(0, end - 65536)
        chunk = os.pread(descriptor, end - start, start)
        newline = chunk.rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        step("cut torn tail")
        os.ftruncate(descriptor, end)
    return size - end


def move_into_place(staged: Path, final: Path) -> None:
    """Give a finished folder its final name: its files are synced first, so the name means complete."""
    for path in sorted(staged.rglob("*")):
        if path.is_file():
            sync_file(path)
    for folder in (*sorted((p for p in staged.rglob("*") if p.is_dir()), reverse=True), staged):
        sync_folder(folder)
    final.parent.mkdir(parents=True, exist_ok=True)
    step(f"rename-folder {final.name}")
    os.rename(staged, final)
    sync_folder(final.parent)


@contextmanager
def fresh_folder(final: Path, *, staging: Path | None = None) -> Iterator[Path]:
    """A temp folder beside `final` to fill; on success it replaces `final`, on an error nothing has changed.

    `staging`, on the same disk, takes the temp folder where those beside `final` would be listed with it.
    Between the two renames of a replacement a crash can leave `final` absent; stages may, because DVC removes a
    stage's outs before it runs and reruns what is missing. Records that must never be absent use write_with.
    """
    staged = (staging or final.parent) / f".{final.name}.tmp-{os.getpid()}"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    with _trouble_is_a_sentence(final):
        try:
            yield staged
            if final.exists():
                old = final.with_name(f".{final.name}.old-{os.getpid()}")
                step(f"set-aside {final.name}")
                os.rename(final, old)
                move_into_place(staged, final)
                shutil.rmtree(old)
            else:
                move_into_place(staged, final)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise


def sweep(folder: Path) -> list[Path]:
    """Remove what a crash left behind in `folder`: temp files and temp folders of processes that are gone."""
    swept = []
    for path in (*folder.glob(".*.tmp-*"), *folder.glob(".*.old-*")):
        pid = path.name.rpartition("-")[2]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            swept.append(path)
    return swept


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
