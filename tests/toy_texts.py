"""Short texts of three topics, and the stages on them in one process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from deliveries import take

from tasks import audit, detect, embed, ingest, relate, revise, triage, validate
from tasks.model import Report, Task

TOPICS: Mapping[str, str] = {
    "garden": "rose tulip soil water seed bloom leaf hedge lawn spade root shade bulb prune compost",
    "kitchen": "oven flour butter whisk bake simmer spoon pan recipe salt dough boil roast taste pepper",
    "harbour": "ship anchor mast tide rope sail deck crane cargo wharf pilot storm buoy captain vessel",
}


def sentence(topic: str, rng: np.random.Generator) -> str:
    """Six words of the topic, in an order of its own."""
    return "The " + " ".join(rng.choice(TOPICS[topic].split(), 6, replace=False)) + "."


def texts(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """(text, topic), the topics in turn; no two texts are equal."""
    rng, names, made = np.random.default_rng(seed), list(TOPICS), dict[str, str]()
    while len(made) < count:
        topic = names[len(made) % 3]
        made.setdefault(sentence(topic, rng), topic)
    return list(made.items())


def chain(folder: Path, workspace: Path, *, kind: str = "single", model: str = "tfidf") -> dict[str, Report]:
    """Receive `folder`, then every stage up to the revision's table, without DVC."""
    take(folder, workspace)
    data, task = workspace / "data", Task("text", kind)
    (data / "verdicts").mkdir(exist_ok=True)
    reports = [
        ingest.run(data, ingest.Params(task=task, cores=1)),
        validate.run(data, validate.Params(task=task)),
        embed.run(data, embed.Params(task=task, model=model, threads=1)),
        relate.run(data, relate.Params(threads=1)),
        audit.run(data, audit.Params(task=task, threads=1)),
        detect.run(data, detect.Params(task=task, threads=1)),
        triage.run(data, triage.Params()),
        revise.run(data, revise.Params(task=task)),
    ]
    return {report.stage: report for report in reports}
