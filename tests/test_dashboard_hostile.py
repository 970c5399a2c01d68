"""Is text from the data only text on every page of the server, in a real browser: class, drop, check, note, who?

40 payloads at once, each in every place; a dialog, a script that ran, or a request to another host fails.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import toy_sight
from browser import browser, page, tab, until
from hostile import PAYLOADS
from playwright.sync_api import Dialog, Page
from toy_workspace import decide, make, pack

from flows.digits import png
from tasks import durable, journal, store, versions
from tasks.model import DATASET, FINDINGS, GATE, MANIFEST, PASSED, QUEUE, SCORES, Verdict
from tasks.review.sessions import link_token

__all__ = ["browser", "page", "tab"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

ITEMS = [f"i{n}" for n in range(len(PAYLOADS))]


@dataclass(frozen=True)
class Served:
    workspace: Path
    port: int

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def enter(self, page: Page) -> None:
        """By a link of the command line."""
        token = link_token(self.workspace, "maria", now=time.time())
        page.goto(f"{self.base}/review#token={token}")
        until(page, "location.hash", "")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    workspace = hostile(tmp_path_factory.mktemp("hostile") / "ws")
    with toy_sight.page(workspace) as port:
        yield Served(workspace, port)


def hostile(folder: Path) -> Path:
    """Two revisions of 40 items; every text that a supplier or a reviewer can choose is a payload."""
    workspace = make(folder)
    pictures = [png(np.full((8, 8), 6 * n, dtype=np.uint8)) for n in range(len(ITEMS))]
    pack(workspace, "0001-a", {hashlib.sha256(picture).hexdigest(): picture for picture in pictures})
    versions.share_drop(workspace, "0001-a")
    for turn in (0, 1):
        labels = {item: ("0001-a", PAYLOADS[(n + turn) % len(PAYLOADS)]) for n, item in enumerate(ITEMS)}
        decide(workspace, labels)
        table = store.read_table(workspace / "source" / "dataset.parquet", DATASET)
        table["why"] = [f"verdict op-{n}" if turn and n % 2 else PAYLOADS[n] for n in range(len(ITEMS))]
        store.write_table(workspace / "source" / "dataset.parquet", DATASET, table)
        versions.reproduce(workspace, "revise", lambda line: None)
        versions.publish(workspace)
    fill(workspace)
    return workspace


def fill(workspace: Path) -> None:
    data = workspace / "data"
    pieces = store.read_table(data / "revise" / "dataset.parquet", DATASET)
    rows = [
        {
            **{name: row[name] for name in ("item", "asset", "shard", "row", "split")},
            "y": json.dumps(PAYLOADS[n]),
            "drop": PAYLOADS[n % 7],
            "source": PAYLOADS[n],
            "meta_site": PAYLOADS[n % 5],
        }
        for n, row in enumerate(pieces.to_dict("records"))
    ]
    store.write_table(data / "ingest" / "manifest" / "0001-a.parquet", MANIFEST, store.frame(MANIFEST, rows))
    store.write_table(data / "validate" / "passed.parquet", PASSED, store.frame(PASSED, [{"item": i} for i in ITEMS]))
    store.write_json(data / "validate" / "classes.json", {"classes": list(PAYLOADS)})
    doubts = [
        {
            "item": item,
            "severity": 0.9,
            "suggestion": json.dumps(PAYLOADS[(n + 1) % len(PAYLOADS)]),
            "p_suggestion": 0.8,
            "p_wrong": 0.9,
            "flagged": True,
            "fold": 0,
            "note": None,
        }
        for n, item in enumerate(ITEMS)
    ]
    store.write_table(data / "audit" / "scores.parquet", SCORES, store.frame(SCORES, doubts))
    found = [
        {"item": item, "check": PAYLOADS[n % 9], "severity": 0.9, "reason": PAYLOADS[n], "suggestion": None}
        for n, item in enumerate(ITEMS)
    ]
    store.write_table(data / "audit" / "findings.parquet", FINDINGS, store.frame(FINDINGS, found))
    queue = [
        {
            **{"item": item, "rank": n + 1, "p_wrong": 0.9, "severity": 0.9, "checks": "label_noise_v1"},
            **{"reason": PAYLOADS[n], "y": json.dumps(PAYLOADS[n]), "suggestion": None},
        }
        for n, item in enumerate(ITEMS)
    ]
    store.write_table(data / "triage" / "queue.parquet", QUEUE, store.frame(QUEUE, queue))
    held = [
        {"subject": f"class:{one}", "status": "held", "code": one, "message": one, "remedy": one} for one in PAYLOADS
    ]
    store.write_table(data / "validate" / "gate.parquet", GATE, store.frame(GATE, held))
    classes = {one: {"items": 3, "noise_rate": 0.1} for one in PAYLOADS}
    store.write_json(
        data / "audit" / "noise.json", {"noise_rate": 0.1, "accuracy_out_of_fold": 0.9, "classes": classes}
    )
    lines = "".join(f"{quoted(one)},{quoted(one)}x,{n + 1}\n" for n, one in enumerate(PAYLOADS))
    durable.write_text(data / "audit" / "confusions.csv", f"given,suggested,count\n{lines}")
    arrived = [{"name": one, "state": "held", "why": one, "since": "2026-03-02T00:00:00+00:00"} for one in PAYLOADS]
    store.write_json(workspace / ".assay" / "arrivals.json", {"at": "2026-03-03T00:00:00+00:00", "arrivals": arrived})
    at = "2026-03-01T00:00:00+00:00"
    seen = {"revision": None, "y": '"x"', "checks": [PAYLOADS[3]]}
    given = [
        Verdict(f"op-{n}", f"item:{item}", "relabel", "ann", at, y=json.dumps(PAYLOADS[n]), note=PAYLOADS[n], seen=seen)
        for n, item in enumerate(ITEMS)
    ]
    asked = [Verdict(f"q-{n}", f"item:i{n}", "question", "ann", at, note=one) for n, one in enumerate(PAYLOADS)]
    journal.append(workspace, [*given, *asked])


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


PAGES = ("/", "/revisions", "/revisions/v1.0.0..v1.0.1", "/revisions/v1.0.0..v9.9.9", "/review")


@pytest.mark.parametrize("path", PAGES)
def test_forty_payloads_are_text_on_every_page(served: Served, page: Page, path: str) -> None:
    dialogs: list[str] = []

    def shut(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", shut)
    served.enter(page)
    page.goto(f"{served.base}{path}")
    page.wait_for_timeout(500)
    assert page.evaluate("window.__xss") is None
    assert dialogs == []
    for name in ("iframe", "object", "embed", "base", "svg script", "form[action*=evil]", "[onerror]", "[onload]"):
        assert page.locator(name).count() == 0, name
    if path == "/":
        text = page.inner_text("body")
        assert [one for one in PAYLOADS[:30] if " ".join(one.split()) not in " ".join(text.split())] == []
    if path.endswith("v1.0.1"):
        text = " ".join(page.inner_text("body").split())
        assert [one for one in PAYLOADS if " ".join(one.split()) not in text] == []


def test_a_link_made_of_a_payload_leads_to_the_review_and_nowhere_else(served: Served, page: Page) -> None:
    served.enter(page)
    for path in PAGES[:3]:
        page.goto(f"{served.base}{path}")
        for address in page.evaluate(
            "[...document.querySelectorAll('[href],[src],[action]')].map(e => e.href || e.src || e.action)"
        ):
            assert str(address).startswith(f"{served.base}/"), address


def test_without_a_session_no_page_with_items_or_people_is_shown(served: Served, page: Page) -> None:
    for path in PAGES[1:4]:
        answer = page.goto(f"{served.base}{path}")
        assert answer is not None and answer.status == 401
        assert "session" in page.inner_text("body")


def test_what_changed_is_shown_with_pictures_who_and_when_and_fits_a_phone(served: Served, page: Page) -> None:
    served.enter(page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{served.base}/revisions/v1.0.0..v1.0.1")
    until(page, "[...document.images].filter(one => one.complete && one.naturalWidth === 96).length", len(ITEMS))
    assert "ann · 2026-03-01" in page.inner_text("figure:nth-of-type(2)")
    for path in PAGES[:3]:
        page.goto(f"{served.base}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_two_revisions_are_chosen_without_a_script(served: Served, page: Page) -> None:
    served.enter(page)
    page.goto(f"{served.base}/revisions")
    page.select_option("select[name=a]", "v1.0.1")
    page.select_option("select[name=b]", "v1.0.0")
    with page.expect_navigation():  # a click alone does not wait for the page that it leads to
        page.click("button")
    assert page.url == f"{served.base}/revisions/v1.0.1..v1.0.0"
    with page.expect_navigation():
        page.click(".chips a")
    assert page.locator("figure").count() == 1  # each pair of payloads is one item's
    with page.expect_navigation():
        page.click("text=All changes")
    assert page.locator("figure").count() == len(ITEMS)


def test_a_cell_of_the_dashboard_opens_its_slice_of_the_grid(served: Served, page: Page) -> None:
    served.enter(page)
    page.goto(f"{served.base}/")
    page.click("section:has(h2:text('Classes against')) td.name a >> nth=0")
    until(page, "document.body?.dataset.page", "work")
    until(page, "document.querySelectorAll('.cell:not([hidden])').length", 1)
