"""What resources offer to the market for one interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import numpy as np

from dlmp_cosim.feeders.errors import nearest_name
from dlmp_cosim.feeders.network import FloatArray, Network, Resource
from dlmp_cosim.market.ancillary.products import UPWARDS, Capacity, Product, reason_against_capacity
from dlmp_cosim.market.horizon.terms import Ahead, reason_against
from dlmp_cosim.market.resources import curtails

Participation = Literal["retail", "wholesale", "out"]
"""Where a resource takes part: in the market of the feeder, in the wholesale market, or in none."""


@dataclass(frozen=True)
class Offer:
    """Limits and cost of one resource for one interval; powers are positive towards the grid.

    The cost of running at p kW is ``(cost_linear * p + cost_quadratic * p**2 / 2) / 1000`` $/h, so the
    marginal cost is ``cost_linear + cost_quadratic * p`` $/MWh.

    Attributes
    ----------
    resource : str
        The resource offered.
    p_min_kw, p_max_kw : float
        Real power limits [kW]. A flexible load offers 0 to its curtailable demand, at nominal voltage.
    cost_linear : float
        Marginal cost at 0 kW [$/MWh].
    cost_quadratic : float
        Rise of the marginal cost, not negative [$/MWh per kW].
    q_min_kvar, q_max_kvar : float
        Reactive power limits [kvar]; a flexible load has none of its own and offers a `reactive_ratio`.
    s_max_kva : float
        Apparent power limit [kVA].
    reactive_ratio : float or None
        When set, reactive power is this many kvar per kW of real power and the limits above do not apply.
    ahead : Ahead, optional
        What ties this interval to later ones; an owner that knows of none leaves it out.
    market : {"retail", "wholesale", "out"}
        Where it takes part in this interval, see `market.participation`.
    capacity : Capacity, optional
        What it sells to the ancillary market of a substation; nothing unless it says so.
    """

    resource: str
    p_min_kw: float
    p_max_kw: float
    cost_linear: float
    cost_quadratic: float = 0.0
    q_min_kvar: float = 0.0
    q_max_kvar: float = 0.0
    s_max_kva: float = math.inf
    reactive_ratio: float | None = None
    ahead: Ahead | None = None
    market: Participation = "retail"
    capacity: Capacity | None = None

    @property
    def disc_kva(self) -> float | None:
        """Apparent power limit where the other limits do not already imply it [kVA]; else None."""
        if self.reactive_ratio is not None:
            return None
        real = max(abs(self.p_min_kw), abs(self.p_max_kw))
        reactive = max(abs(self.q_min_kvar), abs(self.q_max_kvar))
        return self.s_max_kva if math.hypot(real, reactive) > self.s_max_kva else None


@dataclass(frozen=True)
class WholesalePrice:
    """Price at the feeder head, taken as given: the locational marginal price, and what a substation adds.

    Attributes
    ----------
    lmp : float
        Total price [$/MWh]: the sum of the parts.
    energy, congestion, loss : float
        Its parts [$/MWh].
    reactive : float
        Price of reactive power at the head [$/(MVAR*h)].
    adder : float
        What the limits that feeders share at a substation add [$/MWh]; part of `lmp`.
    """

    lmp: float
    energy: float = math.nan
    congestion: float = 0.0
    loss: float = 0.0
    reactive: float = 0.0
    adder: float = 0.0

    def plus(self, adder: float) -> WholesalePrice:
        """Replace what a substation adds [$/MWh]."""
        return replace(self, lmp=self.lmp - self.adder + adder, adder=adder)


@dataclass(frozen=True)
class Refusal:
    """An offer that was left out, and why."""

    resource: str
    reason: str

    def __str__(self) -> str:
        return f"{self.resource}: {self.reason}"


PRICE_CAP = 1e5
"""Largest magnitude of a marginal cost that counts as meant [$/MWh]."""
SLACK = 1 + 1e-9
"""Factor on a rating that is still rounding."""


def accept_offers(network: Network, offers: Iterable[Offer]) -> tuple[tuple[Offer, ...], tuple[Refusal, ...]]:
    """Keep the offers that can be cleared, and say by name why the others cannot.

    An offer that states no apparent power limit, or more than the rating of its resource, is held to that.

    Parameters
    ----------
    network : Network
        The feeder whose resources are offered.
    offers : iterable of Offer
        All offers of one interval.
    """
    resources = dict(zip(network.resource_ids, network.resources, strict=True))
    accepted: dict[str, Offer] = {}
    refused = []
    for offer in offers:
        resource = resources.get(offer.resource)
        if resource is None:
            hint = nearest_name(offer.resource, resources)
            reason = "no such resource" + (f", did you mean {hint!r}?" if hint else "")
        elif offer.resource in accepted:
            reason = "offered twice"
        else:
            rated = _rated(offer, resource)
            reason = _reason_against(offer, rated.s_max_kva, resource)
        if reason:
            refused.append(Refusal(offer.resource, reason))
        else:
            accepted[offer.resource] = rated
    return tuple(accepted.values()), tuple(refused)


def _reason_against(offer: Offer, rating: float, resource: Resource) -> str:
    """Why an offer of a resource cannot be cleared within a rating [kVA]; empty when it can."""
    if not math.isfinite(_sum_of_numbers(offer)) or math.isnan(offer.s_max_kva):
        return "a value is not a finite number"
    if offer.p_min_kw > offer.p_max_kw or offer.q_min_kvar > offer.q_max_kvar or offer.s_max_kva < 0:
        return "its limits are crossed"
    if offer.cost_quadratic < 0:
        return "its cost is not convex: cost_quadratic is negative"
    top = max(
        abs(offer.cost_linear + offer.cost_quadratic * offer.p_min_kw),
        abs(offer.cost_linear + offer.cost_quadratic * offer.p_max_kw),
    )
    if top > PRICE_CAP:
        return f"its marginal cost of {top:g} $/MWh is beyond {PRICE_CAP:g}"
    reason = (
        ("" if offer.market == "retail" else _out_of_place(offer, resource))
        or _beyond_resource(offer, resource)
        or ("" if offer.ahead is None else reason_against(offer.ahead))
        or ("" if offer.capacity is None else _beyond_capacity(offer, offer.capacity, resource))
    )
    if reason:
        return reason
    if offer.reactive_ratio is None and _least_reach(offer) > rating * SLACK:
        return "its limits leave nothing within its apparent power"
    return ""


def _out_of_place(offer: Offer, resource: Resource) -> str:
    """Why a resource cannot take part elsewhere than in the retail market; empty when it can."""
    if offer.market not in get_args(Participation):
        return f"takes part in {str(offer.market)[:20]!r}; expected " + ", ".join(get_args(Participation))
    if curtails(resource):
        return "a flexible load is part of a retail load and takes part in the retail market alone"
    if offer.capacity is not None:
        return "sells capacity and takes part outside the retail market; expected one of the two"
    if offer.market == "out" and offer.p_min_kw != offer.p_max_kw:
        return "stays out and leaves its power to the market; expected p_min_kw = p_max_kw"
    return ""


def _beyond_capacity(offer: Offer, sold: Capacity, resource: Resource) -> str:
    """Why a resource cannot sell the capacity it offers; empty when it can."""
    reason = reason_against_capacity(sold)
    if reason or resource.kind != "storage":
        return reason
    if offer.ahead is not None and offer.ahead.store is not None:
        return ""
    known = {"up_kwh": sold.up_kwh, "down_kwh": sold.down_kwh}
    behind: tuple[tuple[str, tuple[Product, ...]], ...]
    behind = (("up_kwh", UPWARDS), ("down_kwh", ("regulation_down",)))
    for name, products in behind:
        if any(sold.price(product) is not None for product in products) and math.isinf(known[name]):
            return f"sells capacity of a storage and no energy behind it; expected capacity.{name}"
    return ""


class OfferTerms(NamedTuple):
    """Limits and costs of every resource in units of a problem, shape (n_resource,) each."""

    p_min: FloatArray
    p_max: FloatArray
    q_min: FloatArray
    q_max: FloatArray
    linear: FloatArray
    quadratic: FloatArray


def offer_terms(table: Sequence[Offer | None], power: float, unit: float) -> OfferTerms:
    """State offers in units of a problem; a resource without an offer stays at zero, at no cost.

    Parameters
    ----------
    table : sequence of Offer or None
        Offer of every resource.
    power, unit : float
        Unit of power [kVA] and of cost [$/h].
    """
    rows = [(0.0,) * 6 if offer is None else _terms(offer) for offer in table]
    p_min, p_max, q_min, q_max, linear, quadratic = np.array(rows, dtype=np.float64).reshape(-1, 6).T
    costs = linear * power / 1e3 / unit, quadratic * power**2 / 1e3 / unit
    return OfferTerms(p_min / power, p_max / power, q_min / power, q_max / power, *costs)


def _terms(offer: Offer) -> tuple[float, ...]:
    """Limits and costs of an offer, reactive power of its own only where that is free [kW, kvar, $/MWh]."""
    q_min, q_max = (offer.q_min_kvar, offer.q_max_kvar) if offer.reactive_ratio is None else (0.0, 0.0)
    return offer.p_min_kw, offer.p_max_kw, q_min, q_max, offer.cost_linear, offer.cost_quadratic


def _sum_of_numbers(offer: Offer) -> float:
    """Sum of everything in an offer that must be finite; it is finite where all of them are."""
    return (
        offer.p_min_kw
        + offer.p_max_kw
        + offer.cost_linear
        + offer.cost_quadratic
        + offer.q_min_kvar
        + offer.q_max_kvar
        + (offer.reactive_ratio or 0.0)
    )


def _beyond_resource(offer: Offer, resource: Resource) -> str:
    """Why a resource cannot do what it offers; empty when it can."""
    low, high = reach_of(offer)
    if curtails(resource):
        if -low > resource.kw_more * SLACK + 1e-9:
            able = f"; it can consume {resource.kw_more:g} kW more" if resource.kw_more else ""
            return f"a flexible load cannot be asked to consume {-low:g} kW more{able}"
        return "" if offer.reactive_ratio is not None else _reactive_of_its_own(offer)
    most = max(abs(low), abs(high))
    if most > resource.kw_max * SLACK:
        return f"{most:g} kW is beyond its nameplate of {resource.kw_max:g} kW"
    reach = most * math.hypot(1.0, offer.reactive_ratio or 0.0)
    if offer.reactive_ratio is None and math.isfinite(offer.s_max_kva):
        most_q = max(abs(offer.q_min_kvar), abs(offer.q_max_kvar))
        reach = min(math.hypot(most, most_q), offer.s_max_kva)
    if reach > resource.kva_max * SLACK:
        return f"it could reach {reach:g} kVA, beyond its rating of {resource.kva_max:g} kVA"
    return ""


def _reactive_of_its_own(offer: Offer) -> str:
    """Why a flexible load cannot offer its reactive power; empty where it offers none."""
    own = max(abs(offer.q_min_kvar), abs(offer.q_max_kvar))
    if own == 0.0:
        return ""
    return (
        f"a flexible load has no reactive power of its own, {own:g} kvar; it goes with what it does "
        "not consume (reactive_ratio)"
    )


def reach_of(offer: Offer) -> tuple[float, float]:
    """Least and most power of an offer, called or not [kW]."""
    low, high, called = offer.p_min_kw, offer.p_max_kw, offer.capacity
    if called is not None and called.p_min_kw is not None:
        low = min(low, called.p_min_kw)
    if called is not None and called.p_max_kw is not None:
        high = max(high, called.p_max_kw)
    return low, high


def holding_back(offer: Offer, up_kw: float, down_kw: float) -> Offer:
    """Keep room free above and below the energy of an offer, as far as it has any [kW]."""
    low = min(offer.p_min_kw + down_kw, offer.p_max_kw)
    return replace(offer, p_min_kw=low, p_max_kw=max(offer.p_max_kw - up_kw, low))


def _rated(offer: Offer, resource: Resource) -> Offer:
    """Hold the apparent power of an offer to the rating of its resource."""
    if curtails(resource) or offer.reactive_ratio is not None or offer.s_max_kva <= resource.kva_max:
        return offer
    return replace(offer, s_max_kva=resource.kva_max)


def _least_reach(offer: Offer) -> float:
    """Smallest apparent power that the limits of an offer allow [kVA]."""
    return math.hypot(_least(offer.p_min_kw, offer.p_max_kw), _least(offer.q_min_kvar, offer.q_max_kvar))


def _least(low: float, high: float) -> float:
    """Smallest magnitude between `low` and `high`."""
    return max(0.0, low, -high)
