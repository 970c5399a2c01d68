"""Is each mistake in params.yaml one sentence that names the file, the key, the value and what is allowed?"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import tasks
from tasks import params, versions
from tasks.model import Mistake, Task


@dataclass(frozen=True, slots=True)
class Audit:
    """A section as a stage declares it."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    task: Task = field(default_factory=Task)
    folds: int = 5  # at least 2
    rate: float = 0.1
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise ValueError("folds: at least 2 is allowed")


@dataclass(frozen=True, slots=True)
class Plain:
    """A section of a stage that does not ask for the task."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    size: int = 8


CLASSES: dict[str, type[Any]] = {"audit": Audit, "plain": Plain}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "params.yaml"


def mistake(path: Path, text: str | bytes) -> str:
    """What `assay run` says of a params.yaml, without the path that it begins with."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Mistake) as caught:
        params.sections(path, CLASSES)
    start = f"File '{path}' "
    assert str(caught.value).startswith(start)
    return str(caught.value).removeprefix(start)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "audit:\nplain:\n",
        "audit: {}\nplain: {}\ntask: {}",
        "task:\n",
        "# nothing but a comment\naudit: {folds: 5}",
    ],
)
def test_what_is_not_said_is_the_default(path: Path, text: str) -> None:
    path.write_text(text)
    assert params.sections(path, CLASSES) == {"audit": Audit(), "plain": Plain()}


def test_what_is_said_arrives_with_its_type_and_the_task_beside_it(path: Path) -> None:
    path.write_text("task: {modality: text, kind: ner}\naudit: {folds: 3, rate: 1, names: [a, '007']}\n")
    audit = params.section(path, "audit", Audit)
    assert audit == Audit(task=Task("text", "ner"), folds=3, rate=1.0, names=("a", "007"))
    assert type(audit.rate) is float
    assert params.section(path, "plain", Plain) == Plain()
    assert params.section(path, "task", Task) == Task("text", "ner")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("audit: {fold: 3}", "has unknown key 'audit.fold'. Keys of 'audit' are: task, folds, rate, names."),
        ("plain: {task: {kind: ner}}", "has unknown key 'plain.task'. Keys of 'plain' are: size."),
        ("task: {kinds: single}", "has unknown key 'task.kinds'. Keys of 'task' are: modality, kind."),
        ("audits: {folds: 3}", "has unknown section 'audits'. Sections are: task, audit, plain."),
        (
            "audit: {folds: five}",
            "has audit.folds = 'five'. Input should be a valid integer, unable to parse string as an integer.",
        ),
        (
            "audit: {folds: 2.5}",
            "has audit.folds = 2.5. Input should be a valid integer, got a number with a fractional part.",
        ),
        ("audit: {folds: null}", "has audit.folds = None. Input should be a valid integer."),
        ("audit: {names: [a, [b]]}", "has audit.names.1 = ['b']. Input should be a valid string."),
        ("audit: {folds: 1}", "has audit.folds = 1. folds: at least 2 is allowed."),
        (
            "audit: {names: [a], folds: 0, task: {}}",
            "has audit.names = ['a'], audit.folds = 0. folds: at least 2 is allowed.",
        ),
        ("audit: {5: 1}", "has audit.5 = 5. Keys should be strings."),
        ("task: {kind: [single]}", "has task.kind = ['single']. Input should be a valid string."),
    ],
)
def test_a_wrong_key_section_type_or_value_is_a_sentence(path: Path, text: str, sentence: str) -> None:
    assert mistake(path, text) == sentence


SECTIONS = "must be sections of keys, as in `audit:` followed by indented `folds: 5`."


@pytest.mark.parametrize("text", ["", "folds", "- audit", "audit: 5", "audit: [folds, 5]", "folds: 5\naudit: {}"])
def test_what_is_not_sections_of_keys_is_said(path: Path, text: str) -> None:
    assert mistake(path, text) == SECTIONS


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("audit: {folds: 5", "expected ',' or '}'"),
        ("audit:\n\tfolds: 5", r"found character '\t' that cannot start any token"),
        ("audit: {}\naudit: {}", 'found duplicate key "audit"'),
        ("audit: *nobody", "found undefined alias"),
        ("--- {}\n--- {}", "expected a single document"),
        ("[" * 100_000, "maximum recursion depth exceeded"),
        ("audit: {folds: " + "9" * 5000 + "}", "Exceeds the limit (4300 digits)"),
        ("audit: {names: 2001-99-99}", "month must be in 1..12"),
        ("audit: !!python/object/apply:os.system ['true']", "could not determine a constructor for the tag"),
        (b"audit: {names: ['\xff']}", "'utf-8' codec can't decode byte 0xff in position 17"),
    ],
)
def test_what_is_no_yaml_is_one_line_that_says_where(path: Path, text: str | bytes, part: str) -> None:
    sentence = mistake(path, text)
    assert sentence.startswith("is not YAML: ") and sentence.endswith(".") and part in sentence
    assert "\n" not in sentence


def test_an_absent_file_names_the_command_that_makes_one(path: Path) -> None:
    with pytest.raises(Mistake) as caught:
        params.read(path)
    assert str(caught.value) == f"No params.yaml in '{path.parent}'. Make a workspace with: assay init DIR"


def test_the_first_of_several_mistakes_is_told_and_none_is_passed_over(path: Path) -> None:
    assert mistake(path, "audit: {folds: x}\nplain: {size: y}").startswith("has audit.folds = 'x'.")
    assert mistake(path, "audit: {folds: 4}\nplain: {size: y}").startswith("has plain.size = 'y'.")


@pytest.mark.parametrize("stage", tasks.STAGES)
def test_a_new_workspace_has_every_stages_defaults_and_a_slip_in_its_section_is_told(stage: str, path: Path) -> None:
    cls = tasks.stage_module(stage).Params
    path.write_text(versions.create.template("params.yaml"))
    assert params.section(path, stage, cls) == cls()
    path.write_text(f"{stage}: {{no_such_key: 1}}")
    keys = ", ".join(item for item in cls.__dataclass_fields__)
    with pytest.raises(Mistake) as caught:
        params.section(path, stage, cls)
    assert str(caught.value) == (f"File '{path}' has unknown key '{stage}.no_such_key'. Keys of '{stage}' are: {keys}.")
