"""How many rounds a clearing needs: it is repeated at ever tighter stopping tolerances until it passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, cast

import numpy as np

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import ComplexArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.models import NegotiatedMarket, ReferenceAnswer, RetailMarket
from dlmp_cosim.market.pac.negotiate import USUAL, Tuning
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.judge.gaps import COST_GAP, EXACT_PU, PRICE_GAP, make_market, make_reference
from dlmp_cosim.runners.judge.walk import Case, Day

TOLERANCES = (1e-1, 5e-2, 2e-2, 1e-2, 5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4, 5e-5, 3e-5, 2e-5, 1e-5)
"""Stopping tolerances, loosest first."""
STAYS = 3
"""Tolerances in a row at which a clearing has to pass: once may be luck."""


@dataclass(frozen=True)
class Sample:
    """One interval, ready to be cleared.

    Attributes
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Model, method and limits.
    case, state : Case, AcState
        The interval and its forecast state.
    before, state_before : Case, AcState
        The interval before, for warm starts.
    answer : ReferenceAnswer
        The central optimum.
    """

    network: Network
    settings: MarketSettings
    case: Case
    state: AcState
    before: Case
    state_before: AcState
    answer: ReferenceAnswer


@dataclass(frozen=True)
class Choice:
    """One way to negotiate.

    Attributes
    ----------
    group, name : str
        What is varied, and to what.
    tuning : Tuning
        How agents negotiate.
    settings : dict
        Fields of the settings that differ.
    """

    group: str
    name: str
    tuning: Tuning = USUAL
    settings: tuple[tuple[str, Any], ...] = ()

    def market(self, sample: Sample, tolerance: float) -> NegotiatedMarket:
        """Make a market that negotiates this way."""
        settings = replace(sample.settings, tolerance=tolerance, **dict(self.settings))
        market = cast(NegotiatedMarket, make_market(sample.network, settings))
        market.tuning = self.tuning
        return market


@dataclass(frozen=True)
class Level:
    """One clearing at one tolerance: its effort, and its errors of cost (relative) and real price [$/MWh]."""

    tolerance: float
    rounds: int
    messages: int
    scalars: int
    cost: float
    price: float
    converged: bool

    @property
    def near(self) -> bool:
        """Whether cost and prices are near enough to the optimum."""
        return self.cost <= COST_GAP and self.price <= PRICE_GAP

    @property
    def passes(self) -> bool:
        """Whether they are, and the agents knew when to stop."""
        return self.converged and self.near


def take_samples(day: Day, settings: MarketSettings, count: int, *, binding: bool = False) -> list[Sample]:
    """Pick intervals evenly over the day, each with the one before, on the states that the market finds.

    Intervals whose cone relaxation is not exact have no reference and are left out.

    Parameters
    ----------
    day : Day
        The day.
    settings : MarketSettings
        Model and limits.
    count : int
        Intervals wanted.
    binding : bool, optional
        Whether only intervals count in which a limit has a price.
    """
    market, dispatches, seen = make_market(day.network, settings), list[ComplexArray](), []
    for case, state in day.forecasts(dispatches):
        clearing = clear(market, case, state)
        dispatches[:] = [clearing.dispatch]
        seen.append((case, state, bool(clearing.limits)))
    central = make_reference(day.network, settings)
    samples = []
    for k in _evenly([k for k in range(1, len(seen)) if seen[k][2] or not binding], count):
        case, state, _ = seen[k]
        answer = central.answer(state, case.demand, case.offers, case.price)
        if answer.slack <= EXACT_PU:
            samples.append(Sample(day.network, settings, case, state, *seen[k - 1][:2], answer))
    return samples


def _evenly(items: Sequence[int], count: int) -> list[int]:
    """Pick `count` items over the whole sequence; all when there are fewer."""
    if not items:
        return []
    return [items[int(place)] for place in np.linspace(0, len(items) - 1, min(count, len(items)))]


def clear(market: RetailMarket, case: Case, state: AcState) -> Clearing:
    """Clear one case."""
    return market.clear(state, case.demand, case.offers, case.price)


def cold_levels(sample: Sample, choice: Choice, *, stop: bool = True) -> list[Level]:
    """Clear from nothing at every tolerance; with `stop` no further than it takes to see that it passes."""
    return _levels(sample, choice, warm=False, stop=stop)


def warm_levels(sample: Sample, choice: Choice, *, stop: bool = True) -> list[Level]:
    """Clear from where the interval before ended, at every tolerance; see `cold_levels`."""
    return _levels(sample, choice, warm=True, stop=stop)


def _levels(sample: Sample, choice: Choice, *, warm: bool, stop: bool) -> list[Level]:
    warmth = None
    if warm:
        earlier = choice.market(sample, sample.settings.tolerance)
        clear(earlier, sample.before, sample.state_before)
        warmth = earlier.warmth
    levels: list[Level] = []
    for tolerance in TOLERANCES:
        market = choice.market(sample, tolerance)
        market.warmth = warmth
        try:
            levels.append(_level(clear(market, sample.case, sample.state), sample.answer, tolerance))
        except ClearingError:
            levels.append(Level(tolerance, market.settings.negotiation_rounds, 0, 0, inf, inf, False))
        settled = [level.passes for level in levels[-STAYS:]]
        # A budget leaves room for sweeps that are then not needed.
        spent = not levels[-1].converged and 2 * levels[-1].rounds >= market.settings.negotiation_rounds
        if stop and (spent or (len(settled) == STAYS and all(settled))):
            break
    return levels


def _level(clearing: Clearing, answer: ReferenceAnswer, tolerance: float) -> Level:
    cost = float(abs(clearing.cost - answer.cost) / max(abs(answer.cost), 1.0))
    price = float(np.abs(clearing.prices.real - answer.price_real).max())
    effort = clearing.rounds, clearing.messages, clearing.scalars
    return Level(tolerance, *effort, cost, price, clearing.status == "solved")


def rounds_to_pass(levels: Sequence[Level]) -> int | None:
    """Find the rounds at the loosest tolerance that is met and from which on every level is near the optimum.

    A tolerance too tight for the budget of rounds does not count against looser ones. None when there is no
    such tolerance.
    """
    rounds = None
    for level in levels:
        if not level.near:
            rounds = None
        elif rounds is None and level.converged:
            rounds = level.rounds
    return rounds
