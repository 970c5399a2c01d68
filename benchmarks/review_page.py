"""How long does the review page make people wait: to the first grid, while they scroll, and until an answer is kept?

    python benchmarks/review_page.py RESULT.json [--items 100000] [--seconds 20] [--loads 9] [--chromium PATH]

A workspace of --items items in 20 classes is written as tables, with 2,000 different small images among them; then the
real `assay review` serves it on loopback, and has made its tiles:

    calm       20 reviewers over HTTP, a decision a second each: how long until it is acknowledged
    saturated  50 clients, a reviewer each, one decision a request, the next as soon as the last one is kept; and the
               same with 10 decisions a request, which is what a batch on the page sends
    browser    Chromium, a window of 1280 x 800, --loads browsers with a fresh profile each: seconds and CPU of the main
               thread from the load to the first grid of all items, by a link that is opened as the first page of all
               (its process, files and machine code are cold), and after the plan, which is what a person sees first;
               beside them an empty page, and as a yardstick for the machine's speed one of 2,000 lines of text; then
               3,000 pixels a second for 5 s: the frames with an empty cell

Asserted: after it every acknowledged op is in the journal exactly once. The clients share the cores with the server.
Aims: p99 under 100 ms, 2,000 decisions a second, first grid under .5 s and 80 ms, no empty cell.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from machine import described
from review_clients import Row, load, told, version_of
from review_workspace import made, serving, settled

from tasks import journal
from tasks.review import people

EMPTY = """() => new Promise((done) => {
  const grid = document.getElementById("grid"), began = performance.now();
  let frames = 0, blank = 0, worst = 0, last = began;
  const step = (now) => {
    grid.scrollTop += 3 * (now - last);  // 3,000 pixels a second
    worst = Math.max(worst, now - last);
    last = now;
    frames += 1;
    const box = grid.getBoundingClientRect();
    const cells = [...grid.querySelectorAll("[role=gridcell]")].filter((cell) => {
      const at = cell.getBoundingClientRect();
      return at.bottom > box.top && at.top < box.bottom;
    });
    if (!cells.length || cells.some((cell) => !cell.querySelector(".pic[style*='blob:']"))) blank += 1;
    now - began < 5000 ? requestAnimationFrame(step) : done({ frames, blank, worst_ms: worst });
  };
  requestAnimationFrame(step);
})"""


DRAWN = "Boolean(document.getElementById('drawn'))"
BLANK = "data:text/html,<p id=drawn>An empty page"
YARDSTICK = """data:text/html,<body><script>
for (let n = 0; n < 2000; n++) {
  const line = document.createElement("div");
  line.textContent = `line ${n} of a page that is always the same`;
  document.body.append(line);
}
document.body.offsetHeight;
document.body.lastChild.id = "drawn";
</script>""".replace("\n", " ")
FIRST = """Boolean(document.querySelector("[role=gridcell] .pic[style*='blob:']"))"""


def browse(workspace: Path, address: str, chromium: str, loads: int) -> Row:
    """What a person with a fresh browser waits for."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    grid = f"{address}#order=suspicion"
    cold, warm, empty, yardstick = [], [], [], []
    with sync_playwright() as play:
        for number in range(loads):
            token = people.add(workspace, f"reader{number}", "labeler", at="2026-11-21T10:00:00Z")
            browser = play.chromium.launch(executable_path=chromium, args=flags)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            origin = address.removesuffix("/review")
            entered = page.context.request.post(f"{origin}/session", data={"token": token}, headers={"origin": origin})
            assert entered.ok, entered.status
            cold.append(first(watched(page), grid, FIRST))
            browser.close()
            browser = play.chromium.launch(executable_path=chromium, args=flags)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{address}#token={token}")  # becomes a session; the plan
            page.wait_for_selector("#plan:not([hidden])")
            page.goto("about:blank")
            devtools = watched(page)
            warm.append(first(devtools, grid, FIRST))
            cells = page.locator("[role=gridcell]").count()
            scrolled = page.evaluate(EMPTY) if number == loads - 1 else {}
            page.goto("about:blank")  # after the grid: a page of another origin may get a process of its own
            empty.append(first(devtools, BLANK, DRAWN))
            page.goto("about:blank")
            yardstick.append(first(devtools, YARDSTICK, DRAWN))
            version = browser.version
            browser.close()
    return {
        "chromium": version,
        "loads": loads,
        "as_the_first_page": waited_for(cold),
        "after_the_plan": waited_for(warm),
        "an_empty_page": waited_for(empty),
        "the_yardstick": waited_for(yardstick),
        "cells": cells,
        "frames": scrolled["frames"],
        "frames_with_an_empty_cell": scrolled["blank"],
        "longest_frame_ms": round(scrolled["worst_ms"], 1),
    }


def watched(page: Any) -> Any:
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})  # not what others took of the processor
    return devtools


def first(devtools: Any, address: str, there: str) -> tuple[float, float]:
    """Seconds, and seconds that the main thread works, from opening `address` until `there` is true."""
    before, started = busy(devtools), time.perf_counter()
    devtools.send("Page.navigate", {"url": address})
    while not devtools.send("Runtime.evaluate", {"expression": there})["result"].get("value"):
        time.sleep(0.01)  # Playwright's own wait would work 30 ms on the page's main thread
    return time.perf_counter() - started, busy(devtools) - before


def waited_for(loads: list[tuple[float, float]]) -> Row:
    seconds, worked = zip(*loads, strict=True)
    cpu = sorted(1000 * one for one in worked)
    return {
        "s": round(statistics.median(seconds), 3),
        "main_thread_cpu_ms": round(statistics.median(cpu), 1),
        "least": round(cpu[0], 1),
        "most": round(cpu[-1], 1),
    }


def busy(devtools: Any) -> float:
    """Seconds that the main thread has worked, less what the questions of this program have cost it."""
    values = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
    return float(values["TaskDuration"] - values["DevToolsCommandDuration"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--loads", type=int, default=9)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    found: Row = {"machine": described("starlette", "uvicorn", "playwright"), "items": arguments.items}
    with tempfile.TemporaryDirectory(dir=arguments.result.resolve().parent) as folder:
        workspace = made(Path(folder) / "ws", arguments.items)
        tokens = [people.add(workspace, f"r{n}", "labeler", at="2026-11-21T10:00:00Z") for n in range(50)]
        acknowledged: list[str] = []
        with serving(workspace) as link:
            host = link.split("/")[2]
            settled(workspace)
            if Path(arguments.chromium).exists():
                found["browser"] = browse(workspace, link.partition("#")[0], arguments.chromium, arguments.loads)
                print("browser", found["browser"])
            version = asyncio.run(version_of(host, tokens[0]))
            for name, count, each, pause in (
                ("calm", 20, 1, 1.0),
                ("saturated", 50, 1, 0.0),
                ("saturated, 10 a request", 50, 10, 0.0),
            ):
                how = {"items": arguments.items, "each": each, "pause": pause}
                clients = asyncio.run(load(host, tokens[:count], version, arguments.seconds, **how))
                found[name] = told(clients, arguments.seconds)
                acknowledged += [op for client in clients for op in client.acknowledged]
                print(name, found[name])
        kept = Counter(verdict.op for verdict in journal.everything(workspace))
        found["lost"] = sum(op not in kept for op in acknowledged)
        found["doubled"] = sum(count > 1 for count in kept.values())
        assert (found["lost"], found["doubled"]) == (0, 0)
    arguments.result.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"lost {found['lost']}, doubled {found['doubled']} of {len(acknowledged):,}")


if __name__ == "__main__":
    main()
