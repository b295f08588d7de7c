"""Several federates in one process, or in processes that share a start.

Twenty small owners as processes of their own keep a machine busy with starting and with messages. Hosted in
one they share its start, its memory and one HELICS core, and cost a third of that; apart, each in a process
forked from one that has imported all, they share the start. For everybody else they are twenty federates.
"""

from __future__ import annotations

import argparse
import logging
from functools import partial
from pathlib import Path

from dlmp_cosim.federates.runtime.base import Build, guard
from dlmp_cosim.federates.runtime.forked import live_apart
from dlmp_cosim.federates.runtime.hosting import APART_OPTION, FEEDER_OPTION, FORM, hosted
from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.market.models import import_member

log = logging.getLogger(__name__)


def find_build(name: str, path: str) -> Build:
    """Find what makes a role: a class that takes the study and the name.

    Parameters
    ----------
    name : str
        Name that the federate gets.
    path : str
        Where the class is, as ``package.module:Class``.

    Raises
    ------
    InputError
        When there is no such class.
    """
    return partial(import_member(path, kind="federate", where=f"dlmp_cosim.federates.host {name}"), name=name)


def main(arguments: list[str] | None = None) -> int:
    """Run several federates in this process, or in processes forked from it.

    Returns
    -------
    int
        Exit code, as of `federates.runtime.base.main`.
    """
    parser = argparse.ArgumentParser(description="Run several offering federates of a study in one process.")
    parser.add_argument("study", type=Path, help="folder with scenario.toml and the HELICS configurations")
    parser.add_argument("federates", nargs="*", metavar=FORM, help="as in pv_66=dlmp_cosim.federates.pv:Pv")
    parser.add_argument(
        FEEDER_OPTION, default="", help="host the federates of one of the feeders that the study lists"
    )
    parser.add_argument(
        APART_OPTION, action="store_true", help="give each a process of its own, forked from this one"
    )
    # Plain parsing takes the list of federates to be empty where an option stands before it.
    options = parser.parse_intermixed_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        listed = {name: find_build(name, path) for name, path in map(hosted, options.federates)}
    except DlmpError as error:
        log.error("%s", error)
        return 1
    if not options.feeder and not listed:
        parser.error(f"expected federates to host, as {FORM}, or {FEEDER_OPTION}")
    builds = (_feeders_own() if options.feeder else {}) | listed
    run = options.study, options.feeder
    if options.apart:
        return live_apart([partial(guard, {name: build}, *run) for name, build in builds.items()])
    return guard(builds, *run)


def _feeders_own() -> dict[str, Build]:
    """Return the roles of a feeder; imported for a feeder alone, as owners need nothing of the others."""
    from dlmp_cosim.federates.runtime.local import ROLES

    return dict(ROLES)


if __name__ == "__main__":
    raise SystemExit(main())
