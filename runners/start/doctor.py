"""`dlmp doctor`: what is installed, which engines and extras work, ports and cores."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

import click
from rich.console import Console

from dlmp_cosim.federates.runtime.ports import DEFAULT_PORT, PORT_VARIABLE, check_ports, reserve_block
from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.runners.extras import EXTRAS, PACKAGE, install_command, missing_packages
from dlmp_cosim.runners.plain_table import Rows

PROBE_S = 120.0
NOT_WELL = 2
"""Exit code when something that every run needs does not work."""

PROBES = {
    "OpenDSS": """
from dlmp_cosim.feeders import ieee123
print(f"compiles IEEE's feeder: {len(ieee123.load().node_ids)} nodes")""",
    "HELICS": """
import helics
from dlmp_cosim.federates.runtime.ports import reserve_block
port, guard = reserve_block()
broker = helics.helicsCreateBroker("zmq", "doctor", f"-f1 --port={port} --loglevel=no_print")
if not helics.helicsBrokerIsConnected(broker):
    raise SystemExit(f"the broker could not listen on port {port}")
helics.helicsBrokerDisconnect(broker)
helics.helicsCloseLibrary()
print(f"a broker listens: {helics.helicsGetVersion().split()[0]}")""",
    "Clarabel": """
import cvxpy
x = cvxpy.Variable()
cvxpy.Problem(cvxpy.Minimize(cvxpy.square(x - 1))).solve(solver="CLARABEL")
print(f"solves through CVXPY {cvxpy.__version__}")""",
    "numba": """
import numba
print(f"compiles: {numba.njit(lambda x: x + 1)(1) == 2 and numba.__version__}")""",
}
"""Programs that try what every run needs, each in its own process: a library that dies is reported, too."""


@dataclass(frozen=True)
class Finding:
    """What was found out about one part.

    Attributes
    ----------
    part : str
        The part.
    state : {"works", "fails", "absent"}
        Whether it can be used; an optional part may be absent.
    detail : str
        What was seen, or what to do.
    """

    part: str
    state: Literal["works", "fails", "absent"]
    detail: str


@click.command("doctor")
def doctor_command() -> None:
    """Say what is installed and what works: engines, extras, ports, cores.

    Exit code 0: everything that a run needs works; 2: something does not. Takes some seconds.
    """
    click.echo(
        f"{PACKAGE} {metadata.version(PACKAGE)}, Python {platform.python_version()}, {platform.platform()}, "
        f"{os.cpu_count()} cores"
    )
    findings = [*map(probe, PROBES), *ports(), *extras()]
    table = Rows("part", "state", "")
    for item in findings:
        table.add_row(item.part, item.state, item.detail)
    table.print(Console())
    if any(item.state == "fails" for item in findings):
        raise SystemExit(NOT_WELL)


def probe(part: str) -> Finding:
    """Try one part in a process of its own."""
    try:
        done = subprocess.run(  # noqa: S603 - a program of ours
            [sys.executable, "-c", PROBES[part]], capture_output=True, text=True, timeout=PROBE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding(part, "fails", f"no answer within {PROBE_S:g} s")
    if done.returncode == 0:
        return Finding(part, "works", done.stdout.strip())
    said = done.stderr.strip().splitlines()
    return Finding(part, "fails", said[-1] if said else f"ended with exit code {done.returncode}")


def ports() -> Iterator[Finding]:
    """Look for free ports: the one that `helics run` takes, and a block for `dlmp run`."""
    try:
        check_ports(DEFAULT_PORT)
        yield Finding("port of helics run", "works", f"{DEFAULT_PORT} is free")
    except DlmpError:
        hint = f"{DEFAULT_PORT} is in use; dlmp run chooses another, for helics run set {PORT_VARIABLE}"
        yield Finding("port of helics run", "absent", hint)
    try:
        first, guard = reserve_block()
        guard.close()
        yield Finding("ports of dlmp run", "works", f"free from {first} on")
    except DlmpError as error:
        yield Finding("ports of dlmp run", "fails", str(error))


def extras() -> Iterator[Finding]:
    """Look at every optional part."""
    for extra, purpose in EXTRAS.items():
        missing = missing_packages(extra)
        detail = f"{purpose}: {install_command(extra)}" if missing else purpose
        yield Finding(f"extra {extra}", "absent" if missing else "works", detail)
