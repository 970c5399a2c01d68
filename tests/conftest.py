"""What every test may use: a toy workspace, toy drops, one Prefect server for the session. Telemetry is off first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from flows import environment

environment.prepare(None)
os.environ["PYTHONWARNINGS"] = "ignore"  # for children: their warnings are a third party's, ours are errors here


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of a real Label Studio are chosen by name only (-m label_studio); else they are counted as deselected."""
    if "label_studio" not in config.option.markexpr:
        others = [item for item in items if item.get_closest_marker("label_studio") is None]
        config.hook.pytest_deselected(items=[item for item in items if item not in others])
        items[:] = others


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One Prefect home for the session, so that its database is made once."""
    home = tmp_path_factory.mktemp("prefect")
    os.environ["PREFECT_HOME"] = str(home)
    yield home
    del os.environ["PREFECT_HOME"]


@pytest.fixture(scope="session")
def prefect_server(prefect_home: Path) -> Iterator[None]:
    """A real Prefect server with a database of its own."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        yield


@pytest.fixture(scope="session")
def toy_digits() -> object:
    """The first 160 of the demo's digits as one drop `toy`, the next 40 as `more`."""
    from flows.digits import Digits, digits

    whole = digits()
    return Digits(whole.images, whole.labels, {"toy": np.arange(160), "more": np.arange(160, 200)}, whole.test)
