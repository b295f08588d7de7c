"""The rows of the nodal problem: a fixed sparsity pattern, filled at every anchor without a loop."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.network import FloatArray, IntArray, Network
from dlmp_cosim.market.nodal.anchor import (
    VA_PER_UNIT,
    Anchor,
    leg_entries,
    leg_rows,
    table_entries,
)
from dlmp_cosim.market.nodal.layout import POWER_UNIT, VOLTAGE_UNIT, Layout
from dlmp_cosim.market.nodal.legs import Legs
from dlmp_cosim.market.nodal.table import CurrentTable
from dlmp_cosim.market.problem.pattern import Pattern, pattern

OUTSIDE = -1
"""Place of ground, which has no row and no column."""


class NetworkRows:
    """Fills the rows of one layout.

    Parameters
    ----------
    network : Network
        The circuit.
    layout : Layout
        Positions.
    table : CurrentTable
        Currents over voltages and flows.
    legs : Legs
        What draws and injects.
    rating_scale : float
        Factor on every rating.
    """

    def __init__(
        self, network: Network, layout: Layout, table: CurrentTable, legs: Legs, rating_scale: float
    ) -> None:
        self._layout, self._table, self._legs = layout, table, legs
        self._rating = rating_scale * network.conductor_rating[layout.rated]
        first = table.n_node + table.n_flow
        place = np.full(table.n_conductor, OUTSIDE)
        place[layout.rated] = np.arange(len(layout.rated))
        mine = np.flatnonzero(table.row >= first)
        self._loaded = mine[place[table.row[mine] - first] >= 0]
        self._loading_row = place[table.row[self._loaded] - first]
        column = table.column[self._loaded]
        of_voltage = column < table.n_node
        self._loading_column, self._turn = column, np.where(of_voltage, 1.0, -1.0)
        self._loading_unit = np.where(of_voltage, VOLTAGE_UNIT, VA_PER_UNIT)
        self._pattern = self._lay()

    def matrix(self, anchor: Anchor) -> sp.csr_matrix:
        """Rows at an anchor, shape (n_state, n)."""
        return self._pattern.matrix(
            {
                "table": table_entries(self._table, self._layout, anchor).ravel(),
                "legs": leg_entries(self._legs, anchor).ravel(),
                "resources": self._resources(anchor),
                "across": self._across(anchor),
                "loading": self._loading(anchor),
                "own": 1.0,
            }
        )

    def right_hand_side(self, anchor: Anchor) -> FloatArray:
        """Demand that the anchor did not serve, its injections and its loadings, shape (n_state,)."""
        legs, layout = self._legs, self._layout
        unserved = legs.set_point(anchor.legs, anchor.demand - anchor.state.demand) / POWER_UNIT
        given = -legs.injections.power(anchor.state.injection) / POWER_UNIT
        power = np.concatenate([-unserved, given])
        which = np.arange(len(power))
        at = np.stack([legs.node[which], legs.other[which]])
        total = np.zeros(self._table.n_node + 1, dtype=np.complex128)
        np.add.at(total, at, leg_rows(legs, anchor, power, which))
        rhs = np.zeros(layout.n_state)
        rhs[layout.voltage[0]], rhs[layout.voltage[1]] = total[:-1].real, total[:-1].imag
        rhs[layout.loading] = np.abs(anchor.current[layout.rated]) / self._rating
        return rhs

    def _lay(self) -> Pattern:
        """Name the blocks that `matrix` fills."""
        layout, table, legs = self._layout, self._table, self._legs
        places = np.hstack([layout.voltage, layout.flow])
        grounded = np.hstack([layout.voltage, np.full((2, 1), OUTSIDE)])
        row, column, _ = table.balance
        ends = (legs.node, legs.other)
        leg_row = np.concatenate([row for row in ends for _ in ends])
        leg_column = np.concatenate([column for _ in ends for column in ends])
        r, at = legs.resource, np.concatenate([end[legs.resource_leg] for end in ends])
        owner = np.tile(r, 2)
        points, loaded = layout.points, self._loaded
        columns = places[:, table.column[loaded]]
        blocks = {
            "table": _real_places(places[:, row], places[:, column]),
            "legs": _real_places(grounded[:, leg_row], grounded[:, leg_column]),
            "resources": _real_places(grounded[:, at], layout.resource[:, owner]),
            "across": (
                np.tile(layout.across, 4),
                np.concatenate([*layout.voltage[:, points.first], *layout.voltage[:, points.second]]),
            ),
            "loading": (np.tile(layout.loading[self._loading_row], 2), columns.ravel()),
            "own": (np.concatenate([layout.across, layout.loading]),) * 2,
        }
        return pattern(blocks, (layout.n_state, layout.n))

    def _resources(self, anchor: Anchor) -> FloatArray:
        """Real and reactive rows of each resource's nodes in its real and in its reactive power."""
        legs = self._legs
        real, reactive = legs.resource_slopes(anchor.legs)
        along = real + anchor.ratio[legs.resource] * reactive
        p, q = (leg_rows(legs, anchor, power, legs.resource_leg).ravel() for power in (along, reactive))
        return np.concatenate([p.real, q.real, p.imag, q.imag])

    def _across(self, anchor: Anchor) -> FloatArray:
        """Relative change of the voltages between nodes, less what its nodes do to it."""
        points = self._layout.points
        across = anchor.volts[points.first] - anchor.volts[points.second]
        per_volt = np.conj(across) / np.maximum(np.abs(across), 1.0) ** 2
        first, second = -per_volt * anchor.scale[points.first], per_volt * anchor.scale[points.second]
        return np.concatenate([first.real, -first.imag, second.real, -second.imag])

    def _loading(self, anchor: Anchor) -> FloatArray:
        """State a loading less what voltages and flows do to it: ``d|I| = Re(conj(I) dI) / |I|``."""
        layout, current = self._layout, anchor.current[self._layout.rated]
        value = self._table.values(anchor.state.admittance)[self._loaded]
        size = np.abs(current)
        along = np.conj(current) / np.where(size > 0, size, 1.0) / self._rating
        at = np.append(anchor.scale, np.conj(1 / anchor.scale[layout.spanning.flow_node]))
        change = along[self._loading_row] * value * at[self._loading_column] * self._loading_unit
        return np.concatenate([-change.real, self._turn * change.imag])


def _real_places(rows: IntArray, columns: IntArray) -> tuple[IntArray, IntArray]:
    """Places of the four real entries behind each complex one; ground has none."""
    pairs = [(row, column) for row in rows for column in columns]
    return np.concatenate([row for row, _ in pairs]), np.concatenate([column for _, column in pairs])
