"""What holds for all tests: no deadlines of single examples, and two real federations at a time at most."""

from __future__ import annotations

import pyarrow.lib  # noqa: F401 - before HELICS, as in runners/tables
import pytest
from hypothesis import settings

settings.register_profile("project", deadline=None)
settings.load_profile("project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep federations in one worker, but for those that name a group, as long as all others together.

    They wait as much as they work. More at a time would be too much: a run has six processes.
    """
    for item in items:
        if item.get_closest_marker("federation") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("federations"))
