"""How far negotiated clearings of a day are from the central reference of the same market."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from rich.progress import Progress

from dlmp_cosim.feeders.network import ComplexArray, Network
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.models import Reference, ReferenceAnswer, RetailMarket, find_model, find_reference
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.judge.walk import Day

COST_GAP, PRICE_GAP = 1e-4, 0.1
"""Gaps that pass: relative cost, and real d-LMP [$/MWh]."""
EXACT_PU = 1e-3
"""A cone relaxation with a larger slack is not exact, and its optimum no reference."""


@dataclass(frozen=True)
class Gaps:
    """Negotiation against the reference over a day; field names are those of ``dlmp verify --json``.

    Attributes
    ----------
    intervals : int
        Intervals cleared both ways.
    inexact : int
        Of these, intervals whose cone relaxation is not exact: left out of the gaps.
    inexact_cost_gap_max : float
        In those, how far the negotiated cost is above the relaxed optimum, which is only a lower bound.
    binding : int
        Intervals in which a limit has a price; in all others agents have little to negotiate.
    cost_gap_max : float
        Largest relative difference in cost.
    dlmp_gap_max : float
        Largest difference of a real d-LMP [$/MWh].
    dispatch_gap_max_kw : float
        Largest difference of an award [kW].
    exactness_gap_max : float
        Largest slack of the reference's cones [pu].
    rounds_cold : int
        Most rounds of a clearing that starts from nothing.
    rounds_warm_median, rounds_warm_max : float
        Rounds of clearings that start at the last interval's.
    rounds_binding_median : float
        The same over the intervals in which a limit has a price.
    not_converged : int
        Clearings that missed their tolerance.
    """

    intervals: int
    inexact: int
    inexact_cost_gap_max: float
    binding: int
    cost_gap_max: float
    dlmp_gap_max: float
    dispatch_gap_max_kw: float
    exactness_gap_max: float
    rounds_cold: int
    rounds_warm_median: float
    rounds_warm_max: int
    rounds_binding_median: float
    not_converged: int

    @property
    def passed(self) -> bool:
        """Whether cost and prices are within what passes, and every clearing converged."""
        return self.cost_gap_max <= COST_GAP and self.dlmp_gap_max <= PRICE_GAP and not self.not_converged


def make_market(network: Network, settings: MarketSettings) -> RetailMarket:
    """Make the market of the settings' model.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Model, method and tolerances.

    Raises
    ------
    InputError
        When there is no such model.
    """
    return find_model(settings.model, where="market.model")(network, settings)


def make_reference(network: Network, settings: MarketSettings) -> Reference:
    """Make the central reference of the settings' model.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Model, limits and penalties.

    Raises
    ------
    InputError
        When there is no such model, or it has no reference.
    """
    return find_reference(settings.model, where="market.model")(network, settings)


def verify_model(day: Day, settings: MarketSettings, every: int, cold_every: int, progress: Progress) -> Gaps:
    """Clear every `every`-th interval both ways and gather the gaps.

    Parameters
    ----------
    day : Day
        The day.
    settings : MarketSettings
        Model and tolerances.
    every, cold_every : int
        Intervals between clearings, and between cold ones.
    progress : Progress
        Where to show how far it is.
    """
    market, central = make_market(day.network, settings), make_reference(day.network, settings)
    task = progress.add_task(settings.model, total=len(range(0, day.intervals, every)))
    dispatches: list[ComplexArray] = []
    pairs: list[tuple[Clearing, ReferenceAnswer]] = []
    cold: list[int] = []
    for case, state in day.forecasts(dispatches, every):
        if case.interval % cold_every == 0:
            fresh = make_market(day.network, settings)
            cold.append(fresh.clear(state, case.demand, case.offers, case.price).rounds)
        clearing = market.clear(state, case.demand, case.offers, case.price)
        pairs.append((clearing, central.answer(state, case.demand, case.offers, case.price)))
        dispatches[:] = [clearing.dispatch]
        progress.advance(task)
    return gather(pairs, cold)


def negotiated(settings: MarketSettings) -> MarketSettings:
    """Let a market that clears centrally negotiate."""
    return replace(settings, method="interior-point") if settings.method == "central" else settings


def gather(pairs: list[tuple[Clearing, ReferenceAnswer]], cold: list[int]) -> Gaps:
    """Sum up the gaps; intervals whose relaxation is not exact are counted and left out.

    Parameters
    ----------
    pairs : list of (Clearing, ReferenceAnswer)
        Both answers of every interval, in order; the first clearing began cold.
    cold : list of int
        Rounds of the clearings that began cold.
    """
    exact = [(ours, theirs) for ours, theirs in pairs if theirs.slack <= EXACT_PU]
    loose = [(ours, theirs) for ours, theirs in pairs if theirs.slack > EXACT_PU]
    binding = [ours.rounds for ours, _ in pairs[1:] if ours.limits]
    warm = [ours.rounds for ours, _ in pairs[1:]] or [0]
    return Gaps(
        intervals=len(pairs),
        inexact=len(pairs) - len(exact),
        inexact_cost_gap_max=_cost_gap(loose),
        binding=len(binding),
        cost_gap_max=_cost_gap(exact),
        dlmp_gap_max=max((float(np.abs(a.prices.real - b.price_real).max()) for a, b in exact), default=0.0),
        dispatch_gap_max_kw=max(
            (float(np.abs(a.dispatch.real - b.award.real).max(initial=0.0)) for a, b in exact), default=0.0
        ),
        exactness_gap_max=max((b.slack for _, b in pairs), default=0.0),
        rounds_cold=max(cold, default=0),
        rounds_warm_median=float(median(warm)),
        rounds_warm_max=max(warm),
        rounds_binding_median=float(median(binding or [0])),
        not_converged=sum(ours.status != "solved" for ours, _ in pairs),
    )


def _cost_gap(pairs: list[tuple[Clearing, ReferenceAnswer]]) -> float:
    """Largest relative difference in cost."""
    return max((abs(a.cost - b.cost) / max(abs(b.cost), 1.0) for a, b in pairs), default=0.0)
