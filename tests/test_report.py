"""Does the report page show hostile text as text, and need nothing from outside?"""

from __future__ import annotations

import re
from pathlib import Path

from flows.report import write_report
from tasks import store, versions
from tasks.model import GATE, QUARANTINE


def test_an_empty_workspace_has_a_page_that_says_so(tmp_path: Path) -> None:
    versions.init(tmp_path / "ws")
    page = write_report(tmp_path / "ws").read_text()
    assert "No drop yet" in page
    assert "No revision published yet" in page


def test_names_from_the_data_stay_text_and_nothing_is_loaded_from_outside(tmp_path: Path) -> None:
    ws = tmp_path / "ws"
    versions.init(ws)
    hostile = "<script>window.__xss=1</script><img src=x onerror=alert(1)>"
    row = {"drop": "0001-x", "source": hostile, "raw": b"", "code": "E_QUOTE", "message": hostile, "remedy": hostile}
    store.write_table(ws / "data/ingest/quarantine/0001-x.parquet", QUARANTINE, store.frame(QUARANTINE, [row]))
    held = {"subject": f"class:{hostile}", "status": "held", "code": "E_CLASS_NEW", "message": hostile, "remedy": ""}
    store.write_table(ws / "data/validate/gate.parquet", GATE, store.frame(GATE, [held]))
    page = write_report(ws).read_text()
    assert "<script" not in page
    assert "&lt;script&gt;window.__xss=1" in page
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []
    assert "://" not in page.replace("http-equiv", "")
