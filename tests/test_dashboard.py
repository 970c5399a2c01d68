"""Does the page show what the workspace holds, escape what comes from the data, and give nothing else away?"""

from __future__ import annotations

import random
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy_sight as toy
from toy_sight import HOSTILE

from flows.overview import age, percent, size
from flows.report import Story, write_report
from tasks import store


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = toy.make(tmp_path_factory.mktemp("page") / "ws")
    store.write_json(made / ".assay" / "accuracy.json", {"dataset@v1.0.1": [0.97, 0.99]})
    (made / "secret.txt").write_text("secret: nobody may read it")
    return made


@pytest.fixture(scope="module")
def port(workspace: Path) -> Iterator[int]:
    with toy.page(workspace) as port:
        yield port


@pytest.fixture(scope="module")
def cookie(workspace: Path, port: int) -> str:
    """The session of whoever opens the link."""
    return toy.session(workspace, port)


@pytest.fixture(scope="module")
def shown(port: int, cookie: str) -> str:
    status, _, text = toy.get(port, "/", cookie=cookie)
    assert status == 200
    return text


def words(html: str) -> str:
    """The text of a page, tags out, spaces joined."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).replace("\N{EN DASH}", "-").split())


def test_the_page_tells_revisions_with_noise_and_the_accuracy_that_was_measured(shown: str) -> None:
    rows = [words(row) for row in re.findall(r"<tr>.*?</tr>", shown)]
    assert "now 2.0 % - 90.0 % - - - not published" in rows
    assert any(row.startswith("dataset@v1.0.1 4.0 % 98.0 % ± 1.4 90.0 % 3 1 0") for row in rows)
    assert any(row.startswith("dataset@v1.0.0 10.0 % - 90.0 % 3") for row in rows)


def test_the_page_tells_what_waits_with_the_next_command(shown: str) -> None:
    text = words(shown)
    assert "2 items in the queue, the oldest for" in text
    assert "4 drops, classes and rows wait" in text
    assert "2 answers are not in a revision yet: assay revise" in text
    assert "may ▲" not in text
    assert "● complete" in text
    assert "▲ held" in text
    assert "drop:0002-b E_EXPECTATION" in text
    assert "The Prefect server does not answer. PREFECT_API_URL is not set." in text


def test_the_heat_map_has_a_row_a_class_and_a_column_a_revision(shown: str) -> None:
    table = shown.split('<table class="heat alarm broad">')[1].split("</table>")[0]
    rows = [words(row) for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)]
    assert rows[0] == "v1.0.0 v1.0.1 now", rows
    assert "cat 10.0 4.0 2.0" in rows
    assert rows[-1] == "other 0 0"


def test_text_from_the_data_is_shown_as_text(shown: str) -> None:
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;window.__xss=1") >= 4  # a class, a held subject, a delivery, a confusion
    assert "&#39;data/incoming/&lt;script&gt;" in shown  # and the command quotes it for the shell


def test_nothing_is_loaded_from_outside_and_no_style_or_script_is_inside(shown: str) -> None:
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', shown)
    assert {one.partition("#")[0].partition("?")[0] for one in addresses} == {
        "/page.css",
        "/",
        "/revisions",
        "/review",
        "/files/validation.html",
        "/files/noise.json",
        "/files/confusions.csv",
        "/metrics",
        "/revisions/v1.0.0..v1.0.1",
    }
    assert re.findall(r"<style|<script|style=|javascript:|\son\w+=", shown) == []


def test_a_cell_leads_to_its_items_in_the_review(shown: str) -> None:
    assert '<a href="/review#given=cat&amp;order=suspicion">10.0</a>' in shown
    hostile = "/review#given=cat&amp;suggested=%3Cscript%3Ewindow.__xss%3D1%3C%2Fscript%3E&amp;order=suspicion"
    assert f'<a href="{hostile}">3</a>' in shown
    assert '<a class="said" href="/review#drop=0001-a&amp;queued=1&amp;order=suspicion">0001-a</a>' in shown


SECURITY = [
    # method, path, host (None: the right one) -> status
    ("GET", "/", None, 200),
    ("HEAD", "/", None, 200),
    ("GET", "/", "localhost", 200),
    ("GET", "/", "[::1]:80", 200),
    ("GET", "/", "evil.example", 421),
    ("GET", "/", "127.0.0.1.evil.example", 421),
    ("GET", "/", "localhost.evil.example", 421),
    ("GET", "/", "evil.example:80@localhost", 421),
    ("GET", "/", "", 421),
    ("GET", "/metrics", "evil.example", 421),
    ("GET", "/files/noise.json", "evil.example", 421),
    ("POST", "/", None, 403),  # no Origin
    ("PUT", "/metrics", None, 405),
    ("GET", "/revisions", None, 200),
    ("GET", "/revisions/v1.0.0..v1.0.1", None, 200),
    ("GET", "/revisions/v1.0.0..v9.9.9", None, 404),
    ("GET", "/revisions/v1.0.0", None, 404),
    ("GET", "/revisions/..%2f..%2fetc..v1.0.0", None, 404),
    ("GET", "/revisions/--help..v1.0.0", None, 404),
    ("GET", "/revisions?a=v1.0.0&b=//evil.example", None, 404),
    ("GET", "/revisions?a=v1.0.0&b=v1.0.1", None, 303),
    ("GET", "/revisions/v1.0.0/99999.jpg", None, 404),
    ("GET", "/revisions/v1.0.0/-1.jpg", None, 404),
    ("GET", "/revisions/v1.0.0/../../secret.txt", None, 404),
    ("GET", "/studies/before-after-v1.0.0-v1.0.1.html", None, 404),
    ("GET", "/studies/..%2f..%2fparams.yaml", None, 404),
    ("GET", "/revisions", "evil.example", 421),
    ("DELETE", "/files/noise.json", None, 405),
    ("OPTIONS", "/", None, 405),
    ("GET", "/files/validation.html", None, 200),
    ("GET", "/files/report.html", None, 404),  # not written yet
    ("GET", "/files/secret.txt", None, 404),
    ("GET", "/files/params.yaml", None, 404),
    ("GET", "/files/../params.yaml", None, 404),
    ("GET", "/files/..%2fparams.yaml", None, 404),
    ("GET", "/files/%2e%2e/params.yaml", None, 404),
    ("GET", "/files/data/audit/noise.json", None, 404),
    ("GET", "/files//etc/passwd", None, 404),
    ("GET", "/files/noise.json%00", None, 404),
    ("GET", "/../../../../etc/passwd", None, 404),
    ("GET", "//evil.example/", None, 404),
]


@pytest.mark.parametrize(("method", "path", "host", "status"), SECURITY)
def test_what_is_asked_is_answered_only_where_it_should_be(
    port: int, cookie: str, method: str, path: str, host: str | None, status: int
) -> None:
    got, headers, text = toy.get(port, path, method=method, host=host, cookie=cookie)
    assert got == status
    assert "secret" not in text
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert got != 200 or "script-src" not in policy
    if not path.startswith("/files/validation"):
        assert "unsafe" not in policy
    else:
        assert policy.endswith("sandbox")


PARTS = "/ .. . ..%2f %2e%2e/ ..%5c %5c %00 %0a // ~ : ; ? # % * .jpg /0.jpg etc/passwd secret.txt params.yaml".split()
PARTS += ["revisions", "files", "studies", "v1.0.0", "..v1.0.1", "noise.json", "%c0%ae%c0%ae", "-1", "9" * 30]


def test_no_path_made_of_tricks_gives_a_byte_of_another_file(port: int, cookie: str) -> None:
    rng = random.Random(7)
    answered = set()
    for _ in range(400):
        start = rng.choice(("/files/", "/revisions/", "/revisions/v1.0.0/", "/studies/", "/"))
        status, headers, text = toy.get(port, start + "".join(rng.choices(PARTS, k=rng.randint(1, 6))), cookie=cookie)
        answered.add(status)
        assert "nobody may read it" not in text and "modality:" not in text and "root:" not in text
        assert headers["x-content-type-options"] == "nosniff" and "content-security-policy" in headers
    assert answered <= {200, 303, 307, 400, 404}, answered


PUBLIC = ("/", "/metrics", "/health", "/page.css", "/review")
PRIVATE = (
    "/revisions",
    "/revisions/v1.0.0..v1.0.1",
    "/revisions/v1.0.0/0.jpg",
    "/files/validation.html",
    "/studies/x.html",
    "/api/me",
)


def test_figures_are_open_to_this_machine_and_what_shows_items_or_people_needs_a_session(port: int) -> None:
    assert [toy.get(port, path)[0] for path in PUBLIC] == [200] * len(PUBLIC)
    assert [toy.get(port, path)[0] for path in PRIVATE] == [401] * len(PRIVATE)
    text = words(toy.get(port, "/")[2])
    assert "need a session: open the link that assay review prints" in text
    assert "Shown to whoever has a session." in text
    assert "ann" not in text.split()


def test_a_link_that_leads_out_of_the_workspace_is_not_followed(tmp_path: Path) -> None:
    from flows.dashboard import FILES, _file

    (tmp_path / "ws").mkdir()
    (tmp_path / "secret.html").write_text("secret")
    (tmp_path / "ws" / "report.html").symlink_to(tmp_path / "secret.html")
    assert [name for name in FILES if _file(tmp_path / "ws", name)] == []


def test_it_listens_on_loopback_only(port: int) -> None:
    told = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [line.split()[1] for line in told if line.split()[3] == "0A"]
    assert [place for place in listening if place.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    with socket.create_connection(("127.0.0.1", port)):
        pass


def test_a_new_workspace_has_a_page_that_says_what_to_do(tmp_path: Path) -> None:
    from tasks import versions

    versions.init(tmp_path / "ws")
    with toy.page(tmp_path / "ws") as port:
        text = words(toy.get(port, "/")[2])
        assert toy.get(port, "/health")[0] == 200
        (tmp_path / "ws" / "params.yaml").unlink()
        assert toy.get(port, "/health")[0] == 503
    assert "No revision published yet" in text
    assert "Nothing waits." in text
    assert "No audit yet. Run: assay run" in text
    assert "No queue yet. Run: assay run" in text
    assert "No drop yet. Run: assay receive FOLDER" in text


def test_a_folder_that_is_no_workspace_is_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "flows.dashboard", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, f"Folder '{tmp_path}' is no workspace. Run: assay init {tmp_path}\n")


def test_the_report_keeps_the_accuracies_for_the_page(tmp_path: Path) -> None:
    from tasks import versions

    versions.init(tmp_path / "ws")
    write_report(tmp_path / "ws", Story(accuracy={"v1.0.0 as delivered": [0.9, 0.92]}))
    assert store.read_json(tmp_path / "ws" / ".assay" / "accuracy.json") == {"dataset@v1.0.0": [0.9, 0.92]}


def test_lengths_of_time_sizes_and_shares_are_short() -> None:
    assert [age(n) for n in (0, 119, 120, 7199, 7200, 172_799, 172_800)] == [
        "0 s", "119 s", "2 min", "120 min", "2 h", "48 h", "2 d",
    ]  # fmt: skip
    assert [size(n) for n in (0, 999, 1000, 52e9, 3.2e12)] == ["0 B", "999 B", "1 kB", "52 GB", "3.2 TB"]
    assert [percent(seeds) for seeds in ((), (0.5,), (0.97, 0.99))] == ["", "50.0 %", "98.0 % ± 1.4"]
    assert HOSTILE.startswith("<script>")
