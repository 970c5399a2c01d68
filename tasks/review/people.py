"""Who may answer? Everybody has a name, a role and a token that the server knows by its hash only.

Reads   .assay/reviewers.json
Writes  .assay/reviewers.json (mode 600)    name -> role and the sha256 of the token; the token itself is nowhere

    {"maria": {"added": "2026-11-21T10:00:00+00:00", "role": "labeler", "token_sha256": "9f86d0.."}}

On loopback nobody need be in the file: the person at the machine comes in by a link (sessions.py).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import durable
from ..answersheet import check_reviewer
from ..model import MACHINE, Mistake

FILE = ".assay/reviewers.json"
ROLES = ("labeler", "reviewer")
OWNER = "owner"  # as in `assay accept`
TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may answer."""

    name: str
    role: str  # labeler: answers; reviewer: signs off and settles too
    token_sha256: str  # hex
    added: str  # UTC, ISO 8601


def people(workspace: Path) -> dict[str, Person]:
    """Everybody by name, sorted; empty without the file. Mistake for a file that is not ours."""
    path = workspace / FILE
    try:
        content = json.loads(path.read_bytes())
        found = {name: Person(name, one["role"], one["token_sha256"], one["added"]) for name, one in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        raise Mistake(f"File '{path}' is damaged. Move it away, then add everybody: assay reviewer add NAME") from None
    return dict(sorted(found.items()))


def check_person(name: str) -> str:
    """The name of somebody who may answer; Mistake with what is allowed."""
    check_reviewer(name)
    if name == MACHINE:
        raise Mistake(f"Reviewer '{name}' is no person: bulk changes have that name. Choose another one.")
    return name


def at_this_machine(known: Mapping[str, Person], name: str | None) -> str | None:
    """Who sits here: `name`, or `owner` where nobody has said who could come in; None: everybody has their token."""
    if name is None:
        return None if known else OWNER
    return check_person(name)


def add(workspace: Path, name: str, role: str, *, at: str) -> str:
    """Give a person a token, which is returned and kept nowhere; a person who has one gets a new one, and this role."""
    check_person(name)
    if role not in ROLES:
        raise Mistake(f"Reviewer '{name}' has role '{role}'. Roles are: {', '.join(ROLES)}.")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with held(workspace):
        found = people(workspace)
        _write(workspace, {**found, name: Person(name, role, sha256(token), at)})
    return token


def remove(workspace: Path, name: str) -> None:
    """End a person's token and sessions; their answers stay. Mistake for an unknown name."""
    with held(workspace):
        found = people(workspace)
        if name not in found:
            known = f"Reviewers are: {', '.join(found)}." if found else "There is nobody yet: assay reviewer add NAME"
            raise Mistake(f"Unknown reviewer '{name}'. {known}")
        _write(workspace, {other: person for other, person in found.items() if other != name})


def _write(workspace: Path, found: Mapping[str, Person]) -> None:
    content = {
        name: {"role": one.role, "token_sha256": one.token_sha256, "added": one.added} for name, one in found.items()
    }
    write_private(workspace / FILE, json.dumps(content, indent=2, sort_keys=True).encode() + b"\n")


def write_private(path: Path, content: bytes) -> None:
    """Durable, and never for a moment readable by others."""

    def fill(temporary: Path) -> None:
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)

    durable.write_with(path, fill)


@contextmanager
def held(workspace: Path) -> Iterator[None]:
    """Alone with the files of people and keys."""
    (workspace / ".assay").mkdir(exist_ok=True)
    with open(workspace / ".assay" / "reviewers.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def sha256(token: str) -> str:
    """What is kept of a token, hex."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
