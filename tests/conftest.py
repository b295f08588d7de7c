"""What holds for all tests: no deadlines of single examples."""

from __future__ import annotations

import pyarrow.lib  # noqa: F401 - before HELICS, as in runners/tables
from hypothesis import settings

settings.register_profile("project", deadline=None)
settings.load_profile("project")
