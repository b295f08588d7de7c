"""The market of any circuit, warm from interval to interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing, check_case
from dlmp_cosim.market.interior_point.fronts import Plan, plan_for
from dlmp_cosim.market.meeting.form import Form, Matter, Together
from dlmp_cosim.market.nodal.anchor import Anchor
from dlmp_cosim.market.nodal.layout import POWER_UNIT, VOLTAGE_UNIT, Layout
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.nodal.outcome import read_clearing
from dlmp_cosim.market.nodal.ratings import RATING_HEADROOM, growth
from dlmp_cosim.market.nodal.rehearsal import REHEARSALS, Cleared, Rehearsals
from dlmp_cosim.market.offers import Offer, WholesalePrice, accept_offers
from dlmp_cosim.market.pac.areas import partition
from dlmp_cosim.market.pac.clear import Effort, Warmth, with_effort
from dlmp_cosim.market.pac.negotiate import USUAL, Tuning
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.graph import ways_of
from dlmp_cosim.market.problem.prices import NetworkSolver, network_solver
from dlmp_cosim.market.problem.solution import Solution
from dlmp_cosim.market.settings import MarketSettings

if TYPE_CHECKING:
    from dlmp_cosim.market.central.nodal import CentralNodal, CentralSolution


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
        self._headroom = RATING_HEADROOM
        self._central: CentralNodal | None = None
        self._plan: Plan | None = None
        self.form: Form = Together()
        self.rehearsals = Rehearsals(network)

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Clear one interval around an AC state.

        Where an earlier prediction went astray, the clearing has been rehearsed (`market.nodal.rehearsal`).

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
        self._outgrow(growth(self.model.network, demand))
        self.rehearsals.fade()
        clearing = self._clear(state, demand, accepted, price)
        for _ in range(REHEARSALS):
            answer = self.rehearsals.answer(state, demand, clearing)
            if answer is None:
                break
            clearing = self._clear(answer, demand, accepted, price).after(clearing)
        return replace(clearing, refused=tuple(map(str, refused)), notes=self.form.notes)

    def _clear(
        self, state: AcState, demand: ComplexArray, accepted: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Clear once, anchored at a state."""
        self._watch(self.model.overlooked(state))
        reference = None
        if self.settings.method == "central":
            reference = self._reference().solve(state, demand, accepted, price)
            self._watch(np.setdiff1d(np.flatnonzero(reference.rating), self.model.layout.rated))
        anchor = self.model.anchor(state, demand, accepted)
        problem = self.model.problem(anchor, accepted, price)
        self._plan = plan_for(problem, self._plan)
        solver = network_solver(problem, self._plan.network)
        if reference is not None:
            solution, effort = central_terms(self.model, anchor, solver.problem, reference), Effort()
            return with_effort(read_clearing(self.model, anchor, solver, price, solution), effort)
        at = np.concatenate([anchor.power.real, anchor.power.imag]) / POWER_UNIT
        learned = self.rehearsals.learn(self.model.layout, anchor, solver, price, at)
        curved = self.rehearsals.curved(solver, at)
        solution, effort = self._negotiate(at, curved)
        if learned:
            effort = effort.swept(1, ways_of(curved.problem).sweep)
        clearing = with_effort(read_clearing(self.model, anchor, curved, price, solution), effort)
        worth, volts = partial(solver.worth, solution.limits), clearing.voltage_magnitude
        self.rehearsals.before = Cleared(anchor, worth, at, solution.resources, solution.limits, price, volts)
        return clearing

    def _negotiate(self, running: FloatArray, solver: NetworkSolver) -> tuple[Solution, Effort]:
        """Let the agents agree by the settings' method, wherever they are."""
        plan = self._plan if self.settings.method == "interior-point" else None
        matter = Matter(solver.problem, solver, self.area, plan, self.warmth, self.settings, self.tuning)
        solution, effort, self.warmth = self.form.agree(matter, running)
        return solution, effort

    def _outgrow(self, factor: float) -> None:
        """Take ratings in that a demand of so many times the listed one could reach."""
        if factor > self._headroom:
            self._headroom = factor
            self._watch(self.model.outgrown(factor))

    def _watch(self, conductors: IntArray) -> None:
        """Let more ratings take part from now on; what the last clearing left stays."""
        if not len(conductors):
            return
        before, self.model = self.model, self.model.watching(conductors)
        old, new, last = before.layout, self.model.layout, self.rehearsals.before
        if self.warmth is not None:
            limits = _moved(self.warmth.limits, old, new)
            self.warmth = replace(self.warmth, limits=limits, multipliers=None)
        if last is not None:
            self.rehearsals.before = replace(last, limits=_moved(last.limits, old, new))

    def _reference(self) -> CentralNodal:
        """Make the central statement once; its library takes a second to import, so only when asked for."""
        if self._central is None:
            from dlmp_cosim.market.central.nodal import CentralNodal

            self._central = CentralNodal(self.model.network, self.settings)
        return self._central


def _moved(limits: FloatArray, old: Layout, new: Layout) -> FloatArray:
    """Multipliers of one layout's limits where another has them, with more ratings."""
    moved, kept = np.zeros(new.n_state), new.n_state - len(new.rated)
    moved[:kept] = limits[:kept]
    moved[new.loading[np.searchsorted(new.rated, old.rated)]] = limits[old.loading]
    return moved


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
