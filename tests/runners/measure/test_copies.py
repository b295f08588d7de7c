"""A circuit many times behind one substation: names of its own, the state of one, a source stiff enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import CapacitorBank, Network, Regulator
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.feeders.validate import check_network
from dlmp_cosim.market.offers import Offer
from dlmp_cosim.runners.measure.copies import copy_network, copy_offers, copy_state
from tests.handmade import chain, generator, load

SHED = replace(generator("shed", "c"), kind="flexible_load", load="y")
NETWORK = chain("a", "b", "c", loads=[load("x", "b"), load("y", "c")], resources=[generator("g", "b"), SHED])
OFFERS = (Offer("g", 0.0, 60.0, 20.0), Offer("shed", 0.0, 5.0, 30.0))


def test_one_copy_is_the_circuit_itself() -> None:
    assert copy_network(NETWORK, 1) is NETWORK
    assert copy_offers(OFFERS, 1) == OFFERS


@pytest.mark.parametrize("count", [2, 3])
def test_copies_share_the_head_alone(count: int) -> None:
    found = copy_network(NETWORK, count)
    assert [bus.name for bus in found.buses][:3] == ["a", "1:b", "1:c"]
    assert len(found.buses) == 1 + 2 * count
    assert len(found.elements) == 2 * count
    assert [end.bus for end in found.elements[0].terminals] == ["a", "1:b"]
    assert found.name == f"{count} x hand"
    check_network(found)


@pytest.mark.parametrize("kind", ["buses", "elements", "loads", "resources"])
def test_names_are_given_once(kind: str) -> None:
    names = [item.name for item in getattr(copy_network(NETWORK, 3), kind)]
    assert len(set(names)) == len(names)


def test_voltages_of_the_head_are_limited_once() -> None:
    points = [(point.bus, point.phase) for point in copy_network(NETWORK, 3).voltage_points]
    assert len(set(points)) == len(points) == 3 + 3 * 2 * 3


def test_a_flexible_load_is_that_of_its_own_copy() -> None:
    loads = [resource.load for resource in copy_network(NETWORK, 2).resources]
    assert loads == ["", "1:y", "", "2:y"]


def test_controls_follow_their_elements() -> None:
    regulators = [Regulator("r", "line.a_b", 2, 0.00625, -16, 16)]
    bank: Any = CapacitorBank("c", "line.b_c", 1, 1)
    found = copy_network(replace(NETWORK, regulators=tuple(regulators), capacitor_banks=(bank,)), 2)
    assert [(item.name, item.element) for item in found.regulators] == [
        ("1:r", "1:line.a_b"),
        ("2:r", "2:line.a_b"),
    ]
    assert [item.element for item in found.capacitor_banks] == ["1:line.b_c", "2:line.b_c"]


def test_the_source_is_stiffer_by_the_number_of_copies() -> None:
    own, shared = np.array(NETWORK.sources[0].susceptance_s), copy_network(NETWORK, 4).sources[0]
    assert np.array(shared.susceptance_s).tolist() == (4 * own).tolist()
    assert shared.terminal == NETWORK.sources[0].terminal
    assert replace(shared, conductance_s=(), susceptance_s=()) == replace(
        NETWORK.sources[0], conductance_s=(), susceptance_s=()
    )


def test_offers_are_for_the_resources_of_every_copy() -> None:
    found = copy_offers(iter(OFFERS), 2)
    assert [item.resource for item in found] == ["1:g", "1:shed", "2:g", "2:shed"]
    assert [item.resource for item in found] == list(copy_network(NETWORK, 2).resource_ids)
    assert {item.p_max_kw for item in found} == {60.0, 5.0}


def some_state(network: Network, seed: int = 0) -> AcState:
    random = np.random.default_rng(seed)

    def numbers(count: int) -> Any:
        return random.standard_normal(count) + 1j * random.standard_normal(count)

    conductors = len(network.conductor_ids)
    return AcState(
        voltage=numbers(len(network.node_ids)), power=numbers(conductors), current=random.random(conductors),
        load=numbers(2), demand=numbers(2), injection=numbers(2), machine=numbers(0),
        tap=np.zeros(0, dtype=np.int64), capacitor=np.zeros(0, dtype=np.int64), admittance=numbers(0),
        head=numbers(3), losses=3 + 1j,
    )  # fmt: skip


@settings(max_examples=15)
@given(st.integers(1, 5), st.integers(0, 9))
def test_a_state_fits_its_copies_and_power_balances(count: int, seed: int) -> None:
    network, state = copy_network(NETWORK, count), some_state(NETWORK, seed)
    found = copy_state(NETWORK, state, count)
    assert len(found.voltage) == len(network.node_ids)
    assert len(found.power) == len(found.current) == len(network.conductor_ids)
    assert len(found.load) == len(network.loads)
    assert len(found.injection) == len(network.resources)
    assert found.head == pytest.approx(count * state.head)
    assert found.losses == count * state.losses
    assert found.load.sum() == pytest.approx(count * state.load.sum())


def test_a_node_of_a_copy_has_the_voltage_of_the_original() -> None:
    network, state = copy_network(NETWORK, 3), some_state(NETWORK)
    found = copy_state(NETWORK, state, 3)
    for name, voltage in zip(network.node_ids, found.voltage, strict=True):
        own = name.rpartition(":")[2]
        assert voltage == state.voltage[NETWORK.node_index[own]]
