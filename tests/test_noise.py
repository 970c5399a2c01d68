"""Is an audit told in sentences and figures that are right?"""

from __future__ import annotations

import numpy as np

from tasks import noise


def test_a_reason_names_the_model_s_evidence_and_the_neighbours() -> None:
    model = "he model gives 7 .93 and the given 1 .02."
    told = {
        ("7", "7", "1", "7", "7"): "4 of its 5 nearest undoubted neighbours are 7; t",
        ("7", "1"): "1 of its 2 nearest undoubted neighbours is 7; t",
        ("1", "1", "1"): "None of its 3 nearest undoubted neighbours is 7; t",
        ("1",): "Its nearest undoubted neighbour is 1; t",
        (): "T",
    }
    for neighbours, begins in told.items():
        assert noise.reason("1", "7", 0.02, 0.93, neighbours) == begins + model
    assert [noise.share(value) for value in (0.0, 0.504, 1.0)] == [".00", ".50", "1.00"]


def test_confusions_are_counted_most_frequent_first() -> None:
    pairs = [("a", "b"), ("c", "a"), ("a", "b"), ("b", "a")]
    assert noise.confusions(pairs, 2) == [
        {"given": "a", "suggested": "b", "count": 2},
        {"given": "b", "suggested": "a", "count": 1},
    ]


def test_the_severity_curve_is_thinned_but_keeps_its_ends() -> None:
    assert noise.curve(np.array([0.1, 0.9, 0.5])) == [(1, 0.9), (2, 0.5), (3, 0.1)]
    thin = noise.curve(np.linspace(0, 1, 5001), points=1000)
    assert (len(thin), thin[0], thin[-1]) == (1000, (1, 1.0), (5001, 0.0))
    assert noise.curve(np.zeros(0)) == []
