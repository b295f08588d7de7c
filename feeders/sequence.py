"""What a link of a radial circuit is to the positive sequence: a ratio, an impedance and two shunts.

Between three phases and three, the positive sequence sees ``y = f' Y f`` of every block Y of the link's
admittance, with f its phasors. Conductors that do not see each other, such as a bank of one-phase regulators,
are taken one by one and averaged. A lateral of n phases is spread over three; that would understate its
voltage drop and losses, so its impedance is multiplied by 3 / n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import ComplexArray, Element, Network

PHASES: Final = (1, 2, 3)
ALIKE: Final = 1e-3
"""Largest coupling of the positive sequence to another, over its own admittance, of a balanced element."""

APART: Final = 1e-6
"""Coupling between conductors, over the largest admittance, that counts as none."""

NO_SHUNT: Final = 1e-9
"""Shunt over series admittance below which it is rounding."""


@dataclass(frozen=True)
class TwoPort:
    """An ideal transformer at the sending end, a series impedance behind it, and a shunt at both ends.

    Attributes
    ----------
    ratio : float
        Voltage at the receiving end over that at the sending end, without load [pu].
    impedance : complex
        Series impedance, at the receiving end [pu].
    shunt_from, shunt_to : complex
        Shunt admittances [pu].
    """

    ratio: float
    impedance: complex
    shunt_from: complex
    shunt_to: complex


@dataclass(frozen=True)
class _Blocks:
    """Admittance of a link in per unit of its buses' voltages, sending conductors before receiving ones."""

    name: str
    upper: tuple[int, ...]
    lower: tuple[int, ...]
    admittance: ComplexArray

    @property
    def parts(self) -> tuple[ComplexArray, ComplexArray, ComplexArray, ComplexArray]:
        """Blocks from-from, from-to, to-from and to-to."""
        n, y = len(self.upper), self.admittance
        return y[:n, :n], y[:n, n:], y[n:, :n], y[n:, n:]


def phasors(phases: Sequence[int]) -> ComplexArray:
    """Voltages of a positive sequence of 1 pu at phases of a bus, shape (n_phase,)."""
    return np.exp(-2j * np.pi / 3.0 * (np.array(phases) - 1))


def two_port(
    network: Network,
    link: Sequence[Element],
    table: dict[str, ComplexArray],
    ends: tuple[str, str],
    *,
    base_kva: float,
    scale_laterals: bool,
) -> TwoPort:
    """Reduce the elements between two buses to the positive sequence.

    Parameters
    ----------
    network : Network
        The circuit.
    link : sequence of Element
        Everything that joins the two buses.
    table : dict of str to ndarray
        Admittance block of every element [S].
    ends : (str, str)
        Sending and receiving bus.
    base_kva : float
        Three-phase base power [kVA].
    scale_laterals : bool
        Whether the impedance of n phases is multiplied by 3 / n.

    Raises
    ------
    InputError
        When the link has no balanced equivalent, with its name and why.
    """
    blocks = _blocks(network, link, table, ends, base_kva)
    n = len(blocks.upper)
    spread = 3.0 / n if scale_laterals else 1.0
    if _apart(blocks):
        return _one_by_one(blocks, spread)
    if not any(element.kind == "transformer" for element in link) and blocks.upper == blocks.lower:
        return _line(blocks, spread)
    if n == len(PHASES):
        return _three_phase(network, blocks)
    raise _refused(network, blocks.name, f"transforms between {n} conductors that depend on each other")


def _refused(network: Network, name: str, why: str) -> InputError:
    """Build the error for an element that the positive sequence cannot stand for."""
    return InputError(f"{name} {why}", where=network.name, expected="a circuit with a balanced equivalent")


def _blocks(
    network: Network,
    link: Sequence[Element],
    table: dict[str, ComplexArray],
    ends: tuple[str, str],
    base_kva: float,
) -> _Blocks:
    """Add up the admittances of a link, conductor by conductor, in per unit."""
    name = " and ".join(element.name for element in link)
    for element in link:
        if len(element.terminals) != 2:
            raise _refused(network, element.name, f"has {len(element.terminals)} windings or ends")
    nodes = sorted(
        {(ends.index(end.bus), p) for element in link for end in element.terminals for p in end.phases}
    )
    upper, lower = (tuple(p for side, p in nodes if side == k) for k in (0, 1))
    for phase in (*upper, *lower):
        if phase not in PHASES:
            raise _refused(network, name, f"has a conductor at node {phase}, which is no phase")
    if len(upper) != len(lower) or not upper:
        raise _refused(network, name, f"joins {len(upper)} conductors to {len(lower)}")
    total = np.zeros((len(nodes), len(nodes)), dtype=np.complex128)
    for element in link:
        order = [(ends.index(end.bus), p) for end in element.terminals for p in end.phases]
        at = [nodes.index(node) for node in order]
        total[np.ix_(at, at)] += table[element.name]
    kv = np.array([network.buses[network.bus_index[ends[side]]].kv_base for side, _ in nodes])
    return _Blocks(name, upper, lower, total * np.outer(kv, kv) * 3e3 / base_kva)


def _apart(blocks: _Blocks) -> bool:
    """Whether every conductor sees one conductor at the other end, and no other at its own."""
    none = APART * np.abs(blocks.admittance).max()
    own_from, across, _, own_to = (np.abs(part) > none for part in blocks.parts)
    off = ~np.eye(len(blocks.upper), dtype=bool)
    alone = not own_from[off].any() and not own_to[off].any()
    return bool(alone and (across.sum(axis=0) == 1).all() and (across.sum(axis=1) == 1).all())


def _reduce(y11: complex, y12: complex, y21: complex, y22: complex) -> TwoPort:
    """Reduce one conductor's admittances; a phase shift between its ends does not count."""
    ratio = float(np.sqrt(abs(y11) / abs(y22)))
    series = complex(np.sqrt(y12 * y21)) / ratio
    if (series * np.conj(y22)).real < 0.0:
        series = -series
    return _port(ratio, 1.0 / series, y11 - ratio**2 * series, y22 - series)


def _port(ratio: float, impedance: complex, shunt_from: complex, shunt_to: complex) -> TwoPort:
    """State a two-port without shunts that are mere rounding."""
    start, end = (complex(y) if abs(y * impedance) > NO_SHUNT else 0j for y in (shunt_from, shunt_to))
    return TwoPort(ratio, complex(impedance), start, end)


def _one_by_one(blocks: _Blocks, spread: float) -> TwoPort:
    """Average conductors that do not see each other."""
    own_from, across, back, own_to = blocks.parts
    partner = np.argmax(np.abs(across), axis=1).tolist()
    ports = [
        _reduce(own_from[k, k], across[k, other], back[other, k], own_to[other, other])
        for k, other in enumerate(partner)
    ]
    return TwoPort(
        ratio=float(np.mean([port.ratio for port in ports])),
        impedance=spread * complex(np.mean([port.impedance for port in ports])),
        shunt_from=sum(port.shunt_from for port in ports) / len(PHASES),
        shunt_to=sum(port.shunt_to for port in ports) / len(PHASES),
    )


def _line(blocks: _Blocks, spread: float) -> TwoPort:
    """Take the mean self less the mean mutual impedance of a line, and the charging at its ends."""
    own_from, across, back, own_to = blocks.parts
    impedance, n = np.linalg.inv(-across), len(blocks.upper)
    mutual = (impedance.sum() - np.trace(impedance)) / (n * (n - 1))
    turn = phasors(blocks.upper)
    return _port(
        ratio=1.0,
        impedance=spread * (np.trace(impedance) / n - mutual),
        shunt_from=complex(np.conj(turn) @ (own_from + across) @ turn) / len(PHASES),
        shunt_to=complex(np.conj(turn) @ (own_to + back) @ turn) / len(PHASES),
    )


def _three_phase(network: Network, blocks: _Blocks) -> TwoPort:
    """Transform a three-phase element to its positive sequence, which must not depend on the others."""
    turn = phasors(PHASES)
    sequences = np.stack([np.ones(3), turn, np.conj(turn)], axis=1) / np.sqrt(3.0)
    found = []
    for part in blocks.parts:
        seen = np.conj(sequences.T) @ part @ sequences
        own, others = seen[1, 1], np.abs([seen[0, 1], seen[2, 1], seen[1, 0], seen[1, 2]]).max()
        if others > ALIKE * abs(own):
            raise _refused(network, blocks.name, "does not treat its three phases alike")
        found.append(complex(own))
    return _reduce(*found)
