"""Does the command line end every mistake in one sentence with the next command, and never in a traceback?"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import toy_workspace

from flows.digits import Digits, write_drop
from tasks import telemetry, versions


def assay(
    *arguments: str | Path, cwd: Path, home: Path | None = None, **extra: str
) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    variables = {**os.environ, **telemetry.OFF, "COLUMNS": "200", **extra}
    if home is not None:
        variables["PREFECT_HOME"] = str(home)
    return subprocess.run(
        [sys.executable, "-P", "-m", "flows.cli", *map(str, arguments)],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """What a mistake printed: exactly one line on standard error, no traceback anywhere."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


COMMANDS = (
    "init receive run audit accept reject export answer revise augment get log diff verify demo doctor estimate apply"
).split()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, tmp_path: Path) -> None:
    done = assay(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(rf"Example: assay {command}\b", done.stdout)


@pytest.fixture(scope="module")
def empty_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "ws"
    done = assay("init", folder, cwd=folder.parent)
    assert done.returncode == 0, done
    return folder


def test_init_prints_the_tree_and_the_next_commands(tmp_path: Path) -> None:
    done = assay("init", "ws", cwd=tmp_path)
    assert done.returncode == 0, done
    for name in ("params.yaml", "dvc.yaml", "code.yaml", "assay receive FOLDER --workspace ws"):
        assert name in done.stdout
    assert (tmp_path / "ws" / ".dvc").is_dir()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--workspace", "nowhere"], "nowhere"),
        (["log"], "Run: assay init"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["get", "v1.0.0"], "DIR"),
    ],
)
def test_a_mistake_outside_a_workspace_is_one_sentence(arguments: list[str], words: str, tmp_path: Path) -> None:
    assert words in sentence(assay(*arguments, cwd=tmp_path))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["log"], "No revision yet. Run: assay revise"),
        (["receive", "no-such-folder"], "no-such-folder"),
        (["export", "csv", "queue.csv"], "Run: assay run"),
        (["export", "xml", "queue.xml"], "Unknown format 'xml'. Formats are: csv, jsonl, label-studio."),
        (["answer", "missing.csv", "--reviewer", "maria"], "missing.csv"),
        (["accept", "class:dog"], "Run: assay run"),
        (["estimate"], "Run: assay run"),
        (["apply", "--suggestions"], "Run: assay run"),
        (["apply"], "Name one of --suggestions, --remove, --undo"),
        (["apply", "--remove", "--undo"], "Name one of --suggestions, --remove, --undo"),
        (["apply", "--remove", "--above", "2"], "Option --above is 2"),
        (["get", "v9.9.9", "out"], "v9.9.9"),
        (["verify", "v9.9.9"], "v9.9.9"),
    ],
)
def test_a_mistake_in_a_workspace_is_one_sentence(arguments: list[str], words: str, empty_workspace: Path) -> None:
    assert words in sentence(assay(*arguments, cwd=empty_workspace))


def test_an_unknown_key_in_params_is_named_with_the_keys_that_exist(tmp_path: Path) -> None:
    assert assay("init", "ws", cwd=tmp_path).returncode == 0
    params = tmp_path / "ws" / "params.yaml"
    params.write_text(params.read_text().replace("audit:", "audit:\n  fold: 5 # a typo\n# audit:", 1))
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run([*git, "commit", "-qam", "a typo"], cwd=tmp_path / "ws", check=True)
    said = sentence(assay("run", cwd=tmp_path / "ws"))
    assert "unknown key 'audit.fold'" in said
    assert "folds" in said


def test_uncommitted_changes_stop_a_run_and_are_named(tmp_path: Path) -> None:
    assert assay("init", "ws", cwd=tmp_path).returncode == 0
    with open(tmp_path / "ws" / "params.yaml", "a") as file:
        file.write("# a thought\n")
    said = sentence(assay("run", cwd=tmp_path / "ws"))
    assert "params.yaml" in said


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_log_cuts_no_tag_however_narrow_the_terminal_is(columns: int, tmp_path: Path) -> None:
    workspace = toy_workspace.first_revision_is_due(tmp_path / "ws")
    versions.publish(workspace)
    toy_workspace.decide(workspace, {**toy_workspace.FIRST, "i1": ("0001-a", "dog")})
    versions.publish(workspace)
    said = assay("log", cwd=workspace, COLUMNS=str(columns))
    assert said.returncode == 0, said
    assert "…" not in said.stdout
    heading, *rows = (line.split() for line in said.stdout.splitlines())
    assert heading == ["revision", "when", "items", "classes", "relabelled", "removed", "parent"]
    told = [(row[0], row[1], row[-1]) for row in rows if row[0].startswith("dataset@")]
    days = {each.tag: each.at[:10] for each in versions.log(workspace)}
    assert told == [(tag, days[tag], parent) for tag, parent in (("dataset@v1.0.1", "v1.0.0"), ("dataset@v1.0.0", "-"))]
    assert len(rows) == (2 if columns > 40 else 4)  # a line a revision from 80 columns on; below, the time breaks


@pytest.mark.prefect
@pytest.mark.slow
def test_the_chain_by_its_commands(tmp_path: Path, toy_digits: Digits, prefect_home: Path) -> None:
    """init, receive, run, export, answer, revise, log, get, verify, as the README tells it."""
    write_drop(toy_digits, "toy", tmp_path / "toy", noise=0.05, seed=0)
    assert assay("init", "ws", cwd=tmp_path).returncode == 0
    ws = tmp_path / "ws"

    def do(*arguments: str | Path) -> str:
        done = assay(*arguments, cwd=ws, home=prefect_home)
        assert done.returncode == 0, done
        return done.stdout

    assert "Received 0001-toy: 160 rows, 160 assets." in do("receive", tmp_path / "toy")
    assert "Nothing new" in do("receive", tmp_path / "toy")
    assert "The queue holds" in do("run")
    assert "doubtful items" in do("export", "jsonl", "queue.jsonl")
    assert do("run", "--quiet", "--log-file", "logs/run.log") == ""
    kept = (ws / "logs" / "run.log").read_text()
    assert "ingest: nothing new" in kept
    assert "triage: nothing new" in kept
    import json

    queue = [json.loads(line) for line in (ws / "queue.jsonl").read_text().splitlines()]
    answers = [
        {"item": row["item"], "action": "relabel", "label": str(toy_digits.labels[int(row["item"][1:])])}
        for row in queue
    ]
    (ws / "answers.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    assert f"Taken: {len(queue):,} new" in do("answer", "answers.jsonl", "--reviewer", "maria")
    assert f"Taken: 0 new, {len(queue):,} already" in do("answer", "answers.jsonl", "--reviewer", "maria")
    assert "dataset@v1.0.0" in do("revise")
    assert "dataset@v1.0.0" in do("log")
    do("get", "v1.0.0", "out", "--format", "imagefolder")
    assert len(list((ws / "out").rglob("*.png"))) == 160
    assert "intact" in do("verify")


def test_a_fresh_clone_gets_the_folder_that_prefects_home_is_made_in(empty_workspace: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", empty_workspace, tmp_path / "clone"], check=True)
    assert sentence(assay("log", cwd=tmp_path / "clone")) == "error: No revision yet. Run: assay revise"
    assert (tmp_path / "clone" / ".assay").is_dir()
