"""The balanced equivalent of a feeder: by hand on small networks, and what holds for any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from feeders.network import TAP_STEP, Branch, Bus, Capacitor, Load, Network
from market.balanced.equivalent import Equivalent, equivalent
from market.problem.reduction import ReducedTree, reduce_tree
from tests.market.branch_flow_support import FORK_IMPEDANCE, OHM_BASE, fork
from tests.market.random_feeders import RandomCase, random_cases
from tests.market.support import KV, conductors, mixed, regulator

few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def balanced(network: Network, taps: list[int] | None = None) -> tuple[Equivalent, ReducedTree]:
    """The equivalent at given taps, or at those of the network."""
    tree = reduce_tree(network)
    return equivalent(network, tree, network.initial_taps if taps is None else np.array(taps)), tree


def one_line(branch: Branch, kv: float = KV) -> Equivalent:
    """The equivalent of one branch behind the source."""
    buses = (Bus(branch.from_bus, (1, 2, 3), kv), Bus(branch.to_bus, branch.phases, kv))
    return balanced(
        Network("line", buses, (branch,), (Load("l", branch.to_bus, branch.phases[:1], 0, 1, 1),))
    )[0]


def chain(*kinds: str) -> Network:
    """Buses n0, n1, ... joined by branches of these kinds."""
    names = [f"n{k}" for k in range(len(kinds) + 1)]
    return Network(
        name="chain",
        buses=tuple(Bus(name, (1, 2, 3), KV) for name in names),
        branches=tuple(
            conductors(names[k], names[k + 1], kind=kind)  # type: ignore[arg-type]
            for k, kind in enumerate(kinds)
        ),
        loads=(Load("l", names[-1], (1,), 0, 30.0, 10.0),),
        regulators=tuple(
            regulator(f"r{k}_{phase}", f"{names[k]}-{names[k + 1]}", phase, 0)
            for k, kind in enumerate(kinds)
            if kind == "regulator"
            for phase in (1, 2, 3)
        ),
    )


def test_a_symmetric_line_has_its_positive_sequence_impedance() -> None:
    """Self 1.0 less mutual 0.3 of 0.5 ohm: 0.35 ohm, and 1.7 times that of reactance."""
    same = one_line(conductors("a", "b", ohm=0.5))
    assert same.resistance == pytest.approx([0.35 / OHM_BASE])
    assert same.reactance == pytest.approx([1.7 * 0.35 / OHM_BASE])


def test_an_untransposed_line_has_mean_self_less_mean_mutual() -> None:
    branch = replace(
        conductors("a", "b"),
        resistance_ohm=((1.0, 0.1, 0.2), (0.1, 2.0, 0.6), (0.2, 0.6, 3.0)),
        reactance_ohm=((4.0, 1.0, 1.0), (1.0, 5.0, 2.5), (1.0, 2.5, 6.0)),
    )
    same = one_line(branch)
    assert same.resistance == pytest.approx([(2.0 - 0.3) / OHM_BASE])
    assert same.reactance == pytest.approx([(5.0 - 1.5) / OHM_BASE])


@pytest.mark.parametrize(("phases", "ohm"), [((1, 2, 3), 0.7), ((1, 3), 0.7 * 3 / 2), ((2,), 1.0 * 3)])
def test_a_lateral_of_fewer_phases_drops_as_much_as_its_own_conductors(
    phases: tuple[int, ...], ohm: float
) -> None:
    """The same power on one conductor of three drops thrice what an even spread says."""
    same = one_line(conductors("a", "b", phases, ohm=1.0))
    assert same.resistance == pytest.approx([ohm / OHM_BASE])


def test_impedance_goes_with_the_square_of_the_base_voltage() -> None:
    low, high = one_line(conductors("a", "b"), kv=1.2), one_line(conductors("a", "b"), kv=2.4)
    assert low.resistance == pytest.approx(4 * high.resistance)
    assert low.rating == pytest.approx(high.rating / 2)


@pytest.mark.parametrize("phases", [(1, 2, 3), (1, 3), (2,)])
def test_a_rating_is_the_power_of_all_conductors_at_nominal_voltage(phases: tuple[int, ...]) -> None:
    same = one_line(conductors("a", "b", phases, rating_a=250.0))
    assert same.rating == pytest.approx([len(phases) * 2.4 * 250.0 / 1000.0])


def test_every_line_of_a_balanced_feeder_is_found_in_order() -> None:
    same, tree = balanced(fork())
    assert same.resistance == pytest.approx(FORK_IMPEDANCE.real[1:])
    assert same.reactance == pytest.approx(FORK_IMPEDANCE.imag[1:])
    assert tree.parent.tolist() == [-1, 0, 1, 2, 1, 4]
    assert np.all(same.gain == 1.0)
    assert np.all(same.from_gain == 1.0)


def test_taps_are_averaged_over_the_phases_at_the_positions_given() -> None:
    """Bus b and all behind it but across lines: the square of the mean ratio."""
    same, tree = balanced(mixed(), [4, 7, -3])
    network = mixed()
    mean = 1 + TAP_STEP * (4 + 7 - 3) / 3
    at = dict(zip((bus.name for bus in network.buses), same.gain.tolist(), strict=True))
    assert at == pytest.approx(dict.fromkeys(at, 1.0) | {"b": mean**2})
    lines = {network.branches[k].name: g for k, g in zip(tree.entry_branch[1:], same.from_gain, strict=True)}
    assert lines == pytest.approx(dict.fromkeys(lines, 1.0) | {"b-c": mean**2})
    moved = balanced(mixed(), [-6, -6, -6])[0]
    assert moved.gain[network.bus_index["b"]] == pytest.approx((1 - 6 * TAP_STEP) ** 2)


def test_a_switch_is_merged_without_a_ratio() -> None:
    same, tree = balanced(chain("line", "switch", "line"))
    assert tree.atom_of_bus.tolist() == [0, 1, 1, 2]
    assert len(same.resistance) == 2
    assert same.gain.tolist() == [1.0, 1.0, 1.0, 1.0]


def test_ratios_in_a_row_multiply_until_the_next_line() -> None:
    network = chain("line", "regulator", "switch", "regulator", "line", "line")
    same, tree = balanced(network, [8, 8, 8, -4, -4, -4])
    first, second = (1 + 8 * TAP_STEP) ** 2, (1 - 4 * TAP_STEP) ** 2
    assert same.gain == pytest.approx([1, 1, first, first, first * second, 1, 1])
    assert tree.atom_of_bus.tolist() == [0, 1, 1, 1, 1, 2, 3]
    assert same.from_gain == pytest.approx([1, first * second, 1])


def test_a_regulator_at_the_source_raises_what_the_first_line_sees() -> None:
    network = replace(chain("regulator", "line"), source_voltage_pu=1.02)
    same, tree = balanced(network, [16, 16, 16])
    assert same.v_source == pytest.approx(1.02**2)
    assert tree.atom_of_bus.tolist() == [0, 0, 1]
    assert same.from_gain == pytest.approx([1.1**2])


def test_loads_and_capacitors_keep_their_totals_bus_by_bus() -> None:
    network = replace(mixed(), capacitors=(*mixed().capacitors, Capacitor("more", "c", 1, 40.0)))
    same, _ = balanced(network)
    names = [bus.name for bus in network.buses]
    assert same.feeder.capacitor[names.index("c")] == pytest.approx(0.1)
    assert same.feeder.capacitor.sum() == pytest.approx(0.13)
    totals = same.feeder.bus_demand(network.listed_demand)
    assert totals.sum() == pytest.approx(network.listed_demand.sum() / 1e3)
    assert totals[:, names.index("d")] == pytest.approx([0, 0.190 + 0.085j, 0])
    assert totals[:, names.index("c")] == pytest.approx([0.090 + 0.040j, 0, 0.075 + 0.020j])


@few
@given(random_cases())
def test_any_feeder_has_an_equivalent_that_keeps_its_totals(case: RandomCase) -> None:
    same, tree = balanced(case.network)
    lines = [branch for branch in case.network.branches if branch.kind == "line"]
    assert len(same.resistance) == len(lines) == tree.n_atom - 1
    assert np.all(same.resistance > 0)
    assert np.all(same.reactance > 0)
    assert np.all(same.rating > 0)
    assert same.feeder.bus_demand(case.demand).sum() == pytest.approx(case.demand.sum() / 1e3)
    assert same.feeder.capacitor.sum() == pytest.approx(sum(c.kvar for c in case.network.capacitors) / 1e3)
    for k, branch in enumerate(case.network.branches):
        if branch.kind == "line":
            assert same.gain[k + 1] == 1.0
        else:
            assert tree.atom_of_bus[k + 1] == tree.atom_of_bus[case.network.bus_index[branch.from_bus]]
