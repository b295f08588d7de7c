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

from feeders.admittance import blocks
from feeders.errors import InputError
from feeders.network import ComplexArray, Element, FloatArray, Network

PHASES: Final = (1, 2, 3)

ABSENT_OHM: Final = 1.0
"""Series resistance of a phase that a bus does not have; no current flows through it [ohm]."""

APART_OHM: Final = 1e9
"""Resistance of a phase that a branch does not have beside one that does [ohm]."""

LOOSE: Final = 1e-10
"""Share of its admittance by which a winding without ground holds the sum of its voltages."""

ALIKE: Final = 1e-6
"""Largest relative difference between admittances that count as equal."""

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
    shunt_s : ndarray, shape (n_bus, 3, 3)
        Admittance to ground of the elements with one terminal [S].
    """

    ratio: FloatArray
    series_ohm: ComplexArray
    charging_s: FloatArray
    rest_s: ComplexArray
    shunt_s: ComplexArray


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
    for k, branch in enumerate(network.branches):
        ends = [network.bus_index[end.bus] for end in branch.terminals]
        absent = np.array(_absent(network, ends, parents, k), dtype=np.int64) - 1
        series[k, absent, absent] = ABSENT_OHM
        _substitute(network, branch, table[branch.name], ratio[ends], (series[k], charging[k], rest[k]))
    series[n] = np.linalg.inv(network.sources[0].admittance_s)
    return LineCircuit(ratio, series, charging, rest, _shunts(network, table, ratio))


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


def _substitute(
    network: Network,
    branch: Element,
    block: ComplexArray,
    ratio: FloatArray,
    into: tuple[ComplexArray, FloatArray, ComplexArray],
) -> None:
    """Write series impedance, charging and rest of a branch, given the ratios at its ends, shape (2, 3)."""
    at = np.array(branch.terminals[0].phases) - 1
    n, pick = len(at), np.ix_(at, at)
    turns = ratio[:, at].reshape(-1)
    block = turns[:, None] * block * turns
    series = -block[:n, n:]
    largest = np.abs(series).max()
    ends = (block[:n, :n] - series, block[n:, n:] - series)
    what = f"{branch.kind} {branch.name}"
    if np.abs(series - series.T).max() > ALIKE * largest:
        raise _refused(network, what, "joins its phases unlike")
    if branch.kind == "transformer" and max(np.abs(end).max() for end in ends) > 0.1 * largest:
        raise _refused(network, what, "is not a plain ratio between equal windings")
    loose = 1.0 / turns[:n]
    if n == len(PHASES) and np.abs(series @ loose).max() < ALIKE * largest:
        series = series + LOOSE * largest * np.outer(loose, loose)
    elif np.linalg.cond(series) > 1.0 / ALIKE:
        raise _refused(network, what, "leaves its phases to float")
    into[0][pick] = np.linalg.inv(series)
    half = 0.5 * (ends[0].imag + ends[1].imag) if branch.kind != "transformer" else np.zeros((n, n))
    into[1][pick] = 2.0 * half
    for k, end in enumerate(ends):
        into[2][k][pick] = end - 1j * half


def _shunts(network: Network, table: Mapping[str, ComplexArray], ratio: FloatArray) -> ComplexArray:
    """Sum the elements with one terminal at every bus, shape (n_bus, 3, 3) [S]."""
    total = np.zeros((len(network.buses), 3, 3), dtype=np.complex128)
    for element in network.elements:
        if not element.is_branch:
            bus = network.bus_index[element.terminals[0].bus]
            at = np.array(element.terminals[0].phases) - 1
            total[bus][np.ix_(at, at)] += np.outer(ratio[bus, at], ratio[bus, at]) * table[element.name]
    return total
