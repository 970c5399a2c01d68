"""What lies between two revisions, item by item: which labels changed, who said so and when?

Reads   the tables of two revisions, proved against their manifests (tasks/versions)
Writes  nothing

A row names its picture as (tag, n): the n-th item of that revision, so that no address holds an id or a path.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tasks import versions
from tasks.model import Verdict

KEPT = 4  # tables of revisions in memory: two pages' worth

Told = Callable[[str], Verdict | None]  # op -> the verdict with it


@dataclass(frozen=True, slots=True)
class Change:
    """One item that the two revisions do not have alike."""

    item: str
    tag: str  # of the revision that has its picture
    n: int  # its row there
    before: str | None  # its label in the older one, JSON text; None: it is not in there
    after: str | None
    why: str  # as the newer revision has it
    who: str = ""  # the people who decided it
    at: str = ""  # the latest of their answers, UTC, ISO 8601
    note: str = ""  # what they wrote


@dataclass(frozen=True, slots=True)
class Changes:
    """The whole difference."""

    a: str
    b: str
    relabelled: Sequence[Change]
    added: Sequence[Change]
    removed: Sequence[Change]
    before: int  # items in a
    after: int  # items in b

    def pairs(self) -> list[tuple[tuple[str, str], int]]:
        """((label before, label after) as JSON text, number of items), the most frequent first."""
        counts = Counter((str(one.before), str(one.after)) for one in self.relabelled)
        return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


class Past:
    """The tables of the revisions that were asked for last; they never change. Safe for several threads."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._kept: OrderedDict[str, tuple[pd.DataFrame, Mapping[str, str]]] = OrderedDict()
        self._lock = threading.Lock()

    def table(self, revision: str) -> tuple[str, pd.DataFrame, Mapping[str, str]]:
        """(tag, model.DATASET, item -> why it is left out); Mistake for an unknown revision."""
        tag = versions.resolve(self._workspace, revision)
        with self._lock:
            if tag not in self._kept:
                left_out = versions.read_removed(self._workspace, tag)
                reasons = dict(zip(left_out["item"], left_out["why"], strict=True))
                self._kept[tag] = versions.read_dataset(self._workspace, tag), reasons
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(tag)
            return tag, *self._kept[tag]

    def between(self, a: str, b: str, told: Told) -> Changes:
        """What changed from revision `a` to revision `b`."""
        tag_a, old, _ = self.table(a)
        tag_b, new, left_out = self.table(b)
        found = versions.compare(tag_a, old, tag_b, new)
        in_old, in_new = _places(old["item"]), _places(new["item"])

        def came(item: str, before: str | None, after: str | None) -> Change:
            n = in_new[item]
            return _change(item, tag_b, n, before, after, str(new["why"].iloc[n]), told)

        def went(item: str) -> Change:
            n = in_old[item]
            why = left_out.get(item, "its drop is not in the dataset any more")
            return _change(item, tag_a, n, str(old["y"].iloc[n]), None, why, told)

        return Changes(
            tag_a,
            tag_b,
            [came(item, y, other) for item, (y, other) in found.relabelled.items()],
            [came(item, None, str(new["y"].iloc[in_new[item]])) for item in found.added],
            [went(item) for item in found.removed],
            len(old),
            len(new),
        )


def _places(items: Iterable[str]) -> Mapping[str, int]:
    return {item: n for n, item in enumerate(items)}


def _change(item: str, tag: str, n: int, before: str | None, after: str | None, why: str, told: Told) -> Change:
    said = [verdict for op in ops_of(why) if (verdict := told(op)) is not None]
    return Change(
        item,
        tag,
        n,
        before,
        after,
        why,
        ", ".join(dict.fromkeys(verdict.reviewer for verdict in said)),
        max((verdict.at for verdict in said), default=""),
        " ".join(verdict.note for verdict in said if verdict.note),
    )


def ops_of(why: str) -> tuple[str, ...]:
    """The ops that decided a label.

    >>> ops_of("verdict 6f0c 77ad (unsure: 90e1)"), ops_of("drop 0001-acme labels.csv:17")
    (('6f0c', '77ad'), ())
    """
    decided, _, _ = why.partition(" (")
    return tuple(decided.removeprefix("verdict ").split()) if decided.startswith("verdict ") else ()
