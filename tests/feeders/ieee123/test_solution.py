"""The feeder in OpenDSS against the published solution, regulators at the published positions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feeders import ieee123
from feeders.network import Branch, FloatArray, Network, node_id
from feeders.opendss.feeder import OpenDssFeeder
from feeders.readers.csv_table import Row, read_table
from feeders.state import AcState

NOT_COMPARED = ("610", "XF1")
"""Behind the delta-delta transformer, where the published voltages to neutral are a convention."""

SEEN_SWITCH_OHM = 0.0016
"""Reactance that the published switch currents and angles point to; no table lists it."""


def published(name: str, *columns: str) -> list[Row]:
    return read_table(ieee123.TABLES / name, columns)


def phase_of(row: Row) -> int:
    return row.phases("phase")[0]


def solved(network: Network) -> AcState:
    feeder = OpenDssFeeder(network, regulators="held")
    return feeder.solve(network.listed_demand, np.zeros(len(network.resources)), controls=False)


@pytest.fixture(scope="module")
def state(feeder: Network) -> AcState:
    return solved(feeder)


def with_switch_reactance(branch: Branch) -> Branch:
    ohm = tuple(tuple(SEEN_SWITCH_OHM * (i == j) for j in range(3)) for i in range(3))
    return replace(branch, reactance_ohm=ohm) if branch.kind == "switch" else branch


@pytest.fixture(scope="module")
def state_with_switches(feeder: Network) -> AcState:
    return solved(replace(feeder, branches=tuple(map(with_switch_reactance, feeder.branches))))


def voltage_errors(network: Network, state: AcState) -> tuple[FloatArray, FloatArray]:
    """Magnitude [pu] and angle [deg] differences at every published node-phase that is compared."""
    magnitude, angle = [], []
    for row in published("solution_voltages.csv", "node", "phase", "v_pu", "angle_deg", "miles_to_source"):
        if row.text("node") not in NOT_COMPARED:
            voltage = state.voltage[network.node_index[node_id(row.text("node").lower(), phase_of(row))]]
            magnitude.append(abs(voltage) - row.number("v_pu"))
            angle.append((np.angle(voltage, deg=True) - row.number("angle_deg") + 180.0) % 360.0 - 180.0)
    return np.array(magnitude), np.array(angle)


def test_every_voltage_is_within_5e_4(feeder: Network, state: AcState) -> None:
    magnitude, angle = voltage_errors(feeder, state)
    assert len(magnitude) == 268
    assert np.abs(magnitude).max() < 5e-4
    assert np.abs(angle).max() < 0.06


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
    feeder: Network, state_with_switches: AcState
) -> None:
    magnitude, angle = voltage_errors(feeder, state_with_switches)
    assert np.abs(magnitude).max() < 3e-4
    assert np.abs(angle).max() < 0.011
    assert state_with_switches.head.sum() == pytest.approx(3620.498 + 1324.765j, abs=0.2)


def test_every_current_is_within_20_milliampere(feeder: Network, state_with_switches: AcState) -> None:
    columns = ("node", "dir", "other_node", "phase", "amps", "angle_deg")
    compared = 0
    for row in published("solution_branch_currents.csv", *columns):
        key = node_id(f"{row.text('node').lower()}-{row.text('other_node').lower()}", phase_of(row))
        if row.text("dir") == "TO" and key in feeder.branch_index:
            k = feeder.branch_index[key]
            source = node_id(row.text("node").lower(), phase_of(row))
            volt = abs(state_with_switches.voltage[feeder.node_index[source]]) * feeder.buses[0].kv_base
            assert abs(state_with_switches.power_from[k]) / volt == pytest.approx(
                row.number("amps"), abs=0.02
            ), key
            compared += 1
    assert compared == 259


def test_every_branch_loses_what_is_published(feeder: Network, state_with_switches: AcState) -> None:
    table = {
        row.text("to_node").lower(): row.number("loss_kw")
        for row in published("solution_branch_losses.csv", "to_node", "loss_kw")
    }
    lost = state_with_switches.power_from - state_with_switches.power_to
    for branch in (item for item in feeder.branches if item.kind != "regulator"):
        kw = sum(lost[feeder.branch_index[node_id(branch.name, phase)]].real for phase in branch.phases)
        assert kw == pytest.approx(table[branch.to_bus], abs=0.01), branch.name


def test_published_positions_are_inside_every_band(feeder: Network) -> None:
    automatic = OpenDssFeeder(feeder)
    state = automatic.solve(feeder.listed_demand, np.zeros(len(feeder.resources)), controls=True)
    assert state.tap.tolist() == feeder.initial_taps.tolist()


def test_the_head_section_is_overloaded_at_full_load(feeder: Network, state: AcState) -> None:
    ratings = {node_id(b.name, phase): b.rating_a for b in feeder.branches for phase in b.phases}
    loading = {key: state.current[k] / ratings[key] for key, k in feeder.branch_index.items()}
    assert state.current[feeder.branch_index["149-1.1"]] == pytest.approx(628.4, abs=0.1)
    assert {key for key, share in loading.items() if share > 1.0} == {"149-1.1", "1-7.1", "7-8.1", "8-13.1"}
