"""Circuits that several tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from tests import circuits


@pytest.fixture(scope="session")
def mixed() -> Network:
    """One of everything, without resources."""
    return circuits.circuit("mixed").network


@pytest.fixture(scope="session")
def feeder() -> Network:
    """The built-in 123-node feeder, without resources."""
    return read_circuit(ieee123.case()).network


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A copy of the feeder's tables that a test may spoil."""
    folder = tmp_path / "tables"
    folder.mkdir()
    for path in ieee123.TABLES.glob("*.csv"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder
