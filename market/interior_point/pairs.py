"""How a slack and its price follow a step, and how far a pair is from where it belongs."""

from __future__ import annotations

from dlmp_cosim.market.problem.compiled import compiled

KEPT = 0.1
"""Share of itself that a slack or a price keeps at least in one step."""
LEAST_SHARE = 1e-4
"""Share of its goal below which a pair's product does not fall: two small numbers would not find back."""


@compiled
def follow(slack: float, price: float, new_slack: float, new_price: float, t: float) -> tuple[float, float]:
    """Move a pair as far as both stay positive, and no nearer to the corner than its product allows."""
    slack = max(new_slack, KEPT * slack)
    price = max(new_price, KEPT * price)
    least = LEAST_SHARE * t
    if slack * price < least:
        if slack < price:
            return least / price, price
        return slack, least / slack
    return slack, price


@compiled
def off_centre(slack: float, price: float, t: float) -> tuple[float, float]:
    """How far the smaller one of a pair is from where their product is `t`; the other one counts as right."""
    if slack < price:
        return abs(slack - t / price), 0.0
    return 0.0, abs(price - t / slack)
