"""How much of somebody else's text is looked at."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, TypeGuard

from dlmp_cosim.feeders.network import Network

OFFER_BYTES, OFFER_BYTES_EACH = 4096, 8192
"""Room for an offer text, and for each resource of its owner [bytes]; one of ours takes about 170, and a
thousand more with limits of 35 steps ahead."""

LARGEST_NUMBER: Final = 1e15
"""No sound number of a message is larger [its unit]."""


def is_sound(value: Any) -> bool:
    """Tell whether what JSON gave is a number that one can go by: finite, and not absurd."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER


def is_count(value: Any, least: int = 0) -> TypeGuard[int]:
    """Tell whether what JSON gave is a whole number of at least `least`, and no flag."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def sound_number(where: str, value: Any) -> float:
    """Take a number of a message; ValueError when it is none.

    Parameters
    ----------
    where : str
        Its name, for messages.
    value : object
        As JSON gives it.
    """
    if not is_sound(value):
        raise ValueError(f"{where} is {str(value)[:80]!r}; expected a finite number")
    return float(value)


def largest_offer(resources: int) -> int:
    """Longest offer text of an owner of so many resources that is read [bytes]."""
    return OFFER_BYTES + OFFER_BYTES_EACH * resources


def owned(network: Network) -> Counter[str]:
    """Resources that each federate owns."""
    return Counter(resource.owner for resource in network.resources)


def too_long(size: int, most: int) -> str:
    """Say that a text is not read for its length [bytes].

    Parameters
    ----------
    size : int
        Length of the text [bytes].
    most : int
        Length up to which it would be read [bytes].
    """
    return f"has {size} bytes; expected at most {most}"
