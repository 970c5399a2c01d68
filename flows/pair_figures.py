"""What was the demo of pairs worth, against what was planted? Every figure is computed here, in the run that prints it.

Draws other than the chain's own are measured in shadow: the same texts, exchanged otherwise, through the audit's pure
functions on the vectors that the chain made; nothing of it reaches the workspace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.text import Text

from tasks import audit, pairing, params, vectors
from tasks.model import label_json
from tasks.versions import read_dataset

from .demo_figures import spread
from .phrases import DROPS, KINDS, NOISE, NOISY, SEED, plant
from .report import Story

if TYPE_CHECKING:
    from .demo_pairs import PairDemo

# shapes: N pairs


def measured(demo: PairDemo, before: str, after: str, *, seeds: int) -> Story:
    """The flags by kind, over `seeds` draws; every method's order; what the revisions hold; prints them."""
    truth = demo.truth
    drawn = [flags_against_planted(demo, seed) for seed in range(seeds)]
    wrong = {f"p{row:04d}" for row in demo.planted}
    estimated = float(demo.noise["noise_rate"])
    delivered = sum(DROPS[name] for name in NOISY)
    curve = found_by_depth(demo.queue, wrong)
    left = {tag: wrong_in(demo, tag) for tag in (before, after)}
    embedded = next(report.counts["embedded"] for report in demo.reports["march-lingua"] if report.stage == "embed")
    table = [
        *((f"Recall, {kind} texts", spread([one[kind] for one in drawn]), f"flagged, {seeds} seeds") for kind in KINDS),
        ("Precision of the flags", spread([one["precision"] for one in drawn]), f"of them are planted, {seeds} seeds"),
        (
            "Wrong, estimated / planted",
            f"{100 * estimated:.1f} % / {100 * len(demo.planted) / delivered:.1f} %",
            "by the audit, before any answer",
        ),
        ("Found by reading", f"{100 * curve[-1][1]:.1f} %", f"of the planted errors, in {len(demo.queue):,} pairs"),
        ("Wrong texts as delivered", f"{left[before]}", before),
        ("Wrong texts after answers", f"{left[after]}", after),
        ("Embedded for the 1 % drop", f"{embedded} items", f"{DROPS['march-lingua']} were new"),
    ]
    for name, value, meaning in table:
        demo.console.print(Text(f"  {name:<28}{value:>16}  ") + Text(meaning, "dim"))
    demo.console.print(Text("\n  Found among as many of the worst pairs as there are planted errors:"))
    for name, share in by_method(demo.seen["methods"], demo.planted).items():
        bars = "█" * round(30 * share["all"])
        each = ", ".join(f"{kind} {100 * share[kind]:.0f} %" for kind in KINDS)
        demo.console.print(Text(f"  {name:<18}{100 * share['all']:>4.0f} %  ") + Text(f"{bars:<30}  {each}", "dim"))
    sentences = [
        f"{len(truth.english):,} made English sentences with their French went through the chain, 5 % with another "
        "sentence's; the reviewer is simulated from the truth and errs 3 % of the time. All was computed in this run.",
    ]
    return Story(sentences, table, curve, {}, demo.doubts)


def flags_against_planted(demo: PairDemo, seed: int) -> dict[str, float]:
    """Recall by kind and precision of the flags for one draw of planted errors; the chain itself is one of them."""
    if seed == SEED:
        items = demo.seen["scores"]["item"].tolist()
        flagged = set(demo.seen["scores"]["item"][demo.seen["scores"]["flagged"].astype(bool)])
        planted = demo.planted
    else:
        planted = {}
        for name in NOISY:
            planted |= plant(demo.truth, name, noise=NOISE[name], seed=seed)
        items, flagged = flagged_items(demo, planted)
    of_kind = {kind: {f"p{row:04d}" for row, (_, one) in planted.items() if one == kind} & set(items) for kind in KINDS}
    recall = {kind: len(names & flagged) / max(1, len(names)) for kind, names in of_kind.items()}
    hits = sum(any(item in names for names in of_kind.values()) for item in flagged)
    return recall | {"precision": hits / max(1, len(flagged))}


def flagged_items(demo: PairDemo, planted: Mapping[int, tuple[int, str]]) -> tuple[list[str], set[str]]:
    """The items that the audit sees and flags when they carry the texts `planted`, on the chain's vectors."""
    data, truth = demo.folder / "data", demo.truth
    section = params.section(demo.folder / "params.yaml", "audit", audit.Params)
    items = demo.seen["scores"]["item"].tolist()
    rows = [int(item[1:]) for item in items]
    x = vectors.joint(data / "embed" / "vectors", items)
    y = vectors.joint(data / "embed" / "targets", items)
    where = {
        lender: place
        for place, lender in enumerate(demo.planted[row][0] if row in demo.planted else row for row in rows)
    }
    source = [planted[row][0] if row in planted else row for row in rows]
    kept = [place for place, row in enumerate(source) if row in where]  # a text that was not delivered has no vector
    y_of = np.array([where[source[place]] for place in kept], dtype=np.int64)
    found = pairing.audit(
        [items[place] for place in kept],
        [truth.french[source[place]] for place in kept],
        vectors.Vectors(x.x_ND[kept], tuple(x.faults[place] for place in kept)),
        vectors.Vectors(y.x_ND[y_of], tuple(y.faults[place] for place in y_of.tolist())),
        section.pairs,
        x_texts=[truth.english[rows[place]] for place in kept],
        folds=section.folds,
        width=section.width,
        seed=section.seed,
    )
    return [items[place] for place in kept], set(found.scores["item"][found.scores["flagged"].astype(bool)])


def by_method(methods: pd.DataFrame, planted: Mapping[int, tuple[int, str]]) -> dict[str, dict[str, float]]:
    """Method -> share found of all and of each kind, among as many of the worst pairs as were planted; best first."""
    kind_N = np.array([planted.get(int(item[1:]), (0, ""))[1] for item in methods["item"]], dtype=object)
    depth = int((kind_N != "").sum())
    found = {}
    for name in methods.columns[1:]:
        score_N: NDArray[np.float64] = methods[name].to_numpy(dtype=np.float64)
        worst_N = kind_N[np.argsort(-np.nan_to_num(score_N, nan=-np.inf), kind="stable")[:depth]]
        found[name] = {kind: float((worst_N == kind).sum() / max(1, (kind_N == kind).sum())) for kind in KINDS}
        found[name]["all"] = float((worst_N != "").sum() / max(1, depth))
    return dict(sorted(found.items(), key=lambda entry: -entry[1]["all"]))


def found_by_depth(queue: Sequence[str], wrong: set[str]) -> list[tuple[float, float]]:
    """(share of the answered queue, share of the planted errors found), worst first."""
    found, points = 0, [(0.0, 0.0)]
    for depth, item in enumerate(queue, 1):
        found += item in wrong
        points.append((depth / len(queue), found / max(len(wrong), 1)))
    return points


def wrong_in(demo: PairDemo, tag: str) -> int:
    """How many texts of a revision are not the right ones."""
    rows = read_dataset(demo.folder, tag)
    return sum(
        y != label_json(demo.truth.french[int(item[1:])]) for item, y in zip(rows["item"], rows["y"], strict=True)
    )
