"""The conformance kit as a pytest fixture, for the tests of somebody's own federate.

Installed with the package: a test asks for ``conform`` and gives it the command that starts its federate.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dlmp_cosim.federates.conformance.judgement import Finding

Conform = Callable[..., "list[Finding]"]


@pytest.fixture
def conform() -> Conform:
    """Return a function that tries a federate and fails the test when it breaks the contract.

    It takes the command line as one text, and optionally `study` (folder), `name`, `intervals` and `limit_s`;
    it returns what was looked at.
    """
    return try_federate


def try_federate(
    command: str,
    *,
    study: Path | None = None,
    name: str | None = None,
    intervals: int = 3,
    limit_s: float = 60.0,
) -> list[Finding]:
    """Try a federate against toy partners.

    Parameters
    ----------
    command : str
        Command line that starts it.
    study : Path, optional
        Its study; by default the folder that the command names.
    name : str, optional
        Its name; by default that of the module or script.
    intervals : int
        Market intervals of each trial.
    limit_s : float
        Wall time that each trial may take [s].

    Returns
    -------
    list of Finding
        Everything that was looked at; none has a problem.
    """
    from dlmp_cosim.runners.conform.command import conform as run
    from dlmp_cosim.runners.conform.command import find_candidate, table

    findings = run(find_candidate(shlex.split(command), study, name, intervals), limit_s)
    if any(finding.problem for finding in findings):
        pytest.fail("\n".join(table(findings)), pytrace=False)
    return findings
