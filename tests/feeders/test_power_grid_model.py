"""power-grid-model on circuits of lines: agreement with OpenDSS, and circuits refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.errors import FeederError, InputError
from dlmp_cosim.feeders.network import Network, Resource, wye
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.power_grid_model import PowerGridFeeder
from dlmp_cosim.feeders.state import AcState
from tests import circuits
from tests.circuits import idle, imbalance, kcl_residual, written

AGREEMENT = 1e-7
"""Largest voltage difference between the engines [pu]; 1.2e-8 measured on IEEE 123."""

LINES = """
clear
new circuit.lines bus1=head phases=3 basekv=4.16 pu=1.02 angle=30 r1=0.02 x1=0.1 r0=0.03 x0=0.15
new line.trunk phases=3 bus1=head bus2=mid length=1 units=none normamps=400
~ rmatrix=[0.1 | 0.03 0.1 | 0.02 0.03 0.1] xmatrix=[0.2 | 0.07 0.2 | 0.05 0.07 0.2]
~ cmatrix=[9 | -2 9 | -1 -2 9]
new line.twin phases=3 bus1=head bus2=mid length=2 units=none
~ rmatrix=[0.1 | 0.03 0.1 | 0.02 0.03 0.1] xmatrix=[0.2 | 0.07 0.2 | 0.05 0.07 0.2] cmatrix=[0 | 0 0 | 0 0 0]
new transformer.rega phases=1 windings=2 buses=(mid.1 reg.1) kvs=(2.4 2.4) kvas=(2000 2000) xhl=0.5
new transformer.regb like=rega buses=(mid.2 reg.2)
new transformer.regc like=rega buses=(mid.3 reg.3)
new regcontrol.vra transformer=rega winding=2 vreg=122 band=2 ptratio=20
new regcontrol.vrb transformer=regb winding=2 vreg=122 band=2 ptratio=20
new regcontrol.vrc transformer=regc winding=1 vreg=122 band=2 ptratio=20
new line.gate phases=3 bus1=reg bus2=far switch=yes
new line.side phases=2 bus1=far.1.3 bus2=side.1.3 length=1 units=none
~ rmatrix=[0.2 | 0.04 0.2] xmatrix=[0.2 | 0.05 0.2] cmatrix=[6 | -1 6]
new line.end phases=1 bus1=far.2 bus2=end.2 length=1 units=none rmatrix=[0.3] xmatrix=[0.3] cmatrix=[5]
new transformer.works phases=3 windings=2 buses=(far works) conns=(delta delta)
~ kvs=(4.16 0.48) kvas=(300 300) xhl=3
new capacitor.star bus1=far phases=3 kv=4.16 kvar=150
new capacitor.ring bus1=far phases=3 conn=delta kv=4.16 kvar=60
new capacitor.one bus1=side.3 phases=1 kv=2.4 kvar=40
new load.pq bus1=far phases=3 kv=4.16 kw=400 kvar=150 model=1
new load.z bus1=side.1 phases=1 kv=2.4 kw=80 kvar=30 model=2
new load.motor bus1=side.3 phases=1 kv=2.4 kw=60 kvar=30 model=3
new load.cvr bus1=end.2 phases=1 kv=2.4 kw=90 kvar=30 model=4 cvrwatts=0.8 cvrvars=2.6
new load.i bus1=far.1 phases=1 kv=2.4 kw=70 kvar=20 model=5
new load.ring bus1=far phases=3 conn=delta kv=4.16 kw=120 kvar=50 model=5
new load.across bus1=side.1.3 phases=1 conn=delta kv=4.16 kw=50 kvar=20 model=2
new load.zip bus1=end.2 phases=1 kv=2.4 kw=40 kvar=15 model=8 zipv=(0.3 0.5 0.2 0.2 0.3 0.5 0.5)
set voltagebases=(4.16 0.48)
calcvoltagebases
"""
SUN = (
    Resource("sun", "generator", "far", wye((1, 2, 3)), 60.0, 70.0),
    Resource("battery", "storage", "side", ((3, 1),), 20.0, 20.0),
    Resource("flex", "flexible_load", "side", ((1, 0),), 5.0, 6.0, load="z"),
)
GIVEN = np.array([40.0 + 8.0j, -12.0 + 3.0j, 0.0])


def lines() -> tuple[Case, Network]:
    case = written(LINES, "lines")
    return case, replace(read_circuit(case).network, resources=SUN)


def both(case: Case, network: Network) -> tuple[OpenDssFeeder, PowerGridFeeder]:
    return OpenDssFeeder(case, network, regulators="held", tolerance=1e-11), PowerGridFeeder(network)


def assert_agree(a: AcState, b: AcState, volts: float = AGREEMENT) -> None:
    assert a.converged
    assert b.converged
    assert np.abs(a.voltage - b.voltage).max() < volts
    assert np.abs(a.power - b.power).max() < 1e-3
    assert np.abs(a.current - b.current).max() < 1e-3
    assert np.abs(a.load - b.load).max() < 1e-3
    assert np.abs(a.head - b.head).max() < 1e-3
    assert abs(a.losses - b.losses) < 1e-3
    assert np.abs(a.admittance - b.admittance).max(initial=0.0) <= 1e-9 * np.abs(a.admittance).max(
        initial=1.0
    )
    assert a.tap.tolist() == b.tap.tolist()
    assert a.capacitor.tolist() == b.capacitor.tolist()


@pytest.fixture(scope="module")
def ieee() -> tuple[Case, Network]:
    return ieee123.case(), ieee123.load()


@pytest.mark.parametrize("regulators", ["held", "neutral"])
@pytest.mark.parametrize(("demand", "share"), [(1.0, 0.0), (0.5, 1.0)])
def test_engines_agree_on_ieee_123(
    ieee: tuple[Case, Network], regulators: str, demand: float, share: float
) -> None:
    case, network = ieee
    kw = [share * item.kw_max * (item.kind == "generator") for item in network.resources]
    a, b = (
        engine.solve(demand * network.listed_demand, np.array(kw) * (1.0 + 0.1j), controls=False)
        for engine in (
            OpenDssFeeder(case, network, regulators=regulators, tolerance=1e-11),  # type: ignore[arg-type]
            PowerGridFeeder(network, regulators=regulators),  # type: ignore[arg-type]
        )
    )
    assert_agree(a, b)
    assert abs(imbalance(b)) < 1e-5


def test_without_regulators_the_lowest_voltage_is_under_the_limit(ieee: tuple[Case, Network]) -> None:
    _, network = ieee
    engine = PowerGridFeeder(network, regulators="neutral")
    state = engine.solve(network.listed_demand, idle(network), controls=False)
    points = [network.node_index[f"{point.bus}.{point.phase}"] for point in network.voltage_points]
    assert np.abs(state.voltage)[points].min() == pytest.approx(0.9245, abs=2e-4)
    assert not state.tap.any()


@pytest.mark.parametrize("scale", [0.2, 1.0, 2.5])
def test_engines_agree_on_every_load_model_and_connection(scale: float) -> None:
    case, network = lines()
    a, b = both(case, network)
    solved = [engine.solve(scale * network.listed_demand, GIVEN, controls=False) for engine in (a, b)]
    assert_agree(*solved)
    assert kcl_residual(network, solved[1]).max() < 0.05


def test_engines_agree_at_other_taps_of_either_winding() -> None:
    case, network = lines()
    engines = both(case, network)
    for engine in engines:
        engine.set_taps(np.array([7, -3, 4]))
    a, b = (engine.solve(network.listed_demand, GIVEN, controls=False) for engine in engines)
    assert_agree(a, b)
    assert engines[1].taps.tolist() == b.tap.tolist() == [7, -3, 4]
    low, high = (abs(b.voltage[network.node_index[name]]) for name in ("mid.1", "reg.1"))
    assert high / low == pytest.approx(1.0 + 7 * 0.00625, abs=2e-3)


def test_switched_capacitors_stay_where_they_are() -> None:
    case, network = lines()
    _, engine = both(case, network)
    engine.set_capacitors(engine.capacitors)
    with pytest.raises(FeederError, match="leaves switched capacitors where they stand"):
        engine.set_capacitors(np.append(engine.capacitors, 1))


def test_power_is_conserved_and_the_state_has_every_shape() -> None:
    _, network = lines()
    state = PowerGridFeeder(network).solve(network.listed_demand, GIVEN, controls=False)
    assert abs(imbalance(state)) < 1e-5
    assert state.power.shape == state.current.shape == (len(network.conductor_ids),)
    assert state.head.shape == (3,)
    assert state.machine.size == state.capacitor.size == 0
    assert state.admittance.tobytes() == network.initial_admittance.tobytes()


def test_the_same_sequence_gives_the_same_bytes() -> None:
    _, network = lines()
    engines = PowerGridFeeder(network), PowerGridFeeder(network)
    for scale in (0.3, 1.1, 0.7):
        a, b = (e.solve(scale * network.listed_demand, GIVEN, controls=False) for e in engines)
        assert (a.voltage == b.voltage).all()
        assert (a.power == b.power).all()


def test_without_a_solution_every_number_is_nan_and_the_next_solve_is_good() -> None:
    _, network = lines()
    engine, fresh = PowerGridFeeder(network), PowerGridFeeder(network)
    failed = engine.solve(network.listed_demand, -1e6 * GIVEN, controls=False)
    assert not failed.converged
    assert np.isnan(failed.voltage).all()
    assert np.isnan(failed.power).all()
    a, b = (one.solve(network.listed_demand, GIVEN, controls=False) for one in (engine, fresh))
    assert (a.voltage == b.voltage).all()


@pytest.mark.parametrize(
    ("taps", "message"),
    [
        ([0, 0], r"taps have shape \(2,\); expected 3 positions"),
        ([0, 0, 17], "tap of vrc is 17; expected a whole number from -16 to 16"),
        ([0.5, 0, 0], "tap of vra is 0.5"),
    ],
)
def test_wrong_taps_are_refused(taps: list[float], message: str) -> None:
    engine = PowerGridFeeder(lines()[1])
    with pytest.raises(FeederError, match=message):
        engine.set_taps(np.array(taps))
    assert engine.taps.tolist() == [0, 0, 0]


def changed(text: str) -> Callable[[], Network]:
    at = LINES.index("set voltagebases")
    return lambda: read_circuit(written(LINES[:at] + text + "\n" + LINES[at:])).network


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: circuits.circuit("mixed").network, "bus far has a conductor 4 beside phases 1 to 3"),
        (lambda: circuits.circuit("meshed").network, r"source vsource\.tie is a second source"),
        (
            lambda: circuits.circuit("delta").network,
            r"transformer transformer\.sub is not a plain ratio between equal windings",
        ),
        (
            changed(
                "new transformer.pole phases=3 windings=3 buses=(far home yard) "
                "kvs=(4.16 0.48 0.48) kvas=(250 250 250) xhl=2 xht=2 xlt=1.4"
            ),
            r"transformer transformer\.pole has 3 terminals",
        ),
        (
            changed("new line.swap phases=1 bus1=end.2 bus2=odd.1 rmatrix=[0.3] xmatrix=[0.3] cmatrix=[0]"),
            r"line line\.swap joins phases \(2,\) to \(1,\)",
        ),
        (
            changed("new generator.plant bus1=far phases=3 kv=4.16 kw=50"),
            r"machine generator\.plant.* runs on its own",
        ),
        (
            changed(
                "new transformer.loop phases=3 windings=2 buses=(head far) kvs=(4.16 4.16) kvas=(900 900) "
                "xhl=2 wdg=2 tap=1.05"
            ),
            "closes a loop of unequal ratios",
        ),
    ],
    ids=["neutral", "sources", "windings", "terminals", "phases", "machine", "loop"],
)
def test_other_circuits_are_refused_by_name(network: Callable[[], Network], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        PowerGridFeeder(network())
    assert "expected a circuit of lines" in str(caught.value)


def test_a_source_of_unequal_voltages_is_refused() -> None:
    _, network = lines()
    source = network.sources[0]
    lame = replace(source, voltage_real_v=(1.01 * source.voltage_real_v[0], *source.voltage_real_v[1:]))
    with pytest.raises(InputError, match="has unbalanced voltages"):
        PowerGridFeeder(replace(network, sources=(lame,)))


def test_an_unsound_network_is_refused() -> None:
    _, network = lines()
    lost = replace(network, loads=(replace(network.loads[0], bus="mit"),), resources=())
    with pytest.raises(InputError, match="unknown bus 'mit'"):
        PowerGridFeeder(lost)


PHASES = st.sampled_from([(1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3)])


@st.composite
def commands(draw: st.DrawFn) -> str:
    """Small random feeders with laterals, every load model, and a capacitor."""
    there = [(1, 2, 3)]
    rows = [
        "clear",
        "new circuit.random bus1=b0 phases=3 basekv=4.16 pu=1.01 r1=0.01 x1=0.05 r0=0.01 x0=0.05",
    ]
    for k in range(1, draw(st.integers(2, 8))):
        up = draw(st.integers(0, k - 1))
        phases = tuple(p for p in draw(PHASES) if p in there[up]) or there[up]
        there.append(phases)
        n, ohm = len(phases), draw(st.floats(0.01, 0.3))
        full = ohm * (0.3 * np.ones((n, n)) + 0.7 * np.eye(n))
        at = ".".join(map(str, phases))
        rows.append(
            f"new line.l{k} phases={n} bus1=b{up}.{at} bus2=b{k}.{at} length=1 units=none "
            f"rmatrix={table(full)} xmatrix={table(2 * full)} cmatrix={table(4 * np.eye(n))}"
        )
        between = draw(st.booleans()) and n > 1
        at = f"{phases[-1]}.{phases[0]}" if between else str(draw(st.sampled_from(phases)))
        kv = 4.16 if between else 2.4
        model = draw(st.sampled_from([1, 2, 3, 4, 5]))
        kw, kvar = draw(st.floats(0.1, 60)), draw(st.floats(-10, 40))
        conn = "delta" if between else "wye"
        rows.append(
            f"new load.d{k} bus1=b{k}.{at} phases=1 conn={conn} kv={kv} kw={kw} kvar={kvar} model={model}"
        )
    last = f"b{len(there) - 1}.{there[-1][0]}"
    rows.append(f"new capacitor.c bus1={last} phases=1 kv=2.4 kvar={draw(st.floats(1, 60))}")
    return "\n".join([*rows, "set voltagebases=(4.16)", "calcvoltagebases"])


def table(matrix: np.ndarray) -> str:
    return "[" + " | ".join(" ".join(f"{value}" for value in row) for row in matrix) + "]"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(commands())
def test_engines_agree_on_any_feeder_of_lines(text: str) -> None:
    case = written(text, "random")
    network = read_circuit(case).network
    a, b = (e.solve(network.listed_demand, idle(network), controls=False) for e in both(case, network))
    assert_agree(a, b)
    assert abs(imbalance(b)) < 1e-4
