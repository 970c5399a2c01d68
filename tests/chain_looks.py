"""What must be true of the toy of the kills (toy_chain.py): at rest after any kill, and when the work was done again.

A look returns what is wrong, in sentences; nothing is an empty list.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import crash
import toy_workspace
from toy_chain import NEW, OLD, bytes_in, content

from tasks import answers, journal, store, versions
from tasks.model import DELIVERED, REMOVED, Mistake, Verdict
from tasks.versions import data, git

ACME = [("a", "cat", b"one"), ("b", "dog", b"two"), ("c", "cat", b"three"), ("d", "E_ASSET_MISSING", None)]
BOLT = [("e", "dog", b"four"), ("f", "dog", b"one"), (None, "E_FIELDS", None)]
SAID_BEFORE = {("bob", "item:c", "keep"), ("carol", "item:c", "keep")}
SAID = SAID_BEFORE | {("ann", "item:a", "relabel"), ("ann", "item:b", "remove"), ("bob", "item:b", "remove")}


def delivered(folder: Path) -> list[tuple[str | None, str | None, bytes | None]]:
    """(id, label or code, bytes of the file) of every row of a drop, by way of its shards."""
    read = store.AssetReader(folder.parent)
    rows = store.read_table(folder / "labels.parquet", DELIVERED).to_dict("records")
    return [(r["id"], r["code"] or r["label"], read(r["shard"], r["row"]) if r["asset"] else None) for r in rows]


def half_drops(workspace: Path) -> list[str]:
    """A folder in data/drops is a whole drop: receipt, each file as the receipt says, each row with its bytes."""
    problems = []
    for folder in sorted(p for p in (workspace / "data" / "drops").iterdir() if p.is_dir()):
        try:
            for name, sha256 in store.read_json(folder / "receipt.json")["files"].items():
                if not (folder / name).exists() or store.sha256_file(folder / name) != sha256:
                    problems.append(f"{folder.name} lacks {name}")
            if not problems and delivered(folder) != (ACME if folder.name == "0001-acme" else BOLT):
                problems.append(f"{folder.name} has the rows {delivered(folder)}")
        except Mistake as error:
            problems.append(f"{folder.name} is half there: {error}")
    return problems


def left_over(workspace: Path) -> list[str]:
    found = {path for pattern in (".*.tmp-*", ".*.old-*", ".*.tmp") for path in workspace.rglob(pattern)}
    problems = [f"{path.relative_to(workspace)} is left over" for path in sorted(found)]
    return problems + [f"{path} is not committed" for _, path in git.changed(workspace, untracked=True)]


def no_half_drop(workspace: Path) -> list[str]:
    return crash.whole(workspace) + half_drops(workspace)


def received_once(expected: dict[str, bytes]) -> crash.Look:
    def look(workspace: Path) -> list[str]:
        problems = no_half_drop(workspace) + left_over(workspace)
        if (now := bytes_in(workspace, ("data/drops",))) != expected:
            differ = sorted(name for name in {*now, *expected} if now.get(name) != expected.get(name))
            problems.append(f"the drops differ from those of an undisturbed run: {differ}")
        if toy_workspace.messages(workspace)[:2] != ["receive: 0002-bolt", "revision: dataset@v1.0.0"]:
            problems.append(f"the commits are {toy_workspace.messages(workspace)}")
        if problems:
            return problems
        for path in (workspace / "data" / "drops" / "0002-bolt", workspace / ".dvc" / "cache"):
            shutil.rmtree(path)
        data.pull(workspace, "data/drops/0002-bolt.dvc")  # the remote has it too
        return half_drops(workspace)

    return look


def kept(verdicts: list[Verdict]) -> set[tuple[str, str, str]]:
    return {(verdict.reviewer, verdict.subject, verdict.action) for verdict in verdicts}


def no_answer_lost(workspace: Path) -> list[str]:
    there = kept(journal.everything(workspace))
    acknowledged = (workspace.parent / "acknowledged").exists()
    missing = (SAID if acknowledged else SAID_BEFORE) - there
    problems = [f"an acknowledged answer is lost: {one}" for one in sorted(missing)]
    problems += [f"an answer that nobody gave: {one}" for one in sorted(there - SAID)]
    for name in (".assay/journal", "data/verdicts"):
        ops = [verdict.op for path in (workspace / name).glob("*.jsonl") for _, verdict in answers.read_log(path)]
        problems += [f"{name} has an answer twice"] * (len(set(ops)) < len(ops))
    for reviewer in {name for name, _, _ in there}:
        recorded = git.show(workspace, "HEAD", f"data/verdicts/{reviewer}.jsonl") or ""
        log = workspace / "data" / "verdicts" / f"{reviewer}.jsonl"
        if recorded and not log.read_text().startswith(recorded):
            problems.append(f"the record of {reviewer} was rewritten")
    return problems + crash.whole(workspace)


def answered_once(expected: dict[str, bytes]) -> crash.Look:
    def look(workspace: Path) -> list[str]:
        problems = no_answer_lost(workspace) + left_over(workspace)
        if kept(answers.read(workspace / "data" / "verdicts")) != SAID:
            problems.append("the record is not what was said")
        aside = sorted((workspace / ".assay" / "journal" / "refused").iterdir())
        refused = [line for path in aside for line in path.read_text().splitlines()]
        if [json.loads(line)["source"] for line in refused] != ["answers.jsonl:4"]:
            problems.append(f"the refused row is kept {len(refused)} times")
        if bytes_in(workspace, ("data/verdicts", ".assay/journal/refused")) != expected:
            problems.append("the answers differ from those of an undisturbed run")
        if toy_workspace.messages(workspace)[:2] != ["answers: 4", "revision: dataset@v1.0.0"]:
            problems.append(f"the commits are {toy_workspace.messages(workspace)}")
        return problems

    return look


def no_half_table(workspace: Path) -> list[str]:
    """data/revise is the old one, the new one or absent; a report stands for the table that it counts."""
    folder, report = workspace / "data" / "revise", workspace / "data" / "revise.json"
    # a table that DVC has not recorded yet is not the newest revision's, as `verify` says; that one is safe elsewhere
    problems = [found for found in crash.whole(workspace) if "in the workspace has wrong bytes" not in found]
    try:
        counted = store.read_report(report).counts["items"] if report.exists() else None
        if not folder.exists():
            return problems + ["there is a report without a table"] * (counted is not None)
        removed = set(store.read_table(folder / "removed.parquet", REMOVED)["item"])
        found = (content(workspace), removed, store.read_json(folder / "classes.json"))
        if found not in [(OLD, set(), {"classes": ["cat", "dog"]}), (NEW, {"b"}, {"classes": ["cat", "dog"]})]:
            problems.append(f"the table is neither the old nor the new one: {found}")
        if counted not in (None, len(found[0])):
            problems.append(f"the report counts {counted} items of a table of {len(found[0])}")
    except Mistake as error:
        problems.append(f"data/revise is half there: {error}")
    return problems


def revised_once(expected: dict[str, bytes]) -> crash.Look:
    def look(workspace: Path) -> list[str]:
        problems = no_half_table(workspace) + crash.in_order(workspace) + left_over(workspace)
        if [revision.tag for revision in versions.log(workspace)] != ["dataset@v1.0.1", "dataset@v1.0.0"]:
            problems.append(f"the revisions are {versions.log(workspace)}")
        if toy_workspace.messages(workspace)[:2] != ["revision: dataset@v1.0.1", "answers: 4"]:
            problems.append(f"the commits are {toy_workspace.messages(workspace)}")
        if bytes_in(workspace, ("data/revise",)) != expected:
            problems.append("data/revise differs from that of an undisturbed run")
        return problems

    return look
