"""What lies on the table: the catalogue, what has been said of each item, and what has changed since somebody looked?

One of these serves all people. The catalogue is read again when a run has moved its files; until a page has taken the
new one, its places mean other items: what it asks is refused, and what it answers is understood by the places of then.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from .. import answers, params, store
from .. import labels as label_kinds
from ..modalities import modality
from ..model import GOLD, Task, Verdict
from . import catalogue as catalogues
from . import threads
from .arrange import Arrangement
from .blind import Blind
from .catalogue import NONE, Catalogue, Column
from .evidence import Evidence
from .spoken import Room
from .tiles import MOST, SIDE, Tiles
from .wording import shown
from .writer import Writer

LOOK = 1.0  # seconds between two looks for new files
SURE = 0.05  # p_wrong under which an item is an example of its class
EXAMPLES = 3
NEAR = 6  # neighbours beside an item
GUIDELINE = "guideline.md"


class Stale(Exception):
    """The page holds another version of the catalogue."""


class Desk:
    """Everything that the routes ask; safe for several threads."""

    def __init__(self, workspace: Path, writer: Writer) -> None:
        self.workspace, self.writer, self.logs = workspace, writer, writer.logs
        self.task = params.section(workspace / "params.yaml", "task", Task)
        self.kind, self.modality = label_kinds.kind(self.task.kind), modality(self.task.modality)
        self.tiles = Tiles(workspace, self.modality) if hasattr(self.modality, "tile") else None
        self._lock = threading.Lock()
        self._told = threading.Lock()
        self._states: tuple[str, int, Column] = ("", 0, np.zeros(0, dtype="u1"))  # version, seq, the states by then
        self._looked = -LOOK
        self._folder = workspace / ".assay" / "cache" / "review"
        self._earlier: dict[str, Catalogue] = {}
        self._files = ""
        self._room: tuple[str, float, Room] | None = None  # version of the catalogue, until when (s), the room
        self._at: tuple[Catalogue, Arrangement, Evidence] | None = None
        self.blind = Blind(self._folder, self.logs, self.kind)

    # --- the catalogue -----------------------------------------------------------------------------------------------

    def catalogue(self, version: str | None = None) -> Catalogue:
        """The one of today; Stale where the page has another."""
        found = self._today()[0]
        if version is not None and version != found.version:
            raise Stale
        return found

    def catalogue_of(self, version: str) -> Catalogue:
        """The one that a page held when somebody answered, today's or an earlier one; Stale if it is forgotten."""
        today = self.catalogue()
        if version == today.version:
            return today
        with self._lock:
            if version not in self._earlier:
                found = catalogues.recall(version, self._folder)
                if found is None:
                    raise Stale
                self._earlier = {version: found}
            return self._earlier[version]

    @property
    def arrangement(self) -> Arrangement:
        return self._today()[1]

    @property
    def evidence(self) -> Evidence:
        return self._today()[2]

    def _today(self) -> tuple[Catalogue, Arrangement, Evidence]:
        with self._lock:
            if self._at is None or time.monotonic() - self._looked >= LOOK:
                data = self.workspace / "data"
                files = catalogues.version_of(data)
                if self._at is None or files != self._files:
                    before = catalogues.begun(files, self._folder)
                    found = catalogues.read(data, self.task, self.logs.state(), files, before)
                    catalogues.keep(found, files, self._folder)
                    arrangement = Arrangement(data, found.items, self._folder / f"arranged-{files}.npy")
                    self._at = found, arrangement, Evidence(data)
                    self._files = files
                self._looked = time.monotonic()
            return self._at

    def packed(self, person: str) -> bytes:
        """The catalogue as bytes, with the state of each item and whether this person has answered it."""
        self.writer.look()
        open_items = int(((self.catalogue().columns["rank"] > 0) & np.isin(self.states(), (0, 6))).sum())
        self.blind.choose(person, self.catalogue(), open_items, lambda item: str(self.evidence.delivered(item)["y"]))
        seq, catalogue = self.logs.seq, self.seen_by(person)
        extra = {
            "suspicion": catalogue.suspicion,
            "state": self.states_for(person),
            "mine": self._of_all(lambda item: counts(self.logs.about(item), person)),
        }
        return catalogue.packed(extra, {"tile": SIDE, "per_sheet": MOST, "seq": seq})

    def order(self, catalogue: Catalogue, name: str) -> Column:
        """All places by "similarity" or by "loss", (N,) u4; which only who asks for it waits for."""
        return self.arrangement.order() if name == "similarity" else catalogue.by_loss

    # --- what was said -----------------------------------------------------------------------------------------------

    def state_of(self, item: str) -> int:
        """Its number, as the catalogue's column `state` has it."""
        said = self.logs.about(item)
        if not said:
            return 0
        parked, back = bool(threads.open_questions(said)), bool(threads.returned(said))
        return catalogues.state_of(self.logs.item(item), parked, back)

    def states(self) -> Column:
        """(N,) u8; of what was said since the last call only the touched items are weighed again."""
        catalogue = self.catalogue()
        with self._told:
            version, since, states_N = self._states
            found = self.logs.changes(since) if version == catalogue.version else None
            if found is None:
                since, states_N = self.logs.seq, self._of_all(self.state_of)
            else:
                since, subjects = found
                for item in map(answers.item_of, subjects):
                    if item is not None and item in catalogue.place:
                        states_N[catalogue.place[item]] = self.state_of(item)
            self._states = catalogue.version, since, states_N
            return states_N.copy()

    def states_for(self, person: str) -> Column:
        """(N,) u8 as this person is shown them: a gold item is as open as any other until they have answered it."""
        catalogue, states_N = self.catalogue(), self.states()
        for item in self.blind.of(person):
            if item in catalogue.place:
                states_N[catalogue.place[item]] = self.state_for(item, person)
        return states_N

    def state_for(self, item: str, person: str) -> int:
        """Its number, as this person is shown it."""
        own = self.blind.state(item, person)
        return self.state_of(item) if own is None else own

    def states_of(self, item: str, person: str) -> tuple[int, int]:
        """(state, mine) of one item, as this person is shown it."""
        return self.state_for(item, person), counts(self.logs.about(item), person)

    def seen_by(self, person: str, version: str | None = None) -> Catalogue:
        """Today's catalogue as this person is shown it; Stale where the page has another."""
        return self.blind.view(self.catalogue(version), person)

    def _of_all(self, number: Callable[[str], int]) -> Column:
        """The number of each item that somebody has spoken of, 0 of the others; (N,) u8."""
        catalogue = self.catalogue()
        numbers_N = np.zeros(len(catalogue.items), dtype="u1")
        for item in {answers.item_of(verdict.subject) for verdict in self.logs.said()}:
            if item is not None and (n := catalogue.place.get(item)) is not None:
                numbers_N[n] = number(item)
        return numbers_N

    def changes(self, since: int, person: str, version: str | None) -> tuple[int, list[tuple[int, int, int]]]:
        """The newest seq, and (place, state, mine) of what was said after `since`; of all where `since` is unknown."""
        catalogue = self.catalogue(version)
        self.writer.look()
        found = self.logs.changes(since)
        if found is None:  # counted by a server of before, or before a file was written anew
            found = self.logs.seq, tuple(dict.fromkeys(verdict.subject for verdict in self.logs.said()))
        seq, subjects = found
        items = [item for name in subjects if (item := answers.item_of(name)) in catalogue.place and item is not None]
        return seq, [(catalogue.place[item], *self.states_of(item, person)) for item in items]

    def room(self, catalogue: Catalogue) -> Room:
        """What answers are checked against; a new guideline or revision is seen within LOOK seconds."""
        with self._lock:
            if self._room is not None and self._room[0] == catalogue.version and time.monotonic() < self._room[1]:
                return self._room[2]
            room = Room(catalogue, self.kind, frozenset(catalogue.classes), self.revision(), self.guideline()[0])
            self._room = catalogue.version, time.monotonic() + LOOK, room
            return room

    def revision(self) -> str | None:
        path = self.workspace / "data" / "revision.json"
        tag = store.read_json(path).get("tag") if path.exists() else None
        return tag if isinstance(tag, str) else None

    def guideline(self) -> tuple[str | None, str]:
        """(version, text) of guideline.md; (None, "") without one."""
        path = self.workspace / GUIDELINE
        if not path.is_file():
            return None, ""
        raw = path.read_bytes()
        return hashlib.sha256(raw).hexdigest()[:12], raw.decode("utf-8", "replace")

    # --- items beside each other -------------------------------------------------------------------------------------

    def similar(self, catalogue: Catalogue, n: int, most: int) -> list[int]:
        """The items nearest to item `n` with the same given label, itself first."""
        given_N = catalogue.columns["given"]
        return self.arrangement.like(n, np.flatnonzero(given_N == given_N[n]), most)

    def references(self, catalogue: Catalogue, k: int, person: str) -> list[int]:
        """Examples of a class: undoubted, as far apart as its items are, the confirmed ones first; no gold."""
        columns = catalogue.columns
        clean_N = (columns["given"] == k) & (columns["p_wrong"] < SURE) & (columns["checks"] == 0)
        clean_N[self._gold(catalogue, person)] = False
        fits_N, order = clean_N if clean_N.any() else columns["given"] == k, self.arrangement.order()
        rows = order[fits_N[order]]
        if not len(rows):
            return []
        states_N = self.states()
        confirmed = [n for n in rows.tolist() if states_N[n] == 1][:EXAMPLES]
        spread = rows[np.linspace(0, len(rows) - 1, min(EXAMPLES, len(rows)) + 2).astype(int)[1:-1]].tolist()
        return list(dict.fromkeys([*confirmed, *spread]))[:EXAMPLES]

    def near(self, catalogue: Catalogue, n: int, person: str) -> list[dict[str, object]]:
        """The nearest items whose labels nobody doubts, this person's gold left out: {"n", "label", "confirmed"}."""
        columns, states_N = catalogue.columns, self.states()
        sure_N = ((columns["p_wrong"] < 0.5) | (states_N == 1)) & (columns["given"] != NONE)
        sure_N[self._gold(catalogue, person)] = False
        sure = np.flatnonzero(sure_N)
        found = [m for m in self.arrangement.like(n, sure, NEAR + 1) if m != n][:NEAR]
        return [
            {"n": m, "label": catalogue.classes[columns["given"][m]], "confirmed": bool(states_N[m] == 1)}
            for m in found
        ]

    def _gold(self, catalogue: Catalogue, person: str) -> list[int]:
        return [catalogue.place[item] for item in self.blind.of(person) if item in catalogue.place]

    def suggestion(self, catalogue: Catalogue, n: int, person: str) -> str | None:
        """What the checks would put in place of the label, in words; of a gold item nothing is known."""
        suggested = int(catalogue.columns["suggested"][n])
        if catalogue.classes:
            return None if suggested == NONE else catalogue.classes[suggested]
        item = catalogue.items[n]
        if self.blind.hides(item, person):
            return None
        found = (shown(self.kind.show, one["suggestion"]) for one in self.evidence.findings(item))
        return next((words for words in found if words is not None), None)

    def content(self, catalogue: Catalogue, n: int) -> bytes:
        """The bytes of an item, proved to be those of its sha256."""
        return store.AssetReader(self.workspace / "data" / "drops")(*catalogue.shards[n])


def counts(said: Sequence[Verdict], person: str) -> int:
    """1 if an answer of this person counts: given, and neither taken back nor sent back."""
    undone = answers.undone_ops(said)
    if any(v.reviewer == person and v.action == GOLD and v.op not in undone for v in said):
        return 1
    return int(bool(voted(said, person)) and person not in threads.returned_to(said))


def voted(said: Sequence[Verdict], person: str) -> int:
    """1 if this person has answered; what others said is no secret to them any more."""
    undone = answers.undone_ops(said)
    return int(any(v.reviewer == person and v.action in answers.OPINIONS and v.op not in undone for v in said))
