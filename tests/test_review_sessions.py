"""Does a token open a session for its person alone, and a link once, until it is removed, renewed or over?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.model import Mistake
from tasks.review import people
from tasks.review.sessions import KEY, LINKS, LOCAL, Session, Sessions, link_token

AT = "2026-11-21T10:00:00+00:00"
NOW = 1_800_000_000.0
HOUR = 3600.0


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path


def test_a_token_gives_the_session_of_its_person_also_after_a_restart(workspace: Path) -> None:
    token = people.add(workspace, "maria", "labeler", at=AT)
    people.add(workspace, "rita", "reviewer", at=AT)
    cookie = Sessions(workspace).exchange(token, now=NOW)
    assert cookie is not None
    assert token not in cookie
    assert Sessions(workspace).who(cookie, now=NOW + 1) == Session("maria", "labeler")


@pytest.mark.parametrize("wrong", ["", "x", "é\ud800", "A" * 32, "maria"])
def test_a_wrong_token_gives_nothing(workspace: Path, wrong: str) -> None:
    people.add(workspace, "maria", "labeler", at=AT)
    assert Sessions(workspace).exchange(wrong, now=NOW) is None


def test_a_session_ends_after_twelve_hours(workspace: Path) -> None:
    sessions = Sessions(workspace)
    cookie = sessions.exchange(people.add(workspace, "maria", "labeler", at=AT), now=NOW) or ""
    assert sessions.who(cookie, now=NOW + 12 * HOUR - 1) == Session("maria", "labeler")
    assert sessions.who(cookie, now=NOW + 12 * HOUR) is None


@pytest.mark.parametrize(
    "end",
    [
        lambda ws: people.remove(ws, "maria"),
        lambda ws: people.add(ws, "maria", "labeler", at=AT),
        lambda ws: people.add(ws, "maria", "reviewer", at=AT),
        lambda ws: (ws / people.FILE).unlink(),
    ],
    ids=["removed", "renewed", "another role", "file gone"],
)
def test_a_session_ends_at_once_with_its_token(workspace: Path, end: Callable[[Path], object]) -> None:
    people.add(workspace, "rita", "reviewer", at=AT)
    token = people.add(workspace, "maria", "labeler", at=AT)
    sessions = Sessions(workspace)
    cookie = sessions.exchange(token, now=NOW) or ""
    assert sessions.who(cookie, now=NOW) == Session("maria", "labeler")
    end(workspace)
    assert sessions.who(cookie, now=NOW) is None
    assert sessions.exchange(token, now=NOW) is None


def test_a_key_that_others_could_read_is_made_anew_and_ends_all_sessions(workspace: Path) -> None:
    cookie = Sessions(workspace).exchange(people.add(workspace, "maria", "labeler", at=AT), now=NOW) or ""
    key = workspace / KEY
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    assert Sessions(workspace).who(cookie, now=NOW) is None
    assert key.stat().st_mode & 0o777 == 0o600


@given(st.data())
def test_no_change_of_a_cookie_is_taken(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    workspace = tmp_path_factory.mktemp("forged")
    sessions = Sessions(workspace, links=True)
    cookie = sessions.exchange(link_token(workspace, "maria", now=NOW), now=NOW) or ""
    raw, _, signature = cookie.partition(".")
    where = data.draw(st.integers(0, len(raw) - 2))  # the last character carries bits that mean nothing
    other = data.draw(st.sampled_from([one for one in "ABCDwxyz0189-_" if one != raw[where]]))
    forged = raw[:where] + other + raw[where + 1 :]
    assert sessions.who(f"{forged}.{signature}", now=NOW) is None
    assert sessions.who(data.draw(st.text(max_size=60)), now=NOW) is None


def test_a_cookie_signed_with_another_key_is_not_taken(workspace: Path) -> None:
    (workspace / "a").mkdir()
    (workspace / "b").mkdir()
    here = Sessions(workspace / "a", links=True)
    there = Sessions(workspace / "b", links=True)
    link = link_token(workspace / "b", "maria", now=NOW)
    assert here.exchange(link, now=NOW) is None
    cookie = there.exchange(link, now=NOW) or ""
    assert there.who(cookie, now=NOW) == Session("maria", "reviewer")
    assert here.who(cookie, now=NOW) is None


# --- the link of `assay review` --------------------------------------------------------------------------------------


def test_a_link_works_once_and_for_an_hour_and_another_one_can_be_made_at_any_time(workspace: Path) -> None:
    sessions = Sessions(workspace, links=True)
    first, second = (link_token(workspace, "maria", now=NOW) for _ in range(2))
    for link in (second, first):
        cookie = sessions.exchange(link, now=NOW + HOUR - 1)
        assert cookie is not None
        assert sessions.who(cookie, now=NOW + HOUR) == Session("maria", "reviewer")
        assert sessions.exchange(link, now=NOW + HOUR - 1) is None
    assert sessions.exchange(link_token(workspace, "maria", now=NOW), now=NOW + HOUR) is None


def test_a_used_link_stays_used_when_the_server_begins_again_and_is_forgotten_when_it_is_over(workspace: Path) -> None:
    link, later = link_token(workspace, "maria", now=NOW), link_token(workspace, "maria", now=NOW + HOUR)
    assert Sessions(workspace, links=True).exchange(link, now=NOW) is not None
    again = Sessions(workspace, links=True)
    assert again.exchange(link, now=NOW + 1) is None
    assert again.exchange(later, now=NOW + HOUR) is not None
    (kept,) = (workspace / ".assay" / "links").iterdir()
    assert kept.name.startswith(f"{round(NOW + 2 * HOUR)}-") and later not in kept.name


def test_a_stray_file_among_the_used_links_keeps_nobody_out_and_stays(workspace: Path) -> None:
    folder = workspace / LINKS
    folder.mkdir(parents=True)
    strays = [folder / name for name in (".DS_Store", "12-notes", "old", f"1-{'0' * 63}g")]
    for path in strays:
        path.touch()
    strays.append(folder / f"1-{'0' * 64}")  # named like a link that is over, and a folder
    strays[-1].mkdir()
    assert Sessions(workspace, links=True).exchange(link_token(workspace, "maria", now=NOW), now=NOW) is not None
    assert all(path.exists() for path in strays)


def test_a_link_that_could_not_stay_used_opens_nothing_and_says_what_to_mend(workspace: Path) -> None:
    (workspace / ".assay").mkdir()
    (workspace / LINKS).touch()  # no folder
    link = link_token(workspace, "maria", now=NOW)
    with pytest.raises(
        Mistake, match=r"links' cannot be written \(File exists\), so that no link would stay used\. Mend"
    ):
        Sessions(workspace, links=True).exchange(link, now=NOW)
    (workspace / LINKS).unlink()
    assert Sessions(workspace, links=True).exchange(link, now=NOW) is not None


def test_a_cookie_is_no_link_and_a_link_no_cookie(workspace: Path) -> None:
    sessions = Sessions(workspace, links=True)
    link = link_token(workspace, "maria", now=NOW)
    cookie = sessions.exchange(link, now=NOW) or ""
    assert sessions.exchange(cookie, now=NOW) is None
    assert sessions.who(link_token(workspace, "maria", now=NOW), now=NOW) is None


def test_a_link_is_only_for_a_name_that_a_log_can_have(workspace: Path) -> None:
    with pytest.raises(Mistake, match="is not a name for a log"):
        link_token(workspace, "../x", now=NOW)


def test_the_session_of_a_link_survives_a_restart_and_ends_where_others_reach_the_server(workspace: Path) -> None:
    local = Sessions(workspace, links=True)
    cookie = local.exchange(link_token(workspace, "maria", now=NOW), now=NOW) or ""
    assert Sessions(workspace, links=True).who(cookie, now=NOW) == Session("maria", "reviewer")
    others = Sessions(workspace)  # bound to an address that others can reach
    assert others.who(cookie, now=NOW) is None
    assert others.exchange(link_token(workspace, "maria", now=NOW), now=NOW) is None


def test_a_person_whose_hash_begins_as_the_mark_of_a_link_is_no_way_in(workspace: Path) -> None:
    people.add(workspace, "maria", "labeler", at=AT)
    path = workspace / people.FILE
    content = json.loads(path.read_text())
    content["maria"]["token_sha256"] = LOCAL
    path.write_text(json.dumps(content))
    assert Sessions(workspace).exchange("local", now=NOW) is None
