"""What may be read of a landing folder, which a stranger filled?

Reads   files below one folder, by relative paths that a row names
Source  reliability.md S1, S2, S6, S7

Covered: `..`, absolute paths, backslashes, drive letters, URIs and fsspec chains (refused by their spelling, before any
file system call); links anywhere on the path, devices, pipes, and links swapped in while we read (each component is
opened below the one before with O_NOFOLLOW, so no name is looked up twice); files that change or grow while being read.
Not covered: hard links (they are files like any other), Windows (it has no openat).
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from .formats import Fault, rejected, shown

SUCCESS = "_SUCCESS"
ASSET_BYTES = 256 * 2**20  # a larger file is the fault of its row
OPEN_FOLDERS = 64  # folder descriptors kept open
PICKLES = ".pkl .pickle .pt .pth .ckpt .npy .npz .joblib .dill".split()  # may run code when they are loaded
ARCHIVES = ".zip .tar .tgz .gz .bz2 .xz .zst .7z .rar .jar .whl".split()  # may unpack to anything

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CHECKSUM = re.compile(r"([0-9A-Fa-f]{64}) [ *](.+)")
_LOOKS_LIKE_ONE = re.compile(r"[0-9A-Fa-f]{32,}\s")


def parts_of(path: str) -> tuple[str, ...]:
    """The components of an asset's path; Fault E_ASSET_PATH for a spelling, E_ASSET_FORMAT for a kind not allowed."""
    parts = plain_parts(path)
    kind = os.path.splitext(parts[-1])[1].lower()
    if kind in (*PICKLES, *ARCHIVES):
        raise Fault(
            "E_ASSET_FORMAT",
            f"Path '{shown(path)}' names a '{kind}' file, which is never opened. Images and texts are allowed.",
        )
    return parts


def plain_parts(path: str) -> tuple[str, ...]:
    """The components of a relative path inside the drop; Fault E_ASSET_PATH for any other spelling.

    `./a//b.png` is `a/b.png`. Nothing is unquoted or normalised: `%2e%2e` is a name like any other.
    """
    if not path:
        raise Fault("E_ASSET_PATH", "The row has no path. A relative path inside the drop is allowed.")
    why = None
    if "\\" in path:
        why = "a backslash"
    elif "::" in path or _URI.match(path):
        why = "a scheme or drive"
    elif path.startswith("/"):
        why = "an absolute path"
    elif any(unicodedata.category(character) == "Cc" for character in path):
        why = "a control character"
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        why = "'..'"
    if why is None and not parts:
        why = "no file name"
    if why:
        raise Fault("E_ASSET_PATH", f"Path '{shown(path)}' has {why}. A relative path inside the drop is allowed.")
    return parts


class Landing:
    """One landing folder, open for reading below it and nowhere else. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._folders: OrderedDict[tuple[str, ...], int] = OrderedDict()

    def __enter__(self) -> Landing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in (self._root, *self._folders.values()):
            os.close(descriptor)

    def read(self, parts: tuple[str, ...]) -> bytes:
        """The bytes of one file; Fault with code and path if it is absent, a link, no file, empty or too large."""
        path = shown("/".join(parts))
        descriptor = self._open(parts, path)
        try:
            state = _regular(descriptor, path)
            if state.st_size > ASSET_BYTES:
                raise Fault(
                    "E_ASSET_TOO_LARGE",
                    f"File '{path}' has {state.st_size:,} bytes. At most {ASSET_BYTES:,} are allowed.",
                )
            if not state.st_size:
                raise Fault("E_ASSET_EMPTY", f"File '{path}' has 0 bytes. An image or a text is allowed.")
            pieces, left = [], state.st_size
            while left and (piece := os.read(descriptor, left)):
                pieces.append(piece)
                left -= len(piece)
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        finally:
            os.close(descriptor)

    def sha256(self, parts: tuple[str, ...]) -> str:
        """The hash of one file of any size; Fault as for `read`."""
        path = shown("/".join(parts))
        with open(self._open(parts, path), "rb") as file:
            _regular(file.fileno(), path)
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _open(self, parts: tuple[str, ...], path: str) -> int:
        folder, name = self._root, parts[0]
        try:
            for depth, name in enumerate(parts[:-1], start=1):  # noqa: B007 - the name that could not be opened
                folder = self._open_folder(parts[:depth], folder)
            name = parts[-1]
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError as error:
            raise _fault_of(error, folder, name, path) from None

    def _open_folder(self, parts: tuple[str, ...], above: int) -> int:
        if parts in self._folders:
            self._folders.move_to_end(parts)
            return self._folders[parts]
        opened = os.open(parts[-1], os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
        self._folders[parts] = opened
        if len(self._folders) > OPEN_FOLDERS:
            # the oldest one that no later step of this path stands on: those were just moved to the end
            os.close(self._folders.popitem(last=False)[1])
        return opened

    def walk(self) -> Iterator[tuple[str, os.stat_result]]:
        """(relative path, state) of every file and link below the folder in any order; hidden names are left out."""
        pending = [""]
        while pending:
            prefix = pending.pop()
            with os.scandir(self.folder / prefix) as listing:
                entries = list(listing)
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                relative = f"{prefix}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    pending.append(relative + "/")
                else:
                    yield relative, entry.stat(follow_symlinks=False)

    def fingerprint(self) -> str:
        """A cheap hash over names, sizes, times and inodes: equal means nothing was written meanwhile."""
        digest = hashlib.sha256()
        for relative, state in sorted(self.walk(), key=lambda found: found[0]):
            line = f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino} {state.st_mode}\n"
            digest.update(os.fsencode(relative) + b"\0" + line.encode())
        return digest.hexdigest()

    def shape(self) -> str:
        """A hash over the names and sizes of the files, without the marker: equal for a copy of the folder."""
        digest = hashlib.sha256()
        for relative, size in sorted((name, state.st_size) for name, state in self.walk() if name != SUCCESS):
            digest.update(os.fsencode(relative) + f"\0{size}\n".encode())
        return digest.hexdigest()

    def checksums(self) -> dict[str, str]:
        """Relative path -> sha256 as `_SUCCESS` lists them; lines that are no checksums are left alone."""
        try:
            content = self.read((SUCCESS,))
        except Fault as fault:
            if fault.code in ("E_ASSET_MISSING", "E_ASSET_EMPTY"):
                return {}
            raise rejected("E_MANIFEST", str(fault)) from None
        listed = {}
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            found = _CHECKSUM.fullmatch(line.rstrip())
            if not found and _LOOKS_LIKE_ONE.match(line):
                raise rejected("E_MANIFEST", f"Line {number} of {SUCCESS} is no '<sha256>  <path>': '{shown(line)}'.")
            if found:
                listed[found[2].removeprefix("./")] = found[1].lower()
        return listed


def _regular(descriptor: int, path: str) -> os.stat_result:
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode):
        raise Fault("E_ASSET_PATH", f"Path '{path}' is not a regular file. Files are allowed.")
    return state


def _fault_of(error: OSError, folder: int, name: str, path: str) -> Fault:
    """What is wrong with the row whose path could not be opened at component `name` of the open `folder`."""
    if error.errno == errno.ELOOP or (error.errno == errno.ENOTDIR and _is_link(folder, name)):
        return Fault("E_SYMLINK", f"Path '{path}' has a link in it. Files and folders are allowed.")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Fault("E_ASSET_MISSING", f"File '{path}' is not in the drop.")
    if error.errno == errno.ENAMETOOLONG:
        return Fault("E_ASSET_PATH", f"Path '{path}' has too long a name. At most 255 bytes are allowed.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Fault("E_ASSET_MISSING", f"File '{path}' may not be read by this user.")
    if error.errno == errno.ENXIO:  # a socket
        return Fault("E_ASSET_PATH", f"Path '{path}' is not a regular file. Files are allowed.")
    raise error


def _is_link(folder: int, name: str) -> bool:
    # a folder opened with O_NOFOLLOW | O_DIRECTORY says "not a directory" of a link, on Linux
    return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
