"""What an offer sells to the ancillary market, as JSON and back."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import Any, Final

from dlmp_cosim.federates.contract.limits import sound_number
from dlmp_cosim.feeders.errors import nearest_name
from dlmp_cosim.market.ancillary.products import Capacity

NAMES: Final = tuple(field.name for field in fields(Capacity))


def capacity_row(capacity: Capacity) -> dict[str, float]:
    """Write it as a JSON object; what says nothing is left out."""
    return {name: value for name, value in asdict(capacity).items() if value not in (None, math.inf)}


def read_capacity(value: Any) -> Capacity:
    """Read what an offer says under ``capacity``; ValueError says what is wrong with it.

    Parameters
    ----------
    value : object
        As JSON gives it.
    """
    if not isinstance(value, dict):
        raise ValueError("capacity is not a JSON object")
    for name in value:
        if name not in NAMES:
            near = nearest_name(str(name), NAMES)
            hint = f", did you mean {near!r}?" if near else f"; expected one of {', '.join(NAMES)}"
            raise ValueError(f"capacity has unknown field {str(name)[:80]!r}{hint}")
    return Capacity(**{name: sound_number(f"capacity.{name}", number) for name, number in value.items()})
