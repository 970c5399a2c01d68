"""Does combining the checks find wrong labels of real digits at least as well as the audit alone?"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from tasks import audit, triage
from tasks.findings import Finding


def test_combining_the_checks_does_not_lower_the_average_precision_on_digits() -> None:
    """5 % of real digits' labels flipped: audit alone, against audit with the vote of the 10 nearest neighbours."""
    digits = load_digits()
    x_ND = digits.data / np.linalg.norm(digits.data, axis=1, keepdims=True)
    alone, combined = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        wrong_N = rng.random(len(x_ND)) < 0.05
        given_N = np.where(wrong_N, (digits.target + rng.integers(1, 10, len(x_ND))) % 10, digits.target)
        names = [str(k) for k in given_N]
        folds_N = audit.fold_ids([str(n) for n in range(len(names))], given_N, 5, seed)
        p_NK = audit.out_of_fold(x_ND.astype(np.float32), given_N, folds_N, classes=10, scale=5.0, max_iter=100)
        p_wrong_N = audit.rank(names, predictions=p_NK, folds=folds_N).p_wrong_N
        near_NN = x_ND @ x_ND.T
        np.fill_diagonal(near_NN, -1)
        votes_N = (given_N[np.argsort(-near_NN, axis=1)[:, :10]] != given_N[:, None]).mean(axis=1)
        shifted = [
            triage.p_wrong(float(p), [Finding("xy_knn_v1", float(vote), "r", None)] if vote > 0.5 else [], name)
            for p, vote, name in zip(p_wrong_N, votes_N, names, strict=True)
        ]
        alone.append(average_precision_score(wrong_N, p_wrong_N))
        combined.append(average_precision_score(wrong_N, shifted))
    assert np.mean(combined) >= np.mean(alone) - 1e-6
    assert np.mean(alone) > 0.9
