"""What does an engineer see in Prefect after a run? A page (counts, what waits, where to look), and a table of the
rows in quarantine; while it runs, steps.py shows a bar.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from tasks import store, versions
from tasks.model import QUARANTINE, Report, counted

from . import address

ROWS = 200  # of the table
SHOWN = ("drop", "source", "code", "message", "remedy")
PAGES = {  # what it is called -> (file of the workspace, its name on the page of `assay up`)
    "Report": ("report.html", "report.html"),
    "Validation": ("data/validate/report.html", "validation.html"),
    "Noise": ("data/audit/noise.json", "noise.json"),
    "Confusions": ("data/audit/confusions.csv", "confusions.csv"),
}


def publish_summary(
    flow: str,
    workspace: Path,
    reports: Sequence[Report],
    *,
    held: Iterable[str] = (),
    revision: versions.Published | None = None,
) -> str:
    """Write the run's markdown artifact (key `assay-<flow>`) and return it."""
    text = markdown(flow, workspace, reports, held=held, revision=revision)
    create_markdown_artifact(text, key=f"assay-{flow}", description=f"{flow} in {workspace}")
    if rows := quarantined(workspace):
        create_table_artifact(
            rows, key="assay-quarantine", description=f"Rows in quarantine in {workspace}, newest drop first"
        )
    return text


def quarantined(workspace: Path) -> list[dict[str, str]]:
    """The rows in quarantine, the newest drop first, at most ROWS; each with what is wrong and what mends it."""
    files = sorted((workspace / "data" / "ingest" / "quarantine").glob("*.parquet"), reverse=True)
    rows: list[dict[str, str]] = []
    for file in files:
        table = store.read_table(file, QUARANTINE, columns=SHOWN)
        rows += [{name: str(row[name])[:300] for name in SHOWN} for row in table[: ROWS - len(rows)].to_dict("records")]
        if len(rows) == ROWS:
            break
    return rows


def markdown(
    flow: str,
    workspace: Path,
    reports: Sequence[Report],
    *,
    held: Iterable[str] = (),
    revision: versions.Published | None = None,
) -> str:
    """The page as text: a row a stage, what is held with its next command, links to the pages that exist."""
    lines = [f"# {flow} in `{workspace}`", ""]
    if revision is not None:
        lines += [f"**{_cell(revision.sentence)}**", ""]
    lines += ["| stage | | counts | seconds |", "|---|---|---|---:|"]
    for report in reports:
        lines.append(f"| {report.stage} | {report.status} | {_cell(counted(report.counts))} | {report.seconds:.1f} |")
    waiting = list(held)
    lines += ["", "## What waits", "", *(f"- {_cell(sentence)}" for sentence in waiting or ["Nothing."])]
    lines += ["", "## Look at", "", *_links(workspace)]
    return "\n".join(lines) + "\n"


def _links(workspace: Path) -> list[str]:
    """The pages that there are: at the address of `assay up`, which a browser opens from Prefect's, else as files."""
    up = address.find(workspace)
    there = {name: place for name, place in PAGES.items() if (workspace / place[0]).exists()}
    if up is not None and up.page:
        return [f"- [The page of the workspace]({up.page})"] + [
            f"- [{name}]({up.page}/files/{served})" for name, (_, served) in there.items()
        ]
    return [f"- [{name}]({(workspace / file).resolve().as_uri()})" for name, (file, _) in there.items()]


def _cell(text: str) -> str:
    """Text from the data as inert markdown: no link, tag or table can begin in it."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#!" else c for c in text.replace("\n", " "))
