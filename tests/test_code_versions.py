"""code.yaml: which modules and libraries a stage reaches, and when its version changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tasks import STAGES, versions
from tasks.versions import code

ROOT = Path(__file__).resolve().parents[1]


def package(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / "pkg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "pkg"


def test_the_import_closure_follows_relative_imports_and_takes_the_chosen_plugin_only(tmp_path: Path) -> None:
    files = {
        "__init__.py": "",
        "audit.py": "import numpy as np\nfrom . import store\n\ndef f() -> None:\n    from .labels import kind\n",
        "store.py": "from .model import X\nimport json",
        "model.py": "",
        "other.py": "import torch",
        "labels/__init__.py": "from ..model import X",
        "labels/single.py": "import sklearn.metrics",
        "labels/boxes.py": "import scipy",
    }
    root = package(tmp_path, files)
    reached, libraries = code.reached("audit", {"labels": "single"}, root)
    names = {path.relative_to(root).as_posix() for path in reached}
    assert names == {"audit.py", "store.py", "model.py", "labels/__init__.py", "labels/single.py"}
    assert libraries == {"numpy", "sklearn"}


def test_a_version_changes_with_what_the_stage_reaches_and_with_nothing_else(tmp_path: Path) -> None:
    root = package(tmp_path, {"a.py": "from . import b", "b.py": "x = 1", "c.py": "x = 1"})
    before = code.fingerprint("a", {}, root)
    (root / "c.py").write_text("x = 2")
    assert code.fingerprint("a", {}, root) == before
    (root / "b.py").write_text("x = 2")
    assert code.fingerprint("a", {}, root) != before


def test_a_module_brings_the_package_that_python_runs_first(tmp_path: Path) -> None:
    files = {"a.py": "from .store.tables import x", "store/__init__.py": "from .files import y", "store/files.py": ""}
    root = package(tmp_path, {**files, "store/tables.py": "from .. import model", "model.py": "", "store/other.py": ""})
    names = {path.relative_to(root).as_posix() for path in code.reached("a", {}, root)[0]}
    assert names == {"a.py", "model.py", "store/__init__.py", "store/files.py", "store/tables.py"}


def test_every_stage_follows_the_store_into_its_files() -> None:
    inside = set((ROOT / "tasks" / "store").glob("*.py"))
    assert len(inside) >= 6
    for stage in STAGES:
        assert inside <= code.reached(stage, {"labels": "single", "modalities": "image"})[0], stage


def test_code_yaml_is_written_only_when_it_changes(tmp_path: Path) -> None:
    versions.init(tmp_path / "ws")
    path = tmp_path / "ws" / "code.yaml"
    stamp = path.stat().st_mtime_ns
    assert set(versions.write_code_versions(tmp_path / "ws")) == set(STAGES)
    assert path.stat().st_mtime_ns == stamp


def test_computing_versions_imports_no_heavy_library() -> None:
    script = "import sys; from tasks.versions.code import fingerprint; fingerprint('audit', {}); "
    script += "print([m for m in ('torch', 'cleanlab', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_stage_reaches_only_the_parts_of_a_modality_that_it_names() -> None:
    plugins = {"labels": "single", "modalities": "image"}
    found = {stage: code.reached(stage, plugins) for stage in ("ingest", "validate", "embed", "augment")}
    parts = {
        stage: sorted(path.stem for path in files if path.parent.name == "image") for stage, (files, _) in found.items()
    }
    assert parts == {
        "ingest": ["__init__", "decode", "measures"],
        "validate": ["__init__", "decode", "measures"],
        "embed": ["__init__", "decode", "embed", "patches"],
        "augment": ["__init__", "augment", "decode"],
    }
    assert "torch" not in found["ingest"][1]
    assert {"torch", "torchvision"} <= found["embed"][1]


def test_a_library_named_only_in_a_call_and_a_page_s_template_are_inputs_too() -> None:
    plugins = {"labels": "single", "modalities": "image"}
    assert "pyod" in code.reached("detect", plugins)[1]
    assert "validate_page.html.j2" in {path.name for path in code.reached("validate", plugins)[0]}
