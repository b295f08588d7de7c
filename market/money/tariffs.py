"""What d-LMPs may turn into at the customer's door: five tariffs, their bills, and who bears price swings.

Every tariff collects, over the day it is designed on, what the d-LMPs of all customers collect: a tariff only
moves money between customers and hours, not to or from the operator. Its rates are known beforehand, except
where a customer agreed to follow the price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from dlmp_cosim.feeders.network import FloatArray, IntArray

TariffName = Literal["flat", "time_of_use", "critical_peak", "hourly", "block_and_index"]

TITLES: Final[dict[TariffName, str]] = {
    "flat": "flat rate",
    "time_of_use": "time of use",
    "critical_peak": "critical peak",
    "hourly": "hourly real-time",
    "block_and_index": "block and index",
}


LEAST_KWH: Final = 1e-9
"""Less energy than this has no price of its own."""


@dataclass(frozen=True)
class Usage:
    """What customers used and what it cost at their d-LMPs.

    Attributes
    ----------
    kwh : ndarray, shape (n, n_customer)
        Energy in each interval [kWh].
    usd : ndarray, shape (n, n_customer)
        Its cost at the d-LMPs, real and reactive [$].
    hour : ndarray of int, shape (n,)
        Hour of the run that each interval belongs to.
    local_hour : ndarray of int, shape (n,)
        Local hour of the day, 0 to 23.
    """

    kwh: FloatArray
    usd: FloatArray
    hour: IntArray
    local_hour: IntArray


@dataclass(frozen=True)
class TariffTerms:
    """How tariffs are cut.

    Attributes
    ----------
    peak_hours : tuple of int
        Local hours of the peak rate of time of use.
    critical_hours : int
        Dearest hours of the run that critical peak pricing prices on their own.
    block_share : float
        Share of its mean power that a customer buys as a fixed block.
    """

    peak_hours: tuple[int, ...] = tuple(range(12, 20))
    critical_hours: int = 2
    block_share: float = 0.7


@dataclass(frozen=True)
class Bill:
    """What every customer pays under one tariff.

    Attributes
    ----------
    tariff : str
        Name of the tariff.
    usd : ndarray, shape (n_customer,)
        Bill of each customer [$].
    spread : ndarray, shape (n_customer,)
        Standard deviation of what a kWh costs the customer, over its energy [$/MWh].
    spike_usd : ndarray, shape (n_customer,)
        Rise of the bill when the price of the dearest hour doubles after rates were set [$].
    rate : ndarray, shape (n,)
        What another kWh costs in each interval [$/MWh].
    """

    tariff: TariffName
    usd: FloatArray
    spread: FloatArray
    spike_usd: FloatArray
    rate: FloatArray


def bills(usage: Usage, terms: TariffTerms | None = None) -> list[Bill]:
    """Bill a day under every tariff.

    Parameters
    ----------
    usage : Usage
        The day.
    terms : TariffTerms, optional
        How tariffs are cut.

    Returns
    -------
    list of Bill
        One per tariff, in the order of `TITLES`.
    """
    terms = terms or TariffTerms()
    hourly = _mean_rate(usage, usage.hour)
    rates: dict[TariffName, FloatArray] = {
        "flat": _mean_rate(usage, np.zeros(len(usage.kwh))),
        "time_of_use": _mean_rate(usage, np.isin(usage.local_hour, terms.peak_hours)),
        "critical_peak": _mean_rate(usage, _critical(usage, hourly, terms.critical_hours)),
        "hourly": hourly,
        "block_and_index": hourly,
    }
    return [_bill(name, usage, rate, terms) for name, rate in rates.items()]


def _mean_rate(usage: Usage, group: npt.ArrayLike) -> FloatArray:
    """Mean cost of energy within each group of intervals, shape (n,) [$/MWh]."""
    rate = np.zeros(len(usage.kwh))
    member = np.asarray(group)
    for value in np.unique(member):
        inside = member == value
        kwh = usage.kwh[inside].sum()
        rate[inside] = 1e3 * usage.usd[inside].sum() / kwh if kwh > LEAST_KWH else 0.0
    return rate


def _critical(usage: Usage, hourly: FloatArray, count: int) -> FloatArray:
    """Group the dearest hours apart: each interval's hour where it is critical, else -1."""
    hours = np.unique(usage.hour)
    price = np.array([hourly[usage.hour == hour][0] for hour in hours])
    critical = hours[np.argsort(-price, kind="stable")[:count]]
    return np.where(np.isin(usage.hour, critical), 1.0, -1.0)


def _bill(name: TariffName, usage: Usage, rate: FloatArray, terms: TariffTerms) -> Bill:
    """Bill every customer; the block is bought at the mean price of its own constant power."""
    n = len(rate)
    block = np.zeros_like(usage.kwh)
    if name == "block_and_index":
        block += terms.block_share * usage.kwh.mean(axis=0)
    floating = usage.kwh - block
    paid = (rate.mean() * block + rate[:, None] * floating) / 1e3
    follows = floating if name in ("hourly", "block_and_index") else np.zeros_like(usage.kwh)
    dearest = usage.hour == usage.hour[int(np.argmax(_mean_rate(usage, usage.hour)))]
    total = np.maximum(usage.kwh.sum(axis=0), LEAST_KWH)
    each = 1e3 * np.divide(
        paid, usage.kwh, out=np.zeros((n, usage.kwh.shape[1])), where=usage.kwh > LEAST_KWH
    )
    mean = 1e3 * paid.sum(axis=0) / total
    variance = (usage.kwh * (each - mean) ** 2).sum(axis=0) / total
    return Bill(
        tariff=name,
        usd=paid.sum(axis=0),
        spread=np.sqrt(variance),
        spike_usd=(rate[:, None] * follows)[dearest].sum(axis=0) / 1e3,
        rate=rate,
    )


def exposed(found: Sequence[Bill], usage: Usage) -> dict[TariffName, float]:
    """Share of a doubled dearest hour that customers bear under each tariff; the operator bears the rest.

    Parameters
    ----------
    found : sequence of Bill
        Bills of the tariffs.
    usage : Usage
        What they bill.
    """
    rate = _mean_rate(usage, usage.hour)
    dearest = usage.hour == usage.hour[int(np.argmax(rate))]
    whole = float((rate[:, None] * usage.kwh)[dearest].sum()) / 1e3
    return {bill.tariff: float(bill.spike_usd.sum()) / whole if whole else 0.0 for bill in found}
