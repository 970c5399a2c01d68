"""Do tasks reach a real Label Studio, and do people's annotations come back, once each, for every label kind?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deliveries import AT, landing
from label_studio_server import Person, Studio, setup, studio
from test_cli import assay, sentence
from toy_label_studio import HOSTILE, choice, text
from toy_texts import chain, texts
from toy_workspace import run_stages

from flows import digits as demo_digits
from flows import label_studio, label_studio_http
from flows.phrases import phrases
from tasks import exchange, journal, receive, settling, store, versions
from tasks.model import MANIFEST, QUEUE, Task, label_json
from tasks.versions import git

__all__ = ["studio"]  # a fixture
pytestmark = [pytest.mark.label_studio, pytest.mark.timeout(900)]

RECORDED = Path(__file__).parent / "label_studio_export.json"
WRONG_TEXT = "Une phrase qui n'est pas la bonne, <b>&amp; =1+1</b>"


def delivered(folder: Path, kind: str) -> tuple[Path, Task]:
    """A landing folder with a few wrong labels."""
    if kind == "image":
        whole = demo_digits.digits()
        few = replace(whole, drops={"toy": np.arange(120)})
        demo_digits.write_drop(few, "toy", folder / "toy", noise=0.1, seed=0)
        return folder / "toy", Task("image", "single")
    if kind == "text":
        rows = [{"text": said, "label": topic, "id": f"t{n:03d}"} for n, (said, topic) in enumerate(texts(90))]
        rows[5]["label"], rows[17]["label"] = "harbour", "garden"
        task = Task("text", "single")
    else:
        truth = phrases()
        rows = [{"text": truth.english[n], "label": truth.french[n], "id": f"p{n:03d}"} for n in range(60)]
        rows[5]["label"], rows[6]["label"] = rows[6]["label"], rows[5]["label"]
        task = Task("text", "pairs")
    return landing(folder / "toy", {"labels.jsonl": "".join(json.dumps(row) + "\n" for row in rows)}), task


def queue(workspace: Path) -> list[Mapping[Any, Any]]:
    table = store.read_table(workspace / "data" / "triage" / "queue.parquet", QUEUE)
    return list(table.sort_values("rank").to_dict("records"))


@pytest.fixture
def key(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> str:
    """The owner's token, where the commands look for it."""
    monkeypatch.setenv(label_studio_http.KEY, studio.owner.token)
    return studio.owner.token


def answers(done: Any) -> str:
    """The line that counts what became of the rows."""
    assert done.returncode == 0, done
    assert "Traceback" not in done.stdout + done.stderr
    return str(next(line for line in done.stdout.splitlines() if line.startswith("Taken:")))


SAYS: Mapping[str, Callable[[str], Any]] = {"image": choice, "text": choice, "pairs": text}
RIGHT = {"image": "8", "text": "kitchen", "pairs": WRONG_TEXT}


@pytest.mark.parametrize("kind", ["image", "text", "pairs"])
def test_a_queue_is_pushed_annotated_pulled_and_revised_and_nothing_comes_twice(
    kind: str, studio: Studio, key: str, tmp_path: Path
) -> None:
    folder, task = delivered(tmp_path, kind)
    ws, home = tmp_path / f"ws-{kind}", tmp_path / "home"
    versions.init(ws, task=task)
    versions.share_drop(ws, receive.receive(folder, ws, received_at=AT).drop)
    run_stages(ws)
    rows = queue(ws)

    pushed = assay("export", "label-studio", "--push", studio.url, cwd=ws, home=home)
    assert pushed.returncode == 0, pushed
    assert f"{len(rows)} tasks are new, 0 were there." in pushed.stdout and "Made the project" in pushed.stdout
    again = assay("export", "label-studio", "--push", studio.url, cwd=ws, home=home)
    assert f"0 tasks are new, {len(rows)} were there." in again.stdout and "Found the project" in again.stdout
    assert key not in pushed.stdout + pushed.stderr + again.stdout + again.stderr

    project = int(pushed.stdout.split("/projects/")[1].split()[0])
    tasks = studio.owner.tasks(project)
    assert list(tasks) == [row["item"] for row in rows], "worst first"
    suggested = [row["suggestion"] is not None for row in rows]
    assert [task["total_predictions"] == 1 for task in tasks.values()] == suggested

    kept, changed, skipped, unsure = (row["item"] for row in rows[:4])
    studio.owner.annotate(tasks[kept]["id"], [choice("keep", control="action")])
    number = studio.owner.annotate(tasks[changed]["id"], [SAYS[kind](RIGHT[kind])])
    studio.owner.annotate(tasks[skipped]["id"], [], was_cancelled=True)
    studio.owner.annotate(tasks[unsure]["id"], [choice("unsure", control="action")])
    pulled = assay("answer", "--pull", studio.url, "--reviewer", "maria", cwd=ws, home=home)
    assert answers(pulled) == "Taken: 3 new, 0 already there, 0 refused, 1 left empty."
    assert "was skipped in Label Studio." in pulled.stdout
    pulled = assay("answer", "--pull", studio.url, "--reviewer", "maria", cwd=ws, home=home)
    assert answers(pulled) == "Taken: 0 new, 3 already there, 0 refused, 1 left empty."
    said = {one.subject: (one.reviewer, one.action, one.y) for one in journal.everything(ws)}
    wanted = label_json(RIGHT[kind])
    assert said == {
        f"item:{kept}": ("maria", "keep", None),
        f"item:{changed}": ("maria", "relabel", wanted) if rows[1]["y"] != wanted else ("maria", "keep", None),
        f"item:{unsure}": ("maria", "unsure", None),
    }

    run_stages(ws)
    tag = versions.publish(ws).tag
    assert tag == "dataset@v1.0.0"
    table = versions.read_dataset(ws, tag)
    assert dict(zip(table["item"], table["y"], strict=True))[changed] == wanted
    assert len(table) == len(store.read_table(ws / "data" / "ingest" / "manifest", MANIFEST))

    studio.owner.call("PATCH", f"/api/annotations/{number}/", json={"result": [choice("remove", control="action")]})
    pulled = assay("answer", "--pull", studio.url, "--reviewer", "maria", cwd=ws, home=home)
    assert answers(pulled) == "Taken: 1 new, 2 already there, 0 refused, 1 left empty."
    assert journal.everything(ws)[-1].action == "remove"
    assert assay("export", "label-studio", "--push", studio.url, cwd=ws, home=home).returncode == 0
    keys = [(one["assay_item"], one["assay_asset"], one["assay_given"]) for one in _data(studio.owner, project)]
    assert len(keys) == len(set(keys)), "no task is there twice"


def _data(person: Person, project: int) -> list[dict[str, Any]]:
    found = person.call("GET", "/api/tasks", params={"project": project, "page_size": 1000})["tasks"]
    return [task["data"] for task in found]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of three texts for each of the hostile names, which are its classes; not run by DVC."""
    folder = tmp_path_factory.mktemp("hostile")
    names = [HOSTILE[n % len(HOSTILE)] for n in range(3 * len(HOSTILE))]
    rows = [
        {"text": said, "label": name, "id": f"h{n:03d}"}
        for n, ((said, _), name) in enumerate(zip(texts(len(names)), names, strict=True))
    ]
    versions.init(folder / "ws", task=Task("text", "single"))
    content = "".join(json.dumps(row) + "\n" for row in rows)
    chain(landing(folder / "in", {"labels.jsonl": content}), folder / "ws")
    return folder / "ws"


@pytest.fixture
def workspace(hostile: Path, tmp_path: Path) -> Path:
    """A copy of it, with a first commit of its own: a workspace that no project belongs to."""
    ws = tmp_path / "ws"
    shutil.copytree(hostile, ws, symlinks=True)
    git.git(ws, "checkout", "-q", "--orphan", "own")
    git.git(ws, "commit", "-qm", str(tmp_path))
    return ws


def test_hostile_classes_pass_through_the_server_as_they_are(studio: Studio, key: str, workspace: Path) -> None:
    pushed = label_studio.push(workspace, studio.url)
    project = int(pushed.page.rsplit("/", 1)[1])
    tasks = list(studio.owner.tasks(project).values())
    names = list(HOSTILE)[: len(tasks)]
    assert len(names) == min(len(HOSTILE), pushed.new)
    for task, name in zip(tasks, names, strict=False):
        studio.owner.annotate(task["id"], [choice(name)])
    pulled = label_studio.pull(workspace, studio.url)
    outcome = exchange.answer_file(workspace, pulled.file, reviewer="ann", at="2099-01-01T00:00:00Z")
    assert (outcome.accepted, outcome.refused) == (len(names), ())
    said = {one.subject: one.y or str((one.seen or {})["y"]) for one in journal.everything(workspace)}
    items = [task["data"]["assay_item"] for task in tasks]
    assert said == {f"item:{item}": label_json(name) for item, name in zip(items, names, strict=False)}


def test_what_the_server_lets_pass_is_refused_here_with_its_reason(studio: Studio, key: str, workspace: Path) -> None:
    pushed = label_studio.push(workspace, studio.url)
    project = int(pushed.page.rsplit("/", 1)[1])
    first, second, third = list(studio.owner.tasks(project).values())[:3]
    studio.owner.annotate(first["id"], [choice("a class that nobody has")])
    changed = {**second["data"], "assay_asset": "f" * 64}
    studio.owner.call("PATCH", f"/api/tasks/{second['id']}/", json={"data": changed})
    studio.owner.annotate(second["id"], [choice("keep", control="action")])
    stranger = {**third["data"], "assay_item": "nobody's"}
    studio.owner.call("PATCH", f"/api/tasks/{third['id']}/", json={"data": stranger})
    studio.owner.annotate(third["id"], [choice("keep", control="action")])
    pulled = label_studio.pull(workspace, studio.url)
    outcome = exchange.answer_file(workspace, pulled.file, reviewer="ann", at="2099-01-01T00:00:00Z")
    assert outcome.accepted == 0
    assert [("has label 'a class" in one, "has assay_asset" in one, "has item" in one) for one in outcome.refused] == [
        (False, True, False),
        (True, False, False),
        (False, False, True),
    ]


def test_two_people_differ_and_each_is_named(studio: Studio, key: str, workspace: Path) -> None:
    bob = studio.join(f"bob-{workspace.parent.name}@example.org"[:60])
    pushed = label_studio.push(workspace, studio.url)
    project = int(pushed.page.rsplit("/", 1)[1])
    task = next(iter(studio.owner.tasks(project).values()))
    studio.owner.annotate(task["id"], [choice(HOSTILE[1])])
    bob.annotate(task["id"], [choice(HOSTILE[2])])
    done = assay("answer", "--pull", studio.url, "--reviewer", "maria", cwd=workspace)
    assert done.returncode == 3 and f"Name each: --person {bob.email}=NAME." in done.stdout
    done = assay("answer", "--pull", studio.url, "--reviewer", "maria", "--person", f"{bob.email}=bob", cwd=workspace)
    assert answers(done) == "Taken: 2 new, 0 already there, 0 refused, 0 left empty."
    assert sorted(one.reviewer for one in journal.everything(workspace)) == ["bob", "maria"]


def test_a_push_that_was_stopped_is_finished_by_the_next(
    studio: Studio, key: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_studio, "BATCH_TASKS", 5)

    def stop(sent: int) -> None:
        if sent == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label_studio.push(workspace, studio.url, progress=stop)
    finished = label_studio.push(workspace, studio.url)
    assert (finished.made, finished.already, finished.new) == (False, 10, len(queue(workspace)) - 10)


def test_a_class_that_came_later_joins_the_interface_and_what_people_changed_in_it_stays(
    studio: Studio, key: str, workspace: Path
) -> None:
    project = label_studio.push(workspace, studio.url).page.rsplit("/", 1)[1]
    config = studio.owner.call("GET", f"/api/projects/{project}/")["label_config"]
    own = config.replace("<Header ", '<Header value="Read the guideline." /><Header ', 1)
    studio.owner.call("PATCH", f"/api/projects/{project}/", json={"label_config": own})
    label_studio.push(workspace, studio.url)
    assert "Read the guideline." in studio.owner.call("GET", f"/api/projects/{project}/")["label_config"]
    settling.settle(workspace, f"class:{HOSTILE[0]}", "accept", reviewer="ann", at=AT)
    classes = workspace / "data" / "validate" / "classes.json"
    store.write_json(classes, {"version": "2", "classes": [*store.read_json(classes)["classes"], "brand <new>"]})
    label_studio.push(workspace, studio.url)
    assert "brand &lt;new&gt;" in studio.owner.call("GET", f"/api/projects/{project}/")["label_config"]


def test_a_file_from_the_export_button_is_read_like_a_pull(studio: Studio, key: str, workspace: Path) -> None:
    project = label_studio.push(workspace, studio.url).page.rsplit("/", 1)[1]
    task = next(iter(studio.owner.tasks(int(project)).values()))
    studio.owner.annotate(task["id"], [choice(HOSTILE[3])])
    for kind in ("JSON", "JSON_MIN"):
        everything = {"exportType": kind, "download_all_tasks": "true"}
        rows = studio.owner.call("GET", f"/api/projects/{project}/export", params=everything)
        (workspace / f"{kind}.json").write_text(json.dumps(rows))
    first = exchange.answer_file(workspace, workspace / "JSON.json", reviewer="ann", at="2099-01-01T00:00:00Z")
    second = exchange.answer_file(workspace, workspace / "JSON_MIN.json", reviewer="ann", at="2099-01-01T00:00:00Z")
    empty = len(queue(workspace)) - 1
    assert (first.accepted, first.already, first.unanswered, first.refused) == (1, 0, empty, ())
    assert (second.accepted, second.already, second.unanswered, second.refused) == (0, 1, empty, ())


def test_the_recorded_export_is_what_the_server_gives_today(studio: Studio, key: str, workspace: Path) -> None:
    project = label_studio.push(workspace, studio.url).page.rsplit("/", 1)[1]
    task = next(iter(studio.owner.tasks(int(project)).values()))
    studio.owner.annotate(task["id"], [choice(HOSTILE[3])])
    (live,) = json.loads(label_studio.pull(workspace, studio.url).file.read_text())
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))["JSON"][0]
    assert sorted(live) == sorted(recorded)
    assert sorted(live["annotations"][0]) == sorted(recorded["annotations"][0])


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_legacy_token_works_where_the_organisation_allows_it_and_else_is_one_sentence(
    studio: Studio, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(label_studio_http.KEY, setup.LEGACY_TOKEN)
    said = sentence(assay("answer", "--pull", studio.url, "--reviewer", "maria", cwd=workspace))
    assert "legacy token authentication has been disabled" in said and "Personal Access Token" in said
    jwt = studio.owner.call("GET", "/api/jwt/settings")
    studio.owner.call("POST", "/api/jwt/settings", json={**jwt, "legacy_api_tokens_enabled": True})
    assert label_studio.push(workspace, studio.url).made


def test_a_bad_token_a_wrong_address_and_a_server_that_is_away_are_one_sentence_each(
    studio: Studio, key: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(url: str) -> str:
        told = [
            sentence(assay("export", "label-studio", "--push", url, cwd=workspace)),
            sentence(assay("answer", "--pull", url, "--reviewer", "maria", cwd=workspace)),
        ]
        assert key not in "".join(told)
        return told[0]

    nothing = assay("answer", "--pull", studio.url, "--reviewer", "maria", cwd=workspace)
    assert "No project 'assay " in sentence(nothing)
    assert "is not Label Studio: it answers 404 to /elsewhere/api/token/refresh/" in said(f"{studio.url}/elsewhere")
    assert "cannot be reached" in said("http://127.0.0.1:9")
    monkeypatch.setenv(label_studio_http.KEY, key[:-6] + "AAAAAA")
    assert "refuses the token in LABEL_STUDIO_API_KEY: Token is invalid. Make a new one there" in said(studio.url)
    monkeypatch.setenv(label_studio_http.KEY, "no-token-at-all")
    assert "refuses the token in LABEL_STUDIO_API_KEY: Invalid token." in said(studio.url)
