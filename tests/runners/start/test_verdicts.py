"""Every example study ends as its first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dlmp_cosim.runners.start.examples import copy_example, examples, find_example

EXIT_CODES = {"feasible": 0, "violated": 2}


@pytest.mark.slow
@pytest.mark.federation
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", examples())
def test_an_example_ends_as_it_says(name: str, tmp_path: Path) -> None:
    example = find_example(name)
    copy_example(example, tmp_path / "copy", "copy")
    dlmp = [sys.executable, "-m", "dlmp_cosim.runners.cli"]
    run = subprocess.run([*dlmp, "run", "--quiet", "copy"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    judged = subprocess.run([*dlmp, "verdict", "copy"], cwd=tmp_path, capture_output=True, text=True)
    assert judged.returncode == EXIT_CODES[example.verdict], judged.stdout
