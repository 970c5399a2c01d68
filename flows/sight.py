"""What is the state of a workspace, in figures? For a page and a scrape that may ask every few seconds.

Reads   data/<stage>.json, thin columns of data/ingest, data/triage, data/validate and of all findings, data/audit/
        {scores.parquet, confusions.csv, noise.json}, noise.json at the last ten revisions, data/verdicts, params.yaml,
        .assay/{journal, arrivals.json, accuracy.json, studies}
Writes  nothing, takes no lock

Here stands which files make a part; kept.py keeps it until one of them changes, readings.py says what they say. While a
stage runs its files are absent: then its part is None or empty. What people have said is counted anew at most a tenth
of the time, however often somebody asks.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from tasks import STAGES, journal, params, store, versions
from tasks.model import MANIFEST, QUEUE, Task, Verdict
from tasks.policy import Sla

from . import readings, slices
from .confusion import confused
from .kept import Kept
from .noise_history import NOISE, Noise, from_document, now_and_then
from .readings import moment
from .slices import Slice
from .state import Arrival, Backlog, Drop, Stage, State, Study
from .tally import Tally
from .tally import tally as count

REVISIONS = 10  # the newest ones, whose noise is told
COUNTING = 0.1  # of the time, at most, goes into counting what people have said


class Sight:
    """Looks at one workspace again and again; several threads may share it."""

    def __init__(self, workspace: Path, said: Callable[[], Sequence[Verdict]] | None = None) -> None:
        """`said`: every verdict in the order in which they count, where somebody holds them in memory already."""
        self.workspace = workspace.resolve()
        self._said = said or (lambda: journal.everything(self.workspace))
        self._data = self.workspace / "data"
        self._params = self.workspace / "params.yaml"
        self._kept = Kept()
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
            tally = self._tally()
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
                sla=self._kept.get("sla", [self._params], lambda: params.section(self._params, "sla", Sla), Sla()),
                slices=self._slices(),
                confused=self._confused(),
                backlog=self._backlog(queue, tally.answered),
                tally=tally,
                studies=self._studies(),
                unread=self._kept.unread,
            )

    def _stages(self) -> tuple[Stage, ...]:
        reports = [self._data / f"{name}.json" for name in STAGES]
        seen = (self._kept.get(path.name, [path], partial(readings.stage, path), None) for path in reports)
        return tuple(stage for stage in seen if stage is not None)

    def _drops(self) -> tuple[Drop, ...]:
        found = []
        for receipt in sorted((self._data / "drops").glob("*/receipt.json")):
            name = receipt.parent.name
            files = [self._data / "ingest" / kind / f"{name}.parquet" for kind in readings.KINDS]
            read = partial(readings.drop, receipt, files)
            if (drop := self._kept.get(f"drop {name}", [receipt, *files], read, None)) is not None:
                found.append(drop)
        return tuple(found)

    def _queue(self) -> tuple[str, ...] | None:
        path = self._data / "triage" / "queue.parquet"
        return self._kept.get("queue", [path], lambda: readings.column(path, QUEUE, "item"), None)

    def _queue_since(self, queue: tuple[str, ...] | None) -> float | None:
        manifest = self._data / "ingest" / "manifest"
        drops = sorted((drop for drop in self._drops() if drop.at), key=lambda drop: drop.at)
        dated = [(drop.at, manifest / f"{drop.drop}.parquet") for drop in drops]
        files = [self._data / "triage" / "queue.parquet", *(path for _, path in dated)]
        return self._kept.get("queue age", files, lambda: readings.first_with(frozenset(queue or ()), dated), None)

    def _arrivals(self) -> tuple[float | None, tuple[Arrival, ...]]:
        path = self.workspace / ".assay" / "arrivals.json"
        nobody_looked: tuple[float | None, tuple[Arrival, ...]] = (None, ())
        return self._kept.get("arrivals", [path], lambda: readings.arrivals(path), nobody_looked)

    def _held(self) -> tuple[Mapping[str, str], ...]:
        path = self._data / "validate" / "gate.parquet"
        return self._kept.get("gate", [path], lambda: readings.held(path), ())

    def _quarantine(self) -> Mapping[str, int]:
        files = sorted((self._data / "ingest" / "quarantine").glob("*.parquet"))
        return self._kept.get("quarantine", files, lambda: readings.quarantined(files), {})

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

        return self._kept.get("revisions", files, read, none)

    def _noise_now(self) -> Noise | None:
        path = self.workspace / NOISE
        return self._kept.get("noise", [path], lambda: from_document("now", store.read_json(path)), None)

    def _slices(self) -> tuple[Slice, ...]:
        files = [self._params, self._data / "audit" / "scores.parquet", *self._manifest()]
        return self._kept.get("slices", files, lambda: slices.read(self._data, self._task().kind), ())

    def _task(self) -> Task:
        return params.section(self._params, "task", Task)

    def _manifest(self) -> list[Path]:
        return sorted((self._data / "ingest" / "manifest").glob("*.parquet"))

    def _confused(self) -> tuple[tuple[str, str, int], ...]:
        path = self._data / "audit" / "confusions.csv"
        return self._kept.get("confusions", [path], lambda: confused(path), ())

    def _backlog(self, queue: tuple[str, ...] | None, answered: Collection[str]) -> tuple[Backlog, ...]:
        waiting, received = set(queue or ()), {drop.drop: moment(drop.at) for drop in self._drops()}
        open_, found = waiting - set(answered), []
        none: tuple[str, ...] = ()
        for path in self._manifest() if waiting else ():
            read = partial(readings.column, path, MANIFEST, "item")
            mine = waiting.intersection(self._kept.get(f"items {path.stem}", [path], read, none))
            if mine:
                found.append(Backlog(path.stem, received.get(path.stem), len(mine), len(mine & open_)))
        return tuple(sorted(found, key=lambda one: (one.since is None, one.since or 0.0, one.drop)))

    def _tally(self) -> Tally:
        """What people have said, by what they were shown; the items that each check finds today come with it."""
        findings = [self._data / stage / "findings.parquet" for stage in ("audit", "detect")]
        manifest = self._manifest()

        def read() -> Tally:
            return count(self._said(), readings.delivered(manifest), readings.found_by(findings), time.time())

        return self._kept.get("tally", [*self._logs(), *findings, *manifest], read, Tally(), at_most=COUNTING)

    def _studies(self) -> tuple[Study, ...]:
        found = []
        for path in sorted((self.workspace / ".assay" / "studies").glob("before-after-*.json")):
            study = self._kept.get(f"study {path.stem}", [path], partial(readings.study, path), None)
            if study is not None:
                found.append(study)
        return tuple(one for _, one in sorted(found, key=lambda pair: -pair[0]))

    def _accuracy(self) -> Mapping[str, tuple[float, ...]]:
        path = self.workspace / ".assay" / "accuracy.json"
        return self._kept.get("accuracy", [path], lambda: readings.accuracy(path), {})

    def _answers(self) -> tuple[int, int]:
        logs, revised = self._logs(), self._data / "revise.json"
        return self._kept.get("answers", [*logs, revised], lambda: readings.answered(logs, revised), (0, 0))

    def _logs(self) -> list[Path]:
        folders = (self._data / "verdicts", self.workspace / ".assay" / "journal")
        return sorted(path for folder in folders for path in folder.glob("*.jsonl"))
