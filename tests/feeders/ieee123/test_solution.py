"""The feeder in OpenDSS against the published solution, regulators at the published positions."""

from __future__ import annotations

import numpy as np
import pytest

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.ieee123.tables import SWITCH_OHM
from dlmp_cosim.feeders.network import FloatArray, Network, node_id
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.readers.csv_table import Row, read_table
from dlmp_cosim.feeders.state import AcState

FLOATING = "610"
"""Behind the delta-delta transformer, where the published voltages to neutral are a convention."""

SEEN_SWITCH_OHM = 0.0016
"""Reactance that the published switch currents and angles point to; no table lists it."""


def published(name: str, *columns: str) -> list[Row]:
    return read_table(ieee123.TABLES / name, columns)


def phase_of(row: Row) -> int:
    return row.phases("phase")[0]


def solved(case: Case, network: Network) -> AcState:
    engine = OpenDssFeeder(case, network, regulators="held")
    return engine.solve(network.listed_demand, np.zeros(len(network.resources)), controls=False)


@pytest.fixture(scope="module")
def state(feeder: Network) -> AcState:
    return solved(ieee123.case(), feeder)


def with_switch_reactance() -> Case:
    """The feeder with the reactance that the publication points to in every closed switch."""
    own = f"x1={SWITCH_OHM.imag!r} r0={SWITCH_OHM.real!r} x0={SWITCH_OHM.imag!r}"
    seen = f"x1={SEEN_SWITCH_OHM!r} r0={SWITCH_OHM.real!r} x0={SEEN_SWITCH_OHM!r}"
    built = tuple(command.replace(own, seen) for command in ieee123.case().commands)
    assert built != ieee123.case().commands
    return Case("ieee123", commands=built)


@pytest.fixture(scope="module")
def with_switches() -> tuple[Network, AcState]:
    case = with_switch_reactance()
    network = read_circuit(case).network
    return network, solved(case, network)


def voltage_errors(network: Network, state: AcState) -> tuple[FloatArray, FloatArray]:
    """Magnitude [pu] and angle [deg] differences at every published node-phase that is compared."""
    magnitude, angle = [], []
    for row in published("solution_voltages.csv", "node", "phase", "v_pu", "angle_deg", "miles_to_source"):
        if row.text("node") != FLOATING:
            voltage = state.voltage[network.node_index[node_id(row.text("node").lower(), phase_of(row))]]
            magnitude.append(abs(voltage) - row.number("v_pu"))
            angle.append((np.angle(voltage, deg=True) - row.number("angle_deg") + 180.0) % 360.0 - 180.0)
    return np.array(magnitude), np.array(angle)


def test_every_voltage_is_within_5e_4(feeder: Network, state: AcState) -> None:
    magnitude, angle = voltage_errors(feeder, state)
    assert len(magnitude) == 271
    assert np.abs(magnitude).max() < 5e-4
    assert np.abs(angle).max() < 0.06


def test_voltages_between_the_phases_of_bus_610(feeder: Network, state: AcState) -> None:
    """What the floating delta fixes: differences of the published voltages to neutral."""
    rows = published("solution_voltages.csv", "node", "phase", "v_pu", "angle_deg", "miles_to_source")
    listed = np.array(
        [
            row.number("v_pu") * np.exp(1j * np.deg2rad(row.number("angle_deg")))
            for row in rows
            if row.text("node") == FLOATING
        ]
    )
    found = state.voltage[[feeder.node_index[node_id(FLOATING, phase)] for phase in (1, 2, 3)]]
    between = np.abs(found - np.roll(found, -1)), np.abs(listed - np.roll(listed, -1))
    assert np.abs(between[0] - between[1]).max() < 5e-4


def test_xfm_1_without_load_changes_nothing(state: AcState) -> None:
    """It draws what holds its delta in place: a fraction of a watt."""
    assert state.head.sum() == pytest.approx(3620.8587 + 1322.8466j, abs=1e-3)
    assert state.losses.real == pytest.approx(95.6081, abs=1e-3)


def test_head_power_losses_and_load(state: AcState) -> None:
    columns = ("quantity", "phase_a", "phase_b", "phase_c", "total")
    total = {row.text("quantity"): row.number("total") for row in published("solution_totals.csv", *columns)}
    assert state.head.sum().real == pytest.approx(total["input_kw"], abs=1.0)
    assert state.head.sum().imag == pytest.approx(total["input_kvar"], abs=3.0)
    assert state.losses.real == pytest.approx(total["loss_kw"], abs=0.1)
    assert state.load.sum().real == pytest.approx(total["load_kw"], abs=1.0)
    assert state.load.sum().imag == pytest.approx(total["load_kvar"], abs=1.0)


def test_every_load_draws_what_is_published(feeder: Network, state: AcState) -> None:
    rows = published("solution_node_loads.csv", "node", "conn", "phase", "kw", "kvar")
    suffix = {"Y": ("a", "b", "c"), "D": ("ab", "bc", "ca")}
    table = {
        f"s{row.text('node')}{suffix[row.text('conn')][phase_of(row) - 1]}": complex(
            row.number("kw"), row.number("kvar")
        )
        for row in rows
    }
    assert {name for name, power in table.items() if power} == set(feeder.load_ids)
    errors = [abs(state.load[k] - table[name]) for k, name in enumerate(feeder.load_ids)]
    assert max(errors) < 0.05


def test_the_published_switch_reactance_explains_most_of_the_rest(
    with_switches: tuple[Network, AcState],
) -> None:
    network, state = with_switches
    magnitude, angle = voltage_errors(network, state)
    assert np.abs(magnitude).max() < 3e-4
    assert np.abs(angle).max() < 0.011
    assert state.head.sum() == pytest.approx(3620.498 + 1324.765j, abs=0.2)


def between(network: Network) -> dict[tuple[str, str, int], int]:
    """Conductor that leaves a bus for another, by both buses and phase."""
    places = {}
    for branch in network.branches:
        for k, end in enumerate(branch.terminals, 1):
            other = next(item.bus for item in branch.terminals if item is not end)
            for phase in end.phases:
                places[end.bus, other, phase] = network.conductor_ids.index(f"{branch.name}:{k}.{phase}")
    return places


def test_every_current_is_within_20_milliampere(with_switches: tuple[Network, AcState]) -> None:
    network, state = with_switches
    places, compared = between(network), 0
    columns = ("node", "dir", "other_node", "phase", "amps", "angle_deg")
    for row in published("solution_branch_currents.csv", *columns):
        key = (row.text("node").lower(), row.text("other_node").lower(), phase_of(row))
        if row.text("dir") == "TO" and key in places:
            assert state.current[places[key]] == pytest.approx(row.number("amps"), abs=0.02), key
            compared += 1
    assert compared == 265


def test_every_branch_loses_what_is_published(with_switches: tuple[Network, AcState]) -> None:
    network, state = with_switches
    table = {
        row.text("to_node").lower(): row.number("loss_kw")
        for row in published("solution_branch_losses.csv", "to_node", "loss_kw")
    }
    lost = np.bincount(network.conductor_branch, state.power.real)
    for branch, kw in zip(network.branches, lost.tolist(), strict=True):
        if not branch.controlled:
            assert kw == pytest.approx(table[branch.terminals[1].bus], abs=0.01), branch.name


def test_published_positions_are_inside_every_band(feeder: Network) -> None:
    automatic = OpenDssFeeder(ieee123.case(), feeder)
    state = automatic.solve(feeder.listed_demand, np.zeros(len(feeder.resources)), controls=True)
    assert state.tap.tolist() == feeder.initial_taps.tolist()


def test_the_head_section_is_overloaded_at_full_load(feeder: Network, state: AcState) -> None:
    where = {name: k for k, name in enumerate(feeder.conductor_ids)}
    loading = state.current / feeder.conductor_rating
    assert state.current[where["line.149-1:1.1"]] == pytest.approx(628.4, abs=0.1)
    over = {name for name, k in where.items() if loading[k] > 1.0}
    assert over == {f"line.{name}:{end}.1" for name in ("149-1", "1-7", "7-8", "8-13") for end in (1, 2)}
