"""How does the result of `revise` become a revision that never changes?

Writes data/revision.json, then, in this order: re-read -> dvc commit -> dvc push -> prove the objects on the remote ->
commit -> annotated tag. The commit point moves branch and tag at once: `git push --atomic` where there is a git remote
(a compare-and-swap: of two publishers one wins), else one `git update-ref --stdin`.

Covered: a crash anywhere leaves orphans only, and the next call finishes; a dead remote leaves the revision pending,
without a tag; an object that DVC sent with wrong bytes is found and sent again. Not covered: who rewrites tags by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model import Mistake, RevisionConflict, counted
from . import data, git, manifest, seal
from .manifest import MANIFEST
from .objects import ADDED, Store, outs_at, send, store
from .sharing import commit_answers, commit_run, own_changes, restore, share_drop, unshared_drops
from .workspace import ready, require_clean


@dataclass(frozen=True, slots=True)
class Published:
    """What `publish` did."""

    tag: str  # dataset@v1.2.0; while pending, the one it is going to be
    parent: str | None
    counts: Mapping[str, int]
    new: bool = True  # False: nothing had changed since `tag`
    pending: bool = False  # True: a remote does not answer; run it again later
    note: str = ""  # why it is pending

    @property
    def sentence(self) -> str:
        """What happened, for a person."""
        if self.pending:
            return self.note
        return (
            f"Published '{self.tag}': {counted(self.counts)}."
            if self.new
            else f"Nothing has changed since '{self.tag}'."
        )


def publish(workspace: Path, *, bump: str | None = None) -> Published:
    """Publish data/revise as the next revision; `bump` (major, minor, patch) overrides what the change suggests."""
    if bump not in (None, *manifest.BUMPS):
        raise Mistake(f"Unknown bump '{bump}'. Bumps are: {', '.join(manifest.BUMPS)}.")
    with ready(workspace) as workspace:
        require_clean(workspace)
        branch = git.branch(workspace)
        for drop in unshared_drops(workspace):
            share_drop(workspace, drop)
        commit_answers(workspace)
        if reason := data.out_of_date(workspace, "revise"):
            raise Mistake(f"data/revise is not up to date ({reason}). Run: assay revise")
        remote = git.remote(workspace)
        try:
            upstream = fetch(workspace, remote, branch) if remote else None
            return _publish(workspace, branch, remote, upstream, bump)
        except data.RemoteDown as down:
            return _pending(workspace, bump, down)


def require_published(workspace: Path) -> str:
    """The newest revision, whose table data/revise is; Mistake where the table has moved on, or there is none."""
    parent, before, built = _built(workspace)
    if before is None:
        raise Mistake("There is no revision yet. Run: assay revise")
    if built["files"] != before["files"]:
        raise Mistake(f"The table in data/revise is not that of '{parent}' any more. Publish it first: assay revise")
    return str(parent)


def _publish(workspace: Path, branch: str, remote: str | None, upstream: str | None, bump: str | None) -> Published:
    parent, before, built = _built(workspace)
    if not built["counts"]["items"]:
        raise Mistake("The revision would be empty: no item has passed the gate. Run: assay receive FOLDER")
    if before is not None and built["files"] == before["files"]:
        commit_run(workspace, "curate: refresh")
        return Published(str(parent), before["parent"], before["counts"], new=False)
    tags = set(manifest.all_tags(workspace))
    for tag in manifest.candidates(parent, tags, bump or manifest.bump_between(built, before)):
        content = built | {"tag": tag}
        seal.write(workspace, content)
        git.stage(workspace, own_changes(workspace))
        tree = git.git(workspace, "write-tree")
        if tag in tags:  # ours, if a crash came between the commit point and our own branch
            if _adopt(workspace, branch, tag, tree):
                return Published(tag, parent, content["counts"])
            continue
        if upstream and not git.is_ancestor(workspace, upstream, "HEAD"):
            raise _conflict(workspace, branch, remote)
        _send(workspace, parent)
        commit = _commit(workspace, tree, f"revision: {tag}")
        _move(workspace, branch, remote, commit, tag, _annotate(workspace, commit, content))
        return Published(tag, parent, content["counts"])
    raise AssertionError("the tag after the newest one is free")


def _built(workspace: Path) -> tuple[str | None, dict[str, Any] | None, dict[str, Any]]:
    """The parent's tag, its manifest, and that of data/revise."""
    parent = manifest.parent_of_head(workspace)
    before = manifest.at(workspace, parent) if parent else None
    return parent, before, seal.build(workspace, parent, before)


def _pending(workspace: Path, bump: str | None, down: data.RemoteDown) -> Published:
    restore(workspace, [path for path in own_changes(workspace) if path == MANIFEST])  # no such revision yet
    parent, before, built = _built(workspace)
    tag = manifest.after(parent, bump or manifest.bump_between(built, before))
    note = f"The remote does not answer ({down}). Revision '{tag}' is pending, nothing is lost. Later: assay revise"
    return Published(tag, parent, built["counts"], pending=True, note=note)


# --- the bytes -------------------------------------------------------------------------------------------------------


def _send(workspace: Path, parent: str | None) -> None:
    """Every object of the workspace onto the remote, and proof of those that the parent has not proved there."""
    data.commit(workspace, "revise")
    _mend_cache(workspace, parent)
    send(workspace)
    with store(workspace) as objects:
        new = set(_new_objects(workspace, parent, objects).values())
        for oid in objects.wrong_on_remote(new):
            objects.send_again(oid)
        if wrong := objects.wrong_on_remote(new):
            raise Mistake(f"The DVC remote keeps object '{wrong[0]}' with wrong bytes. Mend it, then run: assay revise")
        objects.sync_remote(new)


def _new_objects(workspace: Path, parent: str | None, objects: Store) -> dict[str, str]:
    """Path -> oid of what the parent does not name; outs of other stages count only where we have them."""
    outs, old = outs_at(workspace, None), outs_at(workspace, parent) if parent else {}
    here = {p: oid for p, oid in outs.items() if objects.cached(oid).exists() or p == "data/revise"}
    known = objects.files({p: oid for p, oid in old.items() if objects.cached(oid).exists()})
    return {p: oid for p, oid in objects.files(here).items() if oid not in set(known.values())}


def _mend_cache(workspace: Path, parent: str | None) -> None:
    """Take objects with wrong bytes out of the cache and fill it again from data/, which the manifest has proved."""
    outs = outs_at(workspace, None)
    _forget_and_refill(workspace, {path: oid for path, oid in outs.items() if oid.endswith(".dir")})
    with store(workspace) as objects:  # only now can every folder's listing be believed
        new = _new_objects(workspace, parent, objects)
    _forget_and_refill(workspace, new)


def _forget_and_refill(workspace: Path, chosen: Mapping[str, str]) -> None:
    with store(workspace) as objects:
        wrong = {p: o for p, o in chosen.items() if objects.cached(o).exists() and not objects.is_right_in_cache(o)}
        for oid in wrong.values():
            objects.forget(oid)
    for out in outs_at(workspace, None):
        if any(path == out or path.startswith(out + "/") for path in wrong):
            data.commit(workspace, out + ".dvc" if out.startswith(ADDED) else out)


# --- branch and tag --------------------------------------------------------------------------------------------------


def fetch(workspace: Path, remote: str, branch: str) -> str | None:
    """Bring the remote's branch and tags here; its branch's commit, or None if it has none yet."""
    shallow = ["--unshallow"] if git.git(workspace, "rev-parse", "--is-shallow-repository") == "true" else []
    try:
        git.change(workspace, "fetch", "--quiet", "--tags", *shallow, remote)
    except git.GitFailed as failure:
        if "would clobber existing tag" in failure.output:
            raise RevisionConflict(
                f"A tag differs here and on '{remote}'. Compare: git ls-remote --tags {remote}"
            ) from None
        raise data.RemoteDown(f"git fetch {remote}: {failure.output.splitlines()[0]}") from None
    return git.commit_of(workspace, f"refs/remotes/{remote}/{branch}")


def _conflict(workspace: Path, branch: str, remote: str | None) -> RevisionConflict:
    newest = (manifest.all_tags(workspace) or ["none"])[0]
    return RevisionConflict(
        f"Branch '{branch}' has moved on '{remote}' meanwhile (newest revision: {newest}). Nothing was published. "
        "Take it in and run the stages again with: assay revise"
    )


def _commit(workspace: Path, tree: str, message: str) -> str:
    """A commit of `tree` upon HEAD that no branch names yet; HEAD itself if a crash had already made it."""
    if tree == git.tree_of(workspace, "HEAD"):
        return git.git(workspace, "rev-parse", "HEAD")
    return git.change(workspace, "commit-tree", tree, "-p", "HEAD", "-m", message)


def _annotate(workspace: Path, commit: str, content: Mapping[str, Any]) -> str:
    """An annotated tag object that no ref names yet."""
    who = git.git(workspace, "var", "GIT_COMMITTER_IDENT")
    tag = content["tag"]
    text = f"object {commit}\ntype commit\ntag {tag}\ntagger {who}\n\n{tag}: {counted(content['counts'])}\n"
    return git.change(workspace, "mktag", stdin=text)


def _move(workspace: Path, branch: str, remote: str | None, commit: str, tag: str, annotated: str) -> None:
    """The commit point: branch and tag together or neither."""
    if remote is not None:
        pushed = [f"{commit}:refs/heads/{branch}", f"{annotated}:refs/tags/{tag}"]
        try:
            git.change(workspace, "push", "--quiet", "--atomic", remote, *pushed)
        except git.GitFailed as failure:
            if re.search(r"rejected|fetch first|non-fast-forward|already exists|cannot lock ref", failure.output):
                raise _conflict(workspace, branch, remote) from None
            raise data.RemoteDown(f"git push {remote}: {failure.output.splitlines()[0]}") from None
    head = git.git(workspace, "rev-parse", "HEAD")
    moves = f"start\nupdate refs/heads/{branch} {commit} {head}\ncreate refs/tags/{tag} {annotated}\nprepare\ncommit\n"
    git.change(workspace, "update-ref", "--stdin", stdin=moves)


def _adopt(workspace: Path, branch: str, tag: str, tree: str) -> bool:
    """Whether `tag` is the revision that we were about to publish; then our branch follows it."""
    commit, head = git.commit_of(workspace, tag), git.git(workspace, "rev-parse", "HEAD")
    if commit is None or git.tree_of(workspace, tag) != tree:
        return False
    if git.ask(workspace, "rev-parse", f"{commit}^") != head:
        return False
    git.change(workspace, "update-ref", f"refs/heads/{branch}", commit, head)
    return True
