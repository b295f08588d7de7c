"""One short run that the tests of commands share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study

CONFIGS = Path(__file__).parents[2] / "configs" / "ieee123_day"


def make_study(folder: Path, **changes: str) -> Path:
    """Copy the study that comes with the project, with lines of its scenario changed by key."""
    shutil.copytree(CONFIGS, folder)
    file = folder / "scenario.toml"
    lines = file.read_text().splitlines()
    for key, value in changes.items():
        lines = [f"{key} = {value}" if line.partition("=")[0].strip() == key else line for line in lines]
    file.write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def short_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six hours around the dearest one, an interval an hour."""
    folder = tmp_path_factory.mktemp("study")
    return make_study(
        folder / "short",
        model='"nodal"',
        start='"2020-08-25T13:00:00"',
        intervals="6",
        period_s="3600",
        file=f'"{folder / "short.h5"}"',
    )


@pytest.fixture(scope="session")
def short_run(short_study: Path) -> Path:
    """Results of the short study; tests copy it before they change it."""
    study = load_study(short_study)
    run_direct(study)
    return study.results_file


@pytest.fixture
def copied_run(short_run: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    copy = tmp_path / "run.h5"
    shutil.copy(short_run, copy)
    return copy
