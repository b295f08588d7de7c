"""Limits on the power that feeders draw together, and what each is worth at most.

A limit on the sum is soft: its price rises until it is held, up to a cap. With several limits the price is
the sum of those that bind, a nondecreasing function of the power drawn; its inverse says which powers go
with an adder, which is all that a search for the adder needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Cause = Literal["rating", "import", "export", "ramp_up", "ramp_down", "peak"]


@dataclass(frozen=True)
class SharedLimit:
    """A limit on the real power that all feeders draw together.

    Attributes
    ----------
    cause : str
        What limits.
    kw : float
        The limit, positive towards the feeders [kW].
    cap : float
        Price at which it gives way [$/MWh].
    above : bool
        Whether power above it is too much; otherwise power below it.
    """

    cause: Cause
    kw: float
    cap: float
    above: bool = True


@dataclass(frozen=True)
class SharedRules:
    """What feeders share, as a scenario says it; None where there is no such limit.

    Attributes
    ----------
    rating_kva : float or None
        Rating of the transformer, both ways [kVA].
    import_max_kw, export_max_kw : float or None
        Most that may be drawn and fed back [kW].
    ramp_kw_per_minute : float or None
        Fastest change from interval to interval [kW/min].
    peak_target_kw : float or None
        Power that is not to be exceeded unless it costs more than `peak_price` [kW].
    peak_price : float
        What a MWh above the target is worth avoiding [$/MWh].
    penalty : float
        Price at which any other limit gives way [$/MWh].
    margin_kw : float
        How far inside the limits the feeders stay [kW].
    """

    rating_kva: float | None = None
    import_max_kw: float | None = None
    export_max_kw: float | None = None
    ramp_kw_per_minute: float | None = None
    peak_target_kw: float | None = None
    peak_price: float = 0.0
    penalty: float = 1000.0
    margin_kw: float = 0.0


def limits_of(
    rules: SharedRules, kvar: float, before_kw: float | None, minutes: float
) -> tuple[SharedLimit, ...]:
    """State the limits of one interval.

    Parameters
    ----------
    rules : SharedRules
        What feeders share.
    kvar : float
        Reactive power that they draw together, which a rating in kVA leaves room beside [kvar].
    before_kw : float or None
        Power drawn in the interval before; None in the first, which has no ramp [kW].
    minutes : float
        Length of the interval [min].
    """
    found: list[SharedLimit] = []
    cap, inside = rules.penalty, rules.margin_kw
    if rules.rating_kva is not None:
        room = math.sqrt(max(rules.rating_kva**2 - kvar**2, 0.0)) - inside
        found += [SharedLimit("rating", room, cap), SharedLimit("rating", -room, cap, above=False)]
    if rules.import_max_kw is not None:
        found.append(SharedLimit("import", rules.import_max_kw - inside, cap))
    if rules.export_max_kw is not None:
        found.append(SharedLimit("export", inside - rules.export_max_kw, cap, above=False))
    if rules.ramp_kw_per_minute is not None and before_kw is not None:
        most = rules.ramp_kw_per_minute * minutes - inside
        found.append(SharedLimit("ramp_up", before_kw + most, cap))
        found.append(SharedLimit("ramp_down", before_kw - most, cap, above=False))
    if rules.peak_target_kw is not None and rules.peak_price:
        found.append(SharedLimit("peak", rules.peak_target_kw - inside, rules.peak_price))
    return tuple(found)


def adder_range(limits: Sequence[SharedLimit]) -> tuple[float, float]:
    """Least and largest adder that the limits can bring about [$/MWh]."""
    return -sum(limit.cap for limit in limits if not limit.above), sum(
        limit.cap for limit in limits if limit.above
    )


def allowed(limits: Sequence[SharedLimit], adder: float) -> tuple[float, float]:
    """Powers that go with an adder [kW]: those at which the limits that bind are worth it together.

    Without an adder every power between the limits will do; with a positive one the power is at the limit
    whose price it is, with less than all of them capped.
    """
    if adder == 0.0:
        low = max((limit.kw for limit in limits if not limit.above), default=-math.inf)
        high = min((limit.kw for limit in limits if limit.above), default=math.inf)
        return min(low, high), high
    above = adder > 0.0
    ordered = sorted(
        (limit for limit in limits if limit.above == above), key=lambda limit: limit.kw, reverse=not above
    )
    paid = 0.0
    for k, limit in enumerate(ordered):
        paid += limit.cap
        beyond = ordered[k + 1].kw if k + 1 < len(ordered) else math.copysign(math.inf, adder)
        if abs(adder) < paid:
            return limit.kw, limit.kw
        if abs(adder) == paid:
            return min(limit.kw, beyond), max(limit.kw, beyond)
    return (math.inf, math.inf) if above else (-math.inf, -math.inf)


def excess(limits: Sequence[SharedLimit], adder: float, kw: float) -> float:
    """How far a power is above what goes with an adder; negative below it [kW]."""
    low, high = allowed(limits, adder)
    return kw - min(max(kw, low), high)


def binding(limits: Sequence[SharedLimit], adder: float) -> SharedLimit | None:
    """Limit that an adder holds, the last where several are worth it together; None without an adder."""
    ordered = sorted(
        (limit for limit in limits if adder and limit.above == (adder > 0.0)),
        key=lambda limit: limit.kw,
        reverse=adder < 0.0,
    )
    paid = 0.0
    for limit in ordered:
        paid += limit.cap
        if abs(adder) <= paid:
            return limit
    return ordered[-1] if ordered else None


def shared_cost(limits: Sequence[SharedLimit], kw: float) -> float:
    """Penalty of the limits that a power exceeds [$/h]."""
    beyond = ((kw - limit.kw if limit.above else limit.kw - kw, limit.cap) for limit in limits)
    return sum(max(over, 0.0) * cap for over, cap in beyond) / 1e3
