"""The equations of a circuit differentiated at one AC state, in coordinates that suit negotiations.

With V_0 the voltage at the state, ``u = dV / V_0``: its real part is the relative change of a magnitude, its
imaginary part that of an angle. Kirchhoff's law at a node is multiplied by V_0 and conjugated, so that its
two rows are real and reactive power at constant voltage and their duals are prices. Nodes without a voltage
to speak of (neutrals) take their base instead. Nothing is left out: this is the Jacobian of the power flow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.nodal.layout import POWER_UNIT, VOLTAGE_UNIT, Layout
from dlmp_cosim.market.nodal.legs import Legs, LegSlopes
from dlmp_cosim.market.nodal.table import CurrentTable
from dlmp_cosim.market.offers import Offer
from dlmp_cosim.market.problem.compiled import compiled

LEAST_VOLTAGE = 0.1
"""Share of its base below which a node's voltage is no measure of anything."""
VA_PER_UNIT = 1e3 * POWER_UNIT
"""Unit of power inside the problem [VA]."""


@dataclass(frozen=True)
class Anchor:
    """Everything the model needs about one AC state.

    Attributes
    ----------
    state : AcState
        The state itself.
    demand : ndarray, shape (n_load,)
        Nominal demand of this interval before curtailment [kVA].
    volts : ndarray, shape (n_node,)
        Voltages [V].
    scale : ndarray, shape (n_node,)
        What voltages are counted in: themselves, or their base [V].
    live : ndarray of bool, shape (n_node,)
        Whether a node has a voltage to speak of.
    legs : LegSlopes
        Loads, injections and machines.
    head_current : ndarray, shape (n_head,)
        Currents that the sources give [A].
    current : ndarray, shape (n_conductor,)
        Current into every branch conductor [A].
    ratio : ndarray, shape (n_resource,)
        Reactive power that goes with each kW of the resource; 0 where it is free or none.
    power : ndarray, shape (n_resource,)
        Power of every resource at the state, real and free reactive part [kVA].
    """

    state: AcState
    demand: ComplexArray
    volts: ComplexArray
    scale: ComplexArray
    live: np.ndarray[tuple[int], np.dtype[np.bool_]]
    legs: LegSlopes
    head_current: ComplexArray
    current: ComplexArray
    ratio: FloatArray
    power: ComplexArray


def anchor_at(
    network: Network, legs: Legs, state: AcState, demand: ComplexArray, offers: dict[str, Offer]
) -> Anchor:
    """Differentiate at a state.

    Parameters
    ----------
    network : Network
        The circuit.
    legs : Legs
        Its legs.
    state : AcState
        A converged AC state.
    demand : ndarray, shape (n_load,)
        Nominal demand of the interval before curtailment [kVA].
    offers : dict of str to Offer
        Offers by resource, for their reactive ratios.
    """
    base = network.base_v
    volts = state.voltage * base
    live = np.abs(volts) >= LEAST_VOLTAGE * base
    running = _running(legs, state, demand)
    ratio = np.array(
        [(offers[name].reactive_ratio or 0.0) if name in offers else 0.0 for name in network.resource_ids]
    )
    return Anchor(
        state=state,
        demand=demand,
        volts=volts,
        scale=np.where(live, volts, base).astype(np.complex128),
        live=live,
        legs=legs.slopes(state),
        head_current=_current(state.head, volts[network.head_node]),
        current=_current(state.power, volts[network.conductor_node]),
        ratio=ratio,
        power=running - 1j * ratio * running.real,
    )


def _current(power: ComplexArray, volts: ComplexArray) -> ComplexArray:
    """Find the current of a power [kVA] at a voltage [V], in A."""
    there = volts != 0
    current: ComplexArray = np.where(there, np.conj(1e3 * power / np.where(there, volts, 1.0)), 0.0)
    return current


def _running(legs: Legs, state: AcState, demand: ComplexArray) -> ComplexArray:
    """Sum up what every resource gives at a state: its injection, or the demand it does not consume [kVA]."""
    power = state.injection.copy()
    power[legs.curtailing] = demand[legs.curtailed] - state.demand[legs.curtailed]
    return power


def table_entries(table: CurrentTable, layout: Layout, anchor: Anchor) -> FloatArray:
    """Entries of Kirchhoff's law and of the flows, in the order of the table's first rows, shape (4, n).

    Currents are conjugated and multiplied by the scale of their node; a flow's row is divided by its largest
    entry, as a switch would put ten orders of magnitude beside one. See `_real_parts` for the first axis.
    """
    row, column, _ = table.balance
    at = np.append(anchor.scale, anchor.scale[layout.spanning.flow_node])
    return _scaled(row, column, table.balanced(anchor.state.admittance), at, 1.0 / at, table.n_node)


@compiled
def _scaled(
    row: IntArray,
    column: IntArray,
    value: ComplexArray,
    at: ComplexArray,
    inverse: ComplexArray,
    n_node: int,
) -> FloatArray:
    """Real entries of the table's, in units of the problem: conjugate in voltages and linear in flows."""
    found, square = np.empty((4, len(value))), np.zeros(len(at))
    for e in range(len(value)):
        entry = np.conj(value[e]) * at[row[e]]
        if column[e] < n_node:
            entry *= np.conj(at[column[e]]) * (VOLTAGE_UNIT / VA_PER_UNIT)
        else:
            entry *= inverse[column[e]]
        found[0, e], found[2, e] = entry.real, entry.imag
        square[row[e]] = max(square[row[e]], entry.real**2 + entry.imag**2)
    square[:n_node] = 1.0
    shrink = 1.0 / np.sqrt(square)
    for e in range(len(value)):
        turn, by = 1.0 if column[e] < n_node else -1.0, shrink[row[e]]
        real, imaginary = found[0, e] * by, found[2, e] * by
        found[0, e], found[1, e], found[2, e], found[3, e] = real, turn * imaginary, imaginary, -turn * real
    return found


def leg_entries(legs: Legs, anchor: Anchor) -> FloatArray:
    """Entries of the legs in the order aa, ab, ba, bb of row and column; first axis as of `table_entries`."""
    scale, unit = np.append(anchor.scale, 0.0), VOLTAGE_UNIT / VA_PER_UNIT
    ends = np.stack([scale[legs.node], -scale[legs.other]])
    return _real_parts(unit * anchor.legs.linear, unit * anchor.legs.conjugate, ends)


@compiled
def _real_parts(linear: ComplexArray, conjugate: ComplexArray, ends: ComplexArray) -> FloatArray:
    """Real entries behind ``row += linear * x + conjugate * conj(x)``, at both ends of both.

    They are those of real rows in real and in imaginary parts of x, then those of imaginary rows.
    """
    n = len(linear)
    found = np.empty((4, 4 * n))
    for pair in range(4):
        for leg in range(n):
            row, column, e = ends[pair // 2, leg], ends[pair % 2, leg], pair * n + leg
            one, other = row * linear[leg] * column, row * conjugate[leg] * np.conj(column)
            found[0, e], found[1, e] = one.real + other.real, other.imag - one.imag
            found[2, e], found[3, e] = one.imag + other.imag, one.real - other.real
    return found


def leg_rows(legs: Legs, anchor: Anchor, power: ComplexArray, which: np.ndarray) -> ComplexArray:
    """Entries in both nodes' rows of legs that draw `power` [units of the problem], shape (2, n).

    Parameters
    ----------
    legs : Legs
        All legs.
    anchor : Anchor
        The state.
    power : ndarray, shape (n,)
        Complex power drawn across each leg.
    which : ndarray of int, shape (n,)
        The legs.
    """
    across = anchor.legs.across[which]
    there = across != 0
    current = np.where(there, power / np.where(there, across, 1.0), 0.0)
    scale = np.append(anchor.scale, 0.0)
    rows: ComplexArray = np.array([scale[legs.node[which]] * current, -scale[legs.other[which]] * current])
    return rows
