"""Can a crash, a full disk or a reader at the wrong moment ever see half of what durable.py writes?"""

from __future__ import annotations

import errno
import os
import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crash import Fault, forked, go_through, lost_by_power, raise_at, trace
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import durable
from tasks.model import Mistake

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded, use of fork:DeprecationWarning",
)
OLD, NEW = b"old\n" * 3, b"newer\n" * 40_000  # NEW does not fit into one write of a buffer


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with one file, in a folder of its own, as the harness copies it."""
    place = tmp_path / "beside" / "place"
    place.mkdir(parents=True)
    (place / "file").write_bytes(OLD)
    return place


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.exists() else {}


# --- one file --------------------------------------------------------------------------------------------------------


def test_a_reader_sees_the_old_content_or_the_new_one_and_nothing_else(place: Path) -> None:
    seen: dict[bytes, int] = {}
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            content = (place / "file").read_bytes()
            seen[content] = seen.get(content, 0) + 1

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(150):
            durable.write_bytes(place / "file", NEW)
            durable.write_bytes(place / "file", OLD)
    finally:
        done.set()
        reader.join()
    assert set(seen) == {OLD, NEW}


def test_a_writer_that_fails_leaves_the_old_content_and_no_temp_file(place: Path) -> None:
    def half(temporary: Path) -> None:
        assert (temporary.parent, temporary.name) == (place, f".file.tmp-{os.getpid()}")
        temporary.write_bytes(NEW[:9])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        durable.write_with(place / "file", half)
    assert contents(place) == {"file": OLD}


def test_text_is_utf_8_and_missing_folders_are_made(tmp_path: Path) -> None:
    durable.write_text(tmp_path / "a" / "b" / "c", "Zwölf\n")
    assert (tmp_path / "a" / "b" / "c").read_bytes() == "Zwölf\n".encode()


def write(place: Path) -> None:
    durable.write_bytes(place / "file", NEW)


def test_a_kill_before_any_step_of_a_write_leaves_old_or_new(place: Path) -> None:
    def old_or_new(place: Path) -> list[str]:
        return [] if (place / "file").read_bytes() in (OLD, NEW) else ["half"]

    def new_and_swept(place: Path) -> list[str]:
        durable.sweep(place)
        return [] if contents(place) == {"file": NEW} else names(place)

    assert go_through(place, write, at_rest=old_or_new, when_done=new_and_swept) == (4, [])
    assert go_through(place, write_in_place, at_rest=old_or_new, when_done=new_and_swept) == (
        2,
        ["kill at 2 (write the rest): half"],
    )


def write_in_place(place: Path) -> None:
    """The planted fault: what durable.py is there to prevent."""
    durable.step("write half")
    (place / "file").write_bytes(NEW[:9])
    durable.step("write the rest")
    (place / "file").write_bytes(NEW)


def test_the_steps_of_a_write_are_in_an_order_that_survives_a_power_cut(place: Path) -> None:
    steps = trace(write, place)
    assert [step.split(" ")[0] for step in steps] == ["write", "fsync", "rename", "fsync-folder"]
    assert lost_by_power(steps) == []
    assert lost_by_power([steps[0], *steps[2:]])[0] == "file is renamed before its bytes are on the disk"
    assert lost_by_power(steps[:3]) == ["the name file is not on the disk at 'end'"]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSPC, "The disk is full at '{}'. Nothing was half written; free space and try again."),
        (errno.EDQUOT, "The disk is full at '{}'. Nothing was half written; free space and try again."),
        (errno.EIO, "The disk fails at '{}' (Input/output error). Nothing was half written; mend it and try again."),
    ],
)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_disk_in_trouble_before_the_rename_is_a_sentence_and_the_old_content_stays(
    place: Path, monkeypatch: pytest.MonkeyPatch, code: int, sentence: str, n: int
) -> None:
    monkeypatch.setattr(durable, "step", durable.step)  # so that what raise_at puts there goes again
    raise_at(code)(n)
    with pytest.raises(Mistake) as caught:
        write(place)
    assert str(caught.value) == sentence.format(place / "file")
    assert contents(place) == {"file": OLD}
    write(place)
    assert contents(place) == {"file": NEW}


def test_any_other_error_of_the_system_is_not_called_a_full_disk(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "step", durable.step)
    raise_at(errno.EACCES)(2)
    with pytest.raises(PermissionError):
        write(place)
    assert contents(place) == {"file": OLD}


def in_a_child_that_may_write(limit: int, work: Callable[[], object]) -> str:
    """`work` where files cannot grow beyond `limit` bytes: a real write that stops in the middle."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        work()

    return forked(limited).partition("\n")[0]


def test_a_write_that_stops_in_the_middle_leaves_the_old_content(place: Path) -> None:
    outcome = in_a_child_that_may_write(1000, lambda: write(place))
    assert outcome == "OSError: [Errno 27] File too large"
    assert contents(place) == {"file": OLD}


# --- a log -----------------------------------------------------------------------------------------------------------


def test_lines_are_appended_in_order_and_a_new_log_gets_its_name_synced_once(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "log"

    def three(_: Path) -> None:
        for n in range(3):
            durable.append(log, b"line %d\n" % n)

    steps = trace(three, tmp_path / "unused")
    assert steps == ["append log", "fsync log", "fsync-folder logs", *["append log", "fsync log"] * 2]
    assert lost_by_power(steps) == []
    assert log.read_bytes() == b"line 0\nline 1\nline 2\n"


def test_a_log_whose_maker_was_killed_before_its_name_was_synced_gets_that_from_the_next(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def killed() -> None:
        os.environ["ASSAY_KILL_AT"] = "3"
        durable.append(log, b"one\n")

    assert forked(killed) == "killed"
    assert log.read_bytes() == b"one\n"
    steps = trace(lambda _: durable.append(log, b"two\n"), tmp_path / "unused")
    assert steps == ["append log", "fsync log", f"fsync-folder {tmp_path.name}"]


def test_only_whole_lines_are_appended(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="append whole lines"):
        durable.append(tmp_path / "log", b"half")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"one\n", b"one\n"),
        (b"one\ntw", b"one\n"),
        (b"one", b""),
        (b"one\n" + b"x" * 65_535, b"one\n"),  # the newline is the first byte of the last block that is read
        (b"one\n" + b"x" * 65_536, b"one\n"),  # the last byte of the one before
        (b"one\n" + b"x" * 200_000, b"one\n"),
        (b"x" * 200_000, b""),
    ],
)
def test_a_torn_tail_is_cut_before_the_next_line(tmp_path: Path, before: bytes, after: bytes) -> None:
    log = tmp_path / "log"
    log.write_bytes(before)
    with open(log, "rb+") as file:
        assert durable.mend_torn_tail(file.fileno()) == len(before) - len(after)
    assert log.read_bytes() == after
    log.write_bytes(before)
    durable.append(log, b"next\n")
    assert log.read_bytes() == after + b"next\n"


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from([b"\n", b"a", b"\r", b"\x00", b"long" * 20_000]), max_size=6))
def test_what_stands_before_the_last_newline_is_never_touched(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    log, content = tmp_path_factory.mktemp("torn") / "log", b"".join(pieces)
    log.write_bytes(content)
    with open(log, "rb+") as file:
        durable.mend_torn_tail(file.fileno())
    assert log.read_bytes() == content[: content.rfind(b"\n") + 1]


def append(place: Path) -> None:
    durable.append(place / "file", b"one\ntwo\n")
    (place.parent / "acknowledged").touch()


def test_a_kill_before_any_step_of_an_append_loses_no_line_and_no_acknowledged_one(place: Path) -> None:
    (place / "file").write_bytes(OLD + b"torn")

    def lines(place: Path) -> list[str]:
        log, added = (place / "file").read_bytes(), b"one\ntwo\n"
        acknowledged = (place.parent / "acknowledged").exists()
        whole = [OLD + added, OLD + 2 * added] if acknowledged else [OLD + b"torn", OLD, OLD + added]
        return [] if log in whole else [repr(log)]

    points, problems = go_through(place, append, at_rest=lines, when_done=lines)
    assert (points, problems) == (4, [])
    for code in (errno.ENOSPC, errno.EIO):
        points, problems = go_through(place, append, at_rest=lines, when_done=lines, fault=Fault("", raise_at(code)))
        assert (points, problems) == (4, [])


@pytest.mark.parametrize("more", [0, 1, 5])
def test_an_append_that_stops_in_the_middle_leaves_the_log_as_it_was(place: Path, more: int) -> None:
    limit = len(OLD) + more
    outcome = in_a_child_that_may_write(limit, lambda: durable.append(place / "file", b"three\nfour\n"))
    assert outcome == "OSError: [Errno 27] File too large"
    assert contents(place) == {"file": OLD}
    durable.append(place / "file", b"three\nfour\n")
    assert contents(place) == {"file": OLD + b"three\nfour\n"}


# --- a folder --------------------------------------------------------------------------------------------------------


def fill(place: Path) -> None:
    with durable.fresh_folder(place / "folder") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "a").write_bytes(b"new a")
        durable.write_bytes(folder / "b", b"new b")


def state(place: Path) -> dict[str, bytes]:
    folder = place / "folder"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


FILLED = {"b": b"new b", "deep/a": b"new a"}


def filled_and_swept(place: Path) -> list[str]:
    durable.sweep(place)
    return [] if (state(place), sorted(os.listdir(place))) == (FILLED, ["file", "folder"]) else names(place)


def test_a_kill_before_any_step_of_making_a_folder_leaves_all_of_it_or_nothing(place: Path) -> None:
    def all_or_nothing(place: Path) -> list[str]:
        return [] if not (place / "folder").exists() or state(place) == FILLED else names(place / "folder")

    points, problems = go_through(place, fill, at_rest=all_or_nothing, when_done=filled_and_swept)
    assert (points, problems) == (10, [])


def test_a_kill_while_a_folder_is_replaced_leaves_old_new_or_between_two_renames_none(place: Path) -> None:
    (place / "folder").mkdir()
    (place / "folder" / "older").write_bytes(b"old")

    def old_or_new(place: Path) -> list[str]:
        if not (place / "folder").exists():
            return ["none"]
        return [] if state(place) in ({"older": b"old"}, FILLED) else names(place / "folder")

    points, problems = go_through(place, fill, at_rest=old_or_new, when_done=filled_and_swept)
    aside = trace(fill, place).index("set-aside folder") + 1
    assert (points, problems[0]) == (11, f"kill at {aside + 1} (fsync b): none")
    assert all(problem.endswith(": none") for problem in problems)
    assert problems[-1].endswith("(rename-folder folder): none")


def test_a_folder_takes_its_name_after_all_of_its_files_and_folders_are_on_the_disk(place: Path) -> None:
    steps = trace(fill, place)[4:]
    staged = next(step for step in steps if "tmp-" in step)
    assert steps == ["fsync b", "fsync a", "fsync-folder deep", staged, "rename-folder folder", "fsync-folder place"]
    assert staged.startswith("fsync-folder .folder.tmp-")


@pytest.mark.parametrize("n", range(1, 10))
def test_a_full_disk_while_a_folder_is_filled_changes_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    monkeypatch.setattr(durable, "step", durable.step)
    raise_at(errno.ENOSPC)(n)
    with pytest.raises(Mistake, match=r"^The disk is full at '.*'\. Nothing was half written; free space"):
        fill(place)
    assert names(place) == ["file"]


def test_an_error_while_a_folder_is_filled_leaves_the_older_one(place: Path) -> None:
    fill(place)
    with pytest.raises(ZeroDivisionError), durable.fresh_folder(place / "folder") as folder:
        (folder / "b").write_bytes(b"half")
        raise ZeroDivisionError
    assert (state(place), sorted(os.listdir(place))) == (FILLED, ["file", "folder"])


def test_a_folder_may_be_filled_elsewhere_out_of_sight(place: Path) -> None:
    staging = place.parent / "staging"
    with durable.fresh_folder(place / "folder", staging=staging) as folder:
        assert (folder.parent, names(place)) == (staging, ["file"])
        (folder / "b").write_bytes(b"new")
    assert (names(place), names(staging)) == (["file", "folder", "folder/b"], [])


# --- leftovers and numbers -------------------------------------------------------------------------------------------


@pytest.fixture
def dead() -> Iterator[int]:
    """The pid of a process that is gone."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    yield pid


def test_sweeping_takes_what_dead_processes_left_and_nothing_else(place: Path, dead: int) -> None:
    swept = [f".a.tmp-{dead}", f".b.tmp-{dead}", f".b.old-{dead}"]
    kept = [f".a.tmp-{os.getpid()}", ".a.tmp-1", ".a.tmp-x", f"a.tmp-{dead}", f".a.new-{dead}", "file"]
    for name in [*swept[:1], *kept[:-1]]:
        (place / name).write_bytes(b"")
    for name in swept[1:]:
        (place / name / "deep").mkdir(parents=True)
    assert sorted(path.name for path in durable.sweep(place)) == sorted(swept)
    assert sorted(os.listdir(place)) == sorted(kept)
    assert durable.sweep(place) == [] == durable.sweep(place / "no such folder")


def test_a_process_dies_before_the_step_that_the_environment_names(place: Path) -> None:
    def work() -> None:
        os.environ["ASSAY_KILL_AT"] = "2"
        write(place)

    assert forked(work) == "killed"
    (left,) = (name for name in names(place) if name != "file")
    assert left.startswith(".file.tmp-")
    assert contents(place) == {"file": OLD, left: NEW}


def test_steps_are_numbered_on_and_on_until_somebody_restarts_the_count(place: Path, tmp_path: Path) -> None:
    log = tmp_path / "trace"

    def twice_and_again() -> None:
        os.environ["ASSAY_TRACE_OPS"] = str(log)
        write(place)
        durable.append(place / "log", b"line\n")
        durable.restart_count()
        write(place)

    write(place)  # a child counts its own
    assert forked(twice_and_again) == ""
    assert [int(line.split()[1]) for line in log.read_text().splitlines()] == [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4]
