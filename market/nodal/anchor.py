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


@dataclass(frozen=True)
class Entries:
    """Complex entries of rows in columns: ``row += linear * x + conjugate * conj(x)``."""

    linear: ComplexArray
    conjugate: ComplexArray


def table_entries(table: CurrentTable, layout: Layout, anchor: Anchor) -> Entries:
    """Entries of Kirchhoff's law and of the flows, in the order of the table's first rows.

    Currents are conjugated and multiplied by the scale of their node; a flow's row is divided by its largest
    entry, as a switch would put ten orders of magnitude beside one.
    """
    row, column, mine = table.balance
    at = np.append(anchor.scale, anchor.scale[layout.spanning.flow_node])
    return Entries(*_scaled(row, column, table.values(anchor.state.admittance)[mine], at, table.n_node))


@compiled
def _scaled(
    row: IntArray, column: IntArray, value: ComplexArray, at: ComplexArray, n_node: int
) -> tuple[ComplexArray, ComplexArray]:
    """Linear and conjugate parts of the table's entries, in units of the problem."""
    linear, conjugate = np.zeros_like(value), np.zeros_like(value)
    square = np.zeros(len(at))
    for e in range(len(value)):
        entry = np.conj(value[e]) * at[row[e]]
        if column[e] < n_node:
            conjugate[e] = entry * np.conj(at[column[e]]) * (VOLTAGE_UNIT / VA_PER_UNIT)
        else:
            linear[e] = entry / at[column[e]]
        either = linear[e] + conjugate[e]
        square[row[e]] = max(square[row[e]], either.real**2 + either.imag**2)
    square[:n_node] = 1.0
    size = np.sqrt(square)
    for e in range(len(value)):
        linear[e] /= size[row[e]]
        conjugate[e] /= size[row[e]]
    return linear, conjugate


def leg_entries(legs: Legs, anchor: Anchor) -> Entries:
    """Entries of the legs: their nodes' rows in their nodes' voltages (aa, ab, ba, bb)."""
    slopes = anchor.legs
    scale = np.append(anchor.scale, 0.0)
    first, second = scale[legs.node], -scale[legs.other]
    pairs = ((first, first), (first, second), (second, first), (second, second))
    unit = VOLTAGE_UNIT / VA_PER_UNIT
    linear: ComplexArray = np.concatenate([r * slopes.linear * c for r, c in pairs])
    conjugate: ComplexArray = np.concatenate([r * slopes.conjugate * np.conj(c) for r, c in pairs])
    linear *= unit
    conjugate *= unit
    return Entries(linear, conjugate)


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
