"""What a market does after a prediction that was far off: it learns curvature, and rehearses.

First derivatives do not say how losses and limits curve. Where powers are large for the transformer that they
pass, resources whose cost is nearly flat then jump between distant dispatches, round after round. So once
physics was farther than `ASTRAY` from a prediction, or hardly nearer than the round before, the market

* learns what its steps met: how much each resource's marginal cost has changed from one anchor to the next,
  under the same prices of limits, for each unit that it moved. That is a quasi-Newton method with a diagonal
  (Zhu, Nazareth and Wolkowicz, SIAM Journal on Optimization 9, 1999), which neighbours can keep to
  themselves; a negative curvature counts by its size, so that no step gets longer by it.
* tries every clearing on the power flow of its own network, and clears again at its answer, before it asks
  the feeder.

The curvature is centred at the anchor: it costs nothing there, and where market and physics agree prices are
what they are without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.nodal.anchor import Anchor
from dlmp_cosim.market.nodal.layout import Layout
from dlmp_cosim.market.nodal.power_flow import PowerFlow, set_points
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.problem.prices import NetworkSolver

ASTRAY = 0.02
"""Error of a predicted voltage that first derivatives will not mend [pu]."""
STUCK = 1e-3
"""Error that is one too many when the round before was less than twice as far off [pu]."""
REHEARSALS = 12
"""Clearings of a round that are tried without the feeder."""
REHEARSED_PU, REHEARSED_KW = 2e-5, 0.02
"""Difference between a prediction and the market's own power flow that is not rehearsed further."""
FADES = 0.5
"""What is left of a learned curvature at the next round."""
MOVED, SAME = 1e-4, 1e-6
"""Step from which on a curvature is told, and below which powers are the same [100 kW]."""


@dataclass(frozen=True)
class Cleared:
    """A clearing that the next anchor may be the answer to.

    Attributes
    ----------
    anchor : Anchor
        Where it was anchored.
    worth : callable
        Finds the value of a unit of every resource variable there under the prices of its limits, shape
        (n_resource_variable,).
    at, powers : ndarray, shape (n_resource_variable,)
        Resource variables at the anchor, and as they were cleared.
    limits : ndarray, shape (n_state,)
        Multipliers of its limits, in units of the problem.
    price : WholesalePrice
        Price at the head.
    voltage : ndarray, shape (n_node,)
        Predicted magnitudes [pu].
    """

    anchor: Anchor
    worth: Callable[[], FloatArray]
    at: FloatArray
    powers: FloatArray
    limits: FloatArray
    price: WholesalePrice
    voltage: FloatArray


class Rehearsals:
    """Keeps what was learned of a feeder's curvature, and the market's own power flow of it.

    Parameters
    ----------
    network : Network
        The circuit.

    Attributes
    ----------
    curvature : ndarray, shape (n_resource_variable,), optional
        Curvature in every resource variable; None as long as no prediction went astray.
    before : Cleared, optional
        The last clearing.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._flow: PowerFlow | None = None
        self.curvature: FloatArray | None = None
        self.before: Cleared | None = None
        self._missed = np.inf

    def fade(self) -> None:
        """Trust what was learned earlier less: it was learned elsewhere."""
        if self.curvature is not None:
            self.curvature = FADES * self.curvature

    def learn(
        self, layout: Layout, anchor: Anchor, solver: NetworkSolver, price: WholesalePrice, at: FloatArray
    ) -> bool:
        """Learn from the last clearing, where the anchor is the answer to it: whether there was anything.

        Parameters
        ----------
        layout : Layout
            Positions of the problem.
        anchor : Anchor
            The AC state that is cleared at.
        solver : NetworkSolver
            The network there.
        price : WholesalePrice
            Price at the head.
        at : ndarray, shape (n_resource_variable,)
            Resource variables there.
        """
        before, last = self.before, self._missed
        if before is None or not _answers(before, anchor, price, at):
            self._missed = np.inf
            return False
        self._missed = missed = float(np.abs(np.abs(anchor.state.voltage) - before.voltage).max())
        if self.curvature is None and missed <= max(STUCK, min(ASTRAY, last / 2)):
            return False
        limits = before.limits * _sizes(layout, anchor) / _sizes(layout, before.anchor)
        changed = solver.worth(limits) - before.worth()
        step = at - before.at
        moved = np.abs(step) > MOVED
        found = np.where(moved, np.abs(changed) / np.where(moved, np.abs(step), 1.0), 0.0)
        self.curvature = found if self.curvature is None else np.maximum(self.curvature, found)
        return True

    def curved(self, solver: NetworkSolver, at: FloatArray) -> NetworkSolver:
        """State the problem with what was learned, centred where resources run.

        Parameters
        ----------
        solver : NetworkSolver
            The problem and its factorised network.
        at : ndarray, shape (n_resource_variable,)
            Resource variables at the anchor.
        """
        if self.curvature is None:
            return solver
        problem, n = solver.problem, solver.problem.n_state
        more = np.maximum(self.curvature - problem.quadratic[n:], 0.0)
        quadratic, linear = problem.quadratic.copy(), problem.linear.copy()
        quadratic[n:] += more
        linear[n:] -= more * at
        offset = problem.offset + float(more @ at**2) / 2
        return replace(solver, problem=replace(problem, quadratic=quadratic, linear=linear, offset=offset))

    def answer(self, state: AcState, demand: ComplexArray, clearing: Clearing) -> AcState | None:
        """Answer a clearing by the market's own power flow; None where there is no need to clear again.

        Parameters
        ----------
        state : AcState
            Where it was cleared: controls stand as they stood there.
        demand : ndarray, shape (n_load,)
            Nominal demand before curtailment [kVA].
        clearing : Clearing
            What is tried.
        """
        if self.curvature is None:
            return None
        if self._flow is None:
            self._flow = PowerFlow(self._network)
        left, injection = set_points(self._network, demand, clearing.dispatch)
        try:
            (found,) = self._flow.solve(state, [left], [injection])
        except ClearingError:
            return None
        missed = np.abs(np.abs(found.voltage) - clearing.voltage_magnitude).max()
        head = abs(float(found.head.real.sum() - clearing.head.real.sum()))
        return None if missed <= REHEARSED_PU and head <= REHEARSED_KW else found


def _answers(before: Cleared, anchor: Anchor, price: WholesalePrice, at: FloatArray) -> bool:
    """Whether an anchor is what came of a clearing, with nothing else changed."""
    return (
        before.price == price
        and bool(np.array_equal(before.anchor.demand, anchor.demand))
        and float(np.abs(at - before.powers).max(initial=0.0)) < SAME
    )


def _sizes(layout: Layout, anchor: Anchor) -> FloatArray:
    """Say what every network variable is relative to, shape (n_state,): voltages where they are [V]."""
    points, sizes = layout.points, np.ones(layout.n_state)
    sizes[layout.voltage[0]] = np.abs(anchor.scale)
    across = np.abs(anchor.volts[points.first] - anchor.volts[points.second])
    sizes[layout.across] = np.where(across > 0, across, points.base_v[points.between])
    return sizes
