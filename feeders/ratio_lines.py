"""A circuit of lines and plain ratios, brought to the source's voltage: series impedances and shunts.

With ``t`` the product of the ratios between the source and a node, the substitution ``V = t * V'`` leaves
powers alone and turns every tap changer, and every transformer whose windings are connected alike, into a
line: its admittance block ``Y`` becomes ``diag(t) Y diag(t)``, which has no ratio left. Nothing is
approximated: what a block has beyond a series impedance and equal charging stands as a shunt at its ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dlmp_cosim.feeders.admittance import blocks
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import ComplexArray, Element, FloatArray, IntArray, Network

BoolArray = npt.NDArray[np.bool_]

PHASES: Final = (1, 2, 3)

ABSENT_OHM: Final = 1.0
"""Series resistance of a phase that a bus does not have; no current flows through it [ohm]."""

APART_OHM: Final = 1e9
"""Resistance of a phase that a branch does not have beside one that does [ohm]."""

ALIKE: Final = 1e-6
"""Largest relative difference between admittances that count as equal."""

LARGEST_SHUNT: Final = 0.1
"""Largest share of its admittance that a transformer may draw on its own."""

RATIO_ERROR: Final = 1e-3
"""Largest relative difference between the ratios of two ways to a node."""


@dataclass(frozen=True)
class LineCircuit:
    """Series impedances and shunts at the source's voltage; three phases everywhere, absent ones unloaded.

    Attributes
    ----------
    ratio : ndarray, shape (n_bus, 3)
        Voltage of the circuit over voltage here.
    series_ohm : ndarray, shape (n_branch + 1, 3, 3)
        Series impedance of every branch, and behind the source as the last [ohm].
    charging_s : ndarray, shape (n_branch + 1, 3, 3)
        Charging susceptance of every branch, half of it at each end [S].
    rest_s : ndarray, shape (n_branch, 2, 3, 3)
        What else a branch draws at either end [S].
    twins : tuple of int
        Branches that float, between windings without ground: their series impedance is infinite for the sum
        of the voltages, so that they stand as two lines, of which one takes away what the other has too much.
    twin_ohm : ndarray, shape (n_twin, 3, 3)
        Series impedance of the second lines [ohm].
    shunt_s : ndarray, shape (n_bus, 3, 3)
        Admittance to ground of the elements with one terminal [S].
    drawn_s : ndarray, shape (n_bus, 3, 3)
        The same, and the rest of the branches at their buses [S].
    """

    ratio: FloatArray
    series_ohm: ComplexArray
    charging_s: FloatArray
    rest_s: ComplexArray
    twins: tuple[int, ...]
    twin_ohm: ComplexArray
    shunt_s: ComplexArray
    drawn_s: ComplexArray


def check_lines(network: Network) -> None:
    """Raise when a circuit is not one of lines and plain ratios.

    Parameters
    ----------
    network : Network
        A checked network.

    Raises
    ------
    InputError
        Naming the first element that cannot be used, and why.
    """
    for bus in network.buses:
        others = [phase for phase in bus.phases if phase not in PHASES]
        if others:
            raise _refused(network, f"bus {bus.name}", f"has a conductor {others[0]} beside phases 1 to 3")
    _check_source(network)
    for machine in network.machines:
        raise _refused(network, f"machine {machine.name}", "runs on its own")
    for branch in network.branches:
        what = f"{branch.kind} {branch.name}"
        if len(branch.terminals) != 2:
            raise _refused(network, what, f"has {len(branch.terminals)} terminals")
        one, two = branch.terminals
        if one.phases != two.phases:
            raise _refused(network, what, f"joins phases {one.phases} to {two.phases}")


def line_circuit(network: Network, admittance: ComplexArray) -> LineCircuit:
    """Bring a circuit that `check_lines` lets pass to the source's voltage.

    Parameters
    ----------
    network : Network
        The circuit.
    admittance : ndarray, shape (n_admittance,)
        Blocks of the controlled elements [S].

    Raises
    ------
    InputError
        When a transformer is more than a ratio between windings that are connected alike.
    """
    table = blocks(network, admittance)
    ratio, parents = _ratios(network, table)
    n = len(network.branches)
    series = np.tile((APART_OHM + 0j) * np.eye(3), (n + 1, 1, 1))
    charging, rest = np.zeros((n + 1, 3, 3)), np.zeros((n, 2, 3, 3), dtype=np.complex128)
    twins = {}
    for k, branch in enumerate(network.branches):
        ends = [network.bus_index[end.bus] for end in branch.terminals]
        absent = np.array(_absent(network, ends, parents, k), dtype=np.int64) - 1
        series[k, absent, absent] = ABSENT_OHM
        parts = _parts(network, branch, table[branch.name], ratio[ends])
        at = np.ix_(*2 * [np.array(branch.terminals[0].phases) - 1])
        series[k][at], charging[k][at] = parts.series_ohm, parts.charging_s
        if parts.twin_ohm is not None:
            twins[k] = parts.twin_ohm
        for end in range(2):
            rest[k, end][at] = parts.rest_s[end]
    series[n] = np.linalg.inv(network.sources[0].admittance_s)
    twin_ohm = np.array(list(twins.values()), dtype=np.complex128).reshape(-1, 3, 3)
    shunt = _shunts(network, table, ratio)
    drawn = shunt + _at_buses(network, rest)
    return LineCircuit(ratio, series, charging, rest, tuple(twins), twin_ohm, shunt, drawn)


def tapped(network: Network, taps: IntArray) -> ComplexArray:
    """Blocks of the controlled elements at other taps, which divide the rows and columns of their windings.

    Parameters
    ----------
    network : Network
        Has the blocks at the start.
    taps : ndarray of int, shape (n_tap,)
        Position of every regulator.

    Returns
    -------
    ndarray, shape (n_admittance,)
        Blocks, one after the other, row by row [S].
    """
    factors = {element.name: [1.0] * len(element.terminals) for element in network.controlled}
    for regulator, tap in zip(network.regulators, taps.tolist(), strict=True):
        start, now = (1.0 + regulator.step_pu * position for position in (regulator.tap, tap))
        factors[regulator.element][regulator.winding - 1] *= start / now
    blocks = [np.zeros(0, dtype=np.complex128)]
    for element in network.controlled:
        turns = np.repeat(factors[element.name], [len(end.phases) for end in element.terminals])
        blocks.append((turns[:, None] * element.admittance_s * turns).ravel())
    return np.concatenate(blocks)


def balanced(drawn: ComplexArray, whole: BoolArray) -> ComplexArray:
    """Part of every bus's shunts that treats its three phases alike; none where a bus has fewer.

    Parameters
    ----------
    drawn : ndarray, shape (n_bus, 3, 3)
        Admittances to ground [S].
    whole : ndarray of bool, shape (n_bus,)
        Buses with three phases.
    """
    own = np.einsum("bii->b", drawn) / 3.0 * whole
    mutual = (drawn.sum(axis=(1, 2)) - np.einsum("bii->b", drawn)) / 6.0 * whole
    return np.asarray(mutual[:, None, None] + (own - mutual)[:, None, None] * np.eye(3))


def _refused(network: Network, what: str, reason: str) -> InputError:
    return InputError(
        f"{what} {reason}",
        where=network.name,
        expected="a circuit of lines for power-grid-model, or the OpenDSS engine",
    )


def _check_source(network: Network) -> None:
    """Check that one source feeds three phases with balanced voltages."""
    if len(network.sources) != 1:
        raise _refused(network, f"source {network.sources[1].name}", "is a second source")
    source = network.sources[0]
    if source.terminal.phases != PHASES:
        raise _refused(network, f"source {source.name}", f"feeds phases {source.terminal.phases}")
    turned = source.voltage_v * np.exp(2j * np.pi / 3.0 * np.arange(3))
    if np.abs(turned - turned[0]).max() > ALIKE * abs(turned[0]):
        raise _refused(network, f"source {source.name}", "has unbalanced voltages")


def _ratios(network: Network, table: Mapping[str, ComplexArray]) -> tuple[FloatArray, dict[int, int]]:
    """Find the ratio of every phase of every bus, and the branch by which each bus is first reached."""
    ways: dict[tuple[int, int], list[tuple[int, int, float]]] = {}
    for k, branch in enumerate(network.branches):
        one, two = (network.bus_index[end.bus] for end in branch.terminals)
        steps = _steps(network, branch, table[branch.name]).tolist()
        for phase, step in zip(branch.terminals[0].phases, steps, strict=True):
            ways.setdefault((one, phase), []).append((k, two, step))
            ways.setdefault((two, phase), []).append((k, one, 1.0 / step))
    start = network.bus_index[network.sources[0].terminal.bus]
    found = {(start, phase): 1.0 for phase in PHASES}
    parents, reached, queue = dict[int, int](), {start}, deque(found)
    while queue:
        bus, phase = queue.popleft()
        for k, other, step in ways.get((bus, phase), ()):
            ratio = found[bus, phase] * step
            if (other, phase) in found:
                if abs(found[other, phase] / ratio - 1.0) > RATIO_ERROR:
                    branch = network.branches[k]
                    raise _refused(network, f"{branch.kind} {branch.name}", "closes a loop of unequal ratios")
                continue
            found[other, phase] = ratio
            queue.append((other, phase))
            if other not in reached:
                reached.add(other)
                parents[other] = k
    ratio_of = np.ones((len(network.buses), 3))
    for k, bus_there in enumerate(network.buses):
        ratio_of[k] = np.mean([found[k, phase] for phase in bus_there.phases])
        for phase in bus_there.phases:
            ratio_of[k, phase - 1] = found[k, phase]
    return ratio_of, parents


def _steps(network: Network, branch: Element, block: ComplexArray) -> FloatArray:
    """Voltage at the second terminal over that at the first without load, phase by phase."""
    n = len(branch.terminals[0].phases)
    if branch.kind != "transformer":
        return np.ones(n)
    across, own = np.diag(block[n:, :n]), np.diag(block[n:, n:])
    step = -across / np.where(own == 0.0, 1.0, own)
    if (step.real <= 0.0).any() or (np.abs(step.imag) > RATIO_ERROR * np.abs(step)).any():
        raise _refused(network, f"transformer {branch.name}", "is not a plain ratio between equal windings")
    return np.asarray(step.real)


def _absent(network: Network, ends: list[int], parents: Mapping[int, int], branch: int) -> list[int]:
    """Phases that one end of a branch does not have and that it carries on to there from the source."""
    new = [bus for bus in ends if parents.get(bus) == branch]
    return [phase for bus in new for phase in PHASES if phase not in network.buses[bus].phases]


@dataclass(frozen=True)
class _Parts:
    """Series impedances [ohm], charging and rest [S] of one branch; see `LineCircuit`."""

    series_ohm: ComplexArray
    charging_s: FloatArray
    rest_s: ComplexArray
    twin_ohm: ComplexArray | None


def _parts(network: Network, branch: Element, block: ComplexArray, ratio: FloatArray) -> _Parts:
    """Take a branch apart, given the ratios at both of its ends, shape (2, 3)."""
    at = np.array(branch.terminals[0].phases) - 1
    n, wound = len(at), branch.kind == "transformer"
    turns = ratio[:, at].reshape(-1)
    block = turns[:, None] * block * turns
    series = -block[:n, n:]
    largest = np.abs(series).max()
    ends = np.stack([block[:n, :n], block[n:, n:]]) - series
    what = f"{branch.kind} {branch.name}"
    uneven = largest == 0.0 or np.abs(series - series.T).max() > ALIKE * largest
    if wound and (uneven or np.abs(ends).max() > LARGEST_SHUNT * largest):
        raise _refused(network, what, "is not a plain ratio between equal windings")
    if uneven:
        raise _refused(network, what, "joins its phases unlike")
    charging = np.zeros((n, n)) if wound else ends.imag.sum(axis=0)
    rest = ends - 0.5j * charging
    floating = 1.0 / turns[:n]
    if n == len(PHASES) and np.abs(series @ floating).max() < ALIKE * largest:
        stiff = largest * np.outer(floating, floating)
        first, second = np.linalg.inv(2.0 * series + stiff), np.linalg.inv(-series - stiff)
        return _Parts(np.asarray(first), charging, rest, np.asarray(second))
    if np.linalg.cond(series) > 1.0 / ALIKE:
        raise _refused(network, what, "leaves its phases to float")
    return _Parts(np.asarray(np.linalg.inv(series)), charging, rest, None)


def _shunts(network: Network, table: Mapping[str, ComplexArray], ratio: FloatArray) -> ComplexArray:
    """Sum the elements with one terminal at every bus, shape (n_bus, 3, 3) [S]."""
    total = np.zeros((len(network.buses), 3, 3), dtype=np.complex128)
    for element in network.elements:
        if not element.is_branch:
            bus = network.bus_index[element.terminals[0].bus]
            at = np.array(element.terminals[0].phases) - 1
            total[bus][np.ix_(at, at)] += np.outer(ratio[bus, at], ratio[bus, at]) * table[element.name]
    return total


def _at_buses(network: Network, rest: ComplexArray) -> ComplexArray:
    """Sum what branches draw at their ends by bus, shape (n_bus, 3, 3) [S]."""
    total = np.zeros((len(network.buses), 3, 3), dtype=np.complex128)
    for branch, ends in zip(network.branches, rest, strict=True):
        for terminal, block in zip(branch.terminals, ends, strict=True):
            total[network.bus_index[terminal.bus]] += block
    return total
