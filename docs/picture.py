"""How does the review page look? The README's picture, made anew from the demo's drops.

    python docs/picture.py [--out docs/review.png] [--chromium /usr/bin/chromium]

Two drops of the demo become a workspace in a temporary folder; `assay review` serves it, Chromium opens the worst
slice, a few answers are given by keys, and the window is saved as a PNG of few colours. Takes about a minute.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from flows import environment
from tasks import versions

COLOURS = 96
MOST = 150_000  # bytes
WINDOW = {"width": 1400, "height": 800}
KEYS = ("1", "1", "Enter", "0", "1", "q")


def workspace(folder: Path) -> Path:
    """The demo's first two drops, received and audited; nobody has answered."""
    environment.prepare(folder)
    from flows.demo import Demo, deliver, publish
    from flows.digits import digits

    versions.init(folder)
    demo = Demo(folder, Console(quiet=True), digits())
    deliver(demo, "january-acme")
    publish(demo)
    deliver(demo, "march-core")
    (folder / "guideline.md").write_text("# Digits\n\nLabel what is drawn. A `7` may have a bar.\n", encoding="utf-8")
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """`assay review`; its link."""
    command = [sys.executable, "-P", "-m", "flows.cli", "review", "--port", "0", "--reviewer", "maria"]
    with subprocess.Popen([*command, "--workspace", str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def answered(page: Page) -> None:
    """The worst slice of the plan, with some answers in it and a few tiles flagged."""
    page.locator("#start").click()
    page.wait_for_selector("[role=gridcell] .pic[style*='blob:']")
    page.wait_for_timeout(1_500)
    for key in KEYS:
        page.keyboard.press(key)
    page.keyboard.type("Is this a four?")
    page.keyboard.press("Control+Enter")
    for key in ("ArrowRight", "x", "ArrowRight", "x"):
        page.keyboard.press(key)
    page.wait_for_timeout(5_000)  # the toast goes, the evidence comes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("review.png"))
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(workspace(Path(folder) / "ws")) as link,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=WINDOW)
        page.goto(link)
        page.wait_for_selector("#start")
        answered(page)
        window = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        browser.close()
    window.quantize(COLOURS, dither=Image.Dither.NONE).save(arguments.out, optimize=True)
    size = arguments.out.stat().st_size
    assert size < MOST, f"the picture has {size:,} bytes; {MOST:,} are allowed"
    print(f"{arguments.out}: {size:,} bytes")


if __name__ == "__main__":
    main()
