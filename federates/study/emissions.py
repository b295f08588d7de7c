"""CO2 in a study: marginal emission rates over time, and what a price of CO2 adds to costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.performance_sections import EmissionsSection
from dlmp_cosim.federates.study.steps_table import read_steps
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.offers import Offer

KG_PER_T = 1e3


def emission_rates(study: Study, clock: Clock) -> FloatArray:
    """Return the marginal emission rate of the wholesale side, shape (n_interval,) [kg/MWh].

    It is 0 where none is stated.

    Parameters
    ----------
    study : Study
        States the rate, or names its table.
    clock : Clock
        The intervals wanted.

    Raises
    ------
    InputError
        When the table cannot be used, or holds a negative rate.
    """
    section = study.scenario.emissions
    if not section.rates:
        return np.full(clock.intervals, section.rate)
    where = f"{study.scenario_file} emissions.rates"
    rates = read_steps(study.data_file(section.rates, "emissions.rates"), clock, where)
    if (rates < 0.0).any():
        raise InputError(
            f"{section.rates} holds a rate of {rates.min():g} kg/MWh",
            where=where,
            expected="rates that are not negative",
        )
    return rates


def carbon_cost(study: Study, clock: Clock) -> FloatArray:
    """Return what CO2 adds to the price at the head, shape (n_interval,) [$/MWh].

    Parameters
    ----------
    study : Study
        States the price of CO2 [$/t] and the marginal emission rates [kg/MWh].
    clock : Clock
        The intervals wanted.

    Raises
    ------
    InputError
        When the table of rates cannot be used.
    """
    price = study.scenario.emissions.price
    if not price:
        return np.zeros(clock.intervals)
    cost: FloatArray = emission_rates(study, clock) * price / KG_PER_T
    return cost


def own_cost(section: EmissionsSection) -> dict[str, float]:
    """Return what CO2 adds to the marginal cost of generators on the feeder, by name [$/MWh]."""
    each = {name: rate * section.price / KG_PER_T for name, rate in section.own.items()}
    return {name: cost for name, cost in each.items() if cost}


def with_carbon(offers: Iterable[Offer], more: Mapping[str, float]) -> tuple[Offer, ...]:
    """Raise the marginal cost of offers, in every step that they speak of, by what their CO2 costs.

    Parameters
    ----------
    offers : iterable of Offer
        As their owners made them.
    more : mapping of str to float
        By resource [$/MWh].
    """
    return tuple(
        _raised(offer, more[offer.resource]) if offer.resource in more else offer for offer in offers
    )


def _raised(offer: Offer, more: float) -> Offer:
    ahead = offer.ahead
    if ahead is not None and ahead.later.cost_linear:
        later = replace(ahead.later, cost_linear=tuple(cost + more for cost in ahead.later.cost_linear))
        ahead = replace(ahead, later=later)
    return replace(offer, cost_linear=offer.cost_linear + more, ahead=ahead)
