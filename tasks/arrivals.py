"""Which folders in data/incoming are complete drops, which still grow, and which wait for a person?

Reads   data/incoming/<name>/, .assay/cache/receive/ (what was received already)
Writes  .assay/arrivals.json: each folder that waits, its state since when, and why in one sentence

The rule, in this order: received and untouched since -> nothing waits. Refused as it is now -> held until it changes.
_SUCCESS is there -> complete (its checksums are proved while it is received). Otherwise nothing may have changed for
`settle` seconds AND the folder must be whole: a labels table whose every file is there and not empty, and no name of an
unfinished copy; or class folders. Stable but not whole: still growing, and held after PATIENCE times `settle`.

Covered: a slow writer, files in any order, a supplier without a marker, a drop mended in place, the same drop again
under another name. Not covered: a supplier who writes nothing for `settle` seconds in the middle of class folders.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock

from . import delivery, durable, receipts, store
from .formats import Fault, shown
from .landing import SUCCESS, Landing, parts_of
from .model import DropRejected, Mistake

FILE = ".assay/arrivals.json"
PATIENCE = 10  # times `settle`: after that a folder that is not whole is held
UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart", ".download", ".swp", "~")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One folder in data/incoming that is not received."""

    name: str
    state: Literal["complete", "growing", "held"]
    why: str  # one sentence
    since: str  # UTC, ISO 8601: the folder has been as it is, in this state, since then
    fingerprint: str  # Landing.fingerprint
    code: str = ""  # why it is held, a code of model.CODES


def look(workspace: Path, *, now: str, settle: float) -> list[Arrival]:
    """Every folder that waits, complete ones first and in the order of completion. Remembers what it saw."""
    before = {arrival.name: arrival for arrival in seen(workspace)}
    found = [
        arrival
        for folder in sorted(_landings(workspace))
        if (arrival := _look_at(workspace, folder, before.get(folder.name), now, settle)) is not None
    ]
    order = {arrival.name: _completed(workspace, arrival) for arrival in found}
    found.sort(key=lambda arrival: (arrival.state != "complete", order[arrival.name], arrival.name))
    with _alone(workspace):  # a run may have held one of them while we looked
        meanwhile = [a for a in seen(workspace) if a.state == "held" and a != before.get(a.name)]
        held = {(a.name, a.fingerprint): a for a in meanwhile}
        found = [held.get((a.name, a.fingerprint), a) for a in found]
        _write(workspace, found, now)
    return found


def seen(workspace: Path) -> list[Arrival]:
    """What the last look found; nothing if there was none."""
    try:
        return [Arrival(**entry) for entry in store.read_json(workspace / FILE)["arrivals"]]
    except (Mistake, KeyError, TypeError):  # absent, or of another version: it is only remembered, and found again
        return []


def folders(workspace: Path, arrivals: Sequence[Arrival]) -> list[Path]:
    """The complete ones as folders, to be received."""
    return [workspace / "data" / "incoming" / a.name for a in arrivals if a.state == "complete"]


def fingerprint(folder: Path) -> str:
    """Landing.fingerprint of a folder; empty, which no folder has, where it cannot be read."""
    try:
        with Landing(folder) as landing:
            return landing.fingerprint()
    except OSError:
        return ""


def hold(workspace: Path, folder: Path, error: DropRejected, *, now: str, tried: str) -> None:
    """Remember that `folder` could not be received as it was: it is not tried again until it changes.

    `tried` is its fingerprint from BEFORE it was read: what was written meanwhile has not been tried.
    """
    held = Arrival(folder.name, "held", str(error), now, tried, error.code)
    with _alone(workspace):
        others = [arrival for arrival in seen(workspace) if arrival.name != folder.name]
        _write(workspace, [*others, held], now)


def _alone(workspace: Path) -> FileLock:
    """The sweeper and a run write the same file."""
    path = workspace / ".assay" / "arrivals.lock"
    path.parent.mkdir(exist_ok=True)
    return FileLock(path)


def _write(workspace: Path, found: Sequence[Arrival], now: str) -> None:
    path = workspace / FILE
    path.parent.mkdir(exist_ok=True)
    durable.sweep(path.parent)
    # escaped: the name of a folder may be no Unicode
    durable.write_text(path, json.dumps({"at": now, "arrivals": [asdict(arrival) for arrival in found]}, indent=1))


def _landings(workspace: Path) -> list[Path]:
    incoming = workspace / "data" / "incoming"
    if not incoming.is_dir():
        return []
    return [p for p in incoming.iterdir() if not p.name.startswith(".") and p.is_dir() and not p.is_symlink()]


def _completed(workspace: Path, arrival: Arrival) -> int:
    """When the folder was complete, in nanoseconds."""
    folder = workspace / "data" / "incoming" / arrival.name
    marker = folder / SUCCESS
    try:
        return (marker if marker.is_file() else folder).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _look_at(workspace: Path, folder: Path, before: Arrival | None, now: str, settle: float) -> Arrival | None:
    try:
        with Landing(folder) as landing:
            fingerprint = landing.fingerprint()
            if receipts.remembered(workspace, folder.resolve(), fingerprint):
                return None
            same = before if before is not None and before.fingerprint == fingerprint else None
            if same is not None and same.state in ("complete", "held") and same.code != "E_INCOMPLETE":
                return same
            if _received_under_another_name(workspace, landing, fingerprint):
                return None
            if (folder / SUCCESS).is_file():
                return Arrival(folder.name, "complete", f"{SUCCESS} is there.", now, fingerprint)
            return _without_marker(landing, fingerprint, same, now, settle)
    except FileNotFoundError as error:  # it is being moved away, or a file of it
        return Arrival(folder.name, "growing", f"'{shown(Path(error.filename or folder).name)}' has gone.", now, "")
    except OSError as error:
        return Arrival(folder.name, "held", f"It cannot be read: {error}.", now, "", "E_INCOMPLETE")


def _without_marker(landing: Landing, fingerprint: str, same: Arrival | None, now: str, settle: float) -> Arrival:
    name = landing.folder.name
    since = same.since if same is not None else now
    still = (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()
    if still < 0:  # the clock was put back
        since, still = now, 0.0
    advice = f"Write {SUCCESS} when it is complete, or run: assay receive data/incoming/{shown(name)}"
    if still < settle:
        why = f"It changed {still:.0f} s ago; without {SUCCESS} it must rest for {settle:.0f} s. {advice}"
        return Arrival(name, "growing", why, since, fingerprint)
    if (missing := _lacks(landing)) is None:
        return Arrival(name, "complete", f"Nothing has changed for {settle:.0f} s, and it is whole.", now, fingerprint)
    why = f"Nothing has changed for {settle:.0f} s, but it is not whole: {missing} {advice}"
    if still < PATIENCE * settle:
        return Arrival(name, "growing", why, since, fingerprint)
    return Arrival(name, "held", why, since, fingerprint, "E_INCOMPLETE")


def _lacks(landing: Landing) -> str | None:
    """What the folder lacks to be a whole drop, in one sentence; None if it is whole."""
    sizes = {path: state.st_size for path, state in landing.walk()}
    if unfinished := sorted(path for path in sizes if path.endswith(UNFINISHED)):
        return f"'{shown(unfinished[0])}' is the name of an unfinished copy."
    try:
        _, module, labels = delivery.detect(landing.folder)
        for record in module.records(labels):
            if record.code is not None:
                continue
            try:
                path = "/".join(parts_of(record.fields.get("path", "")))
            except Fault:
                continue  # the row's own fault: quarantined, whatever else arrives
            if not sizes.get(path):
                state = "is empty" if path in sizes else "is not there"
                return f"file '{shown(path)}' of row '{shown(record.source)}' {state}."
    except DropRejected as error:
        return str(error)
    return None


def _received_under_another_name(workspace: Path, landing: Landing, fingerprint: str) -> bool:
    """Whether the content was received before from another folder; reads the files only if the names and sizes agree.

    What is found is remembered, so that the files are read once.
    """
    shape = landing.shape()
    if shape not in receipts.shapes(workspace):
        return False
    try:
        _, module, labels = delivery.detect(landing.folder)
        rows = delivery.Rows(landing, module.records(labels), None)
        for _ in rows.assets():
            pass
    except DropRejected:
        return False  # receiving says why
    known = receipts.known(workspace / "data" / "drops", rows.content.hexdigest())
    if known is not None and landing.fingerprint() == fingerprint:
        receipts.remember(workspace, landing.folder.resolve(), fingerprint, shape, known.drop)
        return True
    return False
