"""What does a labelling tool need of the queue, so that people can answer there?

Reads   data/triage/queue.parquet, data/ingest/manifest, data/audit/scores.parquet, data/drops, data/revision.json

An image travels as a data URL of a small JPEG made from its pixels: the task is whole in itself, nothing has to be
served or mounted, and what else is in the file (a place, a name, markup) stays here. A text travels whole, as text.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import params, store
from .answersheet import Known
from .formats import Handout, Question
from .labels import kind
from .modalities import modality
from .model import MANIFEST, QUEUE, SCORES, Mistake, Task

SIDE = 512  # pixels of an image's longer side
LONGEST_TEXT = 100_000  # characters; of a longer text its beginning
GROUPS = 16  # row groups of 4 MiB kept: the queue's order is not the drops'


def handout(workspace: Path, known: Known) -> Handout:
    """The queue, worst first; Mistake where there is none. The items are read as `questions` is."""
    data = workspace / "data"
    path = data / "triage" / "queue.parquet"
    if not path.exists():
        raise Mistake(f"No queue in '{path.parent}'. Run: assay run")
    task = params.section(workspace / "params.yaml", "task", Task)
    module = modality(task.modality)
    rows = store.read_table(path, QUEUE).sort_values("rank").to_dict("records")
    control = kind(task.kind).control(known.classes)
    return Handout(module.OBJECT, control, _questions(data, rows, known, _show(module)), known.revision or "")


def _questions(
    data: Path, rows: Sequence[Mapping[Any, Any]], known: Known, show: Callable[[bytes], str]
) -> Iterator[Question]:
    manifest = store.read_table(data / "ingest" / "manifest", MANIFEST, columns=["item", "asset", "shard", "row"])
    places = {item: (asset, shard, int(row)) for item, asset, shard, row in manifest.itertuples(index=False)}
    scored = _scored(data)
    read = store.AssetReader(data / "drops", groups=GROUPS)
    for row in rows:
        item, suggestion = row["item"], row["suggestion"]
        asset, shard, number = places[item]
        yield Question(
            item=item,
            asset=asset,
            given=row["y"],
            words=known.kind.show(row["y"]),
            shown=show(read(shard, number)),
            rank=int(row["rank"]),
            reason=row["reason"],
            region=None if suggestion is None else known.kind.region(suggestion),
            score=None if suggestion is None else scored.get((item, suggestion)),
        )


def _scored(data: Path) -> Mapping[tuple[str, str], float]:
    """(item, suggestion) -> the probability that it is right, where the audit gave one."""
    path = data / "audit" / "scores.parquet"
    if not path.exists():
        return {}
    scores = store.read_table(path, SCORES, columns=["item", "suggestion", "p_suggestion"]).dropna()
    return {(item, y): float(p) for item, y, p in scores.itertuples(index=False)}


def _show(module: Any) -> Callable[[bytes], str]:
    """How an item stands in a task."""
    if module.cell is None:
        return lambda content: "data:image/jpeg;base64," + base64.b64encode(module.picture(content, SIDE)).decode()

    def text(content: bytes) -> str:
        whole = str(module.cell(content))
        return whole if len(whole) <= LONGEST_TEXT else whole[: LONGEST_TEXT - 1] + "…"

    return text
