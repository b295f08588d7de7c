"""Loading of branches, stored energy and counted breaches."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Bus, Element, Network, Resource, Source, Terminal, VoltagePoint
from dlmp_cosim.market.audit import IntervalRecord, Verdict, Violation
from dlmp_cosim.runners.report.equipment import (
    branch_loading,
    branch_values,
    count_breaches,
    limited_nodes,
    limited_voltage,
    stored_energy,
)

RATED, FREE = (100.0, 50.0), (float("inf"), float("inf"))


def line(name: str, a: str, b: str, rating: tuple[float, float]) -> Element:
    block = ((1.0,) * 4,) * 4
    return Element(name, "line", (Terminal(a, (1, 2)), Terminal(b, (1, 2))), block, block, rating)


@pytest.fixture
def network() -> Network:
    buses = tuple(Bus(name, (1, 2), 2.4) for name in "abc")
    source = Source("vsource.s", Terminal("a", (1,)), (2400.0,), (0.0,), ((1.0,),), ((-1.0,),))
    legs = ((1, 0), (2, 0))
    battery = Resource("battery", "storage", "c", legs, 10.0, 10.0)
    generator = Resource("dg", "generator", "b", legs, 10.0, 10.0)
    lines = (line("line.ab", "a", "b", RATED), line("line.bc", "b", "c", FREE))
    return Network("small", buses, lines, (source,), (), resources=(generator, battery))


def results(network: Network, values: dict[str, Any], scenario: dict[str, Any]) -> Any:
    arrays = {key: np.array(value, dtype=float) for key, value in values.items()}
    return cast(
        Any, SimpleNamespace(network=network, values=arrays.__getitem__, scenario=scenario, period_h=0.5)
    )


def test_the_most_loaded_conductor_counts(network: Network) -> None:
    current = np.array(
        [[20.0, 30.0, 20.0, 30.0, 9.0, 9.0, 9.0, 9.0], [90.0, 0.0, 10.0, 0.0, 1.0, 1.0, 1.0, 1.0]]
    )
    found = branch_loading(network, current)
    assert found[:, 0].tolist() == [0.6, 0.9]
    assert np.isnan(found[:, 1]).all()


def test_power_is_what_enters_the_first_terminal(network: Network) -> None:
    power = [[5.0, 6.0, -4.0, -5.0, 2.0, 3.0, -2.0, -3.0]]
    run = results(network, {"feeder/branch_current": [[1.0] * 8], "feeder/branch_power_real": power}, {})
    assert branch_values(run)["power"].tolist() == [[11.0, 5.0]]


def test_a_circuit_without_a_branch_has_no_loading(network: Network) -> None:
    bare = Network("bare", network.buses, (), network.sources, ())
    run = results(
        bare, {"feeder/branch_current": np.zeros((3, 0)), "feeder/branch_power_real": np.zeros((3, 0))}, {}
    )
    found = branch_values(run)
    assert found["loading"].shape == (3, 0)
    assert found["power"].shape == (3, 0)


def test_stored_energy_follows_power_and_the_owners_settings(network: Network) -> None:
    owner = {
        "resource": [{"name": "battery"}],
        "settings": {"start_kwh": 20.0, "charge_efficiency": 0.5, "discharge_efficiency": 0.8},
    }
    values = {"feeder/injection_real": [[3.0, -8.0], [3.0, 4.0], [3.0, 0.0]]}
    found = stored_energy(results(network, values, {"owner": [owner]}))
    assert list(found) == ["battery"]
    assert found["battery"].tolist() == [22.0, 19.5, 19.5]


def test_without_settings_energy_counts_from_zero_without_losses(network: Network) -> None:
    found = stored_energy(results(network, {"feeder/injection_real": [[0.0, -8.0], [0.0, 4.0]]}, {}))
    assert found["battery"].tolist() == [4.0, 2.0]


def test_breaches_are_counted_by_kind() -> None:
    low = Violation("voltage_low", "a.1", 0.9, 0.95, False)
    rating = Violation("rating", "line.ab:1.1", 120.0, 100.0, True)
    records = [
        IntervalRecord(True, 1, 0.0, 0.0, Verdict(True, 0.0, 0.0, 0.0, 0.0, 0.0, tuple(found)))
        for found in ([low, low, rating], [])
    ]
    counts = count_breaches(records)
    assert {kind: row.tolist() for kind, row in counts.items()} == {
        "voltage_low": [2.0, 0.0], "voltage_high": [0.0, 0.0], "rating": [1.0, 0.0],
    }  # fmt: skip


def test_neutrals_have_no_limit_and_conductors_between_which_one_holds_do(network: Network) -> None:
    points = (VoltagePoint("a", 1, 0, 2.4), VoltagePoint("b", 1, 2, 4.16))
    found = limited_nodes(replace(network, voltage_points=points))
    assert found.tolist() == [True, False, True, True, False, False]
    assert limited_nodes(network).all()


def test_limited_voltages_are_those_of_their_points(network: Network) -> None:
    points = (VoltagePoint("a", 1, 0, 2.4), VoltagePoint("b", 1, 2, 4.8))
    magnitude = np.array([[1.02, 0.1, 1.0, 1.0, 0.9, 0.9]])
    angle = np.array([[0.0, 0.0, 0.0, np.pi, 0.0, 0.0]])
    values = {"feeder/voltage_magnitude": magnitude, "feeder/voltage_angle": angle}
    found = limited_voltage(results(replace(network, voltage_points=points), values, {}))
    assert found == pytest.approx(np.array([[1.02, 1.0]]))
