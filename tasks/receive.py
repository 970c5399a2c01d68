"""How does a landing folder become an immutable drop?

Reads   one landing folder, as its supplier left it: labels.csv / .tsv / .jsonl / .parquet and files, or class folders
Writes  data/drops/<drop>/: assets-0000.parquet.., labels.parquet, and receipt.json, written last. The folder is filled
        elsewhere and takes its name by one rename: the name means complete.

Every row stands in labels.parquet, a faulty one with its code and sentence; `ingest` moves it to quarantine. Only a
drop that cannot be read as a whole raises DropRejected, and stays where it is. Files are hashed and packed as bytes in
one pass, never decoded. The landing folder is its supplier's: it is read and left alone.

The same content is one drop, whatever its folder is called: `content` is a hash over the rows as delivered, in order,
and the sha256 of each row's file.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from . import delivery, durable, receipts, store
from .formats import rejected, shown
from .landing import Landing
from .model import DELIVERED, DropRejected, Mistake
from .receipts import Receipt

__all__ = ["Receipt", "receive"]

UNLISTED = 1000  # names of files without a row that a receipt holds; all are counted

_NUMBERED = re.compile(r"(\d{4,})-")


class _Known(Exception):
    """While packing, the content turned out to be that of an earlier drop: nothing is to be written."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt


# --- receiving one ---------------------------------------------------------------------------------------------------


def receive(
    folder: Path, workspace: Path, *, received_at: str, progress: Callable[[int], None] | None = None
) -> Receipt:
    """Pack `folder` as the next drop; the receipt of the earlier one (known=True) if its content was received before.

    Raises DropRejected where it cannot be read as a whole; then nothing was written. `progress` gets the rows read.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise Mistake(f"No folder '{folder}'. Name a landing folder: assay receive FOLDER")
    staging = _staging(workspace)
    durable.sweep(staging)
    try:
        with Landing(folder) as landing:
            before, shape = landing.fingerprint(), landing.shape()
            if known := receipts.remembered(workspace, folder, before):
                return known
            try:
                receipt = _pack(landing, workspace, staging, before, received_at, progress)
            except _Known as error:
                receipt = error.receipt
    except DropRejected as error:
        raise DropRejected(error.code, f"Drop '{shown(folder.name)}' cannot be received. {error}") from None
    except PermissionError as error:
        raise DropRejected(
            "E_ASSET_MISSING", f"Drop '{shown(folder.name)}' has something that may not be read: '{error.filename}'."
        ) from None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DropRejected(
            "E_MANIFEST", f"Drop '{shown(folder.name)}' changed while it was read: '{error.filename}' has gone."
        ) from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise DropRejected(
            "E_ASSET_PATH",
            f"Drop '{shown(folder.name)}' has folders too deep for a path: {shown(str(error.filename))}.",
        ) from None
    receipts.remember(workspace, folder, before, shape, receipt.drop)
    return receipt


def _pack(
    landing: Landing,
    workspace: Path,
    staging: Path,
    before: str,
    received_at: str,
    progress: Callable[[int], None] | None,
) -> Receipt:
    drops = workspace / "data" / "drops"
    name, module, labels = delivery.detect(landing.folder)
    listed = landing.checksums()
    # the .dvc files count too: a drop that was not pulled has its number
    numbers = [int(found[1]) for path in drops.iterdir() if (found := _NUMBERED.match(path.name))]
    seq = 1 + max(numbers, default=0)
    drop = f"{seq:04d}-{receipts.slug(landing.folder.name)}"
    with durable.fresh_folder(drops / drop, staging=staging) as staged:
        rows = delivery.Rows(landing, module.records(labels), progress)
        where = store.write_assets(staged, drop, rows.assets())
        unlisted = delivery.unlisted(landing, labels, rows.named)
        delivery.check_manifest(landing, listed, rows.hashes)
        if landing.fingerprint() != before:
            raise rejected("E_MANIFEST", "Its files changed while they were read; wait until it is complete.")
        if known := receipts.known(drops, rows.content.hexdigest()):
            raise _Known(known)
        store.write_table(staged / "labels.parquet", DELIVERED, rows.table(where))
        dialect = module.dialect(labels) if hasattr(module, "dialect") else {}
        receipt = Receipt(
            drop=drop,
            seq=seq,
            name=delivery.utf8(landing.folder.name),
            content=rows.content.hexdigest(),
            rows=len(rows.columns["source"]),
            faulty=sum(rows.faults.values()),
            assets=len(where),
            bytes=rows.size,
            format=name,
            delimiter=dialect.get("delimiter"),
            encoding=dialect.get("encoding"),
            received_at=received_at,
            files={path.name: store.sha256_file(path) for path in sorted(staged.iterdir())},
            faults=dict(sorted(rows.faults.items())),
            ignored=tuple(rows.ignored),
            unlisted=tuple(unlisted[:UNLISTED]),
            unlisted_count=len(unlisted),
            checked=len(listed),
        )
        stored = {key: value for key, value in asdict(receipt).items() if key != "known"}
        store.write_json(staged / "receipt.json", stored)
        if (drops / drop).exists():
            raise Mistake(f"Drop '{drop}' was received by another process meanwhile. Run it again: assay run")
    return receipt


def _staging(workspace: Path) -> Path:
    """Where a drop is filled: out of sight of whoever lists data/drops, but on its disk, so that a rename will do."""
    drops, hidden = workspace / "data" / "drops", workspace / ".assay" / "staging"
    drops.mkdir(parents=True, exist_ok=True)
    hidden.mkdir(parents=True, exist_ok=True)
    return hidden if hidden.stat().st_dev == drops.stat().st_dev else drops
