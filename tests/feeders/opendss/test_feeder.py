from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import FeederError, InputError
from dlmp_cosim.feeders.network import Network, Resource, wye
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.setpoints import check_option
from tests import circuits
from tests.circuits import idle, imbalance, kcl_residual, written

REVERSED = """
new circuit.c bus1=s basekv=12.47 pu=1.0 mvasc3=100 mvasc1=80
new transformer.reg phases=3 windings=2 buses=(s m) kvs=(12.47 12.47) kvas=(5000 5000) xhl=0.1
new regcontrol.reg transformer=reg winding=2 vreg=120 band=2 ptratio=60 ctprim=300 reversible=yes revvreg=118
~ revband=2 revthreshold=50 revdelay=0
new line.mb bus1=m bus2=b r1=0.3 x1=0.5 r0=0.6 x0=1.2 length=4
new load.b bus1=b kv=12.47 kw=1500 kvar=500
set voltagebases=(12.47)
calcvoltagebases
"""


HUNTING = """
new circuit.c bus1=s basekv=12.47 pu=1.0 mvasc3=100 mvasc1=80
new line.sb bus1=s bus2=b r1=0.3 x1=0.9 r0=0.6 x0=1.2 length=4
new load.b bus1=b kv=12.47 kw=1500 kvar=500
new capacitor.c bus1=b kv=12.47 kvar=3000
new capcontrol.c capacitor=c element=line.sb terminal=2 type=voltage ptratio=60 onsetting=119 offsetting=120
~ deadtime=0 delay=0 delayoff=0
set voltagebases=(12.47)
calcvoltagebases
"""
"""A capacitor that lifts the voltage above the setting at which it is opened."""


def engine_of(name: str, network: Network | None = None, **options: object) -> OpenDssFeeder:
    known = network or circuits.circuit(name).network
    return OpenDssFeeder(circuits.case(name), known, **options)  # type: ignore[arg-type]


def with_resources(network: Network, *resources: Resource) -> Network:
    driven = {resource.element for resource in resources}
    machines = tuple(machine for machine in network.machines if machine.element not in driven)
    return replace(network, resources=resources, machines=machines)


def test_regulators_follow_the_load_and_stay_when_told() -> None:
    engine = engine_of("ieee13")
    network = engine.network
    full = engine.solve(network.listed_demand, idle(network), controls=True)
    frozen = engine.solve(0.3 * network.listed_demand, idle(network), controls=False)
    light = engine.solve(0.3 * network.listed_demand, idle(network), controls=True)
    assert frozen.tap.tolist() == full.tap.tolist()
    assert (light.tap < full.tap).all()
    assert engine.taps.tolist() == light.tap.tolist()
    assert np.abs(light.voltage).max() < np.abs(frozen.voltage).max()
    assert kcl_residual(network, light).max() < 1e-4


def test_capacitor_controls_act_and_are_reported(mixed: Network) -> None:
    engine = engine_of("mixed", regulators="held")
    heavy = engine.solve(mixed.listed_demand + 600j / len(mixed.loads), idle(mixed), controls=True)
    light = engine.solve(0.1 * mixed.listed_demand.real + 0j, idle(mixed), controls=True)
    assert heavy.tap.tolist() == light.tap.tolist() == mixed.initial_taps.tolist()
    assert heavy.capacitor.tolist() != light.capacitor.tolist()
    for state in (heavy, light):
        assert abs(imbalance(state)) < 1e-6
        assert kcl_residual(mixed, state).max() < 1e-5


@pytest.mark.parametrize("options", [{"regulators": "held"}, {"control_mode": "off"}])
def test_held_regulators_never_move(options: dict[str, str]) -> None:
    engine = engine_of("ieee13", **options)
    network = engine.network
    state = engine.solve(0.3 * network.listed_demand, idle(network), controls=True)
    assert state.tap.tolist() == network.initial_taps.tolist()


def test_neutral_regulators_start_at_zero_and_never_move() -> None:
    engine = engine_of("ieee13", regulators="neutral")
    network = engine.network
    assert network.initial_taps.any()
    for demand in (1.0, 0.3):
        state = engine.solve(demand * network.listed_demand, idle(network), controls=True)
        assert not state.tap.any()


def test_a_regulator_in_reverse_works_like_any_other() -> None:
    circuit = written(REVERSED)
    network = with_resources(
        read_circuit(circuit).network, Resource("sun", "generator", "b", wye((1, 2, 3)), 4000.0, 4000.0)
    )
    engine = OpenDssFeeder(circuit, network, tolerance=1e-10)
    for given_kw in (0.0, 4000.0):
        state = engine.solve(network.listed_demand, np.array([given_kw + 0j]), controls=True)
        assert state.converged
        assert abs(imbalance(state)) < 1e-6
        assert kcl_residual(network, state).max() < 1e-4


def test_a_control_that_hunts_is_no_solution() -> None:
    circuit = written(HUNTING)
    network = read_circuit(circuit).network
    engine = OpenDssFeeder(circuit, network)
    state = engine.solve(network.listed_demand, idle(network), controls=True)
    assert not state.converged
    assert state.capacitor.tolist() == [bank.closed for bank in network.capacitor_banks]
    assert engine.solve(network.listed_demand, idle(network), controls=False).converged


def test_taps_beside_whole_steps_keep_their_offset() -> None:
    circuit = written(REVERSED + "transformer.reg.wdg=2 tap=1.01\n")
    network = read_circuit(circuit).network
    assert network.initial_taps.tolist() == [2]
    engine = OpenDssFeeder(circuit, network, regulators="held")
    here = engine.solve(network.listed_demand, idle(network), controls=False)
    assert (here.admittance == network.initial_admittance).all()
    engine.set_taps(np.array([5]))
    assert engine.taps.tolist() == [5]


def test_an_autotransformer_can_be_a_regulator() -> None:
    plain = "new transformer.reg phases=3 windings=2 buses=(s m) kvs=(12.47 12.47) kvas=(5000 5000) xhl=0.1"
    auto = "new autotrans.reg phases=3 windings=2 buses=(s m) conns=(series wye) kvs=(13 12.47) xhx=1"
    circuit = written(REVERSED.replace(plain, auto))
    network = read_circuit(circuit).network
    assert network.regulators[0].element == "autotrans.reg"
    engine = OpenDssFeeder(circuit, network, regulators="held", tolerance=1e-10)
    low = engine.solve(network.listed_demand, idle(network), controls=False)
    engine.set_taps(np.array([6]))
    high = engine.solve(network.listed_demand, idle(network), controls=False)
    assert high.tap.tolist() == [6]
    assert np.abs(high.voltage - low.voltage).max() > 1e-3
    for state in (low, high):
        assert kcl_residual(network, state).max() < 1e-4


@pytest.mark.parametrize("times", [1e3, 1e6])
def test_an_overload_gives_no_plausible_numbers(times: float) -> None:
    circuit = written(REVERSED.replace("kw=1500", "vminpu=0 vlowpu=0 kw=1500"))
    network = read_circuit(circuit).network
    engine = OpenDssFeeder(circuit, network)
    good = engine.solve(network.listed_demand, idle(network), controls=True)
    for controls in (False, True):
        bad = engine.solve(times * network.listed_demand, idle(network), controls=controls)
        assert not bad.converged
        assert np.isnan(bad.voltage).all()
        assert np.isnan(bad.losses)
        assert bad.iterations > 0
        again = engine.solve(network.listed_demand, idle(network), controls=True)
        assert again.tap.tolist() == good.tap.tolist()
        assert np.abs(again.voltage - good.voltage).max() < 1e-7


def test_capacitors_come_back_as_they_stood_after_a_failure(mixed: Network) -> None:
    network = with_resources(mixed, Resource("sun", "generator", "far", wye((1, 2, 3)), 30.0, 40.0))
    engine = engine_of("mixed", network)
    light = engine.solve(0.1 * mixed.listed_demand.real + 0j, np.zeros(1, complex), controls=True)
    assert light.capacitor.tolist() != [bank.closed for bank in mixed.capacitor_banks]
    failed = engine.solve(mixed.listed_demand, np.array([-1e12 + 0j]), controls=False)
    assert not failed.converged
    again = engine.solve(0.1 * mixed.listed_demand, np.zeros(1, complex), controls=False)
    assert again.capacitor.tolist() == failed.capacitor.tolist() == light.capacitor.tolist()


def test_capacitors_are_put_where_they_are_told_to_stand(mixed: Network) -> None:
    engine = engine_of("mixed", regulators="held")
    steps = [bank.steps for bank in mixed.capacitor_banks]
    assert engine.capacitors.tolist() == mixed.initial_capacitors.tolist()
    states = {}
    for closed in (np.zeros(len(steps), dtype=np.int64), np.array(steps)):
        engine.set_capacitors(closed)
        state = engine.solve(mixed.listed_demand, idle(mixed), controls=False)
        assert state.capacitor.tolist() == engine.capacitors.tolist() == closed.tolist()
        states[int(closed.sum())] = state
    assert np.abs(states[sum(steps)].voltage).max() > np.abs(states[0].voltage).max()
    assert states[sum(steps)].head.imag.sum() < states[0].head.imag.sum()


@pytest.mark.parametrize(
    ("closed", "message"),
    [
        ([], r"capacitors have shape \(0,\); expected \d numbers of steps"),
        ([9], "has 9 steps closed; expected"),
    ],
)
def test_capacitors_that_there_are_not_are_refused(closed: list[int], message: str) -> None:
    with pytest.raises(FeederError, match=message):
        engine_of("mixed").set_capacitors(np.array(closed, dtype=np.int64))


@pytest.mark.parametrize("element", ["generator.diesel", "pvsystem.roof", "storage.battery"])
def test_a_resource_drives_its_element_exactly(mixed: Network, element: str) -> None:
    machine = next(item for item in mixed.machines if item.element == element)
    legs = tuple(leg for item in mixed.machines if item.element == element for leg in item.legs)
    resource = Resource("own", "storage", machine.bus, legs, 50.0, 60.0, element=element)
    network = with_resources(mixed, resource)
    engine = engine_of("mixed", network, tolerance=1e-10)
    for power in (4.0 + 1.0j, -3.0 + 0.5j, 0.0 + 2.0j):
        state = engine.solve(mixed.listed_demand, np.array([power]), controls=False)
        assert state.machine.size == len(mixed.machines) - len(legs)
        assert abs(imbalance(state)) < 1e-6
        assert kcl_residual(network, state).max() < 1e-6


def test_an_element_cannot_run_on_its_own_and_be_driven(mixed: Network) -> None:
    both = Resource("own", "generator", "mill", wye((1, 2, 3)), 80.0, 90.0, element="generator.diesel")
    with pytest.raises(InputError, match=r"drives generator\.diesel, which runs on its own as well"):
        engine_of("mixed", replace(mixed, resources=(both,)))


def test_what_injects_keeps_its_power_at_any_voltage() -> None:
    commands = (
        "new circuit.c bus1=s basekv=12.47 pu=0.6 mvasc3=100 mvasc1=80",
        "new line.sb bus1=s bus2=b r1=0.3 x1=0.5 r0=0.6 x0=1.2 length=4",
        "new load.b bus1=b kv=12.47 kw=150 kvar=50 model=2",
        "set voltagebases=(8)",
        "calcvoltagebases",
    )
    circuit = Case("low", commands=commands)
    network = with_resources(
        read_circuit(circuit).network, Resource("sun", "generator", "b", wye((1, 2, 3)), 90.0, 90.0)
    )
    engine = OpenDssFeeder(circuit, network, tolerance=1e-10)
    state = engine.solve(network.listed_demand, np.array([90.0 + 0j]), controls=False)
    assert np.abs(state.voltage * network.base_v).max() < 0.61 * 12470 / 3**0.5
    assert abs(imbalance(state)) < 1e-6


def test_two_circuits_in_one_process_share_nothing(mixed: Network) -> None:
    one, other = engine_of("ieee13"), engine_of("mixed", regulators="held")
    network = one.network
    before = one.solve(network.listed_demand, idle(network), controls=True)
    other.solve(1.2 * mixed.listed_demand, idle(mixed), controls=True)
    other.set_taps(np.array([-5, -5, -5]))
    after = one.solve(network.listed_demand, idle(network), controls=True)
    assert np.abs(before.voltage - after.voltage).max() < 1e-8
    assert other.taps.tolist() == [-5, -5, -5]


def test_the_working_folder_stays(mixed: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = circuits.case("mixed")
    monkeypatch.chdir(tmp_path)
    OpenDssFeeder(case, mixed).solve(mixed.listed_demand, idle(mixed), controls=True)
    assert Path.cwd() == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_history_hardly_matters_at_the_default_tolerance(mixed: Network) -> None:
    warm, cold = engine_of("mixed", regulators="held"), engine_of("mixed", regulators="held")
    for demand in (0.2, 1.1, 0.4):
        warm.solve(demand * mixed.listed_demand, idle(mixed), controls=False)
    a = warm.solve(mixed.listed_demand, idle(mixed), controls=False)
    b = cold.solve(mixed.listed_demand, idle(mixed), controls=False)
    assert np.abs(a.voltage - b.voltage).max() < 5e-8


@pytest.mark.parametrize("name", ["ieee13", "mixed"])
def test_controls_replay_to_the_same_bytes(name: str) -> None:
    one, other = engine_of(name), engine_of(name)
    network = one.network
    for factor in np.random.default_rng(3).uniform(0.3, 1.0, 6):
        a, b = (e.solve(factor * network.listed_demand, idle(network), controls=True) for e in (one, other))
        assert a.voltage.tobytes() == b.voltage.tobytes()
        assert a.tap.tobytes() == b.tap.tobytes()
        assert a.iterations == b.iterations


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regulators": "auto"}, "regulators is 'auto'; expected one of automatic, held, neutral"),
        ({"control_mode": "time"}, "control_mode is 'time'; expected one of static, off"),
        ({"tolerance": 0.0}, "tolerance is 0.0; expected more than 0"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
    ],
)
def test_wrong_options(mixed: Network, options: dict[str, object], message: str) -> None:
    with pytest.raises(FeederError, match=message):
        engine_of("mixed", mixed, **options)


def test_a_valid_option_passes() -> None:
    check_option("regulators", "held", ("held",))
    with pytest.raises(FeederError, match="expected one of held"):
        check_option("regulators", "Held", ("held",))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.0, 1.2), min_size=14, max_size=14), st.floats(-1.0, 1.0))
def test_losses_are_positive_and_balance_for_any_load(scale: list[float], share: float) -> None:
    network = with_resources(
        circuits.circuit("mixed").network, Resource("sun", "generator", "far", wye((1, 2, 3)), 300.0, 300.0)
    )
    engine = _ENGINES.setdefault("mixed", engine_of("mixed", network, regulators="held", tolerance=1e-10))
    state = engine.solve(np.array(scale) * network.listed_demand, np.array([300.0 * share]), controls=False)
    assert state.converged
    assert state.losses.real >= 0.0
    assert abs(imbalance(state).real) < 1e-6


_ENGINES: dict[str, OpenDssFeeder] = {}
