"""What is known of the steps ahead when a horizon is cleared, and what a clearing plans for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.market.horizon.coupling import open_share
from dlmp_cosim.market.horizon.steps import Span
from dlmp_cosim.market.offers import Offer, Refusal, WholesalePrice
from dlmp_cosim.market.resources import curtails


@dataclass(frozen=True)
class Step:
    """One step of a horizon, as it is expected; the first is the interval itself, as it is.

    Attributes
    ----------
    span : Span
        Which intervals it covers.
    hours : float
        Its length [h].
    price : WholesalePrice
        Price at the head.
    demand : ndarray, shape (n_load,)
        Nominal demand before curtailment [kVA].
    """

    span: Span
    hours: float
    price: WholesalePrice
    demand: ComplexArray


@dataclass(frozen=True)
class Outlook:
    """The steps of one interval's horizon, the interval itself first."""

    steps: tuple[Step, ...]

    def step_at(self, interval: int) -> int:
        """Return the step that an interval lies in; the last one for what is beyond."""
        ends = np.array([step.span.after for step in self.steps])
        return min(int(np.searchsorted(ends, interval, side="right")), len(self.steps) - 1)

    @property
    def hours(self) -> FloatArray:
        """Length of every step, shape (n_step,) [h]."""
        return np.array([step.hours for step in self.steps])

    @property
    def mean_lmp(self) -> float:
        """Mean price at the head over the horizon [$/MWh]."""
        return float(np.average([step.price.lmp for step in self.steps], weights=self.hours))


@dataclass(frozen=True)
class PlannedStep:
    """What a clearing expects of one step: advisory, for only the first step is dispatched and paid.

    Attributes
    ----------
    dispatch : ndarray, shape (n_resource,)
        Complex power of every resource [kVA].
    price : ndarray, shape (n_node,)
        Price of real power at every node [$/MWh].
    voltage : ndarray, shape (n_node,)
        Voltage magnitude [pu].
    head_kw : float
        Real power that the sources give [kW].
    """

    dispatch: ComplexArray
    price: FloatArray
    voltage: FloatArray
    head_kw: float


@dataclass(frozen=True)
class HorizonPlan:
    """What a clearing plans for its horizon.

    Attributes
    ----------
    outlook : Outlook
        What it expected.
    steps : tuple of PlannedStep
        What it plans, step by step.
    coupled : tuple of str
        Resources with terms over time.
    energy_kwh : mapping of str to ndarray, shape (n_step,)
        Energy of every store at the end of every step [kWh].
    short : tuple of str
        Resources whose terms cannot be met, and by how much.
    both_ways : tuple of str
        Stores that the plan would charge and discharge at once, and in which step.
    cost : float
        Cost of the whole horizon [$].
    """

    outlook: Outlook
    steps: tuple[PlannedStep, ...]
    coupled: tuple[str, ...]
    energy_kwh: Mapping[str, FloatArray]
    short: tuple[str, ...]
    both_ways: tuple[str, ...]
    cost: float


def accept_ahead(offers: Sequence[Offer], outlook: Outlook) -> tuple[tuple[Offer, ...], tuple[Refusal, ...]]:
    """Leave out offers whose lists of later steps do not fit the horizon, and say why.

    Parameters
    ----------
    offers : sequence of Offer
        Accepted offers of the interval.
    outlook : Outlook
        The steps; an offer's lists have one entry for each but the first.

    Returns
    -------
    tuple of Offer
        Offers that fit, in the same order.
    tuple of Refusal
        The others, each with the reason.
    """
    later = len(outlook.steps) - 1
    kept, refused = [], []
    for offer in offers:
        reason = _misfit(offer, later)
        if reason:
            refused.append(Refusal(offer.resource, reason))
        else:
            kept.append(offer)
    return tuple(kept), tuple(refused)


def _misfit(offer: Offer, later: int) -> str:
    """Why an offer's lists do not fit a horizon with so many later steps; empty when they do."""
    if offer.ahead is None:
        return ""
    for name, values in vars(offer.ahead.later).items():
        if values and len(values) != later:
            return f"later.{name} has {len(values)} values; the horizon has {later} later steps"
    least, most = offer.ahead.later.p_min_kw, offer.ahead.later.p_max_kw
    pairs = zip(least or [offer.p_min_kw] * later, most or [offer.p_max_kw] * later, strict=True)
    if (least or most) and any(low > high for low, high in pairs):
        return "its limits of a later step are crossed"
    return ""


def offers_ahead(network: Network, offers: Sequence[Offer], outlook: Outlook) -> list[list[Offer]]:
    """Say what every accepted offer means in every step: a list of offers a step.

    An offer that says nothing of later steps holds for all; what a load curtails follows its demand.

    Parameters
    ----------
    network : Network
        The circuit.
    offers : sequence of Offer
        Accepted offers.
    outlook : Outlook
        The steps.
    """
    load = {name: k for k, name in enumerate(network.load_ids)}
    at = {resource.name: load[resource.load] for resource in network.resources if curtails(resource)}
    demands = [step.demand.real for step in outlook.steps]
    return [
        [_offer_in(offer, t, outlook, at.get(offer.resource), demands) for offer in offers]
        for t in range(len(outlook.steps))
    ]


def _offer_in(
    offer: Offer, t: int, outlook: Outlook, load: int | None, demands: Sequence[FloatArray]
) -> Offer:
    """Say what an offer means in a step."""
    if not t:
        return offer
    later = offer.ahead.later if offer.ahead else None
    share = 1.0
    if load is not None:
        share = float(demands[t][load] / demands[0][load]) if demands[0][load] > 0 else 0.0
    least = later.p_min_kw[t - 1] if later and later.p_min_kw else offer.p_min_kw * share
    most = later.p_max_kw[t - 1] if later and later.p_max_kw else offer.p_max_kw * share
    if load is not None:
        most = min(most, max(float(demands[t][load]), 0.0))
    if offer.ahead and offer.ahead.sessions is not None:
        waiting = [session for session in offer.ahead.sessions if session.energy_kwh > 0]
        open_kw = sum(session.kw_max * float(open_share(session, outlook.hours)[t]) for session in waiting)
        rating = min(later.p_min_kw[t - 1], 0.0) if later and later.p_min_kw else -offer.s_max_kva
        least, most = max(-open_kw, rating), 0.0
    cost = later.cost_linear[t - 1] if later and later.cost_linear else offer.cost_linear
    return replace(offer, p_min_kw=min(least, most), p_max_kw=most, cost_linear=cost)
