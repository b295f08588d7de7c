"""The market of any circuit, warm from interval to interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from feeders.network import ComplexArray, IntArray, Network
from feeders.state import AcState
from market.clearing import Clearing, check_case
from market.interior_point.clear import negotiate_sweeps
from market.interior_point.fronts import Plan, plan_for
from market.nodal.anchor import Anchor
from market.nodal.layout import POWER_UNIT, VOLTAGE_UNIT
from market.nodal.model import NodalModel
from market.nodal.outcome import read_clearing
from market.offers import Offer, WholesalePrice, accept_offers
from market.pac.areas import partition
from market.pac.clear import Effort, Warmth, begin, negotiate_areas, negotiate_buses, with_effort
from market.pac.negotiate import USUAL, Tuning
from market.problem.atoms import AtomicProblem
from market.problem.prices import NetworkSolver, network_solver
from market.problem.solution import Solution
from market.settings import MarketSettings

if TYPE_CHECKING:
    from market.central.nodal import CentralNodal, CentralSolution


class NodalMarket:
    """Clears one circuit again and again; each clearing starts from the last.

    Parameters
    ----------
    network : Network
        The circuit.
    settings : MarketSettings
        Method, limits and tolerances.
    tuning : Tuning, optional
        How agents negotiate, for studies of that.
    """

    def __init__(self, network: Network, settings: MarketSettings, tuning: Tuning = USUAL) -> None:
        self.settings, self.tuning = settings, tuning
        self.model = NodalModel(network, settings)
        parent = self.model.layout.spanning.parent
        self.area = partition(parent, settings.agents or len(parent))
        self.warmth: Warmth | None = None
        self._central: CentralNodal | None = None
        self._plan: Plan | None = None

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Clear one interval around an AC state.

        Parameters
        ----------
        state : AcState
            Converged AC state, with the demand and injections it was solved for.
        demand : ndarray, shape (n_load,)
            Nominal demand of the interval before curtailment [kVA].
        offers : sequence of Offer
            Offers; those that cannot be cleared are left out and named in the record.
        price : WholesalePrice
            LMP at the head.

        Raises
        ------
        ClearingError
            When the state, the demand or the price has no finite numbers.
        """
        check_case(state, demand, price)
        accepted, refused = accept_offers(self.model.network, offers)
        self._watch(self.model.overlooked(state))
        reference = None
        if self.settings.method == "central":
            reference = self._reference().solve(state, demand, accepted, price)
            self._watch(np.setdiff1d(np.flatnonzero(reference.rating), self.model.layout.rated))
        anchor = self.model.anchor(state, demand, accepted)
        problem = self.model.problem(anchor, accepted, price)
        solver = network_solver(problem)
        if reference is not None:
            solution, effort = central_terms(self.model, anchor, problem, reference), Effort()
        else:
            solution, effort = self._negotiate(problem, solver)
        clearing = read_clearing(self.model, anchor, solver, price, solution)
        return with_effort(clearing, effort, refused)

    def _negotiate(self, problem: AtomicProblem, solver: NetworkSolver) -> tuple[Solution, Effort]:
        """Let the agents agree by the settings' method."""
        if self.settings.method == "interior-point":
            self._plan = plan_for(problem, self._plan)
            solution, effort, self.warmth = negotiate_sweeps(problem, self._plan, self.warmth, self.settings)
            return solution, effort
        start = begin(problem, solver, self.warmth)
        if self.settings.method == "pac-accelerated" and self.settings.agents:
            solution, effort, weight = negotiate_areas(
                problem, solver, self.area, start, self.settings, self.tuning
            )
        else:
            solution, effort, weight = negotiate_buses(problem, solver, start, self.settings, self.tuning)
        self.warmth = Warmth(solution.resources, solution.limits * problem.cost_unit, weight)
        return solution, effort

    def _watch(self, conductors: IntArray) -> None:
        """Let more ratings take part from now on; what the last clearing left stays."""
        if not len(conductors):
            return
        before, self.model = self.model, self.model.watching(conductors)
        if self.warmth is not None:
            old, new = before.layout, self.model.layout
            limits = np.zeros(new.n_state)
            kept = new.n_state - len(new.rated)
            limits[:kept] = self.warmth.limits[:kept]
            limits[new.loading[np.searchsorted(new.rated, old.rated)]] = self.warmth.limits[old.loading]
            self.warmth = replace(self.warmth, limits=limits, multipliers=None)

    def _reference(self) -> CentralNodal:
        """Make the central statement once; its library takes a second to import, so only when asked for."""
        if self._central is None:
            from market.central.nodal import CentralNodal

            self._central = CentralNodal(self.model.network, self.settings)
        return self._central


def central_terms(
    model: NodalModel, anchor: Anchor, problem: AtomicProblem, reference: CentralSolution
) -> Solution:
    """State the central solution in the terms of an atomic problem.

    Parameters
    ----------
    model : NodalModel
        Model that watches every rating with a price.
    anchor : Anchor
        The AC state of both.
    problem : AtomicProblem
        The problem there.
    reference : CentralSolution
        Dispatch, and multipliers of limits in their own units.
    """
    layout, points = model.layout, model.layout.points
    limits = np.zeros(layout.n_state)
    rating = model.network.conductor_rating[layout.rated] * model.settings.rating_scale
    limits[layout.loading] = reference.rating[layout.rated] * rating
    across = anchor.volts[points.first] - anchor.volts[points.second]
    variable = np.concatenate([layout.voltage[0][points.node], layout.across])
    size = np.abs(np.concatenate([anchor.volts[points.node], across]))
    where = np.concatenate([points.to_ground, points.between])
    per_unit = size / points.base_v[where] * VOLTAGE_UNIT
    np.add.at(limits, variable, reference.voltage[where] * per_unit)
    free = reference.dispatch - 1j * anchor.ratio * reference.dispatch.real
    resources = np.concatenate([free.real, free.imag]) / POWER_UNIT
    return Solution(resources, limits / problem.cost_unit)
