"""Quotes of markets to the ancillary market of their substation, as JSON and back."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from dlmp_cosim.federates.contract.capacity import capacity_row, read_capacity
from dlmp_cosim.federates.runtime.link import refusal
from dlmp_cosim.market.ancillary.quotes import Quote, Seller

NUMBERS = tuple(field.name for field in fields(Seller) if field.name not in ("resource", "capacity"))


def quote_row(quote: Quote) -> dict[str, Any]:
    """Write it as a JSON object."""
    return {
        "cost": quote.cost,
        "sellers": [{**asdict(item), "capacity": capacity_row(item.capacity)} for item in quote.sellers],
    }


def read_quote(key: str, value: Any) -> Quote:
    """Read a quote; FederationError when it lacks something.

    Parameters
    ----------
    key : str
        Topic that it came with.
    value : object
        As JSON gives it.
    """
    try:
        return Quote(float(value["cost"]), tuple(_seller(row) for row in value["sellers"]))
    except (KeyError, TypeError, ValueError) as error:
        raise refusal(key, f"has a quote that cannot be read: {error}") from None


def _seller(row: Any) -> Seller:
    numbers = {name: float(row[name]) for name in NUMBERS}
    return Seller(resource=str(row["resource"]), **numbers, capacity=read_capacity(row["capacity"]))
