"""Does the page keep to its own scripts, without markup in them, and is it one script of many?"""

from __future__ import annotations

import re

import pytest
from review_stub import REVIEW

from tasks.review import shell


def test_no_script_writes_markup_and_the_shell_holds_no_inline_script_or_style() -> None:
    for script in sorted((REVIEW / "static").glob("*.js")):
        text = script.read_text(encoding="utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?://", text
        ), script
    page = (REVIEW / "templates" / "review.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|https?://", page)


def test_the_page_is_one_script_that_asks_for_no_other_file() -> None:
    page = (REVIEW / "templates" / "review.html").read_text(encoding="utf-8")
    assert re.findall(r"/static/([a-z_.]+)", page) == ["review.css", "review.js"]
    text = shell.script()
    assert not re.search(r"^(import|export)\b|[^$\w]import\(", text, re.MULTILINE)
    for path in (REVIEW / "static").glob("*.js"):
        assert text.count(f"$modules['./{path.name}'] = ") == 1, path


FORMS = {
    'import { a, b as c } from "./other.js";': "const { a, b: c } = $import('./other.js');",
    'import * as all from "./other.js";': "const all = $import('./other.js');",
    'const late = () => import("./other.js");': 'const late = () => $later("./other.js");',
    "export const one = 1;": "const one = 1;\nreturn { one };",
    "export async function two() {}": "async function two() {}\nreturn { two };",
    "export class Three extends Two {}": "class Three extends Two {}\nreturn { Three };",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_module_becomes_a_function_that_hands_out_what_it_exports(form: str) -> None:
    text = shell.composed({"./review.js": f"{form}\nf();", "./other.js": "export const a = 1;\nexport const b = 2;"})
    line, *rest = FORMS[form].split("\n")
    assert f"\n{line}\nf();\n" in text
    assert all(one in text for one in rest)


@pytest.mark.parametrize(
    "line",
    [
        'import "./other.js";',
        'import { a } from "other";',
        "export default 7;",
        "export let changing = 1;",
        'export * from "./other.js";',
        "export{ a };",
        '  import { a } from "./other.js";',
        'const late = await import("./other.js");',
    ],
)
def test_a_form_that_one_script_cannot_have_is_refused_by_file_and_line(line: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"./review.js, line 2: '{line}' cannot be put into one script")):
        shell.composed({"./review.js": f"// first\n{line}", "./other.js": ""})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('import { a } from "./nowhere.js";', "./review.js: there is no module ./nowhere.js."),
        ('import * as all from "./nowhere.js";', "./review.js: there is no module ./nowhere.js."),
        ('import { a, c, d as e } from "./other.js";', "./review.js: ./other.js has no c, d."),
        ('import { a } from "./review.js";\nexport const a = 1;', "nodes are in a cycle"),
    ],
)
def test_a_name_that_is_not_given_and_a_cycle_are_refused(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        shell.composed({"./review.js": line, "./other.js": "export const a = 1, c = 2;"})
