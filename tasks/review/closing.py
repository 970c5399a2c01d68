"""Which questions end a session? Its summary, a reviewer's sign-off, and publishing what was answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import gold, plan, publishing, refusal, signoff
from .desk import Desk
from .people import people
from .publishing import Publisher
from .refusal import Refused
from .summary import summary
from .wording import shown, sides_worded, worded

Clock = Callable[[], str]
NO_PUBLISH = "This server does not publish. Run: assay revise"


def routes(desk: Desk, publisher: Publisher, now: Clock) -> list[Route]:
    """Their routes; `now` gives the time in UTC, ISO 8601."""
    asked = _Closing(desk, publisher, now)
    return [
        Route("/api/summary", refusal.told(asked.summary)),
        Route("/api/signoff", refusal.told(asked.signoff)),
        Route("/api/publish", refusal.told(asked.progress)),
        Route("/api/publish", refusal.told(asked.publish), methods=["POST"]),
        Route("/api/changes-to-publish", refusal.told(asked.changes)),
    ]


class _Closing:
    """The handlers; plain functions, which Starlette runs on threads."""

    def __init__(self, desk: Desk, publisher: Publisher, now: Clock) -> None:
        self._desk, self._publisher, self._now = desk, publisher, now

    def summary(self, request: Request) -> Response:
        desk, person = self._desk, request.state.session.name
        catalogue = desk.seen_by(person, request.query_params.get("v"))
        told = summary(desk.logs.said(), desk.logs.state().items, person, self._now())
        left = plan.plan(catalogue, desk.states_for(person))
        publishes = self._publisher.able and request.state.session.role == "reviewer"
        return JSONResponse(
            {
                **told,
                "left": {name: left[name] for name in ("items", "minutes")},
                "next": left["slices"][:1],
                "revision": desk.revision(),
                "publishes": publishes,
            }
        )

    def signoff(self, request: Request) -> Response:
        refusal.reviewer(request, "Signing off")
        catalogue, desk = self._desk.catalogue(request.query_params.get("v")), self._desk
        labelers = [name for name, one in people(desk.workspace).items() if one.role == "labeler"]
        said, items = desk.logs.said(), desk.logs.state().items
        told = signoff.signoff(said, items, labelers)
        scores = gold.gold(said, items)
        for who in told["labelers"]:
            who["gold"] = asdict(scores[who["name"]]) if who["name"] in scores else None
        samples = [row for who in told["labelers"] for row in who["sample"]]
        for one in (*told["disputes"], *told["questions"], *samples):
            one["n"] = catalogue.place.get(one["item"])
        for one in told["disputes"]:
            given = None if one["n"] is None else catalogue.ys[one["n"]]
            one["sides"] = sides_worded(desk.kind.show, signoff.sides(desk.logs.opinions(one["item"]), given))
        for one in (*samples, *(answer for dispute in told["disputes"] for answer in dispute["answers"])):
            one["label"] = None if one["y"] is None else worded(desk.kind.show, one["action"], one["y"])
            one["given"] = shown(desk.kind.show, one["seen"])
        return JSONResponse(told)

    def changes(self, request: Request) -> Response:
        self._may(request)
        self._desk.writer.look()
        state = self._desk.logs.state()
        return JSONResponse(publishing.changes(self._desk.workspace / "data", state, self._desk.kind))

    def publish(self, request: Request) -> Response:
        self._may(request)
        if not self._publisher.start():
            raise Refused(409, "A revision is being published already. Wait for it to end.")
        return JSONResponse(self._publisher.status(), 202)

    def progress(self, request: Request) -> Response:
        self._may(request)
        return JSONResponse(self._publisher.status())

    def _may(self, request: Request) -> None:
        refusal.reviewer(request, "Publishing")
        if not self._publisher.able:
            raise Refused(404, NO_PUBLISH)
