"""A workspace with two revisions, a queue, held subjects and hostile names, and its page in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import toy_workspace as toy

from flows.address import free_port
from tasks import answers, durable, store, telemetry, versions
from tasks.model import GATE, MANIFEST, QUARANTINE, QUEUE, Report, Verdict
from tasks.review import sessions
from tasks.versions import git

HOSTILE = "<script>window.__xss=1</script>"
PROMETHEUS = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="needs the binaries prometheus and promtool (Debian package prometheus)",
)
SECOND = {"i1": ("0001-a", "dog"), "i2": ("0001-a", "dog"), "i3": ("0001-a", "cat")}


def noise(rate: float, **classes: tuple[int, float]) -> dict[str, object]:
    """What the audit writes, in short: class -> items, share of wrong labels."""
    told = {name: {"items": items, "flagged": 0, "noise_rate": wrong} for name, (items, wrong) in classes.items()}
    return {"noise_rate": rate, "accuracy_out_of_fold": 0.9, "classes": told}


def make(folder: Path) -> Path:
    """dataset@v1.0.0 with 10 % noise, v1.0.1 with 4 %, and 2 % in the files as they are now; the rest by `fill`."""
    workspace = toy.make(folder)
    path = workspace / "dvc.yaml"
    copies = path.read_text().replace("cp source/confusion.csv data", "cp source/confusion.csv source/noise.json data")
    path.write_text(
        copies.replace("deps: [data/drops, data/verdicts, source/conf", "deps: [source/noise.json, source/conf")
    )
    git.commit(workspace, "the audit tells of noise", ["dvc.yaml"])
    toy.deliver(workspace, "0001-a", {item: name for item, (_, name) in toy.FIRST.items()})
    (workspace / "source").mkdir()
    for rate, labels in ((0.1, toy.FIRST), (0.04, SECOND)):
        store.write_json(workspace / "source" / "noise.json", noise(rate, cat=(2, rate), dog=(1, 0.0)))
        toy.decide(workspace, labels)
        versions.publish(workspace)
    return fill(workspace)


def fill(workspace: Path) -> Path:
    """What the other stages leave: 100 rows of two drops, 3 of them faulty; two items in the queue; two that wait."""
    data = workspace / "data"
    store.write_json(data / "audit" / "noise.json", noise(0.02, **{"cat": (2, 0.02), HOSTILE: (1, 0.0)}))
    (data / "audit" / "confusions.csv").write_text(f"given,suggested,count\ncat,{HOSTILE},3\n")
    for number, (drop, at) in enumerate((("0001-a", "2026-01-01T00:00:00+00:00"), ("0002-b", "2026-02-01T00:00:00"))):
        place = data / "drops" / drop
        place.mkdir(exist_ok=True)
        store.write_json(place / "receipt.json", {"drop": drop, "rows": 60 - 20 * number, "received_at": at})
        row = {"item": f"q{number}", "asset": "0", "shard": "s", "row": 0, "y": '"cat"', "split": "train"}
        table = store.frame(MANIFEST, [{**row, "drop": drop, "source": "labels.csv:2"}])
        store.write_table(data / "ingest" / "manifest" / f"{drop}.parquet", MANIFEST, table)
    fault = {"drop": "0001-a", "raw": b"x", "message": "", "remedy": ""}
    codes = ["E_QUOTE", "E_QUOTE", "E_ASSET_MISSING"]
    faults = [{**fault, "source": f"labels.csv:{n}", "code": code} for n, code in enumerate(codes)]
    store.write_table(data / "ingest" / "quarantine" / "0001-a.parquet", QUARANTINE, store.frame(QUARANTINE, faults))
    doubt = {"p_wrong": 0.9, "severity": 0.9, "checks": "label_noise_v1", "reason": "r", "y": '"cat"'}
    queue = [{**doubt, "item": f"q{n}", "rank": n + 1} for n in (1, 0)]
    store.write_table(data / "triage" / "queue.parquet", QUEUE, store.frame(QUEUE, queue))
    held = [
        {"subject": f"class:{HOSTILE}", "status": "held", "code": "E_CLASS_NEW", "message": HOSTILE, "remedy": "r"},
        {"subject": "drop:0002-b", "status": "held", "code": "E_EXPECTATION", "message": "m", "remedy": "r"},
        {"subject": "drop:0001-a", "status": "passed", "code": "", "message": "", "remedy": ""},
    ]
    store.write_table(data / "validate" / "gate.parquet", GATE, store.frame(GATE, held))
    durable.write_text(data / "validate" / "report.html", "<!doctype html><p>the validation page</p>")
    store.write_report(data / "audit.json", Report("audit", {"items": 3}, seconds=1.5))
    store.write_report(data / "triage.json", Report("triage", {"queued": 2}, seconds=0.25))
    store.write_report(data / "revise.json", Report("revise", {"items": 3, "answers": 1}, seconds=0.5))
    for number in range(3):  # one answer is in the dataset, two are not
        verdict = Verdict(f"op-{number}", "item:i1", "keep", "ann", "2026-03-01T00:00:00Z")
        durable.append(workspace / ".assay" / "journal" / "ann.jsonl", answers.line(verdict))
        if number < 2:
            durable.append(data / "verdicts" / "ann.jsonl", answers.line(verdict))
    arrivals(workspace)
    return workspace


def arrivals(workspace: Path) -> None:
    """What the watcher saw last: one delivery that is complete, one that is held."""
    seen = [
        {"name": "may", "state": "complete", "why": "", "since": "2026-03-01T00:00:00+00:00"},
        {"name": HOSTILE, "state": "held", "why": HOSTILE, "since": "2026-03-02T00:00:00+00:00"},
    ]
    store.write_json(workspace / ".assay" / "arrivals.json", {"at": "2026-03-03T00:00:00+00:00", "arrivals": seen})


def get(
    port: int, path: str, *, method: str = "GET", host: str | None = None, cookie: str = ""
) -> tuple[int, Mapping[str, str], str]:
    """(status, headers in lower case, text) of one request, its path sent as it stands."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", f"127.0.0.1:{port}" if host is None else host)
        if cookie:
            connection.putheader("Cookie", cookie)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def session(workspace: Path, port: int, name: str = "maria") -> str:
    """The cookie of whoever opens a link of `assay review`."""
    body = json.dumps({"token": sessions.link_token(workspace, name, now=time.time())})
    headers = {"origin": f"http://127.0.0.1:{port}", "content-type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/session", body, headers)
        answer = connection.getresponse()
        assert answer.status == 204, answer.read()
        return answer.getheader("set-cookie", "").partition(";")[0]
    finally:
        connection.close()


@contextmanager
def page(workspace: Path, **extra: str) -> Iterator[int]:
    """`python -P -m flows.dashboard` on a free port, which is given; `extra`: its environment."""
    port = free_port(0)
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_API")}
    command = [sys.executable, "-P", "-m", "flows.dashboard", str(workspace), "--port", str(port)]
    with running(command, {**variables, **telemetry.OFF, **extra}):
        wait_for(port, "/health")
        yield port


@contextmanager
def running(command: list[str], variables: Mapping[str, str] | None = None) -> Iterator[None]:
    """A process that ends with the block."""
    with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def wait_for(port: int, path: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            if get(port, path)[0] == 200:
                return
        except OSError:
            pass
        assert time.monotonic() < until, f"nothing answers on port {port}"
        time.sleep(0.2)


def ask_prometheus(port: int, query: str) -> list[tuple[dict[str, str], float]]:
    """What a Prometheus server gives for a query now: (labels without job and instance, value)."""
    from urllib.parse import quote

    status, _, text = get(port, f"/api/v1/query?query={quote(query)}")
    assert status == 200, (query, text)
    rows = json.loads(text)["data"]["result"]
    hidden = {"job", "instance"}
    return [({k: v for k, v in row["metric"].items() if k not in hidden}, float(row["value"][1])) for row in rows]
