"""Do `assay estimate` and `assay apply` say what they know, in words and as JSON, and change nothing unasked?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import toy_audited
from test_cli import assay, sentence

from flows import cli_estimate
from tasks import answers, estimate
from tasks.estimate import Band, Interval, SampleSays
from tasks.model import MACHINE

P = [0.9] * 60 + [0.02] * 60


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_audited.make(tmp_path_factory.mktemp("cli-estimate") / "ws", P, drawn=12)


@pytest.fixture
def ws(made: Path) -> Path:
    for path in (made / ".assay").glob("journal/*.jsonl"):
        path.unlink()
    return made


def do(ws: Path, *arguments: str) -> str:
    done = assay(*arguments, cwd=ws)
    assert done.returncode == 0, done
    return done.stdout


def test_without_answers_the_estimate_says_what_to_do(ws: Path) -> None:
    said = do(ws, "estimate")
    assert "By the model         12.5% of the labels as they were at the last run." in said
    assert "By the audit sample  nothing yet: 0 of 12 drawn items answered." in said
    assert "assay export csv queue.csv" in said
    assert "The next 50 doubted rows are expected to hold 45 (4" in said


def test_with_answers_the_estimate_has_an_interval_and_json_has_the_same(ws: Path) -> None:
    asked = toy_audited.asked(ws)
    toy_audited.answer(ws, {item: int(item[2:]) < 60 for item in asked})
    said = do(ws, "estimate")
    assert "12 of 12 drawn items answered" in said
    told = json.loads(do(ws, "estimate", "--json"))
    assert (told["items"], told["sample"]["answered"], told["found"]) == (120, 12, sum(int(i[2:]) < 60 for i in asked))
    assert told["sample"]["wrong"]["value"] == pytest.approx(60, abs=1e-6)
    assert told["sample"]["wrong"]["low"] < 60 < told["sample"]["wrong"]["high"]
    assert told["left"]["value"] == pytest.approx(60 - told["found"])


def test_apply_shows_the_damage_and_changes_nothing_without_yes(ws: Path) -> None:
    said = do(ws, "apply", "--suggestions", "--limit", "20")
    assert "Relabel 20 items. Expected:" in said
    assert "wrong -> right              18.0" in said
    assert "right -> wrong               2.0" in said
    assert "wrong -> right is the most that it can be" in said
    assert "Nothing is changed" in said
    assert "Only 0 answers" in sentence(assay("apply", "--suggestions", "--yes", cwd=ws))
    assert toy_audited.said(ws) == []


def test_apply_does_it_when_told_and_takes_it_back(ws: Path) -> None:
    said = do(ws, "apply", "--suggestions", "--limit", "20", "--trust-model", "--yes")
    assert "Applied: 20 bulk changes" in said
    assert [verdict.reviewer for verdict in toy_audited.said(ws)] == [MACHINE] * 20
    assert "Taken back: 20 bulk changes." in do(ws, "apply", "--undo")
    assert answers.state(toy_audited.said(ws)).items == {}


def test_apply_refuses_what_people_have_shown_to_be_wrong(ws: Path) -> None:
    asked = toy_audited.asked(ws)
    free = [f"1-{n}" for n in range(60) if f"1-{n}" not in asked]
    toy_audited.answer(ws, {item: n % 10 == 0 for n, item in enumerate(free[:30])})
    before = toy_audited.said(ws)
    for more in ([], ["--yes"], ["--yes", "--trust-model"]):
        done = assay("apply", "--suggestions", *more, cwd=ws)
        assert (done.returncode, "it is refused" in sentence(done)) == (1, True)
        assert "(p_wrong is corrected by 30 answers" in done.stdout
    assert "to lose" in sentence(assay("apply", "--remove", "--yes", cwd=ws))
    told = json.loads(assay("apply", "--remove", "--json", cwd=ws).stdout)
    assert (told["action"], told["answers"], "refused" in told["refused"]) == ("remove", 30, True)
    assert "No flagged item fits" in do(ws, "apply", "--suggestions", "--above", "0.9")
    assert toy_audited.said(ws) == before


def test_every_figure_has_its_words() -> None:
    found = estimate.Estimate(
        items=1000,
        model_rate=0.05,
        sample=SampleSays(990, 100, 90, 3, 80, Interval(99.0, 49.5, 148.5)),
        found=40,
        bands=(Band(0.9, 20, 19.0, 18),),
        answered=20,
        recalibrated=False,
        left=Interval(59.0, 9.5, 108.5),
        model_left=12.0,
        next_rows=50,
        next_wrong=Interval(2.4, 0.0, 5.0),
    )
    assert cli_estimate.told(found) == [
        "Labels: 1,000; wrong by people's answers so far: 40.",
        "By the model         5.0% of the labels as they were at the last run.",
        "By the audit sample  10.0% (5.0% to 15.0%) wrong; 90 of 100 drawn items answered, 3 unsure or disputed.",
        "                     10 answered ones are left out, because drawn ones before them are not answered.",
        "                     10 items came through the gate after the draw, and are not spoken of.",
        "Left                 59 (10 to 108) wrong labels that nobody has found.",
        "                     By the model 12 among the items that nobody has answered.",
        "p_wrong from 0.90    18 of 20 were wrong, 19.0 expected.",
        "The next 50 doubted rows are expected to hold 2 (0 to 5) wrong labels (p_wrong as the model has it; too few "
        "answers to correct it: 20 answers).",
    ]
