"""How do both rankings of labels do on canaries? The shadow copy is judged as the labels were: canaries.py.

What was prepared without a look at the labels (bases, neighbours) serves again, and so does the chosen scale.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import canaries
from .confidence import BoolArray
from .outoffold import IntArray, ProbabilityArray
from .ranking import Method, Ranking, judge

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

    def judged(labels_M: IntArray) -> Mapping[str, BoolArray]:
        p_MK, plain_MK = ranking.p_MK, ranking.plain_MK
        parts: tuple[ProbabilityArray, ...] = ()
        if ranking.again is not None:
            found = ranking.again(labels_M)
            p_MK, plain_MK, parts = found.p_NK, found.plain_NK, (found.near_NK, found.fitted_NK)
        return {check: one.flagged_N for check, one in judge(p_MK, plain_MK, parts, labels_M, method).items()}

    before = {check: one.flagged_N for check, one in ranking.judged.items()}
    return canaries.tried(before, shadow_M, kind_M, judged)
