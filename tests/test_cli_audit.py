"""Does `assay audit` put the user's own model into the queue, and take it away again, by the real command?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_cli import assay, sentence

from flows.digits import Digits, write_drop
from tasks import ownmodel, store, versions
from tasks.model import SCORES
from tasks.versions import git


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "error: No file is named. Run: assay audit --predictions FILE, --embeddings FILE, or --none"),
        (
            ["--none", "--embeddings", "e.npz"],
            "error: --none takes your model away and goes with no other option. Run: assay audit --none",
        ),
        (
            ["--held-out", "--embeddings", "e.npz"],
            "error: --held-out is about predictions. Run: assay audit --predictions FILE --held-out",
        ),
    ],
)
def test_options_that_do_not_go_together_are_one_sentence(arguments: list[str], says: str, tmp_path: Path) -> None:
    assert sentence(assay("audit", *arguments, cwd=tmp_path)) == says


def test_before_the_first_run_there_is_nothing_to_predict(tmp_path: Path) -> None:
    versions.init(tmp_path / "ws")
    (tmp_path / "ws" / "p.csv").write_text("item,cat,dog\n")
    said = sentence(assay("audit", "--predictions", "p.csv", cwd=tmp_path / "ws"))
    assert said.startswith("error: No item has come through the gate in") and said.endswith("Run: assay run")
    assert git.git(tmp_path / "ws", "log", "--format=%s") == "init: an Assay workspace"


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_queue_follows_the_users_model_until_it_is_taken_away(
    tmp_path: Path, toy_digits: Digits, prefect_home: Path
) -> None:
    """Its predictions know the truth of every digit but one, which it takes for a 9: that one leads the queue."""
    write_drop(toy_digits, "toy", tmp_path / "toy", noise=0.0, seed=0)
    ws = tmp_path / "ws"

    def do(*arguments: str | Path) -> str:
        done = assay(*arguments, cwd=ws, home=prefect_home)
        assert done.returncode == 0, done
        return done.stdout

    assert assay("init", "ws", cwd=tmp_path).returncode == 0
    do("receive", tmp_path / "toy")
    do("run")
    before = worst(ws)
    truth = toy_digits.labels[toy_digits.drops["toy"]]
    odd = int(np.flatnonzero(truth == 2)[0])
    items = [f"d{row:04d}" for row in toy_digits.drops["toy"]]
    p_NK = np.full((len(truth), 10), 0.01)
    p_NK[np.arange(len(truth)), np.where(np.arange(len(truth)) == odd, 9, truth)] = 0.91
    lines = [f"{item}.png,{n % 3}," + ",".join(map(str, p_NK[n])) for n, item in enumerate(items[:-2])]
    (ws / "p.csv").write_text("\n".join(["path,fold,0,1,2,3,4,5,6,7,8,9", *lines]) + "\n")
    np.savez(ws / "e.npz", items=items, embeddings=np.eye(10, 12)[truth] + 0.01 * p_NK[:, :1])

    told = do("audit", "--predictions", "p.csv", "--embeddings", "e.npz")
    assert "Predictions of 158 items from p.csv, 10 classes." in told
    assert "2 items of the workspace have no prediction there: not assessable." in told
    assert "Embeddings of 160 items from e.npz, 12 values each." in told
    assert "In the queue: " in told and "Plain cleanlab on p.csv: " in told
    assert worst(ws) == items[odd] != before
    notes = store.read_table(ws / "data" / "audit" / "scores.parquet", SCORES)["note"]
    assert notes.dropna().tolist() == ["not assessable: p.csv has no prediction of it"] * 2
    assert store.read_report(ws / "data" / "relate.json").used["vectors"] == "e.npz"
    assert git.git(ws, "log", "--format=%s").splitlines()[:2] == ["curate: refresh", "model: p.csv, e.npz"]
    assert git.git(ws, "status", "--porcelain", "--untracked-files=no") == ""

    (ws / "p.csv").write_text((ws / "p.csv").read_text().replace("0.91", "nan", 1))
    said = sentence(assay("audit", "--predictions", "p.csv", cwd=ws, home=prefect_home))
    assert "has nothing or NaN in line 2, column '" in said
    assert ownmodel.about(ws / "data")["predictions"]["missing"] == 2  # what was there is still there

    told = do("audit", "--none")
    assert "relate   nothing new" in told  # what was found before it came is taken from DVC's run cache
    assert worst(ws) == before
    assert ownmodel.about(ws / "data") == {}


def worst(workspace: Path) -> str:
    scores = store.read_table(workspace / "data" / "audit" / "scores.parquet", SCORES)
    return str(scores.sort_values(["severity", "item"], ascending=[False, True])["item"].iloc[0])
