"""How many answers a second does the review's journal keep, how long does one wait, and is any lost?

    python benchmarks/review.py RESULT.json [--seconds 20] [--rounds 5] [--history 100000]
    python benchmarks/review.py RESULT.json --seconds 2 --rounds 1 --history 2000     # whether it works: half a minute

The journal's part, without HTTP: `tasks.review.writer.Writer` called directly, on the disk that holds RESULT.json.

    calm        20 reviewers, a decision a second each, for --seconds: how long until it is on the disk
    saturated   50 clients, a reviewer each, the next decision as soon as the last one is kept; --rounds of a fifth of
                --seconds, interleaved with `append` and `floor`
    history     the same with --history answers in the journal before, and how long opening it takes
    append      the peer: `journal.append`, which reads every line before each answer; one client, the others would wait
    floor       a line and an fsync, one file, one after the other: what the disk does without group commit

Every line of the result is checked: after it the journal is read anew, and each acknowledged op must be there exactly
once (`lost` and `doubled` are 0, or the script ends with an AssertionError); a planted loss is seen each time.
Aims: calm p99 under 100 ms; saturated at least 2,000 decisions a second.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from machine import described

from tasks import answers, journal
from tasks.model import Verdict
from tasks.review.writer import Writer

REVIEWERS, CLIENTS = 20, 50
AT = "2026-11-21T10:00:00Z"

Row = dict[str, Any]


def verdict(op: str, who: str, number: int, client: int = 0) -> Verdict:
    """A relabel, as long as the page's own; two clients share each item."""
    seen = {"revision": "dataset@v1.0.0", "y": '"3"', "p_wrong": 0.731205, "rank": number % 400 + 1}
    return Verdict(
        op, f"item:i{client // 2:02d}-{number:06d}", "relabel", who, AT, y='"8"', guideline="3f2a9c01d4e5", seen=seen
    )


def kept(workspace: Path) -> Counter[str]:
    """How often each op is in the journal, read from the disk."""
    paths = sorted((workspace / ".assay" / "journal").glob("*.jsonl"))
    return Counter(one.op for path in paths for _, one in answers.read_log(path))


def wrong(workspace: Path, acknowledged: Iterable[str]) -> dict[str, int]:
    """What became of acknowledged ops."""
    there = kept(workspace)
    return {
        "lost": len(set(acknowledged) - set(there)),
        "doubled": sum(count > 1 for count in there.values()),
    }


def checked(workspace: Path, acknowledged: Sequence[str]) -> Row:
    """{"lost": 0, "doubled": 0}, or an AssertionError; the check is shown to see a lost op first."""
    found = wrong(workspace, acknowledged)
    assert wrong(workspace, [*acknowledged, "planted"])["lost"] == found["lost"] + 1
    assert found == {"lost": 0, "doubled": 0}, found
    return {"decisions": len(acknowledged), **found}


def clients(count: int, work: Callable[[int, list[tuple[str, float]]], None]) -> list[tuple[str, float]]:
    """Run `work` in `count` threads; (op, seconds until it was kept) of all."""
    told: list[list[tuple[str, float]]] = [[] for _ in range(count)]
    threads = [threading.Thread(target=work, args=(n, told[n])) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for some in told for one in some]


def waited(told: Sequence[tuple[str, float]]) -> Row:
    """Percentiles in ms of the seconds until kept."""
    ms = sorted(seconds * 1e3 for _, seconds in told)
    return {
        "p50_ms": round(statistics.median(ms), 2),
        "p99_ms": round(ms[int(0.99 * (len(ms) - 1))], 2),
        "max_ms": round(ms[-1], 2),
    }


def calm(workspace: Path, seconds: float) -> Row:
    writer, begun = Writer(workspace), time.perf_counter()

    def work(n: int, told: list[tuple[str, float]]) -> None:
        for turn in range(round(seconds)):
            time.sleep(max(0.0, begun + turn + n / REVIEWERS - time.perf_counter()))
            at, op = time.perf_counter(), f"calm-{n}-{turn}"
            writer.submit([verdict(op, f"calm{n}", turn, n)]).result()
            told.append((op, time.perf_counter() - at))

    told = clients(REVIEWERS, work)
    writer.close()
    return {**waited(told), **checked(workspace, [op for op, _ in told])}


def saturated(workspace: Path, seconds: float, mark: str) -> Row:
    writer = Writer(workspace)
    begun, cpu = time.perf_counter(), time.process_time()

    def work(n: int, told: list[tuple[str, float]]) -> None:
        turn = 0
        while (at := time.perf_counter()) < begun + seconds:
            op = f"{mark}-{n}-{turn}"
            writer.submit([verdict(op, f"busy{n}", turn, n)]).result()
            told.append((op, time.perf_counter() - at))
            turn += 1

    told = clients(CLIENTS, work)
    took, busy = time.perf_counter() - begun, time.process_time() - cpu
    writer.close()
    each = {"a_second": round(len(told) / took), "cpu_us_each": round(busy / len(told) * 1e6, 1)}
    return {**each, **waited(told), **checked(workspace, [op for op, _ in told])}


def append(workspace: Path, seconds: float) -> Row:
    told: list[tuple[str, float]] = []
    begun = time.perf_counter()
    while (at := time.perf_counter()) < begun + seconds:
        op = f"one-{len(told)}"
        journal.append(workspace, [verdict(op, "ann", len(told))])
        told.append((op, time.perf_counter() - at))
    rate = round(len(told) / (time.perf_counter() - begun))
    return {"a_second": rate, **waited(told), **checked(workspace, [op for op, _ in told])}


def floor(folder: Path, seconds: float) -> Row:
    line, count, begun = answers.line(verdict("op", "ann", 1)), 0, time.perf_counter()
    with open(folder / "floor", "ab", buffering=0) as log:
        while time.perf_counter() < begun + seconds:
            log.write(line)
            os.fsync(log.fileno())
            count += 1
    assert (folder / "floor").stat().st_size == count * len(line)
    return {"a_second": round(count / (time.perf_counter() - begun))}


def submitting(workspace: Path) -> float:
    """Microseconds that `submit` takes, the median of 2,000."""
    writer, took = Writer(workspace), []
    for n in range(2_000):
        one = [verdict(f"s-{n}", "ann", n)]
        at = time.perf_counter()
        writer.submit(one)
        took.append(time.perf_counter() - at)
    writer.close()
    checked(workspace, [f"s-{n}" for n in range(2_000)])
    return round(statistics.median(took) * 1e6, 1)


def with_history(workspace: Path, count: int, seconds: float) -> Row:
    folder = workspace / ".assay" / "journal"
    folder.mkdir(parents=True)
    for n in range(CLIENTS):
        lines = [answers.line(verdict(f"old-{n}-{k}", f"busy{n}", k, n)) for k in range(count // CLIENTS)]
        (folder / f"busy{n}.jsonl").write_bytes(b"".join(lines))
    at = time.perf_counter()
    writer = Writer(workspace)
    opening = time.perf_counter() - at
    writer.close()
    return {"answers_before": count, "opening_s": round(opening, 2), **saturated(workspace, seconds, "with")}


def middle(rows: Sequence[Row]) -> Row:
    """The row of the median rate, with the least and the most."""
    ordered = sorted(rows, key=lambda row: int(row["a_second"]))
    least, most = ordered[0]["a_second"], ordered[-1]["a_second"]
    return {**ordered[len(ordered) // 2], "rounds": len(rows), "least": least, "most": most}


def main() -> None:
    parser = argparse.ArgumentParser(description="The review's journal under load.")
    parser.add_argument("result", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--history", type=int, default=100_000)
    arguments = parser.parse_args()
    machine = described("starlette", "uvicorn")
    folder = Path(tempfile.mkdtemp(prefix=".review-", dir=arguments.result.resolve().parent))
    try:
        turn = arguments.seconds / 5
        ours, peers, floors = [], [], []
        for n in range(arguments.rounds):  # A B C A B C, so that other work on the machine meets all
            ours.append(saturated(fresh(folder), turn, f"r{n}"))
            peers.append(append(fresh(folder), turn))
            floors.append(floor(fresh(folder), turn))
        ratios = sorted(a["a_second"] / b["a_second"] for a, b in zip(ours, peers, strict=True))
        journal_ = {
            "calm": {"reviewers": REVIEWERS, **calm(fresh(folder), arguments.seconds)},
            "saturated": {"clients": CLIENTS, **middle(ours)},
            "history": {"clients": CLIENTS, **with_history(fresh(folder), arguments.history, turn)},
            "append": middle(peers),
            "floor": middle(floors),
            "saturated_to_append": {"median": round(statistics.median(ratios), 1), "min": round(ratios[0], 1)},
            "submit_us": submitting(fresh(folder)),
        }
    finally:
        shutil.rmtree(folder)
    arguments.result.write_text(json.dumps({"machine": machine, "journal": journal_}, indent=2) + "\n")
    print(json.dumps(journal_, indent=2))


def fresh(folder: Path) -> Path:
    """An empty workspace."""
    workspace = Path(tempfile.mkdtemp(dir=folder))
    (workspace / "data" / "verdicts").mkdir(parents=True)
    return workspace


if __name__ == "__main__":
    main()
