"""Are the four cells, their gains and intervals right, and does a study of two real revisions say what happened?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from flows.digits import Digits, plant, write_drop
from tasks import exchange, receive, store, versions
from tasks.model import DATASET, Mistake
from tasks.study_cells import LEAST_DIFFERENT, Measured, compare, points, pooled, sentences
from tasks.study_revisions import Options, Side, before_after, divide, keys_of, side

Bools = NDArray[np.bool_]


def cells(a_on_a: Bools, a_on_b: Bools, b_on_a: Bools, b_on_b: Bools, *, seeds: int = 3) -> Bools:
    """Errors of one seed, (U,) each, the same in every seed: (2, 2, S, U)."""
    grid = np.array([[a_on_a, a_on_b], [b_on_a, b_on_b]])
    return np.repeat(grid[:, :, None, :], seeds, axis=2)


def first(count: int, of: int = 100) -> Bools:
    """The first `count` of `of` items are wrong."""
    return np.arange(of) < count


def all_in(items: int = 100) -> Bools:
    return np.ones((2, items), dtype=bool)


# --- pure: the cells ---


def test_the_published_counts_pool_to_the_published_error() -> None:
    assert round(pooled([(0.08841, 1467), (0.61778, 45)]), 5) == 0.10417
    assert pooled([(0.5, 2), (0.9, 0), (0.0, 2)]) == 0.25
    with pytest.raises(Mistake, match="At least one part must have items"):
        pooled([(0.5, 0)])


def test_a_published_gain_of_1_93_points_is_1_58_of_the_test_and_0_35_of_the_model() -> None:
    wrong = cells(first(1042, 10_000), first(884, 10_000), first(1000, 10_000), first(849, 10_000))
    found = compare(wrong, all_in(10_000), first(300, 10_000), draws=200)
    gains = {name: round(100 * gain.value, 2) for name, gain in found.gains.items() if gain is not None}
    assert (gains["whole"], gains["yardstick"], gains["model"]) == (1.93, 1.58, 0.35)
    assert (gains["relabelled"], gains["membership"]) == (1.58, 0.0)
    assert gains["model_on_a"] == 0.42


def test_the_parts_add_up_to_the_whole_whatever_the_cells_are() -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random((2, 2, 5, 300)) < 0.3
    member = rng.random((2, 300)) < 0.8
    found = compare(wrong, member, rng.random(300) < 0.2, draws=200)
    g = {name: gain.value for name, gain in found.gains.items() if gain is not None}
    assert g["yardstick"] + g["model"] == pytest.approx(g["whole"], abs=1e-15)
    assert g["relabelled"] + g["membership"] == pytest.approx(g["yardstick"], abs=1e-15)
    assert g["model_on_a"] + g["yardstick_on_b"] == pytest.approx(g["whole"], abs=1e-15)
    assert found.cells["a on a"].value - found.cells["b on b"].value == pytest.approx(g["whole"], abs=1e-15)
    for test, cell in (("a", "a on a"), ("b", "a on b")):
        parts = [(part.error_a, part.items) for part in found.strata[test].values() if part.error_a is not None]
        assert pooled(parts) == pytest.approx(found.cells[cell].value, abs=1e-12)


def test_an_item_of_one_test_only_moves_the_yardstick_and_not_the_model() -> None:
    member = all_in()
    member[1, :20] = False  # the 20 items on which both models err are removed from the newer test
    wrong = cells(*[first(20)] * 4)
    found = compare(wrong, member, first(0), draws=200)
    assert [round(found.gains[name].value, 6) for name in ("whole", "model", "relabelled", "membership")] == [  # type: ignore[union-attr]
        0.2,
        0.0,
        0.0,
        0.2,
    ]
    assert {name: part.items for name, part in found.strata["a"].items()} == {"kept": 80, "relabelled": 0, "only_a": 20}
    assert found.strata["a"]["only_a"].error_b == 1.0


def test_tests_without_a_common_item_leave_the_yardsticks_parts_unknown() -> None:
    member = np.stack([first(50), ~first(50)])
    found = compare(cells(*[first(10)] * 4), member, first(0), draws=200)
    assert found.gains["relabelled"] is None
    assert found.gains["membership"] is None
    assert found.gains["yardstick"] is not None


def test_a_gain_on_every_item_is_claimed_and_its_mirror_image_is_a_loss() -> None:
    wrong = cells(first(40), first(40), first(10), first(10))
    better = compare(wrong, all_in(), first(0))
    assert better.claim == "gain"
    assert sentences(better, "v1", "v2")[0].startswith(
        "The model trained on v2 is better by 30.00 points (95 % interval"
    )
    worse = compare(wrong[::-1], all_in(), first(0))
    assert worse.claim == "loss"
    assert sentences(worse, "v1", "v2")[0].startswith("The model trained on v2 is worse by 30.00 points")


def test_no_gain_is_claimed_when_the_interval_crosses_0() -> None:
    a, b = first(20), np.roll(first(17), 20)  # 3 points fewer errors, on 37 items that differ
    found = compare(cells(a, a, b, b), all_in(), first(0))
    gain = found.gains["model"]
    assert gain is not None
    assert gain.low < 0 < gain.value < gain.high
    assert found.claim == "none"
    assert sentences(found, "v1", "v2")[0].startswith(
        "No gain can be claimed: on the test of v2 the model trained on v2"
    )


def test_no_gain_is_claimed_on_five_items_though_the_interval_lies_above_0() -> None:
    found = compare(cells(first(5), first(5), first(0), first(0)), all_in(), first(0))
    assert found.different == 5 < LEAST_DIFFERENT
    assert found.gains["model"] is not None and found.gains["model"].is_gain
    assert found.claim == "none"
    assert "differ on 5.0 test items, too few to tell" in sentences(found, "v1", "v2")[1]


def test_a_lucky_seed_widens_the_interval() -> None:
    calm = cells(first(20), first(20), first(14), first(14), seeds=5)
    lucky = calm.copy()
    lucky[1, :, 0] = False  # one of five trainings makes no error at all
    widths = []
    for wrong in (calm, lucky):
        gain = compare(wrong, all_in(), first(0)).gains["model"]
        assert gain is not None
        widths.append(gain.high - gain.low)
    assert widths[1] > 1.1 * widths[0]


def test_the_same_items_and_seeds_are_drawn_for_both_models() -> None:
    a = np.random.default_rng(0).random((5, 400)) < 0.3
    b = a.copy()
    b[:, :40] = False  # better than a on some items, equal to it on all others and in every seed
    wrong = np.stack([np.stack([a, a]), np.stack([b, b])])
    found = compare(wrong, all_in(400), first(0, 400))
    gain, cell = found.gains["model"], found.cells["a on b"]
    assert gain is not None
    assert gain.high - gain.low < 0.6 * (cell.high - cell.low)  # unpaired it would be 1.4 times as wide


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        luck_M1S1 = rng.normal(0, 0.02, (2, 1, 4, 1))
        hard_U = rng.random(300) ** 3 * 0.6
        p = np.clip(np.stack([hard_U, hard_U * 0.7])[:, None, None, :] + luck_M1S1, 0, 1)
        wrong = np.repeat(rng.random(p.shape) < p, 2, axis=1)
        gain = compare(wrong, all_in(300), first(0, 300), draws=200, seed=seed).gains["model"]
        assert gain is not None
        hits += gain.low <= 0.3 * 0.15 <= gain.high  # the mean of u ** 3 * .6 is .15
    assert 0.9 <= hits / 200


@pytest.mark.parametrize(
    ("seeds", "items", "words"),
    [(2, 100, r"Seeds are 2\. 3 or more are needed"), (3, 19, r"Test of A has 19 items\. 20 or more are needed")],
)
def test_too_few_seeds_or_items_are_a_sentence(seeds: int, items: int, words: str) -> None:
    with pytest.raises(Mistake, match=words):
        compare(np.zeros((2, 2, seeds, items), dtype=bool), all_in(items), first(0, items))


def test_points_have_two_places_and_nought_no_sign() -> None:
    assert [points(0.0193), points(-0.0035), points(-0.000001)] == ["1.93", "-0.35", "0.00"]
    assert Measured(0.1, 0.0, 0.2).is_gain is False


# --- pure: who tests and who teaches ---


def revision(tag: str, items: dict[str, tuple[str, str]], **shows: str) -> Side:
    """item -> (class, split); what an item shows is its own name unless `shows` says otherwise."""
    keys = {item: f"{item}\n{shows.get(item, item)} " for item in items}
    accepted = {keys[item]: (name,) for item, (name, _) in items.items()}
    return Side(tag, accepted, {keys[item]: split for item, (_, split) in items.items()}, 0)


def names(keys: Any) -> list[str]:
    return sorted(key.partition("\n")[0] for key in keys)


def test_what_either_revision_tests_on_teaches_neither() -> None:
    a = revision("a", {"1": ("cat", "train"), "2": ("dog", "test"), "3": ("cat", "train"), "4": ("dog", "val")})
    b = revision("b", {"1": ("cat", "train"), "2": ("dog", "train"), "3": ("cat", "test"), "5": ("dog", "train")})
    division = divide(a, b, Options())
    assert [names(keys) for keys in division.test] == [["2"], ["3"]]
    assert [names(keys) for keys in division.train] == [["1"], ["1", "5"]]  # and val teaches nobody
    assert division.said == "the split 'test'"


def test_a_copy_of_a_test_item_teaches_neither() -> None:
    items = {"1": ("cat", "train"), "2": ("cat", "test"), "3": ("dog", "train")}
    a = b = revision("a", items, **{"1": "same", "2": "same"})
    division = divide(a, b, Options())
    assert [names(keys) for keys in division.train] == [["3"], ["3"]]
    assert division.copies == 1


def test_without_a_test_split_a_fifth_is_held_out_of_both_by_content() -> None:
    items = {f"{n}": ("cat", "train") for n in range(1000)}
    a = revision("a", items)
    b = revision("b", {name: ("dog", "train") for name in [*list(items)[10:], *(f"x{n}" for n in range(50))]})
    division = divide(a, b, Options())
    assert 150 < len(division.test[0]) < 250
    assert division.test[0] - set(a.accepted) == set()
    assert division.test[0] & set(b.accepted) == division.test[1] & set(a.accepted)
    assert "20 % of the items, held out" in division.said
    assert len(divide(a, b, Options(hold_out=0.4)).test[0]) > 1.7 * len(division.test[0])


@pytest.mark.parametrize(
    ("splits", "options", "words"),
    [
        (("test", "train"), Options(), r"Revision 'b' has no split 'test', the other one has\. .* --hold-out 0\.2"),
        (("train", "train"), Options(split="gold"), r"Neither revision has a split 'gold'\. Splits are: train\."),
    ],
)
def test_a_split_that_is_not_there_is_a_sentence(splits: tuple[str, str], options: Options, words: str) -> None:
    a, b = (revision(name, {"1": ("cat", split)}) for name, split in zip("ab", splits, strict=True))
    with pytest.raises(Mistake, match=words):
        divide(a, b, options)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"seeds": 2}, "--seeds is 2. 3 or more"),
        ({"hold_out": 0.7}, "--hold-out is 0.7. A share above 0 and up to 0.5"),
        ({"hold_out": 0.2, "split": "test"}, "both given"),
        ({"on": "words"}, "--on is 'words'. Allowed are: pixels, embeddings."),
        ({"draws": 5}, "--draws is 5. 200 or more"),
    ],
)
def test_an_option_out_of_range_is_a_sentence(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(Mistake, match=words):
        Options(**wrong)


def rows(*told: tuple[str, str, str | None]) -> pd.DataFrame:
    """(item, y, accepted) as a revision's table."""
    common = {"asset": "a", "shard": "s", "row": 0, "region": None, "split": "train", "why": ""}
    return store.frame(DATASET, [{"item": item, "y": y, "accepted": more, **common} for item, y, more in told])


def test_every_accepted_label_of_an_ambiguous_item_is_right_and_an_unknown_one_is_left_out() -> None:
    told = side("a", rows(("1", '"cat"', '["cat","fox"]'), ("2", "null", None), ("3", '"dog"', None)), "single")
    assert [told.accepted[key] for key in told.accepted] == [("cat", "fox"), ("dog",)]
    assert told.unknown == 1


def test_the_same_item_with_another_image_is_another_item() -> None:
    table = rows(("1", '"cat"', None), ("1", '"cat"', None)).assign(asset=["a", "b"])
    assert len(set(keys_of(table))) == 2


# --- two real revisions ---

NOISE = 0.25


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, toy_digits: Digits) -> Path:
    """160 digits, a quarter labelled wrong as v1.0.0; every wrong label put right as v1.0.1."""
    folder = tmp_path_factory.mktemp("two")
    workspace = folder / "ws"
    versions.init(workspace)
    write_drop(toy_digits, "toy", folder / "toy", noise=NOISE, seed=0)
    receipt = receive.receive(folder / "toy", workspace, received_at="2026-01-01T00:00:00+00:00")
    versions.share_drop(workspace, receipt.drop)
    publish(workspace)
    answers = folder / "answers.jsonl"
    answers.write_text(
        "".join(
            json.dumps({"item": f"d{row:04d}", "action": "relabel", "label": str(toy_digits.labels[row])}) + "\n"
            for row in plant(toy_digits, "toy", noise=NOISE, seed=0)
        )
    )
    outcome = exchange.answer_file(workspace, answers, reviewer="ann", at="2026-01-02T00:00:00+00:00")
    assert outcome.accepted == 40
    versions.take_answers(workspace)
    publish(workspace)
    return workspace


def publish(workspace: Path) -> None:
    versions.prepare_run(workspace)
    for stage in ("ingest", "validate", "revise"):
        versions.reproduce(workspace, stage, lambda line: None)
    versions.publish(workspace)


@pytest.mark.slow
def test_a_study_of_two_real_revisions_counts_what_changed_and_divides_the_gain(two: Path) -> None:
    said: list[str] = []
    found = before_after(two, "v1.0.0", "dataset@v1.0.1", Options(seeds=3), progress=said.append)
    assert (found["a"], found["b"], found["on"]) == ("v1.0.0", "v1.0.1", "pixels")
    assert found["test"]["relabelled"] + found["train"]["relabelled"] == 40
    assert found["test"]["a"] + found["train"]["a"] == 160
    assert found["test"]["only_a"] == found["test"]["only_b"] == found["train"]["added"] == 0
    gains = {name: gain["value"] for name, gain in found["gains"].items()}
    assert gains["yardstick"] + gains["model"] == pytest.approx(gains["whole"], abs=1e-12)
    assert gains["yardstick"] == gains["relabelled"] > 0.05  # a quarter of the test's labels were put right
    assert gains["whole"] > 0.2
    assert said[-1] == "trained on dataset@v1.0.1: seed 3 of 3"
    json.dumps(found, allow_nan=False)
    assert before_after(two, "v1.0.0", "v1.0.1", Options(seeds=3)) == found


@pytest.mark.slow
def test_a_revision_compared_with_itself_has_no_gain_to_claim(two: Path) -> None:
    found = before_after(two, "v1.0.1", "v1.0.1", Options(seeds=3))
    assert {name: gain["value"] for name, gain in found["gains"].items()} == dict.fromkeys(found["gains"], 0.0)
    assert found["claim"] == "none"
    assert found["sentences"][0].startswith("No gain can be claimed")


@pytest.mark.slow
def test_on_embeddings_the_model_sees_the_vectors_and_an_item_without_one_is_counted(two: Path) -> None:
    with pytest.raises(
        Mistake, match=r"None of the 160 items can be used: it has no vector in data/embed\. Run: assay run"
    ):
        before_after(two, "v1.0.0", "v1.0.1", Options(seeds=3, on="embeddings"))
    table = versions.read_dataset(two, "v1.0.1")
    items = table["item"].tolist()[1:]
    plain = np.eye(10, dtype=np.float32)[[int(json.loads(y)) for y in table["y"]][1:]]
    store.write_vectors(two / "data" / "embed" / "vectors" / "toy.parquet", items, {"whole": plain})
    found = before_after(two, "v1.0.0", "v1.0.1", Options(seeds=3, on="embeddings"))
    assert found["left_out"]["no_vector"] == 1
    assert found["cells"]["b on b"]["value"] == 0.0  # the vectors give the class away


def test_an_unknown_revision_is_answered_with_those_there_are(two: Path) -> None:
    with pytest.raises(Mistake, match=r"Unknown revision 'v9\.0\.0'\. The newest are: dataset@v1\.0\.1"):
        before_after(two, "v1.0.0", "v9.0.0", Options())
