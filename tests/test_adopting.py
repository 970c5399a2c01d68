"""Is there at every moment one recorded model of the user's own, or none, and does it get wherever it is needed?"""

from __future__ import annotations

import shutil
from pathlib import Path

import crash
import pytest
import toy_workspace as toy

from tasks import durable, ownmodel, store, versions
from tasks.model import Mistake
from tasks.versions import adopting, create, data, git, placing
from tasks.versions.upgrade import upgrade, with_deps, with_lines

STAGES = """\
stages:
  relate:
    cmd: mkdir -p data/relate && cat data/model/*/model.json > data/relate/seen; echo '{}' > data/relate.json
    deps: [data/model]
    outs: [data/relate]
    metrics: [data/relate.json]
  revise:
    cmd: mkdir -p data/revise && echo '{}' > data/revise.json
    deps: [data/verdicts]
    outs: [data/revise]
    metrics: [data/revise.json]
"""


def quiet(line: str) -> None:
    return None


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    return make(tmp_path / "beside" / "ws")


def make(folder: Path) -> Path:
    """A workspace whose `relate` copies model.json, or whatever several of them say."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    workspace = toy.make(folder)
    (workspace / "dvc.yaml").write_text(STAGES)
    versions.write_code_versions(workspace)
    git.commit(workspace, "toy stages", ["dvc.yaml", "code.yaml"])
    return workspace


def fill(workspace: Path, name: str) -> None:
    """A model as adopt leaves it: in place, not recorded yet."""
    with durable.fresh_folder(workspace / "data" / "model" / name, staging=workspace / ".assay") as fresh:
        durable.write_text(fresh / "vectors" / "x.parquet", f"vectors of {name}")
        store.write_json(fresh / "model.json", {"name": name, "files": {"vectors/x.parquet": "sha"}})


def give(workspace: Path, name: str) -> None:
    """What `assay audit` does with the record."""
    versions.prepare_run(workspace)
    fill(workspace, name)
    versions.share_model(workspace, name, f"model: {name}")


def there(workspace: Path) -> list[str]:
    """What lies in data/model, whole or not."""
    return sorted(path.name for path in (workspace / "data" / "model").iterdir() if path.name != ".gitignore")


def test_a_model_is_recorded_replaced_and_taken_away_one_commit_each(ws: Path) -> None:
    give(ws, "aaa")
    assert there(ws) == ["aaa", "aaa.dvc"]
    assert not data.out_of_date(ws, "data/model/aaa.dvc")  # DVC finds it by its record
    give(ws, "bbb")
    assert there(ws) == ["bbb", "bbb.dvc"]
    versions.share_model(ws, None, "model: none")
    assert there(ws) == []
    assert toy.messages(ws)[:3] == ["model: none", "model: bbb", "model: aaa"]
    assert git.git(ws, "status", "--porcelain") == ""
    versions.share_model(ws, None, "model: none")  # once more changes nothing
    assert toy.messages(ws)[0:2] == ["model: none", "model: bbb"]


def test_a_stage_runs_again_for_another_model_and_not_for_the_one_before(ws: Path) -> None:
    assert versions.reproduce(ws, "relate", quiet)
    give(ws, "aaa")
    assert versions.reproduce(ws, "relate", quiet)
    assert store.read_json(ws / "data" / "relate" / "seen")["name"] == "aaa"
    versions.share_model(ws, None, "model: none")
    assert not versions.reproduce(ws, "relate", quiet)  # from DVC's run cache
    assert (ws / "data" / "relate" / "seen").read_text() == ""


def test_a_recorded_model_is_due_until_a_run_has_seen_it(ws: Path) -> None:
    versions.reproduce(ws, "relate", quiet)
    versions.commit_run(ws, "curate: refresh")
    assert versions.curate_due(ws) is None
    give(ws, "aaa")
    assert versions.curate_due(ws) == git.commit_of(ws, "HEAD")
    versions.reproduce(ws, "relate", quiet)
    versions.commit_run(ws, "curate: refresh")
    assert versions.curate_due(ws) is None


def test_what_a_killed_call_left_goes_and_what_it_took_away_comes_back(ws: Path) -> None:
    give(ws, "aaa")
    fill(ws, "bbb")
    data.add(ws, "data/model/bbb")
    (ws / "data" / "model" / "aaa.dvc").unlink()
    shutil.rmtree(ws / "data" / "model" / "aaa")
    versions.prepare_run(ws)
    assert there(ws) == ["aaa", "aaa.dvc"]
    assert ownmodel.about(ws / "data")["name"] == "aaa"


def test_a_broken_off_pull_is_finished(ws: Path) -> None:
    give(ws, "aaa")
    (ws / "data" / "model" / "aaa" / "vectors" / "x.parquet").unlink()
    versions.prepare_run(ws)
    assert (ws / "data" / "model" / "aaa" / "vectors" / "x.parquet").read_text() == "vectors of aaa"


def test_a_model_that_cannot_be_had_is_a_sentence_and_can_be_taken_away(ws: Path) -> None:
    give(ws, "aaa")
    for place in ("data/model/aaa", ".dvc/cache", ".assay/remote"):
        shutil.rmtree(ws / place)
    with pytest.raises(Mistake, match=r"Your model 'data/model/aaa' is not .*"):
        versions.prepare_run(ws)
    versions.share_model(ws, None, "model: none")
    versions.prepare_run(ws)
    assert there(ws) == []


@pytest.fixture
def origin(tmp_path: Path, ws: Path) -> Path:
    """A bare repository, and one DVC remote, for all clones."""
    bare = tmp_path / "origin.git"
    git.git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", str(bare))
    config = ws / ".dvc" / "config"
    config.write_text(config.read_text().replace("../.assay/remote", str(tmp_path / "store")))
    git.commit(ws, "a shared DVC remote", [".dvc/config"])
    git.git(ws, "remote", "add", "origin", str(bare))
    assert versions.push_record(ws) is None
    return bare


def clone(origin: Path, folder: Path) -> Path:
    git.git(origin.parent, "clone", "--quiet", str(origin), str(folder))
    return folder


def test_a_fresh_clone_gets_the_model_and_one_that_is_behind_follows(ws: Path, origin: Path, tmp_path: Path) -> None:
    give(ws, "aaa")
    versions.push_record(ws)
    other = clone(origin, tmp_path / "other")
    with pytest.raises(Mistake, match="is recorded but not here"):  # never an audit without it
        ownmodel.folder(other / "data")
    versions.prepare_run(other)
    assert ownmodel.about(other / "data")["name"] == "aaa"
    give(ws, "bbb")
    versions.push_record(ws)
    versions.prepare_run(other)
    assert there(other) == ["bbb", "bbb.dvc"]
    versions.share_model(ws, None, "model: none")
    versions.push_record(ws)
    versions.prepare_run(other)
    assert there(other) == []


def test_of_two_clones_that_each_gave_a_model_the_later_commit_counts(ws: Path, origin: Path, tmp_path: Path) -> None:
    give(ws, "old")
    versions.push_record(ws)
    other = clone(origin, tmp_path / "other")
    versions.prepare_run(other)
    give(other, "aaa")
    fill(ws, "zzz")
    versions.share_model(ws, "zzz", "model: zzz")
    versions.push_record(ws)
    versions.prepare_run(other)
    assert there(other) == ["aaa", "aaa.dvc"]
    assert toy.messages(other)[:3] == ["model: aaa", "model: aaa", "model: zzz"]
    assert versions.push_record(other) is None
    versions.prepare_run(ws)
    assert there(ws) == ["aaa", "aaa.dvc"]


def test_a_worker_gets_the_model_and_loses_the_one_before(ws: Path, tmp_path: Path) -> None:
    clone_ = tmp_path / "worker"

    def there_too() -> str:
        placing.take(clone_, str(ws), placing.hand_out(ws, "relate"), "relate")
        versions.reproduce(clone_, "relate", quiet)
        return (clone_ / "data" / "relate" / "seen").read_text()

    assert there_too() == ""
    give(ws, "aaa")
    assert '"aaa"' in there_too()
    give(ws, "bbb")
    assert '"bbb"' in (seen := there_too()) and "aaa" not in seen
    assert there(clone_) == ["bbb", "bbb.dvc"]


@pytest.mark.kills
@pytest.mark.slow
def test_killed_at_every_step_there_is_one_model_and_the_next_call_finishes() -> None:
    with crash.fast_folder() as folder:
        start = make(folder / "beside" / "ws")
        give(start, "aaa")

        def at_rest(workspace: Path) -> list[str]:
            recorded = adopting._recorded(workspace)
            return [] if len(recorded) == 1 else [f"recorded are {recorded}"]

        def when_done(workspace: Path) -> list[str]:
            found = [f"{path} is changed" for _, path in git.changed(workspace, untracked=True)]
            return found + ([] if there(workspace) == ["bbb", "bbb.dvc"] else [f"there is {there(workspace)}"])

        points, problems = crash.go_through(start, lambda ws: give(ws, "bbb"), at_rest=at_rest, when_done=when_done)
        assert problems == []
        assert points > 15
        assert crash.lost_by_power(crash.trace(lambda ws: give(ws, "bbb"), crash.copy(start, folder / "power"))) == []


# --- a workspace that an older Assay made ----------------------------------------------------------------------------


def aged(folder: Path) -> Path:
    """A workspace as it was before there was data/model, with a comment and a stage of the user's own."""
    versions.init(folder)
    text = (folder / "dvc.yaml").read_text().replace(", data/model", "")
    text = text.replace("stages:\n", "stages:\n  mine:\n    cmd: echo mine\n    deps: [data/drops]\n")
    (folder / "dvc.yaml").write_text("# ours\n" + text)
    ignore = (folder / ".gitignore").read_text()
    (folder / ".gitignore").write_text("*.log\n" + ignore.replace("/report.html\n", ""))
    shutil.rmtree(folder / "data" / "model")
    git.commit(folder, "of old", ["dvc.yaml", ".gitignore", "data/model/.gitignore"])
    return folder


def test_an_older_workspace_gets_the_deps_the_folder_and_the_ignored_line_in_one_commit(tmp_path: Path) -> None:
    ws = aged(tmp_path / "ws")
    versions.prepare_run(ws)
    assert toy.messages(ws)[:2] == ["upgrade: what the stages of this Assay need", "of old"]
    for stage in ("relate", "audit", "detect"):
        assert data.deps_of(ws, stage).count("data/model") == 1
    assert (ws / "dvc.yaml").read_text().startswith("# ours\n")
    assert data.deps_of(ws, "mine") == ["data/drops"]
    ignored = (ws / ".gitignore").read_text().splitlines()
    assert (ignored[0], ignored[-1]) == ("*.log", "/report.html")
    assert (ws / "data" / "model" / ".gitignore").exists()
    assert git.git(ws, "status", "--porcelain") in ("", " M code.yaml")
    assert upgrade(ws) is False


def test_a_killed_upgrade_is_finished_and_a_change_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    ws = aged(tmp_path / "ws")
    before = (ws / "dvc.yaml").read_text()
    (ws / "dvc.yaml").write_text(with_deps(before, create.template("dvc.yaml")))
    versions.prepare_run(ws)
    assert "dvc.yaml" not in git.git(ws, "status", "--porcelain")
    again = aged(tmp_path / "again")
    with open(again / "dvc.yaml", "a") as file:
        file.write("# a thought\n")
    with pytest.raises(Mistake, match=r"has uncommitted changes in dvc.yaml"):
        versions.prepare_run(again)
    assert (again / "dvc.yaml").read_text() == (aged(tmp_path / "third") / "dvc.yaml").read_text() + "# a thought\n"


def test_deps_are_added_to_stages_with_our_command_only() -> None:
    newest = "stages:\n  a:\n    cmd: run a\n    deps: [x, y]\n"
    assert with_deps("stages:\n  a:\n    cmd: run a\n    deps: [x, own]\n", newest) == (
        "stages:\n  a:\n    cmd: run a\n    deps: [x, own, y]\n"
    )
    for other in (
        "stages:\n  a:\n    cmd: mine\n    deps: [x]\n",
        "stages:\n  b:\n    cmd: run a\n    deps: [x]\n",
        newest,
    ):
        assert with_deps(other, newest) == other
    assert with_lines("b\nc\n", "a\nb\n") == "b\nc\na\n"
