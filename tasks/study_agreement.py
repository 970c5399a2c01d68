"""What do people and the model agree on in this workspace, and what would help? The work of `assay study agreement`.

Reads   data/audit/{scores.parquet, noise.json, probabilities.parquet}, data/triage/queue.parquet, data/ingest/manifest,
        data/verdicts, data/embed/vectors or the vectors in data/model, params.yaml
Writes  nothing; the caller keeps the document

Where the audit has kept no probabilities (a workspace last audited by an older version), they are computed again from
the embeddings, with the audit's own folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from . import agreement, answers, labels, outoffold, params, store, study_curve, vectors
from .agreement import Audited
from .interval import Share
from .model import MANIFEST, QUEUE, SCORES, Mistake, Task
from .outoffold import IntArray, ProbabilityArray

# shapes: N assessed items, K classes


def agreement_now(workspace: Path, *, curves: bool = True, threads: int = 1) -> dict[str, Any]:
    """Agreement of every class and the remedies, most helpful first: the document that is kept as JSON.

    `curves`: also ask whether more data would help, which needs the embeddings and seconds. Raises Mistake where the
    audit has not run or could assess no item.
    """
    data = workspace / "data"
    scores = store.read_table(data / "audit" / "scores.parquet", SCORES)
    scores = scores[scores["fold"] >= 0]
    if scores.empty:
        raise Mistake("The audit could assess no item, so there is no agreement to measure. Look at: report.html")
    state = answers.state(answers.read(data / "verdicts"))
    manifest = answers.current(store.read_table(data / "ingest" / "manifest", MANIFEST), state)
    target = labels.kind(params.section(workspace / "params.yaml", "task", Task).kind).target
    named = {item: target(y) for item, y in zip(manifest["item"], manifest["y"], strict=True)}
    scores = scores[[named.get(item) is not None for item in scores["item"]]]
    items = tuple(scores["item"].tolist())
    if not items:
        raise Mistake("No item that was audited has a class to compare with a model: agreement is about classes.")
    given = [str(named[item]) for item in items]
    folds_N = scores["fold"].to_numpy(dtype=np.int64)
    noise = store.read_json(data / "audit" / "noise.json")
    classes = tuple(sorted(set(given)))
    column = {name: k for k, name in enumerate(classes)}
    given_N = np.array([column[name] for name in given], dtype=np.int64)
    p_NK = _stored(data, items, classes, list(noise.get("classes", {})))
    if p_NK is None:
        p_NK = _computed(workspace, items, given_N, folds_N, len(classes), float(noise.get("scale", 1.5)), threads)
    queue = set(store.read_table(data / "triage" / "queue.parquet", QUEUE)["item"])
    corrected_N = np.array(scores["p_suggestion"].astype(float), dtype=np.float64)
    audited = Audited(
        items,
        classes,
        given_N,
        p_NK,
        scores["p_wrong"].to_numpy(dtype=np.float64),
        np.array([item in queue for item in items], dtype=bool),
        corrected_N if np.isfinite(corrected_N).all() else None,
    )
    remedies = [*agreement.relabel(audited), *agreement.clearer_instructions(audited)]
    why_not: dict[str, str] = {}
    if curves:
        x_ND = vectors.centred(_vectors(data, items).x_ND, study_curve.WIDTH)
        found, why_not = study_curve.curves(
            x_ND, given_N, folds_N, classes, model_N=audited.said_N, p_wrong_N=audited.p_wrong_N, seed=0
        )
        more, flat = study_curve.more_data(found)
        remedies += more
        why_not |= flat
    rates = {name: float(one["noise_rate"]) for name, one in noise.get("classes", {}).items()}
    return document(audited, rates, agreement.ranked(remedies), why_not) | {
        "curves": curves,
        "audit": fingerprint(workspace),
    }


def fingerprint(workspace: Path) -> str:
    """What a study of the audit followed from: while this is the same, its document holds."""
    return store.sha256_file(workspace / "data" / "audit" / "scores.parquet")


def document(
    audited: Audited,
    noise: dict[str, float],
    remedies: Sequence[agreement.Remedy],
    why_not: dict[str, str],
) -> dict[str, Any]:
    """The study as plain values; shares in [0, 1], gains in items, `points` of overall agreement in [0, 100]."""
    said_N, items = audited.said_N, len(audited.items)
    return {
        "study": "agreement",
        "items": items,
        "agreement": _share(audited.agreement),
        "caution": agreement.caution(audited),
        "classes": [
            {
                "name": one.name,
                "items": one.given.of,
                "given": _share(one.given),
                "said": _share(one.said),
                "noise": one.noise,
                "other": one.other,
                "there": one.there,
                "back": one.back,
            }
            for one in agreement.by_class(audited.classes, audited.given_N, said_N, noise)
        ],
        "remedies": [
            asdict(one)
            | {"classes": list(one.classes), "examples": list(one.examples), "points": 100 * one.gain / items}
            for one in remedies
        ],
        "more_data_not_told": why_not,
    }


def _share(share: Share) -> dict[str, Any]:
    return asdict(share) | {"value": share.value}


def _stored(
    data: Path, items: Sequence[str], classes: tuple[str, ...], columns: Sequence[str]
) -> ProbabilityArray | None:
    """The audit's own probabilities of these items and classes, (N, K); None where it has not kept all of them.

    They are one vector `p` an item, its places the classes of noise.json in their order (`columns`).
    """
    path = data / "audit" / "probabilities.parquet"
    if not path.exists():
        return None
    names, views = store.read_vectors(path)
    if "p" not in views or views["p"].shape[1] != len(columns):
        return None
    row, column = {name: n for n, name in enumerate(names)}, {name: k for k, name in enumerate(columns)}
    if any(item not in row for item in items) or any(name not in column for name in classes):
        return None  # answered since: a class that the audit had not seen
    places = np.ix_([row[item] for item in items], [column[name] for name in classes])
    chosen = views["p"][places].astype(np.float64)
    return np.asarray(chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-12))


def _computed(
    workspace: Path,
    items: Sequence[str],
    given_N: IntArray,
    folds_N: IntArray,
    classes: int,
    scale: float,
    threads: int,
) -> ProbabilityArray:
    from .audit import Params  # cleanlab comes with it

    section = params.section(workspace / "params.yaml", "audit", Params)
    x_ND = vectors.centred(_vectors(workspace / "data", items).x_ND, section.width)
    return outoffold.out_of_fold(
        x_ND, given_N, folds_N, classes=classes, scale=scale, max_iter=section.max_iter, threads=threads
    )


def _vectors(data: Path, items: Sequence[str]) -> vectors.Vectors:
    found = vectors.of(data, items)
    if not found.usable_N.all():
        bad = int(np.flatnonzero(~found.usable_N)[0])
        raise Mistake(f"Item '{items[bad]}' was audited, but {found.faults[bad]}. Run: assay run")
    return found
