"""Circuits of lines and plain ratios at the source's voltage, against impedances that are written out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.admittance import nodal_admittance
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Bus, ComplexArray, Element, Machine, Network, Regulator, Terminal, wye
from dlmp_cosim.feeders.ratio_lines import (
    ABSENT_OHM,
    APART_OHM,
    balanced,
    check_lines,
    line_circuit,
    tapped,
)
from tests.handmade import ABC, KV, chain, line, rows, source

OHM = 0.5 + 1.0j


def regulator(ends: tuple[str, str], ratios: tuple[float, ...], ohm: complex = 0.01j) -> Element:
    """One-phase tap changers: the second terminal has so much of the first one's voltage."""
    turn, y = np.diag(1 / np.array(ratios)), np.eye(len(ratios)) / ohm
    block = np.block([[y, -y @ turn], [-turn @ y, turn @ y @ turn]])
    terminals = tuple(Terminal(bus, ABC[: len(ratios)]) for bus in ends)
    return Element("transformer.reg", "transformer", terminals, *rows(block), (9.0, 9.0), controlled=True)


def regulated(ratios: tuple[float, ...] = (1.05, 1.025, 1.0)) -> Network:
    """A line, a bank of tap changers, and a line behind it."""
    network = chain("a", "b")
    more = (regulator(("b", "c"), ratios), line("line.c_d", ("c", "d")))
    buses = (*network.buses, Bus("c", ABC, KV), Bus("d", ABC, KV))
    return replace(network, buses=buses, elements=(*network.elements, *more))


def test_a_line_is_its_own_impedance() -> None:
    found = line_circuit(chain("a", "b"), np.zeros(0, dtype=complex))
    np.testing.assert_allclose(found.series_ohm[0], OHM * np.eye(3))
    np.testing.assert_allclose(found.series_ohm[-1], 1e-4j * np.eye(3))
    assert (found.ratio == 1.0).all()
    np.testing.assert_allclose(found.rest_s, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.charging_s, 0.0, atol=1e-12)
    assert found.twins == ()


def test_behind_a_ratio_impedances_are_seen_through_it() -> None:
    """V = t V' leaves power alone, so an impedance is divided by the square of the ratio."""
    network = regulated()
    found = line_circuit(network, network.initial_admittance)
    expected = np.array([1.05, 1.025, 1.0])
    for bus in ("c", "d"):
        np.testing.assert_allclose(found.ratio[network.bus_index[bus]], expected)
    np.testing.assert_allclose(found.series_ohm[2], OHM * np.diag(1 / expected**2))
    np.testing.assert_allclose(found.series_ohm[1], 0.01j * np.eye(3))
    np.testing.assert_allclose(found.rest_s, 0.0, atol=1e-9)


@settings(max_examples=25)
@given(
    st.lists(st.floats(0.9, 1.1), min_size=3, max_size=3),
    st.lists(st.floats(-1, 1), min_size=24, max_size=24),
)
def test_nothing_is_approximated(ratios: list[float], parts: list[float]) -> None:
    """Currents at the source's voltage are those of the circuit: Y' = diag(t) Y diag(t), branch by branch."""
    network = regulated(tuple(ratios))
    found = line_circuit(network, network.initial_admittance)
    volts: ComplexArray = np.array(parts[:12]) + 1j * np.array(parts[12:])
    turns = found.ratio.ravel()
    drawn = np.zeros(12, dtype=complex)
    for k, branch in enumerate(network.branches):
        one, two = (3 * network.bus_index[end.bus] + np.arange(3) for end in branch.terminals)
        series = np.linalg.inv(found.series_ohm[k])
        half = 0.5j * found.charging_s[k]
        across = series @ (volts[one] - volts[two])
        drawn[one] += across + (half + found.rest_s[k, 0]) @ volts[one]
        drawn[two] += -across + (half + found.rest_s[k, 1]) @ volts[two]
    whole = nodal_admittance(network, network.initial_admittance).toarray()
    whole[:3, :3] -= network.sources[0].admittance_s
    np.testing.assert_allclose(drawn, turns * (whole @ (turns * volts)), atol=1e-6)


def test_a_phase_that_is_not_there_carries_nothing() -> None:
    network = chain("a", "b")
    lateral = line("line.b_c", ("b", "c"), (2,))
    network = replace(
        network, buses=(*network.buses, Bus("c", (2,), KV)), elements=(*network.elements, lateral)
    )
    series = line_circuit(network, np.zeros(0, dtype=complex)).series_ohm[1]
    assert series[1, 1] == pytest.approx(OHM)
    assert series[0, 0] == series[2, 2] == ABSENT_OHM
    twin = replace(network, elements=(*network.elements, line("line.twin", ("a", "b"), (2,))))
    beside = line_circuit(twin, np.zeros(0, dtype=complex)).series_ohm[2]
    assert beside[0, 0] == beside[2, 2] == APART_OHM


def with_capacitor(siemens: complex = 2e-4j) -> Network:
    network = regulated()
    shunt = Element("capacitor.c", "capacitor", (Terminal("d", ABC),), *rows(siemens * np.eye(3)), (9.0,))
    return replace(network, elements=(*network.elements, shunt))


def test_a_shunt_is_seen_through_the_ratio() -> None:
    network = with_capacitor()
    found = line_circuit(network, network.initial_admittance)
    expected = 2e-4j * np.diag([1.05**2, 1.025**2, 1.0])
    np.testing.assert_allclose(found.shunt_s[network.bus_index["d"]], expected)
    np.testing.assert_allclose(found.drawn_s[network.bus_index["d"]], expected, atol=1e-9)


@pytest.mark.parametrize("position", [-16, 0, 5, 16])
def test_a_tap_divides_the_rows_and_columns_of_its_winding(position: int) -> None:
    """What is read at one position and moved is what is read at the other."""
    control = Regulator("reg", "transformer.reg", 2, 0.00625, -16, 16, tap=0)
    network = replace(regulated((1.0, 1.0, 1.0)), regulators=(control,))
    ratio = 1 + 0.00625 * position
    moved = tapped(network, np.array([position]))
    expected = regulator(("b", "c"), (ratio,) * 3).admittance_s
    np.testing.assert_allclose(moved.reshape(6, 6), expected, rtol=1e-12)


def test_taps_that_stay_change_nothing() -> None:
    control = Regulator("reg", "transformer.reg", 2, 0.00625, -16, 16, tap=3)
    network = replace(regulated(), regulators=(control,))
    np.testing.assert_allclose(tapped(network, np.array([3])), network.initial_admittance)


def test_the_balanced_part_of_a_shunt_is_its_mean() -> None:
    block = np.array([[[3.0, 1.0, 0.0], [1.0, 6.0, 0.5], [0.0, 0.5, 9.0]]] * 2, dtype=complex)
    found = balanced(block, np.array([True, False]))
    np.testing.assert_allclose(found[0], 0.5 * np.ones((3, 3)) + 5.5 * np.eye(3))
    assert not found[1].any()


def test_a_shunt_alike_in_all_phases_is_all_balanced() -> None:
    block = (2j * np.ones((3, 3)) + 5.0 * np.eye(3))[None]
    np.testing.assert_allclose(balanced(block, np.array([True])), block)


def changed(**parts: object) -> Network:
    return replace(chain("a", "b"), **parts)  # type: ignore[arg-type]


ENDS = "; expected a circuit of lines for power-grid-model, or the OpenDSS engine"


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: changed(buses=(Bus("a", ABC, KV), Bus("b", (1, 2, 3, 4), KV))),
         "bus b has a conductor 4 beside phases 1 to 3"),
        (lambda: changed(sources=(source("a"), replace(source("b"), name="second"))),
         "source second is a second source"),
        (lambda: changed(sources=(source("a", phases=(1, 2)),)), "source source feeds phases (1, 2)"),
        (lambda: changed(machines=(Machine("generator.own", "b", wye((1,))),)),
         "machine generator.own runs on its own"),
        (lambda: changed(elements=(replace(line("line.x", ("a", "b")), terminals=(Terminal("a", ABC),
                                                                               Terminal("b", (2, 1, 3)))),)),
         "line line.x joins phases (1, 2, 3) to (2, 1, 3)"),
    ],
    ids=["a neutral", "two sources", "two phases", "a machine", "phases that turn"],
)  # fmt: skip
def test_what_is_no_circuit_of_lines_is_named(network: Callable[[], Network], message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_lines(network())
    assert str(caught.value) == f"hand: {message}{ENDS}"


def test_two_ways_of_unequal_ratios_are_no_circuit_of_lines() -> None:
    """Any of the loop's branches may be the one that closes it."""
    network = regulated((1.05,) * 3)
    network = replace(network, elements=(*network.elements, line("line.t", ("b", "d"))))
    check_lines(network)
    with pytest.raises(InputError, match=r"line line\.(c_d|t) closes a loop of unequal ratios"):
        line_circuit(network, network.initial_admittance)


def test_a_source_of_unequal_voltages_is_refused() -> None:
    odd = source("a")
    odd = replace(odd, voltage_real_v=(odd.voltage_real_v[0] * 1.01, *odd.voltage_real_v[1:]))
    with pytest.raises(InputError) as caught:
        check_lines(changed(sources=(odd,)))
    assert str(caught.value) == f"hand: source source has unbalanced voltages{ENDS}"
