"""The IEEE 123-node test feeder, from IEEE's own tables (see SOURCE.md for where they come from)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlmp_cosim.feeders.ieee123.commands import commands
from dlmp_cosim.feeders.ieee123.tables import read_tables
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.opendss.case import Case, Circuit
from dlmp_cosim.feeders.readers.assets import read_assets

TABLES = Path(__file__).parent
"""Folder of the tables that come with this package."""

ASSETS = TABLES / "assets.csv"
"""Resources that come with this package."""

AS_READ = TABLES / "network.json"
"""The circuit without resources, as OpenDSS reads it; a test holds it to that."""


def case(tables: Path | None = None) -> Case:
    """Write the feeder as a circuit, its regulators at the published positions.

    Parameters
    ----------
    tables : Path, optional
        Folder with the feeder's tables; the one of this package by default.

    Returns
    -------
    Case
        The commands that build it, XFM-1 and bus 610 with it.

    Raises
    ------
    InputError
        When a table cannot be used, with file, line and column.
    """
    return Case("ieee123", commands=commands(read_tables(tables or TABLES)))


def circuit() -> Circuit:
    """Read the feeder as OpenDSS read it: a tenth of a second less of a processor than to have it read again.

    Returns
    -------
    Circuit
        What `case` holds: nothing of it is left out, and none of its loads has a shape.
    """
    # It states anew what every part of a network is made of: only who reads the circuit pays for it.
    from dlmp_cosim.feeders.readers.network_json import network_from_json

    return Circuit(network_from_json(AS_READ.read_text(encoding="utf-8"), where=str(AS_READ)))


def keep(file: Path = AS_READ) -> None:
    """Have OpenDSS read the feeder, and keep what it read for `circuit`.

    Parameters
    ----------
    file : Path, optional
        Where to; the file of this package by default.
    """
    from dlmp_cosim.feeders.opendss.circuit import read_circuit
    from dlmp_cosim.feeders.readers.network_json import network_to_json

    file.write_text(network_to_json(read_circuit(case()).network) + "\n", encoding="utf-8")


def load(*, assets: Path | None = None, tables: Path | None = None) -> Network:
    """Load the feeder with its resources.

    Parameters
    ----------
    assets : Path, optional
        Table of resources; the one of this package by default.
    tables : Path, optional
        Folder with the feeder's tables; the one of this package by default.

    Returns
    -------
    Network
        130 buses from source "150" on, 95 loads, 6 capacitors, 7 regulator controls.

    Raises
    ------
    InputError
        When a table cannot be used, with file, line and column.
    """
    # OpenDSS takes half a second to load: only who reads the circuit pays for it.
    from dlmp_cosim.feeders.opendss.circuit import read_circuit

    feeder = read_circuit(case(tables)).network
    return replace(feeder, resources=read_assets(assets or ASSETS, feeder)[0])
