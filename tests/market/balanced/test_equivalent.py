"""The balanced equivalent of a circuit: by hand on small ones, and what holds for any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from dlmp_cosim.feeders.balanced import balance
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.market.balanced.equivalent import Equivalent, at_state, equivalent
from dlmp_cosim.market.balanced.layout import BASE_KVA
from dlmp_cosim.market.problem.reduction import ReducedTree, reduce_tree
from tests.market.branch_flow_support import FORK_IMPEDANCE, OHM_BASE, fork
from tests.market.random_feeders import RandomCase, random_cases
from tests.market.support import ABC, LINE_KV, capacitor, line, load, mixed, regulator, sample, solve, switch

TAP_STEP = 0.00625

few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def balanced(network: Network) -> tuple[Equivalent, ReducedTree]:
    """The equivalent at the taps of the network."""
    tree = reduce_tree(balance(network, base_kva=BASE_KVA))
    return equivalent(network, tree, network.initial_admittance), tree


def one_line(text: str, phases: Sequence[int] = ABC, bases: Sequence[str] = ()) -> Equivalent:
    """The equivalent of one line between the source and bus ``b``."""
    commands = (text, load("l", "b", phases[:1], 1, 1.0, 1.0))
    return balanced(sample("line", commands, **({"bases": bases} if bases else {})).network)[0]


def chain(*kinds: str, taps: Sequence[int] = ()) -> Network:
    """Buses src, n1, ... joined by links of these kinds; three taps for every regulator."""
    names, left, commands = ["src", *(f"n{k}" for k in range(1, len(kinds) + 1))], iter(taps), []
    for k, kind in enumerate(kinds):
        ends = names[k], names[k + 1]
        if kind == "regulator":
            for phase in ABC:
                commands += regulator(f"r{k}_{phase}", *ends, phase, next(left, 0))
        else:
            commands.append(switch(*ends) if kind == "switch" else line(*ends))
    return sample("chain", [*commands, load("l", names[-1], (1,), 1, 30.0, 10.0)]).network


def by_bus(same: Equivalent, values: Sequence[float]) -> dict[str, float]:
    """Values of buses by their names."""
    return dict(zip(same.feeder.buses, values, strict=True))


def test_a_symmetric_line_has_its_positive_sequence_impedance() -> None:
    """Self 1.0 less mutual 0.3 of 0.5 ohm: 0.35 ohm, and 1.7 times that of reactance."""
    same = one_line(line("src", "b", ohm=0.5))
    assert same.resistance == pytest.approx([0.35 / OHM_BASE])
    assert same.reactance == pytest.approx([1.7 * 0.35 / OHM_BASE])


def test_an_untransposed_line_has_mean_self_less_mean_mutual() -> None:
    same = one_line(
        "new line.src-b bus1=src bus2=b phases=3 length=1 cmatrix=[0 0 0 | 0 0 0 | 0 0 0] "
        "rmatrix=[1.0 0.1 0.2 | 0.1 2.0 0.6 | 0.2 0.6 3.0] xmatrix=[4.0 1.0 1.0 | 1.0 5.0 2.5 | 1.0 2.5 6.0]"
    )
    assert same.resistance == pytest.approx([(2.0 - 0.3) / OHM_BASE])
    assert same.reactance == pytest.approx([(5.0 - 1.5) / OHM_BASE])


@pytest.mark.parametrize(("phases", "ohm"), [((1, 2, 3), 0.7), ((1, 3), 0.7 * 3 / 2), ((2,), 1.0 * 3)])
def test_a_lateral_of_fewer_phases_drops_as_much_as_its_own_conductors(
    phases: tuple[int, ...], ohm: float
) -> None:
    """The same power on one conductor of three drops thrice what an even spread says."""
    same = one_line(line("src", "b", phases, ohm=1.0), phases)
    assert same.resistance == pytest.approx([ohm / OHM_BASE])


def test_impedance_goes_with_the_square_of_the_base_voltage() -> None:
    high = one_line(line("src", "b"))
    halved = (f"set voltagebases=[{LINE_KV} {LINE_KV / 2}]", "calcvoltagebases")
    transformer = (
        "new transformer.half phases=3 windings=2 buses=[src mid] conns=[wye wye] "
        f"kvs=[{LINE_KV} {LINE_KV / 2}] kvas=[9000 9000] xhl=1 %rs=[0 0]"
    )
    commands = (transformer, line("mid", "b"), load("l", "b", (1,), 1, 0.1, 0.1))
    low = balanced(sample("line", commands, bases=halved).network)[0]
    assert low.resistance[1:] == pytest.approx(4 * high.resistance)
    assert low.rating[1:] == pytest.approx(high.rating / 2)


@pytest.mark.parametrize("phases", [(1, 2, 3), (1, 3), (2,)])
def test_a_rating_is_the_power_of_all_conductors_at_nominal_voltage(phases: tuple[int, ...]) -> None:
    same = one_line(line("src", "b", phases, rating_a=250.0), phases)
    assert same.rating == pytest.approx([len(phases) * 2.4 * 250.0 / 1000.0])


def test_every_line_of_a_balanced_feeder_is_found_in_order() -> None:
    same, tree = balanced(fork().network)
    assert same.resistance == pytest.approx(FORK_IMPEDANCE.real[1:])
    assert same.reactance == pytest.approx(FORK_IMPEDANCE.imag[1:])
    assert tree.parent.tolist() == [-1, 0, 1, 2, 1, 4]
    assert np.all(same.gain == 1.0)
    assert same.from_gain == pytest.approx(np.ones(5), abs=1e-9)


def test_taps_are_averaged_over_the_phases_of_a_bank() -> None:
    """Bus b and all behind it but across lines: the square of the mean ratio."""
    same, tree = balanced(mixed().network)
    mean = 1 + TAP_STEP * (4 + 7 - 3) / 3
    at = by_bus(same, same.gain.tolist())
    assert at == pytest.approx(dict.fromkeys(at, 1.0) | {"b": mean**2})
    fed = [same.feeder.buses[k + 1] for k in tree.entry_link[1:]]
    lines = dict(zip(fed, same.from_gain.tolist(), strict=True))
    assert lines == pytest.approx(dict.fromkeys(lines, 1.0) | {"c": mean**2}, abs=1e-9)


def test_taps_that_move_are_seen() -> None:
    circuit = mixed()
    feeder = circuit.feeder()
    feeder.set_taps(np.array([-6, -6, -6]))
    state, network = solve(feeder), circuit.network
    tree = reduce_tree(balance(network, base_kva=BASE_KVA))
    moved = equivalent(network, tree, state.admittance)
    assert by_bus(moved, moved.gain.tolist())["b"] == pytest.approx((1 - 6 * TAP_STEP) ** 2)


def test_a_switch_is_merged_without_a_ratio() -> None:
    same, tree = balanced(chain("line", "switch", "line"))
    assert tree.atom_of_bus.tolist() == [0, 1, 1, 2]
    assert len(same.resistance) == 2
    assert same.gain == pytest.approx([1.0, 1.0, 1.0, 1.0])


def test_ratios_in_a_row_multiply_until_the_next_line() -> None:
    network = chain("line", "regulator", "switch", "regulator", "line", "line", taps=[8, 8, 8, -4, -4, -4])
    same, tree = balanced(network)
    first, second = (1 + 8 * TAP_STEP) ** 2, (1 - 4 * TAP_STEP) ** 2
    assert same.gain == pytest.approx([1, 1, first, first, first * second, 1, 1])
    assert tree.atom_of_bus.tolist() == [0, 1, 1, 1, 1, 2, 3]
    assert same.from_gain == pytest.approx([1, first * second, 1])


def test_a_regulator_at_the_source_raises_what_the_first_line_sees() -> None:
    same, tree = balanced(chain("regulator", "line", taps=[16, 16, 16]))
    assert tree.atom_of_bus.tolist() == [0, 0, 1]
    assert same.from_gain == pytest.approx([1.1**2])


def test_the_head_stands_at_the_voltage_of_the_last_state() -> None:
    """Behind an impedance of the source it sags with what the circuit draws."""
    circuit = sample("weak", ("edit vsource.source pu=1.02 r1=0.1 x1=0.4", line("src", "b"), _heavy()))
    network, state = circuit.network, solve(circuit.feeder())
    same, _ = balanced(network)
    assert same.v_source == pytest.approx(1.02**2)
    sagged = at_state(same, network, state)
    assert sagged.v_source == pytest.approx(np.mean(np.abs(state.voltage[:3])) ** 2)
    assert sagged.v_source < 1.01**2


def _heavy() -> str:
    return load("l", "b", ABC, 1, 600.0, 300.0)


def test_machines_of_the_circuit_inject_what_they_did() -> None:
    plant = f"new generator.hydro bus1=b phases=3 kv={LINE_KV} kw=200 kvar=50 model=1"
    circuit = sample("plant", (line("src", "b"), _heavy(), plant))
    network, state = circuit.network, solve(circuit.feeder())
    same = at_state(balanced(network)[0], network, state)
    assert by_bus(same, same.injected.tolist()) == pytest.approx({"src": 0.0, "b": 0.2 + 0.05j}, abs=1e-6)


def test_loads_and_capacitors_keep_their_totals_bus_by_bus() -> None:
    network = mixed(extra=(capacitor("more", "c", 1, 40.0),)).network
    same, _ = balanced(network)
    shunt = by_bus(same, same.feeder.shunt.tolist())
    assert shunt["c"] == pytest.approx(-0.1j, abs=1e-9)
    assert same.feeder.shunt.sum() == pytest.approx(-0.13j, abs=1e-6)
    constant, slope = same.feeder.bus_demand(network.listed_demand)
    slope = slope - same.feeder.shunt
    assert (constant + slope).sum() == pytest.approx(network.listed_demand.sum() / 1e3)
    half = (0.190 + 0.085j) / 2
    assert by_bus(same, constant.tolist())["d"] == pytest.approx(half)
    assert by_bus(same, slope.tolist())["d"] == pytest.approx(half)
    assert by_bus(same, constant.tolist())["c"] == pytest.approx(0.090 + 0.040j)
    assert by_bus(same, slope.tolist())["c"] == pytest.approx(0.075 + 0.020j)


@few
@given(random_cases(loops=False))
def test_any_radial_feeder_has_an_equivalent_that_keeps_its_totals(case: RandomCase) -> None:
    network = case.network
    same, tree = balanced(network)
    plain = [{network.branches[k].kind for k in link} == {"line"} for link in same.feeder.links]
    assert len(same.resistance) == sum(plain) == tree.n_atom - 1
    assert np.all(same.resistance > 0)
    assert np.all(same.reactance > 0)
    assert np.all(same.rating > 0)
    constant, slope = same.feeder.bus_demand(case.demand)
    drawn = (constant + slope - same.feeder.shunt).sum()
    assert drawn == pytest.approx(case.demand.sum() / 1e3)
    banks = [element for element in network.elements if element.kind == "capacitor"]
    assert same.feeder.shunt.sum() == pytest.approx(-0.02j * len(banks), abs=1e-6)
    for k, is_line in enumerate(plain):
        if is_line:
            assert same.gain[k + 1] == 1.0
        else:
            assert tree.atom_of_bus[k + 1] == tree.atom_of_bus[same.feeder.parent[k + 1]]
