"""Does each label kind name a widget that there is, and each modality a preview?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks import labels, modalities
from tasks.review import shell

STATIC = Path(shell.HERE) / "static"


@pytest.mark.parametrize("name", labels.kinds())
def test_each_label_kind_names_its_widget(name: str) -> None:
    script = (STATIC / f"widget_{labels.kind(name).WIDGET}.js").read_text(encoding="utf-8")
    for needed in ("keyed", "verb", "suggestion", "bare", "compared", "wanted", "settled"):
        assert f" {needed}" in script


@pytest.mark.parametrize("name", modalities.modalities())
def test_each_modality_names_its_preview_and_has_tiles_exactly_where_it_is_a_sheet(name: str) -> None:
    module = modalities.modality(name)
    script = (STATIC / f"preview_{module.PREVIEW}.js").read_text(encoding="utf-8")
    for needed in ("cards", "width", "height", "parts", "fetch", "arrive", "caption"):
        assert f" {needed}" in script
    assert hasattr(module, "tile") == (module.PREVIEW == "sheet")
