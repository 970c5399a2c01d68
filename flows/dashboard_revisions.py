"""Which pages show what changed from one revision to another, with pictures?

    /revisions              the revisions, and two to choose
    /revisions/A..B         added, removed and relabelled items; ?from=cat&to=dog: of one pair only
    /revisions/TAG/N.jpg    the picture of the N-th item of a revision, 96 pixels, made again from its bytes

All behind the session. Lists are cut at MOST and say so; `assay diff A B --items` has everything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from tasks import labels, params, store, versions
from tasks.modalities import Unreadable, modality
from tasks.model import AssayError, Task
from tasks.review.desk import Desk
from tasks.review.tiles import SIDE
from tasks.versions.manifest import short

from .changes import Change, Changes, Past
from .links import of_place

MOST = 60  # items of a list
PAIRS = 24  # kinds of change named one by one
LONGEST = 280  # characters of a text that stands for a picture
FOREVER = {"cache-control": "private, max-age=31536000, immutable"}  # a revision never changes

Shown = Callable[..., Response]  # (template, what it is told, status)


def routes(workspace: Path, desk: Desk | None, shown: Shown) -> Sequence[BaseRoute]:
    """The pages; `desk` says who gave an answer and where an item is in the grid, where there is one."""
    pages = _Pages(workspace, desk, shown)
    return [
        Route("/revisions", pages.choose),
        Route("/revisions/{tag}/{n:int}.jpg", pages.picture),
        Route("/revisions/{pair}", pages.difference),
    ]


class _Pages:
    """The handlers; plain functions, which Starlette runs on threads."""

    def __init__(self, workspace: Path, desk: Desk | None, shown: Shown) -> None:
        self._workspace, self._desk, self._shown = workspace.resolve(), desk, shown
        self._past = Past(self._workspace)
        self._reading = threading.Lock()
        self._reader = store.AssetReader(self._workspace / "data" / "drops", groups=4)

    def choose(self, request: Request) -> Response:
        a, b = request.query_params.get("a"), request.query_params.get("b")
        found = versions.log(self._workspace)
        if a and b:
            known = {short(one.tag) for one in found}
            if {a, b} <= known:
                return RedirectResponse(f"/revisions/{quote(a)}..{quote(b)}", 303)
            return self._nothing(f"Unknown revision '{a if a not in known else b}'.")
        return self._shown("revisions.html.j2", {**self._frame(), "revisions": _chain(found)})

    def difference(self, request: Request) -> Response:
        a, dots, b = str(request.path_params["pair"]).partition("..")
        if not dots:
            return self._nothing("Two revisions are named, as in /revisions/v1.0.0..v1.0.1.")
        try:
            changes = self._past.between(a, b, self._told)
            told = self._difference(changes, request.query_params.get("from"), request.query_params.get("to"))
        except AssayError as error:
            return self._nothing(str(error))
        return self._shown("revision_diff.html.j2", {**self._frame(), **told})

    def picture(self, request: Request) -> Response:
        try:
            _, table, _ = self._past.table(str(request.path_params["tag"]))
            n = int(request.path_params["n"])
            if not 0 <= n < len(table) or not hasattr(self._modality, "tile"):
                return PlainTextResponse("Not found", 404)
            content = self._modality.tile(self._content(table["shard"].iloc[n], int(table["row"].iloc[n])), SIDE)
        except (AssayError, Unreadable, OSError):
            return PlainTextResponse("Not found", 404)
        return Response(content, media_type="image/jpeg", headers=FOREVER)

    # --- what they are told ------------------------------------------------------------------------------------------

    def _frame(self) -> dict[str, Any]:
        tags = [short(one.tag) for one in versions.log(self._workspace)]
        return {"name": self._workspace.name, "tags": tags}

    def _nothing(self, sentence: str) -> Response:
        return self._shown("revisions.html.j2", {**self._frame(), "revisions": [], "sentence": sentence}, 404)

    def _difference(self, changes: Changes, given: str | None, to: str | None) -> dict[str, Any]:
        show, a, b = self._kind.show, short(changes.a), short(changes.b)
        here = f"/revisions/{a}..{b}"
        pairs = [
            {
                "from": show(old),
                "to": show(new),
                "count": count,
                "address": f"{here}?{urlencode({'from': show(old), 'to': show(new)})}",
            }
            for (old, new), count in (() if labels.is_paired(self._task.kind) else changes.pairs())  # texts: each once
        ]
        chosen = [
            one
            for one in changes.relabelled
            if (given is None or show(str(one.before)) == given) and (to is None or show(str(one.after)) == to)
        ]
        alone = given is not None or to is not None
        lists = [("relabelled", chosen), *(() if alone else (("added", changes.added), ("removed", changes.removed)))]
        return {
            "a": a,
            "b": b,
            "here": here,
            "given": given,
            "to": to,
            "before": changes.before,
            "after": changes.after,
            "counts": {name: len(getattr(changes, name)) for name in ("relabelled", "added", "removed")},
            "pairs": pairs[:PAIRS],
            "pairs_more": max(0, len(pairs) - PAIRS),
            "lists": [
                (name, [self._cell(one) for one in found[:MOST]], len(found), max(0, len(found) - MOST))
                for name, found in lists
            ],
        }

    def _cell(self, one: Change) -> dict[str, Any]:
        show = self._kind.show
        pictured = hasattr(self._modality, "tile")
        return {
            **asdict(one),
            "before": None if one.before is None else show(one.before),
            "after": None if one.after is None else show(one.after),
            "picture": f"/revisions/{short(one.tag)}/{one.n}.jpg" if pictured else None,
            "text": None if pictured else self._text(one),
            "address": self._address(one),
        }

    def _text(self, one: Change) -> str:
        _, table, _ = self._past.table(one.tag)
        try:
            media, content = self._modality.preview(
                self._content(table["shard"].iloc[one.n], int(table["row"].iloc[one.n]))
            )
        except (AssayError, Unreadable, OSError):
            return ""
        text = content.decode("utf-8", "replace") if media.startswith("text/") else ""
        return text if len(text) <= LONGEST else text[:LONGEST] + "…"

    def _address(self, one: Change) -> str | None:
        """The item in the grid, where it is in there."""
        if self._desk is None:
            return None
        try:
            n = self._desk.catalogue().place.get(one.item)
        except (AssayError, OSError):
            return None
        return None if n is None else of_place(n)

    def _told(self, op: str) -> Any:
        return None if self._desk is None else self._desk.logs.verdict(op)

    def _content(self, shard: str, row: int) -> bytes:
        with self._reading:
            return self._reader(shard, row)

    @cached_property
    def _task(self) -> Task:
        return params.section(self._workspace / "params.yaml", "task", Task)

    @cached_property
    def _kind(self) -> Any:
        return labels.kind(self._task.kind)

    @cached_property
    def _modality(self) -> Any:
        return modality(self._task.modality)


def _chain(found: Sequence[versions.Revision]) -> list[Mapping[str, Any]]:
    """Each revision with the one it follows, newest first."""
    rows: list[Mapping[str, Any]] = []
    for one in found:
        parent = None if one.parent is None else short(one.parent)
        rows.append(
            {"tag": short(one.tag), "at": one.at[:16].replace("T", " "), "counts": one.counts, "parent": parent}
        )
    return rows
