"""What the ancillary market trades: products that a substation needs, and what a resource offers of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, get_args

Product = Literal["regulation_up", "regulation_down", "reserve"]
PRODUCTS: Final[tuple[Product, ...]] = get_args(Product)
UPWARDS: Final[tuple[Product, ...]] = ("regulation_up", "reserve")
"""Products whose call is for more power towards the grid; the other is for less."""
LARGEST_PRICE: Final = 1e5
"""Largest price of capacity or of called energy that counts as meant [$/MWh]."""


@dataclass(frozen=True)
class Capacity:
    """What a resource offers beside energy; a product without a price is not sold.

    Attributes
    ----------
    regulation_up, regulation_down, reserve : float or None
        Price of capacity [$ for a MW held for an hour].
    called : float or None
        What called energy is to be paid [$/MWh]; None for the d-LMP, as for any other energy.
    ramp_kw_per_minute : float
        How fast it follows a call [kW/min].
    p_min_kw, p_max_kw : float or None
        Least and most power that it can be called to [kW]; None for the limits of its energy.
    up_kwh, down_kwh : float
        Energy that stands behind what it sells, at its terminals: what it can still give, and what it can
        still take [kWh].
    """

    regulation_up: float | None = None
    regulation_down: float | None = None
    reserve: float | None = None
    called: float | None = None
    ramp_kw_per_minute: float = math.inf
    p_min_kw: float | None = None
    p_max_kw: float | None = None
    up_kwh: float = math.inf
    down_kwh: float = math.inf

    def price(self, product: Product) -> float | None:
        """Price of a product [$/MW for an hour]; None where it is not sold."""
        found: float | None = getattr(self, product)
        return found


@dataclass(frozen=True)
class Need:
    """What the substation needs of a product in an interval.

    Attributes
    ----------
    product : str
        Which product.
    kw : float
        Requirement [kW].
    minutes : float
        Time within which called energy has to be there [min].
    cap : float
        Price at which the requirement gives way [$/MW for an hour].
    lasts : float
        How long it may be called, this interval with it [intervals, at least 1].
    """

    product: Product
    kw: float
    minutes: float
    cap: float
    lasts: float = 1.0


Award = dict[Product, float]
"""Capacity of one resource by product [kW]."""
Awards = dict[str, dict[str, Award]]
"""Capacity by feeder and resource."""


def held_of(award: Award) -> tuple[float, float]:
    """Room that an award keeps free above and below the energy of its resource [kW]."""
    up = sum(kw for product, kw in award.items() if product in UPWARDS)
    return up, sum(award.values()) - up


def reason_against_capacity(capacity: Capacity) -> str:
    """Why an offer of capacity cannot be cleared; empty when it can."""
    prices = {name: capacity.price(name) for name in PRODUCTS}
    for name, price in prices.items():
        if price is not None and not 0.0 <= price <= LARGEST_PRICE:
            return f"its price of {name} is {price:g}; expected 0 to {LARGEST_PRICE:g}"
    if capacity.called is not None and not abs(capacity.called) <= LARGEST_PRICE:
        return f"its price of called energy is {capacity.called:g}; expected at most {LARGEST_PRICE:g}"
    if not capacity.ramp_kw_per_minute > 0.0:
        return f"its ramp is {capacity.ramp_kw_per_minute:g} kW/min; expected more than 0"
    for kwh in ("up_kwh", "down_kwh"):
        if not getattr(capacity, kwh) >= 0.0:
            return f"its {kwh} is {getattr(capacity, kwh):g}; expected 0 or more"
    return ""
