"""The balanced equivalent of IEEE 123 by its figures, of small circuits by hand, and what has none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.balanced import BalancedFeeder, balance, conductor_links, link_power
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network, Resource, wye
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.state import AcState
from tests import circuits

EXPONENT = {1: 0, 5: 1, 2: 2}
"""Exponent of voltage of OpenDSS' load models."""


@dataclass(frozen=True)
class Solution:
    voltage: FloatArray
    head_kva: complex
    losses_kva: complex


def distflow(feeder: BalancedFeeder, network: Network) -> Solution:
    """Solve the balanced branch-flow equations by sweeps, with the loads' own voltage dependence."""
    impedance = feeder.resistance + 1j * feeder.reactance
    square = np.full(len(feeder.buses), feeder.source_voltage**2)
    exponent = np.array([EXPONENT[load.model] for load in network.loads])
    for _ in range(200):
        drawn = feeder.shunt * square
        served = network.listed_demand * square[feeder.load_bus] ** (exponent / 2)
        np.add.at(drawn, feeder.load_bus, served / feeder.base_kva)
        power_to = np.zeros(len(impedance), dtype=np.complex128)
        power_from = np.zeros(len(impedance), dtype=np.complex128)
        for k in reversed(range(len(impedance))):
            power_to[k] = drawn[k + 1]
            power_from[k] = power_to[k] + impedance[k] * abs(power_to[k]) ** 2 / square[k + 1]
            drawn[feeder.parent[k + 1]] += power_from[k]
        last = square.copy()
        for k, z in enumerate(impedance):
            current = abs(power_to[k]) ** 2 / last[k + 1]
            fed = square[feeder.parent[k + 1]] * feeder.ratio[k] ** 2
            square[k + 1] = fed - 2.0 * (z.conjugate() * power_from[k]).real + abs(z) ** 2 * current
        if np.abs(square - last).max() < 1e-13:
            losses = (power_from - power_to).sum()
            return Solution(np.sqrt(square), drawn[0] * feeder.base_kva, losses * feeder.base_kva)
    raise AssertionError("the sweeps did not converge")


@pytest.fixture(scope="module")
def neutral(feeder: Network) -> AcState:
    """IEEE 123 at its listed demand, every tap at 0."""
    engine = OpenDssFeeder(ieee123.case(), feeder, regulators="neutral")
    return engine.solve(feeder.listed_demand, np.zeros(0, dtype=np.complex128), controls=False)


def link_into(balanced: BalancedFeeder, bus: str) -> int:
    """The link that feeds a bus."""
    return balanced.buses.index(bus) - 1


@pytest.mark.parametrize(
    ("scale_laterals", "lowest", "head_kw", "losses_kw"),
    [(True, 0.9469, 3495.2, 93.8), (False, 0.9531, 3494.4, 91.4)],
)
def test_figures_without_regulators(
    feeder: Network, neutral: AcState, scale_laterals: bool, lowest: float, head_kw: float, losses_kw: float
) -> None:
    balanced = balance(feeder, admittance=neutral.admittance, scale_laterals=scale_laterals)
    solution = distflow(balanced, feeder)
    assert solution.voltage.min() == pytest.approx(lowest, abs=5e-5)
    assert balanced.buses[int(solution.voltage.argmin())] == "114"
    assert solution.head_kva.real == pytest.approx(head_kw, abs=0.1)
    assert solution.losses_kva.real == pytest.approx(losses_kw, abs=0.1)


def test_it_is_the_mean_of_the_phases_and_hides_the_lowest(feeder: Network, neutral: AcState) -> None:
    balanced = balance(feeder, admittance=neutral.admittance, scale_laterals=False)
    solution = distflow(balanced, feeder)
    seen = np.array([bus.name != "610" for bus in feeder.buses])[feeder.node_bus]
    magnitude = iter(np.abs(neutral.voltage).tolist())
    for k, bus in enumerate(feeder.buses):
        phases = [next(magnitude) for _ in bus.phases]
        if len(phases) == 3:
            found = solution.voltage[balanced.position[k]]
            assert np.mean(phases) == pytest.approx(found, abs=1.5e-3), bus.name
    assert np.abs(neutral.voltage[seen]).min() == pytest.approx(0.9245, abs=1e-4)
    assert np.count_nonzero(np.abs(neutral.voltage[seen]) < 0.95) > 50
    assert solution.voltage.min() > 0.95


def test_totals_do_not_depend_on_the_form(feeder: Network) -> None:
    generator = Resource("dg", "generator", "30", wye((1, 2, 3)), 1.0, 1.0)
    balanced = balance(replace(feeder, resources=(generator,)))
    constant, slope = balanced.bus_demand(feeder.listed_demand)
    total = (constant + slope - balanced.shunt) * balanced.base_kva
    assert total.sum() == pytest.approx(3490 + 1920j)
    assert total[balanced.buses.index("48")] == pytest.approx(210 + 150j)
    assert constant[balanced.buses.index("48")] == pytest.approx(0.0)
    rise = slope - balanced.shunt
    assert rise[balanced.buses.index("76")] * 1e3 == pytest.approx((245 + 180j) / 2)
    assert balanced.shunt.sum() * balanced.base_kva == pytest.approx(-750j, abs=1.0)
    assert [balanced.buses[k] for k in balanced.resource_bus] == ["30"]


def test_regulators_become_the_mean_ratio(feeder: Network, neutral: AcState) -> None:
    balanced = balance(feeder)
    ratio = {bus: balanced.ratio[link_into(balanced, bus)] for bus in balanced.buses[1:]}
    assert ratio["rg1"] == pytest.approx(1 + 7 * 0.00625)
    assert ratio["rg4"] == pytest.approx(1 + (8 + 1 + 5) / 3 * 0.00625)
    assert ratio["rg3"] == pytest.approx(1 - 0.5 * 0.00625)
    assert ratio["1"] == 1.0
    at_zero = balance(feeder, admittance=neutral.admittance).ratio
    assert at_zero == pytest.approx(np.ones(len(at_zero)), abs=1e-9)


def test_near_zero_links_are_marked(feeder: Network) -> None:
    balanced = balance(feeder)
    marked = {
        feeder.branches[k].name
        for link, zero in zip(balanced.links, balanced.near_zero, strict=True)
        if zero
        for k in link
    }
    regulators = {regulator.element for regulator in feeder.regulators}
    assert marked == regulators | {branch.name for branch in feeder.branches if branch.kind == "switch"}
    assert balanced.near_zero.sum() == 10


def test_impedance_and_rating_in_per_unit(feeder: Network) -> None:
    base_ohm = 4.16**2
    scaled, plain = balance(feeder), balance(feeder, scale_laterals=False)
    trunk, lateral = link_into(scaled, "1"), link_into(scaled, "34")
    mean_self, mean_mutual = (0.4576 + 0.4666 + 0.4615) / 3, (0.156 + 0.1535 + 0.158) / 3
    expected = (mean_self - mean_mutual) * 400 / 5280 / base_ohm
    assert scaled.resistance[trunk] == pytest.approx(plain.resistance[trunk]) == pytest.approx(expected)
    assert scaled.reactance[lateral] == pytest.approx(3 * plain.reactance[lateral])
    assert scaled.rating[trunk] == pytest.approx(3 * 530 * 2.4017771 / 1000)
    assert scaled.rating[lateral] == pytest.approx(230 * 2.4017771 / 1000)


def test_a_delta_delta_transformer_has_its_nameplate_impedance(feeder: Network) -> None:
    """XFM-1: 1.27 % and 2.72 % of 150 kVA, in per unit of 1 MVA."""
    balanced = balance(feeder)
    k = link_into(balanced, "610")
    assert balanced.resistance[k] == pytest.approx(0.0127 / 0.15, rel=1e-6)
    assert balanced.reactance[k] == pytest.approx(0.0272 / 0.15, rel=1e-6)
    assert balanced.ratio[k] == pytest.approx(1.0, abs=1e-6)
    assert balanced.rating[k] == pytest.approx(0.15, rel=1e-6)


def test_the_base_power_only_scales(feeder: Network) -> None:
    a, b = (distflow(balance(feeder, base_kva=base), feeder) for base in (100.0, 1000.0))
    assert a.voltage == pytest.approx(b.voltage, abs=1e-10)
    assert a.head_kva == pytest.approx(b.head_kva, abs=1e-6)


SOURCE = "new circuit.small bus1=src basekv=12.47 pu=1.0 r1=0 x1=1e-4 r0=0 x0=1e-4"
TRUNK = "new line.trunk bus1=low bus2=far phases=3 r1=0.2 x1=0.5 r0=0.5 x0=1.4 c1=0 c0=0 length=1"


def small(*commands: str, low_kv: float = 4.16) -> tuple[Case, Network]:
    """A circuit of 12.47 kV with another voltage behind a transformer."""
    bases = f"set voltagebases=[12.47 {low_kv} 0.208]"
    case = Case("small", commands=(SOURCE, *commands, bases, "calcvoltagebases"))
    return case, read_circuit(case).network


def transformer(conns: str, *, tap: float = 1.0) -> str:
    return (
        f"new transformer.sub phases=3 windings=2 buses=[src low] conns=[{conns}] kvs=[12.47 4.16] "
        f"kvas=[2000 2000] xhl=6 %rs=[0.5 0.5] wdg=2 tap={tap}"
    )


def balanced_load(bus: str, model: int = 1, kv: float = 4.16, conn: str = "wye") -> str:
    return (
        f"new load.at_{bus} bus1={bus} phases=3 kv={kv} conn={conn} kw=900 kvar=400 model={model} "
        "vminpu=0.7 vmaxpu=1.3"
    )


def solved(case: Case, network: Network) -> AcState:
    engine = OpenDssFeeder(case, network, regulators="held", tolerance=1e-11)
    return engine.solve(network.listed_demand, np.zeros(0, dtype=np.complex128), controls=False)


@pytest.mark.parametrize("conns", ["delta wye", "wye wye", "delta delta", "wye delta"])
@pytest.mark.parametrize("tap", [1.0, 1.05])
def test_a_balanced_circuit_is_its_equivalent_behind_any_transformer(conns: str, tap: float) -> None:
    """Every winding pair, shifted by 30 degrees or not, against OpenDSS where all phases are alike."""
    _, secondary = conns.split()
    case, network = small(transformer(conns, tap=tap), TRUNK, balanced_load("far", conn=secondary))
    state, balanced = solved(case, network), balance(network)
    solution = distflow(balanced, network)
    turn = np.exp(2j * np.pi / 3 * np.arange(3))
    sequence = np.abs(state.voltage.reshape(-1, 3) @ turn) / 3
    assert solution.voltage[balanced.position] == pytest.approx(sequence, abs=5e-5)
    assert solution.head_kva == pytest.approx(complex(state.head.sum()), abs=0.1)
    assert balanced.ratio[link_into(balanced, "low")] == pytest.approx(tap, rel=1e-4)
    assert balanced.reactance[link_into(balanced, "low")] == pytest.approx(0.06 / 2 * tap**2, rel=1e-3)


def test_line_charging_and_reactors_are_shunts() -> None:
    charged = TRUNK.replace("c1=0 c0=0", "c1=200 c0=100")
    reactor = "new reactor.shunt bus1=far phases=3 kv=4.16 kvar=120"
    _, network = small(transformer("delta wye"), charged, reactor, balanced_load("far"))
    shunt = balance(network).shunt
    charging = 2 * np.pi * 60 * 200e-9 * 4160.0**2 / 1e6
    assert shunt.sum().imag == pytest.approx(0.12 - charging, abs=1e-5)


def test_every_load_model_keeps_its_power_and_slope() -> None:
    """Served at 1 pu, and by how much it rises with squared voltage."""
    models = {1: (0.0, 0.0), 2: (1.0, 1.0), 3: (0.0, 1.0), 4: (0.4, 1.0), 5: (0.5, 0.5), 8: (0.65, 0.35)}
    texts = [balanced_load(f"b{model}", model) for model in models]
    texts = [text + " cvrwatts=0.8 cvrvars=2" * (" model=4" in text) for text in texts]
    texts = [text + " zipv=[0.5 0.3 0.2 0.1 0.5 0.4 0]" * (" model=8" in text) for text in texts]
    lines = [TRUNK.replace("line.trunk", f"line.to{m}").replace("bus2=far", f"bus2=b{m}") for m in models]
    _, network = small(transformer("delta wye"), *lines, *texts)
    balanced = balance(network)
    factor = np.ones((2, len(models)))
    assert balanced.load_factor == pytest.approx(factor, abs=1e-6)
    assert pytest.approx(np.array(list(models.values())), abs=1e-6) == balanced.load_slope.T


def test_a_load_rated_for_another_voltage_draws_more() -> None:
    """4.0 kV on 4.16: constant impedance draws (4.16 / 4.0) squared of its listing."""
    _, network = small(transformer("delta wye"), TRUNK, balanced_load("far", 2, kv=4.0))
    assert balance(network).load_factor == pytest.approx(np.full((2, 1), 1.04**2), rel=1e-6)


def test_lines_side_by_side_share_a_link() -> None:
    twin = TRUNK.replace("line.trunk", "line.twin")
    _, network = small(transformer("delta wye"), TRUNK, twin, balanced_load("far"))
    balanced = balance(network)
    k = link_into(balanced, "far")
    assert [network.branches[b].name for b in balanced.links[k]] == ["line.trunk", "line.twin"]
    assert balanced.resistance[k] == pytest.approx(0.1 / 4.16**2, rel=1e-6)
    assert balanced.rating[k] == pytest.approx(2 * 3 * 400.0 * 4.16 / np.sqrt(3.0) / 1e3)


def test_conductors_know_their_link_and_end() -> None:
    """A line written towards the source is turned round."""
    backwards = TRUNK.replace("bus1=low bus2=far", "bus1=far bus2=low")
    case, network = small(transformer("delta wye"), backwards, balanced_load("far"))
    balanced = balance(network)
    link, end = conductor_links(balanced, network)
    at = network.conductor_ids.index("line.trunk:1.1")
    assert (link[at], end[at]) == (link_into(balanced, "far"), 1)
    state = solved(case, network)
    assert link_power(balanced, network, state.power)[0] == pytest.approx(state.head.sum(), abs=1e-6)


FOUR_WIRES = (
    "new line.four bus1=low.1.2.3.4 bus2=far.1.2.3.4 phases=4 "
    "rmatrix=[1 | 0 1 | 0 0 1 | 0 0 0 1] xmatrix=[1 | 0 1 | 0 0 1 | 0 0 0 1]"
)
BROKEN = {
    "loop": (
        [transformer("delta wye"), TRUNK, "new line.round bus1=far bus2=src phases=3"],
        ["line.trunk (low to far) closes a loop", "a radial circuit"],
    ),
    "centre tap": (
        [
            transformer("delta wye"),
            TRUNK,
            "new transformer.ct phases=1 windings=3 buses=[far.1.0 house.1.0 house.0.2] kvs=[2.4 0.12 0.12]",
        ],
        ["transformer.ct has 3 windings", "balanced equivalent"],
    ),
    "neutral": (
        [
            transformer("delta wye"),
            FOUR_WIRES,
            "new reactor.ground bus1=far.4 phases=1 r=1 x=0.1",
        ],
        ["line.four has a conductor at node 4"],
    ),
    "open delta": (
        [
            "new transformer.one phases=1 windings=2 buses=[src.1.2 low.1.2] kvs=[12.47 4.16] kvas=[500 500]",
            "new transformer.two phases=1 windings=2 buses=[src.2.3 low.2.3] kvs=[12.47 4.16] kvas=[500 500]",
            TRUNK,
        ],
        ["transformer.one and transformer.two does not treat its three phases alike"],
    ),
    "between phases": (
        [
            transformer("delta wye"),
            TRUNK,
            "new transformer.lt phases=1 windings=2 buses=[far.1.2 house.1.2] kvs=[4.16 0.24] kvas=[50 50]",
        ],
        ["transformer.lt transforms between 2 conductors"],
    ),
    "one from two": (
        [
            transformer("delta wye"),
            TRUNK,
            "new transformer.lt phases=1 windings=2 buses=[far.1.2 house.1.0] kvs=[4.16 0.12] kvas=[50 50]",
        ],
        ["transformer.lt joins 2 conductors to 1"],
    ),
    "two sources": (
        [transformer("delta wye"), TRUNK, "new vsource.tie bus1=far basekv=4.16"],
        ["vsource.tie is a second source", "one source"],
    ),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_what_has_no_equivalent_is_named_with_the_reason(name: str) -> None:
    commands, says = BROKEN[name]
    _, network = small(*commands)
    with pytest.raises(InputError) as caught:
        balance(network)
    for part in says:
        assert part in str(caught.value)


@pytest.mark.parametrize("name", ["ieee13", "ieee34_mod1", "ieee34_mod2", "delta"])
def test_published_radial_circuits_have_an_equivalent(name: str) -> None:
    balanced = balance(circuits.circuit(name).network)
    assert np.all(np.hypot(balanced.resistance, balanced.reactance) > 0)
    assert np.all(balanced.ratio > 0.85)
    assert np.all(balanced.ratio < 1.15)


ENDS = ("left", "right")
TIE = "new line.tie bus1=left bus2=right phases=3 switch=yes"
SWITCHED = "new swtcontrol.of_tie switchedobj=line.tie switchedterm=1"


def ring(*commands: str) -> tuple[Case, Network]:
    """Two ends of a feeder that a switch may join."""
    sides = [TRUNK.replace("trunk", f"to_{end}").replace("bus2=far", f"bus2={end}") for end in ENDS]
    loads = [balanced_load(end) for end in ENDS]
    return small(transformer("delta wye"), *sides, TIE, *loads, *commands)


def open_in(network: Network, name: str, conductors: list[int]) -> ComplexArray:
    """Admittances of the controlled elements with conductors of one cut off, but for what OpenDSS leaves."""
    table = {element.name: element.admittance_s.copy() for element in network.controlled}
    table[name][conductors, :] = table[name][:, conductors] = 4e-10
    return np.concatenate([block.ravel() for block in table.values()])


def test_an_open_tie_closes_no_loop_and_carries_nothing() -> None:
    case, network = ring(f"{SWITCHED} normal=open state=open")
    assert "line.tie" in {branch.name for branch in network.branches}
    balanced, state = balance(network), solved(case, network)
    names = {network.branches[k].name for link in balanced.links for k in link}
    assert names == {"transformer.sub", "line.to_left", "line.to_right"}
    solution = distflow(balanced, network)
    magnitude = np.abs(state.voltage).reshape(-1, 3).mean(axis=1)
    assert solution.voltage[balanced.position] == pytest.approx(magnitude, abs=5e-5)
    link, _ = conductor_links(balanced, network)
    at = network.conductor_ids.index("line.tie:1.1")
    assert link[at] == -1
    assert link_power(balanced, network, state.power)[0] == pytest.approx(state.head.sum(), abs=1e-6)


def test_a_tie_that_is_shut_closes_a_loop() -> None:
    _, network = ring(f"{SWITCHED} normal=closed state=closed")
    with pytest.raises(InputError, match="closes a loop"):
        balance(network)


def chain() -> Network:
    """A switch with a control in the middle of a feeder."""
    switch = "new line.tie bus1=low bus2=mid phases=3 switch=yes"
    control = f"{SWITCHED} normal=closed state=closed"
    trunk = TRUNK.replace("bus1=low", "bus1=mid")
    return small(transformer("delta wye"), switch, trunk, balanced_load("far"), control)[1]


@pytest.mark.parametrize(
    ("conductors", "says"),
    [
        ([0, 1, 2, 3, 4, 5], "line.tie is open, and nothing else feeds"),
        ([1, 4], "line.tie is open in some of its conductors only"),
    ],
)
def test_an_open_switch_that_feeds_something_is_named(conductors: list[int], says: str) -> None:
    network = chain()
    assert balance(network).buses == ("src", "low", "mid", "far")
    with pytest.raises(InputError, match=says):
        balance(network, admittance=open_in(network, "line.tie", conductors))
