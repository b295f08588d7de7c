"""The demo in an empty folder, from the checkout; tests/test_installed.py does it from the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.start.examples import copy_example, find_example

DLMP = [sys.executable, "-m", "dlmp_cosim.runners.cli"]


@pytest.mark.federation
def test_the_demo_runs_beside_files_named_like_ours(tmp_path: Path) -> None:
    for name in ("market", "runners", "feeders", "federates"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the user has this file for himself')")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [*DLMP, "demo", "--intervals", "2", "--no-open"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert "limits that AC broke" in done.stdout
    assert "report: ieee123_day/report.html" in done.stdout
    with Results(tmp_path / "ieee123_day" / "results" / "results.h5") as results:
        assert results.complete
    assert (tmp_path / "ieee123_day" / "report.html").stat().st_size > 1e5
    refused = subprocess.run(
        [*DLMP, "run", "mine", "-o", "ieee123_day/results"],
        cwd=copied(tmp_path),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode == 2
    assert (
        "holds the results of study 'ieee123_day', not of 'mine'; expected another folder" in refused.stderr
    )


def copied(place: Path) -> Path:
    copy_example(find_example("ieee123_day"), place / "mine", "mine")
    return place


def test_the_demo_leaves_alone_what_is_not_its_own(tmp_path: Path) -> None:
    copy_example(find_example("ieee123_day"), tmp_path / "demo", "other")
    shown = CliRunner().invoke(main, ["demo", str(tmp_path / "demo")])
    assert shown.exit_code == 1
    assert "is not from `dlmp demo`" in shown.output
