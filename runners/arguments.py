"""What commands take: names of studies, and results files, with completion and errors in words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

from dlmp_cosim.feeders.errors import nearest_name

RESULTS_NAMES = ("results.h5", "results/results.h5")
"""Where the results of a study are within the folder that a user names."""


class StudyName(StringParamType):
    """A study: its folder, its runner file or its name."""

    name = "study"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete names of studies; the shell completes paths."""
        from dlmp_cosim.runners.run.runner_file import known_studies

        del ctx, param
        names = [CompletionItem(name) for name in known_studies() if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="file")]


class ResultsFile(click.Path):
    """The results file of a run, or the folder of the study or of its results."""

    name = "results"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Find the file.

        Raises
        ------
        ClickException
            When there is none, with the nearest that is.
        """
        path = Path(str(super().convert(value, param, ctx)))
        if path.is_dir():
            path = next((path / name for name in RESULTS_NAMES if (path / name).is_file()), path)
        if path.is_file():
            return path
        what = "holds no results" if path.is_dir() else "there is no such file"
        near = nearest_name(str(path), known_results())
        hint = f"; did you mean {near!r}?" if near else ""
        raise click.ClickException(
            f"{path}: {what}; expected the results of a run, as `dlmp run` writes them{hint}"
        )


def finite(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    """Refuse what Python reads as a number and is none, or has no end.

    Raises
    ------
    BadParameter
        For nan, inf and -inf.
    """
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number.")
    return value


def known_results() -> list[str]:
    """Results files at the usual places below the working folder."""
    return sorted(
        str(path) for pattern in ("*.h5", "*/*.h5", "*/results/*.h5") for path in Path().glob(pattern)
    )
