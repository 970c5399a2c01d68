"""Does the doctor find each planted ailment, name the remedy, and repair only what is safe?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from test_cli import assay, sentence

from flows import doctor
from flows.doctor import Line
from tasks import telemetry, versions


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    versions.init(tmp_path / "ws")
    return tmp_path / "ws"


def test_a_fresh_workspace_is_well(workspace: Path) -> None:
    assert [line for line in doctor.examine(workspace) if line.state == "ill"] == []
    done = assay("doctor", cwd=workspace)
    assert done.returncode == 0, done
    assert "leftovers" in done.stdout


def test_a_version_outside_its_pin_is_named(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["sqlalchemy<1", "no-such-package", "pytest"])
    (line,) = doctor.pins(workspace)
    assert line.state == "ill"
    assert "is not <1; no-such-package is absent. Remove .venv, then run: make setup" in line.says


def test_telemetry_that_is_on_is_named(workspace: Path) -> None:
    (line,) = doctor.calls_home(workspace, {**telemetry.OFF, "DVC_NO_ANALYTICS": ""})
    assert line == Line("telemetry", "ill", "Not switched off: DVC_NO_ANALYTICS. Export them, or run through: assay")


@pytest.mark.parametrize(
    ("environment", "state", "words"),
    [
        ({}, "well", "a server of its own in each run"),
        ({"PREFECT_SERVER_API_HOST": "0.0.0.0"}, "ill", "'0.0.0.0' without a password"),
        ({"PREFECT_SERVER_API_HOST": "0.0.0.0", "PREFECT_SERVER_API_AUTH_STRING": "a:b"}, "well", "with a password"),
        ({"PREFECT_API_URL": "http://prefect.lan:4200/api"}, "note", "'prefect.lan' is used without a password"),
        ({"PREFECT_API_URL": "http://127.0.0.1:4200/api"}, "well", "server at 127.0.0.1"),
    ],
)
def test_a_server_without_a_password_may_only_be_on_loopback(
    environment: dict[str, str], state: str, words: str, workspace: Path
) -> None:
    (line,) = doctor.prefect_server(workspace, environment)
    assert (line.state, words in line.says) == (state, True)


def test_a_linked_cache_is_ill(workspace: Path) -> None:
    config = workspace / ".dvc" / "config"
    config.write_text(config.read_text().replace("reflink,copy", "reflink,hardlink,copy"))
    (line,) = doctor.dvc_cache(workspace)
    assert line.state == "ill"
    assert line.says.startswith("cache.type has hardlink")
    assert ("root" in line.says) == (os.getuid() == 0)


def test_what_a_killed_process_left_is_named_and_repaired_on_request(workspace: Path) -> None:
    (workspace / ".dvc" / "tmp").mkdir(exist_ok=True)
    (workspace / ".dvc" / "tmp" / "rwlock").write_text("")
    (workspace / "data" / "drops" / ".0001-a.tmp-999999999").mkdir()
    said = sentence(assay("doctor", cwd=workspace))
    assert said.endswith("assay doctor --repair")
    assert (workspace / ".dvc" / "tmp" / "rwlock").exists()
    done = assay("doctor", "--repair", cwd=workspace)
    assert done.returncode == 0, done
    assert "rwlock" in done.stdout
    assert [line.state for line in doctor.leftovers(workspace)] == ["well"]


def test_a_full_disk_and_a_clock_that_is_off_are_ill(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE", 2**70)
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert [line.state for check in (doctor.free_space, doctor.clock) for line in check(workspace)] == ["ill", "ill"]


def test_outside_a_workspace_the_next_command_is_named(tmp_path: Path) -> None:
    assert sentence(assay("doctor", cwd=tmp_path)).endswith("Run: assay init .")
