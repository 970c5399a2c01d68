"""How are contenders timed fairly? In one process, one after the other in each round, thread by thread alike.

Other work on the machine stretches wall seconds; so CPU seconds (of all threads) are taken too, and ratios within a
round. A contender's answer is checked by the benchmark outside the timing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Took = dict[str, dict[str, float]]


def rounds(contenders: Mapping[str, Callable[[], Any]], check: Callable[[str, Any], None], count: int) -> list[Took]:
    """Seconds of each contender in each of `count` rounds; `check(name, answer)` raises where an answer is wrong."""
    took: list[Took] = []
    for number in range(count):
        one: Took = {}
        for name, ask in contenders.items():
            cpu, wall = time.process_time(), time.perf_counter()
            answer = ask()
            one[name] = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
            check(name, answer)
        took.append(one)
        print(f"round {number + 1}: " + "; ".join(f"{n} {t['cpu_s']:.2f} CPU-s" for n, t in one.items()), flush=True)
    return took


def summary(took: list[Took], baseline: str) -> dict[str, dict[str, float]]:
    """Of each contender the median seconds, and how often it fits into the baseline's CPU seconds: median, min, max."""
    told = {}
    for name in took[0]:
        ratios = [one[baseline]["cpu_s"] / max(one[name]["cpu_s"], 1e-4) for one in took]
        told[name] = {
            "cpu_s": statistics.median(one[name]["cpu_s"] for one in took),
            "wall_s": statistics.median(one[name]["wall_s"] for one in took),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
        }
    return told


def table(told: Mapping[str, Mapping[str, float]], about: Mapping[str, str]) -> str:
    """Markdown: a row a contender, with what its check has found."""
    lines = ["| | CPU s | wall s | times faster (min to max) | checked |", "|---|---:|---:|---:|---|"]
    for name, one in told.items():
        ratio = f"{one['ratio']:.1f} ({one['ratio_min']:.1f} to {one['ratio_max']:.1f})"
        lines.append(f"| {name} | {one['cpu_s']:.2f} | {one['wall_s']:.2f} | {ratio} | {about.get(name, '')} |")
    return "\n".join(lines)
