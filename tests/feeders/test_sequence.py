"""The positive sequence of links, against impedances that are written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import ComplexArray, Element, Terminal
from dlmp_cosim.feeders.sequence import TwoPort, phasors, two_port
from tests.handmade import ABC, KV, chain, rows

KVA = 1000.0
OHM = 3 * (1e3 * KV) ** 2 / (1e3 * KVA)
"""Base impedance of three phases of 2.4 kV [ohm]."""
NETWORK = chain("a", "b")


def element(impedance: ComplexArray, phases: tuple[int, ...] = ABC, shunt: complex = 0.0) -> Element:
    """A line of coupled conductors, with a shunt admittance at each conductor's ends [S]."""
    y = np.linalg.inv(impedance)
    own = y + shunt * np.eye(len(phases))
    block = np.block([[own, -y], [-y, own]])
    ends = (Terminal("a", phases), Terminal("b", phases))
    return Element("line.x", "line", ends, *rows(block), (1.0, 1.0))


def seen(*links: Element, scale: bool = True) -> TwoPort:
    table = {item.name: item.admittance_s for item in links}
    return two_port(NETWORK, links, table, ("a", "b"), base_kva=KVA, scale_laterals=scale)


def coupled(own: complex, mutual: complex, n: int = 3) -> ComplexArray:
    return np.full((n, n), mutual) + (own - mutual) * np.eye(n)


@pytest.mark.parametrize("phases", [(1,), (2, 3), (1, 2, 3)])
def test_phasors_are_a_third_of_a_turn_apart(phases: tuple[int, ...]) -> None:
    found = phasors(phases)
    np.testing.assert_allclose(np.abs(found), 1.0)
    np.testing.assert_allclose(np.degrees(np.angle(found)) % 360, [(-120 * (p - 1)) % 360 for p in phases])


def test_a_transposed_line_is_its_self_less_its_mutual_impedance() -> None:
    port = seen(element(coupled(0.4 + 1.0j, 0.1 + 0.3j)))
    assert port.impedance == pytest.approx((0.3 + 0.7j) / OHM)
    assert port.ratio == pytest.approx(1.0)
    assert (port.shunt_from, port.shunt_to) == pytest.approx((0.0, 0.0))


def test_an_untransposed_line_is_the_mean_of_its_phases() -> None:
    impedance = np.array([[0.4 + 1j, 0.1, 0.2], [0.1, 0.5 + 1.1j, 0.3j], [0.2, 0.3j, 0.6 + 1.2j]])
    port = seen(element(impedance))
    mean = (0.5 + 1.1j) - (0.1 + 0.2 + 0.3j) / 3
    assert port.impedance == pytest.approx(mean / OHM)


def test_charging_is_a_shunt_at_both_ends() -> None:
    port = seen(element(coupled(0.4 + 1.0j, 0.1 + 0.3j), shunt=2e-6j))
    assert (port.shunt_from, port.shunt_to) == pytest.approx((2e-6j * OHM,) * 2)


@pytest.mark.parametrize(("phases", "factor"), [((2,), 3.0), ((1, 3), 1.5), ((1, 2, 3), 1.0)])
def test_a_lateral_drops_as_much_as_its_own_phases(phases: tuple[int, ...], factor: float) -> None:
    """Power of n phases spread over three has a current of n / 3, through 3 / n of the impedance."""
    link = element((0.4 + 1.0j) * np.eye(len(phases)), phases)
    assert seen(link).impedance == pytest.approx(factor * (0.4 + 1.0j) / OHM)
    assert seen(link, scale=False).impedance == pytest.approx((0.4 + 1.0j) / OHM)


def test_lines_side_by_side_halve_their_impedance() -> None:
    one = element(coupled(0.4 + 1.0j, 0.1 + 0.3j))
    port = seen(one, replace(one, name="line.y"))
    assert port.impedance == pytest.approx((0.15 + 0.35j) / OHM)


def transformer(ratios: tuple[float, ...], ohm: complex) -> Element:
    """One-phase transformers without coupling, their impedance at the receiving end."""
    n = len(ratios)
    turn = np.diag(ratios)
    y = np.eye(n) / ohm
    block = np.block([[turn @ y @ turn, -turn @ y], [-y @ turn, y]])
    phases = ABC[:n]
    return Element(
        "transformer.r",
        "transformer",
        (Terminal("a", phases), Terminal("b", phases)),
        *rows(block),
        (1.0, 1.0),
    )


def test_a_bank_of_regulators_is_its_mean_ratio() -> None:
    port = seen(transformer((1.0125, 1.00625, 1.0), 0.1 + 0.2j))
    assert port.ratio == pytest.approx(1.00625)
    assert port.impedance == pytest.approx((0.1 + 0.2j) / OHM)


@settings(max_examples=40)
@given(
    st.floats(0.01, 2.0), st.floats(-2.0, 2.0), st.floats(0.0, 0.4), st.floats(0.0, 0.4), st.floats(0.1, 10.0)
)
def test_impedance_per_unit_does_not_know_ohms(
    r: float, x: float, mutual_r: float, mutual_x: float, factor: float
) -> None:
    """Twice the ohms are twice the impedance; reciprocal links look alike from both ends."""
    own, mutual = complex(r + 0.5, x), complex(mutual_r * r, mutual_x * x)
    link = element(coupled(own, mutual))
    scaled = element(factor * coupled(own, mutual))
    assert seen(scaled).impedance == pytest.approx(factor * seen(link).impedance, rel=1e-6)


def test_what_treats_its_phases_unalike_is_refused_by_name() -> None:
    block = np.zeros((6, 6), dtype=complex)
    block[:3, :3] = [[2, -1, -0.2], [-1, 3, -1], [-0.2, -1, 1]]
    block[3:, 3:] = np.eye(3)
    block[:3, 3:] = block[3:, :3] = [[-1, 0.4, 0], [0.4, -1, 0], [0, 0, -1]]
    odd = Element(
        "transformer.odd", "transformer", (Terminal("a", ABC), Terminal("b", ABC)), *rows(block), (1.0, 1.0)
    )
    with pytest.raises(InputError) as caught:
        seen(odd)
    assert str(caught.value) == (
        "hand: transformer.odd does not treat its three phases alike; expected a circuit with a "
        "balanced equivalent"
    )
