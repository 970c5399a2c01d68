"""Does the audit sample's 95 % interval cover the truth, and does the sample beat a simple random one?

    python benchmarks/calibration.py RESULT.json [REPEATS]

Populations of 10,000 labels with four noise rates and three kinds of p_wrong (good, too low, useless), and real digits
with planted errors and the audit's own p_wrong. Each repeat draws 200 as triage does (the strata and the allocation are
the product's; within a stratum a random generator stands in for the hashes), answers them with the truth, and
estimates. Beside it: Neyman's allocation alone, and 200 drawn at random. A second table stops after 300 rows of the
mixed queue. Every line asserts coverage of .93 or more, and those of the first table no bias.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import described
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from tasks import calibration, estimate, sample
from tasks.ranking import rank

ITEMS, SIZE, ROWS = 10_000, 200, 300
NOISES = (0.01, 0.05, 0.1, 0.2)
KINDS = ("good", "too low", "useless")
PLANTED = ("uniform 10 %", "pair 20 %", "by class 10 %")
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# shapes: N items, H strata


@dataclass(frozen=True, slots=True)
class Population:
    name: str
    p_N: FloatArray
    wrong_N: BoolArray


def synthetic(kind: str, noise: float, seed: int = 1) -> Population:
    """A score of two normal clouds as p_wrong by Bayes; one far too sure of the right ones; or no score at all."""
    rng = np.random.default_rng(seed)
    wrong_N = rng.random(ITEMS) < noise
    if kind == "useless":
        return Population(f"useless {noise:g}", rng.beta(0.3, 0.3 * (1 / noise - 1), ITEMS), wrong_N)
    apart = 4.0 if kind == "good" else 3.0
    score_N = rng.normal(0, 1, ITEMS) + apart * wrong_N
    odds_N = np.log(noise / (1 - noise)) + apart * score_N - apart**2 / 2
    odds_N = 2 * odds_N - 2 if kind == "too low" else odds_N
    return Population(f"{kind} {noise:g}", 1 / (1 + np.exp(-odds_N)), wrong_N)


def digits(kind: str, seed: int) -> Population:
    """scikit-learn's digits with planted errors; p_wrong as the audit gives it."""
    data, rng = load_digits(), np.random.default_rng(seed)
    x_ND = (data.data / np.linalg.norm(data.data, axis=1, keepdims=True)).astype(np.float32)
    true_N, n = data.target.astype(np.int64), len(data.target)
    other_N = (true_N + rng.integers(1, 10, n)) % 10
    chance_N = {"uniform 10 %": np.full(n, 0.1), "pair 20 %": np.full(n, 0.2), "by class 10 %": true_N / 45}[kind]
    given_N = np.where(rng.random(n) < chance_N, (true_N + 1) % 10 if kind == "pair 20 %" else other_N, true_N)
    ranking = rank([str(k) for k in given_N], embeddings=x_ND)
    return Population(f"digits {kind}", ranking.p_wrong_N, given_N != true_N)


def repeated(population: Population, repeats: int) -> dict[str, Any]:
    """Coverage, width and errors over `repeats` draws; shares of all labels."""
    p_N, wrong_N, rng = population.p_N, population.wrong_N, np.random.default_rng(0)
    drawn = sample.draw(dict(zip(map(str, range(len(p_N))), p_N, strict=True)), (), round="0001-x", size=SIZE, seed=0)
    size = len(drawn)
    strata = np.array_split(np.lexsort((rng.random(len(p_N)), p_N)), sample.STRATA)
    items_H = np.array([len(one) for one in strata])
    number_H = np.array([sum(row.stratum == h for row in drawn) for h in range(len(strata))])
    spread_H = np.array([np.sqrt((p_N[one] * (1 - p_N[one])).mean()) for one in strata])
    neyman_H = _neyman(items_H, spread_H, size)
    truth, errors, covered, width, below = wrong_N.mean(), [], 0, 0.0, 0
    alone, simple = [], []
    for repeat in range(repeats):
        chosen = [rng.permutation(one)[:number] for one, number in zip(strata, number_H, strict=True)]
        found_H = np.array([wrong_N[one].sum() for one in chosen])
        p_H = np.array([p_N[one].mean() for one in chosen])
        value = float((items_H * found_H / number_H).sum() / len(p_N))
        totals_S = calibration.totals(items_H, number_H, found_H, p_H, seed=repeat) / len(p_N)
        low, high = np.quantile(totals_S, calibration.TAILS)
        low, high = min(low, value), max(high, value)
        errors.append(value - truth)
        covered += low <= truth <= high
        below += high < truth
        width += (high - low) / repeats
        alone.append(_stratified(strata, neyman_H, wrong_N, rng) - truth)
        simple.append(wrong_N[rng.choice(len(p_N), size, replace=False)].mean() - truth)
    return {
        "population": population.name,
        "wrong": float(truth),
        "drawn": size,
        "coverage": covered / repeats,
        "missed_below": below / repeats,
        "width": width,
        "bias": float(np.mean(errors)),
        "bias_se": float(np.std(errors) / np.sqrt(repeats)),
        "rmse": _rmse(errors),
        "rmse_neyman_alone": _rmse(alone),
        "rmse_simple_random": _rmse(simple),
    }


def _neyman(items_H: NDArray[np.int64], spread_H: FloatArray, size: int) -> NDArray[np.int64]:
    weight_H = items_H * spread_H / (items_H * spread_H).sum()
    number_H = np.minimum(items_H, 2)
    while number_H.sum() < size:
        lack_H = np.where(number_H < items_H, weight_H * size - number_H, -np.inf)
        number_H[int(np.argmax(lack_H))] += 1
    return number_H


def _stratified(
    strata: list[NDArray[np.int64]], number_H: NDArray[np.int64], wrong_N: BoolArray, rng: np.random.Generator
) -> float:
    shares = [wrong_N[rng.permutation(one)[:n]].mean() for one, n in zip(strata, number_H, strict=True)]
    return float(np.average(shares, weights=[len(one) for one in strata]))


def _rmse(errors: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def stopped(population: Population, repeats: int) -> dict[str, Any]:
    """The same when people stop after ROWS rows of the mixed queue; and what counting every answer would say."""
    p_N, wrong_N = population.p_N, population.wrong_N
    items = {str(n): float(p) for n, p in enumerate(p_N)}
    doubted = sorted((item for item, p in items.items() if p > 0.5), key=lambda item: -items[item])
    covered, used, errors, naive = 0, 0, [], []
    for seed in range(repeats):
        drawn = sample.draw(dict(items), (), round="0001-x", size=SIZE, seed=seed)
        seen = sample.mixed(doubted, [row.item for row in drawn])[:ROWS]
        asked = dict.fromkeys(seen, True)
        truth: dict[str, bool | None] = {item: bool(wrong_N[int(item)]) for item in seen}
        says = estimate.from_sample(drawn, truth, asked)
        assert says.wrong is not None
        covered += says.wrong.low <= wrong_N.sum() <= says.wrong.high
        used += says.used
        errors.append(says.wrong.value / len(p_N) - wrong_N.mean())
        naive.append(_all_answers(drawn, truth) / len(p_N) - wrong_N.mean())
    return {
        "population": population.name,
        "doubted": len(doubted),
        "used": used / repeats,
        "coverage": covered / repeats,
        "bias": float(np.mean(errors)),
        "rmse": _rmse(errors),
        "bias_if_all_answers_counted": float(np.mean(naive)),
    }


def _all_answers(drawn: list[sample.Drawn], truth: dict[str, bool | None]) -> float:
    """The stratified estimate from every answered drawn item, those far ahead of the others too."""
    total = 0.0
    for h in {row.stratum for row in drawn}:
        answers = [bool(truth[row.item]) for row in drawn if row.stratum == h and row.item in truth]
        items = next(row.stratum_items for row in drawn if row.stratum == h)
        total += items * float(np.mean(answers)) if answers else 0.0
    return total


def printed(rows: list[dict[str, Any]]) -> None:
    """A line a row, the names of the figures first."""
    print("  ".join(f"{name:>20}" if n else f"{name:<22}" for n, name in enumerate(rows[0])))
    for row in rows:
        cells = [f"{value:>20.4f}" if isinstance(value, float) else f"{value:>20}" for value in [*row.values()][1:]]
        print("  ".join([f"{row['population']:<22}", *cells]), flush=True)


Task = tuple[str, str, float, int]  # "synthetic" or "digits" or "stopped", kind, noise, repeats


def row_of(task: Task) -> dict[str, Any]:
    """One line of a table, in a process of its own."""
    table, kind, noise, repeats = task
    if table == "stopped":
        return stopped(synthetic(kind, noise), repeats)
    return repeated(digits(kind, 0) if table == "digits" else synthetic(kind, noise), repeats)


def main(arguments: list[str]) -> None:
    result = Path(arguments[0])
    repeats = int(arguments[1]) if len(arguments) > 1 else 2000
    about = described("numpy", "scipy", "scikit-learn", "cleanlab")
    tasks: list[Task] = [("synthetic", kind, noise, repeats) for kind in KINDS for noise in NOISES]
    tasks += [("digits", kind, 0.0, repeats) for kind in PLANTED]
    half: list[Task] = [("stopped", kind, 0.1, max(20, repeats // 20)) for kind in KINDS]
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(row_of, [*tasks, *half]))
    whole, half_rows = rows[: len(tasks)], rows[len(tasks) :]
    printed(whole)
    printed(half_rows)
    content = {"machine": about, "repeats": repeats, "items": ITEMS, "complete": whole, "stopped": half_rows}
    result.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        assert row["coverage"] >= 0.93, row
    for row in whole:
        assert abs(row["bias"]) <= 4 * row["bias_se"], row


if __name__ == "__main__":
    main(sys.argv[1:])
