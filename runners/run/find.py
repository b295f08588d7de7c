"""Find the study that a user means."""

from __future__ import annotations

from pathlib import Path

from federates.study.study import Study, load_study
from runners.run.runner_file import find_runner, load_runner


def find_study(text: str) -> Study:
    """Find a study by its folder, its runner file or its name.

    Raises
    ------
    InputError
        When there is none.
    """
    if Path(text).is_dir():
        return load_study(Path(text))
    return load_runner(find_runner(text)).study
