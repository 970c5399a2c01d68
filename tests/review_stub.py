"""A stand-in for the network and the server behind the review page: the same addresses and bytes, and faults on demand.

It is the front end's test bench, not our server: nothing of tasks/review/*.py runs here. What the page must bear can be
had at will: a server that is slow, away, started anew, that refuses, or that writes and then loses its reply. 100,000
items, 1,000 classes and labels that are markup are one line each. `python -P tests/review_stub.py` shows it.
"""

from __future__ import annotations

import asyncio
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tasks.review import shell

REVIEW = Path(__file__).parent.parent / "tasks" / "review"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
TOKEN = "0123456789abcdef0123456789abcdef"
NONE = 65_535
GUIDELINE = """# Digits

Label **what is drawn**, not what was meant.

- a `7` may have a bar
- <img src=x onerror=window.__xss=1>
"""
STATES = {"keep": 1, "relabel": 1, "ambiguous": 1, "unsure": 2, "remove": 4, "question": 5}
TYPES = {"<u1": "u8", "<u2": "u16", "<u4": "u32"}


@dataclass
class World:
    """N items of K classes: what was given, what is true (and drawn), and what an audit would say."""

    classes: list[str]
    given: NDArray[np.int64]  # (N,) class
    truth: NDArray[np.int64]  # (N,) class
    texts: list[tuple[str, str, str | None]] | None = None  # text, label, suggestion: cards in place of tiles
    role: str = "labeler"
    version: str = "v1"
    groups: dict[str, list[str]] = field(default_factory=lambda: {"drop": ["0001-a", "0002-b"], "split": ["train"]})

    @property
    def wrong(self) -> list[int]:
        return [int(n) for n in np.flatnonzero(self.given != self.truth)]


def toy(items: int, classes: Sequence[str], *, wrong: int = 0, seed: int = 0) -> World:
    """Items in turn of each class, of which `wrong` carry the next class's name."""
    rng = np.random.default_rng(seed)
    truth = np.arange(items) % max(1, len(classes))
    given = truth.copy()
    at = rng.choice(items, wrong, replace=False)
    given[at] = (given[at] + 1) % max(1, len(classes))
    return World(list(classes), given, truth)


@lru_cache(maxsize=512)
def tile(truth: int, variant: int) -> Image.Image:
    rng = np.random.default_rng(truth * 16 + variant)
    hue = (truth * 47 + 20) % 360
    image = Image.new("RGB", (96, 96), f"hsl({hue}, 30%, {14 + variant}%)")
    draw = ImageDraw.Draw(image)
    x, y = rng.integers(30, 50, 2)
    shapes: list[Callable[..., None]] = [draw.ellipse, draw.rectangle, partial(draw.rounded_rectangle, radius=16)]
    shapes[truth % 3]([int(x) - 22, int(y) - 22, int(x) + 34, int(y) + 34], fill=f"hsl({hue}, 60%, 62%)")
    draw.text((int(x) - 6, int(y) - 10), str(truth), fill="white", font=ImageFont.load_default(28))
    return image


class Stub:
    """The server, in a thread of this process; `said` is what it took, in the order in which it came."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.said: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.slow = 0.0  # seconds before each reply
        self.away = False  # 503 for every write
        self.lose_replies = 0  # so many writes are taken, and then answered 500
        self.refuse: dict[int, str] = {}  # place: reason
        self.stale = False
        self.port = 0
        self.sessions = {TOKEN}
        n = len(world.given)
        rng = np.random.default_rng(1)
        odd = world.given != world.truth
        self.p_wrong = np.where(odd, 0.6 + 0.39 * rng.random(n), 0.3 * rng.random(n)).astype("<f4")
        self.rank = np.zeros(n, dtype="<u4")
        queue = np.argsort(-self.p_wrong, kind="stable")[: max(int(odd.sum()) * 3 // 2, min(n, 20))]
        self.rank[queue] = np.arange(1, len(queue) + 1)
        self.state = np.zeros(n, dtype="<u1")
        self.mine = np.zeros(n, dtype="<u1")

    def __enter__(self) -> Stub:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def link(self) -> str:
        return f"http://127.0.0.1:{self.port}/review#token={TOKEN}"

    def start(self) -> None:
        """On the port that it had, if it had one: a server that comes back."""
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", self.port))
        self.port = door.getsockname()[1]
        config = uvicorn.Config(self.app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve(door)), daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    async def serve(self, door: socket.socket) -> None:
        """Until `stop`; then every connection is cut, or its socket would be found open in a later test."""
        await self.server.serve(sockets=[door])
        for connection in list(self.server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0.02)  # the loop closes what was cut

    def stop(self) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join()

    def app(self) -> Starlette:
        get = {
            "/review": self.page,
            "/static/{name}": self.static,
            "/module/{name}": self.module,
            "/api/me": self.me,
            "/api/catalogue": self.catalogue,
            "/api/order": self.order,
            "/api/sheet": self.sheet,
            "/api/cards": self.cards,
            "/api/item": self.item,
            "/api/asset": self.asset,
            "/api/similar": self.similar,
            "/api/references": self.references,
            "/api/recent": self.recent,
            "/api/plan": self.plan,
            "/api/changes": self.changes,
            "/api/guideline": self.guideline,
            "/api/signoff": self.signoff,
        }
        sent = {"/session": self.session, "/api/answers": self.answers, "/api/claims": self.claims}
        routes = [Route(path, partial(self.guarded, act), methods=["GET"]) for path, act in get.items()]
        routes += [Route(path, partial(self.guarded, act), methods=["POST"]) for path, act in sent.items()]
        return Starlette(routes=routes)

    async def guarded(self, act: Callable[[Request, Any], Response], request: Request) -> Response:
        self.requests.append(f"{request.method} {request.url.path}")
        body = await request.json() if request.method == "POST" else None
        open_to_all = request.url.path.startswith(("/review", "/session", "/static/", "/module/"))
        if not open_to_all and request.cookies.get("assay_session") not in self.sessions:
            return problem(401, "There is no session. Open the link that assay review prints.")
        version = body.get("v") if body else request.query_params.get("v")
        if version not in (None, self.world.version) or (self.stale and version is not None):
            return problem(409, f"The catalogue '{version}' is no longer in force. Open the page again.")
        if self.slow:
            await run_in_threadpool(time.sleep, self.slow)
        reply = act(request, body)
        reply.headers.update({"Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff"})
        return reply

    # what is read ----------------------------------------------------------------------------------------------

    def page(self, request: Request, body: Any) -> Response:
        return FileResponse(REVIEW / "templates" / "review.html", media_type="text/html")

    def static(self, request: Request, body: Any) -> Response:
        if request.path_params["name"] == "review.js":
            return Response(shell.script(), media_type="text/javascript")
        return FileResponse(REVIEW / "static" / "review.css", media_type="text/css")

    def module(self, request: Request, body: Any) -> Response:
        """One file of the script by itself, for a test of it; the page asks for none."""
        return FileResponse(REVIEW / "static" / request.path_params["name"], media_type="text/javascript")

    def me(self, request: Request, body: Any) -> Response:
        text = self.world.texts is not None
        guideline = {"version": "0123456789ab", "title": "Digits"}
        return JSONResponse(
            {
                "name": "ada",
                "role": self.world.role,
                "guideline": guideline,
                "kind": "pairs" if text else "single",
                "modality": "text" if text else "image",
                "widget": "text" if text else "classes",
                "preview": "card" if text else "sheet",
            }
        )

    def catalogue(self, request: Request, body: Any) -> Response:
        world, n = self.world, len(self.world.given)
        bare = not world.classes
        columns: dict[str, NDArray[Any]] = {
            "given": np.full(n, NONE, "<u2") if bare else world.given.astype("<u2"),
            "suggested": np.full(n, NONE, "<u2") if bare else world.truth.astype("<u2"),
            "p_wrong": np.round(self.p_wrong * 65_535).astype("<u2"),
            "rank": self.rank,
            "checks": ((world.given != world.truth) | (np.arange(n) % 7 == 0) * 2).astype("<u4"),
            "suspicion": self.suspicion(),
            "state": self.state,
            "mine": self.mine,
        }
        for name, values in world.groups.items():
            columns[f"group:{name}"] = (np.arange(n) * len(values) // max(1, n)).astype("<u2")
        listed, parts, offset = [], [], 0
        for name, column in columns.items():
            raw = column.tobytes()
            raw += b"\0" * (-len(raw) % 4)
            listed.append(
                {"name": name, "type": TYPES[column.dtype.newbyteorder("<").str.replace("|", "<")], "offset": offset}
            )
            parts.append(raw)
            offset += len(raw)
        header = {"version": world.version, "n": n, "classes": world.classes, "checks": ["label_noise_v2", "blurry_v1"]}
        header |= {"groups": world.groups, "columns": listed, "tile": 96, "per_sheet": 60, "seq": len(self.said)}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 4)
        reply = b"".join([len(text).to_bytes(4, "little"), text, *parts])
        return Response(reply, media_type="application/octet-stream", headers={"ETag": f'"{world.version}"'})

    def suspicion(self) -> NDArray[Any]:
        queued = self.rank > 0
        order = sorted(range(len(queued)), key=lambda n: (not queued[n], self.rank[n], -self.p_wrong[n], n))
        return np.array(order, "<u4")

    def order(self, request: Request, body: Any) -> Response:
        keys = {"similarity": self.world.truth, "loss": -self.p_wrong}
        places = np.argsort(keys[request.query_params["by"]], kind="stable").astype("<u4")
        return Response(places.tobytes(), media_type="application/octet-stream")

    def places(self, request: Request) -> list[int]:
        return [int(n) for n in request.query_params["n"].split(",")]

    def sheet(self, request: Request, body: Any) -> Response:
        ns = self.places(request)
        image = Image.new("RGB", (960, 96 * -(-len(ns) // 10)))
        for at, n in enumerate(ns):
            image.paste(tile(int(self.world.truth[n]), n % 8), (96 * (at % 10), 96 * (at // 10)))
        out = io.BytesIO()
        image.save(out, "JPEG", quality=80)
        return Response(out.getvalue(), media_type="image/jpeg", headers={"Cache-Control": "private, immutable"})

    def cards(self, request: Request, body: Any) -> Response:
        texts = self.world.texts or []
        names = ("text", "label", "suggestion")
        return JSONResponse([{"n": n, **dict(zip(names, texts[n], strict=True))} for n in self.places(request)])

    def name(self, k: int) -> str | None:
        return self.world.classes[k] if self.world.classes else None

    def item(self, request: Request, body: Any) -> Response:
        world, n = self.world, self.places(request)[0]
        given, truth = int(world.given[n]), int(world.truth[n])
        card = world.texts[n] if world.texts else (None, self.name(given), self.name(truth))
        reason = f"Its 10 nearest neighbours say {card[2]!r}, not {card[1]!r}."
        own = [one for one in self.said if one["n"] == n]
        undone = {one["of"] for one in own if one["action"] == "undo"}
        given_by = [one for one in own if one["action"] in STATES and one["op"] not in undone]
        answers = [
            {"who": "ada", "at": "2026-11-21T15:00:00", **one, "stands": one is given_by[-1], "signed": None}
            for one in given_by
        ]
        if self.mine[n]:
            grace = {"who": "grace", "action": "keep", "label": None, "at": "2026-11-21T14:00:00", "op": "g"}
            answers.append({**grace, "stands": True, "signed": None})
        return JSONResponse(
            {
                "n": n,
                "item": f"{n:016x}{n:016x}",
                "given": card[1],
                "suggestion": card[2],
                "p_wrong": float(self.p_wrong[n]),
                "findings": [
                    {
                        "check": "label_noise_v2",
                        "severity": float(self.p_wrong[n]),
                        "reason": reason,
                        "suggestion": card[2],
                    }
                ],
                "source": "vendor",
                "drop": "0001-a",
                "split": "train",
                "meta": {"camera": "left"},
                "near": [
                    {"n": m, "label": self.name(int(world.given[m])) or card[1], "confirmed": m % 2 == 0}
                    for m in self.near(n)[1:6]
                ],
                "answers": answers,
                "sides": [],
                "thread": [
                    {
                        "who": "ada",
                        "text": one["note"],
                        "at": "2026-11-21T15:00:00",
                        "kind": "question",
                        "op": one["op"],
                        "open": True,
                    }
                    for one in own
                    if one["action"] == "question"
                ],
            }
        )

    def asset(self, request: Request, body: Any) -> Response:
        n = self.places(request)[0]
        if self.world.texts:
            return PlainTextResponse(self.world.texts[n][0])
        out = io.BytesIO()
        tile(int(self.world.truth[n]), n % 8).resize((384, 384)).save(out, "PNG")
        return Response(out.getvalue(), media_type="image/png")

    def near(self, n: int) -> list[int]:
        same = np.flatnonzero((self.world.given == self.world.given[n]) & (np.arange(len(self.world.given)) != n))
        return [n, *(int(m) for m in same[np.argsort(self.world.truth[same] != self.world.truth[n], kind="stable")])]

    def similar(self, request: Request, body: Any) -> Response:
        return JSONResponse({"places": self.near(self.places(request)[0])[: int(request.query_params["k"])]})

    def references(self, request: Request, body: Any) -> Response:
        k = int(request.query_params["class"])
        return JSONResponse({"places": np.flatnonzero((self.world.given == k) & (self.world.truth == k))[:3].tolist()})

    def plan(self, request: Request, body: Any) -> Response:
        queued = np.flatnonzero(self.rank)
        slices: list[dict[str, Any]] = []
        for k, name in enumerate(self.world.classes):
            inside = queued[self.world.given[queued] == k]
            if len(inside):
                expected = float(self.p_wrong[inside].sum())
                filters = {"given": k, "queued": True}
                slices.append(
                    {"title": f"given: {name}", "filter": filters, "items": len(inside), "expected": expected}
                )
        slices.sort(key=lambda one: -float(one["expected"]))
        if not self.world.classes and len(queued):
            filters = {"queued": True}
            expected = float(self.p_wrong[queued].sum())
            slices = [{"title": "the queue", "filter": filters, "items": len(queued), "expected": expected}]
        return JSONResponse({"items": len(queued), "minutes": len(queued) / 30, "slices": slices[:12], "stop": None})

    def recent(self, request: Request, body: Any) -> Response:
        undone = {one["of"] for one in self.said if one["action"] == "undo"}
        batches: dict[str, list[tuple[str, int]]] = {}
        for one in self.said:
            if one["action"] in STATES and one["op"] not in undone:
                batches.setdefault(one["op"].partition("#")[0], []).append((one["op"], one["n"]))
        return JSONResponse(list(batches.values()))

    def changes(self, request: Request, body: Any) -> Response:
        return JSONResponse({"seq": len(self.said), "states": []})

    def guideline(self, request: Request, body: Any) -> Response:
        return PlainTextResponse(GUIDELINE, media_type="text/markdown")

    def signoff(self, request: Request, body: Any) -> Response:
        _, given, label = self.world.texts[0] if self.world.texts else (None, self.name(1), self.name(0))
        one = {
            "op": "op-1",
            "n": 0,
            "item": "i0",
            "who": "lin",
            "action": "relabel",
            "label": label,
            "given": given,
        }
        two = {**one, "op": "op-2", "n": 1, "action": "keep", "label": None}
        lin = {"name": "lin", "answers": 12, "approved": 3, "returned": 1, "reversed": 0, "sample": [one, two]}
        dispute = {"item": "i2", "n": 2, "answers": [one, {**two, "who": "mo"}]}
        dispute["sides"] = [[label, ["lin"]], [given, ["mo"]], [None, ["mo"]]]
        question = {
            "item": "i3",
            "n": 3,
            "op": "op-3",
            "who": "mo",
            "text": "<b>Is</b> it?",
            "at": "2026-11-21T15:00:00",
        }
        return JSONResponse({"labelers": [lin], "disputes": [dispute], "questions": [question]})

    # what is written -------------------------------------------------------------------------------------------

    def session(self, request: Request, body: Any) -> Response:
        if body["token"] != TOKEN:
            return problem(401, "That token is not known. Open the link that assay review prints.")
        reply = Response(status_code=204)
        reply.set_cookie("assay_session", TOKEN, httponly=True, samesite="strict")
        return reply

    def answers(self, request: Request, body: Any) -> Response:
        if self.away:
            return problem(503, "The server is not here just now.")
        known = {one["op"] for one in self.said}
        saved, refused = [], []
        for one in body["answers"]:
            if one["n"] in self.refuse:
                refused.append({"op": one["op"], "reason": self.refuse[one["n"]]})
                continue
            saved.append(one["op"])
            if one["op"] not in known:
                known.add(one["op"])
                self.said.append(one)
                self.state[one["n"]] = STATES.get(one["action"], self.state[one["n"]])
                self.mine[one["n"]] = 1
                if one["action"] == "undo":
                    self.state[one["n"]] = self.mine[one["n"]] = 0
        if self.lose_replies:
            self.lose_replies -= 1
            return problem(500, "The reply was lost.")
        touched = sorted({one["n"] for one in body["answers"]})
        states = [[n, int(self.state[n])] for n in touched]
        return JSONResponse({"saved": saved, "refused": refused, "states": states, "seq": len(self.said)})

    def claims(self, request: Request, body: Any) -> Response:
        return JSONResponse({"taken": []})


def problem(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status_code=status)


def in_force(stub: Stub) -> dict[int, tuple[str, str | None]]:
    """What the answers come to: {place: (action, label)} after every undo."""
    undone = {one["of"] for one in stub.said if one["action"] == "undo"}
    return {o["n"]: (o["action"], o["label"]) for o in stub.said if o["action"] != "undo" and o["op"] not in undone}


if __name__ == "__main__":
    with Stub(toy(2_000, [f"speed-{10 * k}" for k in range(1, 13)], wrong=180)) as shown:
        print(shown.link, flush=True)
        shown.thread.join()
