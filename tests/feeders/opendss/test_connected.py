"""What is connected to a compiled circuit: legs, nominal voltages, multipliers, power leg by leg."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import FeederError, InputError
from dlmp_cosim.feeders.network import Legs, Load
from dlmp_cosim.feeders.opendss.case import Finding, Plant
from dlmp_cosim.feeders.opendss.conductors import Conductors
from dlmp_cosim.feeders.opendss.connected import (
    leg_power,
    legs_of,
    listed_factor,
    read_loads,
    read_machines,
    read_plants,
)
from tests.feeders.opendss.small import LOAD, Compiled

ROOT3 = math.sqrt(3.0)


def one_end(*nodes: int) -> Conductors:
    return Conductors("load.x", ("b",), (0,) * len(nodes), nodes, (False,) * len(nodes))


@pytest.mark.parametrize(
    ("nodes", "phases", "is_delta", "legs"),
    [
        pytest.param((1, 2, 3, 0), 3, False, ((1, 0), (2, 0), (3, 0)), id="wye"),
        pytest.param((1, 2, 3, 4), 3, False, ((1, 4), (2, 4), (3, 4)), id="wye to a neutral"),
        pytest.param((2, 0), 1, False, ((2, 0),), id="one phase"),
        pytest.param((0, 2), 1, False, ((2, 0),), id="ground is second"),
        pytest.param((1, 2), 1, False, ((1, 2),), id="one phase between two"),
        pytest.param((1, 2, 3), 3, True, ((1, 2), (2, 3), (3, 1)), id="a ring"),
        pytest.param((3, 1), 1, True, ((3, 1),), id="one leg between two"),
        pytest.param((1, 2, 3), 2, True, ((1, 2), (2, 3)), id="an open delta"),
        pytest.param((0, 2, 3), 3, True, ((2, 0), (2, 3), (3, 0)), id="a ring with a grounded corner"),
    ],
)
def test_legs_lie_between_nodes(nodes: tuple[int, ...], phases: int, is_delta: bool, legs: Legs) -> None:
    assert legs_of(one_end(*nodes), phases, is_delta=is_delta) == legs


@given(st.permutations([1, 2, 3]))
def test_every_corner_of_a_ring_has_two_legs(nodes: list[int]) -> None:
    touched = [node for leg in legs_of(one_end(*nodes), 3, is_delta=True) for node in leg]
    assert sorted(touched) == [1, 1, 2, 2, 3, 3]


def only_load(text: str, *more: str) -> Load:
    (found,) = read_loads(Compiled(f"new load.x {text}", *more).circuit)
    assert isinstance(found, Load)
    return found


@pytest.mark.parametrize(
    ("text", "kv_base", "legs"),
    [
        pytest.param("bus1=b phases=3 kv=4.16", 4.16 / ROOT3, ((1, 0), (2, 0), (3, 0)), id="wye of three"),
        pytest.param("bus1=b.1.2 phases=2 kv=4.16", 4.16 / ROOT3, ((1, 0), (2, 0)), id="wye of two"),
        pytest.param("bus1=b.2 phases=1 kv=2.4", 2.4, ((2, 0),), id="wye of one"),
        pytest.param("bus1=b phases=3 kv=4.16 conn=delta", 4.16, ((1, 2), (2, 3), (3, 1)), id="delta"),
        pytest.param("bus1=b.3.1 phases=1 kv=4.16 conn=delta", 4.16, ((3, 1),), id="between two"),
        pytest.param("bus1=b.3.1 phases=1 kv=4.16 conn=LL", 4.16, ((3, 1),), id="line to line"),
    ],
)
def test_the_nominal_voltage_is_that_across_a_leg(text: str, kv_base: float, legs: Legs) -> None:
    load = only_load(f"{text} kw=20 kvar=5")
    assert load.kv_base == pytest.approx(kv_base, rel=1e-12)
    assert (load.legs, load.bus, load.kw, load.kvar) == (legs, "b", 20.0, 5.0)


def test_voltage_dependence_comes_along() -> None:
    load = only_load("bus1=b kv=4.16 kw=9 model=4 cvrwatts=0.7 cvrvars=2.2 vminpu=0.8 vlowpu=0.3 vmaxpu=1.2")
    assert (load.model, load.cvr, load.zipv) == (4, (0.7, 2.2), ())
    assert (load.vmin_pu, load.vlow_pu, load.vmax_pu) == (0.8, 0.3, 1.2)


def test_only_a_polynomial_load_has_coefficients() -> None:
    coefficients = (0.1, 0.2, 0.7, 0.3, 0.3, 0.4, 0.6)
    text = f"bus1=b kv=4.16 kw=9 zipv=[{' '.join(map(str, coefficients))}]"
    assert only_load(f"{text} model=8").zipv == coefficients
    assert only_load(f"{text} model=1").zipv == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("bus1=b kv=4.16 kw=50 kvar=20 model=6", "load model 6: constant power as measured"),
        ("bus1=b kv=4.16 kw=50 model=7", "load model 7: constant power as measured"),
    ],
)
def test_other_models_are_frozen(text: str, reason: str) -> None:
    found = list(read_loads(Compiled(f"new load.x {text}").circuit))
    assert found == [Finding("load.x", "frozen", reason)]


def test_a_load_with_an_open_conductor_is_frozen() -> None:
    compiled = Compiled(LOAD)
    compiled.command("open load.b 1 2")
    reason = "one of its conductors is open: constant power as measured"
    assert list(read_loads(compiled.circuit)) == [Finding("load.b", "frozen", reason)]


@pytest.mark.parametrize("nodes", ["1.1", "0"])
def test_a_leg_between_a_node_and_itself_is_refused(nodes: str) -> None:
    with pytest.raises(InputError) as error:
        only_load(f"bus1=b.{nodes} phases=1 kv=2.4 kw=5")
    first = nodes[0]
    assert str(error.value) == (
        f"load.x: lies between node {first} and itself; expected legs between two nodes"
    )


@pytest.mark.parametrize(
    ("text", "more", "factor"),
    [
        pytest.param("kw=20 kvar=5", (), 1.0, id="none"),
        pytest.param("kw=20 kvar=5", ("set loadmult=0.3",), 0.3, id="of all loads"),
        pytest.param("kw=0 kvar=5", ("set loadmult=0.3",), 0.3, id="of reactive demand alone"),
        pytest.param("kw=-20 kvar=5", ("set loadmult=1.7",), 1.7, id="of what a load gives"),
        pytest.param("kw=0 kvar=0", ("set loadmult=0.3",), 1.0, id="of nothing"),
        pytest.param("kw=20 status=fixed", ("set loadmult=0.3",), 1.0, id="of a fixed load"),
        pytest.param("kw=20 conn=delta", ("set loadmult=0.3",), 0.3, id="in delta"),
    ],
)
def test_multipliers_are_those_that_the_engine_applies(
    text: str, more: tuple[str, ...], factor: float
) -> None:
    compiled = Compiled(f"new load.x bus1=b kv=4.16 {text}", *more)
    assert listed_factor(compiled.circuit, "x") == factor


def test_a_load_multiplied_by_nothing_is_refused() -> None:
    with pytest.raises(FeederError) as error:
        listed_factor(Compiled(LOAD, "set loadmult=0").circuit, "b")
    assert str(error.value) == "load b is multiplied by 0; expected a load multiplier and growth above 0"


@pytest.mark.parametrize(
    ("text", "kw", "kva"),
    [
        pytest.param("generator.g kw=40 kva=55", 40.0, 55.0, id="a generator"),
        pytest.param("generator.g kw=-40 kva=30", 40.0, 40.0, id="one that draws, rated too low"),
        pytest.param("pvsystem.g pmpp=30 kva=25", 30.0, 30.0, id="panels beyond their inverter"),
        pytest.param("storage.g kwrated=20 kva=24", 20.0, 24.0, id="a storage"),
    ],
)
def test_plants_bring_ratings_that_fit_each_other(text: str, kw: float, kva: float) -> None:
    compiled = Compiled(f"new {text} bus1=b.1.3 phases=1 kv=4.16 conn=delta")
    assert list(read_plants(compiled.circuit)) == [Plant(text.split()[0], "b", ((1, 3),), kw, kva)]


def test_machines_are_counted_leg_by_leg_and_named_alike() -> None:
    compiled = Compiled(
        "new generator.one bus1=b.2 phases=1 kv=2.4 kw=5",
        "new generator.three bus1=b kv=4.16 kw=15",
        "new isource.flow bus1=b.1 phases=1 amps=3",
        "new load.own bus1=b kv=4.16 kw=10 model=6 conn=delta",
        LOAD,
    )
    machines = list(read_machines(compiled.circuit, frozenset({"load.own"})))
    assert [(machine.name, machine.legs) for machine in machines] == [
        ("generator.one", (((2, 0)),)),
        *((f"generator.three.{k}", ((k, 0),)) for k in (1, 2, 3)),
        ("isource.flow", ((1, 0),)),
        *((f"load.own.{k}", (leg,)) for k, leg in enumerate(((1, 2), (2, 3), (3, 1)), 1)),
    ]
    assert {machine.element for machine in machines if machine.name.startswith("load.own")} == {"load.own"}


ELEMENTS = [
    pytest.param("generator.g bus1=b kv=4.16 kw=60 kvar=20", id="wye of three"),
    pytest.param("generator.g bus1=b.2 phases=1 kv=2.4 kw=60 kvar=-9", id="wye of one"),
    pytest.param("generator.g bus1=b.1.3 phases=1 kv=4.16 conn=delta kw=60 kvar=20", id="between two"),
    pytest.param("generator.g bus1=b kv=4.16 conn=delta kw=60 kvar=20", id="a ring"),
    pytest.param("load.g bus1=b kv=4.16 kw=80 kvar=30 model=2 conn=delta", id="a ring of impedances"),
    pytest.param("load.g bus1=b.1.2.3 phases=2 kv=4.16 kw=80 kvar=30 conn=delta", id="an open delta"),
    pytest.param("isource.g bus1=b phases=3 amps=7 angle=20", id="currents"),
]


@pytest.mark.parametrize("text", ELEMENTS)
def test_legs_add_up_to_what_the_element_gives(text: str) -> None:
    """Under unequal voltages: another load pulls one phase down."""
    name = text.split()[0]
    compiled = Compiled(f"new {text}", "new load.lean bus1=b.1 phases=1 kv=2.4 kw=150 kvar=80")
    element = compiled.active(name)
    given = -np.asarray(element.Powers).view(np.complex128).sum()
    found = leg_power(name, element)
    assert len(found) == len(list(read_machines(compiled.circuit, frozenset({name}))))
    assert found.sum() == pytest.approx(given, rel=1e-9)


def test_what_a_leg_gives_reaches_its_own_node() -> None:
    """A ring's legs, put on their nodes one by one, are the currents of its conductors."""
    compiled = Compiled("new load.g bus1=b kv=4.16 kw=80 kvar=30 model=2 conn=delta", LOAD)
    element = compiled.active("load.g")
    volts = np.asarray(element.Voltages).view(np.complex128)
    amps = -np.asarray(element.Currents).view(np.complex128)
    along = (1e3 * leg_power("load.g", element) / (volts - np.roll(volts, -1))).conj()
    np.testing.assert_allclose(along - np.roll(along, 1), amps, rtol=1e-9)
