"""Where a federate's time goes, by kind of call: put in place of its line in a runner file.

``python -m dlmp_cosim.runners.measure.calls market configs/ieee123_day`` runs the federate as its own module
does, and prints a table when it ends.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from rich.console import Console

from dlmp_cosim.federates.runtime.base import main
from dlmp_cosim.federates.runtime.link import CheckedLink, HelicsLink
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.feeders.errors import unknown_name
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.runners.plain_table import Rows

KINDS: Final[Mapping[str, tuple[type, tuple[str, ...]]]] = {
    "clear": (NodalMarket, ("clear",)),
    "solve": (OpenDssFeeder, ("solve",)),
    "request time": (HelicsLink, ("wait_until",)),
    "publish": (CheckedLink, ("publish",)),
    "read": (CheckedLink, ("number", "vector", "text")),
}
"""Methods by the kind of call that they are; none calls another."""


@dataclass
class Spent:
    """What one kind of call took.

    Attributes
    ----------
    calls : int
        How many.
    wall, processor : float
        Time that passed, and that processors worked for this process, HELICS' own threads with it [s].
    """

    calls: int = 0
    wall: float = 0.0
    processor: float = 0.0


def counted(method: Callable[..., Any], spent: Spent) -> Callable[..., Any]:
    """Make a method that does the same and counts what it takes.

    Parameters
    ----------
    method : callable
        The method.
    spent : Spent
        Where it counts.
    """

    @wraps(method)
    def counting(*args: Any, **options: Any) -> Any:
        wall, processor = time.perf_counter(), time.process_time()
        try:
            return method(*args, **options)
        finally:
            spent.calls += 1
            spent.wall += time.perf_counter() - wall
            spent.processor += time.process_time() - processor

    return counting


def count_calls() -> dict[str, Spent]:
    """Let every kind of call count from now on, in this process."""
    found = {kind: Spent() for kind in KINDS}
    for kind, (owner, methods) in KINDS.items():
        for name in methods:
            setattr(owner, name, counted(getattr(owner, name), found[kind]))
    return found


def table(found: Mapping[str, Spent], whole: Spent) -> Rows:
    """Show what was counted, and what the process took besides.

    Parameters
    ----------
    found : mapping of str to Spent
        By kind of call.
    whole : Spent
        All of the process.
    """
    rows = Rows("kind", "calls", "wall [s]", "processor [s]")
    rest = Spent(
        0,
        whole.wall - sum(item.wall for item in found.values()),
        whole.processor - sum(item.processor for item in found.values()),
    )
    for kind, item in [*found.items(), ("start and all else", rest)]:
        if item.calls or item is rest:
            rows.add_row(kind, f"{item.calls:,}", f"{item.wall:.2f}", f"{item.processor:.2f}")
    return rows


def run(arguments: list[str]) -> int:
    """Run a federate and print where its time went; the exit code is the federate's.

    Raises
    ------
    InputError
        When no built-in federate has the name.
    """
    name, *others = arguments or [""]
    if name not in ROLES:
        raise unknown_name("federate", name, ROLES, where="the first argument")
    found, wall = count_calls(), time.perf_counter()
    code = main(name, ROLES[name], others)
    whole = Spent(1, time.perf_counter() - wall, time.process_time())
    table(found, whole).print(Console())
    return code


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
