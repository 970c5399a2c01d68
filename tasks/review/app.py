"""Which questions may a browser ask, and what does it get? The review page's routes over desk.py and writer.py.

Reads and writes only what the modules behind it name. Every answer is on disk before it is acknowledged; every write is
checked against the catalogue that the page holds. Who may ask at all is guard.py's matter.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..model import Mistake, Verdict
from . import plan as plans
from . import shell, threads
from .catalogue import Catalogue
from .claims import Claims
from .desk import Desk, Stale
from .refusal import STALE, Refused, told
from .sessions import Session
from .shell import FOREVER
from .talk import talk
from .tiles import MOST
from .wording import shown

ANSWERS = 2_000  # in one request

Clock = Callable[[], str]


def routes(desk: Desk, now: Clock) -> list[Route]:
    """The page and its questions; `now` gives the time in UTC, ISO 8601."""
    asked = _Asked(desk, now)
    reads = {
        "/api/me": asked.me,
        "/api/catalogue": asked.catalogue,
        "/api/order": asked.order,
        "/api/sheet": asked.sheet,
        "/api/cards": asked.cards,
        "/api/item": asked.item,
        "/api/asset": asked.asset,
        "/api/similar": asked.similar,
        "/api/references": asked.references,
        "/api/plan": asked.plan,
        "/api/changes": asked.changes,
        "/api/recent": asked.recent,
        "/api/guideline": asked.guideline,
    }
    return [
        Route("/api/answers", asked.answers, methods=["POST"]),  # first: routes are tried in turn, and this one is hot
        *shell.routes(),
        *(Route(path, told(handler)) for path, handler in reads.items()),
        Route("/api/claims", asked.claims, methods=["POST"]),
    ]


class _Asked:
    """The handlers. Those that read are plain functions, which Starlette runs on threads."""

    def __init__(self, desk: Desk, now: Clock) -> None:
        self._desk, self._now, self._claims = desk, now, Claims()

    # --- reading -----------------------------------------------------------------------------------------------------

    def me(self, request: Request) -> Response:
        version, text = self._desk.guideline()
        title = next((line.lstrip("# ").strip() for line in text.splitlines() if line.strip()), "Guideline")
        return JSONResponse(
            {
                "name": request.state.session.name,
                "role": request.state.session.role,
                "guideline": None if version is None else {"version": version, "title": title},
                "kind": self._desk.task.kind,
                "modality": self._desk.task.modality,
                "widget": self._desk.kind.WIDGET,
                "preview": self._desk.modality.PREVIEW,
            }
        )

    def catalogue(self, request: Request) -> Response:
        return Response(self._desk.packed(request.state.session.name), media_type="application/octet-stream")

    def order(self, request: Request) -> Response:
        catalogue = self._desk.seen_by(request.state.session.name, request.query_params.get("v", ""))
        name = request.query_params.get("by", "")
        if name not in ("similarity", "loss"):
            raise Refused(400, "by= is similarity or loss.")
        return Response(self._desk.order(catalogue, name).tobytes(), media_type="application/octet-stream")

    def sheet(self, request: Request) -> Response:
        catalogue, places = self._places(request)
        if self._desk.tiles is None:
            raise Refused(400, f"Items of modality '{self._desk.task.modality}' are cards, not tiles.")
        wanted = [(catalogue.assets[n], *catalogue.shards[n]) for n in places]
        return Response(self._desk.tiles.sheet(wanted), media_type="image/jpeg", headers=FOREVER)

    def cards(self, request: Request) -> Response:
        catalogue, places = self._places(request)
        desk, person = self._desk, request.state.session.name
        cards = []
        for n in places:
            _, content = desk.modality.preview(desk.content(catalogue, n))
            text = content.decode("utf-8", "replace") if desk.tiles is None else ""
            said = desk.suggestion(catalogue, n, person)
            cards.append({"n": n, "text": text, "label": shown(desk.kind.show, catalogue.ys[n]), "suggestion": said})
        return JSONResponse(cards)

    def item(self, request: Request) -> Response:
        catalogue, (n, *_) = self._places(request)
        item, desk = catalogue.items[n], self._desk
        person, given = request.state.session.name, catalogue.ys[n]
        said = desk.blind.said(item, person)
        findings = desk.evidence.drawn() if desk.blind.hides(item, person) else desk.evidence.findings(item)
        return JSONResponse(
            {
                "n": n,
                "given": shown(desk.kind.show, given),
                "suggestion": desk.suggestion(catalogue, n, person),
                "p_wrong": round(float(catalogue.columns["p_wrong"][n]), 4),
                **desk.evidence.delivered(item),
                "findings": [_in_words(desk.kind.show, one) for one in findings],
                "near": desk.near(catalogue, n, person),
                **talk(said, desk.logs.opinions(item), given, desk.kind.show, request.state.session),
            }
        )

    def asset(self, request: Request) -> Response:
        catalogue, (n, *_) = self._places(request)
        media, content = self._desk.modality.preview(self._desk.content(catalogue, n))
        return Response(content, media_type=media, headers=FOREVER)

    def similar(self, request: Request) -> Response:
        catalogue, (n, *_) = self._places(request)
        return JSONResponse({"places": self._desk.similar(catalogue, n, min(_number(request, "k", 60), 600))})

    def references(self, request: Request) -> Response:
        person = request.state.session.name
        catalogue = self._desk.seen_by(person, request.query_params.get("v"))
        return JSONResponse({"places": self._desk.references(catalogue, _number(request, "class", 0), person)})

    def plan(self, request: Request) -> Response:
        person = request.state.session.name
        catalogue = self._desk.seen_by(person, request.query_params.get("v"))
        today = plans.plan(catalogue, self._desk.states_for(person))
        return JSONResponse({**today, "stop": plans.stop_rule(self._desk.workspace)})

    def changes(self, request: Request) -> Response:
        person, version = request.state.session.name, request.query_params.get("v")
        seq, states = self._desk.changes(_number(request, "since", 0), person, version)
        return JSONResponse({"seq": seq, "states": states})

    def recent(self, request: Request) -> Response:
        catalogue = self._desk.catalogue(request.query_params.get("v"))
        return JSONResponse(threads.recent(self._desk.logs.said(), request.state.session.name, catalogue.place))

    def guideline(self, request: Request) -> Response:
        return Response(self._desk.guideline()[1], media_type="text/markdown; charset=utf-8")

    def _places(self, request: Request) -> tuple[Catalogue, list[int]]:
        """The catalogue that the page holds, and the places n= names, at most MOST."""
        catalogue = self._desk.seen_by(request.state.session.name, request.query_params.get("v", ""))
        try:
            places = [int(part) for part in request.query_params.get("n", "").split(",")]
        except ValueError:
            raise Refused(400, "n= holds places of the catalogue, as in n=3,17.") from None
        if len(places) > MOST or not all(0 <= n < len(catalogue.items) for n in places):
            raise Refused(400, f"n= holds up to {MOST} places from 0 to {len(catalogue.items) - 1:,}.")
        return catalogue, places

    # --- writing -----------------------------------------------------------------------------------------------------

    async def answers(self, request: Request) -> Response:
        try:
            told = json.loads(await request.body())
        except (ValueError, RecursionError):
            return JSONResponse({"error": "The request is not JSON."}, 400)
        rows = told.get("answers") if isinstance(told, dict) else None
        if not isinstance(rows, list) or not 0 < len(rows) <= ANSWERS:
            return JSONResponse({"error": f"A request holds 1 to {ANSWERS:,} answers."}, 400)
        try:
            catalogue = self._desk.catalogue_of(str(told.get("v")))
        except Stale:
            return JSONResponse({"error": STALE}, 409)
        except Mistake as error:
            return JSONResponse({"error": str(error)}, 400)
        return await self._keep(catalogue, rows, request.state.session)

    async def _keep(self, catalogue: Catalogue, rows: Sequence[Any], session: Session) -> Response:
        room, at = self._desk.room(catalogue), self._now()
        verdicts: list[Verdict] = []
        refused: list[dict[str, str]] = []
        for raw in rows:
            try:
                verdict = room.verdict(raw, reviewer=session.name, role=session.role, at=at)
                verdicts.append(self._desk.blind.kept_as(verdict))
            except ValueError as error:
                op = raw.get("op") if isinstance(raw, dict) else None
                refused.append({"op": str(op)[:200], "reason": str(error)})
        kept: Sequence[str] = ()
        if verdicts:
            try:
                saved = await asyncio.wrap_future(self._desk.writer.submit(verdicts))
            except Mistake as error:  # nothing of this request is kept: the page holds on to it
                return JSONResponse({"error": str(error)}, 503)
            kept = (*saved.new, *saved.already)
            refused += [{"op": op, "reason": reason} for op, reason in saved.refused]
        places = dict.fromkeys(catalogue.place[v.subject.removeprefix("item:")] for v in verdicts)
        who = session.name  # places as the page knows them
        states = [(n, *self._desk.states_of(catalogue.items[n], who)) for n in places]
        return JSONResponse({"saved": kept, "refused": refused, "states": states, "seq": self._desk.logs.seq})

    async def claims(self, request: Request) -> Response:
        try:
            told = json.loads(await request.body())
            places = [int(n) for n in told.get("places", [])]
            catalogue = self._desk.catalogue(str(told.get("v")))
            items = [catalogue.items[n] for n in places]
        except Stale:
            return JSONResponse({"error": STALE}, 409)
        except (ValueError, TypeError, AttributeError, IndexError, RecursionError):
            return JSONResponse({"error": "A claim names places of the catalogue."}, 400)
        who = request.state.session.name
        if told.get("release"):
            self._claims.release(who)
            return JSONResponse({"taken": []})
        taken = self._claims.claim(who, items, now=time.monotonic())
        return JSONResponse({"taken": [(catalogue.place[item], other) for item, other in taken]})


def _number(request: Request, name: str, otherwise: int) -> int:
    raw = request.query_params.get(name)
    if raw is None:
        return otherwise
    if not raw.isascii() or not raw.isdigit() or len(raw) > 12:
        raise Refused(400, f"{name}= is a whole number.")
    return int(raw)


def _in_words(show: Callable[[str], str], finding: dict[str, Any]) -> dict[str, Any]:
    return finding | {
        "severity": round(float(finding["severity"]), 4),
        "suggestion": shown(show, finding["suggestion"]),
    }
