"""How is each table and file of Assay read and written? The one home of pyarrow.

tables.py: the tables between stages. matrices.py: vectors. arrays.py: numpy's files. assets.py: the bytes of a drop.
documents.py: reports, JSON. delivered.py: a stranger's Parquet file. foreign.py: a stranger's numbers. files.py: one
Parquet file of ours.
Writing is atomic and byte-stable: the same rows give the same file.
"""

from __future__ import annotations

from .arrays import read_array, read_arrays, write_array, write_arrays
from .assets import AssetReader, iterate_assets, write_assets
from .delivered import NotText, iterate_text_rows, text_columns
from .documents import read_json, read_report, sha256_file, stage_version, write_json, write_report
from .foreign import Foreign, NotNumbers, line_of, read_foreign
from .matrices import FloatArray, read_vectors, view_widths, write_vectors
from .tables import frame, read_table, schema_of, write_rows, write_table

__all__ = [
    "AssetReader",
    "FloatArray",
    "Foreign",
    "NotNumbers",
    "NotText",
    "frame",
    "iterate_assets",
    "iterate_text_rows",
    "line_of",
    "read_array",
    "read_arrays",
    "read_foreign",
    "read_json",
    "read_report",
    "read_table",
    "read_vectors",
    "schema_of",
    "sha256_file",
    "stage_version",
    "text_columns",
    "view_widths",
    "write_array",
    "write_arrays",
    "write_assets",
    "write_json",
    "write_report",
    "write_rows",
    "write_table",
    "write_vectors",
]
