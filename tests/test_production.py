"""Ten drops, while workers, server and remote are killed at random: is every one published, and is it the same dataset?

A real Prefect server (on SQLite, and on PostgreSQL), a coordinator and a GPU worker with clones and caches of their own
on two pools, a bare git remote, an S3 remote on a real server process. Seeded; prints what it measured.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import machine
import numpy as np
import pytest
from fleet import AUTH, AWS, SECRET, Fleet
from postgres import postgres

from flows.digits import Digits, digits, write_drop
from tasks import arrivals, store, versions
from tasks.versions import git

pytestmark = [pytest.mark.long, pytest.mark.production, pytest.mark.prefect, pytest.mark.timeout(5000)]

SEED = int(os.environ.get("ASSAY_SEED", "3"))
DROPS, ITEMS = 10, 60
KILLS = int(os.environ.get("ASSAY_KILLS", "8"))
ENDED = re.compile(r" in ([\d.]+) s$")
HERE = ("ingest", "validate", "relate", "audit", "detect", "triage", "revise")  # not placed elsewhere
VICTIMS = ("worker-cpu", "worker-gpu", "server", "relay", "watch")


@pytest.fixture(scope="module")
def truth() -> Digits:
    """Ten drops of sixty real digits each."""
    whole = digits(SEED)
    rows = {f"drop-{n:02d}": np.arange(n * ITEMS, (n + 1) * ITEMS) for n in range(DROPS)}
    return Digits(whole.images, whole.labels, rows, whole.test)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, truth: Digits) -> Path:
    """The same drops in the same order, one machine, nobody disturbs it."""
    workspace = tmp_path_factory.mktemp("undisturbed") / "ws"
    versions.init(workspace)
    for drop in truth.drops:
        write_drop(truth, drop, workspace / "data/incoming" / drop, noise=0.05, seed=SEED)
        time.sleep(0.02)  # the order of completion
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "ASSAY_"))}
    for command in ("run", "revise"):
        line = [sys.executable, "-P", "-m", "flows.cli", command, "--quiet", "--workspace", str(workspace)]
        assert subprocess.run(line, env=clean, check=False).returncode == 0
    return workspace


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Fleet]:
    yield from _fleet(tmp_path, None)


@pytest.fixture(params=["sqlite", "postgresql"])
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    if request.param == "postgresql":
        with postgres() as url:
            yield from _fleet(tmp_path, url)
    else:
        yield from _fleet(tmp_path, None)


def _fleet(root: Path, database: str | None) -> Iterator[Fleet]:
    made = Fleet(root / "fleet", database)
    made.root.mkdir()
    try:
        made.make()
        made.start("server")
        made.set_up()
        for name in ("worker-cpu", "worker-gpu", "watch"):
            made.start(name)
        yield made
    finally:
        made.end()


def settled(fleet: Fleet) -> bool:
    """Every drop received, through the stages and in a revision that the remote has; nothing at work."""
    workspace = fleet.workspace
    names = {json.loads(path.read_text())["name"] for path in (workspace / "data/drops").glob("*/receipt.json")}
    waiting = {arrival.name for arrival in arrivals.seen(workspace) if arrival.state == "held"}
    if len(names | waiting) < DROPS or versions.curate_due(workspace) or versions.revise_due(workspace):
        return False
    return git.git(workspace, "ls-remote", "origin", "main").split()[0] == git.git(workspace, "rev-parse", "HEAD")


def test_ten_drops_are_published_whatever_is_killed(
    fleet: Fleet, truth: Digits, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(SEED)
    begun = time.monotonic()
    delivered: dict[str, float] = {}
    kills_at = sorted(rng.uniform(10, 15 * DROPS) for _ in range(KILLS))
    drops_at = [15.0 * n + rng.uniform(0, 10) for n in range(DROPS)]
    to_start: list[tuple[float, str]] = []
    while True:
        now = time.monotonic() - begun
        while drops_at and now >= drops_at[0]:
            drops_at.pop(0)
            drop = f"drop-{len(delivered):02d}"
            write_drop(truth, drop, fleet.workspace / "data/incoming" / drop, noise=0.05, seed=SEED)
            delivered[drop] = time.time()
        while kills_at and now >= kills_at[0]:
            kills_at.pop(0)
            if (name := rng.choice(VICTIMS)) not in {waiting for _, waiting in to_start}:
                fleet.kill(name)
                to_start.append((now + rng.uniform(1, 6), name))
        for entry in [entry for entry in to_start if now >= entry[0]]:
            to_start.remove(entry)
            fleet.start(entry[1])
        if not drops_at and not kills_at and not to_start and settled(fleet):
            break
        assert now < 2400, fleet.logs()
        time.sleep(0.5)
    seconds = time.monotonic() - begun
    database = "PostgreSQL" if fleet.database else "SQLite"
    figures = {"killed": fleet.kills, "published_after_s": round(seconds), "delivered_over_s": 15 * DROPS}
    figures |= measured(fleet, delivered)
    with capsys.disabled():
        print(f"\n{database}: {DROPS} drops of {ITEMS} items, seed {SEED}")
        for name, value in figures.items():
            print(f"  {name.replace('_', ' ')}: {value}")
    if folder := os.environ.get("ASSAY_RECORD"):
        on = machine.described("prefect", "dvc", "sqlalchemy", "asyncpg", "moto")
        result = {"machine": on, "drops": DROPS, "items": ITEMS, "seed": SEED, "database": database, **figures}
        Path(folder, f"production-{database.lower()}.json").write_text(json.dumps(result, indent=1) + "\n")

    clone = fresh_clone(fleet, tmp_path)
    done = command(clone, "verify")
    assert done.returncode == 0, done.stderr
    with capsys.disabled():
        print(f"  verify on a fresh clone: {done.stdout.strip().splitlines()[-1]}")
    table = Path("data/revise/dataset.parquet")
    newest = versions.log(fleet.workspace)[0].tag
    wanted = store.sha256_file(undisturbed / table)
    assert store.sha256_file(fleet.workspace / table) == wanted
    listed = json.loads(git.git(clone, "show", f"{newest}:data/revision.json"))["files"]
    assert wanted in json.dumps(listed)
    secrets_are_nowhere(fleet, clone)


def test_a_gpu_worker_that_is_killed_at_work_is_found_by_its_silence_and_the_stage_runs_again(
    on_sqlite: Fleet, truth: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = on_sqlite
    write_drop(truth, "drop-00", fleet.workspace / "data/incoming/drop-00", noise=0.05, seed=SEED)

    def at_work() -> list[dict[str, object]]:
        running = {"state": {"type": {"any_": ["RUNNING"]}}}
        return fleet.ask("/flow_runs/filter", flow_runs=running, flows={"name": {"any_": ["work"]}})

    fleet.wait(at_work, seconds=180)
    killed = time.monotonic()
    fleet.kill("worker-gpu")
    fleet.start("worker-gpu")
    fleet.wait(lambda: "curate: 0001-drop-00" in git.git(fleet.workspace, "log", "--format=%s"), seconds=600)
    with capsys.disabled():
        print(f"\nA killed GPU worker: the queue was there {time.monotonic() - killed:.0f} s later")
    crashed = {"state": {"type": {"any_": ["CRASHED"]}}}
    ended = fleet.ask("/flow_runs/filter", flow_runs=crashed)
    said = {str(run["state"]["message"]) for run in ended if isinstance(run["state"], dict)}
    assert said and all("its worker has died" in why or "did not start it" in why for why in said), said
    alone = tmp_path / "alone"
    versions.init(alone)
    write_drop(truth, "drop-00", alone / "data/incoming/drop-00", noise=0.05, seed=SEED)
    assert command(alone, "run", "--quiet").returncode == 0
    vectors = Path("data/embed/vectors/0001-drop-00.parquet")
    assert store.sha256_file(fleet.workspace / vectors) == store.sha256_file(alone / vectors)


def command(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "ASSAY_", "AWS_"))}
    line = [sys.executable, "-P", "-m", "flows.cli", *arguments, "--workspace", str(workspace)]
    return subprocess.run(line, capture_output=True, text=True, env=clean | AWS, check=False)


def fresh_clone(fleet: Fleet, tmp_path: Path) -> Path:
    """What a stranger has: git clone, and the S3 remote."""
    clone = tmp_path / "fresh"
    shutil.rmtree(clone, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(fleet.origin), str(clone)], check=True)
    return clone


def measured(fleet: Fleet, delivered: dict[str, float]) -> dict[str, Any]:
    """Event to start, time per drop, and what orchestration adds to a stage, from the server's own record; seconds."""
    runs = [run for run in fleet.ask("/flow_runs/filter") if run["start_time"]]
    starts = sorted(_time(run["start_time"]) for run in runs if str(run["name"]) == "curate")
    log = git.git(fleet.workspace, "log", "--format=%ct %s").splitlines()
    done = [float(line.split()[0]) for line in log if " curate: " in line]
    received = [float(line.split()[0]) for line in log if " receive: " in line]
    return {
        "flow_runs": dict(Counter(str(run["state_name"]) for run in runs)),
        "complete_to_start": _spread(_next(starts, at) for at in delivered.values()),
        "complete_to_queue": _spread(_next(done, at) for at in delivered.values()),
        "received_to_queue": _spread(_next(done, at) for at in received),
        "added_to_a_stage": _spread(overhead(fleet)),
    }


def _next(moments: list[float], after: float) -> float:
    """Seconds from `after` to the next of `moments`, 0 if there is none."""
    return min((at - after for at in moments if at >= after), default=0.0)


def overhead(fleet: Fleet) -> list[float]:
    """Seconds of a stage's task run beyond those that the stage itself reports in its last line."""
    reported = {
        str(line["task_run_id"]): float(found[1])
        for line in fleet.ask("/logs/filter")
        if (found := ENDED.search(str(line["message"])))
    }
    return [
        float(str(run["total_run_time"])) - reported[str(run["id"])]
        for run in fleet.ask("/task_runs/filter")
        if run["state_type"] == "COMPLETED" and str(run["name"]) in HERE and str(run["id"]) in reported
    ]


def _spread(values: Iterable[float]) -> dict[str, float]:
    found = list(values)
    return {"median": round(statistics.median(found), 1), "worst": round(max(found), 1)} if found else {}


def _time(text: object) -> float:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()


def secrets_are_nowhere(fleet: Fleet, clone: Path) -> None:
    """Neither the store's secret nor the server's password is in any file, database, log or commit."""
    password = AUTH.partition(":")[2]
    wanted = [SECRET.encode(), password.encode()]
    found = [path for path, content in fleet.everything_written().items() for secret in wanted if secret in content]
    assert found == []
    history = git.git(clone, "log", "--all", "--patch", "--text")
    assert SECRET not in history and password not in history
    assert hashlib.sha256(history.encode("utf-8", "surrogateescape")).hexdigest()
    with suppress(httpx.TransportError):
        assert SECRET not in json.dumps(fleet.ask("/flow_runs/filter"))
        assert SECRET not in json.dumps(fleet.ask("/logs/filter"))
