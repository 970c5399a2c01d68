"""What does the page know of every item at once?

Reads   data/ingest/manifest, data/validate/{passed.parquet, classes.json}, data/audit/{scores, findings,
        probabilities}.parquet, data/audit/noise.json, data/detect/findings.parquet, data/triage/queue.parquet
Writes  nothing

Columns of N numbers rather than rows of JSON: 100,000 items are one megabyte or two, which a browser takes as they are
and filters and sorts without asking again. An item travels as its place in one version of the catalogue.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import answers, durable, sample, settling, store
from .. import labels as label_kinds
from ..answers import State
from ..model import FINDINGS, MANIFEST, PASSED, QUEUE, SCORES, Mistake, Task

# shapes: N items, K classes, D values of a vector

NONE = 65_535  # no class
KEPT = 20  # versions whose places are remembered
MOST = 60_000  # different values of a column that can be a filter
TYPES = {"u1": "u8", "u2": "u16", "u4": "u32"}
READ = (
    "ingest/manifest/*.parquet",
    "validate/*.parquet",
    "audit/*.parquet",
    "detect/findings.parquet",
    "triage/queue.parquet",
    "relate.json",
)

Column = NDArray[Any]


@dataclass(frozen=True)
class Catalogue:
    """N items; every column is (N,)."""

    version: str
    items: tuple[str, ...]
    ys: tuple[str, ...]  # the labels in force, JSON text
    assets: tuple[str, ...]  # sha256 of each one's bytes
    shards: tuple[tuple[str, int], ...]  # where they lie
    classes: tuple[str, ...]
    checks: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]  # drop, split, meta_*: its values
    columns: Mapping[str, Column]

    @cached_property
    def place(self) -> Mapping[str, int]:
        return {item: n for n, item in enumerate(self.items)}

    def checks_of(self, n: int) -> list[str]:
        """The checks that found item `n`; none where they are not remembered."""
        if not self.checks:
            return []
        bits = int(self.columns["checks"][n])
        return [name for bit, name in enumerate(self.checks) if bits >> bit & 1]

    @cached_property
    def suspicion(self) -> Column:
        """The places of all items, the queue first, in its order, and then the most suspicious; (N,) u4."""
        rank_N, p_N = self.columns["rank"], np.nan_to_num(self.columns["p_wrong"])
        queued_N = rank_N > 0
        return np.lexsort((np.where(queued_N, 0, -p_N), np.where(queued_N, rank_N, np.iinfo("u4").max))).astype("<u4")

    @property
    def by_loss(self) -> Column:
        """The places of all items, the greatest loss first, those without one last; (N,) u4."""
        return np.argsort(-self.columns["loss"], kind="stable").astype("<u4")

    def packed(self, extra: Mapping[str, Column], head: Mapping[str, Any]) -> bytes:
        """All columns as one message: the length of a JSON header, the header, the columns, each padded to 4 bytes.

        Each in the narrowest whole numbers that hold it: a browser takes its time over every megabyte. p_wrong goes in
        65535ths; the loss, of which only the order counts, stays here.
        """
        whole = {name: column for name, column in self.columns.items() if name not in ("loss", "p_wrong")}
        p_N = np.round(np.nan_to_num(self.columns["p_wrong"]) * 65_535)
        columns = {name: _narrow(column) for name, column in {**whole, "p_wrong": p_N, **extra}.items()}
        listed, offset = [], 0
        for name, column in columns.items():
            listed.append({"name": name, "type": TYPES[column.dtype.str[1:]], "offset": offset})
            offset += _padded(column.nbytes)
        header = {
            "version": self.version,
            "n": len(self.items),
            "classes": self.classes,
            "checks": self.checks,
            "groups": self.groups,
            "columns": listed,
            **head,
        }
        text = json.dumps(header, ensure_ascii=False).encode()
        text += b" " * (_padded(len(text)) - len(text))
        parts = [len(text).to_bytes(4, "little"), text]
        for column in columns.values():
            raw = np.ascontiguousarray(column).tobytes()
            parts += [raw, b"\0" * (_padded(len(raw)) - len(raw))]
        return b"".join(parts)


def keep(found: Catalogue, files: str, folder: Path) -> None:
    """Remember what the places of this version mean, for pages that hold it when there is a newer, or a new server."""
    told = {
        "items": found.items,
        "ys": found.ys,
        "classes": found.classes,
        "rank": found.columns["rank"].tolist(),
        "p_wrong": [round(p, 6) for p in found.columns["p_wrong"].astype(float).tolist()],
    }
    folder.mkdir(parents=True, exist_ok=True)
    durable.sweep(folder)
    durable.write_bytes(folder / f"places-{files}-{found.version}.json.gz", gzip.compress(json.dumps(told).encode(), 1))
    old = sorted(folder.glob("places-*.json.gz"), key=lambda path: path.stat().st_mtime)
    for path in old[:-KEPT]:
        path.unlink(missing_ok=True)


def recall(version: str, folder: Path) -> Catalogue | None:
    """An earlier version, as far as an answer needs it; None where it is not remembered."""
    path = next(folder.glob(f"places-*-{version}.json.gz"), None) if version.isalnum() else None
    return None if path is None else _recalled(path, version)


def begun(files: str, folder: Path) -> Catalogue | None:
    """The newest version made of the same files: a server that begins again goes on with what the pages hold."""
    paths = sorted(folder.glob(f"places-{files}-*.json.gz"), key=lambda path: path.stat().st_mtime)
    try:
        return _recalled(paths[-1], paths[-1].name.split("-")[2].partition(".")[0]) if paths else None
    except (OSError, EOFError, ValueError, KeyError, zlib.error):
        return None  # a torn file costs the pages a reload, and nobody an answer


def _recalled(path: Path, version: str) -> Catalogue:
    told = json.loads(gzip.decompress(path.read_bytes()))
    columns = {"rank": np.array(told["rank"], "<u4"), "p_wrong": np.array(told["p_wrong"], "<f4")}
    items = tuple(told["items"])
    return Catalogue(version, items, tuple(told["ys"]), (), (), tuple(told["classes"]), (), {}, columns)


def _padded(size: int) -> int:
    return -(-size // 4) * 4


def _narrow(column: Column) -> Column:
    most = int(column.max()) if len(column) else 0
    return column.astype("<u1" if most < 2**8 else "<u2" if most < 2**16 else "<u4")


def version_of(data: Path) -> str:
    """Changes with every file that a catalogue is made of."""
    files = sorted(path for pattern in READ for path in data.glob(pattern))
    facts = [(path.relative_to(data).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def read(data: Path, task: Task, state: State, files: str, before: Catalogue | None = None) -> Catalogue:
    """The catalogue of the items that came through the gate, in the manifest's order; Mistake before the first run.

    Its version is that of the `files`, and of the labels that answers have put in force by now, or that were in force
    when the catalogue `before` was read of the same files.
    """
    if not (data / "validate" / "passed.parquet").exists():
        raise Mistake(f"Nothing has come through the gate in '{data.parent}' yet. Run: assay run")
    kind, paired = label_kinds.kind(task.kind), label_kinds.is_paired(task.kind)
    passed = set(store.read_table(data / "validate" / "passed.parquet", PASSED)["item"])
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST)
    manifest = manifest[manifest["item"].isin(passed)].reset_index(drop=True)
    items = tuple(manifest["item"])
    place = {item: n for n, item in enumerate(items)}
    if before is not None and before.items == items:
        ys = list(before.ys)
    else:
        ys = [_in_force(state, item, y) for item, y in zip(items, manifest["y"], strict=True)]
    names = [None if paired else kind.target(y) for y in ys]
    queue = _table(data / "triage" / "queue.parquet", QUEUE)
    scores = _table(data / "audit" / "scores.parquet", SCORES)
    said = [y for table in (scores, queue) for y in table["suggestion"].dropna()]
    suggested = {} if paired else {y: kind.target(y) for y in set(said)}
    used = {name for name in (*names, *suggested.values()) if name is not None}
    classes = tuple(sorted({*settling.classes(data), *used}))
    if len(classes) >= NONE:
        raise Mistake(f"There are {len(classes):,} classes. A page can show {NONE - 1:,}.")
    code = {name: k for k, name in enumerate(classes)}
    columns: dict[str, Column] = {
        "given": np.array([NONE if name is None else code[name] for name in names], dtype="<u2"),
        "suggested": np.full(len(items), NONE, dtype="<u2"),
        "p_wrong": np.zeros(len(items), dtype="<f4"),
        "rank": np.zeros(len(items), dtype="<u4"),
    }
    for table in (scores, queue):  # the queue's word counts where both speak
        for item, y, p in zip(table["item"], table["suggestion"], table["p_wrong"], strict=True):
            if (n := place.get(item)) is not None:
                columns["p_wrong"][n] = p
                if isinstance(y, str) and not paired:
                    columns["suggested"][n] = code[suggested[y]] if suggested[y] is not None else NONE
    for item, rank, check in zip(queue["item"], queue["rank"], queue["checks"], strict=True):
        if item in place:
            columns["rank"][place[item]] = rank
            if check == sample.CHECK:  # there only because it was drawn: the audit's word for it stays untold
                columns["suggested"][place[item]] = NONE
    columns["loss"] = _loss(data, items, names)
    checks, columns["checks"] = _checks(data, queue, place)
    groups = dict(_groups(manifest))
    for name, values in groups.items():
        number = {value: v for v, value in enumerate(values)}
        columns[f"group:{name}"] = np.array([number[_word(value)] for value in manifest[name]], dtype="<u2")
    shards = tuple((shard, int(row)) for shard, row in zip(manifest["shard"], manifest["row"], strict=True))
    version = hashlib.sha256(repr((files, ys)).encode()).hexdigest()[:16]
    return Catalogue(version, items, tuple(ys), tuple(manifest["asset"]), shards, classes, checks, groups, columns)


def _in_force(state: State, item: str, delivered: str) -> str:
    one = state.items.get(item)
    return delivered if one is None or one.y is None else one.y


def _table(path: Path, table: Any) -> pd.DataFrame:
    return store.read_table(path, table) if path.exists() else store.frame(table)


def _loss(data: Path, items: Sequence[str], names: Sequence[str | None]) -> Column:
    """-log P(the given label) by the audit's model, which has not seen the item; nan where it says nothing."""
    loss_N = np.full(len(items), np.nan, dtype="<f4")
    path = data / "audit" / "probabilities.parquet"
    if not path.exists():
        return loss_N
    rows, views = store.read_vectors(path)
    column = {name: k for k, name in enumerate(store.read_json(data / "audit" / "noise.json").get("classes", {}))}
    if "p" not in views or views["p"].shape[1] != len(column):
        return loss_N
    row = {item: m for m, item in enumerate(rows)}
    for n, (item, name) in enumerate(zip(items, names, strict=True)):
        if item in row and name in column:
            loss_N[n] = -np.log(max(float(views["p"][row[item], column[name]]), 1e-12))
    return loss_N


def _checks(data: Path, queue: pd.DataFrame, place: Mapping[str, int]) -> tuple[tuple[str, ...], Column]:
    """The names of the checks, and which of them found each item, a bit a check."""
    found: dict[str, set[str]] = {}
    for path in (data / "audit" / "findings.parquet", data / "detect" / "findings.parquet"):
        table = _table(path, FINDINGS)
        for item, check in zip(table["item"], table["check"], strict=True):
            found.setdefault(check, set()).add(item)
    for item, checks in zip(queue["item"], queue["checks"], strict=True):
        for check in str(checks).split(","):
            found.setdefault(check, set()).add(item)
    names = tuple(sorted(found))[:32]
    bits_N = np.zeros(len(place), dtype="<u4")
    for bit, name in enumerate(names):
        rows = [place[item] for item in found[name] if item in place]
        bits_N[rows] |= np.uint32(1 << bit)
    return names, bits_N


def _groups(manifest: pd.DataFrame) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The columns to slice by: drop, split and what came as meta_*; one with nearly a value an item is left out."""
    for name in ("drop", "split", *(name for name in manifest.columns if name.startswith("meta_"))):
        values = tuple(sorted({_word(value) for value in manifest[name]}))
        if name in ("drop", "split") or len(values) <= max(20, len(manifest) // 5):
            if len(values) <= MOST:
                yield name, values


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def states(catalogue: Catalogue, state: State, parked: set[str], returned: set[str]) -> Column:
    """0 open, 1 decided, 2 unsure, 3 disputed, 4 removed, 5 parked by a question, 6 returned; (N,)."""
    states_N = np.zeros(len(catalogue.items), dtype="u1")
    for item in {*state.items, *parked, *returned}:
        if (n := catalogue.place.get(item)) is not None:
            states_N[n] = state_of(state.items.get(item), item in parked, item in returned)
    return states_N


def state_of(one: answers.ItemState | None, parked: bool, returned: bool) -> int:
    """The state of one item, as `states` has it."""
    if parked:
        return 5
    if one is None or not (one.answered or one.removed):
        return 6 if returned else 0
    if one.disputed:
        return 3
    return 4 if one.removed else 2 if one.unsure else 1
