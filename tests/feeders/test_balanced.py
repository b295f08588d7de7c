from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from feeders.balanced import BalancedFeeder, balance
from feeders.network import ComplexArray, FloatArray, Network
from feeders.opendss.feeder import OpenDssFeeder


@dataclass(frozen=True)
class Solution:
    voltage: FloatArray
    head_kva: complex
    losses_kva: complex


def distflow(feeder: BalancedFeeder, demand: ComplexArray) -> Solution:
    """Solve the balanced branch-flow equations by sweeps."""
    impedance = feeder.resistance + 1j * feeder.reactance
    square = np.full(len(feeder.buses), feeder.source_voltage**2)
    by_exponent = feeder.bus_demand(demand)
    for _ in range(200):
        drawn = (
            sum(part * square ** (k / 2) for k, part in enumerate(by_exponent))
            - 1j * feeder.capacitor * square
        )
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


NEUTRAL = np.zeros(9, dtype=np.int64)


@pytest.mark.parametrize(
    ("scale_laterals", "lowest", "head_kw", "losses_kw"),
    [(True, 0.9469, 3495.2, 93.8), (False, 0.9531, 3494.4, 91.4)],
)
def test_figures_without_regulators(
    feeder: Network, scale_laterals: bool, lowest: float, head_kw: float, losses_kw: float
) -> None:
    solution = distflow(balance(feeder, taps=NEUTRAL, scale_laterals=scale_laterals), feeder.listed_demand)
    assert solution.voltage.min() == pytest.approx(lowest, abs=5e-5)
    assert feeder.buses[int(solution.voltage.argmin())].name == "114"
    assert solution.head_kva.real == pytest.approx(head_kw, abs=0.1)
    assert solution.losses_kva.real == pytest.approx(losses_kw, abs=0.1)


def test_it_is_the_mean_of_the_phases_and_hides_the_lowest(feeder: Network) -> None:
    engine = OpenDssFeeder(feeder, regulators="neutral")
    state = engine.solve(feeder.listed_demand, np.zeros(len(feeder.resources)), controls=False)
    balanced = distflow(balance(feeder, taps=NEUTRAL, scale_laterals=False), feeder.listed_demand)
    magnitude = iter(np.abs(state.voltage).tolist())
    for k, bus in enumerate(feeder.buses):
        phases = [next(magnitude) for _ in bus.phases]
        if len(phases) == 3:
            assert np.mean(phases) == pytest.approx(balanced.voltage[k], abs=1.5e-3), bus.name
    assert np.abs(state.voltage).min() == pytest.approx(0.9245, abs=1e-4)
    assert np.count_nonzero(np.abs(state.voltage) < 0.95) > 50
    assert balanced.voltage.min() > 0.95


def test_totals_do_not_depend_on_the_form(feeder: Network) -> None:
    balanced = balance(feeder)
    total = balanced.bus_demand(feeder.listed_demand)
    assert total.sum() * balanced.base_kva == pytest.approx(3490 + 1920j)
    assert total[:, feeder.bus_index["48"]] * 1e3 == pytest.approx([0, 0, 210 + 150j])
    assert total[:, feeder.bus_index["76"]] * 1e3 == pytest.approx([0, 245 + 180j, 0])
    assert balanced.capacitor.sum() * balanced.base_kva == pytest.approx(750.0)
    assert [feeder.buses[k].name for k in balanced.resource_bus[:3]] == ["13", "30", "33"]


def test_regulators_become_the_mean_ratio(feeder: Network) -> None:
    balanced = balance(feeder)
    ratio = {branch.name: balanced.ratio[k] for k, branch in enumerate(feeder.branches)}
    assert ratio["150-rg1"] == pytest.approx(1 + 7 * 0.00625)
    assert ratio["160-rg4"] == pytest.approx(1 + (8 + 1 + 5) / 3 * 0.00625)
    assert ratio["25-rg3"] == pytest.approx(1 - 0.5 * 0.00625)
    assert ratio["149-1"] == 1.0
    assert (balance(feeder, taps=NEUTRAL).ratio == 1.0).all()


def test_near_zero_branches_are_marked(feeder: Network) -> None:
    marked = balance(feeder).near_zero
    assert {b.kind for b, zero in zip(feeder.branches, marked, strict=True) if zero} == {
        "switch",
        "regulator",
    }
    assert marked.sum() == 9


def test_impedance_and_rating_in_per_unit(feeder: Network) -> None:
    base_ohm = 4.16**2
    names = [branch.name for branch in feeder.branches]
    scaled, plain = balance(feeder), balance(feeder, scale_laterals=False)
    trunk, lateral = names.index("149-1"), names.index("13-34")
    mean_self, mean_mutual = (0.4576 + 0.4666 + 0.4615) / 3, (0.156 + 0.1535 + 0.158) / 3
    expected = (mean_self - mean_mutual) * 400 / 5280 / base_ohm
    assert scaled.resistance[trunk] == plain.resistance[trunk] == pytest.approx(expected)
    assert scaled.reactance[lateral] == pytest.approx(3 * plain.reactance[lateral])
    assert scaled.rating[trunk] == pytest.approx(3 * 530 * 2.4017771 / 1000)
    assert scaled.rating[lateral] == pytest.approx(230 * 2.4017771 / 1000)


def test_the_base_power_only_scales(feeder: Network) -> None:
    small, large = balance(feeder, base_kva=100.0), balance(feeder, base_kva=1000.0)
    a, b = distflow(small, feeder.listed_demand), distflow(large, feeder.listed_demand)
    assert a.voltage == pytest.approx(b.voltage, abs=1e-10)
    assert a.head_kva == pytest.approx(b.head_kva, abs=1e-6)
