"""How does one Parquet file of ours come onto the disk and back?

Writing is atomic (durable.py); a file that is absent or torn is a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .. import durable
from ..model import Mistake


def write_arrow(path: Path, arrow: pa.Table, *, compression: str = "zstd") -> None:
    """The whole file or nothing; the same rows give the same bytes."""
    durable.write_with(path, lambda temporary: pq.write_table(arrow, temporary, compression=compression))


def read_arrow(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The whole file, or some of its columns; Mistake where it is absent, torn or no Parquet file."""
    with sentences(path):
        return pq.ParquetFile(path).read(columns=list(columns) if columns else None)


@contextmanager
def sentences(path: Path, absent: str = "No file '{}'. Run: assay run") -> Iterator[None]:
    """Reading `path` in here ends in a Mistake where the file is absent or torn."""
    try:
        yield
    except FileNotFoundError:
        raise Mistake(absent.format(path)) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise Mistake(
            f"File '{path}' is not a readable Parquet file ({first_line(error)}). Run: assay verify"
        ) from None


def first_line(error: Exception) -> str:
    """What a library says, without its second thoughts."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
