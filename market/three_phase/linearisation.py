"""First derivatives of the AC equations at a solved state: branches, loads and capacitors.

Currents are in kVA per pu of voltage (``I = conj(S / V)``) and impedances in pu per that unit, so that ``Z
I`` is a voltage in pu and ``Z I conj(I)`` a power in kVA. ``w = |V|**2`` [pu**2]. Voltage angles are held:
their deviation is of second order in the losses (measured effect on prices: 0.2 %).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feeders.network import ComplexArray, FloatArray, IntArray, Network
from market.problem.reduction import ReducedTree


@dataclass(frozen=True)
class Conductors:
    """Every phase conductor of every line, and every pair of conductors of one line.

    Attributes
    ----------
    branch_phase : ndarray of int, shape (n_conductor,)
        Position in ``Network.branch_ids``.
    from_node, to_node : ndarray of int, shape (n_conductor,)
        Nodes at the two ends.
    from_slot, to_slot : ndarray of int, shape (n_conductor,)
        Slots of the reduced tree at the two ends.
    row, col : ndarray of int, shape (n_pair,)
        The two conductors of a pair; a conductor also pairs with itself.
    impedance : ndarray, shape (n_pair,)
        Series impedance between the two [pu per (kVA per pu)].
    rating : ndarray, shape (n_conductor,)
        Current rating [kVA per pu].
    """

    branch_phase: IntArray
    from_node: IntArray
    to_node: IntArray
    from_slot: IntArray
    to_slot: IntArray
    row: IntArray
    col: IntArray
    impedance: ComplexArray
    rating: FloatArray


def conductors(network: Network, tree: ReducedTree) -> Conductors:
    """List the conductors of all lines (switches and regulators are merged in `tree`)."""
    phase: list[int] = []
    from_node: list[int] = []
    to_node: list[int] = []
    rating: list[float] = []
    pairs: list[tuple[int, int, complex]] = []
    for branch in network.branches:
        if branch.kind != "line":
            continue
        first, kv = len(phase), network.buses[network.bus_index[branch.from_bus]].kv_base
        z = branch.impedance_ohm / (kv**2 * 1e3)
        for i, p in enumerate(branch.phases):
            phase.append(network.branch_index[f"{branch.name}.{p}"])
            from_node.append(network.node_index[f"{branch.from_bus}.{p}"])
            to_node.append(network.node_index[f"{branch.to_bus}.{p}"])
            rating.append(branch.rating_a * kv)
            pairs += [(first + i, first + k, complex(z[i, k])) for k in range(len(branch.phases))]
    row, col, impedance = zip(*pairs, strict=True)
    return Conductors(
        branch_phase=np.array(phase, dtype=np.int64),
        from_node=np.array(from_node, dtype=np.int64),
        to_node=np.array(to_node, dtype=np.int64),
        from_slot=tree.node_slot[np.array(from_node, dtype=np.int64)],
        to_slot=tree.node_slot[np.array(to_node, dtype=np.int64)],
        row=np.array(row, dtype=np.int64),
        col=np.array(col, dtype=np.int64),
        impedance=np.array(impedance, dtype=np.complex128),
        rating=np.array(rating, dtype=np.float64),
    )


@dataclass(frozen=True)
class BranchDerivatives:
    """How conductor ``row``'s loss and receiving voltage move with conductor ``col``'s sending end.

    Attributes
    ----------
    loss_p, loss_q : ndarray, shape (n_pair,)
        d loss / d P, d Q at the sending end [kVA per kW].
    loss_w : ndarray, shape (n_pair,)
        d loss / d w of the sending end [kVA per pu**2].
    w_p, w_q : ndarray, shape (n_pair,)
        d w of the receiving end [pu**2 per kW].
    w_w : ndarray, shape (n_pair,)
        d w of the receiving end / d w of the sending end.
    current_p, current_q : ndarray, shape (n_conductor,)
        d |I| / d P, d Q of the same conductor [(kVA per pu) per kW].
    current_w : ndarray, shape (n_conductor,)
        d |I| / d w of the sending end [(kVA per pu) per pu**2].
    current : ndarray, shape (n_conductor,)
        |I| at the state [kVA per pu].
    """

    loss_p: ComplexArray
    loss_q: ComplexArray
    loss_w: ComplexArray
    w_p: FloatArray
    w_q: FloatArray
    w_w: FloatArray
    current_p: FloatArray
    current_q: FloatArray
    current_w: FloatArray
    current: FloatArray


def branch_derivatives(
    lines: Conductors, voltage: ComplexArray, power_from: ComplexArray
) -> BranchDerivatives:
    """Differentiate ``I = conj(S/V)``, ``V_j = V_i - Z I`` and ``loss = (Z I) conj(I)`` in P, Q and w.

    Parameters
    ----------
    lines : Conductors
        The conductors.
    voltage : ndarray, shape (n_node,)
        Complex voltage [pu].
    power_from : ndarray, shape (n_branch_phase,)
        Complex power at the sending ends [kVA].
    """
    v_from, v_to = voltage[lines.from_node], voltage[lines.to_node]
    current = np.conj(power_from[lines.branch_phase] / v_from)
    drop = np.bincount(
        lines.row, (lines.impedance * current[lines.col]).real, len(current)
    ) + 1j * np.bincount(lines.row, (lines.impedance * current[lines.col]).imag, len(current))
    d_current = {
        "p": 1 / np.conj(v_from),
        "q": -1j / np.conj(v_from),
        "w": -current / (2 * np.abs(v_from) ** 2),
    }
    own = lines.row == lines.col
    loss, w = {}, {}
    for name, d_i in d_current.items():
        moved = lines.impedance * d_i[lines.col]
        loss[name] = np.conj(current[lines.row]) * moved + np.where(own, (drop * np.conj(d_i))[lines.row], 0)
        w[name] = -2 * (np.conj(v_to[lines.row]) * moved).real
    w["w"] += np.where(own, (np.conj(v_to) * v_from / np.abs(v_from) ** 2).real[lines.row], 0)
    magnitude = np.abs(current)
    direction = np.conj(current) / np.where(magnitude > 0, magnitude, 1)
    slope = {name: (direction * d_i).real for name, d_i in d_current.items()}
    return BranchDerivatives(
        loss["p"], loss["q"], loss["w"], w["p"], w["q"], w["w"], slope["p"], slope["q"], slope["w"], magnitude
    )


@dataclass(frozen=True)
class Terminals:
    """Where each load touches a node: one terminal for wye, two for delta, and every pair of them.

    Attributes
    ----------
    load, node : ndarray of int, shape (n_terminal,)
        The load and its node.
    other : ndarray of int, shape (n_terminal,)
        The node at the load's other end; -1 for wye (neutral).
    exponent : ndarray, shape (n_terminal,)
        Voltage exponent of the load.
    """

    load: IntArray
    node: IntArray
    other: IntArray
    exponent: FloatArray


def terminals(network: Network) -> Terminals:
    """List the terminals of all loads."""
    table = []
    for k, load in enumerate(network.loads):
        nodes = [network.node_index[f"{load.bus}.{phase}"] for phase in load.phases]
        others = [-1] if len(nodes) == 1 else nodes[::-1]
        table += [(k, n, o, load.exponent) for n, o in zip(nodes, others, strict=True)]
    columns = list(zip(*table, strict=True)) if table else [(), (), (), ()]
    return Terminals(
        load=np.array(columns[0], dtype=np.int64),
        node=np.array(columns[1], dtype=np.int64),
        other=np.array(columns[2], dtype=np.int64),
        exponent=np.array(columns[3], dtype=np.float64),
    )


@dataclass(frozen=True)
class LoadDerivatives:
    """Power that one kVA of nominal demand draws at each terminal, and its derivatives.

    Attributes
    ----------
    share : ndarray, shape (n_terminal,)
        Complex power at the terminal per kVA of nominal demand.
    share_own, share_other : ndarray, shape (n_terminal,)
        d share / d w of the terminal's node and of the other node [1 per pu**2].
    """

    share: ComplexArray
    share_own: ComplexArray
    share_other: ComplexArray


def load_derivatives(ends: Terminals, voltage: ComplexArray) -> LoadDerivatives:
    """Differentiate ``S = demand * |U|**exponent * V / U`` in w, with U the voltage across the load.

    Wye: U = V, so the share is ``|V|**exponent``. Delta: U = V_a - V_b, in units of sqrt(3), with current
    entering at one end and leaving at the other.
    """
    here = voltage[ends.node]
    there = np.where(ends.other >= 0, voltage[ends.other], 0)
    across = here - there
    base = np.where(ends.other >= 0, np.sqrt(3.0), 1.0)
    scale = (np.abs(across) / base) ** ends.exponent
    share = scale * here / across

    def derivative(d_here: ComplexArray, d_across: ComplexArray) -> ComplexArray:
        stretch = ends.exponent * (np.conj(across) * d_across).real / np.abs(across) ** 2
        result: ComplexArray = share * stretch + scale * (d_here / across - here * d_across / across**2)
        return result

    d_here = here / (2 * np.abs(here) ** 2)
    safe = np.where(np.abs(there) > 0, there, 1)
    d_there = np.where(ends.other >= 0, there / (2 * np.abs(safe) ** 2), 0)
    zero = np.zeros_like(here)
    return LoadDerivatives(share, derivative(d_here, d_here), derivative(zero, -d_there))
