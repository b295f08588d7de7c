"""What resources offer to the market for one interval."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Offer:
    """Limits and cost of one resource for one interval; powers are positive towards the grid.

    The cost of running at p kW is ``(cost_linear * p + cost_quadratic * p**2 / 2) / 1000`` $/h, so the marginal
    cost is ``cost_linear + cost_quadratic * p`` $/MWh.

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
        Reactive power limits [kvar].
    s_max_kva : float
        Apparent power limit [kVA].
    reactive_ratio : float or None
        When set, reactive power is this many kvar per kW of real power and the limits above do not apply.
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


@dataclass(frozen=True)
class WholesalePrice:
    """Locational marginal price at the feeder head, taken as given.

    Attributes
    ----------
    lmp : float
        Total price [$/MWh]: the sum of the three parts.
    energy, congestion, loss : float
        Its parts [$/MWh].
    reactive : float
        Price of reactive power at the head [$/(MVAR*h)].
    """

    lmp: float
    energy: float = math.nan
    congestion: float = 0.0
    loss: float = 0.0
    reactive: float = 0.0
