"""How do both rankings of labels do on canaries? The shadow copy is judged as the labels were: canaries.py.

What was prepared without a look at the labels (bases, neighbours) serves again, and so does the chosen scale.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import canaries, combined, posterior
from .confidence import BoolArray, confident_learning
from .outoffold import IntArray, ProbabilityArray
from .ranking import METHODS, Method, Ranking

# shapes: M assessed labels, K classes


def tried(ranking: Ranking, method: Method, *, share: float) -> tuple[canaries.Tried, ...]:
    """Canaries for every check of a ranking; none where it has assessed too few labels."""
    if not len(ranking.rows_M):
        return ()
    shadow_M, kind_M = canaries.plant(
        ranking.given_M,
        ranking.chosen.suggestion_N,
        ranking.chosen.flagged_N,
        len(ranking.classes),
        share=share,
        seed=method.seed,
    )
    own_MK = None if ranking.fit.get("scale") else ranking.plain_MK

    def judge(labels_M: IntArray) -> Mapping[str, BoolArray]:
        p_MK, plain_MK = ranking.p_MK, ranking.plain_MK
        parts: tuple[ProbabilityArray, ...] = ()
        if ranking.looks is not None:
            logistic = combined.Logistic(float(ranking.fit["scale"]), method.max_iter, method.threads)
            found = combined.combine(
                ranking.looks,
                labels_M,
                ranking.folds_M,
                classes=len(ranking.classes),
                logistic=logistic,
                own_NK=own_MK,
            )
            p_MK, plain_MK, parts = found.p_NK, found.plain_NK, (found.near_NK, found.fitted_NK)
        return {
            posterior.CHECK: posterior.judge(p_MK, parts, labels_M).flagged_N,
            METHODS["confident"]: confident_learning(plain_MK, labels_M, method.flag_by).flagged_N,
        }

    before = {check: judged.flagged_N for check, judged in ranking.judged.items()}
    return canaries.tried(before, shadow_M, kind_M, judge)
