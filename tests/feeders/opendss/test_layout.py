"""Where the engine keeps what: positions by name, currents summed to a network's own conductors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import FeederError
from dlmp_cosim.feeders.network import Bus, ComplexArray, Network, Terminal
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.layout import Layout, engine_powers, lay_out
from tests.feeders.opendss.small import BANK, LOAD, STEP_UP, Compiled

NEUTRAL = "new line.four phases=4 bus1=b.1.2.3.0 bus2=n.1.2.3.0 length=0.1"
GROUNDED = "new reactor.r phases=1 bus1=b.2 bus2=b.0 r=90 x=4"
DOUBLED = "new line.loop phases=2 bus1=b.1.1 bus2=d.1.1 r1=0.1 x1=0.1 r0=0.2 x0=0.2 c1=0 c0=0 length=1"
OFF = "new line.off bus1=b bus2=b2 enabled=no"
FAULT = "new fault.tree bus1=b.3 phases=1 r=200"


def laid_out(*lines: str) -> tuple[Compiled, Network, Layout]:
    compiled = Compiled(LOAD, *lines)
    network = read_circuit(compiled.case).network
    return compiled, network, lay_out(compiled.circuit, network, [])


def amps_of(compiled: Compiled, layout: Layout) -> ComplexArray:
    """Currents into every passive element, as the engine lists them and then the others [A]."""
    listed = compiled.circuit.PDElements.AllCurrents
    others = [compiled.active(name).Currents for name in layout.others]
    return np.concatenate([np.asarray(part).view(np.complex128) for part in (listed, *others)])


def test_nodes_and_loads_are_found_by_name() -> None:
    compiled, network, layout = laid_out("new load.A bus1=s.2 phases=1 kv=2.4 kw=3", STEP_UP)
    there = [name.lower() for name in compiled.circuit.AllNodeNames]
    assert tuple(there[k] for k in layout.node) == network.node_ids
    loads = [name.lower() for name in compiled.circuit.Loads.AllNames]
    assert tuple(loads[k - 1] for k in layout.load) == network.load_ids == ("b", "a")
    assert layout.added.tolist() == []


def test_a_network_in_another_order_is_found_too() -> None:
    compiled, network, layout = laid_out(STEP_UP)
    turned = replace(network, buses=network.buses[:1] + network.buses[:0:-1])
    found = lay_out(compiled.circuit, turned, [])
    where = {name: int(k) for name, k in zip(network.node_ids, layout.node, strict=True)}
    assert [where[name] for name in turned.node_ids] == found.node.tolist()


CIRCUITS = [
    pytest.param((), id="a line"),
    pytest.param((STEP_UP, *BANK), id="a transformer and a bank"),
    pytest.param((NEUTRAL,), id="grounded conductors"),
    pytest.param((DOUBLED,), id="two conductors on one node"),
    pytest.param((OFF, STEP_UP), id="one that is disabled, in the middle"),
    pytest.param((GROUNDED, FAULT), id="a shunt, and a fault that the engine does not list"),
    pytest.param(("new line.x bus1=b bus2=e", "open line.x 2 3"), id="an open conductor"),
]


@pytest.mark.parametrize("lines", CIRCUITS)
def test_gathered_currents_leave_no_node_with_a_rest(lines: tuple[str, ...]) -> None:
    """Kirchhoff's law by the engine's own currents: branches and shunts take what loads and sources give."""
    compiled, network, layout = laid_out(*lines)
    amps = amps_of(compiled, layout)
    rest = np.zeros(len(compiled.circuit.AllNodeNames) + 1, dtype=complex)
    np.add.at(rest, layout.engine_node, amps)
    for name in ("vsource.source", "load.b"):
        element = compiled.active(name)
        names = [f"{element.BusNames[0].split('.')[0]}.{node}" for node in element.NodeOrder]
        at = {name: int(k) for name, k in zip(network.node_ids, layout.node, strict=True)}
        currents = np.asarray(element.Currents).view(np.complex128)
        for name_of, current in zip(names, currents, strict=True):
            rest[at.get(name_of, -1)] += current
    assert np.abs(rest[:-1]).max() < 1e-4
    gathered = layout.gather @ amps
    branches = np.concatenate(
        [element.admittance_s @ volts_at(compiled, network, element.node_ids) for element in network.branches]
    )
    np.testing.assert_allclose(gathered, branches, atol=1e-3)


def volts_at(compiled: Compiled, network: Network, names: tuple[str, ...]) -> ComplexArray:
    """Voltage of nodes by the engine's own list [V]."""
    there = {name.lower(): k for k, name in enumerate(compiled.circuit.AllNodeNames)}
    volts = np.asarray(compiled.circuit.AllBusVolts).view(np.complex128)
    return np.asarray(volts[[there[name] for name in names if name in network.node_index]])


def test_a_fault_follows_what_the_engine_lists() -> None:
    _, _, layout = laid_out(FAULT)
    assert layout.others == ("fault.tree",)
    assert layout.gather.shape == (6, len(layout.engine_node))


def test_controlled_elements_have_their_own_rows() -> None:
    _, network, layout = laid_out(*BANK)
    assert [element.name for element in network.controlled] == ["capacitor.k"]
    assert [block.shape for block in layout.blocks] == [(3, 6)]
    assert layout.blocks[0].sum() == 3


def test_a_circuit_without_branches_gathers_nothing() -> None:
    compiled = Compiled(LOAD.replace("bus1=b", "bus1=s"), "line.sb.enabled=no")
    network = read_circuit(compiled.case).network
    assert lay_out(compiled.circuit, network, []).gather.shape == (0, 6)


ELSEWHERE = (Terminal("s", (1, 2, 3)), Terminal("x", (1,)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            lambda n: replace(n, buses=(*n.buses, Bus("bb", (1,), 2.4))),
            "the circuit of c has no node 'bb.1'; did you mean 'b.1'?", id="a node",
        ),
        pytest.param(
            lambda n: replace(n, loads=(*n.loads, replace(n.loads[0], name="b2"))),
            "the circuit of c has no load 'b2'; did you mean 'b'?", id="a load",
        ),
        pytest.param(
            lambda n: replace(n, loads=(*n.loads, replace(n.loads[0], name="heating"))),
            "the circuit of c has no load 'heating'", id="a load like no other",
        ),
        pytest.param(
            lambda n: replace(n, elements=(replace(n.elements[0], name="line.sbb"),)),
            "the circuit of c has no element 'line.sbb'; did you mean 'line.sb'?", id="an element",
        ),
        pytest.param(
            lambda n: replace(n, elements=(replace(n.elements[0], terminals=ELSEWHERE),)),
            "element line.sb of c does not reach x.1 in the circuit", id="an end of an element",
        ),
    ],
)  # fmt: skip
def test_what_is_not_in_the_circuit_is_named(change: object, said: str) -> None:
    compiled, network, _ = laid_out()
    assert callable(change)
    with pytest.raises(FeederError) as error:
        lay_out(compiled.circuit, change(network), [])
    assert str(error.value) == said


def test_a_load_that_should_have_been_added_is_named() -> None:
    compiled, network, _ = laid_out()
    with pytest.raises(FeederError, match="no load 'dlmp_resource_0_0'"):
        lay_out(compiled.circuit, network, ["dlmp_resource_0_0"])


def test_power_is_volts_times_conjugate_amps_and_none_at_ground() -> None:
    _, _, layout = laid_out()
    few = replace(layout, engine_node=np.array([0, 2, 1]))
    volts, amps = np.array([1000.0, 500j]), np.array([2.0 + 1j, 3.0, 4j])
    np.testing.assert_allclose(engine_powers(few, volts, amps), [2.0 - 1j, 0.0, 2.0])
