"""Orders and ids that everything else is aligned with, on a circuit that fits on paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import (
    Bus,
    CapacitorBank,
    Network,
    Regulator,
    Terminal,
    VoltagePoint,
    delta,
    node_id,
    touched,
    wye,
)
from tests.handmade import KV, chain, generator, line, load, source


def mixed() -> Network:
    """Three buses, the last on phases 1 and 3 only; the second line may change."""
    network = chain("a", "b", loads=[load("x", "b", 30.0, 12.0), load("y", "b", 5.0, -2.0)])
    lateral = line("line.lateral", ("b", "c"), (3, 1), rating=50.0, controlled=True)
    return replace(
        network,
        buses=(*network.buses, Bus("c", (1, 3), KV)),
        elements=(*network.elements, lateral),
        regulators=(Regulator("reg", "transformer.t", 2, 0.00625, -16, 16, 5),),
        capacitor_banks=(CapacitorBank("cap", "capacitor.c", 3, 2),),
        resources=(generator("g", "b"),),
        voltage_points=(VoltagePoint("c", 1, 0, KV), VoltagePoint("c", 1, 3, KV)),
    )


def test_nodes_are_in_bus_order() -> None:
    network = mixed()
    assert network.node_ids == ("a.1", "a.2", "a.3", "b.1", "b.2", "b.3", "c.1", "c.3")
    assert network.node_bus.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert network.base_v.tolist() == [2400.0] * 8
    assert [network.node_index[name] for name in network.node_ids] == list(range(8))
    assert network.bus_index == {"a": 0, "b": 1, "c": 2}


def test_conductors_are_in_the_order_of_their_elements() -> None:
    network = mixed()
    lateral = ("line.lateral:1.3", "line.lateral:1.1", "line.lateral:2.3", "line.lateral:2.1")
    assert network.conductor_ids[6:] == lateral
    assert [network.node_ids[k] for k in network.conductor_node[6:]] == ["b.3", "b.1", "c.3", "c.1"]
    assert network.conductor_branch.tolist() == [0] * 6 + [1] * 4
    assert network.conductor_rating.tolist() == [100.0] * 6 + [50.0] * 4


def test_admittances_that_may_change_are_listed_row_by_row() -> None:
    network = mixed()
    block = network.elements[1].admittance_s
    assert len(network.admittance_ids) == 16
    assert network.admittance_ids[:5:4] == ("line.lateral[0,0]", "line.lateral[1,0]")
    np.testing.assert_array_equal(network.initial_admittance, block.ravel())


def test_a_circuit_without_controls_has_no_such_admittance() -> None:
    network = chain("a", "b")
    assert network.admittance_ids == ()
    assert network.initial_admittance.shape == (0,)
    assert network.initial_admittance.dtype == np.complex128


def test_starts_are_those_of_the_controls() -> None:
    network = mixed()
    assert (network.tap_ids, network.initial_taps.tolist()) == (("reg",), [5])
    assert (network.capacitor_ids, network.initial_capacitors.tolist()) == (("cap",), [2])
    assert network.listed_demand.tolist() == [30 + 12j, 5 - 2j]


def test_names_of_what_is_connected() -> None:
    network = mixed()
    assert (network.load_ids, network.resource_ids, network.machine_ids) == (("x", "y"), ("g",), ())
    assert network.head_ids == ("a.1", "a.2", "a.3")
    assert network.head_node.tolist() == [0, 1, 2]
    assert network.point_ids == ("c.1", "c.1-3")


def test_heads_of_several_sources_follow_each_other() -> None:
    network = replace(mixed(), sources=(source("a"), replace(source("b"), name="second")))
    assert network.head_ids == ("a.1", "a.2", "a.3", "b.1", "b.2", "b.3")


def test_shunts_are_no_branches() -> None:
    network = mixed()
    shunt = replace(
        network.elements[0], name="capacitor.s", kind="capacitor", terminals=(Terminal("b", (1, 2, 3)),)
    )
    with_shunt = replace(network, elements=(shunt, *network.elements))
    assert not shunt.is_branch
    assert with_shunt.branches == network.elements
    assert with_shunt.conductor_ids == network.conductor_ids


@pytest.mark.parametrize(
    ("phases", "legs"),
    [((1,), ((1, 0),)), ((1, 2, 3), ((1, 0), (2, 0), (3, 0))), ((), ())],
)
def test_wye_goes_to_ground(phases: tuple[int, ...], legs: tuple[tuple[int, int], ...]) -> None:
    assert wye(phases) == legs


@pytest.mark.parametrize(
    ("phases", "legs"),
    [((1, 2), ((1, 2),)), ((3, 1), ((3, 1),)), ((1, 2, 3), ((1, 2), (2, 3), (3, 1)))],
)
def test_delta_is_one_leg_or_a_ring(phases: tuple[int, ...], legs: tuple[tuple[int, int], ...]) -> None:
    assert delta(phases) == legs


@settings(max_examples=40)
@given(st.permutations([1, 2, 3]))
def test_legs_touch_their_phases_and_never_ground(phases: list[int]) -> None:
    for legs in (wye(tuple(phases)), delta(tuple(phases))):
        assert touched(legs) == (1, 2, 3)


def test_a_node_is_called_by_bus_and_number() -> None:
    assert node_id("sub.1", 3) == "sub.1.3"
