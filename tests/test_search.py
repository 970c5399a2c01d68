"""Does one search give every detector the neighbours that its own would have found?"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from tasks import detect, search


def pairs(copies: int) -> NDArray[np.float32]:
    """400 points in 24 directions, the first `copies` of which are one; if several, the next are doubles."""
    x_ND = np.random.default_rng(0).normal(size=(400, 24)).astype(np.float32)
    x_ND[:copies] = x_ND[0]
    if 1 < copies < 390:
        x_ND[copies : copies + 10 : 2] = x_ND[copies + 1 : copies + 10 : 2]
    x_ND /= np.linalg.norm(x_ND, axis=1, keepdims=True)
    return x_ND


@pytest.mark.parametrize("copies", [1, 15, 60])
@pytest.mark.parametrize("max_items", [100, 1000])  # below: the rest is asked against a sample
def test_scores_are_those_of_a_search_each_to_the_bit(copies: int, max_items: int) -> None:
    params = detect.Params(max_items=max_items)
    together = detect.pair_scores(pairs(copies), params)
    for name in params.detectors:
        apart = detect.anomaly(pairs(copies), name, params)
        np.testing.assert_array_equal(together[name], apart)


def test_the_second_who_asks_is_answered_from_memory_and_cannot_spoil_it() -> None:
    x_ND = pairs(1)
    own = NearestNeighbors(n_neighbors=5).fit(x_ND).kneighbors()
    with search.shared(8):
        first = NearestNeighbors(n_neighbors=5).fit(x_ND).kneighbors()
        first[0][:] = 7.0
        second = NearestNeighbors(n_neighbors=5).fit(x_ND.copy()).kneighbors()
        wider = NearestNeighbors(n_neighbors=12).fit(x_ND).kneighbors(return_distance=False)
        others = NearestNeighbors(n_neighbors=5).fit(x_ND[:100]).kneighbors(x_ND[100:])
    np.testing.assert_array_equal(second[0], own[0])
    np.testing.assert_array_equal(second[1], own[1])
    assert wider.shape == (400, 12)
    assert others[0].shape == (300, 5)


def test_afterwards_the_search_is_scikit_learns_again() -> None:
    before = NearestNeighbors.kneighbors
    with pytest.raises(ValueError), search.shared(3):
        LocalOutlierFactor(n_neighbors=3).fit(np.full((5, 2), np.nan))
    assert NearestNeighbors.kneighbors is before


def test_a_detector_that_cannot_fit_stops_no_other() -> None:
    scores = detect.pair_scores(pairs(400), detect.Params(detectors=("CBLOF", "KNN")))
    assert list(scores) == ["CBLOF", "KNN"]
    assert isinstance(scores["KNN"], np.ndarray)
