"""A study's day without HELICS: prices, offers and AC states in order, for verification and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.federates.anchoring.demand import apply_dispatch, nominal_demand
from dlmp_cosim.federates.assets import make_offers
from dlmp_cosim.federates.feeder import open_engine
from dlmp_cosim.federates.study.emissions import own_cost, with_carbon
from dlmp_cosim.federates.study.series import load_series
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.engine import AcEngine
from dlmp_cosim.feeders.errors import FeederError
from dlmp_cosim.feeders.network import ComplexArray
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.offers import Offer, WholesalePrice


@dataclass(frozen=True)
class Case:
    """What is known when an interval is cleared.

    Attributes
    ----------
    interval : int
        Which one.
    price : WholesalePrice
        LMP at the head.
    demand : ndarray, shape (n_load,)
        Nominal demand before curtailment [kVA].
    offers : tuple of Offer
        Offers of the asset table.
    """

    interval: int
    price: WholesalePrice
    demand: ComplexArray
    offers: tuple[Offer, ...]


class Day:
    """A study's intervals, and the feeder that answers them.

    Parameters
    ----------
    study : Study
        The study.
    """

    def __init__(self, study: Study) -> None:
        self.network = study.network
        self._engine: AcEngine = open_engine(study)
        self._series = load_series(study)
        self._load_scale = study.scenario.feeder.load_scale
        self._reactive_price = study.scenario.wholesale.reactive_price
        self._resources = {resource.name: resource for resource in study.network.resources}
        self._own_carbon = own_cost(study.scenario.emissions)
        self._terms = [(self._resources[terms.resource], terms) for terms in study.terms]
        self.intervals = study.clock.intervals

    def case(self, interval: int) -> Case:
        """Prices, demand and offers of one interval."""
        series = self._series
        price = WholesalePrice(
            lmp=float(series.lmp[interval]),
            energy=float(series.energy[interval]),
            congestion=float(series.congestion[interval]),
            loss=float(series.loss[interval]),
            reactive=self._reactive_price,
        )
        demand = nominal_demand(
            self.network, interval, float(series.demand_ratio[interval]), self._load_scale
        )
        offers = with_carbon(make_offers(self._terms, self.network, demand), self._own_carbon)
        return Case(interval, price, demand, offers)

    def answer(self, case: Case, dispatch: ComplexArray, *, controls: bool) -> AcState:
        """Solve the AC power flow of a dispatch.

        Parameters
        ----------
        case : Case
            The interval.
        dispatch : ndarray, shape (n_resource,)
            Complex power of every resource, positive towards the grid [kVA].
        controls : bool
            Whether the circuit's controls may act.

        Raises
        ------
        FeederError
            When it does not converge.
        """
        points = apply_dispatch(self.network, case.demand, dispatch, held=True)
        state = self._engine.solve(points.demand, points.injection, controls=controls)
        if not state.converged:
            raise FeederError(f"the power flow of interval {case.interval} did not converge")
        return state

    def forecasts(self, dispatches: list[ComplexArray], every: int = 1) -> Iterator[tuple[Case, AcState]]:
        """Yield every interval with its forecast state, solved with the last dispatch in `dispatches`.

        The caller appends the dispatch of each interval before it asks for the next.

        Parameters
        ----------
        dispatches : list of ndarray, shape (n_resource,) each
            Dispatches so far [kVA]; while it is empty nothing runs.
        every : int
            Intervals from one that is yielded to the next.
        """
        for interval in range(0, self.intervals, every):
            case = self.case(interval)
            nothing = np.zeros(len(self.network.resources), dtype=np.complex128)
            yield case, self.answer(case, dispatches[-1] if dispatches else nothing, controls=True)
