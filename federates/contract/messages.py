"""The JSON texts that federates exchange: offers, the feeder's status, the record of a clearing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from dlmp_cosim.federates.contract.ahead import ahead_row, read_ahead
from dlmp_cosim.federates.contract.capacity import capacity_row, read_capacity
from dlmp_cosim.federates.contract.limits import largest_offer, owned, too_long
from dlmp_cosim.federates.runtime.link import refusal
from dlmp_cosim.federates.study.helics_config import publisher_of
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import ComplexArray, Network, Resource
from dlmp_cosim.market.offers import Offer, WholesalePrice, accept_offers, reach_of

if TYPE_CHECKING:
    # Names of types alone: an owner, which offers and does not clear, starts without them.
    from dlmp_cosim.federates.anchoring.rounds import Mismatch, Outcome, Round
    from dlmp_cosim.feeders.state import AcState
    from dlmp_cosim.market.clearing import Clearing
    from dlmp_cosim.market.horizon.outlook import Outlook

Stage = Literal["forecast", "trial", "final"]
OFFER_FIELDS = tuple(field.name for field in fields(Offer))
WORDS = ("resource", "ahead", "market", "capacity")
TABLES = ("ahead", "capacity")
"""Fields of an offer that are JSON objects of their own."""
LARGEST_COST = 1e6
"""Marginal cost that no sound offer exceeds [$/MWh]."""
OFFERS_EACH = 4
"""Offers a resource beyond which those of an owner are refused as a whole, and not one by one."""
_SHOWN = 80
"""Characters of somebody else's value that a refusal repeats."""
_LARGEST_INTEGER = 10**15
_SLACK = 1e-6
"""Share by which an offer may exceed a nameplate, for rounding."""


def encode(table: Mapping[str, Any]) -> str:
    """Write JSON; a number that is not finite becomes null."""
    return json.dumps(_finite(table), allow_nan=False, separators=(",", ":"))


def decode(key: str, text: str) -> dict[str, Any]:
    """Read a JSON object; FederationError naming topic and publisher when it is none."""
    try:
        table = json.loads(text)
    except json.JSONDecodeError as error:
        raise refusal(key, f"is not JSON: {error.msg} at character {error.pos}") from None
    except (RecursionError, ValueError) as error:
        raise refusal(key, f"cannot be read as JSON: {error}") from None
    if not isinstance(table, dict):
        raise refusal(key, "is not a JSON object")
    return table


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


@dataclass(frozen=True)
class FeederStatus:
    """What the feeder says about its last power flow.

    Attributes
    ----------
    interval : int
        Which interval.
    stage : {"forecast", "trial", "final"}
        Which dispatch it solved: the last one, a trial, or the final one.
    trials : int
        Trials answered so far in this interval.
    converged : bool
        Whether the power flow converged; only then are the other topics up to date.
    iterations : int
        Iterations that it took.
    tap_changes : int
        Steps that regulators moved.
    clipped : tuple of str
        Flexible loads whose held curtailment exceeds their demand and was cut to it.
    head_open : bool
        Whether the head is open: nothing is served, and every voltage is 0.
    """

    interval: int
    stage: Stage
    trials: int
    converged: bool
    iterations: int
    tap_changes: int = 0
    clipped: tuple[str, ...] = ()
    head_open: bool = False

    def text(self) -> str:
        """Write it as JSON; a head that is closed is not worth a word."""
        return encode({name: value for name, value in asdict(self).items() if name != "head_open" or value})


def read_status(text: str) -> FeederStatus:
    """Read the feeder's status; FederationError when a field is missing or strange."""
    table = decode("feeder/status", text)
    try:
        status = FeederStatus(**{**table, "clipped": tuple(table.get("clipped", ()))})
    except TypeError as error:
        raise refusal("feeder/status", f"has wrong fields: {error}") from None
    for name, sound in _STATUS.items():
        value = table.get(name, getattr(status, name))
        if not sound(value):
            raise refusal("feeder/status", f"has wrong fields: {name} is {shown(value)}")
    return status


@dataclass(frozen=True)
class OfferBook:
    """Offers of an interval that may be cleared, and what was refused with its reason."""

    accepted: tuple[Offer, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """What one interval is cleared for.

    Attributes
    ----------
    interval : int
        Which interval.
    price : WholesalePrice
        Price at the feeder head.
    demand : ndarray, shape (n_load,)
        Demand at nominal voltage before curtailment [kVA].
    book : OfferBook
        Offers, and what was refused.
    forecast : AcState
        AC state with the last dispatch.
    outlook : Outlook, optional
        What is expected of the steps ahead, when the market looks ahead.
    """

    interval: int
    price: WholesalePrice
    demand: ComplexArray
    book: OfferBook
    forecast: AcState
    outlook: Outlook | None = None


def clearing_text(case: Case, outcome: Outcome, final: Clearing) -> str:
    """Write the record of an interval: what was dispatched, why, and how every round went.

    Parameters
    ----------
    case : Case
        What was cleared.
    outcome : Outcome
        How the rounds ended.
    final : Clearing
        What is dispatched: the accepted clearing, or the last final one held.
    """
    return encode(
        {
            "interval": case.interval,
            "trials": outcome.trials,
            "status": "final",
            "resume": outcome.decision.trial,
            "settled": outcome.decision.settled,
            "held": outcome.accepted is None,
            "reason": outcome.decision.reason,
            **_difference(outcome.accepted.difference if outcome.accepted else None),
            "lmp": case.price.lmp if final.head_price is None else final.head_price,
            "cost": final.cost,
            "rounds": [_round_row(k, item) for k, item in enumerate(outcome.rounds, 1)],
            "limits": [asdict(limit) for limit in final.limits],
            "notes": list(final.notes),
            "refused": [*case.book.refused, *final.refused],
        }
    )


def trial_text(interval: int, trials: int, *, controls: bool) -> str:
    """Write the announcement of a trial, after so many earlier ones, with controls acting or frozen."""
    return encode({"interval": interval, "trials": trials, "status": "trial", "controls": controls})


def _difference(found: Mismatch | None) -> dict[str, float | None]:
    return {
        "voltage_error_pu": found.voltage_pu if found else None,
        "head_error_kw": found.head_kw if found else None,
    }


def _round_row(number: int, item: Round) -> dict[str, Any]:
    clearing = item.clearing
    if clearing is None:
        return {"round": number, "status": "failed"}
    return {
        "round": number,
        "status": clearing.status,
        **_difference(item.difference),
        "moved": list(item.moved),
        "negotiation_rounds": clearing.rounds,
        "messages": clearing.messages,
        "scalars": clearing.scalars,
        "primal_residual": clearing.primal_residual,
        "dual_residual": clearing.dual_residual,
        "gap": clearing.gap,
        "exactness_gap": clearing.exactness_gap,
        "cost": clearing.cost,
    }


def offers_text(interval: int, offers: Iterable[Offer]) -> str:
    """Write the offers of one federate for one interval."""
    return encode({"interval": interval, "offers": [_offer_row(offer) for offer in offers]})


def _offer_row(offer: Offer) -> dict[str, Any]:
    values = {name: getattr(offer, name) for name in OFFER_FIELDS if name not in TABLES}
    row = {name: value for name, value in values.items() if value not in (None, math.inf, "retail")}
    if offer.ahead is not None:
        row["ahead"] = ahead_row(offer.ahead)
    if offer.capacity is not None:
        row["capacity"] = capacity_row(offer.capacity)
    return row


def read_offers(
    texts: Mapping[str, str], interval: int, network: Network, demand_kw: Mapping[str, float]
) -> OfferBook:
    """Sort the offers of every federate into those that may be cleared and those that are refused.

    Parameters
    ----------
    texts : mapping of str to str
        Offer text by its topic.
    interval : int
        The interval to be cleared.
    network : Network
        Says which resource belongs to whom.
    demand_kw : mapping of str to float
        Demand of every load in this interval [kW].

    Returns
    -------
    OfferBook
        Accepted offers in the order of the network's resources; a refusal names federate and resource.
    """
    resources, counts = {resource.name: resource for resource in network.resources}, owned(network)
    ratios = {load.name: load.kvar / load.kw if load.kw else 0.0 for load in network.loads}
    accepted: dict[str, Offer] = {}
    refused: list[str] = []
    for key, text in texts.items():
        federate = publisher_of(key)
        try:
            rows = _rows(key, text, interval, counts[federate])
        except FederationError as error:
            refused.append(str(error))
            continue
        for row in rows:
            try:
                offer = _offer(row, federate, resources, demand_kw, ratios, accepted)
            except ValueError as error:
                refused.append(f"{federate}: {error}")
            else:
                accepted[offer.resource] = offer
    order = [accepted[name] for name in network.resource_ids if name in accepted]
    sound, unsound = accept_offers(network, order)
    refused += [f"{resources[item.resource].owner}: {item}" for item in unsound]
    return OfferBook(sound, tuple(refused))


def _rows(key: str, text: str, interval: int, owns: int) -> list[Any]:
    """Return the offers of one federate; one that is far too long or has too many is refused as a whole."""
    if not text:
        raise refusal(key, "was never published")
    if len(text) > largest_offer(owns):
        raise refusal(key, too_long(len(text), largest_offer(owns)))
    table = decode(key, text)
    if table.get("interval") != interval:
        raise refusal(key, f"is for interval {shown(table.get('interval'))}; expected {interval}")
    rows = table.get("offers")
    if not isinstance(rows, list):
        raise refusal(key, "lacks a list of offers")
    if len(rows) > OFFERS_EACH * max(owns, 1):
        raise refusal(key, f"has {len(rows)} offers; expected one for each of {owns} resources")
    return rows


def _offer(
    row: Any,
    federate: str,
    resources: Mapping[str, Resource],
    demand_kw: Mapping[str, float],
    ratios: Mapping[str, float],
    accepted: Mapping[str, Offer],
) -> Offer:
    """Build one offer, with the reactive power that goes with a load's; ValueError says why it is refused."""
    if not isinstance(row, dict):
        raise ValueError("an offer is not a JSON object")
    name = row.get("resource")
    resource = resources.get(name) if isinstance(name, str) else None
    if resource is None:
        raise ValueError(f"offers unknown resource {shown(name)}")
    if resource.owner != federate:
        raise ValueError(f"offers {name!r}, which belongs to {resource.owner!r}")
    if name in accepted:
        raise ValueError(f"offers {name!r} twice")
    offer = _typed(row, resource.name)
    if resource.load and offer.reactive_ratio is None:
        offer = replace(offer, reactive_ratio=ratios[resource.load])
    limit = demand_kw[resource.load] if resource.load else resource.kw_max
    back = max(limit, resource.kw_more)
    _check_limits(offer, limit * (1 + _SLACK) + _SLACK, back * (1 + _SLACK) + _SLACK)
    return offer if resource.load else _within_rating(offer, resource.kva_max)


def _within_rating(offer: Offer, kva: float) -> Offer:
    """Keep an offer within the rating of its resource, which it may leave out; ValueError when it cannot."""
    real = max(abs(offer.p_min_kw), abs(offer.p_max_kw))
    if offer.reactive_ratio is None:
        return replace(offer, s_max_kva=min(offer.s_max_kva, kva))
    reach = real * math.hypot(1.0, offer.reactive_ratio)
    if reach > kva * (1 + _SLACK) + _SLACK:
        raise ValueError(f"{offer.resource!r} offers {reach:g} kVA; it has {kva:g} kVA")
    return offer


def shown(value: Any) -> str:
    """Text of somebody else's value, cut to what a record can bear."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _typed(row: Mapping[str, Any], name: str) -> Offer:
    """Build the offer from numbers alone."""
    for field, value in row.items():
        if field not in OFFER_FIELDS:
            raise ValueError(f"offer of {name!r} has unknown field {shown(field)}")
        if field not in WORDS and not _is_number(value):
            raise ValueError(f"{field} of {name!r} is {shown(value)}; expected a finite number")
    missing = {"p_min_kw", "p_max_kw", "cost_linear"} - set(row)
    if missing:
        raise ValueError(f"offer of {name!r} lacks {', '.join(sorted(missing))}")
    numbers: dict[str, Any] = {name: float(value) for name, value in row.items() if name not in WORDS}
    ahead = read_ahead(row["ahead"]) if row.get("ahead") is not None else None
    capacity = read_capacity(row["capacity"]) if row.get("capacity") is not None else None
    return Offer(name, **numbers, ahead=ahead, market=row.get("market", "retail"), capacity=capacity)


def _is_number(value: Any) -> bool:
    """Tell whether a value of JSON is a number that a double can hold."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < _LARGEST_INTEGER
    return isinstance(value, float) and math.isfinite(value)


def _check_limits(offer: Offer, kw: float, back_kw: float) -> None:
    """Raise ValueError when limits are crossed, beyond `kw`, or a cost is absurd or not convex.

    `back_kw` is what may be drawn: by a load, beyond its demand.
    """
    name = offer.resource
    if offer.p_min_kw > offer.p_max_kw or offer.q_min_kvar > offer.q_max_kvar:
        raise ValueError(f"limits of {name!r} are crossed")
    low, high = reach_of(offer)
    if high > kw or low < -back_kw:
        raise ValueError(f"{name!r} offers {low:g} to {high:g} kW; it has {kw:g} kW")
    if abs(offer.cost_linear) > LARGEST_COST or not 0.0 <= offer.cost_quadratic <= LARGEST_COST:
        raise ValueError(f"cost of {name!r} is absurd: {offer.cost_linear:g}, {offer.cost_quadratic:g}")
    if offer.s_max_kva <= 0.0:
        raise ValueError(f"apparent power limit of {name!r} is {offer.s_max_kva:g} kVA")


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_STATUS: Final[Mapping[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("interval", "trials", "iterations", "tap_changes"), _is_number),
    **dict.fromkeys(("converged", "head_open"), _is_flag),
    "stage": lambda value: value in get_args(Stage),
    "clipped": lambda value: isinstance(value, list | tuple) and all(isinstance(name, str) for name in value),
}
"""What each field of a feeder's status has to be: a text is true whatever it says."""
