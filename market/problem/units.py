"""Units and least prices that every model shares."""

from __future__ import annotations

from typing import Final

from dlmp_cosim.market.offers import WholesalePrice

LEAST_PRICE_UNIT: Final = 10.0
"""Smallest price that scales the cost [$/MWh]; keeps a zero LMP from dividing by zero."""
LEAST_DAMPED_PRICE: Final = 0.1
"""Price of losses below which damping falls no further [$/MWh]: flat powers still have one answer."""


def cost_unit(price: WholesalePrice, power_kw: float) -> float:
    """Cost of one unit of a problem's objective: that of its unit of power for an hour [$/h].

    Parameters
    ----------
    price : WholesalePrice
        Price at the head [$/MWh].
    power_kw : float
        Unit of power of the problem [kW].
    """
    return max(abs(price.lmp), LEAST_PRICE_UNIT) * power_kw / 1e3


def damped_price(price: WholesalePrice) -> float:
    """Price of losses that damping goes by [$/MWh].

    Where the price is negative losses are welcome: the cost curves downwards, and its tangent is safe.
    """
    return max(price.lmp, LEAST_DAMPED_PRICE)
