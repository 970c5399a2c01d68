"""What is a revision called, and what does it say about itself?

A revision is an annotated tag dataset@vMAJOR.MINOR.PATCH (GTO's form) on a commit that holds data/revision.json:

    {"tag": "dataset@v1.1.0", "parent": "dataset@v1.0.0", "counts": {"items": 1797, ...}, "classes": ["0", ...],
     "drops": ["0001-acme", ...], "files": {"data/revise/dataset.parquet": {"sha256": "9f..", "size": 48213}},
     "shards": {"data/drops/0001-acme/assets-0000.parquet": {...}}, "versions": {"revise": "5c.."}, "verdicts": {...}}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..model import Mistake
from . import git

MANIFEST = "data/revision.json"
PREFIX = "dataset@v"
BUMPS = ("major", "minor", "patch")  # the classes changed, drops were added, only labels changed

_TAG = re.compile(r"^(?:dataset@)?v?(\d+)\.(\d+)\.(\d+)$")


def version_of(tag: str) -> tuple[int, int, int] | None:
    """(1, 2, 0) for `dataset@v1.2.0`, `v1.2.0` or `1.2.0`; None for anything else."""
    found = _TAG.match(tag)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def tag_of(version: tuple[int, int, int]) -> str:
    return PREFIX + ".".join(map(str, version))


def short(tag: str) -> str:
    """A tag as in an address or a table; anything else as it is.

    >>> short("dataset@v1.2.0"), short("v1.2.0"), short("-")
    ('v1.2.0', 'v1.2.0', '-')
    """
    return tag.removeprefix("dataset@")


def newest(tags: Iterable[str]) -> str | None:
    """The highest revision among `tags`; other tags are passed over."""
    versions = [version for tag in tags if (version := version_of(tag)) is not None]
    return tag_of(max(versions)) if versions else None


def after(tag: str | None, bump: str) -> str:
    """The tag that follows `tag`; the first one is dataset@v1.0.0."""
    if tag is None or (version := version_of(tag)) is None:
        return PREFIX + "1.0.0"
    major, minor, patch = version
    following = {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0), "patch": (major, minor, patch + 1)}
    return tag_of(following[bump])


def candidates(parent: str | None, tags: set[str], bump: str) -> list[str]:
    """Tags to try in turn: after the parent; what is newest (it may be ours, from a killed call); after the newest.

    The parent is not the newest when somebody went back to an older revision and goes on from there.
    """
    top = newest(tags)
    wanted = [after(parent, bump), top if top != parent else None, after(top, bump)]
    return list(dict.fromkeys(tag for tag in wanted if tag is not None))


def bump_between(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """How far the version moves: "major" when the classes differ, "minor" when drops do, else "patch"."""
    if before is None or set(now["classes"]) != set(before["classes"]):
        return "major"
    return "minor" if set(now["drops"]) != set(before["drops"]) else "patch"


def all_tags(workspace: Path) -> list[str]:
    """Every revision's tag, newest first."""
    tags = git.git(workspace, "tag", "--list", PREFIX + "*").split()
    return sorted((tag for tag in tags if version_of(tag)), key=lambda tag: version_of(tag) or (), reverse=True)


def parent_of_head(workspace: Path) -> str | None:
    """The revision that the current branch stands on: the newest one it contains."""
    return newest(git.git(workspace, "tag", "--merged", "HEAD", "--list", PREFIX + "*").split())


def resolve(workspace: Path, revision: str) -> str:
    """`v1.0.0` or `dataset@v1.0.0` as the tag; Mistake for an unknown one names the newest five."""
    version = version_of(revision)
    tags = all_tags(workspace)
    if version is not None and tag_of(version) in tags:
        return tag_of(version)
    if not tags:
        raise Mistake(f"Unknown revision '{revision}'. There is no revision yet. Run: assay revise")
    raise Mistake(f"Unknown revision '{revision}'. The newest are: {', '.join(tags[:5])}. Run: assay log")


def at(workspace: Path, tag: str) -> dict[str, Any]:
    """data/revision.json of a revision."""
    text = git.show(workspace, tag, f"./{MANIFEST}")
    if text is None:
        raise Mistake(f"Tag '{tag}' has no {MANIFEST}: it was not made by assay revise. Run: assay log")
    content: dict[str, Any] = json.loads(text)
    return content
