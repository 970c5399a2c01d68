"""kill -9 before every numbered step of receive, answer and revise; then the same call again.

After the second call the bytes are those of a run that nobody disturbed. The last tests break the code and expect the
harness to say so, or its zero proves nothing. Publishing and sharing by themselves: test_kills.py.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import crash
import dvc.stage.run
import pytest
import toy_workspace
from deliveries import landing, tree
from toy_answers import AT, sheet

import tasks
from tasks import answers, durable, exchange, journal, receipts, receive, revise, store, versions
from tasks.model import DATASET, DELIVERED, MANIFEST, PASSED, REMOVED, Mistake, Report, Verdict, label_json
from tasks.versions import data, git

pytestmark = [
    pytest.mark.kills,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
]

DVC_YAML = """\
stages:
  revise:
    cmd: python -P -m tasks revise
    deps: [data/drops, data/ingest, data/validate, data/verdicts]
    params: [task, revise]
    outs: [data/revise]
    metrics: [data/revise.json]
artifacts:
  dataset: {path: data/revise, type: dataset}
"""
DELIVERY: dict[str, str | bytes] = {
    "labels.csv": "path,label,id\na.png,cat,a\nb.png,dog,b\nc.png,cat,c\ngone.png,cat,d\n",
    "a.png": b"one",
    "b.png": b"two",
    "c.png": b"three",
}
ACME = [("a", "cat", b"one"), ("b", "dog", b"two"), ("c", "cat", b"three"), ("d", "E_ASSET_MISSING", None)]
BOLT = [("e", "dog", b"four"), ("f", "dog", b"one"), (None, "E_FIELDS", None)]
ROWS = [
    {"item": "a", "action": "relabel", "label": "dog"},
    {"item": "b", "action": "remove"},
    {"item": "b", "action": "remove", "reviewer": "bob"},
    {"item": "nobody", "action": "keep"},
]
SAID_BEFORE = {("bob", "item:c", "keep"), ("carol", "item:c", "keep")}
SAID = SAID_BEFORE | {("ann", "item:a", "relabel"), ("ann", "item:b", "remove"), ("bob", "item:b", "remove")}
OLD, NEW = {"a": "cat", "b": "dog", "c": "cat"}, {"a": "dog", "c": "cat"}


# --- the toy: one revision of one drop, a second drop that waits, answers that wait ----------------------------------


@contextmanager
def in_this_process(on_line: Callable[[str], None], said: list[str], *, run: bool) -> Iterator[None]:
    """Stands in for data._child_lines: DVC's `python -P -m tasks STAGE` runs here, so that its steps are numbered."""

    def start_here(executable: str | None, command: str, **options: Any) -> None:
        said.append(command)
        tasks.run(command.split()[-1], Path.cwd())

    original = dvc.stage.run._run
    dvc.stage.run._run = start_here
    try:
        yield
    finally:
        dvc.stage.run._run = original


@pytest.fixture(scope="module", autouse=True)
def stages_run_here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "_child_lines", in_this_process)
        yield


@pytest.fixture(scope="module")
def start() -> Iterator[Path]:
    """dataset@v1.0.0 of the drop 0001-acme; `bolt` and answers.jsonl lie beside the workspace."""
    with crash.fast_folder() as folder:
        workspace = folder / "beside" / "ws"
        versions.init(workspace)
        (workspace / "dvc.yaml").write_text(DVC_YAML)
        with open(workspace / ".git" / "info" / "exclude", "a") as exclude:
            exclude.write("/data/ingest/\n/data/validate/\n")
        git.commit(workspace, "one stage", ["dvc.yaml"])
        take(landing(workspace.parent / "acme", DELIVERY), workspace)
        ingest(workspace, "0001-acme")
        journal.append(workspace, [Verdict("bob-0", "item:c", "keep", "bob", AT)])
        versions.take_answers(workspace)
        make_revision(workspace)
        journal.append(workspace, [Verdict("carol-0", "item:c", "keep", "carol", AT)])
        sheet(workspace, ROWS)
        table = "path,label,id\ne.png,dog,e\nf.png,dog,f\ng.png,dog,g,more\n"
        landing(workspace.parent / "bolt", {"labels.csv": table, "e.png": "four", "f.png": "one", "g.png": "five"})
        assert content(workspace) == OLD
        yield workspace


@pytest.fixture(scope="module")
def answered(start: Path) -> Iterator[Path]:
    """The same, with the answers taken: the next revision is due."""
    with crash.fast_folder() as folder:
        workspace = crash.copy(start, folder / "beside")
        answer(workspace)
        yield workspace


def ingest(workspace: Path, drop: str) -> None:
    """What ingest and validate leave behind for `revise` and `answer`, from the rows of a received drop."""
    rows = store.read_table(workspace / "data" / "drops" / drop / "labels.parquet", DELIVERED)
    good = [row for row in rows.to_dict("records") if row["code"] is None]
    named = [{**row, "item": row["id"], "y": label_json(row["label"]), "split": "train", "drop": drop} for row in good]
    manifest = store.frame(MANIFEST, [{name: row.get(name) for name in MANIFEST.columns} for row in named])
    store.write_table(workspace / "data" / "ingest" / "manifest" / f"{drop}.parquet", MANIFEST, manifest)
    passed = store.frame(PASSED, [{"item": row["item"]} for row in named])
    store.write_table(workspace / "data" / "validate" / "passed.parquet", PASSED, passed)
    store.write_json(workspace / "data" / "validate" / "classes.json", {"version": "1", "classes": ["cat", "dog"]})


# --- the three operations --------------------------------------------------------------------------------------------


def take(folder: Path, workspace: Path) -> None:
    receipt = receive.receive(folder, workspace, received_at=AT)
    versions.share_drop(workspace, receipt.drop)


def take_bolt(workspace: Path) -> None:
    take(workspace.parent / "bolt", workspace)


def answer(workspace: Path) -> None:
    exchange.answer_file(workspace, workspace.parent / "answers.jsonl", reviewer="ann", at=AT)
    durable.step("acknowledge answers.jsonl")  # from here on they must be there for good
    (workspace.parent / "acknowledged").touch()
    versions.take_answers(workspace)


def make_revision(workspace: Path) -> None:
    versions.reproduce(workspace, "revise", lambda line: None)
    versions.publish(workspace)


def undisturbed(start: Path, operation: crash.Operation, *names: str) -> dict[str, bytes]:
    """What the operation leaves in some folders of the workspace when nothing goes wrong."""
    with crash.fast_folder() as folder:
        workspace = crash.copy(start, folder / "undisturbed")
        assert crash.forked(lambda: operation(workspace)) == ""
        return bytes_in(workspace, names)


def bytes_in(workspace: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    return {f"{name}/{path}": found for name in names for path, found in tree(workspace / name).items()}


# --- looks -----------------------------------------------------------------------------------------------------------


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


def content(workspace: Path) -> dict[str, str]:
    """Item -> class of data/revise."""
    table = store.read_table(workspace / "data" / "revise" / "dataset.parquet", DATASET)
    return {item: json.loads(y) for item, y in zip(table["item"], table["y"], strict=True)}


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


# --- every step ------------------------------------------------------------------------------------------------------


def test_receive_survives_a_kill_before_each_of_its_steps(start: Path) -> None:
    done = received_once(undisturbed(start, take_bolt, "data/drops"))
    points, problems = crash.go_through(start, take_bolt, at_rest=no_half_drop, when_done=done)
    assert (problems, points >= 20) == ([], True), points


def test_answer_survives_a_kill_before_each_of_its_steps(start: Path) -> None:
    done = answered_once(undisturbed(start, answer, "data/verdicts", ".assay/journal/refused"))
    points, problems = crash.go_through(start, answer, at_rest=no_answer_lost, when_done=done)
    assert (problems, points >= 15) == ([], True), points


def test_revise_and_publish_survive_a_kill_before_each_of_their_steps(answered: Path) -> None:
    done = revised_once(undisturbed(answered, make_revision, "data/revise"))
    points, problems = crash.go_through(answered, make_revision, at_rest=no_half_table, when_done=done)
    assert (problems, points >= 30) == ([], True), points


def revise_by_hand(workspace: Path) -> None:
    """The stage upon an older result, without DVC, which would have taken that away first."""
    tasks.run("revise", workspace)


def test_the_stage_by_itself_survives_a_kill_while_it_replaces_its_result(answered: Path) -> None:
    expected = undisturbed(answered, revise_by_hand, "data/revise")

    def at_rest(workspace: Path) -> list[str]:
        (workspace / "data" / "revise.json").unlink()  # the older report, which DVC would have taken away too
        return no_half_table(workspace)

    def done(workspace: Path) -> list[str]:
        versions.repair(workspace)
        problems = no_half_table(workspace) + [one for one in left_over(workspace) if "is left over" in one]
        return problems + ["other bytes"] * (bytes_in(workspace, ("data/revise",)) != expected)

    points, problems = crash.go_through(answered, revise_by_hand, at_rest=at_rest, when_done=done)
    assert (problems, points >= 20) == ([], True), points


def test_a_failing_disk_at_any_step_of_receive_is_a_sentence_and_loses_nothing(start: Path) -> None:
    fault = crash.Fault("EIO", crash.raise_at(errno.EIO))
    done = received_once(undisturbed(start, take_bolt, "data/drops"))
    points, problems = crash.go_through(start, take_bolt, at_rest=no_half_drop, when_done=done, fault=fault)
    assert (problems, points >= 20) == ([], True), points


def test_a_full_disk_at_any_step_of_answer_is_a_sentence_and_loses_nothing(start: Path) -> None:
    fault = crash.Fault("ENOSPC", crash.raise_at(errno.ENOSPC))
    done = answered_once(undisturbed(start, answer, "data/verdicts", ".assay/journal/refused"))
    points, problems = crash.go_through(
        start,
        answer,
        at_rest=no_answer_lost,
        when_done=done,
        fault=fault,
        only=lambda name: not name.startswith("acknowledge"),
    )
    assert (problems, points >= 15) == ([], True), points


def steps_of(start: Path, operation: crash.Operation) -> list[str]:
    with crash.fast_folder() as folder:
        return crash.trace(operation, crash.copy(start, folder / "trace"))


def unsynced_drop(steps: list[str]) -> list[str]:
    """Which files of the drop are not on the disk when it takes its name."""
    named = steps.index("rename-folder 0002-bolt")
    files = ("assets-0000.parquet", "labels.parquet", "receipt.json")
    return [name for name in files if f"fsync {name}" not in steps[:named]]


def test_a_power_cut_takes_back_nothing_that_a_later_step_relies_on(start: Path, answered: Path) -> None:
    received = steps_of(start, take_bolt)
    assert unsynced_drop(received) == crash.lost_by_power(received) == []
    assert crash.lost_by_power(steps_of(start, answer)) == []
    assert crash.lost_by_power(steps_of(answered, make_revision)) == []


# --- the harness finds what is planted -------------------------------------------------------------------------------


def found(problems: list[str], sentence: str) -> bool:
    return any(sentence in problem for problem in problems)


def _file_by_file(last: str) -> Callable[[Path, Path], None]:
    """A folder that is filled where it is read, its file `last` last."""

    def move(staged: Path, final: Path) -> None:
        final.mkdir(parents=True, exist_ok=True)
        for path in sorted(staged.iterdir(), key=lambda path: (path.name == last, path.name)):
            durable.step(f"move {path.name}")
            os.rename(path, final / path.name)
        staged.rmdir()

    return move


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        ("receipt.json", "(move labels.parquet): 0002-bolt is half there: No file"),
        ("labels.parquet", "(move labels.parquet): 0002-bolt lacks labels.parquet"),  # the receipt comes too early
    ],
)
def test_planted_filling_a_drop_in_its_place_is_found(
    start: Path, monkeypatch: pytest.MonkeyPatch, last: str, sentence: str
) -> None:
    monkeypatch.setattr(durable, "move_into_place", _file_by_file(last))
    _, problems = crash.go_through(
        start, take_bolt, at_rest=no_half_drop, when_done=lambda _: [], only=lambda name: name == "move labels.parquet"
    )
    assert found(problems, sentence), problems


def test_planted_receiving_what_is_known_again_is_found(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "known", lambda drops, content: None)
    done = received_once(undisturbed(start, take_bolt, "data/drops"))
    _, problems = crash.go_through(
        start, take_bolt, at_rest=no_half_drop, when_done=done, only=lambda name: name.startswith("fsync-folder drops")
    )
    assert found(problems, "'data/drops/0003-bolt/receipt.json'"), problems


def test_planted_leaving_things_behind_is_found(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "sweep", lambda folder: [])
    done = received_once(undisturbed(start, take_bolt, "data/drops"))
    _, problems = crash.go_through(
        start, take_bolt, at_rest=no_half_drop, when_done=done, only=lambda name: name.startswith("rename")
    )
    assert found(problems, "(rename-folder 0002-bolt): then .assay/staging/.0002-bolt.tmp-"), problems
    assert found(problems, "(rename bolt-"), problems  # in .assay/cache/receive


def test_planted_naming_a_drop_before_its_files_are_on_the_disk_is_found(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "sync_file", lambda path: None)
    steps = steps_of(start, take_bolt)
    assert unsynced_drop(steps) == ["assets-0000.parquet", "labels.parquet", "receipt.json"]
    assert "labels.parquet is renamed before its bytes are on the disk" in crash.lost_by_power(steps)


def test_planted_acknowledging_before_the_fsync_is_found(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def append(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.step(f"append {path.name}")
        with open(path, "ab") as log:
            log.write(content)

    monkeypatch.setattr(durable, "append", append)
    lost = crash.lost_by_power(steps_of(start, answer))
    assert "the bytes of ann.jsonl are not on the disk at 'acknowledge answers.jsonl'" in lost


def test_planted_acknowledging_before_the_append_is_found(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[tuple[Path, bytes]] = []
    append, transfer = durable.append, journal.transfer

    def then_write(workspace: Path) -> int:
        with monkeypatch.context() as patch:
            patch.setattr(durable, "append", append)
            for path, content in waiting:
                durable.append(path, content)
            waiting.clear()
            return transfer(workspace)

    monkeypatch.setattr(durable, "append", lambda path, content: waiting.append((path, content)))
    monkeypatch.setattr(journal, "transfer", then_write)
    _, problems = crash.go_through(start, answer, at_rest=no_answer_lost, when_done=lambda _: [])
    lost = "(append ann.jsonl): an acknowledged answer is lost: ('ann', 'item:a', 'relabel')"
    assert found(problems, lost), problems


def test_planted_taking_answers_without_asking_what_was_taken_is_found(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def every_line(workspace: Path) -> dict[str, bytes]:
        return {path.stem: path.read_bytes() for path in sorted((workspace / ".assay" / "journal").glob("*.jsonl"))}

    monkeypatch.setattr(journal, "pending", every_line)
    _, problems = crash.go_through(
        start, answer, at_rest=no_answer_lost, when_done=no_answer_lost, only=lambda name: name == "git commit"
    )
    assert found(problems, "then data/verdicts has an answer twice"), problems


def test_planted_appending_refused_rows_is_found(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = answered_once(undisturbed(start, answer, "data/verdicts", ".assay/journal/refused"))
    monkeypatch.setattr(durable, "write_bytes", durable.append)
    _, problems = crash.go_through(
        start, answer, at_rest=no_answer_lost, when_done=done, only=lambda name: name.startswith("acknowledge")
    )
    assert found(problems, "then the refused row is kept 2 times"), problems


def test_planted_filling_the_table_in_its_place_is_found(answered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "move_into_place", _file_by_file("removed.parquet"))
    _, problems = crash.go_through(
        answered,
        make_revision,
        at_rest=no_half_table,
        when_done=lambda _: [],
        only=lambda name: name.startswith("move removed"),
    )
    assert found(problems, "(move removed.parquet): data/revise is half there: No file"), problems


def test_planted_reporting_before_the_table_is_there_is_found(answered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = revise.run

    def report_first(folder: Path, params: revise.Params) -> Report:
        store.write_report(folder / "revise.json", Report("revise", counts={"items": len(NEW)}))
        return run(folder, params)

    monkeypatch.setattr(revise, "run", report_first)
    _, problems = crash.go_through(
        answered,
        make_revision,
        at_rest=no_half_table,
        when_done=lambda _: [],
        only=lambda name: name == "rename-folder revise",
    )
    assert found(problems, "(rename-folder revise): there is a report without a table"), problems
