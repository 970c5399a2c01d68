"""How are items stored beside fixed-size lists of float32, such as embeddings?

    item: text   whole: float32[64]   quarters: float32[128]
    a0017        .13 -.02 ..          .08 .41 ..

Shapes: x_ND  # N items, D numbers in one view
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .files import read_arrow, sentences, write_arrow

FloatArray = NDArray[np.float32]


def write_vectors(path: Path, items: Sequence[str], views: Mapping[str, FloatArray]) -> None:
    """Write one row an item with a column a view; each view is (N, D) float32, D may differ between views."""
    columns: dict[str, Any] = {"item": pa.array(list(items), pa.string())}
    for name, x_ND in views.items():
        assert x_ND.ndim == 2 and len(x_ND) == len(items), (name, x_ND.shape, len(items))
        flat = pa.array(np.ascontiguousarray(x_ND, dtype=np.float32).reshape(-1))
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, x_ND.shape[1])
    write_arrow(path, pa.table(columns))


def read_vectors(path: Path) -> tuple[list[str], dict[str, FloatArray]]:
    """Read a file or folder of vectors: the items, and view -> (N, D) float32, rows in the order of the items."""
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        return [], {}
    whole = pa.concat_tables([read_arrow(file) for file in files])
    items = [str(value) for value in whole["item"].to_pylist()]
    return items, {name: matrix(whole[name]) for name in whole.column_names if name != "item"}


def view_widths(path: Path) -> tuple[int, dict[str, int]]:
    """How many items a file of vectors has, and view -> D; nothing but its footer is read."""
    with sentences(path), pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        return file.metadata.num_rows, {name: schema.field(name).type.list_size for name in schema.names[1:]}


def matrix(column: pa.ChunkedArray) -> FloatArray:
    """A column of fixed-size lists as (N, D) float32."""
    width = column.type.list_size
    chunks = [np.asarray(chunk.flatten()).reshape(len(chunk), width) for chunk in column.chunks]
    return np.concatenate(chunks) if chunks else np.zeros((0, width), np.float32)
