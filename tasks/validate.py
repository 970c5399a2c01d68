"""May what was delivered go on, and if not, what would let it?

Reads   data/drops/*/receipt.json, data/ingest (manifest, facts, duplicates, quarantine), data/verdicts
Writes  data/validate/gate.parquet          what passes, what waits, what was rejected, and the command that settles it
        data/validate/passed.parquet        the manifest items that may go on
        data/validate/classes.json          the vocabulary: the classes of the first drop and those accepted since
        data/validate/expectations/<drop>.json, report.html     what Great Expectations says about each drop

Drops are judged in the order of their arrival, each against those before it that passed. The suite of an unchanged drop
comes from .assay/cache/validate; Great Expectations (seconds to import) is loaded only when a drop needs it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import jinja2
import pandas as pd

from . import answers, durable, gate, store
from .labels import kind
from .modalities import Range, modality
from .model import DUPLICATES, GATE, MANIFEST, PASSED, QUARANTINE, Mistake, Report, Task, counted

if TYPE_CHECKING:
    from .expectations import Judge

NOTES = 10  # sentences in the report; the gate has all


@dataclass(frozen=True, slots=True)
class Params:
    """`validate:` in params.yaml."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    task: Task = field(default_factory=Task)
    splits: tuple[str, ...] = ("train", "val", "test")  # names of splits that a row may have, at least one
    classes: tuple[str, ...] = ()  # the first vocabulary; empty: the classes of the first drop
    new_classes: Literal["hold", "accept"] = "hold"  # hold: a class first seen in a later drop waits for a person
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # fact -> bounds; else the modality's own
    max_class_share_change: float = 0.3  # total variation of the class shares against the earlier drops, (0, 1]
    min_items_per_class: int = 10  # items a class, on average, that both sides need for that to be judged, from 1
    max_quarantined_share: float = 0.1  # of the delivered rows, [0, 1]
    max_held_rows: int = 20  # rows with one fault that wait one by one; beyond both limits the drop waits, from 0
    max_held_share: float = 0.05  # of the drop's rows, [0, 1]

    def __post_init__(self) -> None:
        _allow(len(self.splits) > 0, "At least one split is allowed")
        for fact, (low, high) in self.ranges.items():
            facts = ", ".join(modality(self.task.modality).RANGES)
            _allow(
                fact in modality(self.task.modality).RANGES, f"A range of '{fact}' is none of those allowed: {facts}"
            )
            finite = math.isfinite(low) and math.isfinite(high) and low <= high
            _allow(finite, f"For '{fact}' two finite numbers, the lower one first, are allowed")
        _allow(0 < self.max_class_share_change <= 1, "max_class_share_change above 0 and up to 1 is allowed")
        _allow(self.min_items_per_class >= 1, "min_items_per_class from 1 is allowed")
        _allow(0 <= self.max_quarantined_share <= 1, "max_quarantined_share from 0 to 1 is allowed")
        _allow(self.max_held_rows >= 0, "max_held_rows from 0 is allowed")
        _allow(0 <= self.max_held_share <= 1, "max_held_share from 0 to 1 is allowed")

    def bounds(self) -> dict[str, Range]:
        """What the gate looks at: the ranges of the modality, with the bounds that are set here."""
        own: Mapping[str, Range] = modality(self.task.modality).RANGES
        return {
            fact: replace(range_, low=self.ranges[fact][0], high=self.ranges[fact][1])
            if fact in self.ranges
            else range_
            for fact, range_ in own.items()
        }


def _allow(fine: bool, sentence: str) -> None:
    if not fine:
        raise ValueError(sentence)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One drop as the gate sees it."""

    drop: str
    rows: pd.DataFrame  # expectations.columns, plus what the manifest has more
    classes: tuple[tuple[str, ...], ...]  # the class names in each row's label as delivered
    quarantined: int
    duplicates: int
    delivered: int
    stamp: str  # a hash over everything above

    def counts(self, known: Sequence[str] | None = None) -> dict[str, int]:
        """Class -> number of items that have it, of the known ones if given."""
        every = Counter(name for names in self.classes for name in names)
        return {name: count for name, count in every.items() if known is None or name in known}


def deliveries(data: Path, kind_: ModuleType, modality_: ModuleType) -> Iterator[Delivery]:
    """Every drop in the order of its arrival."""
    receipts = [store.read_json(path) for path in data.glob("drops/[!.]*/receipt.json")]
    for receipt in sorted(receipts, key=lambda receipt: int(receipt["seq"])):
        drop = str(receipt["drop"])
        paths = [
            data / "ingest" / name / f"{drop}.parquet" for name in ("manifest", "facts", "duplicates", "quarantine")
        ]
        manifest = store.read_table(paths[0], MANIFEST)
        facts = store.read_table(paths[1], modality_.FACTS).drop_duplicates("asset").set_index("asset")
        names = {y: tuple(kind_.classes_of(y)) for y in manifest["y"].unique()}
        rows = manifest.assign(
            _row=range(len(manifest)), **{name: manifest["asset"].map(facts[name]) for name in modality_.RANGES}
        )
        quarantined = len(store.read_table(paths[3], QUARANTINE)) if paths[3].exists() else 0
        parts = [store.sha256_file(path) if path.exists() else "" for path in paths]
        yield Delivery(
            drop,
            rows,
            tuple(names[y] for y in manifest["y"]),
            quarantined,
            len(store.read_table(paths[2], DUPLICATES)) if paths[2].exists() else 0,
            max(int(receipt["rows"]), quarantined),
            hashlib.sha256("\n".join([receipt["content"], *parts]).encode()).hexdigest(),
        )


class Suites:
    """The expectations of each drop, from the cache where nothing that they look at has changed."""

    def __init__(self, workspace: Path, params: Params) -> None:
        self._cache = workspace / ".assay" / "cache" / "validate"
        self._basis = [store.stage_version(workspace, "validate"), asdict(params)]
        self._params = params
        self._judge: Judge | None = None

    def __call__(
        self, delivery: Delivery, known: Sequence[str], figures: Mapping[str, float | None]
    ) -> list[dict[str, Any]]:
        basis = json.dumps([*self._basis, delivery.drop, delivery.stamp, list(known), dict(figures)], sort_keys=True)
        folder = self._cache / hashlib.sha256(basis.encode()).hexdigest()
        try:
            kept: list[dict[str, Any]] = store.read_json(folder / "expectations.json")
        except Mistake:  # not there yet, or damaged: judged again
            pass
        else:
            return kept
        from . import expectations  # seconds to import: only a drop that is new or changed pays

        if self._judge is None:
            self._judge = expectations.Judge()
        # of several classes in one label, the one that matters: the first that is not known
        vocabulary = frozenset(known)
        names = [next((n for n in row if n not in vocabulary), row[0] if row else None) for row in delivery.classes]
        rows = delivery.rows.assign(**{"class": pd.Series(names, dtype=object)})
        suite = expectations.checks(self._params, known, figures, duplicates=delivery.duplicates)
        results = self._judge(rows, figures, suite)
        with durable.fresh_folder(folder) as staged:
            store.write_json(staged / "expectations.json", results)
        print(f"validate: judged {counted({'items': len(rows)})} of {delivery.drop}", flush=True)
        return results


def judge(data: Path, params: Params, state: answers.State) -> tuple[list[gate.Judged], tuple[str, ...]]:
    """Every drop in order, and the vocabulary after the last one."""
    kind_ = kind(params.task.kind)
    suites = Suites(data.parent, params)
    base, before, judged = params.classes, Counter[str](), []
    for delivery in deliveries(data, kind_, modality(params.task.modality)):
        offered = _offered(base, delivery, params)
        known = _vocabulary(offered, state.subjects)
        counts = delivery.counts(known)
        figures = {
            "quarantined_share": round(delivery.quarantined / max(1, delivery.delivered), 9),
            "class_share_change": gate.share_change(counts, before, known, params.min_items_per_class),
        }
        checks = suites(delivery, known, figures)
        faults = gate.row_faults(delivery.rows, params)
        many = gate.systematic(faults, len(delivery.rows), params)
        line = gate.drop_line(delivery.drop, checks, faults, many, state.subjects.get(f"drop:{delivery.drop}"))
        if line.status == "passed":
            base = offered
            before.update(counts)
        classes = tuple(
            tuple(kind_.classes_of(state.items[item].y)) if item in state.items and state.items[item].y else names
            for item, names in zip(delivery.rows["item"], delivery.classes, strict=True)
        )
        judged.append(
            gate.Judged(delivery.drop, delivery.rows[["item", "source"]], classes, checks, figures, faults, many, line)
        )
    return judged, _vocabulary(base, state.subjects)


def _offered(base: tuple[str, ...], delivery: Delivery, params: Params) -> tuple[str, ...]:
    """The vocabulary without verdicts, if this drop passes."""
    if base and params.new_classes == "hold":
        return base
    there = {gate.spelling(name) for name in base}
    return (*base, *(name for name in gate.first_classes(delivery.counts()) if gate.spelling(name) not in there))


def _vocabulary(base: Sequence[str], subjects: Mapping[str, str]) -> tuple[str, ...]:
    said = {name.removeprefix("class:"): what for name, what in subjects.items() if name.startswith("class:")}
    accepted = {name for name, what in said.items() if what == "accept"}
    return tuple(sorted(name for name in {*base, *accepted} if said.get(name) != "reject"))


def run(data: Path, params: Params) -> Report:
    """Judge every drop; write the gate, the passed items, the vocabulary, the expectations as JSON and as a page."""
    state = answers.state(answers.read(data / "verdicts"))
    judged, known = judge(data, params, state)
    lines, passed = gate.settle(judged, known, state.subjects)
    held = [line for line in lines if line.status == "held"]
    checks = [check for drop in judged for check in drop.checks]
    edition = hashlib.sha256(json.dumps(known).encode()).hexdigest()[:12]
    items = sum(len(drop.rows) for drop in judged)
    counts = {
        "drops": len(judged),
        "items": items,
        "passed": len(passed),  # items
        "left_out": items - len(passed),  # items
        "waiting": len(held),  # subjects: drops, classes, rows
        "rejected": sum(line.status == "rejected" for line in lines),  # subjects
        "expectations": sum(check["result"] != "not judged" for check in checks),
        "failed": sum(check["result"] in ("failed", "raised") for check in checks),
    }
    with durable.fresh_folder(data / "validate") as folder:
        rows = [{**asdict(line), "remedy": line.remedy} for line in lines]
        store.write_table(folder / "gate.parquet", GATE, store.frame(GATE, rows))
        store.write_table(folder / "passed.parquet", PASSED, store.frame(PASSED, [{"item": item} for item in passed]))
        store.write_json(folder / "classes.json", {"version": edition, "classes": list(known)})
        for drop in judged:
            content = {"drop": drop.drop, "rows": len(drop.rows), "expectations": list(drop.checks)}
            store.write_json(folder / "expectations" / f"{drop.drop}.json", content)
        durable.write_text(folder / "report.html", page(judged, lines, known, counts))
    notes = [f"{line.message} {line.remedy}" for line in held[:NOTES]]
    if len(held) > NOTES:
        notes.append(f"And {len(held) - NOTES:,} more wait: see data/validate/report.html.")
    changes = [drop.figures["class_share_change"] for drop in judged]
    return Report(
        "validate",
        counts=counts,
        figures={"class_share_change": next((change for change in reversed(changes) if change is not None), 0.0)},
        used={"great_expectations": version("great_expectations"), "vocabulary": edition},
        notes=tuple(notes),
    )


def page(
    judged: Sequence[gate.Judged], lines: Sequence[gate.Line], known: Sequence[str], counts: Mapping[str, int]
) -> str:
    """The report as one self-contained page; every text from a drop is escaped."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = gate.shown
    waiting = [line for line in lines if line.status == "held"]
    settled = [line for line in lines if line.status != "held" and line.message]
    template = environment.get_template("validate_page.html.j2")
    return template.render(drops=judged, waiting=waiting, settled=settled, classes=known, counts=counts)
