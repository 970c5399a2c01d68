"""What is the review page before its data? One document, one script, one style sheet: the same for everybody.

The script lies in static/ as some thirty ES modules, a noun each, which a browser takes longer over than over one
(docs/decisions.md). So they are put together when the server starts; nothing is written:

    import { el, by as one } from "./dom.js"    ->  const { el, by: one } = $import("./dom.js")
    import * as settings from "./settings.js"   ->  const settings = $import("./settings.js")
    await import("./summary.js")                ->  await $later("./summary.js"): evaluated when first asked for
    export function el(..) { .. }               ->  function el(..) { .. }, and handed out at the end of its module

A module is a function then, with names of its own, and runs once. Other forms, `await` outside a function, a name that
no module gives and a cycle are refused when the server starts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

HERE = Path(__file__).parent
FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
ASK = {"cache-control": "no-cache"}  # each time whether it has changed

FIRST = "./review.js"  # the module that the page begins with
_SOME = re.compile(r'import \{ (.+) \} from "(\./[a-z_]+\.js)";')
_ALL = re.compile(r'import \* as (\w+) from "(\./[a-z_]+\.js)";')
_GIVEN = re.compile(r"export ((?:async )?(?:function|class|const) (\w+)\b.*)")
_OTHER = re.compile(r"\s*(import|export)\b(?!\()|(const .* = )?await\b")
_LATER = re.compile(r"(?<![$\w.])import\(")
_HEAD = """const $modules = {}, $kept = {};
const $import = (name) => ($kept[name] ??= $modules[name]());
const $later = async (name) => $import(name);
"""


@dataclass(frozen=True, slots=True)
class Module:
    """A module as a function; what it takes (module -> names) and gives."""

    text: str
    takes: Mapping[str, Collection[str]]
    gives: Collection[str]


def composed(files: Mapping[str, str]) -> str:
    """One script of all files ("./dom.js" -> its text). ValueError: a form or a name that is not known, or a cycle."""
    modules = {name: _module(name, text) for name, text in files.items()}
    for name, module in modules.items():
        for other, wanted in module.takes.items():
            if other not in modules:
                raise ValueError(f"{name}: there is no module {other}.")
            if missing := set(wanted).difference(modules[other].gives):
                raise ValueError(f"{name}: {other} has no {', '.join(sorted(missing))}.")
    TopologicalSorter({name: module.takes for name, module in modules.items()}).prepare()
    parts = [f"$modules[{name!r}] = {module.text};\n" for name, module in modules.items()]
    # begun when the script is done: Chromium notes where a request comes from, and parses what is on the stack again
    return "".join([_HEAD, *parts, f"queueMicrotask(() => $import({FIRST!r}));\n"])


def _module(name: str, text: str) -> Module:
    lines: list[str] = []
    takes: dict[str, list[str]] = {}
    gives: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if some := _SOME.fullmatch(line):
            takes.setdefault(some[2], []).extend(one.partition(" as ")[0].strip() for one in some[1].split(","))
            line = f"const {{ {some[1].replace(' as ', ': ')} }} = $import({some[2]!r});"
        elif every := _ALL.fullmatch(line):
            takes.setdefault(every[2], [])
            line = f"const {every[1]} = $import({every[2]!r});"
        elif given := _GIVEN.fullmatch(line):
            gives.append(given[2])
            line = given[1]
        elif _OTHER.match(line):
            raise ValueError(f"{name}, line {number}: '{line}' cannot be put into one script (tasks/review/shell.py).")
        lines.append(_LATER.sub("$later(", line))
    # the outer brackets tell the browser to compile it at once, not to look through it first
    return Module("\n".join(["(() => {", *lines, f"return {{ {', '.join(gives)} }};", "})"]), takes, gives)


def script() -> str:
    """The page's script, out of static/."""
    paths = sorted((HERE / "static").glob("*.js"))
    return composed({f"./{path.name}": path.read_text(encoding="utf-8") for path in paths})


def routes() -> list[Route]:
    """The page without its data, which needs no session; read once.

    The addresses of its files hold a digest of them, so that a browser asks for none again.
    """
    files = {
        "review.js": (script().encode(), "text/javascript"),
        "review.css": ((HERE / "static" / "review.css").read_bytes(), "text/css"),
    }
    digest = hashlib.sha256(b"".join(content for content, _ in files.values())).hexdigest()[:12]
    html = (HERE / "templates" / "review.html").read_text(encoding="utf-8").replace("/static/", f"/static/{digest}/")

    async def page(request: Request) -> Response:
        return Response(html, media_type="text/html", headers=ASK)

    async def static(request: Request) -> Response:
        found = files.get(request.path_params["name"])
        if found is None:
            return JSONResponse({"error": "There is no such file."}, 404)
        kept = FOREVER if request.path_params["digest"] == digest else ASK
        return Response(found[0], media_type=found[1], headers=kept)

    return [
        Route("/review", page),
        Route("/favicon.ico", lambda request: Response(status_code=204)),
        Route("/static/{digest}/{name}", static),
    ]
