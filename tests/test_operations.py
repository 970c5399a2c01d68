"""Does docs/operations.md name only what exists, and do the units in deploy/ start that, hardened, without a secret?"""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from flows.cli import app
from flows.dashboard import PORT
from flows.server import POOLS

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
UNITS = sorted(DEPLOY.glob("*.service"))
EXAMPLES = sorted(DEPLOY.glob("*.env.example"))
COMMANDS = set(getattr(get_command(app), "commands"))  # noqa: B009 - click's Group, which mypy takes for a Command
CODE = "\n".join(
    block or inline for block, inline in re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", OPERATIONS, re.DOTALL)
)


class Unit(configparser.ConfigParser):
    """A unit file: names keep their case, and may come several times (the last one is kept)."""

    def __init__(self, path: Path) -> None:
        super().__init__(interpolation=None, strict=False, delimiters=("=",), comment_prefixes=("#", ";"))
        self.optionxform = str  # type: ignore[assignment,method-assign]
        self.read_string(path.read_text(encoding="utf-8"))
        self.environment = dict(
            re.findall(r"^Environment=(\w+)=(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        )


def test_each_alert_has_its_entry_and_each_entry_its_alert() -> None:
    rules = YAML(typ="safe", pure=True).load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
    alerts = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    headings = re.findall(r"^### (Assay\w+)$", OPERATIONS, re.MULTILINE)
    assert headings == alerts
    for entry in re.split(r"^### Assay", OPERATIONS, flags=re.MULTILINE)[1:]:
        assert re.findall(r"^\*(\w+)\*: ", entry, re.MULTILINE) == ["Means", "Look", "Do", "Over"], entry.splitlines()[
            0
        ]


def test_every_assay_command_exists() -> None:
    named = set(re.findall(r"(?<![\w./@-])(?<!--owner )assay ([a-z]+)\b", CODE))
    assert named - COMMANDS == set()
    assert len(named) > 10


@pytest.mark.slow
def test_every_prefect_and_dvc_command_exists() -> None:
    prefect = {
        tuple(words) for line in re.findall(r"prefect ((?:[a-z]+[a-z-]* ?){1,2})", CODE) if (words := line.split())
    }
    known = {("flow-run", "ls"), ("flow-run", "logs"), ("event", "emit"), ("automation", "ls"), ("work-pool", "resume")}
    assert prefect >= known
    dvc = {(name,) for name in re.findall(r"dvc (?:--[a-z-]+ )?([a-z]+)", CODE)}
    asked = [("prefect", *words) for words in prefect] + [("dvc", *words) for words in dvc]

    def works(words: tuple[str, ...]) -> bool:
        command = [sys.executable, "-P", "-m", *words, "--help"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    with ThreadPoolExecutor(2) as several:
        assert [words for words, well in zip(asked, several.map(works, asked), strict=True) if not well] == []


def test_every_file_and_section_that_is_named_exists() -> None:
    for pattern in set(re.findall(r"(?:deploy|docs|tasks|tests)/[\w./@*-]*\w", OPERATIONS)):
        assert list(ROOT.glob(pattern)), pattern
    services = {path.stem.rstrip("@") for path in UNITS}
    assert set(re.findall(r"assay-(?:watch|runs|page|server|worker)", OPERATIONS)) == services
    assert set(re.findall(r"assay-worker@(\w+)", OPERATIONS)) <= set(POOLS)


def test_the_examples_hold_what_the_page_names_and_no_secret() -> None:
    for path in EXAMPLES:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
        for name, value in (line.split("=", 1) for line in lines):
            assert f"`{name}`" in OPERATIONS, name
            rest = value.replace("CHANGE-ME", "").replace("127.0.0.1", "").replace("assay", "")
            assert re.fullmatch(r"|:|https?://:4200/api|postgresql\+asyncpg://:@:5432/prefect", rest), value


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_what_exists(path: Path) -> None:
    unit = Unit(path)
    service = unit["Service"]
    program, *words = service["ExecStart"].split()
    assert service["EnvironmentFile"] in {f"/etc/assay/{example.stem}" for example in EXAMPLES}
    if program.endswith("/assay"):
        assert words[0] in COMMANDS
        options = {option for one in get_command(app).commands[words[0]].params for option in one.opts}  # type: ignore[attr-defined]
        assert {word for word in words if word.startswith("--")} <= options
    else:
        assert program.endswith("/python") and words[:2] == ["-P", "-m"]
        assert words[2] == "prefect" or (ROOT / (words[2].replace(".", "/") + ".py")).exists()
    if "flows.dashboard" in words:
        assert words[-1] == str(PORT)
    if "--pool" in words:
        assert words[words.index("--pool") + 1] in (*POOLS, "%i")
    assert unit.environment["DO_NOT_TRACK"] == "1"


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_hardened_and_holds_no_secret(path: Path) -> None:
    service = Unit(path)["Service"]
    wanted = {
        "User": "assay",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "CapabilityBoundingSet": "",
        "Restart": "on-failure",
    }
    assert {name: service.get(name) for name in wanted} == wanted
    assert service.get("ReadWritePaths", "/srv/assay") == "/srv/assay"
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"AUTH_STRING|PASSWORD|SECRET|AWS_|CONNECTION_URL", text)
    assert set(re.findall(r"\b\d+\.\d+\.\d+\.\d+\b|\w+\.(?:com|org|net|local)\b|http\S+", text)) <= {"127.0.0.1"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (Debian package systemd)")
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    for path in UNITS:  # systemd-analyze wants the program to be there
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        (tmp_path / path.name).write_text(text)
    units = [str(tmp_path / path.name) for path in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "assay-" in line]
    assert (told, done.returncode) == ([], 0)
