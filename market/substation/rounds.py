"""A round of all feeders at a substation: what it asks of them, exchange by exchange, and what holds then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlmp_cosim.market.substation.curve import HeadCurve
from dlmp_cosim.market.substation.limits import SharedLimit, adder_range, excess
from dlmp_cosim.market.substation.search import Sample, Search

SHARPER = 5.0
"""How much closer a search gets to a limit than what counts as held: rounds later in the interval move it."""


@dataclass(frozen=True)
class Said:
    """What one feeder says in an exchange.

    Attributes
    ----------
    head_kw : float
        Power that it draws at the adder that holds [kW].
    heads : mapping of float to float
        Power at each adder that was asked for [kW].
    curve : HeadCurve or None
        What it expects around the adder that holds; None where it does not follow the price.
    """

    head_kw: float
    heads: Mapping[float, float]
    curve: HeadCurve | None


@dataclass(frozen=True)
class Tolerances:
    """What counts as held [kW], and as the same adder [$/MWh]."""

    kw: float
    price: float


class AdderRound:
    """Finds the adder of one round.

    Parameters
    ----------
    limits : sequence of SharedLimit
        What the feeders share.
    adder : float
        Adder that holds at the start [$/MWh].
    tolerances : Tolerances
        What counts as held.

    Attributes
    ----------
    adder : float
        Adder that holds now [$/MWh].
    held : bool
        Whether the limits were held at the adder that the round began with.
    """

    def __init__(self, limits: Sequence[SharedLimit], adder: float, tolerances: Tolerances) -> None:
        self._limits, self._tolerances = limits, tolerances
        self.adder = adder
        self.held = False
        self._search: Search | None = None

    def hear(self, said: Sequence[Said], *, last: bool) -> tuple[float, ...]:
        """Take in what all feeders say, and return the adders to ask for; none when `adder` holds.

        Parameters
        ----------
        said : sequence of Said
            What each feeder says.
        last : bool
            Whether this is the last exchange of the round: the best adder known has to do.
        """
        if self._search is None:
            beyond = self._excess(self.adder, sum(item.head_kw for item in said))
            self.held = abs(beyond) <= self._tolerances.kw
            if self.held or last:
                return ()
            self._search = Search.start(
                Sample(self.adder, beyond),
                adder_range(self._limits),
                self._tolerances.kw / SHARPER,
                self._tolerances.price,
            )
        else:
            asked = sorted(set.intersection(*(set(item.heads) for item in said)))
            totals = [(adder, sum(item.heads[adder] for item in said)) for adder in asked]
            self._search = self._search.learn(
                [Sample(adder, self._excess(adder, total)) for adder, total in totals]
            )
        if self._search.done or last:
            self.adder = self._search.best.adder
            return ()
        return self._search.propose(lambda adder: self._expected(said, adder))

    def _excess(self, adder: float, kw: float) -> float:
        return excess(self._limits, adder, kw)

    def _expected(self, said: Sequence[Said], adder: float) -> float:
        """Excess that the feeders' own curves expect at an adder [kW]."""
        total = sum(item.head_kw if item.curve is None else item.curve.at(adder) for item in said)
        return self._excess(adder, total)
