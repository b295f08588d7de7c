"""Several federates in one process: they share its start, its memory and one HELICS core.

Twenty small owners as processes of their own keep a machine busy with starting and with messages; hosted,
they cost less than half of that. For everybody else they are twenty federates as before.
"""

from __future__ import annotations

import argparse
import logging
from functools import partial
from pathlib import Path

from federates.runtime.base import Build, guard
from federates.runtime.hosting import FORM, hosted
from feeders.errors import DlmpError
from market.models import import_member

log = logging.getLogger(__name__)


def find_build(name: str, path: str) -> Build:
    """Find what makes a role: a class that takes the study and the name.

    Raises
    ------
    InputError
        When there is no such class.
    """
    return partial(import_member(path, kind="federate", where=f"federates.host {name}"), name=name)


def main(arguments: list[str] | None = None) -> int:
    """Run several federates in this process.

    Returns
    -------
    int
        Exit code, as of `federates.runtime.base.main`.
    """
    parser = argparse.ArgumentParser(description="Run several offering federates of a study in one process.")
    parser.add_argument("study", type=Path, help="folder with scenario.toml and the HELICS configurations")
    parser.add_argument("federates", nargs="+", metavar=FORM, help="as in pv_66=federates.pv:Pv")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        builds = {name: find_build(name, path) for name, path in map(hosted, options.federates)}
    except DlmpError as error:
        log.error("%s", error)
        return 1
    return guard(builds, options.study)


if __name__ == "__main__":
    raise SystemExit(main())
