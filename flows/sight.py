"""What is the state of a workspace, in figures? For a page and a scrape that may ask every few seconds.

Reads   data/<stage>.json, thin columns of data/ingest, data/triage, data/validate and of all findings, data/audit/
        {scores.parquet, confusions.csv, noise.json}, noise.json at the last ten revisions, data/verdicts, params.yaml,
        .assay/{journal, arrivals.json, accuracy.json, studies}
Writes  nothing, takes no lock

Each part is kept until one of its files changes (place, time, size). While a stage runs its files are absent: then its
part is None or empty. A part that cannot be read is left out, and `unread` says which and why. What people have said is
counted anew at most a tenth of the time, however often somebody asks.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from tasks import STAGES, journal, params, store, versions
from tasks.formats import shown
from tasks.model import (
    ANNOTATIONS,
    DUPLICATES,
    FINDINGS,
    GATE,
    MANIFEST,
    QUARANTINE,
    QUEUE,
    AssayError,
    Table,
    Task,
    Verdict,
)
from tasks.policy import Sla

from . import slices
from .confusion import confused
from .noise_history import NOISE, Noise, from_document, now_and_then
from .slices import Slice
from .state import Arrival, Backlog, Drop, Stage, State, Study
from .tally import Tally
from .tally import tally as count

REVISIONS = 10  # the newest ones, whose noise is told
UNREADABLE = (AssayError, OSError, ValueError, KeyError, TypeError, AttributeError)  # absent, torn, of another shape

T = TypeVar("T")


class Sight:
    """Looks at one workspace again and again; several threads may share it."""

    def __init__(self, workspace: Path, said: Callable[[], Sequence[Verdict]] | None = None) -> None:
        """`said`: every verdict in the order in which they count, where somebody holds them in memory already."""
        self.workspace = workspace.resolve()
        self._said = said or (lambda: journal.everything(self.workspace))
        self._counted = (0.0, 0.0)  # when what people said was counted last, and the seconds that it took
        self._data = self.workspace / "data"
        self._params = self.workspace / "params.yaml"
        self._kept: dict[str, tuple[Any, Any]] = {}
        self._unread: dict[str, str] = {}
        self._past: dict[str, Noise] = {}  # by commit: a revision does not change
        self._one_at_a_time = threading.Lock()

    def look(self) -> State:
        """The state now."""
        with self._one_at_a_time:
            disk = shutil.disk_usage(self.workspace)
            queue = self._queue()
            looked, arrivals = self._arrivals()
            answers, unapplied = self._answers()
            revisions, past = self._revisions()
            tally = self._tally(queue)
            return State(
                name=self.workspace.name,
                stages=self._stages(),
                drops=self._drops(),
                queue=None if queue is None else len(queue),
                queue_since=self._queue_since(queue),
                looked=looked,
                arrivals=arrivals,
                held=self._held(),
                quarantine=self._quarantine(),
                revisions=revisions,
                noise=now_and_then(self._noise_now(), past),
                accuracy=self._accuracy(),
                answers=answers,
                unapplied=unapplied,
                disk_free=disk.free,
                disk_total=disk.total,
                sla=self._keep("sla", [self._params], lambda: params.section(self._params, "sla", Sla), Sla()),
                slices=self._slices(),
                confused=self._confused(),
                backlog=self._backlog(queue, tally.answered),
                tally=tally,
                studies=self._studies(),
                unread=dict(sorted(self._unread.items())),
            )

    def _keep(self, part: str, files: Iterable[Path], read: Callable[[], T], empty: T) -> T:
        """What `read` gives, asked again only when one of `files` has changed; `empty` where it cannot."""
        stamp = tuple(map(_stamp, files))
        if part in self._kept and self._kept[part][0] == stamp:
            value: T = self._kept[part][1]
            return value
        self._unread.pop(part, None)
        try:
            value = read()
        except UNREADABLE as error:  # not kept: it may pass by itself
            self._kept.pop(part, None)
            if any(stamp):
                self._unread[part] = str(error) or type(error).__name__
            return empty
        self._kept[part] = (stamp, value)
        return value

    def _stages(self) -> tuple[Stage, ...]:
        seen = []
        for name in STAGES:
            path = self._data / f"{name}.json"

            def read(name: str = name, path: Path = path) -> Stage:
                ended, report = path.stat().st_mtime, store.read_report(path)
                return Stage(name, float(report.seconds), ended, dict(report.figures), dict(report.counts))

            if (stage := self._keep(f"{name}.json", [path], read, None)) is not None:
                seen.append(stage)
        return tuple(seen)

    def _drops(self) -> tuple[Drop, ...]:
        found = []
        for receipt in sorted((self._data / "drops").glob("*/receipt.json")):
            name = receipt.parent.name
            files = [self._data / "ingest" / kind / f"{name}.parquet" for kind in KINDS]

            def read(receipt: Path = receipt, files: list[Path] = files) -> Drop:
                return _drop(receipt, files)

            if (drop := self._keep(f"drop {name}", [receipt, *files], read, None)) is not None:
                found.append(drop)
        return tuple(found)

    def _queue(self) -> tuple[str, ...] | None:
        path = self._data / "triage" / "queue.parquet"
        return self._keep("queue", [path], lambda: _column(path, QUEUE, "item"), None)

    def _queue_since(self, queue: tuple[str, ...] | None) -> float | None:
        manifest = self._data / "ingest" / "manifest"
        drops = sorted((drop for drop in self._drops() if drop.at), key=lambda drop: drop.at)
        files = [manifest / f"{drop.drop}.parquet" for drop in drops]

        def read() -> float | None:
            waiting = set(queue or ())
            for drop, path in zip(drops, files, strict=True):
                if waiting and path.exists() and not waiting.isdisjoint(_column(path, MANIFEST, "item")):
                    return moment(drop.at)
            return None

        return self._keep("queue age", [self._data / "triage" / "queue.parquet", *files], read, None)

    def _arrivals(self) -> tuple[float | None, tuple[Arrival, ...]]:
        path = self.workspace / ".assay" / "arrivals.json"
        nobody_looked: tuple[float | None, tuple[Arrival, ...]] = (None, ())

        def read() -> tuple[float | None, tuple[Arrival, ...]]:
            content = store.read_json(path)
            return moment(content["at"]), tuple(
                Arrival(
                    shown(str(one["name"]), 255), str(one["state"]), str(one.get("why") or ""), moment(one.get("since"))
                )
                for one in content["arrivals"]
            )

        return self._keep("arrivals", [path], read, nobody_looked)

    def _held(self) -> tuple[Mapping[str, str], ...]:
        path = self._data / "validate" / "gate.parquet"

        def read() -> tuple[Mapping[str, str], ...]:
            table = store.read_table(path, GATE)
            rows = table[table["status"] == "held"].to_dict("records")
            return tuple({str(name): str(value) for name, value in row.items()} for row in rows)

        return self._keep("gate", [path], read, ())

    def _quarantine(self) -> Mapping[str, int]:
        files = sorted((self._data / "ingest" / "quarantine").glob("*.parquet"))

        def read() -> Mapping[str, int]:
            return Counter(code for path in files for code in _column(path, QUARANTINE, "code"))

        return self._keep("quarantine", files, read, {})

    def _revisions(self) -> tuple[tuple[versions.Revision, ...], tuple[Noise, ...]]:
        none: tuple[tuple[versions.Revision, ...], tuple[Noise, ...]] = ((), ())
        tags = self.workspace / ".git"  # a clone in which .git is a file: data/revision.json tells
        files = [tags / "refs" / "tags", tags / "packed-refs", self._data / "revision.json"]

        def read() -> tuple[tuple[versions.Revision, ...], tuple[Noise, ...]]:
            revisions = tuple(versions.log(self.workspace))
            for one in revisions[:REVISIONS]:
                if one.commit not in self._past:
                    document = versions.read_past(self.workspace, one.tag, [NOISE]).get(NOISE)
                    if document is not None:
                        self._past[one.commit] = from_document(one.tag, document)
            known = (self._past.get(one.commit) for one in revisions[:REVISIONS])
            return revisions, tuple(noise for noise in known if noise is not None)

        return self._keep("revisions", files, read, none)

    def _noise_now(self) -> Noise | None:
        path = self.workspace / NOISE
        return self._keep("noise", [path], lambda: from_document("now", store.read_json(path)), None)

    def _slices(self) -> tuple[Slice, ...]:
        files = [self._params, self._data / "audit" / "scores.parquet", *self._manifest()]
        return self._keep("slices", files, lambda: slices.read(self._data, self._task().kind), ())

    def _task(self) -> Task:
        return params.section(self._params, "task", Task)

    def _manifest(self) -> list[Path]:
        return sorted((self._data / "ingest" / "manifest").glob("*.parquet"))

    def _confused(self) -> tuple[tuple[str, str, int], ...]:
        path = self._data / "audit" / "confusions.csv"
        return self._keep("confusions", [path], lambda: confused(path), ())

    def _backlog(self, queue: tuple[str, ...] | None, answered: Collection[str]) -> tuple[Backlog, ...]:
        waiting, received = set(queue or ()), {drop.drop: moment(drop.at) for drop in self._drops()}
        open_, found = waiting - set(answered), []
        for path in self._manifest() if waiting else ():

            def read(path: Path = path) -> tuple[str, ...]:
                return _column(path, MANIFEST, "item")

            none: tuple[str, ...] = ()
            items = self._keep(f"items {path.stem}", [path], read, none)
            mine = waiting.intersection(items)
            if mine:
                found.append(Backlog(path.stem, received.get(path.stem), len(mine), len(mine & open_)))
        return tuple(sorted(found, key=lambda one: (one.since is None, one.since or 0.0, one.drop)))

    def _tally(self, queue: tuple[str, ...] | None) -> Tally:
        """What people have said, by what they were shown; the items that each check finds today come with it."""
        at, took = self._counted
        if "tally" in self._kept and time.monotonic() - at < 9 * took:
            kept: Tally = self._kept["tally"][1]
            return kept
        findings = [self._data / stage / "findings.parquet" for stage in ("audit", "detect")]

        def read() -> Tally:
            began = time.monotonic()
            found: dict[str, set[str]] = {}
            for path in findings:
                if path.exists():
                    table = store.read_table(path, FINDINGS, columns=["item", "check"])
                    for item, check in zip(table["item"], table["check"], strict=True):
                        found.setdefault(check, set()).add(item)
            delivered: dict[str, str] = {}
            for path in self._manifest():
                table = store.read_table(path, MANIFEST, columns=["item", "y"])
                delivered |= dict(zip(table["item"], table["y"], strict=True))
            told = count(self._said(), delivered, found, time.time())
            self._counted = time.monotonic(), time.monotonic() - began
            return told

        return self._keep("tally", [*self._logs(), *findings, *self._manifest()], read, Tally())

    def _studies(self) -> tuple[Study, ...]:
        found = []
        for path in sorted((self.workspace / ".assay" / "studies").glob("before-after-*.json")):

            def read(path: Path = path) -> tuple[float, Study]:
                told = store.read_json(path)
                words = " ".join(map(str, told["sentences"]))
                one = Study(str(told["a"]), str(told["b"]), str(told["claim"]), words, f"{path.stem}.html")
                return path.stat().st_mtime, one

            if (study := self._keep(f"study {path.stem}", [path], read, None)) is not None:
                found.append(study)
        return tuple(one for _, one in sorted(found, key=lambda pair: -pair[0]))

    def _accuracy(self) -> Mapping[str, tuple[float, ...]]:
        path = self.workspace / ".assay" / "accuracy.json"

        def read() -> Mapping[str, tuple[float, ...]]:
            return {str(tag): tuple(map(float, seeds)) for tag, seeds in store.read_json(path).items() if seeds}

        return self._keep("accuracy", [path], read, {})

    def _answers(self) -> tuple[int, int]:
        logs = self._logs()
        revised = self._data / "revise.json"

        def read() -> tuple[int, int]:
            # `take_answers` copies whole lines, so a line in both places is one answer
            given = len({line for path in logs for line in path.read_bytes().split(b"\n")[:-1]})
            applied = store.read_report(revised).counts.get("answers", 0) if revised.exists() else 0
            return given, max(0, given - applied)

        return self._keep("answers", [*logs, revised], read, (0, 0))

    def _logs(self) -> list[Path]:
        folders = (self._data / "verdicts", self.workspace / ".assay" / "journal")
        return sorted(path for folder in folders for path in folder.glob("*.jsonl"))


KINDS: Mapping[str, tuple[Table, str]] = {
    "manifest": (MANIFEST, "source"),
    "annotations": (ANNOTATIONS, "item"),
    "duplicates": (DUPLICATES, "item"),
    "quarantine": (QUARANTINE, "code"),
}


def _drop(receipt_file: Path, files: Iterable[Path]) -> Drop:
    receipt = store.read_json(receipt_file)
    columns = [_column(path, *KINDS[kind]) if path.exists() else () for kind, path in zip(KINDS, files, strict=True)]
    accepted = sum(source != "annotations" for source in columns[0])
    annotations, duplicates, quarantined = map(len, columns[1:])
    rows, at = int(receipt.get("rows", 0)), str(receipt.get("received_at", ""))
    return Drop(str(receipt["drop"]), rows, at, accepted, annotations, duplicates, quarantined)


def _column(path: Path, table: Table, name: str) -> tuple[str, ...]:
    return tuple(store.read_table(path, table, columns=[name])[name])


def _stamp(path: Path) -> tuple[str, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_mtime_ns, status.st_size


def moment(at: Any) -> float | None:
    """An ISO 8601 time (UTC where it names no zone) in seconds since 1970; None for what is none."""
    if not isinstance(at, str):
        return None
    try:
        time = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
