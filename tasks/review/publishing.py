"""What would a revision change, and how does publishing one go on beside the page?

Reads   data/revise/{dataset,removed}.parquet and data/revision.json: what was published last
Writes  nothing: what publishes is a function of whoever serves the page (it belongs to flows), on a thread of its own

One at a time. The writer goes on meanwhile: the run takes the journal's lock only for the moment of its copy.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import store
from ..answers import State
from ..model import DATASET, MANIFEST, PASSED, AssayError

CLASSES = 200  # rows of the table of changes, those with the most changes first

Publish = Callable[[Callable[[str], None]], str]
"""publish(say) -> the tag: blocks; `say` hears a line a stage. AssayError with one sentence where it cannot."""


@dataclass(frozen=True, slots=True)
class Status:
    """How far publishing is: `idle`, `running`, `done` or `failed`."""

    state: str = "idle"
    lines: tuple[str, ...] = ()  # what the run has said
    tag: str | None = None
    sentence: str | None = None  # why it failed


class Publisher:
    """Publishes on a thread, one at a time."""

    def __init__(self, publish: Publish | None) -> None:
        self._publish = publish
        self._lock = threading.Lock()
        self._status = Status()

    @property
    def able(self) -> bool:
        return self._publish is not None

    def status(self) -> dict[str, Any]:
        """The state of the latest one, as JSON."""
        with self._lock:
            return asdict(self._status)

    def start(self) -> bool:
        """Begin; False where one is at work already."""
        if (publish := self._publish) is None:
            return False
        with self._lock:
            if self._status.state == "running":
                return False
            self._status = Status("running")
        threading.Thread(target=self._run, args=(publish,), name="publish", daemon=True).start()
        return True

    def _run(self, publish: Publish) -> None:
        try:
            tag = publish(self._say)
            self._end(state="done", tag=tag)
        except AssayError as error:
            self._end(state="failed", sentence=str(error))
        except BaseException as error:  # the page must not wait for a thread that is gone
            self._end(state="failed", sentence=f"{type(error).__name__}: {error}. This is a fault of Assay's.")
            raise

    def _say(self, line: str) -> None:
        with self._lock:
            self._status = Status("running", (*self._status.lines, line)[-200:])

    def _end(self, *, state: str, tag: str | None = None, sentence: str | None = None) -> None:
        with self._lock:
            self._status = Status(state, self._status.lines, tag, sentence)


def changes(data: Path, state: State, kind: ModuleType) -> dict[str, Any]:
    """What the answers would change: {"since", "relabelled", "removed", "kept", "added", "open", "classes"}.

    Against the newest revision, or against what was delivered where there is none (`since` None). `kept`: items whose
    label stays; `open`: disputed or unsure ones, which keep their last undisputed label; `classes`: [{"name", "out",
    "removed", "into"}], by the number of changes: relabelled from it, removed from it, relabelled to it.
    """
    since, before = _before(data)
    passed = set(store.read_table(data / "validate" / "passed.parquet", PASSED)["item"])
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST, columns=["item", "y"])
    out: Counter[str] = Counter()
    into: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    kept = added = unsettled = 0
    for item, delivered in zip(manifest["item"], manifest["y"], strict=True):
        if item not in passed:
            continue
        one = state.items.get(item)
        y = delivered if one is None or one.y is None else one.y
        unsettled += one is not None and (one.disputed or one.unsure)
        was = before.get(item) if since is not None else delivered
        removed = one is not None and one.removed
        if was is None:
            added += not removed
        elif removed:
            gone[_name(kind, was)] += 1
        elif was == y:
            kept += 1
        else:
            out[_name(kind, was)] += 1
            into[_name(kind, y)] += 1
    names = sorted({*out, *into, *gone}, key=lambda name: (-(out[name] + into[name] + gone[name]), name))
    return {
        "since": since,
        "relabelled": sum(out.values()),
        "removed": sum(gone.values()),
        "kept": kept,
        "added": added,
        "open": unsettled,
        "classes": [{"name": n, "out": out[n], "removed": gone[n], "into": into[n]} for n in names[:CLASSES]],
    }


def _before(data: Path) -> tuple[str | None, Mapping[str, str]]:
    """The newest tag, and the labels of its items."""
    seal, table = data / "revision.json", data / "revise" / "dataset.parquet"
    tag = store.read_json(seal).get("tag") if seal.exists() else None
    if not isinstance(tag, str) or not table.exists():
        return None, {}
    dataset = store.read_table(table, DATASET, columns=["item", "y"])
    return tag, dict(zip(dataset["item"], dataset["y"], strict=True))


def _name(kind: ModuleType, y: str) -> str:
    """The class of a label; a text is of none."""
    return (kind.target(y) if y != "null" else None) or "texts"
