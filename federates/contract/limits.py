"""How much of somebody else's text is looked at."""

from __future__ import annotations

from collections import Counter

from dlmp_cosim.feeders.network import Network

OFFER_BYTES, OFFER_BYTES_EACH = 4096, 8192
"""Room for an offer text, and for each resource of its owner [bytes]; one of ours takes about 170, and a
thousand more with limits of 35 steps ahead."""


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
