"""What did the page say? One answer of a request as a verdict, or the sentence that refuses it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..answersheet import LONGEST_OP
from ..model import Verdict, label_json
from .catalogue import Catalogue

ANYBODY = ("keep", "relabel", "remove", "unsure", "ambiguous", "question", "issue", "undo")
REVIEWERS = ("approve", "return", "resolve", "answer")
NEEDS_NOTE = ("question", "issue", "return", "answer")
NEEDS_OF = ("undo", "approve", "return", "answer")
FIELDS = {"op", "n", "action", "label", "labels", "note", "category", "of", "shown"}
LONGEST_NOTE = 2_000  # characters


@dataclass(frozen=True)
class Room:
    """What answers are checked against."""

    catalogue: Catalogue
    kind: ModuleType  # of labels/
    classes: frozenset[str]  # none where labels are texts
    revision: str | None  # the newest tag
    guideline: str | None  # its version

    def verdict(self, raw: Any, *, reviewer: str, role: str, at: str) -> Verdict:
        """The verdict of one answer; ValueError with a sentence for one that cannot be taken."""
        if not isinstance(raw, dict) or not set(raw) <= FIELDS:
            raise ValueError(f"An answer has the fields {', '.join(sorted(FIELDS))}, and no others.")
        op, action, n = self._text(raw, "op", LONGEST_OP), raw.get("action"), raw.get("n")
        if not op or not op.isprintable():
            raise ValueError("An answer needs an op of its own.")
        if action not in (*ANYBODY, *REVIEWERS):
            raise ValueError(f"Action '{str(action)[:40]}' is not known. Actions are: {', '.join(ANYBODY)}.")
        if action in REVIEWERS and role != "reviewer":
            raise ValueError(f"Action '{action}' is a reviewer's; '{reviewer}' is a labeler.")
        if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n < len(self.catalogue.items):
            raise ValueError(f"Place '{str(n)[:40]}' is none of the {len(self.catalogue.items):,} items.")
        note, of = self._text(raw, "note", LONGEST_NOTE), self._text(raw, "of", LONGEST_OP)
        if action in NEEDS_NOTE and not (note or "").strip():
            raise ValueError(f"Action '{action}' needs words: what is it about?")
        if action in NEEDS_OF and not of:
            raise ValueError(f"Action '{action}' needs the op that it is about.")
        return Verdict(
            op=op,
            subject=f"item:{self.catalogue.items[n]}",
            action=action,
            reviewer=reviewer,
            at=at,
            y=self._y(raw, action),
            of=of,
            category=self._text(raw, "category", 100),
            note=note,
            guideline=self.guideline,
            seen=self._seen(n),
        )

    def _text(self, raw: Mapping[str, Any], name: str, longest: int) -> str | None:
        value = raw.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > longest:
            raise ValueError(f"Field '{name}' is a text of up to {longest:,} characters.")
        return value

    def _y(self, raw: Mapping[str, Any], action: str) -> str | None:
        if action == "relabel" or (action == "resolve" and raw.get("label") is not None):
            return self._label(raw.get("label"))
        if action != "ambiguous":
            return None
        several = raw.get("labels")
        if not isinstance(several, list):
            raise ValueError("Action 'ambiguous' needs a list of labels.")
        ys = list(dict.fromkeys(self._label(one) for one in several))
        if len(ys) < 2:
            raise ValueError("Action 'ambiguous' needs two different labels or more.")
        return label_json([json.loads(y) for y in ys])

    def _label(self, label: Any) -> str:
        if not isinstance(label, str):
            raise ValueError("A label is a text.")
        try:
            y = str(self.kind.parse(label))
        except ValueError as error:
            raise ValueError(f"Label '{label[:40]}' cannot be kept: {error}.") from None
        if unknown := [name for name in self.kind.classes_of(y) if name not in self.classes]:
            few = ", ".join(sorted(self.classes)[:20])
            raise ValueError(f"Label '{unknown[0][:40]}' is no class. Classes are: {few}.")
        return y

    def _seen(self, n: int) -> dict[str, Any]:
        rank, p_wrong = int(self.catalogue.columns["rank"][n]), float(self.catalogue.columns["p_wrong"][n])
        shown: dict[str, Any] = {"p_wrong": round(p_wrong, 6), "rank": rank} if rank else {}
        if checks := self.catalogue.checks_of(n):  # whose findings are confirmed or not by this answer
            shown["checks"] = checks
        return {"revision": self.revision, "y": self.catalogue.ys[n], **shown}
