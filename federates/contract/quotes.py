"""Quotes of markets to the ancillary market of their substation, as JSON and back."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import Any, Final

from dlmp_cosim.federates.contract.capacity import capacity_row, read_capacity
from dlmp_cosim.federates.contract.limits import sound_number
from dlmp_cosim.federates.runtime.link import refusal
from dlmp_cosim.market.ancillary.quotes import Quote, Seller

ENERGY: Final = ("give_kw", "take_kw")
"""Numbers that a seller without a store leaves out."""
NUMBERS: Final = tuple(
    field.name for field in fields(Seller) if field.name not in ("resource", "capacity", *ENERGY)
)


def quote_row(quote: Quote) -> dict[str, Any]:
    """Write it as a JSON object."""
    return {
        "cost": quote.cost,
        "sellers": [_row(item) for item in quote.sellers],
    }


def _row(seller: Seller) -> dict[str, Any]:
    row = {**asdict(seller), "capacity": capacity_row(seller.capacity)}
    return {name: value for name, value in row.items() if name not in ENERGY or value < math.inf}


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
        return Quote(sound_number("cost", value["cost"]), tuple(_seller(row) for row in value["sellers"]))
    except (KeyError, TypeError, ValueError) as error:
        raise refusal(key, f"has a quote that cannot be read: {error}") from None


def _seller(row: Any) -> Seller:
    numbers = {name: sound_number(name, row[name]) for name in NUMBERS}
    numbers |= {name: sound_number(name, row[name]) for name in ENERGY if name in row}
    return Seller(resource=str(row["resource"]), **numbers, capacity=read_capacity(row["capacity"]))
