"""Do tests that share a server run one after the other in one process?"""

from __future__ import annotations

import os

import pytest


@pytest.mark.xdist_group("one-process")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="the whole suite is in one process")
def test_pytest_xdist_knows_the_groups(request: pytest.FixtureRequest) -> None:
    """pytest 9.2 with pytest-xdist 3.8 forgets them without a word, and a file's tests then run in any order."""
    if request.config.getoption("loadgroup", False):
        assert request.node.nodeid.endswith("@one-process")
