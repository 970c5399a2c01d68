"""Does the audit of pairs find texts that do not belong, and say so where it cannot tell?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tasks import pairing, pairing_baselines, pairing_canaries, pairing_margin, pairing_rank, pairing_texts
from tasks.canaries import Tried
from tasks.model import CANARIES_FELL
from tasks.pairing import PairAudit, PairParams
from tasks.store import FloatArray
from tasks.vectors import Vectors

WORDS = ("red", "blue", "green", "black", "white", "small", "large", "old", "new", "good", "bad", "quick")
THINGS = ("house", "horse", "river", "tree", "book", "stone", "bird", "fish", "road", "moon", "star", "king")

# shapes: N pairs, D width of either side


def toy(count: int, seed: int = 0) -> tuple[list[str], list[str], FloatArray, FloatArray]:
    """Sentences of two words and a number, their mirror images as texts, and vectors that are turned and blurred."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, 12, (count, 4))
    xs = [f"{WORDS[a]} {THINGS[b]} and {WORDS[c]} {THINGS[d]} {n}" for n, (a, b, c, d) in enumerate(chosen)]
    ys = [x[::-1] for x in xs]
    meant_ND = np.zeros((count, 48))
    for place in range(4):
        meant_ND[np.arange(count), 12 * place + chosen[:, place]] = 1
    turn = np.linalg.qr(rng.normal(size=(48, 48)))[0]
    x_ND, y_ND = (meant_ND + rng.normal(0, 0.1, meant_ND.shape) for _ in range(2))
    return xs, ys, x_ND.astype(np.float32), (y_ND @ turn).astype(np.float32)


def located(x_ND: FloatArray) -> Vectors:
    return Vectors(x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True), (None,) * len(x_ND))


def audited(
    xs: Sequence[str], ys: Sequence[str | None], x_ND: FloatArray, y_ND: FloatArray, **more: float
) -> PairAudit:
    items = [f"i{n:03d}" for n in range(len(xs))]
    return pairing.audit(items, ys, located(x_ND), located(y_ND), PairParams(), x_texts=xs, **more)  # type: ignore[arg-type]


SWAPPED = (3, 17, 42, 99, 150, 201, 250, 299)


@pytest.fixture(scope="module")
def swapped() -> PairAudit:
    """300 toy pairs; those of SWAPPED have the next one's text."""
    xs, ys, x_ND, y_ND = toy(300)
    source = np.arange(300)
    source[list(SWAPPED)] = np.roll(SWAPPED, 1)
    return audited(xs, [ys[n] for n in source], x_ND, y_ND[source])


def test_texts_that_were_swapped_are_flagged_and_few_others(swapped: PairAudit) -> None:
    flagged = set(swapped.scores["item"][swapped.scores["flagged"].astype(bool)])
    wrong = {f"i{n:03d}" for n in SWAPPED}
    assert len(flagged & wrong) >= 7
    assert len(flagged - wrong) <= 2
    worst = swapped.scores.sort_values("severity", ascending=False)["item"].head(8)
    assert len(set(worst) & wrong) >= 7
    assert swapped.figures["noise_rate"] == pytest.approx(8 / 300, abs=0.015)
    assert set(swapped.findings["suggestion"]) == {None}
    assert set(swapped.findings["check"]) == {"pair_mismatch_v1"}


def test_a_flag_names_the_nearest_genuine_pair_and_what_the_text_fits_better(swapped: PairAudit) -> None:
    xs, ys, *_ = toy(300)
    reason = swapped.findings.set_index("item")["reason"]["i017"]
    assert reason.startswith("It is nearest to '") and f"The given '{ys[3]}' fits '" in reason
    near = reason.split("'")[1]
    assert reason.split("'")[3] == ys[xs.index(near)], "the text shown beside it is that pair's own"
    assert reason.count(".") == 2 and reason.endswith("better.")


def test_every_method_scores_every_pair_and_ours_is_ahead_of_the_concatenation(swapped: PairAudit) -> None:
    methods = swapped.methods.drop(columns="item").astype(float)
    assert list(methods.columns)[:3] == ["pair_mismatch", "residual", "csls_margin"] and methods.shape == (300, 15)
    assert np.isfinite(methods.to_numpy()).all()
    found = swapped.noise["found_by_method"]
    assert set(found) == set(methods.columns)
    for name in ("concat_knn", "concat_lof", "concat_iforest", "concat_ecod"):
        assert found["pair_mismatch"]["shuffled"] > found[name]["shuffled"]
        assert found["pair_mismatch"]["hard"] > found[name]["hard"]


def test_the_canaries_tell_recall_by_kind_and_precision(swapped: PairAudit) -> None:
    assert set(swapped.noise["canary_recall"]) == {"shuffled", "hard"}
    assert swapped.noise["canary_recall"]["shuffled"] > 0.9
    assert swapped.figures["canary_precision"] > 0.8
    assert swapped.notes[0].startswith(
        "Of the pairs that were made wrong in a copy of this data pair_mismatch_v1 flags"
    )
    assert swapped.noise["canaries"][0]["kinds"]["shuffled"]["planted"] >= 60


def test_recall_under_the_threshold_is_said() -> None:
    xs, ys, x_ND, y_ND = toy(200)
    found = audited(xs, ys, x_ND, y_ND, least_recall=1.1)
    assert found.notes[0].startswith(CANARIES_FELL) and "audit.least_recall asks for 110%" in found.notes[0]
    assert found.findings["check"].tolist().count("pair_mismatch_v1") <= 4, "hardly anything is wrong here"


def test_few_canaries_prove_little() -> None:
    """1 of 4 found leaves room for a recall of 30 %; 100 of 400 do not."""
    for times, fell in ((1, False), (100, True)):
        tried = Tried("pair_mismatch_v1", {"shuffled": 4 * times}, {"shuffled": times}, 0)
        (note,) = pairing.notes([], tried, 0.3, 0, 0.1)
        assert note.startswith(CANARIES_FELL) == fell, note


def test_an_in_sample_regression_would_hide_what_was_swapped() -> None:
    """With half as many columns as pairs, a regression learns each wrong text by heart, unless its fold is held out."""
    rng = np.random.default_rng(0)
    x_ND = rng.normal(size=(120, 60)).astype(np.float32)
    y_ND = x_ND + rng.normal(0, 0.3, x_ND.shape).astype(np.float32)
    y_ND[:6] = y_ND[[1, 2, 3, 4, 5, 0]]

    def worst(folds_N: np.ndarray) -> set[int]:
        guess = pairing_margin.unit(pairing_margin.predicted(x_ND, y_ND, folds_N, 1e-3))
        return set(np.argsort((guess * pairing_margin.unit(y_ND)).sum(axis=1))[:6].tolist())

    assert worst(np.arange(120) % 5) == set(range(6))
    exact = np.concatenate([x_ND, np.ones((120, 1), np.float32)], axis=1)
    weights = np.linalg.lstsq(exact[np.arange(120) % 5 != 0], y_ND[np.arange(120) % 5 != 0], rcond=None)[0]
    assert np.allclose(
        pairing_margin.predicted(x_ND, y_ND, np.arange(120) % 5, 1e-6)[::5], exact[::5] @ weights, atol=1e-2
    ), "the downdated Gram gives what a fit without the fold gives"


def test_a_sentence_with_two_translations_is_no_competitor_of_itself() -> None:
    x_ND = np.eye(6, dtype=np.float32)
    texts = ["a", "a", "b", "c", "d", "e"]
    pairs = pairing_margin.sides(x_ND, x_ND, texts, list("uvwxyz"), folds=2, seed=0)
    (_, cosine_RM), *_ = pairing_margin.blocks(x_ND, x_ND, pairs, np.array([0, 2]), np.arange(6))
    assert np.isneginf(cosine_RM).tolist() == [[True, True] + [False] * 4, [False, False, True] + [False] * 3]


def test_competitors_in_blocks_are_the_same_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    xs, ys, x_ND, y_ND = toy(100)
    pairs = pairing_margin.sides(x_ND, y_ND, xs, ys, folds=5, seed=0)
    whole = pairing_margin.margins(pairs, np.arange(100), np.arange(100), 3.0)
    monkeypatch.setattr(pairing_margin, "BLOCK", 700)
    parts = pairing_margin.margins(pairs, np.arange(100), np.arange(100), 3.0)
    assert np.allclose(whole.backward_R2, parts.backward_R2, atol=1e-5)
    assert np.allclose(whole.csls_R, parts.csls_R, atol=1e-5)


# --- canaries --------------------------------------------------------------------------------------------------------


def test_a_canary_has_a_text_that_is_not_its_own_and_that_no_other_pair_of_the_copy_has() -> None:
    x_ND = toy(200)[2]
    y_text_N = np.arange(200) // 2  # every text stands in two pairs
    planted = pairing_canaries.plant(x_ND, y_text_N, np.random.default_rng(0))
    canaries = np.flatnonzero(planted.kind_N)
    assert (planted.kind_N == 1).sum() == (planted.kind_N == 2).sum() == 5
    assert (y_text_N[planted.source_N[canaries]] != y_text_N[canaries]).all()
    assert set(canaries) <= set(planted.kept_N)
    assert set(planted.source_N[canaries]).isdisjoint(planted.kept_N)
    assert len(set(planted.source_N[planted.kept_N])) == len(planted.kept_N)


def test_a_hard_canary_has_the_text_of_a_near_item() -> None:
    angle_N = np.linspace(0, 1.5, 100)
    x_ND = np.stack([np.cos(angle_N), np.sin(angle_N)], axis=1).astype(np.float32)  # neighbours in a row, on an arc
    planted = pairing_canaries.plant(x_ND, np.arange(100), np.random.default_rng(1))
    hard = np.flatnonzero(planted.kind_N == 2)
    assert len(hard) == 2 and (np.abs(planted.source_N[hard] - hard) <= 6).all()


def test_evidence_never_counts_backwards_and_what_says_nothing_gets_no_weight() -> None:
    rng = np.random.default_rng(0)
    kind_R = (np.arange(400) % 4 == 0).astype(np.int64)
    helps, misleads, constant = rng.normal(kind_R * 3.0), rng.normal(kind_R * -3.0), np.ones(400)
    seen = np.stack([helps, misleads, constant], axis=1)
    weights = pairing_canaries.learnt(seen, seen, kind_R, [False, True, True])
    assert weights.weight_F[0] > 0.5 and weights.weight_F[1:].tolist() == [0, 0]


@pytest.mark.parametrize("wrong", [0, 40, 200])
def test_p_wrong_adds_up_to_the_share_that_is_wrong(wrong: int) -> None:
    rng = np.random.default_rng(2)
    score_N = np.concatenate([rng.normal(-4, 1, 1000 - wrong), rng.normal(3, 1.5, wrong)])
    p_N = pairing_canaries.p_wrong(score_N, [rng.normal(3, 1.5, 300), rng.normal(1, 1.5, 300)])
    assert p_N.mean() == pytest.approx(wrong / 1000, abs=0.012)
    order = np.argsort(score_N)
    assert (np.diff(p_N[order]) >= -1e-12).all(), "it never falls with the score"
    assert p_N.min() >= 0 and p_N.max() <= 1


def test_found_at_the_depth_that_was_planted_shares_equal_scores() -> None:
    kind_R = np.array([1, 2, 0, 0])
    assert pairing_canaries.found_of(np.array([9.0, 8, 1, 0]), kind_R) == {"shuffled": 1.0, "hard": 1.0}
    assert pairing_canaries.found_of(np.array([9.0, 0, 8, 1]), kind_R) == {"shuffled": 1.0, "hard": 0.0}
    assert pairing_canaries.found_of(np.zeros(4), kind_R) == {"shuffled": 0.5, "hard": 0.5}
    assert pairing_canaries.found_of(np.array([np.nan, 2, 1, 0]), kind_R) == {"shuffled": 0.0, "hard": 1.0}


# --- characters ------------------------------------------------------------------------------------------------------


def test_each_statistic_sees_what_it_is_named_for() -> None:
    xs = ["It costs 12 euros, really.", "Anna met Otto in Oslo.", "A short one.", "The same."]
    ys = [
        "Es kostet 21 Euro, wirklich.",
        "Anna traf Otto in Oslo!?",
        "Ein sehr, sehr viel längerer Satz als dieser.",
        "the  same.",
    ]
    found = pairing_texts.statistics(xs, ys)
    assert found["numbers"].tolist() == [2 / 2, 0, 0, 0]
    assert found["copied"].tolist() == [0, 0, 0, 1]
    assert found["length"].argmax() == 2
    assert found["shared"].argmin() == 3 and found["shared"][1] < found["shared"][2]
    assert found["punctuation"][1] == pytest.approx(3 / np.sqrt(23))
    assert found["compression"].argmin() == 3


def test_numbers_of_any_script_and_with_leading_zeros_are_the_same_number() -> None:
    assert pairing_texts.numbers("in 1984, 007") == pairing_texts.numbers("١٩٨٤ 7")
    assert pairing_texts.numbers("9" * 5000).total() == 125, "no run of digits is too long to be read"


def test_no_pairs_and_odd_characters_have_finite_statistics() -> None:
    assert pairing_texts.statistics([], [])["length"].shape == (0,)
    found = pairing_texts.statistics(["\u200b", "😀" * 9, "a"], ["x", "\u202e\n", "b" * 100_000])
    assert all(np.isfinite(values).all() for values in found.values())


def test_neighbour_consistency_sees_a_text_far_from_its_neighbours_texts() -> None:
    x_ND = np.repeat(np.eye(2, dtype=np.float32), 30, axis=0)
    y_ND = x_ND.copy()
    y_ND[0] = (0, 1)
    keys = [str(n) for n in range(60)]
    pairs = pairing_margin.sides(x_ND, y_ND, keys, keys, folds=2, seed=0)
    assert pairing_baselines.neighbours(pairs, np.arange(60), np.arange(60)).argmax() == 0


# --- bad input -------------------------------------------------------------------------------------------------------


def silent(found: PairAudit) -> bool:
    """Whether somebody could take the result for "no issues"."""
    return not (found.notes and found.figures["assessed_share"] == 0 and found.scores["note"].notna().all())


def test_two_pairs_are_not_assessable_and_that_is_said() -> None:
    found = audited(["a", "b"], ["u", "v"], np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))
    assert found.notes == ("No pair was audited: 2 items not assessable: 2 pairs can be compared; 20 are needed.",)
    assert found.scores["fold"].tolist() == [-1, -1] and not silent(found)
    assert len(found.methods) == 2


def test_no_pair_at_all_is_said() -> None:
    empty = np.zeros((0, 3), np.float32)
    found = pairing.audit([], [], Vectors(empty, ()), Vectors(empty, ()), PairParams(), x_texts=[])
    assert found.notes == ("No item has passed the gate.",) and len(found.scores) == 0


def test_equal_targets_are_not_assessable() -> None:
    xs, _, x_ND, _ = toy(60)
    found = audited(xs, ["Yes."] * 60, x_ND, np.ones((60, 8), np.float32))
    assert "of texts there are 1 different ones; 20 are needed" in found.notes[0] and not silent(found)


def test_items_that_all_show_the_same_are_not_assessable() -> None:
    _, ys, _, y_ND = toy(60)
    found = pairing.audit(
        [f"i{n}" for n in range(60)],
        ys,
        located(np.ones((60, 4), np.float32)),
        located(y_ND),
        PairParams(),
        x_texts=["same"] * 60,
        shows=["same"] * 60,
    )
    assert "of items there are 1 different ones; 20 are needed" in found.notes[0] and not silent(found)


def test_embeddings_that_know_nothing_of_the_texts_are_told_by_the_canaries() -> None:
    rng = np.random.default_rng(0)
    x_ND, y_ND = (rng.normal(size=(200, 20)).astype(np.float32) for _ in range(2))
    texts = ["".join(rng.choice(list("abcdefgh"), 20)) for _ in range(400)]
    found = audited(texts[:200], texts[200:], x_ND, y_ND)
    assert "pairs that were shuffled on purpose look to the embeddings like the others" in found.notes[0]
    assert not silent(found) and len(found.findings) == 0
    assert found.notes[-1].startswith(CANARIES_FELL), "and the run ends red"


def test_unknown_texts_and_unusable_vectors_are_named_and_the_others_are_audited() -> None:
    xs, ys, x_ND, y_ND = toy(100)
    x = located(x_ND)
    y = located(y_ND)
    x = Vectors(np.where(np.arange(100)[:, None] == 1, 0, x.x_ND), (None, "its vector is not finite", *[None] * 98))
    y = Vectors(y.x_ND, (None, None, "it has no vector in data/embed", *[None] * 97))
    items = [f"i{n}" for n in range(100)]
    found = pairing.audit(items, [None, *ys[1:]], x, y, PairParams(), x_texts=xs)
    assert found.scores["note"].tolist()[:4] == [
        "not assessable: its text is unknown",
        "not assessable: its vector is not finite",
        "not assessable: its text has no vector in data/embed",
        None,
    ]
    assert found.figures["assessed_share"] == 0.97
    assert found.methods["residual"].isna().tolist() == [True] * 3 + [False] * 97


def test_one_huge_text_among_others_and_one_item_twice_with_different_texts_are_scored() -> None:
    xs, ys, x_ND, y_ND = toy(100)
    xs[5], x_ND[5] = xs[6], x_ND[6]
    ys[7] = ys[7] * 3000
    items = [f"i{n}" for n in range(100)]
    found = pairing.audit(items, ys, located(x_ND), located(y_ND), PairParams(), x_texts=xs, shows=xs)
    assert np.isfinite(found.scores["severity"].astype(float)).all() and (found.scores["fold"] >= 0).all()
    assert found.scores["fold"][5] == found.scores["fold"][6], "copies are held out together"
    assert all(len(reason) < 400 for reason in found.findings["reason"])


def test_a_text_that_repeats_its_item_is_a_finding_of_its_own() -> None:
    xs, ys, x_ND, y_ND = toy(100)
    ys[9] = xs[9]
    found = audited(xs, ys, x_ND, y_ND)
    row = found.findings[found.findings["check"] == "pair_copied_v1"]
    assert row["item"].tolist() == ["i009"] and row["reason"].iloc[0].startswith("Its text is that of the item itself")
    assert found.notes[-1] == "In 1 pair both texts are the same."


def test_items_without_text_are_audited_by_their_vectors_and_named_by_their_ids() -> None:
    _, ys, x_ND, y_ND = toy(200)
    source = np.arange(200)
    source[[10, 20, 30, 40]] = source[[20, 30, 40, 10]]
    items = [f"i{n:03d}" for n in range(200)]
    found = pairing.audit(items, [ys[n] for n in source], located(x_ND), located(y_ND[source]), PairParams())
    assert len({"i010", "i020", "i030", "i040"} & set(found.findings["item"])) >= 3
    assert "It is nearest to item i" in found.findings["reason"].iloc[0]
    assert found.methods["length"].isna().all()


def test_a_text_in_a_sentence_is_short_on_one_line_and_cannot_turn_it_around() -> None:
    assert pairing.clipped("two\n lines\t here") == "two lines here"
    assert pairing.clipped("a\u202eb\u200bc\x1b[0m") == "abc[0m"
    assert pairing.clipped("x" * 100) == "x" * 59 + "…"


def test_wrong_params_are_refused_with_what_is_allowed() -> None:
    for wrong, sentence in (({"ridge": 0}, "ridge: above 0"), ({"candidates": 5}, "100 or more")):
        with pytest.raises(ValueError, match=sentence):
            PairParams(**wrong)


def test_the_shadow_copies_are_drawn_anew_for_the_trial() -> None:
    xs, ys, x_ND, y_ND = toy(100)
    pairs = pairing_rank.Pairs(pairing_margin.sides(x_ND, y_ND, xs, ys, folds=5, seed=0), xs, ys)
    nobody = np.zeros(100, dtype=bool)
    one, other, again = (
        pairing_rank.shadow(pairs, PairParams(), (0, k), {"length": 0.0}, nobody, baselines=False) for k in (0, 1, 0)
    )
    assert np.array_equal(one.evidence_RF, again.evidence_RF)
    assert not np.array_equal(one.evidence_RF, other.evidence_RF)


def test_canaries_are_found_where_no_pair_is_wrong() -> None:
    """A canary that is odder than every pair there is: what the pairs say of such scores is not asked."""
    items, xs, x_ND, y_ND = toy(300)
    found = audited(items, xs, x_ND, y_ND)
    assert found.figures["canary_recall_shuffled"] > 0.9
    assert found.scores["flagged"].mean() < 0.02
