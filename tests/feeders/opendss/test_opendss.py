from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeders.errors import FeederError
from feeders.network import ComplexArray, Network
from feeders.opendss import feeder as opendss
from feeders.opendss.feeder import OpenDssFeeder
from feeders.setpoints import check_option


def idle(network: Network) -> ComplexArray:
    return np.zeros(len(network.resources), dtype=np.complex128)


def test_regulators_follow_the_load_and_stay_when_told(feeder: Network) -> None:
    engine = OpenDssFeeder(feeder)
    full = engine.solve(feeder.listed_demand, idle(feeder), controls=True)
    frozen = engine.solve(0.3 * feeder.listed_demand, idle(feeder), controls=False)
    light = engine.solve(0.3 * feeder.listed_demand, idle(feeder), controls=True)
    assert frozen.tap.tolist() == full.tap.tolist() == feeder.initial_taps.tolist()
    assert light.tap[0] < full.tap[0]
    assert engine.taps.tolist() == light.tap.tolist()
    assert np.abs(light.voltage).max() < np.abs(frozen.voltage).max()
    assert light.tap[0] == light.tap[1] == light.tap[2]


def test_each_regulator_ends_inside_its_band(feeder: Network) -> None:
    engine = OpenDssFeeder(feeder)
    for demand in (1.1, 0.4, 0.8):
        state = engine.solve(demand * feeder.listed_demand, idle(feeder), controls=True)
        assert state.converged
        for regulator in feeder.regulators:
            branch = next(item for item in feeder.branches if item.name == regulator.branch)
            phase = regulator.monitored_phase
            volt = (
                state.voltage[feeder.node_index[f"{branch.to_bus}.{phase}"]] * 1e3 * feeder.buses[0].kv_base
            )
            power = state.power_to[feeder.branch_index[f"{branch.name}.{phase}"]] * 1e3
            drop = (
                complex(regulator.ldc_r_v, regulator.ldc_x_v)
                / regulator.ct_primary_a
                * (power / volt).conjugate()
            )
            seen = abs(volt / regulator.pt_ratio - drop)
            assert abs(seen - regulator.voltage_level_v) <= regulator.band_v / 2 + 1e-3, regulator.name


@pytest.mark.parametrize("options", [{"regulators": "held"}, {"control_mode": "off"}])
def test_held_regulators_never_move(feeder: Network, options: dict[str, str]) -> None:
    engine = OpenDssFeeder(feeder, **options)  # type: ignore[arg-type]
    state = engine.solve(0.3 * feeder.listed_demand, idle(feeder), controls=True)
    assert state.tap.tolist() == feeder.initial_taps.tolist()


def test_neutral_regulators_start_at_zero_and_never_move(feeder: Network) -> None:
    engine = OpenDssFeeder(feeder, regulators="neutral")
    state = engine.solve(feeder.listed_demand, idle(feeder), controls=True)
    assert not state.tap.any()
    assert np.abs(state.voltage).min() == pytest.approx(0.9245, abs=1e-4)


def test_a_regulator_that_hunts_is_no_solution(feeder: Network) -> None:
    narrow = tuple(replace(regulator, band_v=0.1) for regulator in feeder.regulators)
    engine = OpenDssFeeder(replace(feeder, regulators=narrow))
    state = engine.solve(0.9 * feeder.listed_demand, idle(feeder), controls=True)
    assert not state.converged
    assert state.tap.tolist() == engine.taps.tolist() == feeder.initial_taps.tolist()
    assert engine.solve(feeder.listed_demand, idle(feeder), controls=False).converged


@pytest.mark.parametrize("times", [6.0, 10.0, 1e6])
def test_an_overload_gives_no_plausible_numbers(feeder: Network, times: float) -> None:
    engine = OpenDssFeeder(feeder)
    good = engine.solve(feeder.listed_demand, idle(feeder), controls=True)
    for controls in (False, True):
        bad = engine.solve(times * feeder.listed_demand, idle(feeder), controls=controls)
        assert not bad.converged
        assert np.isnan(bad.voltage).all()
        assert np.isnan(bad.head).all()
        assert np.isnan(bad.losses)
        assert bad.iterations > 0
        again = engine.solve(feeder.listed_demand, idle(feeder), controls=True)
        assert again.tap.tolist() == good.tap.tolist()
        assert np.abs(again.voltage - good.voltage).max() < 1e-7


def test_served_power_is_that_of_the_engine_at_any_voltage(small_network: Network) -> None:
    for pu in (0.3, 0.45, 0.55, 0.65, 0.75, 1.0, 1.3):
        network = replace(small_network, source_voltage_pu=pu)
        feeder = OpenDssFeeder(network, regulators="neutral", tolerance=1e-10)
        state = feeder.solve(0.2 * network.listed_demand, idle(network), controls=False)
        circuit = feeder._engine.ActiveCircuit
        for name, served in zip(network.load_ids, state.load, strict=True):
            circuit.SetActiveElement(f"load.{name}")
            drawn = np.asarray(circuit.ActiveCktElement.Powers).view(np.complex128).sum()
            assert drawn == pytest.approx(served, rel=1e-7), (pu, name)


def test_generators_keep_their_power_below_the_loads_lowest_voltage(small_network: Network) -> None:
    network = replace(small_network, source_voltage_pu=0.5)
    engine = OpenDssFeeder(network, regulators="neutral")
    state = engine.solve(0.01 * network.listed_demand, np.array([30.0 + 0j, 0.0, 0.0]), controls=False)
    assert np.abs(state.voltage).max() < 0.6
    assert state.head.sum().real + 30.0 == pytest.approx(state.load.sum().real + state.losses.real, abs=1e-4)


def test_two_feeders_do_not_share_anything(feeder: Network, small_network: Network) -> None:
    one, other = OpenDssFeeder(feeder), OpenDssFeeder(small_network, regulators="held")
    before = one.solve(feeder.listed_demand, idle(feeder), controls=True)
    other.solve(3.0 * small_network.listed_demand, idle(small_network), controls=True)
    other.set_taps(np.array([-5, -5, -5]))
    after = one.solve(feeder.listed_demand, idle(feeder), controls=True)
    assert np.abs(before.voltage - after.voltage).max() < 1e-8
    assert other.taps.tolist() == [-5, -5, -5]


def test_the_working_folder_stays(feeder: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    OpenDssFeeder(feeder).solve(feeder.listed_demand, idle(feeder), controls=True)
    assert Path.cwd() == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_history_hardly_matters_at_the_default_tolerance(feeder: Network) -> None:
    warm, cold = OpenDssFeeder(feeder, regulators="held"), OpenDssFeeder(feeder, regulators="held")
    for demand in (0.2, 1.3, 0.4):
        warm.solve(demand * feeder.listed_demand, idle(feeder), controls=False)
    a = warm.solve(feeder.listed_demand, idle(feeder), controls=False)
    b = cold.solve(feeder.listed_demand, idle(feeder), controls=False)
    assert np.abs(a.voltage - b.voltage).max() < 5e-9


def test_controls_replay_to_the_same_bytes(feeder: Network) -> None:
    scale = np.random.default_rng(3).uniform(0.3, 1.1, 8)
    one, other = OpenDssFeeder(feeder), OpenDssFeeder(feeder)
    for factor in scale:
        a, b = (e.solve(factor * feeder.listed_demand, idle(feeder), controls=True) for e in (one, other))
        assert a.voltage.tobytes() == b.voltage.tobytes()
        assert a.tap.tobytes() == b.tap.tobytes()
        assert a.iterations == b.iterations


def test_names_keep_their_case(small_network: Network) -> None:
    capital = replace(
        small_network,
        buses=tuple(replace(bus, name=bus.name.upper()) for bus in small_network.buses),
        branches=tuple(
            replace(branch, from_bus=branch.from_bus.upper(), to_bus=branch.to_bus.upper())
            for branch in small_network.branches
        ),
        loads=tuple(replace(load, bus=load.bus.upper()) for load in small_network.loads),
        capacitors=tuple(replace(item, bus=item.bus.upper()) for item in small_network.capacitors),
        resources=tuple(replace(item, bus=item.bus.upper()) for item in small_network.resources),
    )
    a = OpenDssFeeder(capital).solve(capital.listed_demand, idle(capital), controls=False)
    b = OpenDssFeeder(small_network).solve(capital.listed_demand, idle(capital), controls=False)
    assert np.abs(a.voltage - b.voltage).max() < 1e-8
    assert capital.node_ids[0] == "SRC.1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regulators": "auto"}, "regulators is 'auto'; expected one of automatic, held, neutral"),
        ({"control_mode": "time"}, "control_mode is 'time'; expected one of off, static"),
        ({"tolerance": 0.0}, "tolerance is 0.0; expected more than 0"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
    ],
)
def test_wrong_options(small_network: Network, options: dict[str, object], message: str) -> None:
    with pytest.raises(FeederError, match=message):
        OpenDssFeeder(small_network, **options)  # type: ignore[arg-type]


def test_a_valid_option_passes() -> None:
    check_option("regulators", "held", ("held",))
    with pytest.raises(FeederError, match="expected one of held"):
        check_option("regulators", "Held", ("held",))


def test_a_node_that_the_engine_lost_is_noticed(
    small_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = opendss.build_commands

    def without_lateral(network: Network, *, tolerance: float, automatic: bool) -> list[str]:
        commands = whole(network, tolerance=tolerance, automatic=automatic)
        return [command.replace("bus2=lat.2", "bus2=latt.2") for command in commands]

    monkeypatch.setattr(opendss, "build_commands", without_lateral)
    with pytest.raises(FeederError, match=r"made nodes \['latt.2'\]"):
        OpenDssFeeder(small_network)


def test_a_node_without_voltage_is_noticed(small_network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = opendss.build_commands

    def without_line(network: Network, *, tolerance: float, automatic: bool) -> list[str]:
        commands = whole(network, tolerance=tolerance, automatic=automatic)
        position = next(k for k, command in enumerate(commands) if command.startswith("new line.sw-lat"))
        return [*commands[: position + 1], "open line.sw-lat term=1", *commands[position + 1 :]]

    monkeypatch.setattr(opendss, "build_commands", without_line)
    with pytest.raises(FeederError, match=r"node lat\.2 of small has no voltage"):
        OpenDssFeeder(small_network)


def test_a_circuit_that_the_engine_refuses(small_network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opendss, "build_commands", lambda *_args, **_options: ["new nonsense.x"])
    with pytest.raises(FeederError, match="OpenDSS refused the circuit of small"):
        OpenDssFeeder(small_network)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(0.0, 1.2), min_size=95, max_size=95), st.floats(0.0, 1.0))
def test_losses_are_positive_and_balance_for_any_load(
    held: OpenDssFeeder, scale: list[float], share: float
) -> None:
    network = held.network
    kw = [share * resource.kw_max * (resource.kind == "generator") for resource in network.resources]
    state = held.solve(np.array(scale) * network.listed_demand, np.array(kw), controls=False)
    assert state.converged
    assert state.losses.real >= 0.0
    balance = state.head.sum() + state.injection.sum() - state.load.sum() - state.losses
    assert abs(balance.real) < 2e-6
