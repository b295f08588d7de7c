"""What every resource of a run offered, read from the offers on record."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dlmp_cosim.federates.contract.limits import is_sound
from dlmp_cosim.federates.contract.topics import OFFER_QUANTITY
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.money.flows import BoolArray

RETAIL = "retail"
WHOLESALE = '"wholesale"'
"""What an offer on record contains that takes part in the wholesale market."""


@dataclass(frozen=True)
class Offered:
    """Offers of a run, all of shape (n, n_resource); NaN where none is on record.

    Attributes
    ----------
    low, high : ndarray
        Real power limits [kW].
    linear : ndarray
        Marginal cost at 0 kW [$/MWh].
    quadratic : ndarray
        Rise of the marginal cost [$/MWh per kW].
    market : ndarray of str, or None
        Where each takes part; None where all of them take part in the retail market.
    """

    low: FloatArray
    high: FloatArray
    linear: FloatArray
    quadratic: FloatArray
    market: npt.NDArray[np.str_] | None = None


def read_offered(results: Results) -> Offered:
    """Read what every resource offered in every finished interval; only its owner's offers count.

    Raises
    ------
    ResultsError
        When a topic of offers cannot be read.
    """
    shape = (results.intervals, len(results.network.resources))
    low, high, linear, quadratic = (np.full(shape, math.nan) for _ in range(4))
    market = np.full(shape, RETAIL, dtype="<U9")
    for interval, k, row in owned_rows(results):
        low[interval, k] = _number(row.get("p_min_kw"))
        high[interval, k] = _number(row.get("p_max_kw"))
        linear[interval, k] = _number(row.get("cost_linear"))
        quadratic[interval, k] = _number(row.get("cost_quadratic", 0.0))
        market[interval, k] = str(row.get("market", RETAIL))
    return Offered(low, high, linear, quadratic, market if (market != RETAIL).any() else None)


def sold_at_lmp(results: Results) -> BoolArray | None:
    """Tell where resources are paid the LMP, shape (n, n_resource); None where none ever is.

    A scenario in which nobody says where it takes part is not searched.
    """
    keys = [key for key in results.keys if key.endswith(f"/{OFFER_QUANTITY}")]
    if not any(WHOLESALE in text for key in keys for text in results.texts(key)):
        return None
    market = read_offered(results).market
    return None if market is None else market == "wholesale"


def owned_rows(results: Results) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield the offers of every owner for its own resources: interval, number of the resource, and offer.

    Parameters
    ----------
    results : Results
        The run.
    """
    resources = results.network.resources
    place = {resource.name: k for k, resource in enumerate(resources)}
    for owner in sorted({resource.owner for resource in resources}):
        for interval, row in offer_rows(results, f"{owner}/{OFFER_QUANTITY}"):
            k = place.get(str(row.get("resource", "")))
            if k is not None and resources[k].owner == owner:
                yield interval, k, row


def offer_rows(results: Results, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the offers of a topic with their interval; what an owner published may be anything.

    Parameters
    ----------
    results : Results
        The run.
    key : str
        Topic of an owner's offers; nothing is yielded when it is not on record.
    """
    if key not in results:
        return
    for interval, text in enumerate(results.texts(key)):
        try:
            table = results.parse(f"{key} of interval {interval}", text)
        except ResultsError:
            continue
        rows = table.get("offers")
        if table.get("interval") == interval and isinstance(rows, list):
            yield from ((interval, row) for row in rows if isinstance(row, dict))


def _number(value: Any) -> float:
    return float(value) if is_sound(value) else math.nan
