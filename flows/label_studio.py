"""How do tasks get to a Label Studio server, and people's annotations back?

Six calls, no SDK (label_studio_http.py): the project found, made or given a new class, tasks in, an export out, who
people are. What is there is always asked of the server's own export, never remembered here, so both directions may be
stopped anywhere and made again: `push` adds what the project lacks, `pull` is read as a file of answers whose ops come
from the annotations. The project is found by its title, which ends in a name that is the same in every clone.

Source  https://api.labelstud.io; seen with 1.23.2
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tasks import durable, exchange, versions
from tasks.formats import Handout, label_studio
from tasks.model import Mistake

from .label_studio_http import Server, server

BATCH_BYTES, BATCH_TASKS = 8 * 2**20, 500  # of one import
TITLE = 50  # characters that Label Studio allows


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push has done."""

    title: str
    page: str  # of the project
    made: bool  # the project is new
    new: int  # tasks
    already: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """An export, as it came."""

    file: Path
    addresses: Mapping[str, str]  # number of a person -> e-mail address


def push(workspace: Path, url: str, *, progress: Callable[[int], None] = lambda sent: None) -> Pushed:
    """Send the queue's tasks that the project lacks; the project is made, or given the classes that it lacks."""
    with versions.lock(workspace), server(url) as studio:
        handout = exchange.hand_out(workspace)
        interface = label_studio.interface(handout)
        project = _find(studio, workspace)
        made = project is None
        if project is None:
            content = {"title": _title(workspace), "description": "Tasks of Assay.", "label_config": interface}
            project = studio.json("POST", "/api/projects/", json=content)
        elif not _asks_for_all(str(project.get("label_config")), handout):
            studio.json("PATCH", f"/api/projects/{int(project['id'])}/", json={"label_config": interface})
        number = int(project["id"])
        there = set() if made else label_studio.asked(_export(studio, workspace, number, everything=True))
        new = already = 0
        for batch in _batches(handout, there):
            already += batch.passed
            if batch.tasks:
                answer = studio.json(
                    "POST", f"/api/projects/{number}/import", content=b"[" + b",".join(batch.tasks) + b"]"
                )
                taken = answer.get("task_count", len(batch.tasks))  # where imports wait in a queue there is no count
                if taken != len(batch.tasks):
                    raise Mistake(f"Label Studio at '{url}' took {taken} of {len(batch.tasks)} tasks. Push again.")
                new += len(batch.tasks)
                progress(new)
    return Pushed(str(project["title"]), f"{studio.url}/projects/{number}", made, new, already)


def pull(workspace: Path, url: str) -> Pulled:
    """Everything that people have annotated in the workspace's project, into .assay/cache/label-studio."""
    with server(url) as studio:
        project = _find(studio, workspace)
        if project is None:
            raise Mistake(
                f"No project '{_mark(workspace)}' at '{url}'. Make it with: assay export label-studio --push {url}"
            )
        file = _export(studio, workspace, int(project["id"]), everything=False)
        people = studio.json("GET", "/api/users/")
    known = [one for one in people if isinstance(one, dict)] if isinstance(people, list) else []
    return Pulled(file, {str(one.get("id")): str(one["email"]) for one in known if one.get("email")})


# --- the project -----------------------------------------------------------------------------------------------------


def _mark(workspace: Path) -> str:
    return f"assay {versions.identity(workspace)[:12]}"


def _title(workspace: Path) -> str:
    mark = _mark(workspace)
    return f"{workspace.resolve().name[: TITLE - len(mark) - 3]} · {mark}"


def _find(studio: Server, workspace: Path) -> dict[str, Any] | None:
    mark = _mark(workspace)
    listed = studio.json("GET", "/api/projects/", params={"title": mark, "page_size": "100"})
    found = listed.get("results") if isinstance(listed, dict) else listed
    if not isinstance(found, list):
        raise studio.is_another("it lists no projects")
    ours = [one for one in found if isinstance(one, dict) and mark in str(one.get("title"))]
    if len(ours) > 1:
        numbers = ", ".join(str(one.get("id")) for one in ours)
        raise Mistake(f"{len(ours)} projects at '{studio.url}' are called '{mark}': {numbers}. Rename all but one.")
    return ours[0] if ours else None


def _asks_for_all(config: str, handout: Handout) -> bool:
    """Whether the interface there has our controls and every class; what else people have changed in it is theirs."""
    if "<!DOCTYPE" in config:
        return False
    try:
        there = {one.get("name"): one for one in ElementTree.fromstring(config).iter() if one.get("name")}
    except ElementTree.ParseError:
        return False
    control = there.get(label_studio.LABEL)
    if control is None or control.tag != handout.control.tag or label_studio.ACTION not in there:
        return False
    asked, wanted = (
        {one.get("alias", one.get("value")) for one in place.iter()} for place in (control, handout.control)
    )
    return wanted <= asked


def _export(studio: Server, workspace: Path, number: int, *, everything: bool) -> Path:
    """The project's export; `everything`: also the tasks that nobody has annotated."""
    file = workspace / ".assay" / "cache" / "label-studio" / f"project-{number}{'-all' if everything else ''}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    chosen = {"exportType": "JSON", "download_all_tasks": str(everything).lower()}
    durable.write_with(file, lambda path: studio.save(path, f"/api/projects/{number}/export", chosen))
    return file


@dataclass(frozen=True, slots=True)
class _Batch:
    tasks: list[bytes]  # as JSON
    passed: int  # tasks that are there already


def _batches(handout: Handout, there: set[tuple[str, str, str]]) -> Iterator[_Batch]:
    tasks: list[bytes] = []
    size = passed = 0
    for question in handout.questions:
        if (question.item, question.asset, question.given) in there:
            passed += 1
            continue
        task = json.dumps(label_studio.task(question, handout), allow_nan=False).encode()
        if tasks and (size + len(task) > BATCH_BYTES or len(tasks) == BATCH_TASKS):
            yield _Batch(tasks, passed)
            tasks, size, passed = [], 0, 0
        tasks.append(task)
        size += len(task)
    yield _Batch(tasks, passed)
