"""What stands in for resources in a user's circuit: a load of constant power on every leg."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import FeederError
from dlmp_cosim.feeders.network import Network, Resource, delta, wye
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.standins import PREFIX, add_stand_ins, stand_in_names
from tests.feeders.opendss.small import LOAD, Compiled

THREE = Resource("three", "generator", "b", wye((1, 2, 3)), 30.0, 40.0)
RING = Resource("ring", "storage", "b", delta((1, 2, 3)), 30.0, 40.0)
ONE = Resource("Ö 1", "generator", "b", wye((2,)), 10.0, 10.0)
PAIR = Resource("pair", "generator", "b", ((3, 1),), 10.0, 10.0)
FLEXIBLE = Resource("flex", "flexible_load", "b", wye((1, 2, 3)), 30.0, 40.0, load="b")


def with_resources(*resources: Resource) -> tuple[Compiled, Network]:
    compiled = Compiled(LOAD)
    return compiled, replace(read_circuit(compiled.case).network, resources=resources)


@pytest.mark.parametrize(
    ("resources", "names"),
    [
        ((), []),
        ((FLEXIBLE,), []),
        ((ONE, THREE), ["0_0", "1_1", "1_2", "1_3"]),
        ((FLEXIBLE, PAIR, ONE), ["1_0", "2_1"]),
    ],
)
def test_names_count_owners_and_legs_of_what_injects(
    resources: tuple[Resource, ...], names: list[str]
) -> None:
    _, network = with_resources(*resources)
    assert stand_in_names(network) == [f"{PREFIX}{name}" for name in names]


@pytest.mark.parametrize(
    ("resource", "places"),
    [
        (THREE, ["b.1", "b.2", "b.3"]),
        (ONE, ["b.2"]),
        (RING, ["b.1.2", "b.2.3", "b.3.1"]),
        (PAIR, ["b.3.1"]),
    ],
)
def test_every_leg_gets_a_load_of_no_power_at_its_own_nodes(resource: Resource, places: list[str]) -> None:
    compiled, network = with_resources(resource)
    add_stand_ins(compiled.engine, network)
    loads, found = compiled.circuit.Loads, []
    for name in stand_in_names(network):
        loads.Name = name
        found.append(str(compiled.circuit.ActiveCktElement.BusNames[0]))
        assert (loads.kW, loads.kvar, int(loads.Model)) == (0.0, 0.0, 1)
        between = resource.legs[0][1] != 0
        assert bool(loads.IsDelta) == between
        assert loads.kV == pytest.approx(4.16 if between else 4.16 / 3**0.5, rel=1e-9)
    assert found == places


def test_power_is_what_was_asked_for_at_any_voltage() -> None:
    """The load beside it pulls the voltage below 0.9 pu."""
    compiled, network = with_resources(THREE)
    add_stand_ins(compiled.engine, network)
    compiled.command("load.b.kw=8000", "load.b.kvar=5000", "load.b.vminpu=0.3")
    for name in stand_in_names(network):
        compiled.command(f"load.{name}.kw=-11", f"load.{name}.kvar=-3")
    compiled.command("solve")
    assert min(compiled.circuit.AllBusVmagPu) < 0.9
    for name in stand_in_names(network):
        powers = np.asarray(compiled.active(f"load.{name}").Powers)
        assert complex(powers[0], powers[1]) == pytest.approx(-11 - 3j, rel=1e-6)


def test_the_element_that_a_resource_drives_is_taken_out() -> None:
    compiled = Compiled(LOAD, "new generator.own bus1=b kv=4.16 kw=30")
    network = replace(
        read_circuit(compiled.case).network, resources=(replace(THREE, element="generator.own"),)
    )
    assert compiled.active("generator.own").Enabled
    add_stand_ins(compiled.engine, network)
    assert not compiled.active("generator.own").Enabled


@pytest.mark.parametrize(
    ("element", "hint"),
    [
        pytest.param("generator.owm", "; did you mean 'generator.own'?", id="misspelt"),
        pytest.param("load.b", "", id="of a class that nobody drives"),
        pytest.param("line.sb", "", id="a line"),
    ],
)
def test_what_is_no_plant_of_the_circuit_cannot_be_driven(element: str, hint: str) -> None:
    """OpenDSS edits what is not there without a word: the circuit's own element would run on beside it."""
    compiled = Compiled(LOAD, "new generator.own bus1=b kv=4.16 kw=30")
    driving = replace(read_circuit(compiled.case).network, resources=(replace(THREE, element=element),))
    with pytest.raises(FeederError) as error:
        add_stand_ins(compiled.engine, driving)
    what = f"no generator, PV system or storage {element!r} for three to drive"
    assert str(error.value) == f"the circuit of c has {what}{hint}"
    assert all(compiled.active(name).Enabled for name in ("generator.own", "load.b", "line.sb"))


def test_an_element_may_be_named_in_any_case() -> None:
    compiled = Compiled(LOAD, "new generator.own bus1=b kv=4.16 kw=30")
    driving = replace(
        read_circuit(compiled.case).network, resources=(replace(THREE, element="Generator.OWN"),)
    )
    add_stand_ins(compiled.engine, driving)
    assert not compiled.active("generator.own").Enabled
