"""Who may answer: is a token kept nowhere, is a damaged file a sentence, and do the commands add and remove people?"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from test_cli import assay, sentence

from tasks.model import Mistake
from tasks.review import people
from tasks.review.sessions import Sessions

AT = "2026-11-21T10:00:00+00:00"
NOW = 1_800_000_000.0


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path


def test_only_the_hash_of_a_token_is_kept_and_nobody_else_may_read_it(workspace: Path) -> None:
    token = people.add(workspace, "maria", "labeler", at=AT)
    assert len(base64.urlsafe_b64decode(token)) == 24  # 192 bits
    for path in (workspace / ".assay").rglob("*"):
        assert token.encode() not in path.read_bytes()
    assert (workspace / people.FILE).stat().st_mode & 0o777 == 0o600
    (person,) = people.people(workspace).values()
    assert (person.name, person.role, person.added, len(person.token_sha256)) == ("maria", "labeler", AT, 64)


def test_two_people_never_have_the_same_token(workspace: Path) -> None:
    assert len({people.add(workspace, f"p{n}", "labeler", at=AT) for n in range(20)}) == 20
    assert list(people.people(workspace)) == sorted(f"p{n}" for n in range(20))


@pytest.mark.parametrize(
    ("name", "role", "reason"),
    [
        ("../x", "labeler", "is not a name for a log. Up to 40 of a-z 0-9"),
        ("Maria", "labeler", "is not a name for a log"),
        ("assay-apply", "reviewer", "is no person: bulk changes have that name"),
        ("maria", "boss", "has role 'boss'. Roles are: labeler, reviewer."),
    ],
)
def test_who_cannot_be_added_is_told_why_and_nothing_is_written(
    workspace: Path, name: str, role: str, reason: str
) -> None:
    with pytest.raises(Mistake) as refused:
        people.add(workspace, name, role, at=AT)
    assert reason in str(refused.value)
    assert not (workspace / people.FILE).exists()


def test_an_unknown_person_cannot_be_removed(workspace: Path) -> None:
    with pytest.raises(Mistake, match=r"Unknown reviewer 'bob'\. There is nobody yet: assay reviewer add NAME"):
        people.remove(workspace, "bob")
    people.add(workspace, "maria", "labeler", at=AT)
    with pytest.raises(Mistake, match=r"Unknown reviewer 'bob'\. Reviewers are: maria\."):
        people.remove(workspace, "bob")


DAMAGED = {
    "empty": "",
    "list": "[]",
    "no record": '{"maria": 1}',
    "half": '{"maria": {"role": "labeler"}}',
    "deep": "[" * 100_000,
    "no text": "\xff",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_a_sentence_and_lets_nobody_in(workspace: Path, content: str) -> None:
    token = people.add(workspace, "maria", "labeler", at=AT)
    sessions = Sessions(workspace)
    (workspace / people.FILE).write_text(content, encoding="latin-1")
    with pytest.raises(Mistake, match=r"reviewers\.json' is damaged"):
        people.people(workspace)
    assert sessions.exchange(token, now=NOW) is None


def test_who_sits_here_is_the_named_one_or_the_owner_where_nobody_has_a_token(workspace: Path) -> None:
    assert people.at_this_machine({}, None) == "owner"
    assert people.at_this_machine({}, "bob") == "bob"
    people.add(workspace, "maria", "labeler", at=AT)
    assert people.at_this_machine(people.people(workspace), None) is None


# --- the commands ----------------------------------------------------------------------------------------------------


def test_the_commands_add_list_renew_and_remove(tmp_path: Path) -> None:
    assert assay("init", "ws", cwd=tmp_path).returncode == 0
    ws = tmp_path / "ws"
    added = assay("reviewer", "add", "maria", "--role", "labeler", cwd=ws).stdout.splitlines()
    assert added[0] == "Added: maria, labeler. Their token, which is shown only now:"
    sessions = Sessions(ws)
    assert sessions.exchange(added[1].strip(), now=NOW) is not None
    listed = assay("reviewer", "list", cwd=ws).stdout.split()
    assert listed[:3] == ["maria", "labeler", "since"]
    renewed = assay("reviewer", "add", "maria", "--role", "reviewer", cwd=ws).stdout.splitlines()
    assert renewed[0].startswith("Renewed: maria, reviewer.")
    assert sessions.exchange(added[1].strip(), now=NOW) is None
    assert assay("reviewer", "remove", "maria", cwd=ws).stdout == "Removed: maria. Their answers stay.\n"
    assert assay("reviewer", "list", cwd=ws).stdout.startswith("Nobody has a token yet.")
    assert "Unknown reviewer 'maria'" in sentence(assay("reviewer", "remove", "maria", cwd=ws))
    assert "Roles are: labeler, reviewer." in sentence(assay("reviewer", "add", "bob", "--role", "x", cwd=ws))
    open_to_all = sentence(assay("review", "--host", "0.0.0.0", cwd=ws))
    assert "nobody has a token and no host name is allowed. Run: assay reviewer add NAME" in open_to_all


@pytest.mark.parametrize("command", ["review", "reviewer add", "reviewer list", "reviewer remove"])
def test_each_command_has_help_with_an_example(command: str, tmp_path: Path) -> None:
    done = assay(*command.split(), "--help", cwd=tmp_path)
    assert (done.returncode, f"Example: assay {command}" in done.stdout) == (0, True)
