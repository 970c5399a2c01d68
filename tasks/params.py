"""Is params.yaml right, and what does it say?

The one home of pydantic. Each stage hands in its own frozen Params class and gets its own section, checked: an unknown
key, a wrong type, or a value outside its range (a Params class checks ranges in `__post_init__` and raises ValueError)
is one sentence that names the file, the key, the value and what is allowed.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from .model import Mistake, Task

P = TypeVar("P")


def read(path: Path) -> dict[str, Any]:
    """The whole of params.yaml, unchecked; Mistake when it is absent, not YAML or not a mapping of sections."""
    content = parse(path)
    if not isinstance(content, dict) or not all(isinstance(value, dict | None) for value in content.values()):
        raise Mistake(f"File '{path}' must be sections of keys, as in `audit:` followed by indented `folds: 5`.")
    return content


def parse(path: Path) -> Any:
    """A YAML file as plain values; Mistake when it is absent or not YAML."""
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Mistake(f"No {path.name} in '{path.parent}'. Make a workspace with: assay init DIR") from None
    except (YAMLError, ValueError, RecursionError) as error:  # of bytes, dates and numbers; of endless nesting
        raise Mistake(f"File '{path}' is not YAML: {' '.join(str(error).split())}.") from None


def section(path: Path, name: str, cls: type[P]) -> P:
    """Section `name` of the params.yaml at `path` as a checked `cls`.

    If `cls` has a field `task`, it is filled from the `task:` section. A missing section means all defaults.
    """
    content = read(path)
    values = dict(content.get(name) or {})
    if any(item.name == "task" for item in dataclasses.fields(cls)):  # type: ignore[arg-type]
        values["task"] = check(path, "task", Task, content.get("task") or {})
    return check(path, name, cls, values)


def check(path: Path, name: str, cls: type[P], values: dict[str, Any]) -> P:
    """`values` as a `cls`; Mistake names the file, the key, the value and what is allowed."""
    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        where = f"{name}.{key}" if key else name
        allowed = ", ".join(item.name for item in dataclasses.fields(cls))  # type: ignore[arg-type]
        if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            raise Mistake(f"File '{path}' has unknown key '{where}'. Keys of '{name}' are: {allowed}.") from None
        reason = first["msg"].removeprefix("Value error, ").rstrip(".")
        # A range is checked by the class, which names no key; what is wrong is among the keys that were given.
        wrong = {where: first["input"]} if key else {f"{name}.{k}": v for k, v in values.items() if k != "task"}
        said = ", ".join(f"{key} = {value!r:.80}" for key, value in wrong.items())
        raise Mistake(f"File '{path}' has {said}. {reason}.") from None


def sections(path: Path, classes: dict[str, type[Any]]) -> dict[str, Any]:
    """Every section checked at once, as `assay run` does first; an unknown section is a Mistake."""
    content = read(path)
    for name in content:
        if name != "task" and name not in classes:
            allowed = ", ".join(["task", *classes])
            raise Mistake(f"File '{path}' has unknown section '{name}'. Sections are: {allowed}.")
    return {name: section(path, name, cls) for name, cls in classes.items()}
