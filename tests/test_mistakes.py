"""Is every mistake that a user can make one sentence with what to do next, whatever the command?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import COMMANDS, assay, sentence

from tasks import versions

ARGUMENTS = {
    "receive": ["images"],
    "audit": ["--predictions", "p.csv"],
    "accept": ["class:dog"],
    "reject": ["class:dog"],
    "export": ["csv", "queue.csv"],
    "answer": ["queue.csv", "--reviewer", "maria"],
    "apply": ["--suggestions"],
    "get": ["v1.0.0", "out"],
    "diff": ["v1.0.0", "v1.0.1"],
}
IN_A_WORKSPACE = [name for name in COMMANDS if name not in ("init", "demo", "doctor")]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes") / "ws"
    versions.init(folder)
    return folder


@pytest.mark.parametrize("command", IN_A_WORKSPACE)
def test_a_folder_that_is_no_workspace_is_named_with_the_command_that_makes_one(command: str, tmp_path: Path) -> None:
    said = sentence(assay(command, *ARGUMENTS.get(command, []), cwd=tmp_path))
    assert said.endswith("Run: assay init ."), said


@pytest.mark.parametrize("command", ["run", "log"])
def test_a_file_is_no_workspace(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "file" in sentence(assay(command, "--workspace", "file", cwd=tmp_path))


@pytest.mark.parametrize("command", ["run", "log", "revise", "verify"])
def test_without_git_the_sentence_says_to_install_it(command: str, workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    said = sentence(assay(command, cwd=workspace, PATH=str(tmp_path / "bin")))
    assert "git" in said
    assert "nstall" in said


def test_init_without_git_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    assert "nstall" in sentence(assay("init", "ws", cwd=tmp_path, PATH=str(tmp_path / "bin")))
    assert not (tmp_path / "ws").exists() or list((tmp_path / "ws").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("audit: [unclosed", "is not YAML"),
        ("just a sentence", "must be sections of keys"),
        ("detect: {}", "lacks section 'detect'. Add the line: detect: {}"),
        ("audit:=adit:", "unknown section 'adit'. Sections are: task, ingest"),
        ("audit: {}=audit: {folds: many}", "audit.folds = 'many'"),
        ("audit: {}=audit: {folds: 1}", "audit.folds = 1. 2 to 20 is allowed"),
        ("modality: image=modality: smell", "Unknown modality 'smell'"),
        ("model: patches=model: auto", "auto"),
    ],
)
def test_a_wrong_params_file_is_named_with_what_is_allowed(
    text: str, words: str, workspace: Path, request: pytest.FixtureRequest
) -> None:
    params = workspace / "params.yaml"
    before = params.read_text()
    request.addfinalizer(lambda: _commit(params, before))
    wrong, _, right = text.partition("=")
    _commit(params, before.replace(wrong, right) if wrong in before else text)
    assert words in sentence(assay("run", cwd=workspace))


def _commit(path: Path, text: str) -> None:
    path.write_text(text)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run([*git, "commit", "-qam", "params"], cwd=path.parent, check=True)


@pytest.mark.parametrize("command", ["run", "revise", "augment"])
def test_uncommitted_changes_are_named(command: str, workspace: Path, request: pytest.FixtureRequest) -> None:
    ignored = workspace / "dvc.yaml"
    before = ignored.read_text()
    request.addfinalizer(lambda: ignored.write_text(before))
    ignored.write_text(before + "\n# mine\n")
    assert "uncommitted changes in dvc.yaml" in sentence(assay(command, cwd=workspace))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["revise"], "assay r"),
        (["answer", "answers.txt", "--reviewer", "maria"], "answers.txt"),
        (["answer", "answers.csv", "--reviewer", "../../etc"], "Reviewer '../../etc' is not a name for a log"),
        (["get", "v1.0.0", "out", "--format", "zip"], "zip"),
        (["diff", "v1.0.0", "v2.0.0"], "v1.0.0"),
        (["receive", "dvc.yaml"], "dvc.yaml"),
    ],
)
def test_what_is_not_there_yet_or_wrong_is_said_with_the_next_step(
    arguments: list[str], words: str, workspace: Path
) -> None:
    assert words in sentence(assay(*arguments, cwd=workspace))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("watch: {every: 0}", "watch.every = 0. every in [0.2, 86400] is allowed"),
        ("watch: {publish: never}", "watch.publish = 'never'"),
        ("place: {embed: tpu}", "place.embed = 'tpu'"),
        ("place: {embedd: gpu}", "unknown key 'place.embedd'. Keys of 'place' are: ingest, validate, embed"),
        ("place: {shards: 0}", "place.shards = 0. shards in [1, 64] is allowed"),
    ],
)
@pytest.mark.parametrize("command", [["run"], ["watch", "--once"]])
def test_a_wrong_policy_is_named_with_what_is_allowed(
    command: list[str], line: str, words: str, workspace: Path, request: pytest.FixtureRequest
) -> None:
    params = workspace / "params.yaml"
    before = params.read_text()
    request.addfinalizer(lambda: _commit(params, before))
    section = line.partition(":")[0]
    kept = [row for row in before.splitlines() if not row.startswith(f"{section}:")]
    _commit(params, "\n".join([*kept, line, ""]))
    done = assay(*command, cwd=workspace)
    if section == "place" and command[0] == "watch":
        return  # nothing is due: no stage is placed
    assert done.returncode == 1 and words in done.stderr + done.stdout, done


def test_a_worker_without_a_server_or_with_another_pool_is_told_what_to_set(tmp_path: Path) -> None:
    assert "Set PREFECT_API_URL" in sentence(assay("worker", str(tmp_path), cwd=tmp_path, PREFECT_API_URL=""))
    assert "Unknown pool 'tpu'. Pools are: cpu, gpu." in sentence(assay("worker", "x", "--pool", "tpu", cwd=tmp_path))


def test_augmenting_before_the_first_run_names_the_run(tmp_path: Path) -> None:
    versions.init(tmp_path / "ws")
    said = sentence(assay("augment", cwd=tmp_path / "ws"))
    assert said == "error: Stage 'revise' needs 'data/ingest', which is not there yet. Run: assay run"


def test_a_folder_that_holds_something_else_is_not_taken_for_a_demo(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    assert sentence(assay("demo", "mine", cwd=tmp_path)).endswith("Name another folder: assay demo DIR")
    assert (tmp_path / "mine" / "thesis.txt").exists()
