"""Do vectors and neighbours arrive where they belong?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks import store, vectors
from tasks.model import GRAPH_ITEMS, Mistake


def test_views_count_alike_whatever_their_width(tmp_path: Path) -> None:
    wide = {"a": np.array([[3, 4]], np.float32), "b": np.array([[0, 0, 2]], np.float32)}
    store.write_vectors(tmp_path / "0001-a.parquet", ["i"], wide)
    assert vectors.joint(tmp_path, ["i"]).x_ND[0].tolist() == pytest.approx(
        [0.6 / 2**0.5, 0.8 / 2**0.5, 0, 0, 1 / 2**0.5]
    )


def test_centring_takes_a_common_offset_away_and_principal_directions_keep_distances() -> None:
    x_ND = np.array([[5, 1, 0], [5, -1, 0], [5, 0, 1], [5, 0, -1]], np.float32)
    assert vectors.centred(x_ND, 3).tolist() == [[0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
    narrow = vectors.centred(x_ND, 2)
    assert narrow.shape == (4, 2)
    assert np.linalg.norm(narrow[0] - narrow[1]) == pytest.approx(2)
    assert vectors.centred(np.ones((3, 2), np.float32), 2).tolist() == [[0, 0]] * 3


def test_an_empty_folder_gives_every_item_a_fault_and_no_items_give_none(tmp_path: Path) -> None:
    assert vectors.joint(tmp_path, ["i"]).faults == ("it has no vector in data/embed",)
    assert vectors.joint(tmp_path, []).faults == ()


def test_neighbours_are_told_in_places_of_the_items_asked_for(tmp_path: Path) -> None:
    rows = [{"item": item} for item in ("p", "q", "r")]
    store.write_table(tmp_path / "items.parquet", GRAPH_ITEMS, store.frame(GRAPH_ITEMS, rows))
    np.save(tmp_path / "neighbours.npy", np.array([[1, 2], [0, 2], [0, 1]], np.int32))
    np.save(tmp_path / "distances.npy", np.array([[0.1, 0.2], [0.1, np.nan], [0.2, 0.3]], np.float32))
    near = vectors.neighbours(tmp_path, ["r", "new", "p"])  # q is not asked for
    assert near.index_Nk.tolist() == [[2, -1], [-1, -1], [-1, 0]]
    assert near.distance_Nk.tolist() == np.array([[0.2, np.inf], [np.inf] * 2, [np.inf, 0.2]], np.float32).tolist()


def test_a_graph_that_is_missing_or_does_not_fit_its_items_is_one_sentence(tmp_path: Path) -> None:
    store.write_table(tmp_path / "items.parquet", GRAPH_ITEMS, store.frame(GRAPH_ITEMS, [{"item": "p"}]))
    with pytest.raises(Mistake, match="No readable graph in"):
        vectors.neighbours(tmp_path, ["p"])
    np.save(tmp_path / "neighbours.npy", np.zeros((2, 1), np.int32))
    np.save(tmp_path / "distances.npy", np.zeros((2, 1), np.float32))
    with pytest.raises(Mistake, match=r"has 1 items, neighbours \(2, 1\).* Run: dvc repro --force relate"):
        vectors.neighbours(tmp_path, ["p"])
