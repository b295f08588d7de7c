"""Find the study that a user means."""

from __future__ import annotations

from pathlib import Path

from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.runners.run.runner_file import find_runner, known_studies, load_runner
from dlmp_cosim.runners.start.examples import examples


def find_study(text: str, *, own: bool = False) -> Study:
    """Find a study by its folder, its runner file or its name.

    Parameters
    ----------
    text : str
        What a user wrote.
    own : bool
        Look among the user's studies alone, and not among those that come with the package.

    Raises
    ------
    InputError
        When there is none.
    """
    if Path(text).is_dir():
        return load_study(Path(text))
    if not own and text not in known_studies() and text in examples():
        return load_study(examples()[text].folder)
    return load_runner(find_runner(text, () if own else examples())).single
