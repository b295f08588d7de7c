"""What holds for all tests: no deadlines of single examples, and one real federation at a time."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("project", deadline=None)
settings.load_profile("project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep federations in one worker: six processes a run are load enough for two cores."""
    for item in items:
        if item.get_closest_marker("federation") is not None:
            item.add_marker(pytest.mark.xdist_group("federations"))
