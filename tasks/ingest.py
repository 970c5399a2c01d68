"""Which items do the drops hold, and where did every delivered row end?

Each row ends in exactly one of manifest, annotations, duplicates and quarantine (identity.py says which); the stage
counts them at the end and fails if that does not hold. Every asset is fully decoded once, in a sandboxed child.

Reads   data/drops/<drop>/{receipt.json, labels.parquet, assets-NNNN.parquet}, in the order of the receipts' seq
Writes  data/ingest/{manifest,annotations,duplicates,quarantine,facts}/<drop>.parquet, byte-stable, also when empty
Cache   .assay/cache/ingest/decoded/<key>: what decoding a drop gave; settled/<key>: its tables, which depend on the
        drops before it too. A new drop costs its own decoding, and three thin columns of the others.

One row of the manifest: item a0017, asset 3fd1.., shard 0001-acme/assets-0000.parquet, row 16, y '"cat"', split train,
drop 0001-acme, source labels.csv:18.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import durable, store
from .identity import MERGED, SPLIT, Known, settle
from .labels import kind
from .modalities import modality
from .model import (
    ANNOTATIONS,
    DELIVERED,
    DUPLICATES,
    MANIFEST,
    QUARANTINE,
    Report,
    StageFailed,
    Table,
    Task,
)
from .sandbox import Confinement, Sandbox

ROWS: Mapping[str, Table] = {
    "manifest": MANIFEST,
    "annotations": ANNOTATIONS,
    "duplicates": DUPLICATES,
    "quarantine": QUARANTINE,
}
"""Where a delivered row can end."""
UNUSABLE = Table("unusable assets", {"asset": "text", "code": "text", "message": "text"})
RESULT_FREE = ("cores",)  # params that change no byte, and so no cached piece


@dataclass(frozen=True, slots=True)
class Params:
    """The limits of one asset, and how hard to try."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    task: Task = field(default_factory=Task)
    max_pixels: int = 50_000_000  # pixels of one image, [1, 89478485]
    max_bytes: int = 64 * 2**20  # bytes of one file, [1, 2147483647]
    decode_seconds: float = 10.0  # processor seconds for one file, [1, 3600]
    memory_mb: int = 2048  # MiB for decoding one file, [64, 65536]
    attempts: int = 3  # how often a file may stop the decoder, [1, 10]
    cores: int = 0  # decoding processes, [0, 256]; 0 = one a core

    def __post_init__(self) -> None:
        ranges = {
            "max_pixels": (1, 89_478_485),
            "max_bytes": (1, 2**31 - 1),
            "decode_seconds": (1, 3600),
            "memory_mb": (64, 65536),
            "attempts": (1, 10),
            "cores": (0, 256),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"ingest.{name} from {low} to {high} is allowed")


def run(data: Path, params: Params, *, sandbox: Sandbox | None = None) -> Report:
    """Settle every drop in the order of arrival; `sandbox` replaces the one that `params` describe."""
    drops, notes = _drops(data / "drops")
    table = modality(params.task.modality).FACTS
    cache = data.parent / ".assay" / "cache" / "ingest"
    counts = Counter(
        dict.fromkeys(("drops", "rows", "items", "annotations", "duplicates", "quarantined", "decoded"), 0)
    )
    codes: Counter[str] = Counter()
    known: dict[str, Known] = {}
    chain = ""
    with ExitStack() as stack:
        fresh = stack.enter_context(durable.fresh_folder(data / "ingest"))
        box = sandbox or stack.enter_context(sandbox_of(params))
        for name in (*ROWS, "facts"):
            (fresh / name).mkdir()
        for folder, content in drops:
            key = _key(content, _settings(data.parent, params), box.decoder)
            decoded = cache / "decoded" / key
            if not decoded.exists():
                counts["decoded"] += _decode(folder, decoded, box, table)
            chain = _key(chain, key, folder.name)
            settled = cache / "settled" / chain
            if not settled.exists():
                _settle(folder, decoded, settled, known, params.task.kind, table)
            for name in ROWS:
                shutil.copyfile(settled / f"{name}.parquet", fresh / name / f"{folder.name}.parquet")
            shutil.copyfile(decoded / "facts.parquet", fresh / "facts" / f"{folder.name}.parquet")
            brought = store.read_table(settled / "manifest.parquet", MANIFEST, columns=["item", "asset", "source"])
            for item, asset, source in zip(brought["item"], brought["asset"], brought["source"], strict=True):
                known[item] = Known(asset, f"{folder.name}/{source}")
            codes.update(store.read_table(settled / "quarantine.parquet", QUARANTINE, columns=["code"])["code"])
            ended, note = _account(folder, fresh)
            counts.update(ended)
            notes += note
    if codes:
        listed = ", ".join(f"{code} {count:,}" for code, count in sorted(codes.items()))
        notes.append(f"Quarantined: {listed}. Reasons and remedies are in data/ingest/quarantine.")
    return Report("ingest", dict(counts), used={"decoder": _decoder(params)}, notes=tuple(notes))


def _decoder(params: Params) -> str:
    """What reads the items, for the report: pillow 12.0.0"""
    library = modality(params.task.modality).DECODER
    return f"{library} {version(library)}" if library else f"{params.task.modality}, as UTF-8"


def sandbox_of(params: Params) -> Sandbox:
    """The children that decode with the limits of `params`."""
    return Sandbox(
        f"{modality(params.task.modality).__name__}:facts",
        {"max_pixels": params.max_pixels, "max_bytes": params.max_bytes},
        confinement=Confinement(params.decode_seconds, params.memory_mb, params.attempts),
        cores=params.cores,
    )


def _drops(folder: Path) -> tuple[list[tuple[Path, str]], list[str]]:
    """(folder, content hash) of each drop in the order of arrival, and a note for each folder that is none."""
    found, notes = [], []
    for path in sorted(folder.iterdir()) if folder.exists() else []:
        if not path.is_dir() or path.name.startswith("."):
            continue
        if not (path / "receipt.json").exists():  # it is written last: the drop is not complete
            notes.append(
                f"Folder 'data/drops/{path.name}' has no receipt.json and is left out. Run: assay receive FOLDER"
            )
            continue
        receipt = store.read_json(path / "receipt.json")
        found.append((int(receipt["seq"]), path, str(receipt["content"])))
    return [(path, content) for _, path, content in sorted(found)], notes


def _settings(workspace: Path, params: Params) -> str:
    deciding = {name: value for name, value in asdict(params).items() if name not in RESULT_FREE}
    return json.dumps([deciding, store.stage_version(workspace, "ingest")], sort_keys=True)


def _key(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _decode(folder: Path, piece: Path, sandbox: Sandbox, table: Table) -> int:
    """Decode every asset of a drop into `piece`: its facts (`table`), and what cannot be used; returns their number."""
    total = store.read_json(folder / "receipt.json").get("assets", 0)
    journal = piece.with_name(f"{piece.name}.attempts.json")
    facts: list[dict[str, Any]] = []
    unusable: list[dict[str, Any]] = []
    for done, (asset, outcome) in enumerate(sandbox.decode(_assets(folder), journal=journal), start=1):
        if outcome.result is not None:
            facts.append({"asset": asset, **outcome.result})
        else:
            unusable.append({"asset": asset, "code": outcome.code, "message": outcome.message})
        if done % 1000 == 0:
            print(f"ingest: {done:,} of {total:,} assets of {folder.name} decoded", flush=True)
    with durable.fresh_folder(piece) as fresh:
        store.write_table(fresh / "facts.parquet", table, store.frame(table, facts))
        store.write_table(fresh / "unusable.parquet", UNUSABLE, store.frame(UNUSABLE, unusable))
    journal.unlink(missing_ok=True)
    return len(facts) + len(unusable)


def _assets(folder: Path) -> Iterator[tuple[str, bytes]]:
    for shard in sorted(folder.glob("assets-*.parquet")):
        yield from store.iterate_assets(shard)


def _settle(folder: Path, decoded: Path, piece: Path, known: Mapping[str, Known], kind_name: str, facts: Table) -> None:
    """Write the four tables of one drop into `piece`."""
    unusable = store.read_table(decoded / "unusable.parquet", UNUSABLE)
    delivered = store.read_table(folder / "labels.parquet", DELIVERED)
    settled = settle(
        folder.name,
        [{str(name): value for name, value in row.items()} for row in delivered.to_dict("records")],
        unusable={a: (c, m) for a, c, m in zip(unusable.asset, unusable.code, unusable.message, strict=True)},
        readable=store.read_table(decoded / "facts.parquet", facts, columns=["asset"])["asset"],
        known=known,
        kind=kind(kind_name),
    )
    with durable.fresh_folder(piece) as fresh:
        for name, table in ROWS.items():
            store.write_table(fresh / f"{name}.parquet", table, store.frame(table, getattr(settled, name)))


def _account(folder: Path, ingest: Path) -> tuple[Counter[str], list[str]]:
    """Count where the rows of a drop ended, from the files themselves; StageFailed unless each ended exactly once."""
    delivered = store.read_table(folder / "labels.parquet", DELIVERED, columns=["source", "split", "code"])
    ended: Counter[str] = Counter()
    sizes = {}
    for name, table in ROWS.items():
        sources = store.read_table(ingest / name / f"{folder.name}.parquet", table, columns=["source"])["source"]
        sizes[name] = len(sources)
        ended.update(source for source in sources if source != MERGED or name != "manifest")
    if ended != Counter(delivered["source"]):
        astray = sorted((Counter(delivered["source"]) - ended) + (ended - Counter(delivered["source"])))
        raise StageFailed(
            f"Drop '{folder.name}' has {len(delivered)} rows, but {ended.total()} ended in a table; astray: "
            f"{', '.join(astray[:5])}. This is a mistake of ours, nothing was published."
        )
    good = delivered["code"].isna()
    without = int((good & delivered["split"].isna()).sum())
    note = f"Drop '{folder.name}': {without:,} of {int(good.sum()):,} rows name no split and are '{SPLIT}'."
    counts = {
        "drops": 1,
        "rows": len(delivered),
        "items": sizes["manifest"],
        "annotations": sizes["annotations"],
        "duplicates": sizes["duplicates"],
        "quarantined": sizes["quarantine"],
    }
    return Counter(counts), [note] if without else []
