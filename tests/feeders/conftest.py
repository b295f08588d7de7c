"""Networks that several tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feeders import ieee123
from feeders.network import Branch, BranchKind, Bus, Capacitor, Load, Network, Regulator, Resource
from feeders.opendss.feeder import OpenDssFeeder


def branch(
    from_bus: str,
    to_bus: str,
    phases: tuple[int, ...] = (1, 2, 3),
    kind: BranchKind = "line",
    ohm: float = 0.1,
) -> Branch:
    """A branch with some coupling between its phases."""
    n = len(phases)
    self_and_mutual = np.full((n, n), 0.3) + 0.7 * np.eye(n)
    scale = {"line": ohm, "switch": 1e-5, "regulator": 0.0}[kind]
    charging = (3.0 * np.eye(n) - 0.5) if kind == "line" else np.zeros((n, n))

    def rows(matrix: np.ndarray) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(float(value) for value in row) for row in matrix)

    return Branch(
        name=f"{from_bus}-{to_bus}",
        from_bus=from_bus,
        to_bus=to_bus,
        phases=phases,
        kind=kind,
        resistance_ohm=rows(scale * self_and_mutual),
        reactance_ohm=rows(2.0 * scale * self_and_mutual),
        susceptance_us=rows(charging),
        rating_a=300.0,
    )


def small() -> Network:
    """Five buses: a ganged regulator, a switch, a one-phase lateral and one of everything else."""
    kv = 2.4
    return Network(
        name="small",
        buses=(
            Bus("src", (1, 2, 3), kv, 0.0, 0.0),
            Bus("reg", (1, 2, 3), kv),
            Bus("mid", (1, 2, 3), kv),
            Bus("sw", (1, 2, 3), kv),
            Bus("lat", (2,), kv),
        ),
        branches=(
            branch("src", "reg", kind="regulator"),
            branch("reg", "mid", ohm=0.4),
            branch("mid", "sw", kind="switch"),
            branch("sw", "lat", (2,), ohm=0.8),
        ),
        loads=(
            Load("pq", "mid", (1,), 0, 120.0, 60.0),
            Load("current", "sw", (3,), 1, 90.0, 30.0),
            Load("impedance", "lat", (2,), 2, 60.0, 20.0),
            Load("delta", "sw", (3, 1), 0, 80.0, 40.0),
        ),
        capacitors=(Capacitor("cap", "sw", 1, 50.0),),
        regulators=(Regulator("vr", "src-reg", (1, 2, 3), 2, 122.0, 2.0, 20.0, 300.0, 1.0, 2.0, tap=3),),
        resources=(
            Resource("gen", "generator", "sw", (1, 2, 3), 90.0, 100.0),
            Resource("flex", "flexible_load", "lat", (2,), 12.0, 13.0, load="impedance"),
            Resource("store", "storage", "lat", (2,), 20.0, 20.0, owner="battery"),
        ),
    )


@pytest.fixture
def small_network() -> Network:
    return small()


@pytest.fixture(scope="session")
def feeder() -> Network:
    """The 123-node feeder with its resources."""
    return ieee123.load()


@pytest.fixture(scope="session")
def held(feeder: Network) -> OpenDssFeeder:
    """The 123-node feeder in OpenDSS, regulators at the published positions."""
    return OpenDssFeeder(feeder, regulators="held", tolerance=1e-10)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A copy of the feeder's tables that a test may spoil."""
    folder = tmp_path / "tables"
    folder.mkdir()
    for path in ieee123.TABLES.glob("*.csv"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder
