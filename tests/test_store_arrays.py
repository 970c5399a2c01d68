"""Do arrays come back from numpy's files as they were, and is nothing unpickled on the way?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks import store


def test_arrays_come_back_with_their_types_and_the_file_has_the_name_that_was_asked_for(tmp_path: Path) -> None:
    one = np.array([[1.5, -2.0]], np.float32)
    store.write_array(tmp_path / "plain", one)
    assert store.read_array(tmp_path / "plain").dtype == np.float32
    assert store.read_array(tmp_path / "plain").tolist() == one.tolist()
    store.write_arrays(tmp_path / "several", {"a": one, "n": np.array(7)})
    back = store.read_arrays(tmp_path / "several")
    assert (sorted(back), back["a"].tolist(), int(back["n"])) == (["a", "n"], one.tolist(), 7)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain", "several"]


def test_what_would_need_pickle_is_neither_written_nor_read(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        store.write_array(tmp_path / "a.npy", objects)
    np.save(tmp_path / "b.npy", objects, allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        store.read_array(tmp_path / "b.npy")
