"""Does every command of the README run as it stands there?"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from flows.digits import Digits, png

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(heading: str) -> list[str]:
    """The lines of the first code block under a heading."""
    section = README.split(f"## {heading}\n")[1]
    return re.split(r"```[a-z]*\n", section)[1].split("```")[0].strip().splitlines()


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in block("Try it"):
        assert re.search(rf"^{line.removeprefix('make ')}:", makefile, re.MULTILINE), line


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`assay ([a-z]+)", README)) | {line.split()[1] for line in block("Your own data")}
    for command in sorted(named):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "flows.cli", command, "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, command


def test_every_test_that_the_page_on_bad_input_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "bad-input.md").read_text(encoding="utf-8")))
    source = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/test_*.py"))
    assert [name for name in sorted(named) if f"def {name}(" not in source] == []
    assert len(named) > 40


@pytest.mark.slow
@pytest.mark.prefect
def test_your_own_data_in_five_lines(tmp_path: Path, toy_digits: Digits, prefect_home: Path) -> None:
    for row in toy_digits.drops["toy"]:
        folder = tmp_path / "my-images" / f"class-{toy_digits.labels[row] % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row}.png").write_bytes(png(toy_digits.images[row]))
    lines = block("Your own data")
    assert len(lines) == 5
    for line in lines:
        command = [sys.executable, "-P", "-m", "flows.cli", *shlex.split(line)[1:]]
        environment = {**os.environ, "PREFECT_HOME": str(prefect_home)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done)
    tags = subprocess.run(["git", "tag"], cwd=tmp_path / "pets", capture_output=True, text=True, check=True)
    assert tags.stdout.split() == ["dataset@v1.0.0"]
