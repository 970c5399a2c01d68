"""Which gold items is each person shown, and what do they look like?

Reads   .assay/cache/review/gold-<person>.json: the items that were shown to a person as gold, with their labels as
        delivered, so that an answer that waited in a browser over a restart is still one to a gold item
Writes  the same

Like a drawn item of the audit sample in every column that reaches the page: no suggestion, their mean p_wrong, their
check, a place among the queued ones.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from .. import answers, durable, sample
from ..model import GOLD, Verdict
from . import gold, threads
from .catalogue import NONE, Catalogue
from .logs import Logs

SHOWN = ("given", "suggested", "p_wrong", "checks", "loss", "rank")  # the columns that could tell a gold item apart


class Blind:
    """The gold items of everybody; safe for several threads. `kind` is a module of labels/."""

    def __init__(self, folder: Path, logs: Logs, kind: ModuleType) -> None:
        self._folder, self._logs, self._kind = folder, logs, kind
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, str]] = {}  # person -> item -> its label as delivered
        self._views: dict[str, tuple[Catalogue, Mapping[int, str], Catalogue]] = {}  # the latest of each person

    def of(self, person: str) -> Mapping[str, str]:
        """The gold items of a person, each with its label as delivered; those that are not settled any more are out."""
        return {item: y for item, y in self._shown(person).items() if self._settling(item, person) is not None}

    def hides(self, item: str, person: str) -> bool:
        """Whether this item is gold to this person."""
        return item in self._shown(person) and self._settling(item, person) is not None

    def _shown(self, person: str) -> Mapping[str, str]:
        """All that this person was ever shown as gold; a new one is a new mapping."""
        with self._lock:
            if person not in self._known:
                path = self._folder / f"gold-{person}.json"
                self._known[person] = json.loads(path.read_bytes()) if path.exists() else {}
            return self._known[person]

    def choose(self, person: str, catalogue: Catalogue, open_items: int, delivered: Callable[[str], str]) -> None:
        """Gold for a page that is being loaded, as much as so many open items want; what was shown once stays."""
        before = self.of(person)
        fresh = sum(not self.state(item, person) for item in before)
        if (lack := gold.wanted(open_items) - fresh) <= 0:
            return
        said = {answers.item_of(v.subject) for v in self._logs.said() if v.action in ("approve", "resolve")}
        settled = [
            item
            for item in said
            if item is not None
            and item in catalogue.place
            and item not in before
            and self._settling(item, person) is not None
        ]
        if new := gold.chosen(person, settled, lack):
            found = {**before, **{item: delivered(item) for item in new}}
            self._folder.mkdir(parents=True, exist_ok=True)
            durable.write_bytes(self._folder / f"gold-{person}.json", json.dumps(found).encode())
            with self._lock:
                self._known[person] = found

    def state(self, item: str, person: str) -> int | None:
        """The state of a gold item by this person's own words alone, as in catalogue.states; None: it is none."""
        if not self.hides(item, person):
            return None
        said = self._logs.about(item)
        if any(asked.reviewer == person for asked in threads.open_questions(said)):
            return 5
        undone = answers.undone_ops(said)
        own = [v for v in said if v.reviewer == person and v.action == GOLD and v.op not in undone]
        return {"unsure": 2, "remove": 4}.get(own[-1].category or "", 1) if own else 0

    def said(self, item: str, person: str) -> list[Verdict]:
        """What this person may be told that people said: of blind gold, their own and answers to what they asked."""
        blind, told, ops = self.hides(item, person), [], set()
        for verdict in self._logs.about(item):
            reply = verdict.action in ("answer", "undo") and verdict.of in ops
            if verdict.reviewer == person or reply or not (blind or verdict.action == GOLD):
                told.append(verdict)
                ops.add(verdict.op)
        return told

    def view(self, catalogue: Catalogue, person: str) -> Catalogue:
        """The catalogue as this person is shown it."""
        found = {catalogue.place[item]: y for item, y in self.of(person).items() if item in catalogue.place}
        if not found:
            return catalogue
        with self._lock:
            if (made := self._views.get(person)) is not None and made[0] is catalogue and made[1] == found:
                return made[2]
        view = self._made(catalogue, found, person)
        with self._lock:
            self._views[person] = (catalogue, found, view)
        return view

    def _made(self, catalogue: Catalogue, found: Mapping[int, str], person: str) -> Catalogue:
        ns = sorted(found)
        columns = {**catalogue.columns, **{name: catalogue.columns[name].copy() for name in SHOWN}}
        code = {name: k for k, name in enumerate(catalogue.classes)}
        bits = 1 << catalogue.checks.index(sample.CHECK) if sample.CHECK in catalogue.checks else 0
        drawn_N = (columns["checks"] == bits) & (columns["rank"] > 0)
        queued = np.sort(columns["rank"][columns["rank"] > 0])
        loss_N = columns["loss"][np.isfinite(columns["loss"])]
        columns["given"][ns] = [code.get(self._kind.target(found[n]) or "", NONE) for n in ns]
        columns["suggested"][ns] = NONE
        columns["p_wrong"][ns] = columns["p_wrong"][drawn_N].mean() if drawn_N.any() else 0.0
        columns["checks"][ns] = bits
        columns["loss"][ns] = np.median(loss_N) if len(loss_N) else np.nan
        columns["rank"][ns] = [queued[_lot(person, catalogue.items[n]) % len(queued)] if len(queued) else 0 for n in ns]
        ys = tuple(found.get(n, y) for n, y in enumerate(catalogue.ys))
        return replace(catalogue, ys=ys, columns=columns)

    def kept_as(self, verdict: Verdict) -> Verdict:
        """The verdict as it is kept: one about a gold item measures its author and touches no label."""
        if verdict.action not in answers.OPINIONS:
            return verdict
        item = answers.item_of(verdict.subject) or ""
        delivered = self._shown(verdict.reviewer).get(item)  # one item's, not all: a batch has thousands
        of = None if delivered is None else self._settling(item, verdict.reviewer)
        return verdict if delivered is None or of is None else gold.as_gold(verdict, of=of, delivered=delivered)

    def _settling(self, item: str, person: str) -> str | None:
        return gold.settling(self._logs.about(item), self._logs.item(item), person)


def _lot(person: str, item: str) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps([item, person]).encode()).digest()[:4])
