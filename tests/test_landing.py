"""What a row may point at: a regular file below the landing folder, and nothing else."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks import landing
from tasks.formats import Fault
from tasks.landing import Landing, parts_of, plain_parts
from tasks.model import DropRejected


def fault_of(path: str) -> tuple[str, str]:
    with pytest.raises(Fault) as caught:
        parts_of(path)
    return caught.value.code, str(caught.value)


def read_fault(folder: Path, path: str) -> tuple[str, str]:
    with Landing(folder) as opened, pytest.raises(Fault) as caught:
        opened.read(parts_of(path))
    return caught.value.code, str(caught.value)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../a.png", "'..'"),
        ("a/../b.png", "'..'"),
        ("/etc/passwd", "an absolute path"),
        ("//host/share", "an absolute path"),
        ("..\\a.png", "a backslash"),
        ("C:\\a.png", "a backslash"),
        ("C:a.png", "a scheme or drive"),
        ("file:///etc/passwd", "a scheme or drive"),
        ("http://127.0.0.1/a.png", "a scheme or drive"),
        ("s3://bucket/a.png", "a scheme or drive"),
        ("simplecache::http://169.254.169.254/", "a scheme or drive"),
        ("a.zip::b.png", "a scheme or drive"),
        (".", "no file name"),
    ],
)
def test_a_path_that_could_leave_the_drop_is_refused_by_its_spelling(path: str, why: str) -> None:
    shown = path
    assert fault_of(path) == (
        "E_ASSET_PATH",
        f"Path '{shown}' has {why}. A relative path inside the drop is allowed.",
    )


def test_a_row_without_a_path_and_one_with_a_control_character_are_refused() -> None:
    assert fault_of("") == ("E_ASSET_PATH", "The row has no path. A relative path inside the drop is allowed.")
    assert fault_of("a\tb.png") == (
        "E_ASSET_PATH",
        "Path 'a\\tb.png' has a control character. A relative path inside the drop is allowed.",
    )


@pytest.mark.parametrize("kind", [*landing.PICKLES, *landing.ARCHIVES])
def test_pickles_and_archives_are_never_opened(kind: str) -> None:
    assert fault_of(f"a/b{kind.upper()}") == (
        "E_ASSET_FORMAT",
        f"Path 'a/b{kind.upper()}' names a '{kind}' file, which is never opened. Images and texts are allowed.",
    )


def test_a_plain_path_is_taken_as_it_is() -> None:
    assert parts_of("./a//b c/é%2e%2e.png") == ("a", "b c", "é%2e%2e.png")
    assert plain_parts("labels.csv.gz") == ("labels.csv.gz",)
    assert parts_of("12:30.png") == ("12:30.png",)


def test_a_file_is_read_and_an_absent_empty_or_odd_one_is_the_fault_of_its_row(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"one")
    (tmp_path / "a" / "0.png").touch()
    os.mkfifo(tmp_path / "a" / "pipe.png")
    with Landing(tmp_path) as opened:
        assert opened.read(("a", "1.png")) == b"one"
        assert opened.sha256(("a", "0.png")) == hashlib.sha256(b"").hexdigest()
    assert read_fault(tmp_path, "a/2.png") == ("E_ASSET_MISSING", "File 'a/2.png' is not in the drop.")
    assert read_fault(tmp_path, "b/1.png") == ("E_ASSET_MISSING", "File 'b/1.png' is not in the drop.")
    assert read_fault(tmp_path, "a/1.png/x") == ("E_ASSET_MISSING", "File 'a/1.png/x' is not in the drop.")
    assert read_fault(tmp_path, "a/0.png") == (
        "E_ASSET_EMPTY",
        "File 'a/0.png' has 0 bytes. An image or a text is allowed.",
    )
    no_file = "is not a regular file. Files are allowed."
    assert read_fault(tmp_path, "a") == ("E_ASSET_PATH", f"Path 'a' {no_file}")
    assert read_fault(tmp_path, "a/pipe.png") == ("E_ASSET_PATH", f"Path 'a/pipe.png' {no_file}")
    assert read_fault(tmp_path, "x" * 300) == (
        "E_ASSET_PATH",
        f"Path '{'x' * 80}...' has too long a name. At most 255 bytes are allowed.",
    )


def test_a_socket_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket may have 107 bytes at most
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.png")
        assert read_fault(tmp_path, "s.png") == (
            "E_ASSET_PATH",
            "Path 's.png' is not a regular file. Files are allowed.",
        )


def test_a_link_anywhere_on_the_path_is_refused(tmp_path: Path) -> None:
    secret, drop = tmp_path / "secret", tmp_path / "drop"
    secret.mkdir()
    (secret / "key.png").write_bytes(b"secret")
    (drop / "real").mkdir(parents=True)
    (drop / "real" / "1.png").write_bytes(b"x")
    (drop / "key.png").symlink_to(secret / "key.png")
    (drop / "more").symlink_to(secret)
    (drop / "inside").symlink_to("real")
    (drop / "dangling.png").symlink_to("nowhere")
    for path in ("key.png", "more/key.png", "inside/1.png", "dangling.png"):
        assert read_fault(drop, path) == (
            "E_SYMLINK",
            f"Path '{path}' has a link in it. Files and folders are allowed.",
        )


def test_a_file_above_the_cap_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "big.png").touch()
    os.truncate(tmp_path / "big.png", landing.ASSET_BYTES + 1)  # sparse: takes no room
    assert read_fault(tmp_path, "big.png") == (
        "E_ASSET_TOO_LARGE",
        "File 'big.png' has 268,435,457 bytes. At most 268,435,456 are allowed.",
    )


def test_many_folders_are_read_with_few_of_them_open(tmp_path: Path) -> None:
    for n in range(200):
        (tmp_path / "a" / str(n)).mkdir(parents=True)
        (tmp_path / "a" / str(n) / "1.png").write_bytes(b"%d" % n)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with Landing(tmp_path) as opened:
        for n in (*range(200), *range(0, 200, 7)):
            assert opened.read(("a", str(n), "1.png")) == b"%d" % n
        if before:
            assert len(os.listdir("/proc/self/fd")) - before <= landing.OPEN_FOLDERS + 1
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


SPELLING = st.lists(
    st.sampled_from(["..", ".", "/", "\\", "%2e%2e", "secret", "key.png", "~", "\0", "::", "file:", "in", " ", "*"]),
    max_size=7,
).map("".join)


@settings(deadline=None, max_examples=300)
@given(SPELLING)
@example("in/../../secret/key.png")
def test_no_spelling_reaches_outside(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    root = tmp_path_factory.getbasetemp() / "spelling"
    if not root.exists():
        (root / "secret").mkdir(parents=True)
        (root / "secret" / "key.png").write_bytes(b"secret")
        (root / "drop" / "in").mkdir(parents=True)
        (root / "drop" / "in" / "key.png").write_bytes(b"mine")
        (root / "drop" / "secret").symlink_to(root / "secret")
    with Landing(root / "drop") as opened:
        try:
            assert opened.read(parts_of(path)) == b"mine"
        except Fault as fault:
            assert fault.code in ("E_ASSET_PATH", "E_ASSET_MISSING", "E_SYMLINK")


def test_the_fingerprint_sees_a_change_that_keeps_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    state = (tmp_path / "a.png").stat()
    with Landing(tmp_path) as opened:
        first = opened.fingerprint()
        assert opened.fingerprint() == first
        (tmp_path / "a.png").write_bytes(b"two")
        os.utime(tmp_path / "a.png", ns=(state.st_atime_ns, state.st_mtime_ns))
        assert opened.fingerprint() != first


def test_the_checksums_of_success_are_read_and_other_lines_left_alone(tmp_path: Path) -> None:
    sha = "AB" * 32
    with Landing(tmp_path) as opened:
        assert opened.checksums() == {}
        (tmp_path / "_SUCCESS").touch()
        assert opened.checksums() == {}
        (tmp_path / "_SUCCESS").write_text(f"done\n{sha}  ./a b.png\n{sha} *c.png\r\n")
        assert opened.checksums() == {"a b.png": sha.lower(), "c.png": sha.lower()}
        (tmp_path / "_SUCCESS").write_text(f"{'ab' * 16}  a.png\n")
        with pytest.raises(DropRejected) as caught:
            opened.checksums()
    assert caught.value.code == "E_MANIFEST"
    assert str(caught.value) == (
        f"Line 1 of _SUCCESS is no '<sha256>  <path>': '{'ab' * 16}  a.png'. "
        "Deliver the listed files again, or correct the checksums in _SUCCESS."
    )
