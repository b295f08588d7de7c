"""Which voltages have limits: phases to ground, to a neutral, or to each other where nothing is grounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Bus, Element, Load, Network, Terminal, VoltagePoint, delta, wye
from dlmp_cosim.feeders.opendss.points import floating, voltage_points
from tests.handmade import ABC, KV, chain, line, load, rows

RING_KV = KV * 3**0.5


def delta_transformer(one: str, other: str) -> Element:
    """Windings between phases on both sides: nothing of it reaches ground."""
    ring = np.array([[2, -1, -1], [-1, 2, -1], [-1, -1, 2]], dtype=complex)
    block = np.kron(np.array([[1, -1], [-1, 1]]), ring)
    return Element(
        "transformer.t", "transformer", (Terminal(one, ABC), Terminal(other, ABC)), *rows(block), (9.0, 9.0)
    )


def shunt(bus: str, block: np.ndarray, kind: str = "capacitor") -> Element:
    return Element(f"{kind}.s", kind, (Terminal(bus, ABC),), *rows(block.astype(complex)), (9.0,))  # type: ignore[arg-type]


def behind_delta(*, loads: tuple[Load, ...] = (), elements: tuple[Element, ...] = ()) -> Network:
    """A bus behind a delta-delta transformer, and another behind a line."""
    network = chain("a", "b")
    more = (delta_transformer("b", "c"), line("line.c_d", ("c", "d")), *elements)
    buses = (*network.buses, Bus("c", ABC, KV), Bus("d", ABC, KV))
    return replace(network, buses=buses, elements=(*network.elements, *more), loads=loads)


LOOSE = frozenset(f"{bus}.{phase}" for bus in "cd" for phase in ABC)
RING = np.array([[2, -1, -1], [-1, 2, -1], [-1, -1, 2]])


@pytest.mark.parametrize(
    ("network", "loose"),
    [
        pytest.param(chain("a", "b"), frozenset(), id="behind lines the source holds everything"),
        pytest.param(behind_delta(), LOOSE, id="behind a delta nothing does"),
        pytest.param(
            behind_delta(loads=(replace(load("x", "d"), legs=delta(ABC)),)),
            LOOSE,
            id="nor does a ring of load",
        ),
        pytest.param(behind_delta(loads=(load("x", "d"),)), frozenset(), id="a load to ground does"),
        pytest.param(
            behind_delta(loads=(replace(load("x", "d"), legs=wye((2,))),)),
            frozenset(),
            id="on one phase is enough: windings join the others",
        ),
        pytest.param(
            behind_delta(elements=(shunt("c", np.eye(3)),)), frozenset(), id="as a grounded capacitor"
        ),
        pytest.param(behind_delta(elements=(shunt("c", RING),)), LOOSE, id="but none between phases"),
        pytest.param(
            behind_delta(elements=(shunt("c", RING + 1e-6 * np.eye(3)),)),
            LOOSE,
            id="nor the millionth that OpenDSS adds to deltas",
        ),
    ],
)
def test_what_floats(network: Network, loose: frozenset[str]) -> None:
    assert floating(network) == loose


def points(network: Network, **voltage: float) -> list[str]:
    """Names of the voltages with limits; nodes are at 1 pu unless told otherwise."""
    levels = dict.fromkeys(network.node_ids, 1.0) | {
        name.replace("_", "."): pu for name, pu in voltage.items()
    }
    return [point.name for point in voltage_points(network, levels)]


def test_phases_are_limited_to_ground() -> None:
    assert points(chain("a", "b")) == ["a.1", "a.2", "a.3", "b.1", "b.2", "b.3"]


def test_a_floating_bus_is_limited_between_phases() -> None:
    network = behind_delta()
    assert points(network)[6:9] == ["c.1-2", "c.2-3", "c.3-1"]
    levels = dict.fromkeys(network.node_ids, 1.0)
    assert voltage_points(network, levels)[6] == VoltagePoint("c", 1, 2, RING_KV)


def test_two_floating_phases_are_one_pair() -> None:
    """A transformer with one winding a side, between phases 1 and 3."""
    network = chain("a", "b")
    winding = np.kron(np.array([[1, -1], [-1, 1]]), np.array([[1, -1], [-1, 1]], dtype=complex))
    ends = (Terminal("b", (1, 3)), Terminal("c", (1, 3)))
    transformer = Element("transformer.t", "transformer", ends, *rows(winding), (9.0, 9.0))
    buses = (*network.buses, Bus("c", (1, 3), KV))
    assert points(replace(network, buses=buses, elements=(*network.elements, transformer)))[6:] == ["c.1-3"]


def neutral_bus(number: int = 4) -> Network:
    """A bus with a fourth conductor that a load returns through."""
    network = chain("a", "b")
    four = (*ABC, number)
    wires = line("line.b_c", ("b", "c"), ABC)
    user = Load("x", "c", ((1, number), (2, number)), 9.0, 3.0, KV)
    ground = Element(
        "reactor.n", "reactor", (Terminal("c", (number,)),), *rows(np.array([[5.0 + 0j]])), (9.0,)
    )
    return replace(
        network, buses=(*network.buses, Bus("c", four, KV)), elements=(*network.elements, wires, ground),
        loads=(user,),
    )  # fmt: skip


def test_a_phase_is_limited_to_the_neutral_that_its_load_uses() -> None:
    assert points(neutral_bus(), c_4=0.01)[6:] == ["c.1-4", "c.2-4", "c.3"]


def test_a_conductor_of_a_high_number_that_carries_voltage_is_a_phase() -> None:
    assert points(neutral_bus(), c_4=0.9)[6:] == ["c.1", "c.2", "c.3", "c.4"]


def test_a_phase_without_voltage_is_a_neutral() -> None:
    assert points(chain("a", "b"), b_3=0.05) == ["a.1", "a.2", "a.3", "b.1", "b.2"]


@pytest.mark.parametrize(
    ("node", "pu", "limited"),
    [("b_3", 0.3, True), ("c_4", 0.3, False), ("b_3", 0.1, False), ("c_4", 0.6, True)],
)
def test_a_sagging_phase_stays_one_and_a_shifted_neutral_too(node: str, pu: float, limited: bool) -> None:
    """Phases are told from a tenth of nominal voltage on, other conductors from half of it on."""
    assert (node.replace("_", ".") in points(neutral_bus(), **{"c_4": 0.01, node: pu})) is limited
