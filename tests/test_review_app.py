"""Does the page's server answer what the page asks, keep what people say, and tell others of it?"""

from __future__ import annotations

import itertools
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.applications import Starlette
from toy_review import reviewable, truth, workspace

from flows.digits import Digits
from tasks import answers, journal, store
from tasks.model import PASSED, SCORES
from tasks.review import people
from tasks.review.publishing import Publish
from tasks.review.server import reviewing
from tasks.review.sessions import Sessions

__all__ = ["reviewable", "workspace"]  # fixtures
pytestmark = pytest.mark.slow
HOST = "http://127.0.0.1:8720"


class Browser:
    """One person's requests, with their cookie, as a page of the same origin sends them."""

    def __init__(self, app: Starlette, portal: BlockingPortal) -> None:
        self._portal = portal
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOST)
        self.version = ""

    def at(self, app: Starlette, portal: BlockingPortal) -> Browser:
        """The same page, whose server has begun again."""
        moved = Browser(app, portal)
        moved._client.cookies, moved.version = self._client.cookies, self.version
        return moved

    def ask(self, path: str, body: Any = None, **query: Any) -> httpx.Response:
        if body is None:
            return self._portal.call(lambda: self._client.get(path, params=query))
        return self._portal.call(lambda: self._client.post(path, json=body, headers={"origin": HOST}))

    def send(self, path: str, raw: str) -> httpx.Response:
        headers = {"origin": HOST, "content-type": "application/json"}
        return self._portal.call(lambda: self._client.post(path, content=raw, headers=headers))

    def enter(self, token: str) -> None:
        assert self.ask("/session", {"token": token}).status_code == 204
        self.version = self.header()["version"]

    def enter_again(self) -> None:
        """The page is loaded anew."""
        self.version = self.header()["version"]

    def header(self) -> dict[str, Any]:
        raw = self.ask("/api/catalogue").content
        return dict(json.loads(raw[4 : 4 + int.from_bytes(raw[:4], "little")]))

    def column(self, name: str) -> np.ndarray[Any, Any]:
        raw = self.ask("/api/catalogue").content
        length = int.from_bytes(raw[:4], "little")
        header = json.loads(raw[4 : 4 + length])
        found = next(one for one in header["columns"] if one["name"] == name)
        kinds = {"u8": "<u1", "u16": "<u2", "u32": "<u4"}
        return np.frombuffer(raw, kinds[found["type"]], header["n"], 4 + length + found["offset"])

    def say(self, *told: dict[str, Any]) -> dict[str, Any]:
        answer = self.ask(
            "/api/answers", {"v": self.version, "answers": [{"op": str(uuid.uuid4()), **one} for one in told]}
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@contextmanager
def at_one_server(
    workspace: Path, now: Callable[[], str], publish: Publish | None = None
) -> Iterator[tuple[Browser, Browser, Path]]:
    """Ann, a labeler, and Rita, a reviewer."""
    roles = (("ann", "labeler"), ("rita", "reviewer"))
    tokens = {name: people.add(workspace, name, role, at="2026-05-01T10:00:00+00:00") for name, role in roles}
    sessions = Sessions(workspace, links=True)
    with (
        start_blocking_portal() as portal,
        reviewing(workspace, sessions, ("127.0.0.1",), now, publish=publish) as app,
    ):
        ann, rita = Browser(app, portal), Browser(app, portal)
        ann.enter(tokens["ann"])
        rita.enter(tokens["rita"])
        yield ann, rita, workspace


@pytest.fixture
def two(workspace: Path) -> Iterator[tuple[Browser, Browser, Path]]:
    seconds = itertools.count()
    with at_one_server(workspace, lambda: f"2026-05-01T10:00:{next(seconds):02}+00:00") as both:
        yield both


def test_an_answer_is_kept_before_it_is_acknowledged_and_others_are_told(two: tuple[Browser, Browser, Path]) -> None:
    ann, rita, workspace = two
    since = rita.header()["seq"]
    told = ann.say(
        {"n": 3, "action": "relabel", "label": "7"}, {"n": 4, "action": "keep"}, {"n": 5, "action": "unsure"}
    )
    assert len(told["saved"]) == 3 and told["refused"] == []
    assert sorted(map(tuple, told["states"])) == [(3, 1, 1), (4, 1, 1), (5, 2, 1)]
    kept = journal.everything(workspace)
    assert {verdict.op for verdict in kept} == set(told["saved"]) and {v.reviewer for v in kept} == {"ann"}
    changes = rita.ask("/api/changes", v=rita.version, since=since).json()
    assert sorted(map(tuple, changes["states"])) == [(3, 1, 0), (4, 1, 0), (5, 2, 0)]
    assert ann.column("mine")[[3, 4, 5, 6]].tolist() == [1, 1, 1, 0]
    undone = ann.say({"n": 3, "action": "undo", "of": told["saved"][0]})
    assert undone["states"] == [[3, 0, 0]]
    assert ann.ask("/api/recent", v=ann.version).json() == [[[told["saved"][1], 4]], [[told["saved"][2], 5]]]
    assert answers.state(journal.everything(workspace)).items.keys() >= {kept[1].subject.removeprefix("item:")}


def test_two_who_differ_make_a_dispute_that_a_reviewer_settles(two: tuple[Browser, Browser, Path]) -> None:
    ann, rita, _ = two
    first = ann.say({"n": 8, "action": "relabel", "label": "1"})
    assert ann.ask("/api/item", v=ann.version, n=8).json()["answers"][0]["label"] == "1"
    assert rita.say({"n": 8, "action": "relabel", "label": "2"})["states"] == [[8, 3, 1]]
    refused = ann.say({"n": 8, "action": "resolve", "label": "1"})["refused"]
    assert refused[0]["reason"] == "Action 'resolve' is a reviewer's; 'ann' is a labeler."
    assert rita.say({"n": 8, "action": "resolve", "label": "1"})["states"] == [[8, 1, 1]]
    back = rita.say({"n": 8, "action": "return", "of": first["saved"][0], "note": "Look at the foot."})
    assert back["refused"] == []


def test_a_question_parks_the_item_until_it_is_answered(two: tuple[Browser, Browser, Path]) -> None:
    ann, rita, _ = two
    asked = ann.say({"n": 9, "action": "question", "note": "Is a crossed 7 a 7?"})
    assert asked["states"] == [[9, 5, 0]]
    told = rita.ask("/api/item", v=rita.version, n=9).json()["thread"]
    assert [(one["who"], one["kind"], one["text"]) for one in told] == [("ann", "question", "Is a crossed 7 a 7?")]
    assert rita.say({"n": 9, "action": "answer", "of": asked["saved"][0], "note": "Yes."})["states"] == [[9, 0, 0]]


def test_what_others_said_is_shown_after_ones_own_vote(two: tuple[Browser, Browser, Path]) -> None:
    ann, rita, _ = two
    rita.say({"n": 2, "action": "relabel", "label": "5"})
    assert ann.ask("/api/item", v=ann.version, n=2).json()["answers"] == []
    ann.say({"n": 2, "action": "keep"})
    assert {one["who"] for one in ann.ask("/api/item", v=ann.version, n=2).json()["answers"]} == {"ann", "rita"}


def test_the_panel_lists_what_was_not_taken_back_and_whether_it_counts(two: tuple[Browser, Browser, Path]) -> None:
    ann, rita, _ = two

    def listed(who: Browser) -> list[tuple[str, str, bool, str | None]]:
        told = who.ask("/api/item", v=who.version, n=6).json()["answers"]
        return [(one["who"], one["action"], one["stands"], one["signed"]) for one in told]

    first = ann.say({"n": 6, "action": "keep"})["saved"][0]
    second = ann.say({"n": 6, "action": "relabel", "label": "1"})["saved"][0]
    assert listed(ann) == [("ann", "keep", False, None), ("ann", "relabel", True, None)]
    rita.say({"n": 6, "action": "approve", "of": second})
    assert listed(rita) == [("ann", "keep", False, None), ("ann", "relabel", True, "approve")]
    back = rita.say({"n": 6, "action": "return", "of": second, "note": "Look again."})["saved"][0]
    assert listed(rita) == [("ann", "keep", False, None), ("ann", "relabel", False, "return")]
    rita.say({"n": 6, "action": "undo", "of": back})
    rita.say({"n": 6, "action": "resolve", "label": "2"})
    assert [one[2] for one in listed(ann)] == [False, False, True]  # what a settling has settled counts no more
    ann.say({"n": 6, "action": "undo", "of": second})
    ann.say({"n": 6, "action": "undo", "of": first})
    assert listed(ann) == []  # whoever has not answered is not told
    assert listed(rita) == [("rita", "resolve", True, None)]


def test_a_dispute_tells_a_reviewer_its_sides_and_is_settled_by_removing_the_item_too(
    two: tuple[Browser, Browser, Path],
) -> None:
    ann, rita, workspace = two
    ann.say({"n": 8, "action": "relabel", "label": "1"})
    rita.say({"n": 8, "action": "resolve", "label": "2"})
    ann.say({"n": 8, "action": "remove"})  # of the settled item: a dispute again

    def sides(who: Browser) -> list[list[Any]]:
        return list(who.ask("/api/item", v=who.version, n=8).json()["sides"])

    assert sides(rita) == [["2", ["rita"]], [None, ["ann"]]]
    assert sides(ann) == []
    (dispute,) = rita.ask("/api/signoff", v=rita.version).json()["disputes"]
    assert dispute["sides"] == sides(rita)
    assert [(one["who"], one["action"], one["label"]) for one in dispute["answers"]] == [
        ("rita", "resolve", "2"),
        ("ann", "remove", None),
    ]
    assert rita.say({"n": 8, "action": "resolve", "label": None})["states"] == [[8, 4, 1]]
    (state,) = answers.state(journal.everything(workspace)).items.values()
    assert (state.removed, state.disputed) == (True, False)


def test_the_pictures_the_neighbours_and_the_plan_are_there(
    two: tuple[Browser, Browser, Path], toy_digits: Digits
) -> None:
    ann, _, workspace = two
    sheet = ann.ask("/api/sheet", v=ann.version, n="0,5,9")
    assert (sheet.status_code, sheet.headers["content-type"]) == (200, "image/jpeg")
    assert "immutable" in sheet.headers["cache-control"]
    assert ann.ask("/api/asset", v=ann.version, n=0).content.startswith(b"\x89PNG")
    given = ann.column("given")
    like = ann.ask("/api/similar", v=ann.version, n=0, k=5).json()["places"]
    assert like[0] == 0 and {int(given[n]) for n in like} == {int(given[0])}
    examples = ann.ask("/api/references", v=ann.version, **{"class": 3}).json()["places"]
    assert len(examples) == 3 and all(given[n] == 3 for n in examples)
    item = ann.ask("/api/item", v=ann.version, n=0).json()
    assert item["item"] in truth(toy_digits) and item["source"].startswith("labels") and len(item["near"]) == 6
    plan = ann.ask("/api/plan").json()
    assert plan["items"] > 0 and plan["slices"][0]["filter"]["queued"] and plan["stop"] is not None
    (workspace / "guideline.md").write_text("# How we label digits\nA crossed 7 is a 7.\n")
    me = ann.ask("/api/me").json()
    assert (me["name"], me["role"], me["widget"], me["preview"]) == ("ann", "labeler", "classes", "sheet")
    assert me["guideline"]["title"] == "How we label digits"
    ann.say({"n": 1, "action": "keep"})
    assert journal.everything(workspace)[-1].guideline == me["guideline"]["version"]


def test_a_page_of_an_unknown_version_writes_nothing(two: tuple[Browser, Browser, Path]) -> None:
    ann, _, workspace = two
    body = {"v": "0" * 16, "answers": [{"op": "o", "n": 0, "action": "keep"}]}
    assert ann.ask("/api/answers", body).status_code == 409
    assert ann.ask("/api/sheet", v="0" * 16, n="0").status_code == 409
    assert journal.everything(workspace) == []


def test_a_page_goes_on_when_its_server_begins_again(workspace: Path) -> None:
    """The labels in force have changed meanwhile: a catalogue read anew would have another version."""
    at = "2026-05-01T10:00:00+00:00"
    with at_one_server(workspace, lambda: at) as (ann, rita, _):
        since = rita.header()["seq"]
        ann.say({"n": 3, "action": "relabel", "label": "7"}, {"n": 5, "action": "unsure"})
    with (
        start_blocking_portal() as portal,
        reviewing(workspace, Sessions(workspace, links=True), ("127.0.0.1",), lambda: at) as app,
    ):
        again = rita.at(app, portal)
        assert again.ask("/api/sheet", v=rita.version, n="3").status_code == 200
        told = again.ask("/api/changes", v=rita.version, since=since).json()
        assert sorted(map(tuple, told["states"])) == [(3, 1, 0), (5, 2, 0)]
        assert again.ask("/api/changes", v=rita.version, since=told["seq"]).json()["states"] == []
        assert again.header()["version"] == rita.version


def test_changes_of_another_catalogue_are_refused(two: tuple[Browser, Browser, Path]) -> None:
    ann, _, _ = two
    assert ann.ask("/api/changes", v="0" * 16, since=0).status_code == 409


def test_an_answer_of_before_a_run_is_about_the_item_that_was_shown(two: tuple[Browser, Browser, Path]) -> None:
    """A run moves the files, and the first item is gone: place 7 is another item now, for who asks anew."""
    ann, rita, workspace = two
    items = [ann.ask("/api/item", v=ann.version, n=n).json()["item"] for n in (7, 8)]
    passed = workspace / "data" / "validate" / "passed.parquet"
    table = store.read_table(passed, PASSED)
    store.write_table(passed, PASSED, table[table["item"] != ann.ask("/api/item", v=ann.version, n=0).json()["item"]])
    deadline = time.monotonic() + 20
    while (now := rita.header()["version"]) == ann.version:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert rita.ask("/api/item", v=now, n=7).json()["item"] == items[1]
    assert ann.ask("/api/sheet", v=ann.version, n="7").status_code == 409
    ann.say({"n": 7, "action": "keep"})
    rita.version = now
    rita.say({"n": 7, "action": "keep"})
    assert [verdict.subject for verdict in journal.everything(workspace)] == [f"item:{item}" for item in items]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/sheet", {"n": "x"}),
        ("/api/sheet", {"n": ",".join(["0"] * 61)}),
        ("/api/sheet", {"n": "160"}),
        ("/api/sheet", {"n": "-1"}),
        ("/api/item", {"n": "99999999999999999999"}),
        ("/api/similar", {"n": "0", "k": "-5"}),
        ("/api/references", {"class": "one"}),
        ("/api/order", {"by": "suspicion"}),
        ("/api/order", {}),
        ("/api/changes", {"since": "1e9"}),
    ],
)
def test_a_question_that_makes_no_sense_is_a_sentence(
    two: tuple[Browser, Browser, Path], path: str, query: dict[str, str]
) -> None:
    ann, _, _ = two
    answer = ann.ask(path, v=ann.version, **query)
    assert answer.status_code == 400 and answer.json()["error"].endswith(".")


@pytest.mark.parametrize("body", ["[]", "{}", '{"v":"x","answers":[]}', "nonsense", '{"answers":7}'])
def test_a_write_that_makes_no_sense_is_a_sentence(two: tuple[Browser, Browser, Path], body: str) -> None:
    ann, _, workspace = two
    answer = ann.send("/api/answers", body)
    assert answer.status_code == 400 and answer.json()["error"].endswith(".")
    assert journal.everything(workspace) == []


def test_the_orders_that_are_asked_for_later_hold_every_place_once(two: tuple[Browser, Browser, Path]) -> None:
    ann, _, workspace = two
    scores = store.read_table(workspace / "data" / "audit" / "scores.parquet", SCORES).set_index("item")
    passed = store.read_table(workspace / "data" / "validate" / "passed.parquet", PASSED)["item"]
    orders = {
        by: np.frombuffer(ann.ask("/api/order", v=ann.version, by=by).content, "<u4") for by in ("loss", "similarity")
    }
    for by, order in orders.items():
        assert sorted(order.tolist()) == list(range(len(passed))), by
    first = ann.ask("/api/item", v=ann.version, n=int(orders["loss"][0])).json()["p_wrong"]
    assert first > scores["p_wrong"].quantile(0.9)
    assert ann.ask("/api/order", v="another", by="loss").status_code == 409


def test_files_outside_the_pages_own_folder_are_not_served(two: tuple[Browser, Browser, Path]) -> None:
    ann, _, _ = two
    for name in ("../app.py", "..%2fapp.py", "%2e%2e/app.py", "nothing.js", "app.py", ".js"):
        for path in (f"/static/{name}", f"/static/0123456789ab/{name}"):
            assert ann.ask(path).status_code == 404, path


def test_the_pages_files_are_kept_by_a_browser_until_one_of_them_is_another(two: tuple[Browser, Browser, Path]) -> None:
    ann, _, _ = two
    shell = ann.ask("/review")
    assert shell.headers["cache-control"] == "no-cache"
    (digest,) = set(re.findall(r'"/static/([0-9a-f]{12})/[a-z_]+\.(?:js|css)"', shell.text))
    assert shell.text.count("/static/") == shell.text.count(f"/static/{digest}/")
    now, before = (ann.ask(f"/static/{one}/review.js") for one in (digest, "0123456789ab"))
    assert "immutable" in now.headers["cache-control"] and before.headers["cache-control"] == "no-cache"
    assert now.content == before.content != b""


def test_who_has_what_on_screen_is_told_to_the_other(two: tuple[Browser, Browser, Path]) -> None:
    ann, rita, _ = two
    assert ann.ask("/api/claims", {"v": ann.version, "places": [1, 2, 3]}).json() == {"taken": []}
    assert rita.ask("/api/claims", {"v": rita.version, "places": [3, 4]}).json() == {"taken": [[3, "ann"]]}
    ann.ask("/api/claims", {"v": ann.version, "places": [], "release": True})
    assert rita.ask("/api/claims", {"v": rita.version, "places": [3, 4]}).json() == {"taken": []}


def test_a_reviewer_signs_off_samples_disputes_and_questions(two: tuple[Browser, Browser, Path]) -> None:
    ann, rita, _ = two
    assert ann.ask("/api/signoff", v=ann.version).status_code == 403
    ops = ann.say(*({"n": n, "action": "relabel", "label": str(n % 10)} for n in range(30)))["saved"]
    rita.say({"n": 29, "action": "relabel", "label": "0"})
    ann.say({"n": 40, "action": "question", "note": "Upside down?"})
    told = rita.ask("/api/signoff", v=rita.version).json()
    (one,) = told["labelers"]
    assert (one["name"], one["answers"], one["approved"], len(one["sample"])) == ("ann", 30, 0, 20)
    assert [(d["n"], [a["label"] for a in d["answers"]]) for d in told["disputes"]] == [(29, ["9", "0"])]
    assert [(q["n"], q["who"], q["text"]) for q in told["questions"]] == [(40, "ann", "Upside down?")]
    first, second = [row for row in one["sample"] if row["n"] != 29][:2]  # 29 has an answer of rita's, too
    assert first["op"] in ops and first["label"] == str(first["n"] % 10)
    rita.say({"n": first["n"], "action": "approve", "of": first["op"]})
    back = rita.say({"n": second["n"], "action": "return", "of": second["op"], "note": "Look again."})
    assert back["states"] == [[second["n"], 6, 0]]
    (one,) = rita.ask("/api/signoff", v=rita.version).json()["labelers"]
    assert (one["approved"], one["returned"]) == (1, 1)
    assert {first["op"], second["op"]}.isdisjoint(row["op"] for row in one["sample"])
    assert ann.say({"n": second["n"], "action": "keep"})["states"] == [[second["n"], 1, 1]]
