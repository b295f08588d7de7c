"""A round of the ancillary market: what it asks of the feeders, quote by quote, and which awards hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.ancillary.products import Awards, Capacity, Need, Product
from dlmp_cosim.market.ancillary.quotes import Quote

SETTLED = 1e-6
"""Share of the cost by which awards may be off the optimum."""
LEAST_USD = 1e-4
"""What they may be off in any case [$/h]."""
SAME_KW = 0.05
"""Difference of awards that counts as none [kW]: what agents negotiate is rough in its last digits."""


class CapacityRound:
    """Finds the awards of one round.

    Parameters
    ----------
    needs : sequence of Need
        What the substation needs in this interval.
    awards : dict
        Awards that hold at the start, for which the first quotes are.
    prices : mapping of str to float, optional
        Prices that they were found at.

    Attributes
    ----------
    awards : dict
        Awards that hold now.
    prices : dict of str to float
        Price of every product [$/MW for an hour].
    held : bool
        Whether the awards that the round began with hold.
    """

    def __init__(
        self, needs: Sequence[Need], awards: Awards, prices: Mapping[Product, float] | None = None
    ) -> None:
        self._needs = [need for need in needs if need.kw > 0.0]
        self.awards, self._asked, self._best = awards, awards, float("inf")
        self.prices: dict[Product, float] = {
            need.product: (prices or {}).get(need.product, 0.0) for need in needs
        }
        self.held = False
        self._quotes: dict[str, list[Quote]] = {}

    def hear(self, quotes: Mapping[str, Quote], *, last: bool) -> Awards | None:
        """Take in quotes for the awards asked for, and ask for others; None when `awards` hold.

        Parameters
        ----------
        quotes : mapping of str to Quote
            What every feeder says.
        last : bool
            Whether this is the last exchange: the best awards known have to do.
        """
        if not self._needs:
            self.held = not any(self.awards.values())
            self.awards = {}
            return None
        # Clarabel and SciPy load here, for most substations have no need of them.
        from dlmp_cosim.market.ancillary.program import Program

        first = not self._quotes
        for name, quote in quotes.items():
            self._quotes.setdefault(name, []).append(quote)
        terms = {
            name: {seller.resource: seller.capacity for seller in quote.sellers}
            for name, quote in quotes.items()
        }
        spent = sum(quote.cost for quote in quotes.values())
        spent += capacity_cost(self._needs, self._asked, terms)
        if spent < self._best:
            self._best, self.awards = spent, self._asked
        try:
            answer = Program(self._needs, self._quotes).solve()
        except ClearingError:
            # The best awards known stand; the round does not count as held, and the record says so.
            return None
        self.prices |= answer.prices
        near = self._best - answer.cost <= max(SETTLED * abs(self._best), LEAST_USD)
        if near or (spent == self._best and farthest(self._asked, answer.awards) <= SAME_KW):
            self.held = first
            return None
        if last:
            return None
        self._asked = answer.awards
        return self._asked


def capacity_cost(
    needs: Sequence[Need], awards: Awards, terms: Mapping[str, Mapping[str, Capacity]]
) -> float:
    """Cost of capacity, and of what the requirements miss [$/h].

    Parameters
    ----------
    needs : sequence of Need
        Requirements.
    awards : dict
        Capacity by feeder and resource [kW].
    terms : mapping of str to mapping of str to Capacity
        What is asked for it, by feeder and resource; awards of others do not count.
    """
    spent, got = 0.0, dict.fromkeys((need.product for need in needs), 0.0)
    for name, sellers in terms.items():
        for resource, asked in sellers.items():
            for product, kw in awards.get(name, {}).get(resource, {}).items():
                spent += (asked.price(product) or 0.0) * kw / 1e3
                got[product] += kw
    missed = ((max(need.kw - got[need.product], 0.0), need.cap) for need in needs)
    return spent + sum(kw * cap for kw, cap in missed) / 1e3


def procured(awards: Awards, product: Product) -> float:
    """Capacity of a product that was awarded in all [kW]."""
    return sum(award.get(product, 0.0) for feeder in awards.values() for award in feeder.values())


def farthest(one: Awards, other: Awards) -> float:
    """Largest difference of any award of two [kW]."""
    tables = [
        {
            (f, r, p): kw
            for f, feeder in item.items()
            for r, award in feeder.items()
            for p, kw in award.items()
        }
        for item in (one, other)
    ]
    keys = tables[0].keys() | tables[1].keys()
    return max((abs(tables[0].get(key, 0.0) - tables[1].get(key, 0.0)) for key in keys), default=0.0)
