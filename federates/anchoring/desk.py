"""The ancillary desk of a substation: what it needs and calls, and what came of it, interval by interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlmp_cosim.federates.contract.topics import PRICE, Topic
from dlmp_cosim.federates.runtime.link import Value
from dlmp_cosim.federates.study.ancillary import AncillaryPlan
from dlmp_cosim.market.ancillary.calls import calls_of, delivered_of, set_point, shares_called
from dlmp_cosim.market.ancillary.products import PRODUCTS, Awards, Need, Product
from dlmp_cosim.market.ancillary.quotes import Quote, Seller, room_of
from dlmp_cosim.market.ancillary.rounds import procured

Responses = Mapping[str, Mapping[str, float]]
"""Power that resources give beside their energy, by feeder and resource [kW]."""

DESK_TOPICS = (
    Topic("substation/schedule", "double", "kW", "", "what the markets bought together at the last gate"),
    Topic("substation/deviation", "double", "kW", "", "drawn beyond it, calls by a file aside"),
)
PRODUCT_TOPICS = tuple(
    topic
    for name in PRODUCTS
    for topic in (
        Topic(f"{name}/requirement", "double", "kW", "", f"capacity of {name} that is required"),
        Topic(f"{name}/procured", "double", "kW", "", f"capacity of {name} that was awarded"),
        Topic(f"{name}/price", "double", PRICE, "", f"price of {name} for a MW held for an hour"),
        Topic(f"{name}/called", "double", "kW", "", f"{name} that was called"),
        Topic(f"{name}/delivered", "double", "kW", "", f"{name} that was delivered"),
    )
)
"""What results of a substation with an ancillary market hold beside the rest."""


class Desk:
    """Keeps what was bought, and calls what was awarded when more or less is drawn.

    Parameters
    ----------
    plan : AncillaryPlan
        Products over the intervals.
    """

    def __init__(self, plan: AncillaryPlan) -> None:
        self._plan = plan
        self._schedule, self._imbalance, self._expected = 0.0, 0.0, 0.0
        self._called: Awards = {}

    def needs(self, interval: int) -> tuple[Need, ...]:
        """Return the requirements of an interval."""
        return self._plan.needs(interval)

    def calls(self, interval: int, awards: Awards, expected_kw: float) -> Awards:
        """Say what is called in an interval, by what was drawn until now and by signals [kW].

        Parameters
        ----------
        interval : int
            Which interval.
        awards : dict
            Awards of the interval.
        expected_kw : float
            What the markets expect to draw together in the interval [kW].
        """
        # What is drawn now is bought anew at a gate: there is nothing to make up for then.
        imbalance = 0.0 if interval % self._plan.gate == 0 else self._left(expected_kw)
        if abs(imbalance) <= self._plan.section.band_kw:
            imbalance = 0.0
        there = {name: procured(awards, name) for name in PRODUCTS}
        shares = shares_called(there, imbalance, self._plan.signal(interval))
        self._called = calls_of(awards, shares)
        return self._called

    def close(
        self,
        interval: int,
        power: tuple[float, float],
        market: tuple[Awards, Mapping[Product, float]],
        quotes: Mapping[str, Quote | None],
        responses: Responses,
    ) -> tuple[dict[str, Value], dict[str, Any]]:
        """Take in how an interval went; the rows and the record that results keep of it.

        Parameters
        ----------
        interval : int
            Which interval.
        power : (float, float)
            What was drawn, and what the markets expected to draw together [kW].
        market : (dict, mapping)
            Awards [kW], and prices of the products [$/MW for an hour].
        quotes : mapping of str to Quote
            What every feeder quoted last.
        responses : mapping
            What resources gave beside their energy, positive towards the grid [kW].
        """
        drawn, expected = power
        awards, prices = market
        if interval % self._plan.gate == 0:
            self._schedule = expected
        given = {
            name: {
                resource: delivered_of(item, responses.get(name, {}).get(resource, 0.0))
                for resource, item in feeder.items()
            }
            for name, feeder in self._called.items()
        }
        by_file = {name: kw for name, kw in _sums(given).items() if name in self._plan.signals}
        deviation = drawn - self._schedule + set_point(by_file)
        rows: dict[str, Value] = {
            "substation/schedule": self._schedule, "substation/deviation": deviation
        }  # fmt: skip
        rows |= self._rows(interval, awards, prices, _sums(self._called), _sums(given))
        # What resources still give of earlier calls counts as well: it ends when they have come back.
        moved = sum(kw for feeder in responses.values() for kw in feeder.values())
        self._imbalance, self._expected = drawn - self._schedule + moved, expected
        return rows, {
            "awards": awards, "called": self._called, "delivered": given, "asked": _asked(awards, quotes),
        }  # fmt: skip

    def _left(self, expected_kw: float) -> float:
        """Say what is left of the measured imbalance, less what markets have made up for since [kW]."""
        since = expected_kw - self._expected
        if self._imbalance < 0.0:
            return min(max(self._imbalance, self._imbalance + since), 0.0)
        return max(min(self._imbalance, self._imbalance + since), 0.0)

    def _rows(
        self,
        interval: int,
        awards: Awards,
        prices: Mapping[Product, float],
        called: Mapping[Product, float],
        given: Mapping[Product, float],
    ) -> dict[str, Value]:
        required = {need.product: need.kw for need in self.needs(interval)}
        rows: dict[str, Value] = {}
        for name in PRODUCTS:
            numbers = (
                required.get(name, 0.0), procured(awards, name), prices.get(name, 0.0),
                called.get(name, 0.0), given.get(name, 0.0),
            )  # fmt: skip
            keys = ("requirement", "procured", "price", "called", "delivered")
            rows |= {f"{name}/{key}": value for key, value in zip(keys, numbers, strict=True)}
        return rows


def _asked(awards: Awards, quotes: Mapping[str, Quote | None]) -> dict[str, dict[str, float]]:
    """Prices that awarded resources ask for called energy, where they state one [$/MWh]."""
    found: dict[str, dict[str, float]] = {}
    for name, quote in quotes.items():
        for seller in quote.sellers if quote is not None else ():
            if seller.capacity.called is not None and seller.resource in awards.get(name, {}):
                found.setdefault(name, {})[seller.resource] = seller.capacity.called
    return found


def held_by(
    awards: Awards, sellers: Mapping[str, Sequence[Seller]], needs: Sequence[Need]
) -> dict[str, dict[str, tuple[float, float]]]:
    """Room that awards keep free, by feeder and resource [kW].

    Parameters
    ----------
    awards : dict
        Capacity by feeder and resource [kW].
    sellers : mapping of str to sequence of Seller
        Who sells at every feeder.
    needs : sequence of Need
        What is required of the products.
    """
    table = {(name, item.resource): item for name, found in sellers.items() for item in found}
    return {
        name: {key: room_of(table[name, key], award, needs) for key, award in feeder.items()}
        for name, feeder in awards.items()
    }


def called_by(called: Awards) -> dict[str, dict[str, float]]:
    """Set-points that calls make beside energy, by feeder and resource, positive towards the grid [kW]."""
    return {name: {key: set_point(item) for key, item in feeder.items()} for name, feeder in called.items()}


def _sums(table: Mapping[str, Mapping[str, Mapping[Product, float]]]) -> dict[Product, float]:
    """Sum up by product [kW]."""
    found: dict[Product, float] = {}
    for feeder in table.values():
        for item in feeder.values():
            for name, kw in item.items():
                found[name] = found.get(name, 0.0) + kw
    return found
