"""The IEEE 123-node test feeder, from IEEE's own tables (see SOURCE.md for where they come from)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from feeders.ieee123.tables import read_feeder
from feeders.network import Network
from feeders.readers.assets import read_assets
from feeders.validate import check_network

TABLES = Path(__file__).parent
"""Folder of the tables that come with this package."""

ASSETS = TABLES / "assets.csv"
"""Resources that come with this package."""


def load(*, assets: Path | None = None, tables: Path | None = None) -> Network:
    """Load the feeder with its resources; regulators start at the published positions.

    Parameters
    ----------
    assets : Path, optional
        Table of resources; the one of this package by default.
    tables : Path, optional
        Folder with the feeder's tables; the one of this package by default.

    Returns
    -------
    Network
        128 buses from source "150" on, 95 loads, 6 capacitors, 7 regulator controls.

    Raises
    ------
    InputError
        When a table cannot be used, with file, line and column.
    """
    feeder = read_feeder(tables or TABLES)
    resources, _ = read_assets(assets or ASSETS, feeder)
    network = replace(feeder, resources=resources)
    check_network(network)
    return network
