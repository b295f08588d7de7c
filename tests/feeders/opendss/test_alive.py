"""What no source feeds is left out by name, and refused where something stands there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import (
    Bus,
    CapacitorBank,
    Element,
    Load,
    Machine,
    Network,
    Regulator,
    Terminal,
    wye,
)
from dlmp_cosim.feeders.opendss.alive import keep_alive
from tests.handmade import ABC, KV, chain, line, load, rows

ISLAND = ("y", "z")


def with_island(
    *more: Element, loads: Sequence[Load] = (), buses: Sequence[str] = ISLAND, phases: Sequence[int] = ABC
) -> Network:
    """Buses a and b behind the source, and others that nothing joins to them."""
    network = chain("a", "b", loads=loads)
    islands = tuple(Bus(name, tuple(phases), KV) for name in buses)
    return replace(network, buses=network.buses + islands, elements=network.elements + more)


def test_a_network_that_is_all_alive_is_handed_on_untouched() -> None:
    network = chain("a", "b", loads=(load("x", "b"),))
    assert keep_alive(network) == (network, [])


def test_islands_are_named_bus_by_bus_then_element_by_element() -> None:
    living, findings = keep_alive(with_island(line("line.y_z", ISLAND)))
    assert [bus.name for bus in living.buses] == ["a", "b"]
    assert [element.name for element in living.elements] == ["line.a_b"]
    assert [(found.element, found.verdict, found.reason) for found in findings] == [
        ("bus.y", "ignored", "no source feeds it, and nothing stands there"),
        ("bus.z", "ignored", "no source feeds it, and nothing stands there"),
        ("line.y_z", "ignored", "no source feeds it"),
    ]


def test_controls_go_with_what_they_control() -> None:
    dead = with_island(line("line.y_z", ISLAND))
    taps = tuple(Regulator(name, name, 2, 0.01, -9, 9) for name in ("line.y_z", "line.a_b"))
    banks = tuple(CapacitorBank(name, name, 1, 1) for name in ("line.y_z", "line.a_b"))
    living, _ = keep_alive(replace(dead, regulators=taps, capacitor_banks=banks))
    assert living.tap_ids == living.capacitor_ids == ("line.a_b",)


def test_a_dead_phase_of_a_bus_goes_and_the_others_stay() -> None:
    two = line("line.b_c", ("b", "c"), (1, 3))
    whole = line("line.c_d", ("c", "d"))
    living, findings = keep_alive(with_island(two, whole, buses=("c", "d")))
    assert {bus.name: bus.phases for bus in living.buses} == {"a": ABC, "b": ABC, "c": (1, 3), "d": (1, 3)}
    kept = next(element for element in living.elements if element.name == "line.c_d")
    assert [end.phases for end in kept.terminals] == [(1, 3), (1, 3)]
    np.testing.assert_array_equal(kept.admittance_s, two.admittance_s)
    assert findings == []


def test_a_winding_that_leads_nowhere_goes_with_its_rating() -> None:
    """Windings a and b joined, a third one that nothing of it couples to."""
    block = np.zeros((3, 3), dtype=complex)
    block[:2, :2] = [[1, -1], [-1, 1]]
    ends = tuple(Terminal(bus, (1,)) for bus in ("a", "z", "b"))
    order = np.ix_([0, 2, 1], [0, 2, 1])
    three = Element("transformer.t", "transformer", ends, *rows(block[order]), (10.0, 20.0, 30.0))
    living, findings = keep_alive(with_island(three, buses=("z",), phases=(1,)))
    kept = living.elements[-1]
    assert [end.bus for end in kept.terminals] == ["a", "b"]
    assert kept.rating_a == (10.0, 30.0)
    np.testing.assert_array_equal(kept.admittance_s, [[1, -1], [-1, 1]])
    assert [found.element for found in findings] == ["bus.z"]


def test_a_branch_that_joins_one_living_end_to_nothing_is_no_branch() -> None:
    conductance, susceptance = rows(np.eye(6, dtype=complex))
    loose = replace(line("line.b_z", ("b", "z")), conductance_s=conductance, susceptance_s=susceptance)
    living, findings = keep_alive(with_island(loose, buses=("z",)))
    assert [element.name for element in living.elements] == ["line.a_b"]
    assert [found.element for found in findings] == ["bus.z", "line.b_z"]


@pytest.mark.parametrize(
    ("loads", "machines", "said"),
    [
        pytest.param(
            [load("far", "z")], [], "bus: no source feeds z, where load far is connected", id="a load"
        ),
        pytest.param(
            [], [Machine("pv.1", "y", ((2, 0),))], "bus: no source feeds y, where pv.1 is connected",
            id="a machine",
        ),
        pytest.param(
            [load("one", "z"), load("two", "z"), load("three", "y")], [],
            "buses: no source feeds z, y, where load one is connected", id="buses once each",
        ),
    ],
)  # fmt: skip
def test_what_stands_on_an_island_is_refused_by_name(
    loads: list[Load], machines: list[Machine], said: str
) -> None:
    network = replace(with_island(line("line.y_z", ISLAND), loads=loads), machines=tuple(machines))
    with pytest.raises(InputError) as error:
        keep_alive(network)
    expected = "a closed path of elements from a source to every load, on each of its phases"
    assert str(error.value) == f"hand {said}; expected {expected}"


def test_eight_islands_are_named_and_the_rest_counted_in_dots() -> None:
    names = [f"z{k}" for k in range(9)]
    with pytest.raises(InputError, match=r"feeds z0, z1, z2, z3, z4, z5, z6, z7, \.\.\., where load l0 is"):
        keep_alive(with_island(loads=[load(f"l{k}", bus) for k, bus in enumerate(names)], buses=names))


def test_a_load_on_a_dead_phase_alone_is_refused() -> None:
    one = line("line.b_z", ("b", "z"), (1,))
    on = [replace(load(f"p{k}", "z"), legs=wye((k,))) for k in ABC]
    network = with_island(one, loads=on[:1], buses=("z",))
    assert keep_alive(network)[0].buses[-1].phases == (1,)
    with pytest.raises(InputError, match="where load p2 is connected"):
        keep_alive(replace(network, loads=tuple(on)))


def test_a_second_source_keeps_its_own_part_alive() -> None:
    network = with_island(line("line.y_z", ISLAND))
    second = replace(network.sources[0], name="east", terminal=Terminal("y", ABC))
    assert keep_alive(replace(network, sources=(*network.sources, second)))[1] == []
