"""Opening, making, holding and mending a workspace; running stages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_workspace as toy

from tasks import STAGES, params, versions
from tasks.model import Mistake, StageFailed
from tasks.versions import create, data, git, workspace

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    return toy.make(tmp_path / "ws")


def rewrite(workspace: Path, old: str, new: str) -> None:
    text = (workspace / "dvc.yaml").read_text()
    assert old in text
    (workspace / "dvc.yaml").write_text(text.replace(old, new))


def test_the_repository_root_is_a_workspace_too(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    names = (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitattributes", ".gitignore", "params.yaml", "dvc.yaml")
    for name in (*names, "code.yaml", *create.KEPT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "a clone"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    versions.open_workspace(tmp_path)
    versions.prepare_run(tmp_path)
    assert versions.log(tmp_path) == []


# --- init and open ---------------------------------------------------------------------------------------------------


def test_init_makes_a_workspace_that_git_and_dvc_find_clean(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "ws"
    made = versions.init(folder)
    assert made == [
        ".dvc/.gitignore",
        ".dvc/config",
        ".dvcignore",
        ".gitattributes",
        ".gitignore",
        "code.yaml",
        "data/drops/.gitkeep",
        "data/incoming/.gitkeep",
        "data/model/.gitignore",
        "data/verdicts/.gitkeep",
        "dvc.yaml",
        "params.yaml",
        "prefect.yaml",
    ]
    assert git.git(folder, "ls-files").splitlines() == made
    assert git.git(folder, "status", "--porcelain") == ""
    assert versions.open_workspace(folder) == folder
    assert versions.init(folder) == []  # once more changes nothing


def test_init_writes_the_embedder_into_params_and_keeps_every_stage(tmp_path: Path) -> None:
    versions.init(tmp_path / "ws", embed_model="resnet18")
    content = params.read(tmp_path / "ws" / "params.yaml")
    assert content["embed"]["model"] == "resnet18"
    assert set(content) == {"task", "watch", "place", "sla", *STAGES}


@pytest.mark.parametrize(
    "before",
    ["embed: {}\n", "embed:\n", "embed:\n  model: auto  # x\n", "embed:\n  # why\n  threads: 1\n  model: auto\n"],
)
def test_the_embedder_is_set_however_the_section_is_written(before: str) -> None:
    assert "model: patches" in create.with_embedder(before + "audit: {}\n", "patches")
    assert "auto" not in create.with_embedder(before, "patches")


def test_the_packaged_files_are_those_of_the_repository_root() -> None:
    for name in (*create.WHOLE, *create.OFFERED):
        assert (ROOT / name).read_text() == create.template(name), f"copy {name} to tasks/workspace/{name}.template"


def test_dvc_reads_the_pipeline_that_init_writes(tmp_path: Path) -> None:
    versions.init(tmp_path / "ws")
    assert [data.out_of_date(tmp_path / "ws", stage) is None for stage in STAGES] == [False] * len(STAGES)
    assert "data/ingest is deleted" in str(data.out_of_date(tmp_path / "ws", "ingest"))


def test_init_refuses_a_dvc_yaml_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(Mistake, match=r"has dvc.yaml already, and it differs from what init would write"):
        versions.init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["dvc.yaml"]


def test_init_in_a_repository_with_files_leaves_them_alone(tmp_path: Path) -> None:
    git.git(tmp_path, "init", "--quiet", "--initial-branch", "trunk")
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / ".gitignore").write_text("*.log")
    versions.init(tmp_path)
    assert (tmp_path / ".gitignore").read_text().splitlines()[:2] == ["*.log", "/.assay/"]
    assert git.git(tmp_path, "status", "--porcelain") == "?? mine.txt"
    assert git.branch(tmp_path) == "trunk"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: None, "No folder '.*ws'. Make a workspace with: assay init "),
        (lambda p: p.write_text(""), "'.*ws' is a file, not a workspace"),
        (lambda p: p.mkdir(), "is not a workspace: it has no params.yaml. Run: assay init "),
        (
            lambda p: [p.mkdir(), (p / ".dvc").mkdir(), *((p / n).touch() for n in create.WHOLE)],
            "is not in a git repository. Run: assay init ",
        ),
    ],
)
def test_what_is_no_workspace_is_one_sentence_with_the_next_command(
    tmp_path: Path, make: object, sentence: str
) -> None:
    make(tmp_path / "ws")  # type: ignore[operator]
    with pytest.raises(Mistake, match=sentence):
        versions.open_workspace(tmp_path / "ws")


def test_without_git_there_is_a_sentence(ws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Mistake, match="Git is not installed"):
        versions.open_workspace(ws)


# --- lock, clean, repair ---------------------------------------------------------------------------------------------


def test_a_second_process_is_told_who_holds_the_workspace(ws: Path) -> None:
    script = "import sys; from pathlib import Path; from tasks.versions import lock\n"
    script += "with lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(ws)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(Mistake, match=f"is in use by process {holder.pid}"), versions.lock(ws):
            pass
        holder.kill()  # the kernel frees the lock of a killed holder
    with versions.lock(ws), versions.lock(ws):
        pass


def test_uncommitted_changes_of_people_are_named_and_our_own_are_not(ws: Path) -> None:
    (ws / "code.yaml").write_text("x: y\n")
    (ws / "untracked.txt").write_text("")
    versions.require_clean(ws)
    for name in ("params.yaml", "dvc.yaml", ".gitignore", ".dvcignore"):
        (ws / name).write_text((ws / name).read_text() + "# x\n")
    with pytest.raises(
        Mistake, match=r"uncommitted changes in \.dvcignore, \.gitignore, dvc\.yaml and 1 more\. Commit"
    ):
        versions.require_clean(ws)


@pytest.mark.parametrize("content", ["", "{", '{"write": {"/x": {"pid": "a"}}}', "[]"])
def test_an_unusable_rwlock_is_removed(ws: Path, content: str) -> None:
    rwlock = ws / ".dvc" / "tmp" / "rwlock"
    rwlock.write_text(content)
    assert versions.repair(ws) == [f"Removed '{rwlock}', which a killed DVC had left unusable."]
    assert not rwlock.exists()


def test_an_rwlock_of_a_live_process_stays_unless_the_process_is_younger_than_it(ws: Path) -> None:
    rwlock = ws / ".dvc" / "tmp" / "rwlock"
    rwlock.write_text(json.dumps({"write": {"/x": {"pid": os.getpid(), "cmd": "dvc"}}}))
    assert versions.repair(ws) == []
    os.utime(rwlock, (0, 0))  # the pid has been given to us since: its first owner is dead
    assert len(versions.repair(ws)) == 1


def test_a_lock_file_of_a_dead_git_is_removed(ws: Path) -> None:
    lock = ws / ".git" / "index.lock"
    lock.touch()
    past = time.time() - 2 * workspace.GIT_LOCK_SECONDS
    os.utime(lock, (past, past))
    assert versions.repair(ws) == [f"Removed '{lock}', which a killed git had left."]


# --- stages ----------------------------------------------------------------------------------------------------------


def test_a_stage_runs_once_and_its_lines_are_handed_on(ws: Path, capfd: pytest.CaptureFixture[str]) -> None:
    toy.decide(ws, {})
    (ws / "source" / "confusion.csv").write_text("changed\n")
    lines: list[str] = []
    assert versions.reproduce(ws, "audit", lines.append) is True
    assert versions.reproduce(ws, "audit", lines.append) is False
    assert lines == ["audited"]
    assert capfd.readouterr() == ("", "")  # DVC's own words are not for our users


def test_a_result_that_dvc_remembers_is_restored_without_running(ws: Path) -> None:
    toy.decide(ws, {"i1": ("0001-a", "cat")})
    first = (ws / "source" / "confusion.csv").read_text()
    (ws / "source" / "confusion.csv").write_text("changed\n")
    assert versions.reproduce(ws, "audit", print) is True
    (ws / "source" / "confusion.csv").write_text(first)
    assert versions.reproduce(ws, "audit", print) is False
    assert (ws / "data" / "audit" / "confusion.csv").read_text() == first


def fail_with(ws: Path, message: str, *, transient: bool) -> None:
    """Let the audit of `ws` end as a stage of ours does that has something to say."""
    told = ws / ".assay" / "told.json"
    told.write_text(json.dumps({"message": message, "transient": transient}))
    rewrite(ws, "echo audited", "mkdir -p .assay/logs && cp .assay/told.json .assay/logs/audit.error && exit 1")


def test_a_failed_stage_raises_its_own_sentence(ws: Path) -> None:
    toy.decide(ws, {})
    fail_with(ws, "Column y is missing. Fix it.", transient=False)
    with pytest.raises(StageFailed, match=r"^Column y is missing. Fix it.$") as caught:
        versions.reproduce(ws, "audit", print)
    assert not caught.value.transient


def test_a_stage_that_dies_without_a_sentence_is_told_by_its_last_line(ws: Path) -> None:
    toy.decide(ws, {})
    rewrite(ws, "echo audited", "echo 'bad luck' && exit 3")
    with pytest.raises(StageFailed, match=r"Stage 'audit' failed: bad luck. Run: dvc repro audit"):
        versions.reproduce(ws, "audit", print)


def test_an_input_that_moved_is_worth_another_try(ws: Path) -> None:
    toy.decide(ws, {})
    fail_with(ws, "An input moved.", transient=True)
    with pytest.raises(StageFailed) as caught:
        versions.reproduce(ws, "audit", print)
    assert caught.value.transient


def test_a_stage_finds_this_interpreter_and_its_parent_and_no_telemetry(ws: Path) -> None:
    toy.decide(ws, {})
    rewrite(ws, "echo audited", "command -v python && echo $ASSAY_PARENT $DVC_NO_ANALYTICS")
    lines: list[str] = []
    versions.reproduce(ws, "audit", lines.append)
    assert lines == [str(Path(sys.executable).parent / "python"), f"{os.getpid()} 1"]


def test_dvc_is_told_where_it_is_whatever_the_current_folder(
    ws: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {audit: {cmd: false}}\n")
    monkeypatch.chdir(tmp_path)
    toy.deliver(Path("ws"), "0001-a", {"i1": "cat"})
    toy.decide(Path("ws"), {"i1": ("0001-a", "cat")})
    assert versions.publish(Path("ws")).tag == "dataset@v1.0.0"
    assert Path.cwd() == tmp_path
