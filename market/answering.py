"""Any market against a wholesale price that answers: price and quantity are brought to agree.

The market takes the price at the head as given, as every buyer among many does. What it draws never rises
with that price, and the price on the supply curve never falls with what is drawn, so the two meet once. They
are brought together by clearings at trial prices: the price tried and the one that its quantity calls for
have the meeting point between them, and false position inside that bracket, which only shrinks, finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import ComplexArray
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.horizon.outlook import Outlook
from dlmp_cosim.market.models import LookingAhead, RetailMarket
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.supply import SupplyCurve

SETTLED = 1e-3
"""Distance of the settled price from the supply curve at the settled quantity that counts as none [$/MWh]."""
HALVINGS = 50
"""Of a share between two clearings: down to rounding."""
TRIES = 40
"""Clearings after which prices count as not agreed: the bracket has been halved often enough by then."""


@dataclass(frozen=True)
class Trial:
    """A clearing at a trial price.

    Attributes
    ----------
    rise : float
        Rise of the LMP that was tried [$/MWh].
    above : float
        How far that is above the rise that the quantity calls for [$/MWh].
    clearing : Clearing
        What was cleared.
    """

    rise: float
    above: float
    clearing: Clearing


class AnsweringMarket:
    """Clears another market where its price and its quantity lie on the supply curve.

    Parameters
    ----------
    market : RetailMarket
        The market that takes prices as given.
    curve : SupplyCurve
        How the LMP answers.
    """

    def __init__(self, market: RetailMarket, curve: SupplyCurve) -> None:
        self._market, self._curve, self._rise = market, curve, 0.0
        self._outlook, self._expected = Outlook(()), 0.0

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Clear one interval; `price` is the LMP before it answers.

        Parameters
        ----------
        state : AcState
            Last AC state, the prediction.
        demand : ndarray, shape (n_load,)
            Demand at nominal voltage before curtailment [kVA].
        offers : sequence of Offer
            Accepted offers.
        price : WholesalePrice
            LMP at the head as published, before it answers [$/MWh].

        Raises
        ------
        ClearingError
            When the market cannot clear, or price and quantity do not agree.
        """
        return self._settle(price, lambda at: self._market.clear(state, demand, offers, at))

    def clear_ahead(self, state: AcState, outlook: Outlook, offers: Sequence[Offer]) -> Clearing:
        """Clear a horizon: the price of the interval answers; later ones are expected with the last rise.

        Parameters
        ----------
        state : AcState
            AC state of the first step.
        outlook : Outlook
            The steps, the interval itself first; prices as published, before they answer.
        offers : sequence of Offer
            Accepted offers, with what they say of later steps.

        Raises
        ------
        ClearingError
            When the market cannot clear, or price and quantity do not agree.
        """
        if outlook is not self._outlook:
            self._outlook, self._expected = outlook, self._rise
        ahead, first = cast("LookingAhead", self._market), outlook.steps[0]
        later = tuple(
            replace(step, price=replace(step.price, lmp=step.price.lmp + self._expected))
            for step in outlook.steps[1:]
        )

        def clear(at: WholesalePrice) -> Clearing:
            return ahead.clear_ahead(state, Outlook((replace(first, price=at), *later)), offers)

        return self._settle(first.price, clear)

    def _settle(self, price: WholesalePrice, clear: Callable[[WholesalePrice], Clearing]) -> Clearing:
        """Bring price and quantity together, from the last rise on."""

        def attempt(rise: float) -> Trial:
            clearing = clear(replace(price, lmp=price.lmp + rise))
            return Trial(rise, rise - self._curve.rise_at(drawn(clearing)), clearing)

        found = agree(attempt, self._rise, self._curve.rise_at)
        self._rise = found.rise
        return replace(found.clearing, head_price=price.lmp + found.rise)


def agree(attempt: Callable[[float], Trial], start: float, rise_at: Callable[[float], float]) -> Trial:
    """Find the trial whose price is the one that its quantity calls for.

    Parameters
    ----------
    attempt : callable
        Clears at a rise of the LMP [$/MWh].
    start : float
        Rise to begin with.
    rise_at : callable
        Rise that a quantity calls for, from kW.

    Raises
    ------
    ClearingError
        When they do not agree.
    """
    low: Trial | None = None
    high: Trial | None = None
    at_low = at_high = 0.0
    side, reach, tried = 0, 1.0, attempt(start)
    for _ in range(TRIES):
        if abs(tried.above) <= SETTLED or tried.clearing.status == "failed":
            return tried
        now = -1 if tried.above < 0 else 1
        # An end that stays twice counts half as much, so that both ends close in.
        if now < 0:
            low, at_low, at_high = tried, tried.above, at_high / 2 if side == now else at_high
        else:
            high, at_high, at_low = tried, tried.above, at_low / 2 if side == now else at_low
        side = now
        if low is None or high is None:
            tried, reach = attempt(tried.rise - reach * tried.above), 2 * reach
        elif high.rise - low.rise <= SETTLED:
            return _between(low, high, rise_at)
        else:
            tried = attempt((low.rise * at_high - high.rise * at_low) / (at_high - at_low))
    raise ClearingError(
        f"the LMP and what the feeder draws do not agree after {TRIES} clearings; the last price was "
        f"{abs(tried.above):.2g} $/MWh off the supply curve"
    )


def _between(low: Trial, high: Trial, rise_at: Callable[[float], float]) -> Trial:
    """Mix two clearings at prices that are the same but for tolerance, where the quantity jumps between them.

    Both are optima at that price, and so is what lies between; the mixture lies on the supply curve.
    """
    a, b = low.clearing, high.clearing
    none, whole = 0.0, 1.0
    for _ in range(HALVINGS):
        share = (none + whole) / 2
        above = low.rise - rise_at(drawn(a) + share * (drawn(b) - drawn(a)))
        none, whole = (share, whole) if above < 0 else (none, share)
    mixed = replace(
        a,
        dispatch=a.dispatch + share * (b.dispatch - a.dispatch),
        voltage=a.voltage + share * (b.voltage - a.voltage),
        power=a.power + share * (b.power - a.power),
        head=a.head + share * (b.head - a.head),
        losses_kw=a.losses_kw + share * (b.losses_kw - a.losses_kw),
        cost=a.cost + share * (b.cost - a.cost),
    )
    return replace(low, clearing=mixed)


def drawn(clearing: Clearing) -> float:
    """Power that a clearing expects at the head [kW]."""
    return float(clearing.head.real.sum())
