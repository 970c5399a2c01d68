"""Which version of the code made a stage's result?

Reads tasks/*.py (as text, nothing is imported). Writes code.yaml: one fingerprint a stage, over the modules that the
stage reaches through its imports and the versions of the libraries these import. dvc.yaml names it as a parameter of
each stage, so that an upgrade of Assay or of a library reruns exactly what it changes, in any workspace.

Covered: every `import` in the source, also inside functions, and import_module("pyod..."); a page's template; of labels
and modalities the plugin that `task:` names.
Not covered: what a library imports in its turn; the Python version; the build of a library ("+cpu" or "+cu126").
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import re
import sys
from functools import cache
from pathlib import Path

from .. import STAGES, durable, params
from .objects import mapping

PACKAGE = Path(__file__).resolve().parents[1]
_DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn", "ruamel": "ruamel.yaml", "yaml": "PyYAML"}
_PLUGINS = {"labels": ("kind", "single"), "modalities": ("modality", "image")}  # package -> its key in `task:`


def code_versions(workspace: Path) -> dict[str, str]:
    """Stage -> the fingerprint of the code that is installed here, for the task of this workspace."""
    task = params.read(workspace / "params.yaml").get("task") or {}
    chosen = {package: str(task.get(key, default)) for package, (key, default) in _PLUGINS.items()}
    declared = mapping("dvc.yaml", (workspace / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    stages = [stage for stage in STAGES if stage in declared]
    return {stage: fingerprint(stage, chosen) for stage in stages}


def write_code_versions(workspace: Path) -> dict[str, str]:
    """Bring code.yaml up to date (it is only written when it changes); returns stage -> fingerprint."""
    versions = code_versions(workspace)
    text = "# Each stage's version: its modules and libraries. Written by `assay run`.\n"
    text += "".join(f'{stage}: "{version}"\n' for stage, version in versions.items())
    path = workspace / "code.yaml"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        durable.write_text(path, text)
    return versions


def fingerprint(stage: str, plugins: dict[str, str], package: Path = PACKAGE) -> str:
    """12 hex digits over the sources and library versions that `stage` reaches; "none" where it has no module."""
    files, libraries = reached(stage, plugins, package)
    if not files:
        return "none"
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(package).as_posix()}\n".encode() + path.read_bytes())
    for library in sorted(libraries):
        digest.update(f"{library} {_version(library)}\n".encode())
    return digest.hexdigest()[:12]


def reached(stage: str, plugins: dict[str, str], package: Path = PACKAGE) -> tuple[set[Path], set[str]]:
    """The files of `package` that a stage imports, directly or not, and the names of the libraries these import.

    `package/__init__.py` itself is left out: it runs stages, it is no part of one.
    """
    files: set[Path] = set()
    libraries: set[str] = set()
    lazy: set[str] = set()  # chosen plugins that load their parts on first use
    waiting = [stage]
    while waiting or lazy:
        if not waiting:  # what the stage's own code says is known: now the parts that it names
            waiting = [part for plugin in lazy for part in _parts(package, plugin, _words(files, package, lazy))]
            lazy.clear()
            continue
        name = waiting.pop()
        path = _file(package, name)
        if path is None or path in files:
            continue
        files |= {path, *path.parent.glob(f"{path.stem}*.j2")}  # a page's template is named after its module
        waiting.append(name.rpartition(".")[0])  # Python runs the package of a module first
        if name in plugins:
            plugin = f"{name}.{plugins[name]}"
            if _homes(package, plugin):
                lazy.add(plugin)
                waiting.append(plugin)
            else:
                waiting += _modules(package, plugin)
        elif name == "formats":
            waiting += _modules(package, name)
        inside, outside = _imports(path, package)
        waiting += inside
        libraries |= outside
    return files, libraries


def _file(package: Path, name: str) -> Path | None:
    if not name:
        return None
    plain = package.joinpath(*name.split("."))
    for path in (plain.with_suffix(".py"), plain / "__init__.py"):
        if path.exists():
            return path
    return None


def _modules(package: Path, name: str) -> list[str]:
    """A module, or a package and everything in it, as dotted names."""
    folder = package.joinpath(*name.split("."))
    inside = sorted(folder.rglob("*.py")) if folder.is_dir() else []
    names = [".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__") for path in inside]
    return [name, *names]


def _homes(package: Path, name: str) -> dict[str, str]:
    """Name -> submodule of a package that imports these on first use (its `_HOMES`); {} of any other module."""
    path = _file(package, name)
    for node in ast.parse(path.read_bytes()).body if path is not None else []:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "_HOMES" for target in node.targets):
            return dict(ast.literal_eval(node.value))
    return {}


def _words(files: set[Path], package: Path, plugins: set[str]) -> set[str]:
    """Every attribute and text, docstrings aside, of the files that import a lazy plugin's registry."""
    registries = {plugin.partition(".")[0] for plugin in plugins}
    words: set[str] = set()
    for path in files:
        if path.suffix != ".py" or path.relative_to(package).parts[0] in registries:
            continue
        if registries & {name.partition(".")[0] for name in _imports(path, package)[0]}:
            tree = ast.parse(path.read_bytes())
            prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute):
                    words.add(node.attr)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                    words |= set(re.findall(r"\w+", node.value))
    return words


def _parts(package: Path, plugin: str, words: set[str]) -> list[str]:
    """The submodules of a lazy plugin that are named: `ingest` says `facts`, and so reaches `decode` alone."""
    return [f"{plugin}.{home}" for name, home in _homes(package, plugin).items() if name in words]


def _imports(path: Path, package: Path) -> tuple[list[str], set[str]]:
    """Dotted names inside the package, and names of libraries outside it and outside the standard library."""
    inside: list[str] = []
    outside: set[str] = set()
    here = path.relative_to(package).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            targets = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.ImportFrom):
            base = [package.name, *here[: len(here) - node.level], *(node.module.split(".") if node.module else ())]
            targets = [".".join(base), *(".".join([*base, alias.name]) for alias in node.names)]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            targets = [text for text in [_start(node.args[0])] if text]  # f"pyod.models.{name}"
        else:
            continue
        for target in targets:
            first, _, rest = target.partition(".")
            if first == package.name:
                inside.append(rest)
            elif first and first not in sys.stdlib_module_names:
                outside.add(first)
    return inside, outside


def _start(node: ast.expr) -> str:
    """The text that an expression surely begins with: "pyod.models." of f"pyod.models.{name}"."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


@cache
def _version(library: str) -> str:
    try:
        name = _DISTRIBUTIONS.get(library) or library
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return "absent"
