"""The nodal market over a horizon: every interval it clears all steps and stands by the first.

The first step is anchored at the AC state, as a market of one interval is. Later steps are anchored at power
flows of the market's own network, at their own forecast and at what was last planned for them, so that they
take no round with the physics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing, check_case
from dlmp_cosim.market.horizon.coupling import Coupling, Timing, couple
from dlmp_cosim.market.horizon.outlook import Outlook, accept_ahead, offers_ahead
from dlmp_cosim.market.horizon.plan import read_plan, within_terms
from dlmp_cosim.market.horizon.problem import HorizonProblem, weighted
from dlmp_cosim.market.horizon.solve import Findings, HorizonSolver, findings_of
from dlmp_cosim.market.interior_point.fronts import plan_for
from dlmp_cosim.market.nodal.anchor import Anchor
from dlmp_cosim.market.nodal.layout import POWER_UNIT
from dlmp_cosim.market.nodal.market import NodalMarket, central_terms
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.nodal.outcome import read_clearing
from dlmp_cosim.market.nodal.power_flow import PowerFlow, set_points
from dlmp_cosim.market.offers import Offer, accept_offers
from dlmp_cosim.market.pac.clear import with_effort
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.prices import network_solver
from dlmp_cosim.market.problem.solution import Solution
from dlmp_cosim.market.problem.units import cost_unit
from dlmp_cosim.market.settings import MarketSettings

if TYPE_CHECKING:
    from dlmp_cosim.market.central.horizon import CentralCourse
    from dlmp_cosim.market.central.nodal import CentralSolution

MOVED_KW = 5.0
"""A step whose plan moved by more than this since its anchor is anchored again [kW]."""


@dataclass(frozen=True)
class _Later:
    """Later steps of one interval as they were anchored: outlook, offers and plan that they were made for."""

    outlook: Outlook
    offers: tuple[Offer, ...]
    dispatch: ComplexArray
    anchors: tuple[Anchor, ...]
    problems: tuple[AtomicProblem, ...]


class HorizonMarket(NodalMarket):
    """Clears one circuit over a horizon, again and again; each clearing starts from the last.

    Parameters
    ----------
    network : Network
        The circuit.
    settings : MarketSettings
        Method, limits and tolerances.
    """

    def __init__(self, network: Network, settings: MarketSettings) -> None:
        super().__init__(network, settings)
        self._flow = PowerFlow(network)
        self._later = _Later(Outlook(()), (), np.zeros((0, 0), dtype=np.complex128), (), ())
        self._first: tuple[AcState, ...] = ()
        self._planned: tuple[Outlook, ComplexArray] | None = None
        self._solver = HorizonSolver(settings)
        self._ahead = self._later_model()

    def clear_ahead(self, state: AcState, outlook: Outlook, offers: Sequence[Offer]) -> Clearing:
        """Clear all steps around an AC state of the first.

        A horizon of one step in which nobody speaks of time is the market of one interval, to the bit.

        Parameters
        ----------
        state : AcState
            Converged AC state, with the demand and injections it was solved for.
        outlook : Outlook
            What is expected; the first step is the interval as it is.
        offers : sequence of Offer
            Offers; those that cannot be cleared are left out and named in the record.

        Raises
        ------
        ClearingError
            When the state, a demand or a price has no finite numbers, or a power flow has no solution.
        """
        first = outlook.steps[0]
        for step in outlook.steps:
            check_case(state, step.demand, step.price)
        accepted, refused = accept_offers(self.model.network, offers)
        fitting, misfits = accept_ahead(accepted, outlook)
        if len(outlook.steps) == 1 and not any(o.ahead and o.ahead.couples for o in fitting):
            return self.clear(state, first.demand, offers, first.price)
        self._watch(self.model.overlooked(state))
        later = self._anchored(state, outlook, fitting)
        course: CentralCourse | None = None
        if self.settings.method == "central":
            course = self._solve_centrally(state, outlook, fitting, later)
            later = self._anchored(state, outlook, fitting)
        self._first = (state,)
        anchor = self.model.anchor(state, first.demand, fitting)
        horizon = self._horizon(outlook, fitting, anchor, later)
        anchors = (anchor, *later.anchors)
        if course is not None:
            per_hour = course.time_cost / float(outlook.hours[0]) / horizon.steps[0].cost_unit
            solutions = self._in_terms(horizon, anchors, outlook, course.steps)
            found = findings_of(horizon, solutions, per_hour)
        else:
            found = self._solver.solve(horizon, outlook)
        clearing = self._settle(outlook, fitting, horizon, anchors, found)
        return with_effort(clearing, found.effort, [*refused, *misfits])

    @property
    def anchors(self) -> tuple[AcState, ...]:
        """Where the steps of the last horizon were anchored."""
        return (*self._first, *(anchor.state for anchor in self._later.anchors))

    def _solve_centrally(
        self, state: AcState, outlook: Outlook, offers: Sequence[Offer], later: _Later
    ) -> CentralCourse:
        """Solve all steps by the central statement, and let ratings with a price take part from now on."""
        from dlmp_cosim.market.central.horizon import CentralHorizon

        network = self.model.network
        states = [state, *(anchor.state for anchor in later.anchors)]
        course = CentralHorizon(network, self.settings).solve(
            states, outlook, offers_ahead(network, offers, outlook)
        )
        priced = np.any([step.rating != 0 for step in course.steps], axis=0)
        self._watch(np.setdiff1d(np.flatnonzero(priced), self.model.layout.rated))
        return course

    def _in_terms(
        self,
        horizon: HorizonProblem,
        anchors: Sequence[Anchor],
        outlook: Outlook,
        steps: Sequence[CentralSolution],
    ) -> list[Solution]:
        """State central solutions in the terms of the steps' problems."""
        weights = (outlook.hours / outlook.hours[0]).tolist()
        found = []
        for problem, anchor, step, weight in zip(horizon.steps, anchors, steps, weights, strict=True):
            own = central_terms(self.model, anchor, problem, step)
            found.append(Solution(own.resources, own.limits * weight))
        return found

    def _horizon(
        self, outlook: Outlook, offers: Sequence[Offer], anchor: Anchor, later: _Later
    ) -> HorizonProblem:
        """State all steps and what ties them."""
        first = outlook.steps[0]
        unit = cost_unit(first.price, POWER_UNIT)
        steps = [self.model.problem(anchor, _without_shift(offers), first.price), *later.problems]
        hours = outlook.hours
        problems = tuple(weighted(p, h / hours[0], unit) for p, h in zip(steps, hours.tolist(), strict=True))
        timing = Timing(hours, POWER_UNIT / 1e3 / unit / float(hours[0]), outlook.mean_lmp)
        couplings = _couplings(self.model.network, offers, outlook, timing)
        power = self.model.layout.resource[0][[c.resource for c in couplings]].astype(np.int64)
        return HorizonProblem(problems, couplings, power)

    def _anchored(self, state: AcState, outlook: Outlook, offers: Sequence[Offer]) -> _Later:
        """Anchor the later steps, or keep them where the interval's last clearing did and nothing moved."""
        dispatch = self._expected(outlook)
        if self._kept(outlook, offers, dispatch):
            return self._later
        network, steps = self.model.network, outlook.steps[1:]
        points = [
            set_points(network, step.demand, power) for step, power in zip(steps, dispatch, strict=True)
        ]
        states = self._flow.solve(state, [p[0] for p in points], [p[1] for p in points]) if steps else []
        for found in states:
            self._watch(self.model.overlooked(found))
        if self._ahead.layout.n != self.model.layout.n or self.settings.later is self.settings:
            self._ahead = self._later_model()
        by_step = offers_ahead(network, offers, outlook)[1:]
        anchors = tuple(
            self.model.anchor(found, step.demand, mine)
            for found, step, mine in zip(states, steps, by_step, strict=True)
        )
        problems = tuple(
            self._ahead.problem(anchor, _without_shift(mine), step.price)
            for anchor, mine, step in zip(anchors, by_step, steps, strict=True)
        )
        self._later = _Later(outlook, tuple(offers), dispatch, anchors, problems)
        return self._later

    def _later_model(self) -> NodalModel:
        """Model of the later steps: of the same layout, with limits of their own."""
        if self.settings.later is self.settings:
            return self.model
        return NodalModel(self.model.network, self.settings.later, self.model.layout.rated.tolist())

    def _kept(self, outlook: Outlook, offers: Sequence[Offer], dispatch: ComplexArray) -> bool:
        """Whether the later steps stand as they were last anchored."""
        kept = self._later
        if kept.outlook is not outlook or kept.offers != tuple(offers):
            return False
        still = float(np.abs(dispatch - kept.dispatch).max(initial=0.0)) <= MOVED_KW
        return still and all(len(p.linear) == self.model.layout.n for p in kept.problems)

    def _expected(self, outlook: Outlook) -> ComplexArray:
        """Look up what the last clearing planned for each later step, shape (n_step - 1, n_resource)."""
        count, n = len(outlook.steps) - 1, len(self.model.network.resources)
        expected = np.zeros((count, n), dtype=np.complex128)
        if self._planned is not None:
            before, dispatch = self._planned
            for k, step in enumerate(outlook.steps[1:]):
                expected[k] = dispatch[before.step_at(step.span.first)]
        return expected

    def _settle(
        self,
        outlook: Outlook,
        offers: Sequence[Offer],
        horizon: HorizonProblem,
        anchors: Sequence[Anchor],
        found: Findings,
    ) -> Clearing:
        """Read the first step as a clearing, and all steps as a plan."""
        problem, price = horizon.steps[0], outlook.steps[0].price
        self._plan = plan_for(problem, self._plan)
        solver = network_solver(problem, self._plan.network)
        hours = float(outlook.hours[0])
        resources = within_terms(self.model, offers, found.first.resources, hours)
        solution = Solution(resources, found.first.limits)
        clearing = read_clearing(self.model, anchors[0], solver, price, solution)
        plan = read_plan(self.model, outlook, offers, horizon, anchors, found)
        self._planned = (outlook, np.array([step.dispatch for step in plan.steps]))
        cost = clearing.cost + _shifted_cost(self.model.network, offers, clearing)
        return replace(clearing, plan=plan, cost=cost)


def _shifted_cost(network: Network, offers: Sequence[Offer], clearing: Clearing) -> float:
    """Cost of what is curtailed to come back, which the couplings carry [$/h]."""
    at = {name: k for k, name in enumerate(network.resource_ids)}
    cost = 0.0
    for offer in offers:
        kw = float(clearing.dispatch[at[offer.resource]].real)
        if offer.ahead is not None and offer.ahead.rebound is not None and kw > 0:
            cost += (offer.cost_linear * kw + offer.cost_quadratic * kw**2 / 2) / 1e3
    return cost


def _without_shift(offers: Sequence[Offer]) -> list[Offer]:
    """Take the cost of curtailing off loads whose couplings carry it."""
    return [
        replace(offer, cost_linear=0.0, cost_quadratic=0.0)
        if offer.ahead is not None and offer.ahead.rebound is not None
        else offer
        for offer in offers
    ]


def _couplings(
    network: Network, offers: Sequence[Offer], outlook: Outlook, timing: Timing
) -> tuple[Coupling, ...]:
    """State what every coupled offer says of time, in the order of the network's resources."""
    place = {name: k for k, name in enumerate(network.resource_ids)}
    coupled = [offer for offer in offers if offer.ahead is not None and offer.ahead.couples]
    coupled.sort(key=lambda offer: place[offer.resource])
    by_step = offers_ahead(network, coupled, outlook)
    return tuple(
        couple(place[offer.resource], [step[k] for step in by_step], timing)
        for k, offer in enumerate(coupled)
    )
